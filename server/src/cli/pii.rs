//! `bailiwick pii scan`: text in, one JSON line a finding out; `pii eval`: how well that goes on labelled texts.

use std::io::Read as _;
use std::path::PathBuf;

use bailiwick_pii::eval::{Ordinary, Report, Tally, read_gold};
use bailiwick_pii::{Detector, EntitySet, EntityType, PhoneRegions};
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
        /// Know the national telephone numbers of a region, such as `IN`; may be repeated
        #[arg(long, value_name = "CODE")]
        phone_region: Vec<String>,
        /// Leave out what is less certain, in percent
        #[arg(long, value_name = "PERCENT", default_value_t = Detector::USUAL_CONFIDENCE,
            value_parser = clap::value_parser!(u8).range(1..=100))]
        min_confidence: u8,
    },
    /// Scan labelled texts and print precision, recall and F2 by kind
    Eval {
        /// JSON Lines: `text`, and `entities` with `start` and `end` in bytes and `entity_type`
        #[arg(long, value_name = "FILE", required_unless_present = "ordinary")]
        gold: Option<PathBuf>,
        /// Files and folders that hold nothing: print the findings in 10,000 words
        #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "gold")]
        ordinary: Vec<PathBuf>,
    },
}

pub(super) fn run(command: &PiiCommand, output: Output) -> Result<(), Failed> {
    match command {
        PiiCommand::Scan { file, all, phone_region, min_confidence } => {
            let mut regions = PhoneRegions::NONE;
            if let Some(unknown) = phone_region.iter().find(|region| !regions.insert(region)) {
                let what = format!(
                    "no numbering plan of `{unknown}` is known; write a code of ISO 3166-1, such as `US`"
                );
                return Err(Failed::Said(what));
            }
            let detector = detector(*all).calling_from(regions).at_least(*min_confidence);
            scan(file.as_ref(), &detector, output)
        }
        PiiCommand::Eval { gold: Some(gold), .. } => eval(gold, output),
        PiiCommand::Eval { gold: None, ordinary } => count(ordinary, output),
    }
}

fn detector(all: bool) -> Detector {
    let usual = Detector::new();
    if all { usual.looking_for(EntitySet::all()) } else { usual }
}

fn scan(file: Option<&PathBuf>, detector: &Detector, output: Output) -> Result<(), Failed> {
    let text = match file.filter(|file| !is_standard(file)) {
        Some(file) => std::fs::read_to_string(file).map_err(Failed::file(file))?,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(Failed::io("standard input"))?;
            text
        }
    };
    let mut findings = Vec::new();
    detector.scan(&text, &mut findings);
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

/// Findings of the usual kinds in ordinary text, a line a kind, then all together and those with a check.
fn count(paths: &[PathBuf], output: Output) -> Result<(), Failed> {
    let (detector, mut ordinary) = (detector(false), Ordinary::default());
    for path in paths {
        read_all(path, &detector, &mut ordinary)?;
    }
    let line = |name: &str, kinds: EntitySet| {
        let found: u64 = kinds.iter().map(|kind| u64::from(ordinary.found().get(kind))).sum();
        let share = ordinary.in_10_000(kinds);
        if output.is_json() {
            let share = share.thousandths().map_or_else(|| String::from("null"), |_| share.to_string());
            output.line(&format!(
                "{{\"entity_type\":\"{name}\",\"findings\":{found},\"in_10000_words\":{share}}}"
            ));
        } else {
            output.line(&format!("{name:24} {found:>8} {share:>16}"));
        }
    };
    if !output.is_json() {
        output.line(&format!("{} words", ordinary.words()));
        output.line(&format!("{:24} {:>8} {:>16}", "kind", "findings", "in 10,000 words"));
    }
    for kind in EntityType::ALL.into_iter().filter(|kind| ordinary.found().get(*kind) > 0) {
        line(kind.as_str(), EntitySet::EMPTY.with(kind));
    }
    line("checked", EntitySet::checked());
    line("all", EntitySet::all());
    Ok(())
}

/// Reads a file of text, or all below a folder. Links are not followed.
fn read_all(path: &PathBuf, detector: &Detector, ordinary: &mut Ordinary) -> Result<(), Failed> {
    let data = std::fs::symlink_metadata(path).map_err(Failed::file(path))?;
    if data.is_dir() {
        let entries = std::fs::read_dir(path).map_err(Failed::file(path))?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Failed::file(path))?;
        paths.sort();
        return paths.iter().try_for_each(|path| read_all(path, detector, ordinary));
    }
    if data.is_file() {
        let bytes = std::fs::read(path).map_err(Failed::file(path))?;
        if let Ok(text) = String::from_utf8(bytes) {
            ordinary.add(detector, &text);
        }
    }
    Ok(())
}
