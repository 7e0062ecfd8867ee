//! Random bundles, catalogs and requests, and a plain reading of what they mean.

use bailiwick_compliance_db::{
    Attestation, Context, Country, CountrySet, Database, Declared, EndpointProfile, Feature, FeatureSet,
    Hosting, expand,
};
use bailiwick_pii::{ClassSet, DataClass, EntityCounts, EntityType, Sensitivity};
use bailiwick_policy::{
    Bundle, BundleSource, Check, ClassKnowledge, Endpoint, Mode, ModelAlias, Operation, PrincipalFacts,
    RequestFacts, Requirement, Rule, pattern, scope,
};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub(crate) const SCOPES: [&str; 6] =
    ["/", "/acme", "/acme/retail", "/acme/retail/support", "/acme/clinic", "/acmecorp"];
const MODELS: [&str; 3] = ["gpt-4.1", "assistant", "nimbus-1"];
const REGIONS: [&str; 5] = ["EU", "EEA", "US", "CH", "DE"];
const ROLES: [&str; 2] = ["developer", "lead"];
const PURPOSES: [&str; 2] = ["support", "marketing"];
const TOOLS: [&str; 3] = ["search", "shell", "sql"];
const FEATURES: [Feature; 4] =
    [Feature::WebSearch, Feature::StoredState, Feature::ImageInput, Feature::Batch];
/// 2025-10-01 to 2027-03-01: evidence ages, agreements and exceptions begin and end within.
const SPAN: std::ops::Range<i64> = 1_759_276_800_000..1_803_859_200_000;

pub(crate) fn instant() -> impl Strategy<Value = i64> {
    SPAN
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", "))
}

fn some_of(names: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(names, 1..=names.len()).prop_map(|v| v.into_iter().map(str::to_owned).collect())
}

fn condition() -> impl Strategy<Value = Option<String>> {
    let line = prop_oneof![
        subsequence(DataClass::ALL.to_vec(), 1..3)
            .prop_map(|c| format!("data: {}", list(&c.iter().map(ToString::to_string).collect::<Vec<_>>()))),
        select(Sensitivity::ALL.to_vec()).prop_map(|s| format!("sensitivity: {{ at_least: {s} }}")),
        some_of(&REGIONS).prop_map(|r| format!("subject_region: {}", list(&r))),
        some_of(&REGIONS).prop_map(|r| format!("controller: {}", list(&r))),
        some_of(&["gpt*", "assistant", "nimbus-1", "nimbus-2"]).prop_map(|m| format!("model: {}", list(&m))),
        some_of(&["chat_completions", "embeddings"]).prop_map(|o| format!("operation: {}", list(&o))),
        some_of(&PURPOSES).prop_map(|p| format!("purpose: {}", list(&p))),
        some_of(&["web_search", "image_input", "batch"]).prop_map(|f| format!("features: {}", list(&f))),
        some_of(&["s*", "shell"]).prop_map(|t| format!("tools: {}", list(&t))),
        some_of(&["EMAIL", "CARD", "IBAN"]).prop_map(|e| format!("entities: {}", list(&e))),
        some_of(&["role:developer", "lead"]).prop_map(|r| format!("role: {}", list(&r))),
    ];
    proptest::option::of(line)
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => some_of(&REGIONS).prop_map(|r| format!("require: {{ processing_countries: {{ within: {} }} }}", list(&r))),
        2 => some_of(&REGIONS).prop_map(|r| format!("require: {{ storage_countries: {{ within: {} }}, trains_on_inputs: false }}", list(&r))),
        2 => any::<bool>().prop_map(|b| format!("require: {{ hipaa_eligible: {b} }}")),
        1 => Just("require: { operator_countries: { known: true } }".to_owned()),
        1 => select(vec![0u32, 30]).prop_map(|d| format!("require: {{ retention_days: {{ at_most: {d} }} }}")),
        1 => Just("require: { zero_data_retention: true }".to_owned()),
        1 => Just("require: { hosting: [on_premises, dedicated] }".to_owned()),
        1 => Just("require: { transfer_mechanism: [none, adequacy, scc] }".to_owned()),
        1 => Just("deny: true".to_owned()),
        1 => some_of(&["gpt*", "assistant"]).prop_map(|m| format!("allow_models: {}", list(&m))),
        1 => some_of(&["shell", "sq*"]).prop_map(|t| format!("deny_tools: {}", list(&t))),
        1 => (1..3u32).prop_map(|n| format!("limit_output_tokens: {n}")),
        1 => select(vec!["token", "mask", "drop"]).prop_map(|h| format!("redact: {{ entities: [EMAIL, CARD], how: {h} }}")),
    ]
}

