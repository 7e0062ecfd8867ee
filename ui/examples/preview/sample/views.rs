//! The decision pages of the example.

use bailiwick_ui::view::{
    AttemptView, BudgetView, Count, DecisionRow, DecisionView, Declared, EndpointView, EvidenceView,
    Exclusion, InputView, MoneyView, ObligationView, Outcome, RedactionView, Refusal, RequestView, RuleView,
    StageTiming,
};

use super::ledger::Log;

fn s(text: &str) -> String {
    text.to_owned()
}

/// Everything about one row.
pub(crate) fn view(row: DecisionRow, log: &Log) -> DecisionView {
    let denied = row.outcome == Outcome::Denied;
    let eu = row.scope == "/acme/retail/support";
    let provider_micros = (!denied && !row.dry_run).then_some(812_400);
    DecisionView {
        route: s("POST /v1/chat/completions"),
        stream: !denied,
        refusal: refusal(&row),
        stages: stages(&row),
        total_micros: row.overhead_micros.map(|own| own + provider_micros.unwrap_or(0)),
        provider_micros,
        request: request(&row),
        redactions: row
            .redactions
            .iter()
            .map(|each| RedactionView {
                entity: each.kind.clone(),
                count: each.count,
                how: s(if each.kind == "CARD" { "mask" } else { "token" }),
                rule: s(if each.kind == "CARD" {
                    "cards-and-credentials-never-leave"
                } else {
                    "tokenise-personal-data"
                }),
            })
            .collect(),
        obligations: if eu {
            vec![ObligationView {
                name: s("cache"),
                value: s("deny"),
                rule: s("eu-personal-data-stays-in-the-eu"),
            }]
        } else {
            Vec::new()
        },
        rules: if eu { rules() } else { Vec::new() },
        endpoints: endpoints(&row),
        attempts: attempts(&row),
        money: (!denied).then(|| money(&row)),
        inputs: vec![
            InputView { name: s("bundle"), value: s(super::DIGEST) },
            InputView {
                name: s("catalog"),
                value: s("41aa0c7de29b6f83150d77e4c2b09f6618ad35e7f4c21b90de6683f5a7b0194c"),
            },
            InputView {
                name: s("attestations"),
                value: s("c803be55f0a94d1277f1d60b3e98a42c6b15d2e70f8c49a3e4571d0b92f6ae38"),
            },
            InputView { name: s("engine"), value: s("0.1.0") },
        ],
        records: log.records(&row.id),
        checkpoint: (row.outcome != Outcome::Running).then(|| log.checkpoint(row.time_ms + 180)),
        receipt_url: (row.outcome != Outcome::Running).then(|| format!("/receipts/{}", row.id)),
        verifier_key: Some(log.verifier_key()),
        row,
    }
}

fn refusal(row: &DecisionRow) -> Option<Refusal> {
    match row.outcome {
        Outcome::Denied => Some(Refusal {
            code: s("no_eligible_endpoint"),
            status: 403,
            message: s(
                "This prompt holds personal data of someone in the EU; none of the endpoints for gpt-4o-mini keeps it there.",
            ),
            fix: Some(s(
                "azure-sweden serves gpt-4o within the EU: ask for that model, or add a deployment of gpt-4o-mini there.",
            )),
        }),
        Outcome::Failed => Some(Refusal {
            code: s("upstream_timeout"),
            status: 504,
            message: s("No endpoint answered in time: mistral-eu and vllm-frankfurt were tried."),
            fix: Some(s(
                "Raise the endpoint's time limit, or try again: both endpoints are marked unhealthy for 30 s.",
            )),
        }),
        _ => None,
    }
}

fn stages(row: &DecisionRow) -> Vec<StageTiming> {
    let stage = |name: &str, start_micros, micros, provider| StageTiming {
        stage: s(name),
        start_micros,
        micros,
        provider,
    };
    let mut stages = vec![
        stage("authenticate", 0, 4, false),
        stage("read", 4, 17, false),
        stage("classify", 21, 38, false),
        stage("decide", 59, 6, false),
    ];
    if row.outcome == Outcome::Denied {
        stages.push(stage("record", 65, 190, false));
        return stages;
    }
    stages.extend([
        stage("route", 65, 2, false),
        stage("fund", 67, 5, false),
        stage("record", 72, 231, false),
        stage("forward", 303, 41, false),
        stage("forward", 344, 812_400, true),
        stage("respond", 812_744, 29, false),
        stage("settle", 812_773, 18, false),
    ]);
    stages
}

