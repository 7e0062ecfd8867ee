//! The set of facts, loaded from text.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Attribute, Country, Evidence, Fact, FactId, ModelInfo, Pattern, Subprocessor, check, embedded,
    files::{FactFile, Head, ModelFile, Names, OwnFile, RegionFile},
};

/// Every fact, with what they refer to.
#[derive(Debug, Clone)]
pub struct Database {
    version: String,
    digest: String,
    pub(crate) facts: BTreeMap<FactId, Fact>,
    pub(crate) by_attribute: BTreeMap<Attribute, Vec<FactId>>,
    pub(crate) regions: BTreeMap<(String, String), Country>,
    pub(crate) region_evidence: BTreeMap<String, Vec<Evidence>>,
    pub(crate) names: BTreeMap<String, Names>,
    pub(crate) models: Vec<ModelInfo>,
    subprocessors: BTreeMap<String, Vec<Subprocessor>>,
    pub(crate) replaced: BTreeMap<FactId, Fact>,
    /// The file and line of each of the organisation's own facts.
    pub(crate) own_places: BTreeMap<FactId, (String, Option<usize>)>,
    /// Evidence of the organisation's own that was seen by this day counts at any time.
    pub(crate) known_by: Option<NaiveDate>,
}

/// Something wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file's path.
    pub file: String,
    /// The line, from 1, where known.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
}