pub(crate) fn rule_text() -> impl Strategy<Value = String> {
    let mode = prop_oneof![6 => Just("enforce"), 1 => Just("shadow"), 1 => Just("off")];
    (mode, select(SCOPES.to_vec()), condition(), condition(), body()).prop_map(|(mode, scope, a, b, body)| {
        let key =
            |line: &Option<String>| line.as_ref().map(|l| l.split(':').next().unwrap_or_default().to_owned());
        let same = key(&a) == key(&b);
        let b = b.filter(|_| !same);
        let when: Vec<String> = [a, b].into_iter().flatten().collect();
        let when = if when.is_empty() { String::new() } else { format!("when: {{ {} }}\n", when.join(", ")) };
        format!("title: T\nbecause: [B]\nmode: {mode}\nscope: {scope}\n{when}{body}\n")
    })
}

const RULES: usize = 6;

#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) rules: Vec<String>,
    attestations: Vec<(usize, usize, i64, i64)>,
    exceptions: Vec<(usize, usize, i64)>,
}

pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let attestation = (0..5usize, 0..SCOPES.len() + 1, instant(), instant());
    let exception = (0..RULES, 0..SCOPES.len(), instant());
    (
        proptest::collection::vec(rule_text(), 1..=RULES),
        proptest::collection::vec(attestation, 0..4),
        proptest::collection::vec(exception, 0..3),
    )
        .prop_map(|(rules, attestations, exceptions)| Parts { rules, attestations, exceptions })
}

fn day(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

impl Parts {
    pub(crate) fn bundle(&self) -> Bundle {
        let mut source = BundleSource::starter();
        source.files.retain(|path, _| path == "bundle.yaml" || path.starts_with("rbac/"));
        for (i, text) in self.rules.iter().enumerate() {
            source.files.insert(format!("rules/r{i}.yaml"), format!("id: r{i}\n{text}"));
        }
        const WITH: [(&str, &str, &str); 5] = [
            ("baa", "aws", "amazon-bedrock"),
            ("baa", "microsoft", "azure-openai"),
            ("zdr_amendment", "microsoft", "azure-openai"),
            ("zdr_amendment", "openai", "openai-api"),
            ("baa", "openai", "openai-api"),
        ];
        for (i, (with, at, from, to)) in self.attestations.iter().enumerate().filter(|(_, a)| a.2 < a.3) {
            let (kind, operator, service) = WITH[*with];
            let scope = SCOPES.get(*at).map_or(String::new(), |s| format!("scope: {s}\n"));
            source.files.insert(
                format!("attestations/a{i}.yaml"),
                format!(
                    "id: a{i}\nkind: {kind}\noperator: {operator}\nservices: [{service}]\n{scope}document: D\nexcluded_features: [batch]\nvalid_from: {}\nvalid_to: {}\n",
                    day(*from),
                    day(*to)
                ),
            );
        }
        for (i, (rule, at, from)) in
            self.exceptions.iter().enumerate().filter(|(_, e)| e.0 < self.rules.len())
        {
            if !self.rules[*rule].contains(&format!("scope: {}\n", SCOPES[*at])) {
                continue;
            }
            source.files.insert(
                format!("exceptions/e{i}.yaml"),
                format!(
                    "id: e{i}\nrule: r{rule}\nscope: {}\nreason: R\napproved_by: A\napproved_on: 2020-01-01\nfrom: {}\nuntil: {}\n",
                    SCOPES[*at],
                    day(*from),
                    day(*from + 60 * 86_400_000)
                ),
            );
        }
        Bundle::load(&source).unwrap_or_else(|p| panic!("{p:?}\n{:?}", source.files))
    }
}

fn profile() -> impl Strategy<Value = EndpointProfile> {
    let of = |operator: &str,
              service: &str,
              hosting: Option<&str>,
              profile: Option<&str>,
              region: Option<&str>| EndpointProfile {
        developer: None,
        operator: operator.into(),
        service: service.into(),
        hosting_option: hosting.map(Into::into),
        profile: profile.map(Into::into),
        source_region: region.map(Into::into),
        ..EndpointProfile::default()
    };
    let declared = Declared {
        countries: Some(vec!["DE".parse().unwrap()]),
        hosting: Some(Hosting::OnPremises),
        retention_days: Some(0),
    };
    select(vec![
        of("microsoft", "azure-openai", Some("data_zone_standard"), None, Some("swedencentral")),
        of("microsoft", "azure-openai", Some("standard"), None, Some("eastus")),
        of("openai", "openai-api", Some("us"), None, None),
        of("aws", "amazon-bedrock", None, None, Some("us-east-1")),
        of("aws", "amazon-bedrock", None, Some("eu"), Some("eu-central-1")),
        of("aws", "amazon-bedrock", None, Some("eu"), Some("eu-central-2")),
        of("mistral", "mistral-api", Some("eu"), None, None),
        EndpointProfile { declared, ..of("self", "vllm", None, None, None) },
        of("nimbus-ai", "nimbus-api", None, None, None),
    ])
}

pub(crate) fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let one = (
        profile(),
        select(SCOPES.to_vec()),
        subsequence(MODELS.to_vec(), 1..=MODELS.len()),
        subsequence(Operation::ALL.to_vec(), 1..=2),
    );
    proptest::collection::vec(one, 0..8).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(i, (profile, scope, models, operations))| Endpoint {
                name: format!("e{i}"),
                scope: scope.to_owned(),
                models: models
                    .into_iter()
                    .map(|m| ModelAlias {
                        alias: m.to_owned(),
                        // So that facts about models matter, and differ between the models of one endpoint.
                        upstream: if m == "assistant" {
                            "anthropic.claude-haiku-4-5".to_owned()
                        } else {
                            m.to_owned()
                        },
                        // A few models do only one of what their endpoint does.
                        operations: (i % 3 == 0 && m != "assistant").then(|| vec![Operation::Embeddings]),
                    })
                    .collect(),
                operations,
                profile,
            })
            .collect()
    })
}

