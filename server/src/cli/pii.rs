//! `bailiwick pii scan`: text in, one JSON line a finding out; `pii eval`: how well that goes on labelled texts.

use std::io::Read as _;
use std::path::PathBuf;

use bailiwick_pii::eval::{Report, Tally, read_gold};
use bailiwick_pii::{Detector, EntitySet};
use clap::Subcommand;

use super::{Failed, Output, is_standard};

#[derive(Debug, Subcommand)]
pub(super) enum PiiCommand {
    /// Print findings as JSON Lines: start and end in bytes, entity type, score
    Scan {
        /// The text; standard input where absent or `-`
        file: Option<PathBuf>,
        /// Look for every kind, also those that are only looked for where a rule asks
        #[arg(long)]
        all: bool,
    },
    /// Scan labelled texts and print precision, recall and F2 by kind
    Eval {
        /// JSON Lines: `text`, and `entities` with `start` and `end` in bytes and `entity_type`
        #[arg(long, value_name = "FILE")]
        gold: PathBuf,
    },
}

pub(super) fn run(command: &PiiCommand, output: Output) -> Result<(), Failed> {
    match command {
        PiiCommand::Scan { file, all } => scan(file.as_ref(), *all, output),
        PiiCommand::Eval { gold } => eval(gold, output),
    }
}

fn detector(all: bool) -> Detector {
    let usual = Detector::new();
    if all { usual.looking_for(EntitySet::all()) } else { usual }
}

fn scan(file: Option<&PathBuf>, all: bool, output: Output) -> Result<(), Failed> {
    let text = match file.filter(|file| !is_standard(file)) {
        Some(file) => std::fs::read_to_string(file).map_err(Failed::file(file))?,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(Failed::io("standard input"))?;
            text
        }
    };
    let mut findings = Vec::new();
    detector(all).scan(&text, &mut findings);
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

/// A line a kind, then all together.
fn eval(gold: &PathBuf, output: Output) -> Result<(), Failed> {
    let text = std::fs::read_to_string(gold).map_err(Failed::file(gold))?;
    let examples = read_gold(&text).map_err(|error| Failed::Said(format!("{}: {error}", gold.display())))?;
    let report = Report::of(&detector(true), &examples);
    let line = |kind: &str, tally: &Tally| {
        let (precision, recall, f2) = (tally.precision(), tally.recall(), tally.f2());
        if output.is_json() {
            let number = |share: bailiwick_pii::eval::Share| {
                share.thousandths().map_or_else(|| String::from("null"), |_| share.to_string())
            };
            format!(
                "{{\"entity_type\":\"{kind}\",\"labels\":{},\"findings\":{},\"precision\":{},\"recall\":{},\"f2\":{}}}",
                tally.labels,
                tally.findings,
                number(precision),
                number(recall),
                number(f2)
            )
        } else {
            format!("{kind:24} {:>6} {:>8} {precision:>9} {recall:>6} {f2:>6}", tally.labels, tally.findings)
        }
    };
    if !output.is_json() {
        output.line(&format!(
            "{:24} {:>6} {:>8} {:>9} {:>6} {:>6}",
            "kind", "labels", "findings", "precision", "recall", "F2"
        ));
    }
    for (entity, tally) in report.iter() {
        output.line(&line(entity.as_str(), tally));
    }
    output.line(&line("all", &report.total()));
    Ok(())
}
