//! What an organisation adds to the facts that ship, or puts in their place.
//!
//! Its files stand below [`Database::OWN`]: `regions.yaml` and `models.yaml` as those of the database, and any other a file
//! of facts named `own/...`. An own fact may replace one that ships; then that one counts no more, and both the reason and
//! the replaced fact stay to be shown. Otherwise it joins with the others like any fact.

use crate::{
    Database, Fact, FactId, Pattern, Problem, check,
    database::read,
    files::{ModelFile, OwnFile, RegionFile},
};

/// What an organisation's own facts are named.
pub(crate) const OWN: &str = "own/";

impl Database {
    /// Adds one file of the organisation's own.
    pub(crate) fn add_own(&mut self, path: &str, text: &str, problems: &mut Vec<Problem>) {
        match path.strip_prefix(Self::OWN) {
            Some("regions.yaml") => {
                if let Some(file) = read::<RegionFile>(path, text, problems) {
                    self.add_own_regions(path, file, problems);
                }
            }
            Some("models.yaml") => {
                if let Some(file) = read::<ModelFile>(path, text, problems) {
                    self.add_own_models(path, file, problems);
                }
            }
            _ => {
                if let Some(file) = read::<OwnFile>(path, text, problems) {
                    for fact in file.facts {
                        self.add_own_fact(path, fact, problems);
                    }
                }
            }
        }
    }

    fn add_own_fact(&mut self, path: &str, fact: Fact, problems: &mut Vec<Problem>) {
        let mut wrong = |what: String| {
            problems.push(Problem {
                file: path.to_owned(),
                line: None,
                what: format!("{}: {what}", fact.id),
            });
        };
        if fact.id.as_str().strip_prefix(OWN).is_none_or(str::is_empty) {
            wrong(format!("a fact of the organisation's own is named {OWN}..."));
        }
        if let Some(replaces) = &fact.replaces {
            if replaces.because.trim().is_empty() {
                wrong(format!("why does it replace {}? Say so in `because`", replaces.fact));
            }
            match self.facts.get(&replaces.fact) {
                _ if replaces.fact.as_str().starts_with(OWN) => {
                    wrong(format!(
                        "it replaces {}, which is the organisation's own: change that one",
                        replaces.fact
                    ));
                }
                None if self.replaced.contains_key(&replaces.fact) => {
                    wrong(format!("{} is replaced twice", replaces.fact));
                }
                None => wrong(format!("it replaces {}, which does not exist", replaces.fact)),
                Some(shipped) if shipped.attribute != fact.attribute => wrong(format!(
                    "it replaces {}, which is about {} and not about {}",
                    shipped.id, shipped.attribute, fact.attribute
                )),
                Some(_) => self.take_away(&replaces.fact),
            }
        }
        check::shape(path, &fact, problems);
        check::own_evidence(path, &fact, problems);
        self.add_fact(path, fact, problems);
    }

    /// Takes a fact that ships out of what is asked, and keeps it to be shown.
    fn take_away(&mut self, id: &FactId) {
        if let Some(fact) = self.facts.remove(id) {
            if let Some(ids) = self.by_attribute.get_mut(&fact.attribute) {
                ids.retain(|other| other != id);
            }
            self.replaced.insert(id.clone(), fact);
        }
    }

    fn add_own_regions(&mut self, path: &str, file: RegionFile, problems: &mut Vec<Problem>) {
        for operator in file.operators {
            check::evidence(path, &operator.operator, &operator.evidence, problems);
            for (region, country) in operator.regions {
                let key = (operator.operator.clone(), region);
                if let Some(known) = self.regions.get(&key) {
                    problems.push(Problem {
                        file: path.to_owned(),
                        line: None,
                        what: format!(
                            "{} of {} is known already: it stands in {}",
                            key.1,
                            key.0,
                            known.code()
                        ),
                    });
                } else {
                    self.regions.insert(key, country);
                }
            }
            self.region_evidence.entry(operator.operator).or_default().extend(operator.evidence);
        }
    }

    /// An entry of a name stands in place of the one that ships.
    fn add_own_models(&mut self, path: &str, file: ModelFile, problems: &mut Vec<Problem>) {
        check::models(path, &file.models, problems);
        let is_own = |service: &str, name: &Pattern| {
            file.models.iter().any(|own| own.service == service && own.is_named(name.as_str()))
        };
        self.models.retain(|shipped| !is_own(&shipped.service, &shipped.model));
        for own in file.models {
            for shipped in self.models.iter_mut().filter(|shipped| shipped.service == own.service) {
                shipped.also.retain(|name| !own.is_named(name));
            }
            self.models.push(own);
        }
    }
}
