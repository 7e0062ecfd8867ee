//! What a file of facts must hold to beyond its shape.

use crate::{
    AttestationKind, Database, Evidence, EvidenceKind, Fact, FactScope, FactValue, ModelInfo, Pattern,
    Problem, Subprocessor, ValueKind, files::Names, own::lines_of,
};

/// The file of facts about the makers of models, whoever serves them.
pub(crate) const DEVELOPERS: &str = "model-developers";

/// A file's path without its ending: for a file of facts, the service that it is about.
pub(crate) fn stem(path: &str) -> &str {
    path.strip_suffix(".yaml").unwrap_or(path)
}

/// One fact that ships.
pub(crate) fn fact(path: &str, fact: &Fact, problems: &mut Vec<Problem>) {
    shape(path, fact, problems);
    let mut wrong = |what: String| {
        problems.push(Problem { file: path.to_owned(), line: None, what: format!("{}: {what}", fact.id) });
    };
    if fact.replaces.is_some() {
        wrong("only an organisation's own fact replaces another".into());
    }
    // A fact is found where its service's file is, and cannot reach another service by oversight.
    let stem = stem(path);
    if !fact.id.as_str().strip_prefix(stem).is_some_and(|rest| rest.starts_with('/')) {
        wrong(format!("in {path} a fact is named {stem}/..."));
    }
    let about_developers = stem == DEVELOPERS;
    if about_developers && !fact.attribute.is_the_developers() {
        wrong(format!("{} is not up to a model's developer: it belongs to a service", fact.attribute));
    }
    if !about_developers && fact.attribute.is_the_developers() {
        wrong(format!("{} is up to the model's developer: it belongs to {DEVELOPERS}.yaml", fact.attribute));
    }
    if !about_developers && fact.scope.service.iter().map(Pattern::as_str).ne([stem]) {
        wrong(format!("its scope must name the operator, and `{stem}` as the service"));
    }
    evidence(path, fact.id.as_str(), &fact.evidence, problems);
}

/// Any fact's value, scope and predicate.
pub(crate) fn shape(path: &str, fact: &Fact, problems: &mut Vec<Problem>) {
    let mut wrong = |what: String| {
        problems.push(Problem { file: path.to_owned(), line: None, what: format!("{}: {what}", fact.id) });
    };
    let kind = fact.attribute.kind();
    let fits = match fact.value {
        FactValue::Fixed(value) => value.kind() == kind,
        FactValue::WithSourceRegion(_) => kind == ValueKind::Locations,
        FactValue::Declared => !matches!(kind, ValueKind::Bool | ValueKind::Mechanisms),
    };
    if !fits {
        wrong(format!("the value is not one of {} ({kind:?})", fact.attribute));
    }
    if fact.attribute.is_the_developers() {
        let only = FactScope { developer: fact.scope.developer.clone(), ..FactScope::default() };
        if fact.scope.developer.is_empty() || fact.scope != only {
            wrong("its scope must name the developer, and nothing else".into());
        }
    } else if fact.scope.operator.is_empty() || fact.scope.service.is_empty() {
        wrong("its scope must name the operator and the service".into());
    }
    if fact.when.attestations.intersects(fact.when.without_attestations)
        || fact.when.with_features.intersects(fact.when.without_features)
    {
        wrong("the predicate asks for something and for its absence".into());
    }
}

/// The evidence of an organisation's own fact: a declaration of its own names a document, and need not be a page.
pub(crate) fn own_evidence(path: &str, fact: &Fact, problems: &mut Vec<Problem>) {
    let pages: Vec<Evidence> = fact
        .evidence
        .iter()
        .map(|evidence| match evidence.kind {
            EvidenceKind::OperatorDeclaration if !evidence.url.trim().is_empty() => {
                Evidence { url: "https://".into(), ..evidence.clone() }
            }
            _ => evidence.clone(),
        })
        .collect();
    self::evidence(path, fact.id.as_str(), &pages, problems);
}

/// Evidence: some, each with a page, words and days in order.
pub(crate) fn evidence(path: &str, of: &str, evidence: &[Evidence], problems: &mut Vec<Problem>) {
    let mut wrong = |what: &str| {
        problems.push(Problem { file: path.to_owned(), line: None, what: format!("{of}: {what}") });
    };
    if evidence.is_empty() {
        wrong("no evidence: name a page that says so and the day on which it did");
    }
    for evidence in evidence {
        if !evidence.url.starts_with("https://") {
            wrong("evidence without an https:// address");
        }
        if evidence.says.trim().is_empty() {
            wrong("evidence without `says`: what does the page say?");
        }
        if evidence.observed_to < evidence.observed_from {
            wrong("evidence that was last seen before it was first seen");
        }
    }
}

