//! What a bundle's parts must satisfy beyond their shape, for the bundle to load.

use crate::bundle::{Settings, TestFiles};
use crate::condition::When;
use crate::documents::line_with;
use crate::exception::Exception;
use crate::problem::{Problem, did_you_mean};
use crate::require::regions;
use crate::rule::{Direction, Redact, Rule};
use crate::{pattern, scope};
use bailiwick_compliance_db::Attestation;
use chrono::TimeDelta;
use std::collections::{HashMap, HashSet};

const PLACEHOLDERS: [&str; 2] = ["{model}", "{scope}"];

/// Longer than this no page is believed to say what it said: ten years.
const MAX_EVIDENCE_AGE_DAYS: u32 = 3_650;

pub(crate) fn settings(settings: &Settings, text: &str, problems: &mut Vec<Problem>) {
    let days = settings.max_evidence_age_days;
    if days > MAX_EVIDENCE_AGE_DAYS {
        problems.push(
            Problem::error(
                crate::bundle::MANIFEST,
                format!("`max_evidence_age_days` is {days}: evidence would never grow old"),
                format!("write 365, or at most {MAX_EVIDENCE_AGE_DAYS}"),
            )
            .on(line_with(text, "max_evidence_age_days").unwrap_or_default()),
        );
    }
}

pub(crate) fn rules(rules: &[Rule], problems: &mut Vec<Problem>) {
    let mut taken: HashMap<&str, &Rule> = HashMap::with_capacity(rules.len());
    for rule in rules {
        let mut wrong = |what: String, fix: &str| {
            let what = format!("rule `{}`: {what}", rule.id);
            problems.push(Problem::error(&rule.file, what, fix).on(rule.line));
        };
        // What stands before the id of a pack's rule is looked at with the include.
        let own = rule.origin.as_ref().and_then(|_| rule.id.split_once('/'));
        if let Err(what) = id(own.map_or(rule.id.as_str(), |(_, own)| own)) {
            wrong(what, "use lower-case letters, digits and hyphens");
        }
        if let Some(other) = taken.get(rule.id.as_str()) {
            wrong(
                format!("the id is taken by a rule in {}:{}", other.file, other.line),
                "give every rule an id of its own",
            );
        }
        taken.entry(&rule.id).or_insert(rule);
        if rule.title.trim().is_empty() {
            wrong("it has no title".into(), "say in one line what it demands");
        }
        if rule.because.is_empty() || rule.because.iter().any(|b| b.trim().is_empty()) {
            wrong(
                "it gives no reason".into(),
                "name under `because` the law, contract or house policy that it comes from",
            );
        }
        if let Err(what) = scope::validate(&rule.scope) {
            wrong(what, "a scope reads `/` or `/acme/retail`");
        }
        if !rule.has_body() {
            wrong(
                "it asks nothing".into(),
                "add `require`, `redact`, `deny`, `allow_models`, `deny_tools`, `limit_output_tokens`, `analyze` or `obligations`",
            );
        }
        when(&rule.when, &mut wrong);
        if let Err(errors) = rule.require.requirements() {
            for what in errors {
                wrong(what, "see docs/reference/policy.md, section Requirements");
            }
        }
        if let Some(r) = &rule.redact {
            redact(r, &mut wrong);
        }
        for (key, patterns) in [("allow_models", &rule.allow_models), ("deny_tools", &rule.deny_tools)] {
            check_patterns(key, patterns.as_deref(), &mut wrong);
        }
        if rule.limit_output_tokens == Some(0) {
            wrong("`limit_output_tokens: 0` leaves no answer".into(), "write `deny: true` if that is meant");
        }
        if rule.analyze.as_ref().is_some_and(|name| name.trim().is_empty() || name.contains('*')) {
            wrong(
                "`analyze` names no detector".into(),
                "write the name of one that an endpoint for `analyze` serves",
            );
        }
        if let Some(message) = &rule.message {
            let rest = PLACEHOLDERS.iter().fold(message.clone(), |text, p| text.replace(p, ""));
            if rest.contains(['{', '}']) {
                wrong(
                    "its message holds a placeholder that is not filled in".into(),
                    "the placeholders are {model} and {scope}",
                );
            }
        }
    }
}

pub(crate) fn id(id: &str) -> Result<(), String> {
    let ok = !id.is_empty()
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with('-');
    if ok { Ok(()) } else { Err(format!("`{id}` is no id")) }
}

