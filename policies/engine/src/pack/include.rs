//! Reading the packs that a bundle includes.

use super::parameter::fill;
use super::{Include, IncludedPack, PackCopy, PackManifest, shipped_pack, shipped_packs};
use crate::bundle::{Bundle, MANIFEST, Settings, read_tests};
use crate::documents::{before_comment, line_with, read};
use crate::problem::{Problem, did_you_mean};
use crate::rbac::Rbac;
use crate::rule::{Origin, Rule};
use crate::source::BundleSource;
use crate::{scope, validate};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The pack that a path in a bundle belongs to, and the path within the pack.
pub(crate) fn folder(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("packs/")?.split_once('/')
}

/// The folders under `packs/` that nothing includes.
pub(crate) fn idle(source: &BundleSource, includes: &[Include]) -> Vec<String> {
    let there: BTreeSet<&str> =
        source.visible().filter_map(|(path, _)| folder(path)).map(|(name, _)| name).collect();
    there
        .into_iter()
        .filter(|name| !includes.iter().any(|include| include.pack == *name))
        .map(str::to_owned)
        .collect()
}

/// Reads what a bundle includes: the rules as they hold in it, and the packs.
pub(crate) fn load(
    source: &BundleSource,
    includes: &[Include],
    settings: Settings,
    problems: &mut Vec<Problem>,
) -> (Vec<Rule>, Vec<IncludedPack>) {
    let mut rules = Vec::new();
    let mut packs: Vec<IncludedPack> = Vec::new();
    let manifest = source.files.get(MANIFEST).map_or("", String::as_str);
    let mut lines = include_lines(manifest).into_iter();
    for include in includes {
        let line = lines.next().unwrap_or_default();
        let before = problems.len();
        let alias = include.alias.as_deref().unwrap_or(&include.pack);
        let mut wrong = |what: String, fix: &str| {
            let what = format!("included pack `{}`: {what}", include.pack);
            problems.push(Problem::error(MANIFEST, what, fix).on(line));
        };
        if let Err(what) = validate::id(alias) {
            wrong(what, "use lower-case letters, digits and hyphens");
        }
        if packs.iter().any(|other| other.alias == alias) {
            wrong(format!("`{alias}` is taken by another include"), "give each a name of its own with `as:`");
        }
        if let Err(what) = scope::validate(&include.scope) {
            wrong(what, "a scope reads `/` or `/acme/retail`");
        }
        let Some(pack) = Pack::read(source, include, line, problems) else { continue };
        let (values, changed) = pack.values(include, line, problems);
        let own = pack.rules(source, &values, problems);
        for id in include.modes.keys().filter(|id| !own.iter().any(|rule| rule.id == **id)) {
            let fix = match did_you_mean(id, own.iter().map(|rule| rule.id.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name a rule of the pack, without the pack's name".to_owned(),
            };
            let what = format!("included pack `{}`: it has no rule `{id}`", include.pack);
            problems.push(Problem::error(MANIFEST, what, fix).on(line));
        }
        let alone = pack.alone(source, settings, problems);
        if problems.len() > before {
            continue;
        }
        rules.extend(own.into_iter().map(|rule| as_included(rule, &pack.manifest, include, alias)));
        packs.push(IncludedPack {
            alias: alias.to_owned(),
            copy: copy(source, &pack.manifest),
            scope: include.scope.clone(),
            parameters: changed,
            alone: Arc::new(alone),
            line,
            manifest: pack.manifest,
        });
    }
    (rules, packs)
}

fn as_included(rule: Rule, pack: &PackManifest, include: &Include, alias: &str) -> Rule {
    let mode = include.modes.get(&rule.id).copied().unwrap_or(rule.mode);
    Rule {
        id: format!("{alias}/{}", rule.id),
        scope: include.scope.clone(),
        mode,
        origin: Some(Origin {
            pack: format!("{} {}", pack.name, pack.version),
            switched_from: (mode != rule.mode).then_some(rule.mode),
        }),
        ..rule
    }
}

/// One folder under `packs/`.
struct Pack {
    manifest: PackManifest,
    folder: String,
}

impl Pack {
    fn read(
        source: &BundleSource,
        include: &Include,
        line: usize,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let folder = format!("packs/{}", include.pack);
        let path = format!("{folder}/pack.yaml");
        let Some(text) = source.files.get(&path) else {
            let shipped = shipped_packs();
            let fix = if shipped.contains(&include.pack) {
                format!("`bailiwick policy pack add {} DIR` puts it there", include.pack)
            } else {
                let there = source.visible().filter_map(|(path, _)| self::folder(path)).map(|(name, _)| name);
                match did_you_mean(&include.pack, there.chain(shipped.iter().map(String::as_str))) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`bailiwick policy pack list` names those that ship".to_owned(),
                }
            };
            let what = format!("included pack `{}`: there is no {path}", include.pack);
            problems.push(Problem::error(MANIFEST, what, fix).on(line));
            return None;
        };
        let before = problems.len();
        let mut documents: Vec<(usize, PackManifest)> = read(&path, text, problems);
        let (Some((at, manifest)), true) = (documents.pop(), documents.is_empty()) else {
            if problems.len() == before {
                let what = "the file does not hold exactly one document";
                problems.push(Problem::error(&path, what, "write name, version, title and because"));
            }
            return None;
        };
        let mut wrong = |what: String, fix: &str, line: usize| {
            problems.push(Problem::error(&path, what, fix).on(line));
        };
        if manifest.name != include.pack {
            wrong(format!("the pack calls itself `{}`", manifest.name), "name it like its folder", at);
        }
        for (name, text) in [("version", &manifest.version), ("title", &manifest.title)] {
            if text.trim().is_empty() {
                wrong(format!("`{name}` is empty"), "give one", at);
            }
        }
        for (name, parameter) in &manifest.parameters {
            if let Err(what) = parameter.check(&parameter.default) {
                let line = line_with(text, &format!("{name}:")).unwrap_or(at);
                wrong(format!("the default of `{name}`: {what}"), "correct it, or its bounds", line);
            }
        }
        Some(Self { manifest, folder })
    }

    fn defaults(&self) -> BTreeMap<String, Value> {
        self.manifest.parameters.iter().map(|(name, p)| (name.clone(), p.default.clone())).collect()
    }

    /// The values of the parameters, and those among them that are not the pack's own.
    fn values(
        &self,
        include: &Include,
        line: usize,
        problems: &mut Vec<Problem>,
    ) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let mut values = self.defaults();
        let mut changed = BTreeMap::new();
        for (name, value) in &include.parameters {
            let known = &self.manifest.parameters;
            let (what, fix) = match known.get(name).map(|parameter| parameter.check(value)) {
                Some(Ok(())) => {
                    if values.insert(name.clone(), value.clone()).as_ref() != Some(value) {
                        changed.insert(name.clone(), value.clone());
                    }
                    continue;
                }
                Some(Err(what)) => {
                    (format!("parameter `{name}`: {what}"), format!("see {}/pack.yaml", self.folder))
                }
                None => (
                    format!("it has no parameter `{name}`"),
                    match did_you_mean(name, known.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("see {}/pack.yaml", self.folder),
                    },
                ),
            };
            let what = format!("included pack `{}`: {what}", include.pack);
            problems.push(Problem::error(MANIFEST, what, fix).on(line));
        }
        (values, changed)
    }

    /// Its rules with these values, as they stand in the pack.
    fn rules(
        &self,
        source: &BundleSource,
        values: &BTreeMap<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Rule> {
        let mut out = Vec::new();
        for (file, text) in source.yaml_in(&format!("{}/rules", self.folder)) {
            let filled = fill(file, text, values, problems);
            let read: Vec<(usize, Rule)> = read(file, &filled, problems);
            for (line, rule) in read {
                if rule.scope != "/" {
                    let what = format!("rule `{}`: a rule of a pack has no scope", rule.id);
                    problems
                        .push(Problem::error(file, what, "the bundle that includes it says where").on(line));
                }
                out.push(Rule { file: file.to_owned(), line, ..rule });
            }
        }
        out
    }

    /// The pack by itself, with its defaults.
    fn alone(&self, source: &BundleSource, settings: Settings, problems: &mut Vec<Problem>) -> Bundle {
        // What is wrong with the rules is said once, of the bundle's own values.
        let rules = self.rules(source, &self.defaults(), &mut Vec::new());
        let before = problems.len();
        let tests = read_tests(source, &format!("{}/tests", self.folder), problems);
        if problems.len() == before {
            validate::tests(&tests, &rules, problems);
        }
        Bundle {
            name: self.manifest.name.clone(),
            version: self.manifest.version.clone(),
            description: self.manifest.title.clone(),
            digest: String::new(),
            rules,
            attestations: tests.attestations.into_iter().map(|(_, attestation)| attestation).collect(),
            attestation_lines: Vec::new(),
            compliance: Vec::new(),
            exceptions: Vec::new(),
            tests: tests.tests,
            test_endpoints: tests.endpoints,
            rbac: Rbac::deny_all(),
            settings,
            packs: Vec::new(),
            evidence_age_line: 0,
            idle_packs: Vec::new(),
        }
    }
}

