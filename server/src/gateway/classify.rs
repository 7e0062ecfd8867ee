//! What the request holds: findings in its text, what is declared about it, and what nobody knows.

use std::sync::Arc;

use bailiwick_compliance_db::{CountrySet, expand};
use bailiwick_pii::{ClassSet, DataClass, Detector, EntityCounts, Finding, RedactionPlan, Sensitivity};
use bailiwick_policy::ClassKnowledge;
use http::HeaderMap;
use serde::Serialize;

use super::overlaps;
use super::read::Read;
use super::refusal::Refusal;
use crate::organisation::OpaqueContent;

/// A finding within one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanFinding {
    /// Index into `Text::spans`.
    pub span: usize,
    /// Its position counts from the span's first byte.
    pub finding: Finding,
}

/// A value and who said so; for the record and the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The value.
    pub value: String,
    /// `detected`, `header`, `declared` (by key or scope), or `thought`: of the request that a thought is from.
    pub source: &'static str,
}

/// What the client's headers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// `x-bailiwick-data-class`.
    pub classes: ClassSet,
    /// A sensitivity among the data classes.
    pub sensitivity: Option<Sensitivity>,
    /// `x-bailiwick-subject-region`.
    pub regions: Option<CountrySet>,
    /// The regions as written.
    pub region_names: Vec<String>,
    /// `x-bailiwick-subject`: an opaque id.
    pub subject: Option<String>,
    /// `x-bailiwick-purpose`.
    pub purpose: Option<String>,
    /// `x-bailiwick-session`.
    pub session: Option<String>,
    /// `x-bailiwick-user`: attribution, not identity.
    pub user: Option<String>,
    /// `x-bailiwick-dry-run: 1`.
    pub dry_run: bool,
}

/// A request whose data is classified.
#[derive(Debug)]
pub struct Classified {
    pub(super) read: Read,
    pub(super) hints: Hints,
    /// What was found here, in the order of the text; no two at the same place.
    pub(super) findings: Vec<SpanFinding>,
    /// What other detectors found, in the order of the text; at the same places too.
    others: Vec<SpanFinding>,
    pub(super) entities: EntityCounts,
    /// What only rules in shadow mode ask about: it makes no class.
    pub(super) watched: EntityCounts,
    pub(super) classes: ClassKnowledge,
    pub(super) class_sources: Vec<Said>,
    pub(super) sensitivity: Sensitivity,
    pub(super) regions: Option<CountrySet>,
    pub(super) purpose: Option<String>,
    _sealed: (),
}

impl Classified {
    /// The same request with what another detector found in its text. It counts whatever was found at the same place, unless
    /// that is of the same kind; what is replaced is for [`to_replace`](Self::to_replace) to say.
    pub(super) fn with(mut self, found: &[Finding]) -> Self {
        let buffer = &self.read.text.buffer;
        let widened = |finding: &Finding| Finding {
            start: buffer.floor_char_boundary(finding.start),
            end: buffer.ceil_char_boundary(finding.end),
            ..*finding
        };
        let found: Vec<Finding> = found.iter().map(widened).collect();
        self.count(&found);
        let (mut added, _) = distribute(&self.read, &found);
        let named = |name: &str| {
            let is_name = |found: &SpanFinding| {
                let span = self.read.text.spans.get(found.span);
                span.is_some_and(|span| self.read.text.span_text(span) == name)
            };
            added.iter().any(is_name)
        };
        let withheld: Vec<bool> = self.read.tools.iter().map(|tool| named(tool)).collect();
        for (tool, _) in self.read.tools.iter_mut().zip(withheld).filter(|(_, withheld)| *withheld) {
            *tool = String::from(WITHHELD);
        }
        self.others.append(&mut added);
        self.others.sort_by_key(|found| (found.span, found.finding.start, found.finding.end));
        (self.classes, self.class_sources) = classes_of(&self.read, &self.hints, &self.entities);
        self
    }

    /// Counts findings of another detector: those of one kind that overlap are one, and none where that kind was found before.
    fn count(&mut self, found: &[Finding]) {
        let spans = &self.read.text.spans;
        let known = self.findings.iter().chain(&self.others).filter_map(|known| {
            let at = spans.get(known.span)?.range.start;
            let (start, end) = (at + known.finding.start, at + known.finding.end);
            Some(Finding { start, end, ..known.finding })
        });
        overlaps::new_kinds(known, found, |entity| self.entities.add(entity));
    }