fn when(when: &When, wrong: &mut impl FnMut(String, &str)) {
    const EMPTY: &str = "remove the condition, or list what it is about";
    let empty = [
        ("data", when.data.is_some_and(|s| s.is_empty())),
        ("features", when.features.is_some_and(|s| s.is_empty())),
        ("entities", when.entities.is_some_and(|s| s.is_empty())),
        ("operation", when.operation.as_ref().is_some_and(Vec::is_empty)),
        ("purpose", when.purpose.as_ref().is_some_and(Vec::is_empty)),
        ("role", when.role.as_ref().is_some_and(Vec::is_empty)),
    ];
    for (key, _) in empty.iter().filter(|(_, empty)| *empty) {
        wrong(format!("`{key}` is an empty list, so the rule never applies"), EMPTY);
    }
    for (key, names) in [("subject_region", &when.subject_region), ("controller", &when.controller)] {
        if let Some(Err(errors)) = names.as_ref().map(|n| regions(n)) {
            for what in errors {
                wrong(format!("{key}: {what}"), "write a region such as EU or EEA, or a code such as DE");
            }
        }
    }
    for (key, patterns) in [("model", &when.model), ("tools", &when.tools)] {
        check_patterns(key, patterns.as_deref(), wrong);
    }
    if let Some(Err(what)) = when.sensitivity.as_ref().map(crate::condition::SensitivityCondition::least) {
        wrong(what, "see docs/reference/policy.md, section Conditions");
    }
}

fn check_patterns(key: &str, patterns: Option<&[String]>, wrong: &mut impl FnMut(String, &str)) {
    let Some(patterns) = patterns else { return };
    if patterns.is_empty() {
        wrong(format!("`{key}` is an empty list"), "remove it, or list names");
    }
    for p in patterns {
        if let Err(what) = pattern::validate(p) {
            wrong(format!("{key}: {what}"), "write a name, or a prefix and `*`");
        }
    }
}

fn redact(redact: &Redact, wrong: &mut impl FnMut(String, &str)) {
    if redact.entities.is_empty() {
        wrong("it redacts an empty list of entities".into(), "list them, such as [EMAIL, IBAN]");
    }
    if redact.min_confidence > 100 {
        wrong("`min_confidence` is above 100".into(), "it is a percentage");
    }
    if redact.stop && redact.direction != Direction::Response {
        wrong(
            "`stop` ends answers".into(),
            "write `direction: response`; what a request holds is redacted, or denied",
        );
    }
    let restores = redact.restore.text || redact.restore.tool_arguments;
    if restores && !redact.how.is_reversible() {
        wrong(
            format!("`how: {}` cannot be restored", redact.how.as_str()),
            "remove `restore`, or use `token` or `surrogate`",
        );
    }
    if let Some(entity) = redact.entities.iter().find(|e| restores && !e.is_restorable()) {
        wrong(format!("{entity} is never restored"), "give it a rule of its own, without `restore`");
    }
}

pub(crate) fn attestation(
    file: &str,
    line: usize,
    attestation: &Attestation,
    before: &[Attestation],
    problems: &mut Vec<Problem>,
) {
    let mut wrong = |what: String, fix: &str| {
        let what = format!("attestation `{}`: {what}", attestation.id);
        problems.push(Problem::error(file, what, fix).on(line));
    };
    if let Err(what) = id(&attestation.id) {
        wrong(what, "use lower-case letters, digits and hyphens");
    }
    if before.iter().any(|other| other.id == attestation.id) {
        wrong("the id is taken".into(), "give every attestation an id of its own");
    }
    if let Some(Err(what)) = attestation.scope.as_deref().map(scope::validate) {
        wrong(what, "a scope reads `/` or `/acme/retail`");
    }
    if attestation.services.is_empty() {
        wrong("it names no service".into(), "list the services that the document covers");
    }
    if attestation.document.trim().is_empty() {
        wrong("it names no document".into(), "say where the signed document is kept");
    }
    if attestation.valid_to.is_some_and(|to| to <= attestation.valid_from) {
        wrong("it ends before it begins".into(), "correct `valid_from` or `valid_to`");
    }
}

