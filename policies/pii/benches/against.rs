//! Another engine's findings and time against ours, over the same texts: what `cargo xtask bench --presidio` prints.
//!
//! `against FOLDER [FOLDER OF ORDINARY TEXT]...`. The folder holds `gold.jsonl` (labelled texts), `presidio.jsonl` (the other's
//! findings, a line a text), `prompts-*.jsonl` and `presidio.json` (how long the other took for the prompts). Of either engine the
//! best threshold of confidence is taken, for each kind anew; and since the other reports every kind that it sees in the same
//! digits, and ours one, ours is asked for each kind alone. What it finds as it comes, all kinds at once, stands beside it.
#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "measurements"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bailiwick_pii::eval::{Example, Ordinary, Report, Share, Tally, read_gold};
use bailiwick_pii::{Confidence, Detector, EntitySet, EntityType, Finding, PhoneRegions};
use serde::Deserialize;

/// The regions that presidio-analyzer's recognizer of telephone numbers looks for where it is told nothing else, but for
/// `UK`, which is the code of none.
const REGIONS: [&str; 7] = ["US", "DE", "FR", "IL", "IN", "CA", "BR"];

/// The other's thresholds, in percent.
const THRESHOLDS: [u8; 6] = [0, 20, 35, 50, 65, 85];

/// Ours: the usual one; numbers that need a word which is not there, in their likelier forms and in all; whatever looks like one.
const OURS: [u8; 4] = [50, 30, 20, 1];

/// Files of more bytes are not read.
const FILE_MAX: u64 = 1 << 20;

/// Words of ordinary text that are enough.
const WORDS_MAX: u64 = 20_000_000;

#[derive(Deserialize)]
struct Found {
    findings: Vec<Theirs>,
}

#[derive(Clone, Copy, Deserialize)]
struct Theirs {
    start: usize,
    end: usize,
    entity_type: EntityType,
    score: u8,
}

#[derive(Deserialize)]
struct Timing {
    version: String,
    recognizers: u64,
    /// The kinds that it has patterns for.
    kinds: EntitySet,
    sets: Vec<Set>,
}

/// How long it took for a set of prompts.
#[derive(Deserialize)]
struct Set {
    name: String,
    bytes: u64,
    analyze_us: u64,
    recognizers_us: u64,
}

fn main() {
    let mut folders =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from);
    let Some(folder) = folders.next() else {
        eprintln!("nothing to compare with: cargo xtask bench --presidio");
        return;
    };
    let mut regions = PhoneRegions::NONE;
    assert!(REGIONS.iter().all(|region| regions.insert(region)), "regions with numbering plans");
    let detector = Detector::new().looking_for(EntitySet::all()).calling_from(regions);
    if folder.join("gold.jsonl").exists() {
        quality(&folder, &detector);
        speed(&folder, &Detector::new().calling_from(regions));
    }
    let mut ordinary = Ordinary::default();
    for folder in folders {
        let before = ordinary;
        read_all(&folder, &Detector::new(), &mut ordinary);
        eprintln!("{}: {} words", folder.display(), ordinary.words() - before.words());
    }
    if ordinary.words() > 0 {
        print_ordinary(&ordinary);
    }
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Precision, recall and F2 of both, by kind.
fn quality(folder: &Path, detector: &Detector) {
    let examples = read_gold(&std::fs::read_to_string(folder.join("gold.jsonl")).unwrap()).unwrap();
    let theirs: Vec<Found> = lines(&folder.join("presidio.jsonl"));
    let as_it_comes = Report::of(detector, &examples);
    println!("{} texts", examples.len());
    println!(
        "{:20} {:>6}   {:>23}   {:>27}   {:>23}",
        "kind", "labels", "as it comes", "alone, from", "presidio's"
    );
    println!("{:20} {:>6}   {HEAD}   from {HEAD}   {HEAD}", "", "");
    let mut worse = 0;
    for kind in EntityType::ALL {
        let mine = as_it_comes.get(kind);
        if mine.labels == 0 {
            continue;
        }
        let (from, alone) = alone(&examples, detector, kind);
        let best = best(&examples, &theirs, kind);
        let mark = if best.f2() > alone.f2().max(mine.f2()) { "  worse" } else { "" };
        worse += usize::from(!mark.is_empty());
        println!(
            "{:20} {:>6}   {}   {from:>4} {}   {}{mark}",
            kind.as_str(),
            mine.labels,
            shown(&mine),
            shown(&alone),
            shown(&best)
        );
        misses(&examples, &detector.looking_for(EntitySet::EMPTY.with(kind)).at_least(from), kind);
    }
    println!("{worse} kinds are worse than presidio's\n");
}