    /// What a plan has replaced, in the order of the text, no two at the same place.
    pub(super) fn to_replace(&self, plan: &RedactionPlan) -> Vec<SpanFinding> {
        overlaps::to_replace(&self.findings, &self.others, plan)
    }
}

/// The classes that a request holds, and who says so.
fn classes_of(read: &Read, hints: &Hints, entities: &EntityCounts) -> (ClassKnowledge, Vec<Said>) {
    let declared = &read.auth.key.declared;
    let detected = entities.entities().data_classes();
    let sealed = &read.sealed;
    let yes = declared.classes.union(hints.classes).union(detected).union(sealed.classes);
    let unknown = match declared.opaque_content {
        OpaqueContent::Unknown if read.opaque || sealed.strange => ClassSet::all().difference(yes),
        OpaqueContent::Unknown => sealed.unknown.difference(yes),
        _ => ClassSet::EMPTY,
    };
    let mut class_sources = Vec::new();
    for (classes, source) in [
        (declared.classes, "declared"),
        (hints.classes, "header"),
        (detected, "detected"),
        (sealed.classes, "thought"),
    ] {
        class_sources.extend(classes.iter().map(|class| Said { value: class.to_string(), source }));
    }
    (ClassKnowledge { yes, unknown }, class_sources)
}

/// Scans the text and adds up what is declared.
///
/// # Errors
/// `invalid_request` where a purpose is declared that the key may not declare.
pub fn classify(mut read: Read, hints: Hints) -> Result<Classified, Refusal> {
    let mut found = Vec::new();
    let detector = &Arc::clone(&read.auth.snapshot.detector);
    detector.scan(&read.text.buffer, &mut found);
    let (findings, entities) = distribute(&read, &found);
    withhold(&mut read, detector);
    let (classes, class_sources) = classes_of(&read, &hints, &entities);
    // Counted for the rules that are only watched, and in no class.
    let mut watched = EntityCounts::default();
    if let Some(shadow) = &read.auth.snapshot.shadow_detector {
        found.clear();
        shadow.scan(&read.text.buffer, &mut found);
        found.iter().for_each(|finding| watched.add(finding.entity));
    }
    let declared = &read.auth.key.declared;
    if let Some(purpose) = &hints.purpose
        && !read.auth.key.purposes.contains(purpose)
    {
        return Err(Refusal::invalid("x-bailiwick-purpose", "this key may not declare that purpose")
            .fix("leave the header out, or have the purpose added to the key"));
    }
    let regions = match (declared.subject_regions, hints.regions) {
        (Some(one), Some(other)) => Some(one.union(other)),
        (one, other) => one.or(other),
    };
    // Undeclared is internal. Only a key or scope can declare less; a header can only raise it.
    let sensitivity =
        declared.sensitivity.unwrap_or_default().max(hints.sensitivity.unwrap_or(Sensitivity::Public));
    Ok(Classified {
        findings,
        others: Vec::new(),
        entities,
        watched,
        classes,
        class_sources,
        sensitivity,
        regions,
        purpose: hints.purpose.clone(),
        hints,
        read,
        _sealed: (),
    })
}

/// Stands for a name that holds a finding: names are recorded and told in errors, values of findings are not.
const WITHHELD: &str = "[withheld]";
/// Stands for a model that no endpoint serves, or a kind of tool that is not known: its name could be any text, and records
/// are kept for years.
pub(super) const UNKNOWN: &str = "[unknown]";
/// Characters of such a name that its own client is told.
const MAX_ECHO: usize = 64;

/// Names that a client chose freely: of its tools, and of a model that nobody here knows.
fn withhold(read: &mut Read, detector: &Detector) {
    let mut found = Vec::new();
    let mut holds = |name: &str| {
        found.clear();
        detector.scan(name, &mut found);
        !found.is_empty()
    };
    for tool in read.tools.iter_mut().filter(|tool| holds(tool)) {
        *tool = String::from(WITHHELD);
    }
    if read.auth.key.models.contains(&read.model) {
        return;
    }
    if holds(&read.model) {
        read.model = String::from(WITHHELD);
    } else if !known(read) {
        let asked = std::mem::replace(&mut read.model, String::from(UNKNOWN));
        read.asked_model = Some(asked.chars().take(MAX_ECHO).collect());
    }
}