pub(crate) fn exceptions(
    exceptions: &[Exception],
    rules: &[Rule],
    settings: &Settings,
    problems: &mut Vec<Problem>,
) {
    let by_id: HashMap<&str, &Rule> = rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    let mut taken: HashSet<&str> = HashSet::new();
    for exception in exceptions {
        let mut wrong = |what: String, fix: &str| {
            let what = format!("exception `{}`: {what}", exception.id);
            problems.push(Problem::error(&exception.file, what, fix).on(exception.line));
        };
        if let Err(what) = id(&exception.id) {
            wrong(what, "use lower-case letters, digits and hyphens");
        }
        if !taken.insert(&exception.id) {
            wrong("the id is taken".into(), "give every exception an id of its own");
        }
        if let Err(what) = scope::validate(&exception.scope) {
            wrong(what, "a scope reads `/` or `/acme/retail`");
        }
        match by_id.get(exception.rule.as_str()) {
            None => {
                let fix = match did_you_mean(&exception.rule, rules.iter().map(|r| r.id.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name a rule of this bundle".to_owned(),
                };
                wrong(format!("there is no rule `{}`", exception.rule), &fix);
            }
            Some(rule) if !scope::overlap(&rule.scope, &exception.scope) => {
                wrong(
                    format!("rule `{}` does not hold in {}", rule.id, exception.scope),
                    "remove the exception",
                );
            }
            Some(_) => {}
        }
        for (key, text) in [("reason", &exception.reason), ("approved_by", &exception.approved_by)] {
            if text.trim().is_empty() {
                wrong(format!("`{key}` is empty"), "an exception is reasoned and approved by someone");
            }
        }
        if exception.until <= exception.from {
            wrong("it ends before it begins".into(), "correct `from` or `until`");
        } else if exception.until - exception.from > TimeDelta::days(i64::from(settings.max_exception_days)) {
            wrong(
                format!("it runs longer than {} days", settings.max_exception_days),
                "shorten it, or raise settings.max_exception_days in bundle.yaml",
            );
        }
        if exception.approved_on > exception.from.date_naive() {
            wrong("it begins before it was approved".into(), "correct `approved_on` or `from`");
        }
    }
}

pub(crate) fn tests(files: &TestFiles, rules: &[Rule], problems: &mut Vec<Problem>) {
    let ids: HashSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let (file, text) = &files.endpoints_file;
    let mut names: HashSet<&str> = HashSet::new();
    for endpoint in &files.endpoints {
        let mut wrong = |what: String, fix: &str| {
            let line = line_with(text, &format!("name: {}", endpoint.name)).unwrap_or_default();
            problems.push(Problem::error(file, format!("endpoint `{}`{what}", endpoint.name), fix).on(line));
        };
        if !names.insert(&endpoint.name) {
            wrong(" is there twice".into(), "keep one");
        }
        if let Err(what) = scope::validate(&endpoint.scope) {
            wrong(format!(": {what}"), "a scope reads `/` or `/acme`");
        }
    }
    for test in &files.tests {
        let mut wrong = |what: String, fix: String| {
            let what = format!("test `{}`: {what}", test.name);
            problems.push(Problem::error(&test.file, what, fix).on(test.line));
        };
        if let Err(what) = scope::validate(&test.facts.scope) {
            wrong(what, "a scope reads `/` or `/acme/retail`".into());
        }
        if let Some(Err(errors)) = test.facts.subject_region.as_ref().map(|n| regions(n)) {
            for what in errors {
                wrong(
                    format!("subject_region: {what}"),
                    "write a region such as EU, or a code such as DE".into(),
                );
            }
        }
        let expect = &test.expect;
        for name in expect.eligible.iter().flatten().chain(expect.excluded.keys()) {
            if !names.contains(name.as_str()) {
                let near = did_you_mean(name, names.iter().copied());
                wrong(
                    format!("there is no endpoint `{name}`"),
                    near.map_or_else(|| format!("add it to {file}"), |n| format!("did you mean `{n}`?")),
                );
            }
        }
        let lists = [&expect.denied_by, &expect.shadow, &expect.waived];
        for id in expect.excluded.values().chain(lists.into_iter().flatten().flatten()) {
            if !ids.contains(id.as_str()) {
                let near = did_you_mean(id, rules.iter().map(|r| r.id.as_str()));
                wrong(
                    format!("there is no rule `{id}`"),
                    near.map_or_else(
                        || "name a rule of this bundle".to_owned(),
                        |n| format!("did you mean `{n}`?"),
                    ),
                );
            }
        }
    }
}