fn request(row: &DecisionRow) -> RequestView {
    let declared = |value: &str, source: &str| Declared { value: s(value), source: s(source) };
    RequestView {
        body_bytes: 2_148,
        spans: 14,
        findings: if row.outcome == Outcome::Denied {
            vec![Count { kind: s("EMAIL"), count: 1 }]
        } else {
            row.redactions.clone()
        },
        response_findings: if row.redactions.is_empty() {
            Vec::new()
        } else {
            vec![Count { kind: s("URL"), count: 1 }]
        },
        data_classes: row
            .data_classes
            .iter()
            .map(|class| declared(class, if class == "phi" { "scope" } else { "detected" }))
            .collect(),
        sensitivity: s(if row.scope == "/acme/clinic" { "confidential" } else { "internal" }),
        subject_regions: match row.scope.as_str() {
            "/acme/retail/support" => vec![declared("EU", "scope"), declared("DE", "header")],
            "/acme/clinic" => vec![declared("US", "scope")],
            _ => Vec::new(),
        },
        purpose: (row.scope == "/acme/retail/support").then(|| s("customer_support")),
        user: (row.scope == "/acme/retail/support").then(|| s("u_58213")),
    }
}

fn rules() -> Vec<RuleView> {
    let rule = |id: &str, title: &str, because: &[&str], scope: &str| RuleView {
        id: s(id),
        title: s(title),
        because: because.iter().map(|reason| s(reason)).collect(),
        mode: s("enforce"),
        scope: s(scope),
    };
    vec![
        rule(
            "eu-personal-data-stays-in-the-eu",
            "Personal data of people in the EU is processed only in the EU/EEA",
            &["house policy", "GDPR Art. 44-49 met by not transferring"],
            "/acme",
        ),
        rule("tokenise-personal-data", "Personal data leaves as tokens", &["house policy"], "/acme/retail"),
        rule(
            "cards-and-credentials-never-leave",
            "Card numbers and credentials never leave",
            &["PCI DSS 3.4"],
            "/",
        ),
        RuleView {
            mode: s("shadow"),
            ..rule(
                "no-retention",
                "Only endpoints without retention",
                &["under review until January"],
                "/acme",
            )
        },
    ]
}

/// Name, provider, model, region, countries.
type Place = (&'static str, &'static str, &'static str, Option<&'static str>, &'static [&'static str]);

const PLACES: [Place; 7] = [
    ("azure-sweden", "Azure OpenAI", "gpt-4o", Some("swedencentral"), &["SE"]),
    ("vllm-frankfurt", "own vLLM", "mistral-large", Some("on premises"), &["DE"]),
    ("mistral-eu", "Mistral", "mistral-large-latest", None, &["FR", "SE"]),
    (
        "bedrock-eu",
        "Amazon Bedrock",
        "eu.anthropic.claude-sonnet-4-5",
        Some("eu-central-1"),
        &["DE", "ES", "FR", "IE", "IT", "SE"],
    ),
    ("openai-us", "OpenAI", "gpt-4o-2024-11-20", None, &["US"]),
    ("bedrock-us-east-1", "Amazon Bedrock", "anthropic.claude-sonnet-4-5", Some("us-east-1"), &["US"]),
    ("someone-new", "someone-new.example", "gpt-4o", None, &[]),
];

