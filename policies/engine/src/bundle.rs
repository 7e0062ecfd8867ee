//! A bundle: the versioned set of rules with everything that they need, read from its files in one go.

use crate::documents::{line_with, read, shortened};
use crate::endpoint::Endpoint;
use crate::exception::Exception;
use crate::limits;
use crate::pack::{self, Include, IncludedPack};
use crate::policy_test::PolicyTest;
use crate::problem::{Problem, Severity};
use crate::rbac::{self, Rbac};
use crate::rule::{Mode, Rule};
use crate::source::BundleSource;
use crate::validate;
use bailiwick_compliance_db::{Attestation, Database, LoadError};
use bailiwick_pii::{Detector, EntitySet, PhoneRegions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const MANIFEST: &str = "bundle.yaml";

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
    /// What holds for the whole bundle.
    #[serde(default)]
    pub settings: Settings,
    /// The packs that it includes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
}

/// What holds for the whole bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Evidence of the compliance database that is older than this many days counts as none.
    pub max_evidence_age_days: u32,
    /// An exception may not run longer than this many days.
    pub max_exception_days: u32,
    /// Regions, as codes of ISO 3166-1, whose national telephone numbers are looked for in any grouping, besides those of
    /// the usual ones.
    #[serde(skip_serializing_if = "PhoneRegions::is_empty")]
    pub phone_regions: PhoneRegions,
    /// Findings that are less certain than this many percent count as none. Below the usual 50, numbers count whose check digits
    /// hold though no word speaks for them (30), and numbers that only look like one of their kind (8).
    #[schemars(range(min = 1, max = 100))]
    #[serde(skip_serializing_if = "is_usual")]
    pub min_confidence: u8,
}

