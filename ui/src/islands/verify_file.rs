//! An auditor's own verification: a file is dropped on the page, read piece by piece and verified with the ledger's own code,
//! compiled to WebAssembly. Nothing of it leaves the browser, and once the page is there it needs no network.

#![expect(unreachable_pub, reason = "the island macro makes a public function of its own")]
#![cfg_attr(
    not(feature = "hydrate"),
    allow(dead_code, reason = "the server draws the island; only the browser verifies")
)]

use bailiwick_ledger::verify::{FileKind, Pieces, Report, SequenceCheck, file_kind};
use bailiwick_ledger::{PublicKey, Receipt};
use leptos::prelude::*;

use crate::format;
use crate::parts::icons;
use crate::text::Lang;

/// A receipt is small; what is longer and begins like one is none.
const LONGEST_RECEIPT: usize = 64 << 20;

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Idle,
    /// So many percent of the file.
    Running(u32),
    Done(Outcome),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    name: String,
    verified: bool,
    /// What it says about itself: labels and values.
    facts: Vec<(&'static str, String)>,
    /// What a reader should know beside the verdict.
    notes: Vec<String>,
    /// What is wrong, by line.
    problems: Vec<String>,
}

/// A file that is being read.
enum Reading {
    Start(Option<PublicKey>),
    Export(Box<Pieces>),
    Receipt(Vec<u8>, Option<PublicKey>),
    Neither,
}

impl Reading {
    fn push(self, piece: &[u8]) -> Self {
        match self {
            Self::Start(key) => match file_kind(piece) {
                Some(FileKind::Export) => {
                    let mut pieces = Box::new(Pieces::new(key));
                    pieces.push(piece);
                    Self::Export(pieces)
                }
                Some(FileKind::Receipt) => Self::Receipt(piece.to_vec(), key),
                None => Self::Neither,
            },
            Self::Export(mut pieces) => {
                pieces.push(piece);
                Self::Export(pieces)
            }
            Self::Receipt(mut bytes, key) => {
                if bytes.len().saturating_add(piece.len()) > LONGEST_RECEIPT {
                    return Self::Neither;
                }
                bytes.extend_from_slice(piece);
                Self::Receipt(bytes, key)
            }
            Self::Neither => Self::Neither,
        }
    }

    fn finish(self, name: String, lang: Lang) -> Outcome {
        let t = &lang.text().verify_file;
        match self {
            Self::Export(pieces) => of_export(name, &pieces.finish(), lang),
            Self::Receipt(bytes, key) => of_receipt(name, &bytes, key.as_ref(), lang),
            Self::Start(_) | Self::Neither => {
                Outcome { name, problems: vec![t.neither.to_owned()], ..Outcome::default() }
            }
        }
    }
}

/// The key that somebody typed in; none where nothing was.
fn key_of(typed: &str) -> Result<Option<PublicKey>, String> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    typed.parse().map(Some).map_err(|error| format!("{error}"))
}

fn of_export(name: String, report: &Report, lang: Lang) -> Outcome {
    let t = &lang.text().verify_file;
    let count = |value: u64| format::integer(value, lang);
    let mut facts = Vec::new();
    if let Some(log) = &report.log {
        facts.push((t.log, log.to_string()));
        facts.push((t.leaves, (t.range)(&count(report.from), &count(report.to))));
        facts.push((t.records, (t.in_full)(&count(report.counts.records), &count(report.counts.stubs))));
        let sections = (t.sections_of)(&count(report.counts.sections), &count(report.sections_withheld));
        facts.push((t.sections, sections));
    }
    if let Some(at) = report.created_ms {
        let at = format::moment(at, lang);
        facts.push((t.made, format!("{} {} UTC", at.date, at.time)));
    }
    if let Some(filter) = &report.filter {
        facts.push((t.selected, filter.clone()));
    }
    if let Some(head) = &report.checkpoint {
        facts.push((t.checkpoint, (t.head)(&count(head.size), &head.root.to_string())));
    }
    if let Some(key) = &report.key {
        facts.push((t.key, key.to_string()));
    }
    let mut notes = Vec::new();
    if report.key.is_some() {
        notes.push(if report.key_expected { t.key_compared } else { t.key_own }.to_owned());
    }
    if report.sequences == SequenceCheck::Partial {
        notes.push((t.stubs)(&count(report.counts.stubs)));
    }
    if let Some(head) = report.checkpoint.as_ref().filter(|head| head.size > report.to) {
        notes.push((t.went_on)(&count(head.size)));
    }
    let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    if report.more_problems > 0 {
        problems.push((t.more_problems)(&count(report.more_problems)));
    }
    Outcome { name, verified: report.verified(), facts, notes, problems }
}