pub(crate) fn facts() -> impl Strategy<Value = RequestFacts> {
    let classes =
        || subsequence(DataClass::ALL.to_vec(), 0..3).prop_map(|c| c.into_iter().collect::<ClassSet>());
    let regions = proptest::option::of(some_of(&REGIONS)).prop_map(|r| {
        r.map(|names| names.iter().fold(CountrySet::EMPTY, |set, n| set.union(expand(n).unwrap())))
    });
    let request = (
        instant(),
        select(["/", "/acme/x", "/acme/retail/support", "/acme/clinic/ward", "/acmecorp", "/other"].to_vec()),
        select(vec!["gpt-4.1", "assistant", "nimbus-1", "nimbus-2"]),
        select(vec![Operation::ChatCompletions, Operation::Embeddings]),
        subsequence(FEATURES.to_vec(), 0..3),
        subsequence(TOOLS.to_vec(), 0..3),
        subsequence(ROLES.to_vec(), 0..3),
    );
    let data = (
        classes(),
        classes(),
        select(Sensitivity::ALL.to_vec()),
        regions,
        proptest::option::of(select(vec!["DE", "US", "CH"])),
        proptest::option::of(select(vec!["support", "marketing", "other"])),
        subsequence(vec![EntityType::Email, EntityType::Card, EntityType::Iban], 0..3),
    );
    let names = proptest::option::weighted(0.2, subsequence(vec!["e0", "e1", "e2", "e3"], 0..4));
    (request, data, names).prop_map(
        |(
            (time_ms, scope, model, operation, features, tools, roles),
            (yes, unknown, sensitivity, subject_regions, controller, purpose, found),
            names,
        )| {
            let mut entities = EntityCounts::default();
            found.into_iter().for_each(|e| entities.add(e));
            RequestFacts {
                time_ms,
                scope: scope.to_owned(),
                operation,
                model: model.to_owned(),
                classes: ClassKnowledge { yes, unknown },
                sensitivity,
                subject_regions,
                controller: controller.map(|c| c.parse::<Country>().unwrap()),
                purpose: purpose.map(str::to_owned),
                entities,
                features: features.into_iter().collect::<FeatureSet>(),
                tools: tools.into_iter().map(str::to_owned).collect(),
                stream: false,
                input_tokens: 0,
                max_output_tokens: None,
                principal: PrincipalFacts {
                    id: "key:a".into(),
                    roles: roles.into_iter().map(str::to_owned).collect(),
                },
                allowed_endpoint_names: names.map(|n| n.into_iter().map(str::to_owned).collect()),
            }
        },
    )
}

