//! `bailiwick audit …`. `verify` needs no server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use bailiwick_ledger::{FileKind, PublicKey, Receipt, file_kind, verify_export};
use clap::{Args, Subcommand};
use futures::StreamExt as _;
use reqwest::Method;

use super::remote::Api;
use super::{Failed, Output, Remote, is_standard};

type Instant = chrono::DateTime<chrono::Utc>;

/// RFC 3339, to the millisecond where it needs to be.
fn written(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Write the log to a file that proves its own completeness
    Export {
        #[command(flatten)]
        remote: Remote,
        /// From this instant on, RFC 3339
        #[arg(long, value_name = "T")]
        from: Option<Instant>,
        /// Before this instant, RFC 3339
        #[arg(long, value_name = "T")]
        to: Option<Instant>,
        /// Full records of this scope and below; the others as hashes
        #[arg(long)]
        scope: Option<String>,
        /// The form: jsonl
        #[arg(long, default_value = "jsonl")]
        format: String,
        /// The file; `-` is standard output
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Verify an export or a receipt
    Verify(VerifyArgs),
    /// Print the signed tree head
    Checkpoint {
        #[command(flatten)]
        remote: Remote,
    },
    /// Write the receipt of a decision: its records with their proofs
    Receipt {
        #[command(flatten)]
        remote: Remote,
        /// The decision's id
        id: String,
        /// The file; `-` is standard output
        #[arg(short, default_value = "-", value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// An export or a receipt
    file: PathBuf,
    /// The log's public key, as `GET /api/v1/audit/public-key` gives it; the one inside the file where absent
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

pub(super) async fn run(command: AuditCommand, output: Output) -> Result<(), Failed> {
    match command {
        AuditCommand::Verify(args) => verify(&args, output),
        AuditCommand::Export { remote, from, to, scope, format, output: file } => {
            let mut query = vec![("format", format.as_str())];
            let [from, to] = [from, to].map(|at| at.map(written));
            query.extend(from.as_deref().map(|from| ("from", from)));
            query.extend(to.as_deref().map(|to| ("to", to)));
            query.extend(scope.as_deref().map(|scope| ("scope", scope)));
            let response = Api::new(&remote).send(Method::GET, "/api/v1/audit/export", &query, None).await?;
            let records = response
                .headers()
                .get("x-bailiwick-records")
                .and_then(|value| value.to_str().ok())
                .unwrap_or("?")
                .to_owned();
            let bytes = write(&file, response).await?;
            if !is_standard(&file) {
                let result = serde_json::json!({
                    "file": file, "bytes": bytes, "records": records, "from": from, "to": to, "scope": scope,
                });
                let asked: String = [("from", &from), ("before", &to), ("of", &scope)]
                    .into_iter()
                    .filter_map(|(word, value)| value.as_ref().map(|value| format!(" {word} {value}")))
                    .collect();
                output.result(&result, || {
                    format!("{records} records{asked}, {bytes} bytes in {}", file.display())
                });
            }
            Ok(())
        }
        AuditCommand::Checkpoint { remote } => {
            let response = Api::new(&remote).send(Method::GET, "/api/v1/audit/checkpoint", &[], None).await?;
            let note = response.text().await.map_err(|error| Failed::Said(error.to_string()))?;
            output.result(&serde_json::json!({ "checkpoint": note }), || note.clone());
            Ok(())
        }
        AuditCommand::Receipt { remote, id, output: file } => {
            let path = format!("/v1/decisions/{id}");
            let response = Api::new(&remote).send(Method::GET, &path, &[], None).await?;
            write(&file, response).await?;
            Ok(())
        }
    }
}

/// Writes a response's body to a file, as it comes. The file takes its name only when it is whole.
async fn write(file: &PathBuf, response: reqwest::Response) -> Result<u64, Failed> {
    let mut chunks = response.bytes_stream();
    let mut bytes = 0;
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut whole = if is_standard(file) {
        None
    } else {
        Some(
            tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))
                .map_err(Failed::file(file))?,
        )
    };
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Failed::Said(format!("the server's answer broke off: {error}")))?;
        bytes += chunk.len() as u64;
        let written = match &mut whole {
            Some(whole) => whole.write_all(&chunk),
            None => std::io::stdout().write_all(&chunk),
        };
        written.map_err(Failed::file(file))?;
    }
    if let Some(whole) = whole {
        whole.persist(file).map_err(|error| Failed::file(file)(error.error))?;
    }
    Ok(bytes)
}

/// Verifies a file.
pub(super) fn verify(args: &VerifyArgs, output: Output) -> Result<(), Failed> {
    let expected = match &args.public_key {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(Failed::file(path))?;
            let key: PublicKey = text
                .trim()
                .parse()
                .map_err(|error| Failed::Said(format!("{} holds no public key: {error}", path.display())))?;
            Some(key)
        }
        None => None,
    };
    let open = || std::fs::File::open(&args.file).map_err(Failed::file(&args.file));
    let mut reader = BufReader::new(open()?);
    let kind = file_kind(reader.fill_buf().map_err(Failed::file(&args.file))?);
    match kind {
        Some(FileKind::Receipt) => {
            let bytes = std::fs::read(&args.file).map_err(Failed::file(&args.file))?;
            let verified = Receipt::parse(&bytes)
                .and_then(|receipt| receipt.verify(expected.as_ref()))
                .map_err(|error| Failed::Said(format!("not verified: {error}")))?;
            let (size, root) = (verified.checkpoint.size, verified.checkpoint.root.to_string());
            let result = serde_json::json!({
                "verified": true,
                "decision": verified.decision,
                "records": verified.records.len(),
                "size": size,
                "root": root,
                "key": verified.key.to_string(),
                "key_expected": verified.key_expected,
            });
            output.result(&result, || {
                let key = if verified.key_expected {
                    String::from("signed with the expected key")
                } else {
                    format!(
                        "signed with the key inside the file; compare its fingerprint: {}",
                        verified.key.fingerprint()
                    )
                };
                format!(
                    "verified: {} records of {} are in the log of {size} leaves with root {root}, {key}",
                    verified.records.len(),
                    verified.decision.as_deref().unwrap_or("several decisions"),
                )
            });
            Ok(())
        }
        // Anything else is judged as an export: its first line then says what is wrong.
        _ => {
            let report = verify_export(reader, expected.as_ref()).map_err(Failed::file(&args.file))?;
            let mut result = serde_json::to_value(&report).unwrap_or_default();
            if let Some(result) = result.as_object_mut() {
                result.insert(String::from("verified"), report.verified().into());
            }
            output.result(&result, || report.to_string());
            if report.verified() { Ok(()) } else { Err(Failed::Told) }
        }
    }
}