/// Whether any endpoint serves a model of that name: then it is a name, and else it may be any text.
fn known(read: &Read) -> bool {
    let mut endpoints = read.auth.snapshot.policy.endpoints().iter();
    endpoints.any(|endpoint| endpoint.models.iter().any(|model| model.alias == read.model))
}

/// Gives each finding to its span; one that crosses a border counts, cut, for every span that it touches.
fn distribute(read: &Read, found: &[Finding]) -> (Vec<SpanFinding>, EntityCounts) {
    let mut counts = EntityCounts::default();
    let mut findings = Vec::with_capacity(found.len());
    let spans = &read.text.spans;
    for finding in found {
        counts.add(finding.entity);
        let first = spans.partition_point(|span| span.range.end <= finding.start);
        for (span, place) in spans.iter().enumerate().skip(first) {
            if place.range.start >= finding.end {
                break;
            }
            let start = finding.start.max(place.range.start) - place.range.start;
            let end = finding.end.min(place.range.end) - place.range.start;
            findings.push(SpanFinding { span, finding: Finding { start, end, ..*finding } });
        }
    }
    (findings, counts)
}

const MAX_HINT: usize = 256;

impl Hints {
    /// Reads the `x-bailiwick-*` headers.
    ///
    /// # Errors
    /// `invalid_request` with the header's name: a hint that is not understood must not be taken for none.
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut hints = Self::default();
        for (name, value) in headers {
            let name = name.as_str();
            if !name.starts_with("x-bailiwick-") {
                continue;
            }
            let adds_up = matches!(name, "x-bailiwick-data-class" | "x-bailiwick-subject-region");
            if !adds_up && headers.get_all(name).iter().count() > 1 {
                return Err(Refusal::invalid(
                    name,
                    format!("`{name}` was sent more than once: which one counts?"),
                )
                .fix("send it once"));
            }
            let text = value.to_str().ok().map(str::trim).filter(|text| text.len() <= MAX_HINT).ok_or_else(
                || Refusal::invalid(name, format!("`{name}` must be at most {MAX_HINT} characters of ASCII")),
            )?;
            match name {
                "x-bailiwick-data-class" => hints.data_classes(text)?,
                "x-bailiwick-subject-region" => hints.regions(text)?,
                "x-bailiwick-subject" => hints.subject = non_empty(text),
                "x-bailiwick-purpose" => hints.purpose = non_empty(text),
                "x-bailiwick-session" => hints.session = non_empty(text),
                "x-bailiwick-user" => hints.user = non_empty(text),
                "x-bailiwick-dry-run" => hints.dry_run = flag(name, text)?,
                _ => {
                    return Err(Refusal::invalid(name, format!("`{name}` is not a header of this gateway"))
                        .fix(
                            "check its spelling: a hint that is not understood would not protect anything",
                        ));
                }
            }
        }
        Ok(hints)
    }

    fn data_classes(&mut self, text: &str) -> Result<(), Refusal> {
        for word in words(text) {
            if let Ok(class) = word.parse::<DataClass>() {
                self.classes.insert(class);
            } else if let Ok(level) = word.parse::<Sensitivity>() {
                self.sensitivity = self.sensitivity.max(Some(level));
            } else {
                let known: Vec<&str> = DataClass::ALL
                    .map(DataClass::as_str)
                    .into_iter()
                    .chain(Sensitivity::ALL.map(Sensitivity::as_str))
                    .collect();
                return Err(Refusal::invalid(
                    "x-bailiwick-data-class",
                    format!("a data class is one of {}", known.join(", ")),
                )
                .fix("name one of these, or several with commas between them"));
            }
        }
        Ok(())
    }

    fn regions(&mut self, text: &str) -> Result<(), Refusal> {
        for word in words(text) {
            let countries = expand(word).ok_or_else(|| {
                Refusal::invalid(
                    "x-bailiwick-subject-region",
                    format!(
                        "a subject region is a country code (ISO 3166-1 alpha-2) or one of {}",
                        bailiwick_compliance_db::REGION_NAMES.join(", ")
                    ),
                )
                .fix("name countries or regions so, with commas between them: `DE,AT`")
            })?;
            self.regions = Some(self.regions.unwrap_or(CountrySet::EMPTY).union(countries));
            self.region_names.push(word.to_owned());
        }
        Ok(())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn flag(name: &str, text: &str) -> Result<bool, Refusal> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => {
            Err(Refusal::invalid(name, format!("`{name}` is 1 or 0"))
                .fix("send 1 to ask and send nothing on"))
        }
    }
}