/// Whether a rule applies, read off its text.
pub(crate) fn applies(rule: &Rule, facts: &RequestFacts) -> bool {
    let when = &rule.when;
    let held = |class: DataClass| facts.classes.yes.contains(class) || facts.classes.unknown.contains(class);
    let countries = |names: &Vec<String>| {
        names.iter().flat_map(|n| expand(n).unwrap().iter().collect::<Vec<_>>()).collect::<Vec<Country>>()
    };
    let role = |r: &str| r.trim_start_matches("role:").to_owned();
    scope::covers(&rule.scope, &facts.scope)
        && when.data.is_none_or(|set| set.iter().any(held))
        && when.sensitivity.as_ref().is_none_or(|s| facts.sensitivity >= s.least().unwrap())
        && when.subject_region.as_ref().is_none_or(|names| match facts.subject_regions {
            Some(of) if !of.is_empty() => countries(names).iter().any(|c| of.contains(*c)),
            _ => true,
        })
        && when
            .controller
            .as_ref()
            .is_none_or(|names| facts.controller.is_none_or(|c| countries(names).contains(&c)))
        && when.model.as_ref().is_none_or(|l| l.iter().any(|p| pattern::matches(p, &facts.model)))
        && when.operation.as_ref().is_none_or(|l| l.contains(&facts.operation))
        && when.purpose.as_ref().is_none_or(|l| facts.purpose.as_ref().is_none_or(|p| l.contains(p)))
        && when.features.is_none_or(|set| set.iter().any(|f| facts.features.contains(f)))
        && when
            .tools
            .as_ref()
            .is_none_or(|l| facts.tools.iter().any(|t| l.iter().any(|p| pattern::matches(p, t))))
        && when.entities.is_none_or(|set| set.iter().any(|e| facts.entities.get(e) > 0))
        && when
            .role
            .as_ref()
            .is_none_or(|l| facts.principal.roles.iter().any(|r| l.iter().any(|x| role(x) == role(r))))
}

/// What the bundle means for a request: candidates, eligible endpoints and whether a rule refuses it.
pub(crate) struct Meaning {
    pub(crate) candidates: Vec<String>,
    pub(crate) eligible: Vec<String>,
    pub(crate) refused: bool,
    pub(crate) applied: Vec<String>,
}

pub(crate) fn meaning(
    bundle: &Bundle,
    database: &Database,
    endpoints: &[Endpoint],
    facts: &RequestFacts,
) -> Meaning {
    let waived = |rule: &Rule| {
        bundle.exceptions.iter().any(|e| {
            e.rule == rule.id
                && scope::covers(&e.scope, &facts.scope)
                && e.from.timestamp_millis() <= facts.time_ms
                && facts.time_ms < e.until.timestamp_millis()
        })
    };
    let applied: Vec<&Rule> =
        bundle.rules.iter().filter(|r| r.mode == Mode::Enforce && applies(r, facts) && !waived(r)).collect();
    let refused = applied.iter().any(|r| {
        r.deny
            || r.allow_models.as_ref().is_some_and(|l| !l.iter().any(|p| pattern::matches(p, &facts.model)))
            || r.deny_tools
                .as_ref()
                .is_some_and(|l| facts.tools.iter().any(|t| l.iter().any(|p| pattern::matches(p, t))))
    });
    let attestations: Vec<Attestation> =
        bundle.attestations.iter().filter(|a| a.applies_to(&facts.scope)).cloned().collect();
    let context = Context {
        now: DateTime::from_timestamp_millis(facts.time_ms).unwrap(),
        max_evidence_age_days: bundle.settings.max_evidence_age_days,
        attestations: &attestations,
        features: facts.features,
    };
    let mut candidates = Vec::new();
    let mut eligible = Vec::new();
    for endpoint in endpoints {
        let Some(model) = endpoint.models.iter().find(|m| m.alias == facts.model) else { continue };
        let named = facts.allowed_endpoint_names.as_ref().is_none_or(|n| n.contains(&endpoint.name));
        let does = model.operations.as_ref().is_none_or(|own| own.contains(&facts.operation));
        if !scope::covers(&endpoint.scope, &facts.scope)
            || !endpoint.operations.contains(&facts.operation)
            || !does
            || !named
        {
            continue;
        }
        candidates.push(endpoint.name.clone());
        let profile = EndpointProfile {
            name: endpoint.name.clone(),
            model: model.upstream.clone(),
            ..endpoint.profile.clone()
        };
        let meets = |r: &Requirement| {
            let known = database.resolve(&profile, r.attribute, &context);
            match &r.check {
                Check::Within { set, .. } => known.within(*set),
                Check::Is(b) => known.is(*b),
                Check::AtMost(d) => known.at_most(*d),
                Check::Hosted(h) => known.hosted(h),
                Check::ReliesOnlyOn(m) => known.relies_only_on(*m),
                Check::Known => known.is_known(),
            }
        };
        if !refused && applied.iter().all(|r| r.require.requirements().unwrap().iter().all(meets)) {
            eligible.push(endpoint.name.clone());
        }
    }
    Meaning { candidates, eligible, refused, applied: applied.iter().map(|r| r.id.clone()).collect() }
}
