//! Facts as they might become, to plan with.
//!
//! A change is a file of facts as a bundle's `compliance/` folder holds them, or one line: `FACT=VALUE`, that a fact says
//! something else, or `ATTRIBUTE=VALUE@OPERATOR/SERVICE`, that there is one fact more about all endpoints of a service. A
//! fact that only comes to the others can but make an answer worse; one that stands in another's place can do either.

use std::collections::BTreeMap;

use bailiwick_compliance_db::{
    Attribute, Confidence, Database, Evidence, EvidenceKind, Fact, FactId, FactScope, FactValue, LoadError,
    Pattern, Predicate, Replaces,
};
use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde_json::json;

/// What a change of one line says where its facts come from.
const WHAT_IF: &str = "what if";

/// Changed facts, as files beside a bundle's own.
#[derive(Debug, Clone, Default)]
pub struct FactChanges {
    /// Text by path.
    pub(super) files: Vec<(String, String)>,
    /// Each changed fact in words.
    pub(super) told: Vec<String>,
    /// The day on which they were read.
    pub(super) today: NaiveDate,
}

/// What is wrong with a change: its name, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

impl FactChanges {
    /// Reads changes, each with the name that its errors bear. `files` are those of the database that they change, a
    /// bundle's own among them.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn read(
        changes: &[(String, String)],
        files: BTreeMap<String, String>,
        today: NaiveDate,
    ) -> Result<Self, Wrong> {
        if changes.is_empty() {
            return Ok(Self { today, ..Self::default() });
        }
        let database = Database::load(files.clone()).map_err(|error| Wrong(error.to_string()))?;
        let mut named = Vec::new();
        for (number, (name, text)) in changes.iter().enumerate() {
            let wrong = |why: String| Wrong(format!("{name}: {why}"));
            if let Some(problem) = bailiwick_policy::yaml_cost(name, text) {
                return Err(Wrong(problem.to_string()));
            }
            let text = if text.contains('\n') {
                text.clone()
            } else {
                one_line(text.trim(), number, &database, today).map_err(wrong)?
            };
            let path = (number..)
                .map(|number| format!("{}what-if-{number}.yaml", Database::OWN))
                .find(|path| !files.contains_key(path) && named.iter().all(|(_, (other, _))| other != path));
            named.push((name, (path.unwrap_or_default(), text)));
        }
        let all = files.into_iter().chain(named.iter().map(|(_, file)| file.clone()));
        let after = Database::load(all).map_err(|LoadError(problems)| {
            let told = problems.iter().map(|problem| {
                let of = named.iter().find(|(_, (path, _))| *path == problem.file);
                match of {
                    Some((name, _)) => format!("{name}: {}", problem.what),
                    None => problem.to_string(),
                }
            });
            Wrong(told.collect::<Vec<_>>().join("; "))
        })?;
        let changes = database.changes(&after);
        let told = changes.added.iter().filter_map(|id| after.fact(id));
        Ok(Self {
            told: told.map(|fact| in_words(fact, &after)).collect(),
            files: named.into_iter().map(|(_, file)| file).collect(),
            today,
        })
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

fn in_words(fact: &Fact, after: &Database) -> String {
    let written = |value: &FactValue| json!(value).to_string();
    match &fact.replaces {
        Some(Replaces { fact: other, .. }) => {
            let was = after.replaced(other).map(|was| written(&was.value)).unwrap_or_default();
            format!("{other}: {} {} instead of {was}", fact.attribute, written(&fact.value))
        }
        None => {
            let names = |all: &[Pattern]| all.iter().map(Pattern::as_str).collect::<Vec<_>>().join(",");
            let FactScope { operator, service, .. } = &fact.scope;
            let of = format!("{}/{}", names(operator), names(service));
            format!("{of}: {} {} counts, too", fact.attribute, written(&fact.value))
        }
    }
}

/// The file that one line stands for.
fn one_line(line: &str, number: usize, database: &Database, today: NaiveDate) -> Result<String, String> {
    let forms = "write FACT=VALUE, ATTRIBUTE=VALUE@OPERATOR/SERVICE, or name a file of facts";
    let (what, rest) = line.split_once('=').ok_or(forms)?;
    let (what, id) = (what.trim(), FactId::from(format!("own/what-if/{number}").as_str()));
    let evidence = vec![Evidence {
        url: String::from(WHAT_IF),
        says: String::from("nothing: it is a question"),
        observed_from: today,
        observed_to: today,
        kind: EvidenceKind::OperatorDeclaration,
        confidence: Confidence::Sourced,
    }];
    let fact = if what.contains('/') {
        let of = FactId::from(what);
        let before = database.fact(&of).ok_or_else(|| match database.replaced(&of) {
            Some(_) => format!("a fact of the bundle's own stands in place of {what}: change that one"),
            None => format!("there is no fact {what}; `endpoints explain` names those of an endpoint"),
        })?;
        if what.starts_with("own/") {
            return Err(format!("{what} is the bundle's own: change it in a copy of the bundle"));
        }
        Fact {
            id,
            value: value(rest)?,
            evidence,
            replaces: Some(Replaces { fact: of, because: String::from(WHAT_IF) }),
            note: None,
            ..before.clone()
        }
    } else {
        let (value_text, of) = rest.rsplit_once('@').ok_or(forms)?;
        let (operator, service) = of.trim().split_once('/').ok_or(forms)?;
        let attribute: Attribute = yaml(what).map_err(|_| {
            format!("there is no attribute `{what}`; docs/reference/compliance-db.md lists them")
        })?;
        let scope = FactScope {
            operator: vec![Pattern::from(operator)],
            service: vec![Pattern::from(service)],
            ..FactScope::default()
        };
        Fact {
            id,
            scope,
            attribute,
            value: value(value_text)?,
            when: Predicate::default(),
            evidence,
            conflicts_with: Vec::new(),
            replaces: None,
            note: None,
        }
    };
    serde_norway::to_string(&json!({ "about": WHAT_IF, "facts": [fact] })).map_err(|error| error.to_string())
}

fn value(text: &str) -> Result<FactValue, String> {
    yaml(text.trim()).map_err(|error| format!("`{}`: {error}", text.trim()))
}

fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, serde_norway::Error> {
    serde_norway::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[&str]) -> Result<FactChanges, String> {
        let changes: Vec<(String, String)> =
            changes.iter().map(|text| (String::from("--fact"), (*text).to_owned())).collect();
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        FactChanges::read(&changes, Database::embedded_files().collect(), today).map_err(|error| error.0)
    }

    #[test]
    fn a_line_is_a_fact_in_place_of_another_or_one_more() {
        let changes =
            read(&["vllm/hosting=dedicated", "processing_countries={countries: [DE, US]}@self/vllm"])
                .unwrap();
        assert_eq!(changes.files.len(), 2);
        assert_eq!(
            changes.told,
            [
                "vllm/hosting: hosting \"dedicated\" instead of \"declared\"",
                "self/vllm: processing_countries {\"countries\":[\"DE\",\"US\"],\"may_grow\":false,\"source_region\":false} \
                 counts, too",
            ]
        );
        assert!(read(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_too_costly_to_read_is_not_read() {
        let deep = "[".repeat(100_000);
        let page = "{ url: \"https://x.example\", says: s, observed_from: 2026-06-01, observed_to: 2026-06-01, kind: vendor_doc, confidence: sourced }";
        let many = vec!["*e"; 200_000].join(", ");
        let unfolding = format!("about: x\nfacts:\n  - id: own/a\n    evidence: [&e {page}, {many}]\n");
        for (change, said) in [
            (format!("vllm/hosting={deep}"), "nests deeper"),
            (format!("processing_countries={deep}@self/vllm"), "nests deeper"),
            (format!("facts:\n{deep}"), "nests deeper"),
            (unfolding, "unfold to far more"),
        ] {
            let told = read(&[&change]).unwrap_err();
            assert!(
                told.contains("--fact") && told.contains(said),
                "{}",
                told.chars().take(200).collect::<String>()
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (change, said) in [
            ("vllm/hosting", "FACT=VALUE"),
            ("vllm/hostings=shared", "no fact vllm/hostings"),
            ("vllm/hosting=nowhere else", "expected a value"),
            ("vllm/hosting=12", "not one of hosting"),
            ("colour=red@self/vllm", "no attribute `colour`"),
            ("zdr=true", "OPERATOR/SERVICE"),
            ("zdr=true@self", "OPERATOR/SERVICE"),
            ("about: x\nfacts: [{ id: nonsense }]\n", "missing field"),
        ] {
            let why = read(&[change]).unwrap_err();
            assert!(why.starts_with("--fact: ") && why.contains(said), "{change}: {why}");
        }
    }
}
