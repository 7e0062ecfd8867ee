//! The sample organisation, and the simulated providers that stand for its endpoints.

use std::path::Path;

use bailiwick_compliance_db::{Country, Declared, EndpointProfile, Hosting};
use bailiwick_pii::{ClassSet, DataClass, Sensitivity};
use bailiwick_policy::{ModelAlias, Operation};

use super::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use crate::budgets::Window;
use crate::credentials::CredentialSource;
use crate::organisation::{
    BudgetDefinition, CredentialRef, Declarations, EndpointDefinition, KeyDefinition, KeySettings,
    OpaqueContent, Organisation, Scope,
};
use crate::providers::Dialect;

/// The name under which every endpoint is asked.
pub const EVERYWHERE: &str = "assistant";
/// The name under which every endpoint with an embedding model is asked.
pub const EVERYWHERE_EMBEDDING: &str = "embedder";

/// The names of the three keys.
pub const KEYS: [&str; 3] = ["support", "clinic", "research"];

/// An endpoint of the demo.
#[derive(Debug, Clone, Copy)]
pub struct DemoEndpoint {
    /// Its name.
    pub name: &'static str,
    /// Its own model, as clients call it.
    pub model: &'static str,
    /// The model as the provider calls it, where that is another name.
    upstream: Option<&'static str>,
    /// Its embedding model.
    pub embedding: Option<&'static str>,
    dialect: Dialect,
    developer: Option<&'static str>,
    operator: &'static str,
    service: &'static str,
    hosting_option: Option<&'static str>,
    profile: Option<&'static str>,
    source_region: Option<&'static str>,
    tier: Option<&'static str>,
}

const BLANK: DemoEndpoint = DemoEndpoint {
    name: "",
    model: "",
    upstream: None,
    embedding: None,
    dialect: Dialect::OpenAi,
    developer: None,
    operator: "",
    service: "",
    hosting_option: None,
    profile: None,
    source_region: None,
    tier: None,
};

/// The endpoints: each stands for a real one and has its attributes.
pub const ENDPOINTS: &[DemoEndpoint] = &[
    DemoEndpoint {
        name: "azure-sweden",
        model: "gpt-4.1",
        embedding: Some("text-embedding-3-small"),
        dialect: Dialect::Azure,
        developer: Some("openai"),
        operator: "microsoft",
        service: "azure-openai",
        hosting_option: Some("data_zone_standard"),
        source_region: Some("swedencentral"),
        ..BLANK
    },
    DemoEndpoint {
        name: "openai-us",
        model: "gpt-4.1-mini",
        embedding: Some("text-embedding-3-small"),
        developer: Some("openai"),
        operator: "openai",
        service: "openai-api",
        hosting_option: Some("us"),
        ..BLANK
    },
    DemoEndpoint {
        name: "bedrock-us-east-1",
        model: "anthropic.claude-sonnet-4-5",
        upstream: Some("anthropic.claude-sonnet-4-5-20250929-v1:0"),
        dialect: Dialect::Bedrock,
        developer: Some("anthropic"),
        operator: "aws",
        service: "amazon-bedrock",
        source_region: Some("us-east-1"),
        ..BLANK
    },
    DemoEndpoint {
        name: "bedrock-eu",
        model: "anthropic.claude-haiku-4-5",
        upstream: Some("anthropic.claude-haiku-4-5-20251001-v1:0"),
        dialect: Dialect::Bedrock,
        developer: Some("anthropic"),
        operator: "aws",
        service: "amazon-bedrock",
        profile: Some("eu"),
        source_region: Some("eu-central-1"),
        ..BLANK
    },
    DemoEndpoint {
        name: "mistral-eu",
        model: "mistral-large",
        upstream: Some("mistral-large-2512"),
        embedding: Some("mistral-embed"),
        dialect: Dialect::Mistral,
        developer: Some("mistral"),
        operator: "mistral",
        service: "mistral-api",
        hosting_option: Some("eu"),
        tier: Some("paid"),
        ..BLANK
    },
    DemoEndpoint {
        name: "vllm-germany",
        model: "gpt-oss-120b",
        embedding: Some("bge-m3"),
        dialect: Dialect::Vllm,
        developer: Some("openai"),
        operator: "self",
        service: "vllm",
        ..BLANK
    },
    DemoEndpoint {
        name: "mystery",
        model: "nimbus-1",
        operator: "nimbus-ai",
        service: "nimbus-api",
        ..BLANK
    },
];

/// Starts the simulator of an endpoint. The own server asks for no credential, as such servers do.
pub(super) async fn simulator(endpoint: &DemoEndpoint, credential: &str) -> std::io::Result<SimulatorHandle> {
    let mut config = SimulatorConfig::new(endpoint.name, endpoint.dialect).chat_model(upstream(endpoint));
    if let Some(model) = endpoint.embedding {
        config = config.embedding_model(model);
    }
    if needs_credential(endpoint) {
        config = config.credential(credential);
    }
    Simulator::start(config).await
}

