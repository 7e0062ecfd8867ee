//! A bundle: the versioned set of rules with everything that they need, read from its files in one go.

use crate::documents::read;
use crate::endpoint::Endpoint;
use crate::exception::Exception;
use crate::policy_test::PolicyTest;
use crate::problem::{Problem, Severity};
use crate::rbac::{self, Rbac};
use crate::rule::Rule;
use crate::source::BundleSource;
use crate::validate;
use bailiwick_compliance_db::{Attestation, Database, LoadError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const MANIFEST: &str = "bundle.yaml";
pub(crate) const TEST_ENDPOINTS: &str = "tests/endpoints.yaml";

/// What `bundle.yaml` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The bundle's name.
    pub name: String,
    /// Its version, as its authors count.
    pub version: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// Limits that hold for the whole bundle.
    #[serde(default)]
    pub settings: Settings,
}

/// Limits that hold for the whole bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Evidence of the compliance database that is older than this many days counts as none.
    pub max_evidence_age_days: u32,
    /// An exception may not run longer than this many days.
    pub max_exception_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_evidence_age_days: 365, max_exception_days: 90 }
    }
}

/// A loaded bundle.
#[derive(Debug)]
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// Its version, as its authors count.
    pub version: String,
    /// One line for people.
    pub description: String,
    /// `sha256:<hex>` over its files: see [`BundleSource::digest`].
    pub digest: String,
    /// The rules, in the order of their files and within them.
    pub rules: Vec<Rule>,
    /// What the organisation has in place.
    pub attestations: Vec<Attestation>,
    /// What the organisation adds to the compliance database, or puts in the place of facts of it: (path, text).
    pub compliance: Vec<(String, String)>,
    /// Waivers of rules.
    pub exceptions: Vec<Exception>,
    /// What the bundle promises to decide.
    pub tests: Vec<PolicyTest>,
    /// The endpoints that the tests decide over.
    pub test_endpoints: Vec<Endpoint>,
    /// Who may do what.
    pub rbac: Rbac,
    /// Limits.
    pub settings: Settings,
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// Everything that is wrong with it, together. A bundle with any error does not load at all.
    pub fn load(source: &BundleSource) -> Result<Self, Vec<Problem>> {
        let mut problems = source.misplaced();
        let manifest = manifest(source, &mut problems);
        let rbac = load_rbac(source, &mut problems);
        let rules = rules(source, &mut problems);
        let exceptions = exceptions(source, &mut problems);
        let mut attestations: Vec<Attestation> = Vec::new();
        for (file, text) in source.yaml_in("attestations") {
            let read: Vec<Attestation> = read(file, text, &mut problems);
            for attestation in read {
                validate::attestation(file, &attestation, &attestations, &mut problems);
                attestations.push(attestation);
            }
        }
        let mut tests = Vec::new();
        let mut test_endpoints: Vec<Endpoint> = Vec::new();
        for (file, text) in source.yaml_in("tests") {
            if file == TEST_ENDPOINTS {
                let lists: Vec<Vec<Endpoint>> = read(file, text, &mut problems);
                test_endpoints.extend(lists.into_iter().flatten());
            } else {
                let read: Vec<PolicyTest> = read(file, text, &mut problems);
                tests.extend(read.into_iter().map(|t| PolicyTest { file: file.to_owned(), ..t }));
            }
        }
        let all_read = problems.is_empty();
        validate::rules(&rules, &mut problems);
        // A rule or an endpoint in a file that does not parse would be reported missing all over.
        if all_read {
            validate::exceptions(&exceptions, &rules, &manifest.settings, &mut problems);
            validate::tests(&tests, &test_endpoints, &rules, &mut problems);
        }
        if problems.iter().any(|p| p.severity == Severity::Error) {
            return Err(problems);
        }
        Ok(Self {
            name: manifest.name,
            version: manifest.version,
            description: manifest.description,
            digest: source.digest(),
            rules,
            attestations,
            compliance: source
                .yaml_in("compliance")
                .map(|(file, text)| (file.to_owned(), text.to_owned()))
                .collect(),
            exceptions,
            tests,
            test_endpoints,
            rbac,
            settings: manifest.settings,
        })
    }

    /// The files of the compliance database as this bundle has it: those that ship, and its own.
    #[must_use]
    pub fn catalog(&self, shipped: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
        shipped.into_iter().chain(self.compliance.iter().cloned()).collect()
    }

    /// The compliance database as this bundle has it.
    ///
    /// # Errors
    /// Everything that is wrong with the files in `compliance/`, or with those that ship.
    pub fn database(
        &self,
        shipped: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Database, Vec<Problem>> {
        Database::load(self.catalog(shipped)).map_err(|LoadError(problems)| {
            let problem = |one: bailiwick_compliance_db::Problem| {
                let fix = "docs/reference/compliance-db.md tells what a file of facts holds";
                let problem = Problem::error(one.file, one.what, fix);
                one.line.map_or(problem.clone(), |line| problem.at(line, None))
            };
            problems.into_iter().map(problem).collect()
        })
    }

    /// The rule with an id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|r| r.id == id)
    }
}

fn manifest(source: &BundleSource, problems: &mut Vec<Problem>) -> Manifest {
    let unnamed = Manifest {
        name: String::new(),
        version: String::new(),
        description: String::new(),
        settings: Settings::default(),
    };
    let Some(text) = source.files.get(MANIFEST) else {
        problems.push(Problem::error(
            MANIFEST,
            "the file is missing",
            "write `name: ...` and `version: ...` into it",
        ));
        return unnamed;
    };
    let before = problems.len();
    let mut documents: Vec<Manifest> = read(MANIFEST, text, problems);
    match (documents.pop(), documents.is_empty()) {
        (Some(manifest), true) => {
            if manifest.name.trim().is_empty() || manifest.version.trim().is_empty() {
                problems.push(Problem::error(MANIFEST, "`name` or `version` is empty", "give both"));
            }
            manifest
        }
        _ => {
            if problems.len() == before {
                problems.push(Problem::error(
                    MANIFEST,
                    "the file does not hold exactly one document",
                    "write `name: ...` and `version: ...` into it",
                ));
            }
            unnamed
        }
    }
}

fn load_rbac(source: &BundleSource, problems: &mut Vec<Problem>) -> Rbac {
    let mut file = |path: &str| {
        let text = source.files.get(path).map(String::as_str);
        if text.is_none() {
            problems.push(Problem::error(path, "the file is missing", "take the starter bundle's"));
        }
        text
    };
    let (Some(model), Some(policy)) = (file(rbac::MODEL), file(rbac::POLICY)) else {
        return Rbac::deny_all();
    };
    Rbac::load(model, policy).unwrap_or_else(|found| {
        problems.extend(found);
        Rbac::deny_all()
    })
}

fn rules(source: &BundleSource, problems: &mut Vec<Problem>) -> Vec<Rule> {
    let mut out = Vec::new();
    for (file, text) in source.yaml_in("rules") {
        let read: Vec<Rule> = read(file, text, problems);
        out.extend(read.into_iter().map(|r| Rule { file: file.to_owned(), ..r }));
    }
    out
}

fn exceptions(source: &BundleSource, problems: &mut Vec<Problem>) -> Vec<Exception> {
    let mut out = Vec::new();
    for (file, text) in source.yaml_in("exceptions") {
        let read: Vec<Exception> = read(file, text, problems);
        out.extend(read.into_iter().map(|e| Exception { file: file.to_owned(), ..e }));
    }
    out
}
