//! What is doubtful about a database that loads: claims that reach nobody, cannot be so, have grown old, or disagree
//! with each other unsaid.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{Days, NaiveDate};
use serde::Serialize;

use crate::{
    Attribute, CountrySet, Database, Evidence, Fact, FactScope, FactValue, Mechanism, Pattern, Value, expand,
    files::Names,
};

/// What sort of doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// A scope names what no endpoint can have, so the claim is about nobody.
    DanglingScope,
    /// Places that cannot be so.
    ImpossibleCountries,
    /// Evidence from after the day of the lint.
    FromTheFuture,
    /// All evidence was last seen longer ago than counts.
    OverAge,
    /// Two facts claim different things of the same, and neither names the other in `conflicts_with`.
    UnmarkedContradiction,
    /// Two facts claim the same thing of the same: they are one, with two pieces of evidence.
    Twice,
}

/// One doubtful thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Doubtful {
    /// The sort of doubt.
    pub doubt: Doubt,
    /// The fact, model, region list or subprocessor that it is about.
    pub of: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Doubt {
    /// Its name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DanglingScope => "dangling_scope",
            Self::ImpossibleCountries => "impossible_countries",
            Self::FromTheFuture => "from_the_future",
            Self::OverAge => "over_age",
            Self::UnmarkedContradiction => "unmarked_contradiction",
            Self::Twice => "twice",
        }
    }
}

impl fmt::Display for Doubtful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.doubt.name(), self.of, self.what)
    }
}

impl Database {
    /// Everything doubtful on the day `at`, where evidence counts for `max_age_days`, in the order of its sort.
    ///
    /// What makes a database not load (a region that is not listed, a country that does not exist, a fact without
    /// evidence) is in [`LoadError`](crate::LoadError) and not here.
    #[must_use]
    pub fn lint(&self, at: NaiveDate, max_age_days: u32) -> Vec<Doubtful> {
        let mut doubts = Vec::new();
        for fact in self.facts() {
            let mut say = |doubt, what| doubts.push(Doubtful { doubt, of: fact.id.to_string(), what });
            self.dangling(fact, &mut say);
            self.impossible(fact, &mut say);
            age(fact, at, max_age_days, &mut say);
        }
        self.pairs(&mut doubts);
        self.other_evidence(at, max_age_days, &mut doubts);
        self.dangling_models(&mut doubts);
        doubts.sort();
        doubts.dedup();
        doubts
    }

    /// A scope's words that no endpoint of the service can have.
    fn dangling(&self, fact: &Fact, say: &mut impl FnMut(Doubt, String)) {
        let mut unknown = |field: &str, pattern: &Pattern, of: &str| {
            say(
                Doubt::DanglingScope,
                format!("its scope names the {field} `{}`, which is none of {of}", pattern.as_str()),
            );
        };
        for service in &fact.scope.service {
            if let Some(names) = self.names(service.as_str()) {
                let fields = [
                    ("hosting_option", &fact.scope.hosting_option, &names.hosting_option),
                    ("profile", &fact.scope.profile, &names.profile),
                    ("tier", &fact.scope.tier, &names.tier),
                ];
                for (field, patterns, known) in fields {
                    let stray = patterns.iter().filter(|pattern| {
                        pattern.as_str() != "none" && !known.keys().any(|name| pattern.matches(name))
                    });
                    stray.for_each(|pattern| unknown(field, pattern, service.as_str()));
                }
            }
        }
        if fact.attribute.is_the_developers() {
            return;
        }
        let developers: BTreeSet<&str> = self
            .facts()
            .filter(|other| other.attribute.is_the_developers())
            .flat_map(|other| other.scope.developer.iter().map(Pattern::as_str))
            .collect();
        let stray = fact
            .scope
            .developer
            .iter()
            .filter(|pattern| !developers.iter().any(|name| pattern.matches(name)));
        stray.for_each(|pattern| unknown("developer", pattern, "those in model-developers.yaml"));
    }

    /// Places that contradict what the scope says, or the attribute.
    fn impossible(&self, fact: &Fact, say: &mut impl FnMut(Doubt, String)) {
        let regions: CountrySet = self.countries_of(&fact.scope);
        match fact.value {
            FactValue::Fixed(Value::Locations(places)) => {
                let somewhere =
                    matches!(fact.attribute, Attribute::ProcessingCountries | Attribute::OperatorCountries);
                if somewhere && !places.worldwide && places.countries.is_empty() {
                    say(Doubt::ImpossibleCountries, format!("{} is nowhere", fact.attribute));
                }
                let at_the_region = fact.attribute == Attribute::ProcessingCountries
                    && !places.worldwide
                    && !regions.is_empty();
                if at_the_region && !places.countries.intersects(regions) {
                    say(
                        Doubt::ImpossibleCountries,
                        format!(
                            "{} leaves out the country of every region in its scope ({regions})",
                            fact.attribute
                        ),
                    );
                }
            }
            FactValue::Fixed(Value::Mechanisms(grounds)) if grounds.contains(Mechanism::None) => {
                let outside = regions.difference(expand("EEA").unwrap_or_default());
                if !outside.is_empty() {
                    say(
                        Doubt::ImpossibleCountries,
                        format!("no transfer is claimed for regions outside the EEA ({outside})"),
                    );
                }
            }
            _ => {}
        }
    }

