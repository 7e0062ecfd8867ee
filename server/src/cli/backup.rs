//! `bailiwick backup` and `bailiwick restore`.

use std::path::PathBuf;

use clap::Args;

use super::place::PlaceArgs;
use super::{Failed, Output};
use crate::transfer::{self, RestoreRequest};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file, which must not exist
    file: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
    /// With log.key, token.key and pseudonym.key: whoever reads the file can sign for the log
    #[arg(long)]
    include_secrets: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
    /// A file with the last checkpoint that somebody holds: a checkpoint, an export or a receipt. May be given several
    /// times
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// State that nothing was signed after the backup. It is recorded
    #[arg(long, conflicts_with = "accept_loss")]
    newest: bool,
    /// Where a later part of the log is lost: end this log, and begin a new one that says so and why
    #[arg(long, value_name = "REASON")]
    accept_loss: Option<String>,
}

pub(super) async fn backup(args: BackupArgs, output: Output) -> Result<(), Failed> {
    let (place, _) = args.place.place()?;
    let done = transfer::backup(&place, &args.file, args.include_secrets, |what| output.note(what)).await?;
    if done.secrets.is_empty() {
        output.note(
            "the secrets are not in it. Keep log.key, token.key and pseudonym.key of the data directory elsewhere: \
             without log.key the log can't go on, without pseudonym.key nobody can be found in it any more, and \
             without token.key the placeholders of open sessions end",
        );
    } else {
        output.note(
            "the secrets are in it: whoever reads the file can sign for the log. Encrypt it before it leaves",
        );
    }
    output.result(&done, || {
        format!(
            "{}: {} rows, the log {} with {} leaves and the root {}, sha256:{}",
            done.file.display(),
            done.rows,
            done.log,
            done.size,
            done.root,
            done.sha256
        )
    });
    Ok(())
}

pub(super) async fn restore(args: RestoreArgs, output: Output) -> Result<(), Failed> {
    let (place, replica) = args.place.place()?;
    let request = RestoreRequest {
        file: args.file,
        place,
        replica,
        checkpoints: args.checkpoint,
        newest: args.newest,
        accept_loss: args.accept_loss,
    };
    let done = Box::pin(transfer::restore(&request, |what| output.note(what))).await?;
    output.result(&done, || {
        let log = match &done.ended_log {
            None => format!("The log {} goes on from {} leaves with the root {}", done.log, done.size, done.root),
            Some(ended) => format!(
                "The log {ended} ended with {} leaves and the root {}; keep the backup, which holds it. The log {} \
                 begins",
                done.size, done.root, done.log
            ),
        };
        format!("restored {} rows to {}. {log}", done.rows, done.to)
    });
    Ok(())
}