/// What a tally is shown as.
const HEAD: &str = "precision recall     F2";

/// Our tally of a kind that is looked for alone, at the threshold at which its F2 is best; and that threshold.
fn alone(examples: &[Example], detector: &Detector, kind: EntityType) -> (u8, Tally) {
    let detector = detector.looking_for(EntitySet::EMPTY.with(kind));
    let at = |from: u8| (from, Report::of(&detector.at_least(from), examples).get(kind));
    // Of equal ones the highest threshold.
    OURS.into_iter().rev().map(at).max_by_key(|(_, tally)| tally.f2()).unwrap_or_default()
}

/// The other's tally of a kind, at the threshold at which its F2 is best.
fn best(examples: &[Example], theirs: &[Found], kind: EntityType) -> Tally {
    let at = |threshold: u8| {
        let findings: Vec<Vec<Finding>> = theirs
            .iter()
            .map(|found| {
                let of =
                    found.findings.iter().filter(|one| one.entity_type == kind && one.score >= threshold);
                of.map(|one| Finding {
                    entity: one.entity_type,
                    start: one.start,
                    end: one.end,
                    confidence: Confidence::new(one.score),
                })
                .collect()
            })
            .collect();
        Report::compare(examples, findings.iter().map(Vec::as_slice)).get(kind)
    };
    THRESHOLDS.into_iter().map(at).max_by_key(Tally::f2).unwrap_or_default()
}

fn shown(tally: &Tally) -> String {
    format!("{:>9} {:>6} {:>6}", tally.precision(), tally.recall(), tally.f2())
}

/// With `BAILIWICK_SHOW` set to a kind: what is missed and what is wrong.
fn misses(examples: &[Example], detector: &Detector, kind: EntityType) {
    if std::env::var("BAILIWICK_SHOW").as_deref() != Ok(kind.as_str()) {
        return;
    }
    let mut findings = Vec::new();
    for example in examples {
        findings.clear();
        detector.scan(&example.text, &mut findings);
        let overlaps = |start: usize, end: usize| move |f: &&Finding| f.start < end && start < f.end;
        for label in example.entities.iter().filter(|label| label.entity_type == kind) {
            if !findings.iter().filter(overlaps(label.start, label.end)).any(|f| f.entity == kind) {
                let instead: Vec<_> = findings.iter().filter(overlaps(label.start, label.end)).collect();
                println!(
                    "  missed {:?} in {:?}: {instead:?}",
                    &example.text.get(label.start..label.end),
                    example.text
                );
            }
        }
        for finding in findings.iter().filter(|finding| finding.entity == kind) {
            let right = |label: &bailiwick_pii::eval::Label| {
                label.entity_type == kind && label.start < finding.end && finding.start < label.end
            };
            if !example.entities.iter().any(right) {
                println!("  wrong {:?} in {:?}", finding.value(&example.text), example.text);
            }
        }
    }
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
}