fn upstream(endpoint: &DemoEndpoint) -> &'static str {
    endpoint.upstream.unwrap_or(endpoint.model)
}

fn needs_credential(endpoint: &DemoEndpoint) -> bool {
    endpoint.operator != "self"
}

/// The organisation, with its endpoints at the simulators.
pub(super) fn organisation(simulators: &[SimulatorHandle], credential_file: &Path) -> Organisation {
    let scope = |path: &str, declarations: Declarations| Scope { path: path.to_owned(), declarations };
    let regions = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Organisation {
        scopes: vec![
            scope("/acme", Declarations { controller: "DE".parse().ok(), ..Declarations::default() }),
            scope(
                "/acme/retail/support",
                Declarations {
                    subject_regions: regions(&["EU"]),
                    data_classes: ClassSet::from(DataClass::Personal),
                    ..Declarations::default()
                },
            ),
            scope(
                "/acme/clinic",
                Declarations {
                    subject_regions: regions(&["US"]),
                    data_classes: ClassSet::from(DataClass::Phi),
                    sensitivity: Some(Sensitivity::Confidential),
                    ..Declarations::default()
                },
            ),
            scope(
                "/acme/research",
                Declarations {
                    subject_regions: regions(&["US"]),
                    sensitivity: Some(Sensitivity::Public),
                    opaque_content: Some(OpaqueContent::AsDeclared),
                    ..Declarations::default()
                },
            ),
        ],
        endpoints: ENDPOINTS
            .iter()
            .zip(simulators)
            .map(|(endpoint, simulator)| definition(endpoint, simulator, credential_file))
            .collect(),
        credentials: Vec::new(),
        workloads: Vec::new(),
        model_groups: Vec::new(),
        limits: Vec::new(),
        budgets: [
            ("/acme", "5000"),
            ("/acme/retail/support", "250"),
            ("/acme/clinic", "500"),
            ("/acme/research", "100"),
        ]
        .into_iter()
        .map(|(scope, limit)| BudgetDefinition::of_scope(scope, Window::MONTH, limit))
        .collect(),
        keys: [
            ("/acme/retail/support", "support"),
            ("/acme/clinic", "clinic"),
            ("/acme/research", "research"),
        ]
        .into_iter()
        .map(|(scope, name)| KeyDefinition {
            scope: scope.to_owned(),
            name: name.to_owned(),
            expires: None,
            settings: KeySettings::default(),
        })
        .collect(),
    }
}

fn definition(
    endpoint: &DemoEndpoint,
    simulator: &SimulatorHandle,
    credential_file: &Path,
) -> EndpointDefinition {
    let model = |alias: &str, upstream: &str, operation| ModelAlias {
        alias: alias.to_owned(),
        upstream: upstream.to_owned(),
        operations: Some(vec![operation]),
    };
    let mut models = [EVERYWHERE, endpoint.model]
        .map(|alias| model(alias, upstream(endpoint), Operation::ChatCompletions))
        .to_vec();
    let mut operations = vec![Operation::ChatCompletions];
    if let Some(embedding) = endpoint.embedding {
        models.extend(
            [EVERYWHERE_EMBEDDING, embedding].map(|alias| model(alias, embedding, Operation::Embeddings)),
        );
        operations.push(Operation::Embeddings);
    }
    let text = |text: Option<&str>| text.map(str::to_owned);
    let own = endpoint.operator == "self";
    let germany: Option<Country> = "DE".parse().ok();
    EndpointDefinition {
        preset: None,
        name: endpoint.name.to_owned(),
        scope: String::from("/acme"),
        models,
        operations,
        dialect: endpoint.dialect,
        base_url: simulator.url().to_owned(),
        credential: needs_credential(endpoint)
            .then(|| CredentialRef::Own(CredentialSource::File(credential_file.to_path_buf()))),
        client_certificate: None,
        profile: EndpointProfile {
            name: endpoint.name.to_owned(),
            developer: text(endpoint.developer),
            operator: endpoint.operator.to_owned(),
            service: endpoint.service.to_owned(),
            hosting_option: text(endpoint.hosting_option),
            model: upstream(endpoint).to_owned(),
            version: None,
            profile: text(endpoint.profile),
            source_region: text(endpoint.source_region),
            tier: text(endpoint.tier),
            declared: if own {
                Declared {
                    countries: germany.map(|country| vec![country]),
                    hosting: Some(Hosting::OnPremises),
                    retention_days: Some(0),
                }
            } else {
                Declared::default()
            },
        },
        // Nothing is known of it, a price neither; its contract says what it costs.
        price: (endpoint.name == "mystery").then(|| crate::organisation::PriceUsd::of_text("0.10", "0.40")),
        markup_percent: None,
        price_changes: Vec::new(),
        simulated: true,
        allow_plain_http: false,
        first_byte_timeout_s: None,
        idle_timeout_s: None,
        analyzer: None,
    }
}