fn endpoints(row: &DecisionRow) -> Vec<EndpointView> {
    let eu = row.scope == "/acme/retail/support";
    let (mut eligible, mut excluded) = (Vec::new(), Vec::new());
    for (name, provider, model, region, countries) in PLACES {
        let inside = !countries.is_empty() && !countries.contains(&"US");
        let out = (eu && !inside) || countries.is_empty() || row.outcome == Outcome::Denied && inside;
        let mut exclusions = Vec::new();
        if out && (!inside || countries.is_empty()) {
            exclusions.push(stays_in_the_eu(countries));
            if countries.is_empty() {
                exclusions.push(public_only());
            }
        } else if out {
            exclusions.push(other_model(name));
        }
        let view = EndpointView {
            name: s(name),
            provider: s(provider),
            model: s(model),
            region: region.map(s),
            countries: countries.iter().map(|code| s(code)).collect(),
            simulated: true,
            eligible: false,
            rank: None,
            exclusions,
        };
        if out { excluded.push(view) } else { eligible.push(view) }
    }
    // The chosen one stands first.
    eligible.sort_by_key(|endpoint| Some(&endpoint.name) != row.endpoint.as_ref());
    let ranked = eligible.into_iter().zip(1..).map(|(endpoint, rank)| EndpointView {
        eligible: true,
        rank: Some(rank),
        ..endpoint
    });
    ranked.chain(excluded).collect()
}

fn stays_in_the_eu(countries: &[&str]) -> Exclusion {
    let unknown = countries.is_empty();
    Exclusion {
        rule: Some(s("eu-personal-data-stays-in-the-eu")),
        reason: s(if unknown {
            "Nothing is known about where it processes."
        } else {
            "It processes outside of the EU/EEA."
        }),
        attribute: Some(s("processing_countries")),
        required: Some(s("within EU, EEA")),
        actual: (!unknown).then(|| s("US")),
        evidence: if unknown {
            Vec::new()
        } else {
            vec![EvidenceView {
                url: s("https://developers.openai.com/api/docs/guides/your-data"),
                says: s("Without a regional project, requests are processed in the United States."),
                observed: s("2026-11-12"),
            }]
        },
        fix: Some(s(if unknown {
            "a fact for processing_countries with its evidence"
        } else {
            "a project with EU data residency, attested in the bundle"
        })),
    }
}

fn public_only() -> Exclusion {
    Exclusion {
        rule: Some(s("unknown-providers-get-public-data-only")),
        reason: s("A provider about whom nothing is known gets public data only."),
        attribute: Some(s("operator_countries")),
        required: Some(s("known")),
        actual: None,
        evidence: Vec::new(),
        fix: None,
    }
}

fn other_model(name: &str) -> Exclusion {
    Exclusion {
        rule: None,
        reason: format!("{name} does not serve the model that was asked for."),
        attribute: None,
        required: None,
        actual: None,
        evidence: Vec::new(),
        fix: None,
    }
}

fn attempts(row: &DecisionRow) -> Vec<AttemptView> {
    let attempt = |number, endpoint: &str, outcome: &str, ok, status| AttemptView {
        number,
        endpoint: s(endpoint),
        outcome: s(outcome),
        ok,
        status,
        first_byte_micros: ok.then_some(284_100),
        micros: Some(if ok { 812_400 } else { 30_000_000 }),
    };
    match row.outcome {
        Outcome::Denied => Vec::new(),
        Outcome::Failed => vec![
            attempt(1, "mistral-eu", "upstream_timeout", false, None),
            attempt(2, "vllm-frankfurt", "upstream_unavailable", false, Some(503)),
        ],
        _ if row.dry_run => Vec::new(),
        _ => vec![attempt(1, row.endpoint.as_deref().unwrap_or_default(), "answered", true, Some(200))],
    }
}

fn money(row: &DecisionRow) -> MoneyView {
    let budget = |holder: &str, spent_nanos, limit_nanos| BudgetView {
        holder: s(holder),
        window: s("month"),
        spent_nanos,
        limit_nanos,
    };
    MoneyView {
        reserved_nanos: 18_240_000,
        settled_nanos: row.cost_nanos,
        input_tokens: row.cost_nanos.map(|_| 612),
        output_tokens: row.cost_nanos.map(|_| 184),
        reported: row.outcome == Outcome::Allowed,
        budgets: vec![
            budget(&row.scope, 37_120_000_000, 40_000_000_000),
            budget("/acme", 212_480_000_000, 1_000_000_000_000),
        ],
    }
}
