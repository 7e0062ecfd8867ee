//! What a newer database says otherwise, and whose answers that changes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Attribute, Context, CountrySet, Database, EndpointProfile, FactId, Resolved, Subprocessor};

/// What differs between two databases.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// The older one's version.
    pub from: String,
    /// The newer one's version.
    pub to: String,
    /// Facts that the older one does not have.
    pub added: Vec<FactId>,
    /// Facts that the newer one does not have.
    pub removed: Vec<FactId>,
    /// Facts that say something else, of others, under other conditions or on other evidence.
    pub changed: Vec<FactId>,
    /// Models, as service and name, that are new, gone, or have another price or ability.
    pub models: Vec<String>,
    /// Who is new, gone or elsewhere among the subprocessors of services that both list.
    pub subprocessors: Vec<SubprocessorChange>,
}

/// A change among a service's subprocessors, to which its customers may object (GDPR Art. 28(2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubprocessorChange {
    /// The service.
    pub service: String,
    /// The subprocessor.
    pub name: String,
    /// What changed.
    pub change: Listing,
}

/// What changed about one subprocessor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Listing {
    /// It is new.
    Added {
        /// Where it is or processes; empty where the list does not say.
        countries: CountrySet,
    },
    /// It is gone.
    Removed,
    /// It is or processes elsewhere.
    Moved {
        /// Where it was.
        from: CountrySet,
        /// Where it is.
        to: CountrySet,
    },
}

/// An answer about an endpoint that a newer database changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerChange {
    /// The endpoint.
    pub endpoint: String,
    /// The model, as the provider calls it.
    pub model: String,
    /// Which attribute.
    pub attribute: Attribute,
    /// What the older one says.
    pub before: String,
    /// What the newer one says.
    pub after: String,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { from: self.from.clone(), to: self.to.clone(), ..Self::default() }
    }
}

impl fmt::Display for SubprocessorChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the subprocessor {} ", self.service, self.name)?;
        match &self.change {
            Listing::Added { countries } if countries.is_empty() => f.write_str("is new"),
            Listing::Added { countries } => write!(f, "is new ({countries})"),
            Listing::Removed => f.write_str("is gone"),
            Listing::Moved { from, to } => write!(f, "is now in {to} and was in {from}"),
        }
    }
}

impl fmt::Display for AnswerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {} was {} and becomes {}",
            self.endpoint, self.model, self.attribute, self.before, self.after
        )
    }
}

impl Database {
    /// What `newer` has otherwise.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Changes {
        let mut changes =
            Changes { from: self.version().into(), to: newer.version().into(), ..Changes::default() };
        for fact in newer.facts() {
            match self.fact(&fact.id) {
                None => changes.added.push(fact.id.clone()),
                Some(before) if before != fact => changes.changed.push(fact.id.clone()),
                Some(_) => {}
            }
        }
        let gone = self.facts().filter(|fact| newer.fact(&fact.id).is_none());
        changes.removed = gone.map(|fact| fact.id.clone()).collect();
        changes.models = changed_models(self, newer);
        changes.subprocessors = changed_subprocessors(self, newer);
        changes
    }

    /// Whose answers `newer` changes, of plain requests as `ctx` describes them.
    #[must_use]
    pub fn impact(
        &self,
        newer: &Self,
        endpoints: &[EndpointProfile],
        ctx: &Context<'_>,
    ) -> Vec<AnswerChange> {
        let said = |resolved: &Resolved| {
            resolved.value.map_or_else(|| String::from("unknown"), |value| value.to_string())
        };
        let mut changes = Vec::new();
        for endpoint in endpoints {
            for attribute in Attribute::ALL {
                let (before, after) =
                    (self.resolve(endpoint, attribute, ctx), newer.resolve(endpoint, attribute, ctx));
                if before.value != after.value {
                    changes.push(AnswerChange {
                        endpoint: endpoint.name.clone(),
                        model: endpoint.model.clone(),
                        attribute,
                        before: said(&before),
                        after: said(&after),
                    });
                }
            }
        }
        changes
    }
}

fn changed_models(older: &Database, newer: &Database) -> Vec<String> {
    let named = |database: &Database| -> BTreeMap<String, crate::ModelInfo> {
        let key = |model: &crate::ModelInfo| format!("{} {}", model.service, model.model.as_str());
        database.models().map(|model| (key(model), model.clone())).collect()
    };
    let (before, after) = (named(older), named(newer));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    names
}

fn changed_subprocessors(older: &Database, newer: &Database) -> Vec<SubprocessorChange> {
    let before: BTreeMap<&str, &[Subprocessor]> = older.subprocessors().collect();
    let mut changes = Vec::new();
    // A list that is read for the first time, or no more, tells of no change.
    for (service, listed) in newer.subprocessors() {
        let Some(were) = before.get(service) else { continue };
        let mut push = |name: &str, change| {
            changes.push(SubprocessorChange { service: service.into(), name: name.into(), change });
        };
        for one in listed {
            match were.iter().find(|other| other.name == one.name) {
                None => push(&one.name, Listing::Added { countries: one.countries }),
                Some(was) if was.countries != one.countries => {
                    push(&one.name, Listing::Moved { from: was.countries, to: one.countries });
                }
                Some(_) => {}
            }
        }
        for gone in were.iter().filter(|was| listed.iter().all(|one| one.name != was.name)) {
            push(&gone.name, Listing::Removed);
        }
    }
    changes
}
