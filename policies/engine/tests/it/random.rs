//! Random bundles, catalogs and requests.

use bailiwick_compliance_db::{
    Country, CountrySet, Declared, EndpointProfile, Feature, FeatureSet, Hosting, expand,
};
use bailiwick_pii::{ClassSet, DataClass, EntityCounts, EntityType, Sensitivity};
use bailiwick_policy::{
    Bundle, BundleSource, ClassKnowledge, Endpoint, ModelAlias, Operation, PrincipalFacts, RequestFacts,
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
        2 => redaction(),
        1 => Just("obligations: { cache: deny }".to_owned()),
        1 => select(vec![30u32, 365]).prop_map(|d| format!("obligations: {{ log_content: deny, retain_days: {d} }}")),
        1 => Just("require: { soc_2: true }\nlimit_output_tokens: 9".to_owned()),
    ]
}

fn redaction() -> impl Strategy<Value = String> {
    let entities = subsequence(vec!["EMAIL", "CARD", "IBAN", "CREDENTIAL"], 1..4);
    let direction = select(vec!["request", "response", "both"]);
    let how = select(vec!["token", "surrogate", "mask", "hash", "drop"]);
    (entities, direction, how, any::<bool>(), any::<bool>(), select(vec![0, 50, 90])).prop_map(
        |(entities, direction, how, text, arguments, confidence)| {
            // What can't be put back may not ask for it.
            let reversible = matches!(how, "token" | "surrogate") && !entities.contains(&"CREDENTIAL");
            let (text, arguments) = (text && reversible, arguments && reversible);
            format!(
                "redact: {{ entities: [{}], how: {how}, direction: {direction}, min_confidence: {confidence}, restore: {{ text: {text}, tool_arguments: {arguments} }} }}",
                entities.join(", ")
            )
        },
    )
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
    pub(crate) attestations: Vec<(usize, usize, i64, i64)>,
    pub(crate) exceptions: Vec<(usize, usize, i64)>,
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
        let source = self.source();
        Bundle::load(&source).unwrap_or_else(|p| panic!("{p:?}\n{:?}", source.files))
    }

    pub(crate) fn source(&self) -> BundleSource {
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
            let of_rule = self.rules[*rule].lines().find_map(|l| l.strip_prefix("scope: ")).unwrap_or("/");
            // An exception for where its rule does not hold does not load.
            if of_rule != "/" && !format!("{}/", SCOPES[*at]).starts_with(&format!("{of_rule}/")) {
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
        source
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
                        upstream: if m != "assistant" {
                            m.to_owned()
                        } else if i % 2 == 0 && profile.service == "amazon-bedrock" {
                            // An inference profile by its name, declared or not.
                            "eu.anthropic.claude-haiku-4-5".to_owned()
                        } else {
                            "anthropic.claude-haiku-4-5".to_owned()
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