    /// The countries of the regions that a scope names.
    fn countries_of(&self, scope: &FactScope) -> CountrySet {
        self.regions()
            .filter(|(operator, region, _)| {
                scope.operator.iter().any(|pattern| pattern.matches(operator))
                    && scope.source_region.iter().any(|pattern| pattern.matches(region))
            })
            .map(|(.., country)| country)
            .collect()
    }

    /// Facts about the same attribute of the same endpoints under the same conditions.
    fn pairs(&self, doubts: &mut Vec<Doubtful>) {
        let mut alike: BTreeMap<Attribute, Vec<&Fact>> = BTreeMap::new();
        for fact in self.facts() {
            let others = alike.entry(fact.attribute).or_default();
            for other in others.iter().filter(|other| other.scope == fact.scope && other.when == fact.when) {
                let marked =
                    fact.conflicts_with.contains(&other.id) || other.conflicts_with.contains(&fact.id);
                // Of a fact that ships and one of the organisation's own, its own is the one that it can mend.
                let (fact, other) =
                    if other.is_own() && !fact.is_own() { (*other, fact) } else { (fact, *other) };
                let (doubt, what) = match (fact.value == other.value, marked) {
                    (false, false) => (
                        Doubt::UnmarkedContradiction,
                        format!("{} says otherwise of the same: name it in conflicts_with", other.id),
                    ),
                    (true, _) => (
                        Doubt::Twice,
                        format!("{} says the same: make them one fact with the evidence of both", other.id),
                    ),
                    (false, true) => continue,
                };
                doubts.push(Doubtful { doubt, of: fact.id.to_string(), what });
            }
            others.push(fact);
        }
    }

    /// The age of what is no fact: regions, models, subprocessors.
    fn other_evidence(&self, at: NaiveDate, max_age_days: u32, doubts: &mut Vec<Doubtful>) {
        let models = self
            .models()
            .map(|model| (format!("{} {}", model.service, model.model.as_str()), &model.evidence));
        let subprocessors = self.subprocessors().flat_map(|(service, all)| {
            all.iter().map(move |one| (format!("{service} subprocessor {}", one.name), &one.evidence))
        });
        let regions =
            self.region_evidence().map(|(operator, evidence)| (format!("regions of {operator}"), evidence));
        for (of, evidence) in models.chain(subprocessors).chain(regions) {
            let mut say = |doubt, what| doubts.push(Doubtful { doubt, of: of.clone(), what });
            future(evidence, at, &mut say);
            if let Some(last) = evidence.iter().map(|evidence| evidence.observed_to).max() {
                old(last, evidence, at, max_age_days, &mut say);
            }
        }
    }

    /// Models of services that nothing is known of, and prices for regions that do not exist.
    fn dangling_models(&self, doubts: &mut Vec<Doubtful>) {
        let services: BTreeSet<&str> =
            self.facts().flat_map(|fact| fact.scope.service.iter().map(Pattern::as_str)).collect();
        for model in self.models() {
            let of = format!("{} {}", model.service, model.model.as_str());
            if !services.contains(model.service.as_str()) {
                let what = format!("no file of facts is about {}", model.service);
                doubts.push(Doubtful { doubt: Doubt::DanglingScope, of: of.clone(), what });
            }
            for region in model.variants.iter().flat_map(|variant| &variant.scope.source_region) {
                if !self.regions().any(|(_, name, _)| region.matches(name)) {
                    let what = format!(
                        "a price is for the region {}, which regions.yaml does not name",
                        region.as_str()
                    );
                    doubts.push(Doubtful { doubt: Doubt::DanglingScope, of: of.clone(), what });
                }
            }
        }
    }

    /// The names that endpoints of a service have for its options, where its file lists them.
    pub(crate) fn names(&self, service: &str) -> Option<&Names> {
        self.names.get(service)
    }
}

/// When what stands behind a fact was read. What nobody read does not age: it counts for nothing anyway.
fn age(fact: &Fact, at: NaiveDate, max_age_days: u32, say: &mut impl FnMut(Doubt, String)) {
    future(&fact.evidence, at, say);
    let declared = fact.evidence.iter().any(|evidence| !evidence.kind.ages());
    if let Some(last) = fact.observed_to().filter(|_| !declared) {
        old(last, &fact.evidence, at, max_age_days, say);
    }
}

fn old(
    last: NaiveDate,
    evidence: &[Evidence],
    at: NaiveDate,
    max_age_days: u32,
    say: &mut impl FnMut(Doubt, String),
) {
    let until = last.checked_add_days(Days::new(max_age_days.into()));
    if until.is_some_and(|until| until < at) {
        let pages: Vec<&str> = evidence.iter().map(|evidence| evidence.url.as_str()).collect();
        say(
            Doubt::OverAge,
            format!(
                "last seen on {last}, more than {max_age_days} days ago: look again at {}",
                pages.join(", ")
            ),
        );
    }
}

fn future(evidence: &[Evidence], at: NaiveDate, say: &mut impl FnMut(Doubt, String)) {
    for evidence in evidence.iter().filter(|evidence| evidence.observed_to > at) {
        say(
            Doubt::FromTheFuture,
            format!("{} is said to have been seen on {}", evidence.url, evidence.observed_to),
        );
    }
}