fn of_receipt(name: String, bytes: &[u8], key: Option<&PublicKey>, lang: Lang) -> Outcome {
    let t = &lang.text().verify_file;
    let failed =
        |problem: String| Outcome { name: name.clone(), problems: vec![problem], ..Outcome::default() };
    let receipt = match Receipt::parse(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return failed(error.to_string()),
    };
    match receipt.verify(key) {
        Err(error) => failed(error.to_string()),
        Ok(verified) => {
            let head = &verified.checkpoint;
            let count = |value: u64| format::integer(value, lang);
            let records = u64::try_from(verified.records.len()).unwrap_or(u64::MAX);
            Outcome {
                verified: true,
                facts: vec![
                    (t.log, head.origin.to_string()),
                    (t.records, (t.in_full)(&count(records), "0")),
                    (t.checkpoint, (t.head)(&count(head.size), &head.root.to_string())),
                    (t.key, verified.key.to_string()),
                ],
                notes: vec![if verified.key_expected { t.key_compared } else { t.key_own }.to_owned()],
                problems: Vec::new(),
                name,
            }
        }
    }
}

/// Where a file is dropped or chosen, the key that it is held against, and the verdict.
#[island]
pub(crate) fn VerifyFile(
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let t = &lang.text().verify_file;
    let progress = RwSignal::new(Progress::Idle);
    let input = NodeRef::<leptos::html::Input>::new();
    let key = NodeRef::<leptos::html::Input>::new();
    let chosen = move |_| {
        #[cfg(feature = "hydrate")]
        browser::verify(input, key, progress, lang);
        #[cfg(not(feature = "hydrate"))]
        let _ = (input, key);
    };
    let percent = move || match *progress.read() {
        Progress::Running(percent) => Some(percent),
        _ => None,
    };
    view! {
        <div class="verify-file">
            <noscript>
                <p class="notice">{t.needs_script}</p>
            </noscript>
            <div hidden data-needs-script="">
                <label class="drop">
                    <span class="drop-words">
                        <b>{t.drop}</b>
                        <small>{t.drop_hint}</small>
                    </span>
                    <input type="file" node_ref=input on:change=chosen accept=".jsonl,.json,application/json" />
                </label>
                <div class="form-field">
                    <label>
                        <span class="form-label">{t.key_field} <small>{t.optional}</small></span>
                        <input type="text" node_ref=key on:change=chosen spellcheck="false" autocomplete="off" />
                    </label>
                    <small class="form-hint">{t.key_hint}</small>
                </div>
            </div>
            <div class="verify-result" role="status">
                {move || {
                    percent().map(|percent| view! { <p class="hint">{(t.reading)(&percent.to_string())}</p> })
                }}
                {move || match &*progress.read() {
                    Progress::Done(outcome) => Some(verdict(outcome, lang)),
                    _ => None,
                }}
            </div>
        </div>
    }
}