/// The files do not make a database: everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the compliance database does not load: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct LoadError(pub Vec<Problem>);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl Database {
    /// Where the files of an organisation's own are, in a bundle and among the files of a database.
    pub const OWN: &str = "compliance/";

    /// The database that this crate ships.
    ///
    /// # Errors
    /// Where the files do not load; a test of this crate holds that they do.
    pub fn embedded() -> Result<Self, LoadError> {
        Self::load(Self::embedded_files())
    }

    /// The files that [`Database::embedded`] is loaded from, by path: what its digest names.
    pub fn embedded_files() -> impl Iterator<Item = (String, String)> {
        embedded::FILES.iter().map(|&(path, text)| (path.to_owned(), text.to_owned()))
    }

    /// Loads files given as (path, text): `database.yaml`, `regions.yaml`, `models.yaml`, `model-developers.yaml` (facts
    /// about the makers of models), and a file of facts a service. Files below [`OWN`](Self::OWN) are an organisation's
    /// own: they add to the others, and may replace a fact of theirs, with a reason.
    ///
    /// # Errors
    /// Everything that is wrong with the files, not only the first thing.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, LoadError> {
        let files: BTreeMap<String, String> = files.into_iter().collect();
        let mut problems = Vec::new();
        let mut database = Self {
            version: String::new(),
            digest: digest(&files),
            facts: BTreeMap::new(),
            by_attribute: BTreeMap::new(),
            regions: BTreeMap::new(),
            region_evidence: BTreeMap::new(),
            names: BTreeMap::new(),
            models: Vec::new(),
            subprocessors: BTreeMap::new(),
            replaced: BTreeMap::new(),
            own_places: BTreeMap::new(),
            known_by: None,
        };
        for (path, text) in files.iter().filter(|(path, _)| !path.starts_with(Self::OWN)) {
            match path.as_str() {
                "database.yaml" => {
                    if let Some(head) = read::<Head>(path, text, &mut problems) {
                        database.version = head.version;
                    }
                }
                "regions.yaml" => {
                    if let Some(file) = read::<RegionFile>(path, text, &mut problems) {
                        database.add_regions(path, file, &mut problems);
                    }
                }
                "models.yaml" => {
                    if let Some(file) = read::<ModelFile>(path, text, &mut problems) {
                        check::models(path, text, &file.models, &mut problems);
                        database.models = file.models;
                    }
                }
                _ => {
                    if let Some(file) = read::<FactFile>(path, text, &mut problems) {
                        database.add_facts(path, file, &mut problems);
                    }
                }
            }
        }
        if database.version.is_empty() {
            problems.push(Problem {
                file: "database.yaml".into(),
                line: None,
                what: "no version: add the file with `version: \"<year>.<month>.<day>\"`".into(),
            });
        }
        for (path, text) in files.iter().filter(|(path, _)| path.starts_with(Self::OWN)) {
            database.add_own(path, text, &mut problems);
        }
        check::references(&database, &mut problems);
        if problems.is_empty() { Ok(database) } else { Err(LoadError(problems)) }
    }

    /// The same facts to ask of the past with: what the organisation's own evidence says that was seen by `day` counts then,
    /// too, though it was not seen yet.
    #[must_use]
    pub fn known_by(self, day: NaiveDate) -> Self {
        Self { known_by: Some(day), ..self }
    }

    /// The release of the data, such as `2026.11.22`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `sha256:<hex>` over the paths and contents of the files, in the order of their paths.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The digest that a database of these files has.
    #[must_use]
    pub fn digest_of(files: &BTreeMap<String, String>) -> String {
        digest(files)
    }

    /// Every fact, in the order of their names.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values()
    }

    /// One fact.
    #[must_use]
    pub fn fact(&self, id: &FactId) -> Option<&Fact> {
        self.facts.get(id)
    }

    /// The country in which `region` of `operator` stands.
    #[must_use]
    pub fn region(&self, operator: &str, region: &str) -> Option<Country> {
        self.regions.get(&(operator.to_owned(), region.to_owned())).copied()
    }

    /// Every region, as (operator, region, country).
    pub fn regions(&self) -> impl Iterator<Item = (&str, &str, Country)> {
        self.regions
            .iter()
            .map(|((operator, region), country)| (operator.as_str(), region.as_str(), *country))
    }

    pub(crate) fn region_evidence(&self) -> impl Iterator<Item = (&str, &Vec<Evidence>)> {
        self.region_evidence.iter().map(|(operator, evidence)| (operator.as_str(), evidence))
    }

    pub(crate) fn has_region(&self, operator: &Pattern, region: &Pattern) -> bool {
        self.regions.keys().any(|(of, name)| operator.matches(of) && region.matches(name))
    }

    /// What is known of `model` at `service`: the entry of that name, or of what follows the prefix of an inference
    /// profile in it, or else the service's entry for all models.
    #[must_use]
    pub fn model(&self, service: &str, model: &str) -> Option<&ModelInfo> {
        let of_service = || self.models.iter().filter(|info| info.service == service);
        let (_, without_profile) = self.split_profile(service, model);
        of_service()
            .find(|info| info.is_named(model))
            .or_else(|| of_service().find(|info| info.is_named(without_profile)))
            .or_else(|| of_service().find(|info| info.is_named("*")))
    }

    /// Every model, in the order of the file.
    pub fn models(&self) -> impl Iterator<Item = &ModelInfo> {
        self.models.iter()
    }

    /// The subprocessors that each service publishes, by service. A service that is not among them publishes none
    /// that was read.
    pub fn subprocessors(&self) -> impl Iterator<Item = (&str, &[Subprocessor])> {
        self.subprocessors.iter().map(|(service, all)| (service.as_str(), all.as_slice()))
    }

    /// The JSON Schemas of the files of facts, of `models.yaml` and of `regions.yaml`, by name.
    #[must_use]
    pub fn schemas() -> [(&'static str, serde_json::Value); 3] {
        [
            ("facts", schemars::schema_for!(FactFile).to_value()),
            ("models", schemars::schema_for!(ModelFile).to_value()),
            ("regions", schemars::schema_for!(RegionFile).to_value()),
        ]
    }

    /// A fact that another one has replaced. Nothing asks it any more; it is kept to be shown.
    #[must_use]
    pub fn replaced(&self, id: &FactId) -> Option<&Fact> {
        self.replaced.get(id)
    }

    /// The file of an organisation's own fact, and the line in it where it is known.
    #[must_use]
    pub fn own_place(&self, id: &FactId) -> Option<(&str, Option<usize>)> {
        self.own_places.get(id).map(|(file, line)| (file.as_str(), *line))
    }

    /// The JSON Schema (draft 2020-12) of a file of an organisation's own facts.
    #[must_use]
    pub fn own_schema() -> serde_json::Value {
        schemars::schema_for!(OwnFile).to_value()
    }

    pub(crate) fn facts_about(&self, attribute: Attribute) -> impl Iterator<Item = &Fact> {
        self.by_attribute.get(&attribute).into_iter().flatten().filter_map(|id| self.facts.get(id))
    }

    fn add_regions(&mut self, path: &str, file: RegionFile, problems: &mut Vec<Problem>) {
        for operator in file.operators {
            check::evidence(path, &operator.operator, &operator.evidence, problems);
            for (region, country) in operator.regions {
                self.regions.insert((operator.operator.clone(), region), country);
            }
            self.region_evidence.insert(operator.operator, operator.evidence);
        }
    }

    fn add_facts(&mut self, path: &str, file: FactFile, problems: &mut Vec<Problem>) {
        check::subprocessors(path, &file.subprocessors, problems);
        if let Some(names) = file.names {
            check::names(path, &names, problems);
            self.names.insert(check::stem(path).to_owned(), names);
        }
        if !file.subprocessors.is_empty() {
            self.subprocessors.insert(check::stem(path).to_owned(), file.subprocessors);
        }
        for fact in file.facts {
            check::fact(path, &fact, problems);
            self.add_fact(path, fact, problems);
        }
    }

    pub(crate) fn add_fact(&mut self, path: &str, fact: Fact, problems: &mut Vec<Problem>) {
        let ids = self.by_attribute.entry(fact.attribute).or_default();
        let at = ids.partition_point(|id| *id < fact.id);
        ids.insert(at, fact.id.clone());
        if let Some(other) = self.facts.insert(fact.id.clone(), fact) {
            problems.push(Problem {
                file: path.to_owned(),
                line: None,
                what: format!("two facts are named {}: names must be unique", other.id),
            });
        }
    }
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(
    path: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    serde_norway::from_str(text)
        .map_err(|error| {
            problems.push(Problem {
                file: path.to_owned(),
                line: error.location().map(|location| location.line()),
                what: error.to_string(),
            });
        })
        .ok()
}

/// Each path and text is preceded by its length, so that no two sets of files look alike.
fn digest(files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for part in files.iter().flat_map(|(path, text)| [path, text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}