/// The subprocessors of a service: evidence, a purpose, and each once.
pub(crate) fn subprocessors(path: &str, all: &[Subprocessor], problems: &mut Vec<Problem>) {
    let mut seen = std::collections::BTreeSet::new();
    for one in all {
        let of = format!("subprocessor {}", one.name);
        evidence(path, &of, &one.evidence, problems);
        let mut wrong = |what: &str| {
            problems.push(Problem { file: path.to_owned(), line: None, what: format!("{of}: {what}") });
        };
        if one.name.trim().is_empty() || one.purpose.trim().is_empty() {
            wrong("no name or no purpose");
        }
        if !seen.insert(one.name.as_str()) {
            wrong("listed twice: one entry, with all its countries and purposes");
        }
    }
}

/// The names of a service's options: each said what it stands for.
pub(crate) fn names(path: &str, names: &Names, problems: &mut Vec<Problem>) {
    for (field, known) in
        [("hosting_option", &names.hosting_option), ("profile", &names.profile), ("tier", &names.tier)]
    {
        for (name, _) in
            known.iter().filter(|(name, means)| name.trim().is_empty() || means.trim().is_empty())
        {
            problems.push(Problem {
                file: path.to_owned(),
                line: None,
                what: format!("names: {field}: `{name}`: what does it stand for?"),
            });
        }
    }
}

/// What facts say of each other.
pub(crate) fn references(database: &Database, problems: &mut Vec<Problem>) {
    for fact in database.facts() {
        let (file, line) = database.own_place(&fact.id).unwrap_or(("facts", None));
        let mut wrong = |what: String| {
            problems.push(Problem { file: file.into(), line, what: format!("{}: {what}", fact.id) });
        };
        for region in &fact.scope.source_region {
            let known = |operator: &Pattern| database.has_region(operator, region);
            if !fact.scope.operator.iter().any(known) {
                wrong(format!("its scope names the region {}, which regions.yaml does not", region.as_str()));
            }
        }
        for other in &fact.conflicts_with {
            match database.fact(other).or_else(|| database.replaced(other)) {
                None => wrong(format!("conflicts_with names {other}, which does not exist")),
                Some(other) if other.attribute != fact.attribute => {
                    wrong(format!("conflicts_with names {}, which is about {}", other.id, other.attribute));
                }
                Some(_) => {}
            }
        }
        for &kind in AttestationKind::ALL {
            if fact.when.without_attestations.contains(kind) && !has_counterpart(database, fact, kind) {
                wrong(format!(
                    "it holds without `{kind}`, and no fact of the same scope says what holds with it"
                ));
            }
        }
    }
}

/// Whether a fact of the same scope and attribute holds under an agreement of this kind and without features.
fn has_counterpart(database: &Database, fact: &Fact, kind: AttestationKind) -> bool {
    database.facts_about(fact.attribute).any(|other| {
        other.scope == fact.scope && other.when.needs(kind) && other.when.with_features.is_empty()
    })
}

/// The models: evidence, and no two entries for one name.
pub(crate) fn models(path: &str, text: &str, models: &[ModelInfo], problems: &mut Vec<Problem>) {
    let mut seen = std::collections::BTreeSet::new();
    for model in models {
        let of = format!("{} {}", model.service, model.model.as_str());
        let before = problems.len();
        evidence(path, &of, &model.evidence, problems);
        for name in std::iter::once(model.model.as_str()).chain(model.also.iter().map(String::as_str)) {
            if !seen.insert((model.service.as_str(), name)) {
                problems.push(Problem {
                    file: path.to_owned(),
                    line: None,
                    what: format!("{of}: `{name}` has two entries"),
                });
            }
        }
        let mut wrong = |what: &str| {
            problems.push(Problem { file: path.to_owned(), line: None, what: format!("{of}: {what}") });
        };
        if model.unknown.iter().any(|what| model.says(*what)) {
            wrong("what it says to be unknown it says as well");
        }
        for variant in &model.variants {
            if variant.scope == FactScope::default() && variant.from.is_none() && variant.until.is_none() {
                wrong("a variant that fits every endpoint at any time: make it the price");
            }
            if let (Some(from), Some(until)) = (variant.from, variant.until)
                && until <= from
            {
                wrong("a variant whose `until` is not after its `from`: it never holds");
            }
        }
        if problems.len() > before {
            // Two services may have models of one name; then no line is said rather than a wrong one.
            let mut lines = lines_of(text, "model", model.model.as_str());
            let line = lines.next().filter(|_| lines.next().is_none());
            problems.iter_mut().skip(before).for_each(|problem| problem.line = line);
        }
    }
}
