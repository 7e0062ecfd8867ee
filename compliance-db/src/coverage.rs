//! How much of what rules can ask is known, service by service, and how old it is.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde::Serialize;

use crate::{Attribute, Database, Fact, FactValue, Pattern};

/// How much is known of one attribute of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// No fact speaks for any of its endpoints.
    Unknown,
    /// Only with an agreement, or with what the organisation declares.
    OnlyIf,
    /// For some of its endpoints at least, whoever asks.
    Known,
}

impl Known {
    /// Its name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OnlyIf => "only_if",
            Self::Known => "known",
        }
    }
}

/// One attribute of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttributeCoverage {
    /// How much is known.
    pub known: Known,
    /// How many facts are about it.
    pub facts: usize,
    /// The oldest day on which one of them was last seen.
    pub oldest: Option<NaiveDate>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceCoverage {
    /// Its name; `model-developers` for the facts that belong to no service.
    pub service: String,
    /// How many facts are about it.
    pub facts: usize,
    /// How many of them rest on the operator's own documentation or contract.
    pub by_the_vendor: usize,
    /// How many rest on pages that nobody read, and count for nothing until somebody has.
    pub unread: usize,
    /// How many contradict another.
    pub in_conflict: usize,
    /// How many of its subprocessors are listed.
    pub subprocessors: usize,
    /// The oldest day on which one of its facts was last seen.
    pub oldest: Option<NaiveDate>,
    /// Each attribute, also those of which nothing is known.
    pub attributes: BTreeMap<Attribute, AttributeCoverage>,
}

/// The whole database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// The day of the report.
    pub at: NaiveDate,
    /// For how many days evidence counts.
    pub max_age_days: u32,
    /// How many facts there are.
    pub facts: usize,
    /// How many models there are prices for.
    pub models: usize,
    /// Every service, by name.
    pub services: Vec<ServiceCoverage>,
}

impl Database {
    /// What is known on the day `at`, where evidence counts for `max_age_days`.
    #[must_use]
    pub fn coverage(&self, at: NaiveDate, max_age_days: u32) -> Coverage {
        let mut by_service: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
        for fact in self.facts() {
            let service = fact.scope.service.first().map_or(crate::check::DEVELOPERS, Pattern::as_str);
            by_service.entry(service).or_default().push(fact);
        }
        let listed: BTreeMap<&str, usize> =
            self.subprocessors().map(|(service, all)| (service, all.len())).collect();
        let services = by_service
            .into_iter()
            .map(|(service, facts)| ServiceCoverage {
                service: service.to_owned(),
                facts: facts.len(),
                by_the_vendor: facts.iter().filter(|fact| fact.is_by_the_vendor()).count(),
                unread: facts.iter().filter(|fact| !fact.was_read()).count(),
                in_conflict: facts.iter().filter(|fact| !fact.conflicts_with.is_empty()).count(),
                subprocessors: listed.get(service).copied().unwrap_or_default(),
                oldest: facts.iter().filter_map(|fact| fact.observed_to()).min(),
                attributes: Attribute::ALL
                    .iter()
                    .filter(|attribute| {
                        attribute.is_the_developers() == (service == crate::check::DEVELOPERS)
                    })
                    .map(|&attribute| (attribute, of(attribute, &facts, at, max_age_days)))
                    .collect(),
            })
            .collect();
        Coverage {
            version: self.version().to_owned(),
            digest: self.digest().to_owned(),
            at,
            max_age_days,
            facts: self.facts().count(),
            models: self.models().count(),
            services,
        }
    }
}

fn of(attribute: Attribute, facts: &[&Fact], at: NaiveDate, max_age_days: u32) -> AttributeCoverage {
    let about = || facts.iter().filter(|fact| fact.attribute == attribute);
    AttributeCoverage {
        known: about().map(|fact| known(fact, at, max_age_days)).max().unwrap_or(Known::Unknown),
        facts: about().count(),
        oldest: about().filter_map(|fact| fact.observed_to()).min(),
    }
}

/// What one fact alone makes known of a plain request.
fn known(fact: &Fact, at: NaiveDate, max_age_days: u32) -> Known {
    let declared = fact.evidence.iter().any(|evidence| !evidence.kind.ages());
    let fresh = fact
        .observed_to()
        .and_then(|last| last.checked_add_days(Days::new(max_age_days.into())))
        .is_some_and(|until| at <= until);
    if !fact.when.with_features.is_empty() || !(declared || fresh) {
        Known::Unknown
    } else if !fact.when.attestations.is_empty() || fact.value == FactValue::Declared {
        Known::OnlyIf
    } else {
        Known::Known
    }
}