fn verdict(outcome: &Outcome, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().verify_file;
    let v = &lang.text().verify;
    let (class, icon, word, lead) = if outcome.verified {
        ("verdict-banner verdict-passed", icons::tick().into_any(), v.passed, t.passed_lead)
    } else {
        ("verdict-banner verdict-failed", icons::cross().into_any(), v.failed, t.failed_lead)
    };
    let facts = outcome.facts.iter().map(|(label, value)| {
        view! {
            <div>
                <dt>{*label}</dt>
                <dd>
                    <code>{value.clone()}</code>
                </dd>
            </div>
        }
    });
    let notes = outcome.notes.iter().map(|note| view! { <li>{note.clone()}</li> });
    let problems = outcome.problems.iter().map(|problem| view! { <li>{problem.clone()}</li> });
    view! {
        <p class=class>
            {icon}
            <b>{word}</b>
            " "
            {lead}
            " "
            <code>{outcome.name.clone()}</code>
        </p>
        {(!outcome.problems.is_empty())
            .then(|| {
                view! {
                    <ul class="sentences problem" lang="en">
                        {problems.collect_view()}
                    </ul>
                }
            })}
        <dl class="pairs">{facts.collect_view()}</dl>
        <ul class="sentences">{notes.collect_view()}</ul>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    //! Reading the file, a piece at a time, so that one of any size fits and the page stays alive.

    use js_sys::Uint8Array;
    use leptos::html::Input;
    use leptos::prelude::{GetUntracked, NodeRef, RwSignal, Set};
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::File;

    use super::{Outcome, Progress, Reading, key_of};
    use crate::text::Lang;

    /// Bytes read at a time.
    const PIECE: f64 = 1_048_576.0;

    pub(super) fn verify(
        input: NodeRef<Input>,
        key: NodeRef<Input>,
        progress: RwSignal<Progress>,
        lang: Lang,
    ) {
        let file = input.get_untracked().and_then(|input| input.files()).and_then(|files| files.get(0));
        let Some(file) = file else { return };
        let typed = key.get_untracked().map(|key| key.value()).unwrap_or_default();
        let key = match key_of(&typed) {
            Ok(key) => key,
            Err(problem) => {
                let problems = vec![format!("{}: {problem}", lang.text().verify_file.no_key)];
                progress.set(Progress::Done(Outcome { name: file.name(), problems, ..Outcome::default() }));
                return;
            }
        };
        progress.set(Progress::Running(0));
        spawn_local(async move {
            let mut reading = Reading::Start(key);
            let (mut at, size) = (0.0, file.size());
            while at < size {
                let Some(piece) = read(&file, at, (at + PIECE).min(size)).await else {
                    let problems = vec![lang.text().verify_file.unreadable.to_owned()];
                    progress.set(Progress::Done(Outcome {
                        name: file.name(),
                        problems,
                        ..Outcome::default()
                    }));
                    return;
                };
                reading = reading.push(&piece);
                at += PIECE;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a number from 0 to 100"
                )]
                progress.set(Progress::Running((at.min(size) / size * 100.0) as u32));
            }
            progress.set(Progress::Done(reading.finish(file.name(), lang)));
        });
    }

    async fn read(file: &File, from: f64, to: f64) -> Option<Vec<u8>> {
        let piece = file.slice_with_f64_and_f64(from, to).ok()?;
        let buffer = JsFuture::from(piece.array_buffer()).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_export_nor_receipt_is_said_to_be_neither() {
        for bytes in [b"".as_slice(), b"PK\x03\x04", b"{\"checkpoints\":1}"] {
            let outcome = Reading::Start(None).push(bytes).push(b"more").finish("x".to_owned(), Lang::En);
            assert!(!outcome.verified && outcome.problems.len() == 1, "{outcome:?}");
        }
    }

    #[test]
    fn what_begins_well_and_goes_on_badly_does_not_verify() {
        for bytes in [b"{\"created\":\"2026\"}\n{}\n".as_slice(), b"{\"checkpoint\":\"x\"}"] {
            let outcome = Reading::Start(None).push(bytes).finish("x".to_owned(), Lang::De);
            assert!(!outcome.verified && !outcome.problems.is_empty(), "{outcome:?}");
        }
    }

    #[test]
    fn no_key_is_no_key_and_nonsense_is_refused() {
        assert_eq!(key_of("  "), Ok(None));
        assert!(key_of("nonsense").is_err());
    }
}