/// What a detector is certain of, unless it is told otherwise.
const USUAL: u8 = Detector::USUAL_CONFIDENCE;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_usual(percent: &u8) -> bool {
    *percent == USUAL
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_evidence_age_days: 365,
            max_exception_days: 90,
            phone_regions: PhoneRegions::NONE,
            min_confidence: USUAL,
        }
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
    /// The rules: its own, in the order of their files and within them, then those of the packs that it includes.
    pub rules: Vec<Rule>,
    /// What the organisation has in place.
    pub attestations: Vec<Attestation>,
    /// The file and line of each attestation.
    pub(crate) attestation_lines: Vec<(String, usize)>,
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
    /// The line of `bundle.yaml` that says for how long evidence counts; 0 where none does.
    pub(crate) evidence_age_line: usize,
    /// The packs that it includes, in the order of `bundle.yaml`.
    pub packs: Vec<IncludedPack>,
    /// Packs that lie in its folder and that it does not include.
    pub idle_packs: Vec<String>,
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// Everything that is wrong with it, together. A bundle with any error does not load at all.
    pub fn load(source: &BundleSource) -> Result<Self, Vec<Problem>> {
        let mut problems = limits::sizes(source);
        if !problems.is_empty() {
            return Err(problems);
        }
        problems.extend(source.misplaced());
        let manifest = manifest(source, &mut problems);
        let rbac = load_rbac(source, &mut problems);
        let mut rules = rules(source, &mut problems);
        let exceptions = exceptions(source, &mut problems);
        let mut attestations: Vec<Attestation> = Vec::new();
        let mut attestation_lines = Vec::new();
        for (file, text) in source.yaml_in("attestations") {
            let read: Vec<(usize, Attestation)> = read(file, text, &mut problems);
            for (line, attestation) in read {
                // Each is compared with those before it; too many are refused below.
                if attestations.len() <= limits::MAX_OTHERS {
                    validate::attestation(file, line, &attestation, &attestations, &mut problems);
                }
                attestations.push(attestation);
                attestation_lines.push((file.to_owned(), line));
            }
        }
        let tests = read_tests(source, "tests", &mut problems);
        let (of_packs, packs) = pack::load(source, &manifest.include, manifest.settings, &mut problems);
        rules.extend(of_packs);
        for (file, text) in source.yaml_in("compliance") {
            problems.extend(limits::cost(file, text));
        }
        let too_many: Vec<Problem> = [
            limits::count("rules", rules.len(), limits::MAX_RULES),
            limits::count("exceptions", exceptions.len(), limits::MAX_OTHERS),
            limits::count("attestations", attestations.len(), limits::MAX_OTHERS),
            limits::count("tests", tests.tests.len(), limits::MAX_OTHERS),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !too_many.is_empty() {
            return Err(too_many);
        }
        let all_read = problems.is_empty();
        validate::rules(&rules, &mut problems);
        // A rule or an endpoint in a file that does not parse would be reported missing all over.
        if all_read {
            validate::exceptions(&exceptions, &rules, &manifest.settings, &mut problems);
            validate::tests(&tests, &rules, &mut problems);
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
            attestation_lines,
            compliance: source
                .yaml_in("compliance")
                .map(|(file, text)| (file.to_owned(), text.to_owned()))
                .collect(),
            exceptions,
            tests: tests.tests,
            test_endpoints: tests.endpoints,
            rbac,
            settings: manifest.settings,
            evidence_age_line: source
                .files
                .get(MANIFEST)
                .and_then(|text| line_with(text, "max_evidence_age_days"))
                .unwrap_or_default(),
            packs,
            idle_packs: pack::idle(source, &manifest.include),
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
                let problem = Problem::error(one.file, shortened(&one.what), fix);
                one.line.map_or(problem.clone(), |line| problem.at(line, None))
            };
            problems.into_iter().map(problem).collect()
        })
    }

    /// The kinds of findings that its rules of a mode ask about or redact.
    #[must_use]
    pub fn entities(&self, mode: Mode) -> EntitySet {
        let rules = self.rules.iter().filter(|rule| rule.mode == mode);
        rules.fold(EntitySet::EMPTY, |all, rule| all.union(rule.entities()))
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
        include: Vec::new(),
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
    let mut documents: Vec<(usize, Manifest)> = read(MANIFEST, text, problems);
    match (documents.pop(), documents.is_empty()) {
        (Some((line, manifest)), true) => {
            if manifest.name.trim().is_empty() || manifest.version.trim().is_empty() {
                problems.push(Problem::error(MANIFEST, "`name` or `version` is empty", "give both").on(line));
            }
            validate::settings(&manifest.settings, text, problems);
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
        let read: Vec<(usize, Rule)> = read(file, text, problems);
        out.extend(read.into_iter().map(|(line, r)| Rule { file: file.to_owned(), line, ..r }));
    }
    out
}

fn exceptions(source: &BundleSource, problems: &mut Vec<Problem>) -> Vec<Exception> {
    let mut out = Vec::new();
    for (file, text) in source.yaml_in("exceptions") {
        let read: Vec<(usize, Exception)> = read(file, text, problems);
        out.extend(read.into_iter().map(|(line, e)| Exception { file: file.to_owned(), line, ..e }));
    }
    out
}

/// The tests of a bundle, or of a pack, and what they are about.
#[derive(Default)]
pub(crate) struct TestFiles {
    pub(crate) tests: Vec<PolicyTest>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The file that the endpoints stand in, and its text.
    pub(crate) endpoints_file: (String, String),
    /// What a pack's tests take to be in place.
    pub(crate) attestations: Vec<(usize, Attestation)>,
}

pub(crate) fn read_tests(source: &BundleSource, folder: &str, problems: &mut Vec<Problem>) -> TestFiles {
    let mut out = TestFiles::default();
    let endpoints = format!("{folder}/endpoints.yaml");
    let attestations = format!("{folder}/attestations.yaml");
    let of_pack = pack::folder(&endpoints).is_some();
    for (file, text) in source.yaml_in(folder) {
        if file == endpoints {
            let lists: Vec<(usize, Vec<Endpoint>)> = read(file, text, problems);
            out.endpoints.extend(lists.into_iter().flat_map(|(_, list)| list));
            text.clone_into(&mut out.endpoints_file.1);
        } else if of_pack && file == attestations {
            out.attestations = read(file, text, problems);
        } else {
            let read: Vec<(usize, PolicyTest)> = read(file, text, problems);
            out.tests.extend(read.into_iter().map(|(line, t)| PolicyTest {
                file: file.to_owned(),
                line,
                ..t
            }));
        }
    }
    out.endpoints_file.0 = endpoints;
    out
}