fn speed(folder: &Path, detector: &Detector) {
    let timing: Timing =
        serde_json::from_str(&std::fs::read_to_string(folder.join("presidio.json")).unwrap()).unwrap();
    println!(
        "presidio-analyzer {}, {} recognizers, no model; MB/s on prompts of 4 KB",
        timing.version, timing.recognizers
    );
    println!(
        "{:12} {:>9} {:>22} {:>32} {:>32}",
        "prompts", "findings", "presidio's, recognizers", "ours, its kinds", "ours, all usual kinds"
    );
    for set in &timing.sets {
        let prompts: Vec<Prompt> = lines(&folder.join(format!("prompts-{}.jsonl", set.name)));
        let (bytes, whole, alone) =
            (set.bytes as f64, set.analyze_us as f64 / 1e6, set.recognizers_us as f64 / 1e6);
        let rate = |seconds: f64| bytes / seconds / 1e6;
        let ours = |detector: &Detector| {
            let (seconds, found) = fastest(&prompts, detector);
            (
                format!(
                    "{:>8.1}, {:>5.0} and {:>5.0} times",
                    rate(seconds),
                    whole / seconds,
                    alone / seconds
                ),
                found,
            )
        };
        let (same, _) = ours(&detector.looking_for(timing.kinds));
        let (usual, found) = ours(detector);
        println!(
            "{:12} {found:>9} {:>14.3}, {:.3} {same:>32} {usual:>32}",
            set.name,
            rate(whole),
            rate(alone)
        );
    }
    println!();
}

/// The smallest time of many for all prompts, and how much is found in them.
fn fastest(prompts: &[Prompt], detector: &Detector) -> (f64, usize) {
    let mut findings: Vec<Finding> = Vec::new();
    let (mut fastest, mut found) = (f64::MAX, 0);
    for _ in 0..200 {
        let began = Instant::now();
        found = 0;
        for prompt in prompts {
            findings.clear();
            detector.scan(black_box(&prompt.text), &mut findings);
            found += black_box(&findings).len();
        }
        fastest = fastest.min(began.elapsed().as_secs_f64());
    }
    (fastest, found)
}

/// Reads every file of text below a folder.
fn read_all(folder: &Path, detector: &Detector, ordinary: &mut Ordinary) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let Ok(data) = std::fs::symlink_metadata(&path) else { continue };
        if ordinary.words() > WORDS_MAX {
            return;
        }
        if data.is_dir() {
            read_all(&path, detector, ordinary);
        } else if data.is_file()
            && data.len() < FILE_MAX
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let before = *ordinary.found();
            ordinary.add(detector, &text);
            show_ordinary(&path, &text, detector, &before, ordinary);
        }
    }
}

/// With `BAILIWICK_SHOW` set to a kind: where it was found.
fn show_ordinary(
    path: &Path,
    text: &str,
    detector: &Detector,
    before: &bailiwick_pii::EntityCounts,
    after: &Ordinary,
) {
    let Some(kind) = std::env::var("BAILIWICK_SHOW").ok().and_then(|name| name.parse::<EntityType>().ok())
    else {
        return;
    };
    if after.found().get(kind) == before.get(kind) {
        return;
    }
    let mut findings = Vec::new();
    detector.scan(text, &mut findings);
    for finding in findings.iter().filter(|finding| finding.entity == kind).take(3) {
        let line = text.get(..finding.start).unwrap_or_default().lines().last().unwrap_or_default();
        println!("  {}: {line:?} {:?}", path.display(), finding.value(text));
    }
}

fn print_ordinary(ordinary: &Ordinary) {
    println!("{} words of ordinary text", ordinary.words());
    println!("{:22} {:>9} {:>14}", "kind", "findings", "in 10,000");
    let line = |name: &str, kinds: EntitySet| {
        let found: u64 = kinds.iter().map(|kind| u64::from(ordinary.found().get(kind))).sum();
        let share: Share = ordinary.in_10_000(kinds);
        println!("{name:22} {found:>9} {share:>14}");
    };
    for kind in EntityType::ALL {
        if ordinary.found().get(kind) > 0 {
            line(kind.as_str(), EntitySet::EMPTY.with(kind));
        }
    }
    line("checked by digits", EntitySet::checked());
}
