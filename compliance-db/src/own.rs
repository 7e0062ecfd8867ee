//! What an organisation adds to the facts that ship, or puts in their place.
//!
//! Its files stand below [`Database::OWN`]: `regions.yaml` and `models.yaml` as those of the database, and any other a file
//! of facts named `own/...`. An own fact may replace one that ships; then that one counts no more, and both the reason and
//! the replaced fact stay to be shown. Otherwise it joins with the others like any fact.

use std::collections::BTreeMap;

use crate::{
    Database, Fact, FactId, Pattern, Problem, check,
    database::read,
    files::{ModelFile, OwnFile, RegionFile},
};

/// The lines, from 1, on which a field of this name has this value.
pub(crate) fn lines_of<'a>(
    text: &'a str,
    field: &'a str,
    value: &'a str,
) -> impl Iterator<Item = usize> + 'a {
    let has = move |line: &str| {
        line.match_indices(field).any(|(at, _)| {
            let (before, rest) = line.split_at_checked(at).unwrap_or_default();
            let rest = rest.strip_prefix(field).unwrap_or_default();
            let begins = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
            let rest =
                rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':').unwrap_or_default();
            let rest = rest.trim_start().trim_start_matches(['"', '\'']).strip_prefix(value);
            begins && rest.is_some_and(|rest| rest.chars().next().is_none_or(|c| " \t\r,}\"'".contains(c)))
        })
    };
    let is = move |line: &str| !line.trim_start().starts_with('#') && has(line);
    (1..).zip(text.lines()).filter(move |(_, line)| is(line)).map(|(number, _)| number)
}

/// What an organisation's own facts are named.
pub(crate) const OWN: &str = "own/";

impl Database {
    /// Adds one file of the organisation's own.
    pub(crate) fn add_own(&mut self, path: &str, text: &str, problems: &mut Vec<Problem>) {
        match path.strip_prefix(Self::OWN) {
            Some("regions.yaml") => {
                if let Some(file) = read::<RegionFile>(path, text, problems) {
                    self.add_own_regions(path, text, file, problems);
                }
            }
            Some("models.yaml") => {
                if let Some(file) = read::<ModelFile>(path, text, problems) {
                    self.add_own_models(path, text, file, problems);
                }
            }
            _ => {
                if let Some(file) = read::<OwnFile>(path, text, problems) {
                    let mut seen: BTreeMap<FactId, usize> = BTreeMap::new();
                    for fact in file.facts {
                        let nth = seen.entry(fact.id.clone()).or_default();
                        let line = lines_of(text, "id", fact.id.as_str()).nth(*nth);
                        *nth += 1;
                        let before = problems.len();
                        self.own_places.entry(fact.id.clone()).or_insert_with(|| (path.to_owned(), line));
                        self.add_own_fact(path, fact, problems);
                        problems
                            .iter_mut()
                            .skip(before)
                            .for_each(|problem| problem.line = problem.line.or(line));
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

    fn add_own_regions(&mut self, path: &str, text: &str, file: RegionFile, problems: &mut Vec<Problem>) {
        for operator in file.operators {
            let line = lines_of(text, "operator", &operator.operator).next();
            let before = problems.len();
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
            problems.iter_mut().skip(before).for_each(|problem| problem.line = line);
            self.region_evidence.entry(operator.operator).or_default().extend(operator.evidence);
        }
    }

    /// An entry of a name stands in place of the one that ships.
    fn add_own_models(&mut self, path: &str, text: &str, file: ModelFile, problems: &mut Vec<Problem>) {
        check::models(path, text, &file.models, problems);
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