fn copy(source: &BundleSource, manifest: &PackManifest) -> PackCopy {
    let shipped = shipped_pack(&manifest.name);
    let prefix = format!("packs/{}/", manifest.name);
    let Some(theirs) = shipped.get(&format!("{prefix}pack.yaml")) else { return PackCopy::Own };
    let version = read::<PackManifest>("pack.yaml", theirs, &mut Vec::new()).pop().map(|(_, m)| m.version);
    match version {
        Some(version) if version != manifest.version => return PackCopy::OtherVersion(version),
        _ => {}
    }
    let ours: BTreeMap<&str, &str> = source.visible().filter(|(path, _)| path.starts_with(&prefix)).collect();
    let paths: BTreeSet<&str> = ours.keys().copied().chain(shipped.keys().map(String::as_str)).collect();
    let edited: Vec<String> = paths
        .into_iter()
        .filter(|path| ours.get(path).copied() != shipped.get(*path).map(String::as_str))
        .map(str::to_owned)
        .collect();
    if edited.is_empty() { PackCopy::Same } else { PackCopy::Edited(edited) }
}

/// The lines of `bundle.yaml` with a key `pack`, in order.
fn include_lines(manifest: &str) -> Vec<usize> {
    let holds = |line: &str| {
        before_comment(line).match_indices("pack:").any(|(at, _)| {
            line.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '{', ',', '"']))
        })
    };
    (1..).zip(manifest.lines()).filter(|(_, line)| holds(line)).map(|(number, _)| number).collect()
}
