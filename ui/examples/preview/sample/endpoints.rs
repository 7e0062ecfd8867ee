//! Endpoints, what is known of them, and what is stopped.

use serde_json::{Value, json};

use super::NOW;
use super::api::{DAY, HOSTILE, HOUR};

const REGULATIONS: [&str; 11] = [
    "eu_residency",
    "transfer_mechanism",
    "hipaa",
    "zero_data_retention",
    "no_training",
    "pci_dss",
    "gpai_code",
    "soc_2",
    "iso_27001",
    "iso_42001",
    "bsi_c5",
];

/// Name, model, operator, countries, and a letter an answer: y, n, o (only if), u.
const ENDPOINTS: [(&str, &str, &str, &[&str], &str); 6] = [
    ("azure-sweden", "gpt-4o", "microsoft", &["SE", "DE", "FR"], "yyoyyuyyyyy"),
    ("openai-us", "gpt-4o-mini", "openai", &["US"], "nooonuyyyuu"),
    ("bedrock-us-east-1", "claude-sonnet-4-5", "aws", &["US"], "nyoyyyyyyyy"),
    ("bedrock-eu", "claude-sonnet-4-5", "aws", &["DE", "ES", "FR", "IE", "IT", "SE"], "yyoyyyyyyyy"),
    ("mistral-eu", "mistral-large", "mistral", &["FR", "SE"], "yyuoyuyyyuu"),
    ("mystery", HOSTILE, "nimbus-ai", &[], "uuuuuuuuuuu"),
];

pub(super) fn list() -> Vec<Value> {
    ENDPOINTS
        .iter()
        .map(|(name, model, operator, countries, _)| {
            json!({
                "name": name, "scope": "/acme", "operator": operator, "service": format!("{operator}-api"),
                "region": "swedencentral", "countries": countries, "models": [model], "simulated": true,
                "resting": *name == "openai-us",
            })
        })
        .collect()
}

pub(super) fn matrix(unused: bool) -> Value {
    let rows: Vec<Value> = ENDPOINTS
        .iter()
        .filter(|_| !unused)
        .map(|(name, model, _, _, answers)| {
            let judgements: Vec<Value> = REGULATIONS
                .iter()
                .zip(answers.chars())
                .map(|(regulation, letter)| {
                    let (answer, because) = match letter {
                        'y' => ("yes", "within EU, EEA"),
                        'n' => ("no", "US"),
                        'o' => ("only_if", "a BAA is signed"),
                        _ => ("unknown", "no fact says so"),
                    };
                    json!({ "regulation": regulation, "answer": answer, "because": because, "facts": [] })
                })
                .collect();
            json!({ "endpoint": name, "model": model, "upstream": model, "judgements": judgements })
        })
        .collect();
    json!({ "scope": "/acme", "database": "2026.11.1", "rows": rows })
}

pub(super) fn explain() -> Value {
    let fact = |id: &str, says: &str| json!({ "id": id, "evidence": [["https://learn.example/data-residency", says, "2026-10-04"]], "replaces": null });
    let attribute = |name: &str, value: &str, facts: Vec<Value>, missing: Vec<&str>| json!({ "attribute": name, "value": value, "facts": facts, "conflicts": [], "missing": missing, "valid_until": null });
    let mut attributes = vec![
        attribute(
            "processing_countries",
            "SE, DE, FR",
            vec![fact("azure-data-zone", "Prompts are processed within the data zone.")],
            vec![],
        ),
        attribute(
            "trains_on_inputs",
            "false",
            vec![fact("azure-no-training", "Prompts train no model.")],
            vec![],
        ),
        attribute("hipaa_eligible", "unknown", vec![], vec!["baa with microsoft"]),
    ];
    attributes[0]["conflicts"] = json!([["azure-data-zone", "azure-global"]]);
    attributes[1]["valid_until"] = json!("2027-02-01T00:00:00Z");
    json!({ "name": "azure-sweden", "scope": "/acme", "models": [{ "model": "gpt-4o", "upstream": "gpt-4o-2024-11-20", "attributes": attributes }] })
}

pub(super) fn switches() -> Vec<Value> {
    let one = |id: &str, kind: &str, target: &str, reason: &str, state: &str| {
        json!({
            "id": id, "kind": kind, "target": target, "scope": "/acme", "reason": reason, "principal": "user:ada",
            "created_ms": NOW - 2 * HOUR, "expires_ms": NOW + 2 * HOUR, "state": state, "asks_again": state == "expired",
            "lifted_ms": null, "lifted_by": null, "lifted_because": null,
        })
    };
    let mut switches = vec![
        one("ks_1", "endpoint", "openai-us", "Answers others' prompts, see their status page", "in_force"),
        one("ks_2", "transfer_mechanism", "dpf", HOSTILE, "expired"),
        one("ks_3", "model", "gpt-4o-mini", "Leaks its system prompt", "lifted"),
    ];
    switches[1]["expires_ms"] = json!(NOW - HOUR);
    switches[2]["lifted_ms"] = json!(NOW - 9 * DAY);
    switches[2]["lifted_by"] = json!("user:grace");
    switches[2]["lifted_because"] = json!("Fixed by the provider");
    switches
}
