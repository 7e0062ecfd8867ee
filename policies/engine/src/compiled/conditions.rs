//! Conditions in a form that compares masks instead of text.

use crate::condition::{When, role_name};
use crate::facts::{Operation, RequestFacts};
use crate::pattern;
use crate::require::regions;
use bailiwick_compliance_db::{CountrySet, FeatureSet};
use bailiwick_pii::{ClassSet, EntitySet, Sensitivity};
use smallvec::SmallVec;
use std::collections::HashMap;

/// Numbers for the roles and purposes that rules name. What no rule names matches no rule.
#[derive(Debug, Default)]
pub(super) struct Interner {
    roles: HashMap<String, u16>,
    purposes: HashMap<String, u16>,
}

/// A list of interned names, sorted.
type Names = SmallVec<[u16; 4]>;

#[derive(Debug)]
pub(super) struct Condition {
    operations: u8,
    least: Sensitivity,
    data: Option<ClassSet>,
    features: Option<FeatureSet>,
    entities: Option<EntitySet>,
    subject_region: Option<CountrySet>,
    controller: Option<CountrySet>,
    roles: Option<Names>,
    purposes: Option<Names>,
    tools: Option<Vec<String>>,
    models: Option<Vec<String>>,
}

/// What conditions compare with, worked out once a request.
pub(super) struct Subject<'a> {
    facts: &'a RequestFacts,
    operation: u8,
    classes: ClassSet,
    entities: EntitySet,
    /// `None` is unknown; declaring an empty set declares nothing.
    regions: Option<CountrySet>,
    roles: Names,
    /// `None` is unknown.
    purpose: Option<Option<u16>>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(facts: &'a RequestFacts, names: &Interner) -> Self {
        Self {
            facts,
            operation: facts.operation.bit(),
            // A class that the request may hold counts as one that it holds.
            classes: facts.classes.yes.union(facts.classes.unknown),
            entities: facts.entities.entities(),
            regions: facts.subject_regions.filter(|set| !set.is_empty()),
            roles: facts
                .principal
                .roles
                .iter()
                .filter_map(|r| names.roles.get(role_name(r)).copied())
                .collect(),
            purpose: facts.purpose.as_ref().map(|p| names.purposes.get(p).copied()),
        }
    }
}

impl Condition {
    pub(super) fn compile(when: &When, names: &mut Interner) -> Result<Self, String> {
        let countries = |list: &Option<Vec<String>>| {
            list.as_ref().map(|list| regions(list)).transpose().map_err(|e| e.join("; "))
        };
        Ok(Self {
            operations: match &when.operation {
                Some(list) => list.iter().fold(0, |mask, o| mask | o.bit()),
                None => Operation::ALL.iter().fold(0, |mask, o| mask | o.bit()),
            },
            least: when.sensitivity.as_ref().map(|s| s.least()).transpose()?.unwrap_or(Sensitivity::Public),
            data: when.data,
            features: when.features,
            entities: when.entities,
            subject_region: countries(&when.subject_region)?,
            controller: countries(&when.controller)?,
            roles: when.role.as_ref().map(|list| intern(&mut names.roles, list.iter().map(|r| role_name(r)))),
            purposes: when
                .purpose
                .as_ref()
                .map(|list| intern(&mut names.purposes, list.iter().map(String::as_str))),
            tools: when.tools.clone(),
            models: when.model.clone(),
        })
    }

    /// Whether the condition on the model holds. The model is always known.
    pub(super) fn model_holds(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|list| list.iter().any(|p| pattern::matches(p, model)))
    }

    /// Whether no condition other than that on the model is known to be false.
    #[inline]
    pub(super) fn rest_holds(&self, subject: &Subject<'_>) -> bool {
        self.operations & subject.operation != 0
            && subject.facts.sensitivity >= self.least
            && self.data.is_none_or(|set| set.intersects(subject.classes))
            && self.features.is_none_or(|set| set.intersects(subject.facts.features))
            && self.entities.is_none_or(|set| set.intersects(subject.entities))
            && self.subject_region.is_none_or(|set| subject.regions.is_none_or(|of| of.intersects(set)))
            && self.controller.is_none_or(|set| subject.facts.controller.is_none_or(|of| set.contains(of)))
            && self.roles.as_ref().is_none_or(|list| list.iter().any(|r| subject.roles.contains(r)))
            && self.purposes.as_ref().is_none_or(|list| match subject.purpose {
                None => true,
                Some(purpose) => purpose.is_some_and(|p| list.contains(&p)),
            })
            && self.tools.as_ref().is_none_or(|list| any_tool(list, &subject.facts.tools).is_some())
    }
}

/// The first tool that one of the patterns matches.
pub(super) fn any_tool<'t>(patterns: &[String], tools: &'t [String]) -> Option<&'t str> {
    tools.iter().find(|tool| patterns.iter().any(|p| pattern::matches(p, tool))).map(String::as_str)
}

fn intern<'a>(table: &mut HashMap<String, u16>, names: impl Iterator<Item = &'a str>) -> Names {
    names
        .map(|name| {
            let next = u16::try_from(table.len()).unwrap_or(u16::MAX);
            *table.entry(name.to_owned()).or_insert(next)
        })
        .collect()
}
