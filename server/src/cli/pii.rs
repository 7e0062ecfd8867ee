//! `bailiwick pii scan`: text in, one JSON line a finding out.

use std::io::Read as _;
use std::path::PathBuf;

use bailiwick_pii::Detector;
use clap::Subcommand;

use super::{Failed, Output, is_standard};

#[derive(Debug, Subcommand)]
pub(super) enum PiiCommand {
    /// Print findings as JSON Lines: start and end in bytes, entity type, score
    Scan {
        /// The text; standard input where absent or `-`
        file: Option<PathBuf>,
    },
}

pub(super) fn run(command: &PiiCommand, output: Output) -> Result<(), Failed> {
    let PiiCommand::Scan { file } = command;
    let text = match file.as_ref().filter(|file| !is_standard(file)) {
        Some(file) => std::fs::read_to_string(file).map_err(Failed::file(file))?,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(Failed::io("standard input"))?;
            text
        }
    };
    let mut findings = Vec::new();
    Detector::new().scan(&text, &mut findings);
    for finding in findings {
        // `score` is printed as the decimal that it is, without a detour through a float.
        output.line(&format!(
            "{{\"start\":{},\"end\":{},\"entity_type\":\"{}\",\"score\":{}}}",
            finding.start,
            finding.end,
            finding.entity,
            finding.confidence.score()
        ));
    }
    Ok(())
}
