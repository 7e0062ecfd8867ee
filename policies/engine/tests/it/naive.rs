//! What `docs/reference/policy.md` says that a bundle means, worked out slowly from its text. Nothing of the engine is used
//! here: rules are read as plain values, facts as JSON, regions are lists. Of endpoints' attributes only the compliance
//! database's answer is taken, as JSON.

use bailiwick_compliance_db::{Attestation, Attribute, Context, Database, EndpointProfile};
use bailiwick_policy::{BundleSource, Endpoint, RequestFacts};
use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// From weakest to strongest.
const SENSITIVITIES: [&str; 4] = ["public", "internal", "confidential", "restricted"];
const HOWS: [&str; 5] = ["surrogate", "token", "hash", "mask", "drop"];

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) outcome: &'static str,
    pub(crate) candidates: Vec<String>,
    pub(crate) eligible: Vec<String>,
    pub(crate) applied: Vec<String>,
    pub(crate) denied_by: Vec<String>,
    pub(crate) waived: Vec<String>,
    /// In shadow mode: whether the rule would refuse, whom it would exclude, and what else it would change.
    pub(crate) shadow: BTreeMap<String, (bool, Vec<String>, Vec<&'static str>)>,
    pub(crate) request: BTreeMap<String, Value>,
    pub(crate) response: BTreeMap<String, Value>,
    pub(crate) obligations: Value,
}

fn documents(source: &BundleSource, folder: &str) -> Vec<Value> {
    let files = source.files.iter().filter(|(path, _)| path.starts_with(folder));
    files
        .flat_map(|(_, text)| serde_norway::Deserializer::from_str(text))
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn countries(regions: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for region in strings(regions) {
        match region.as_str() {
            "EU" => out.extend(EU.map(str::to_owned)),
            "EEA" => out.extend(EU.into_iter().chain(["IS", "LI", "NO"]).map(str::to_owned)),
            country => out.push(country.to_owned()),
        }
    }
    out
}

/// A list of names in which a closing `*` stands for the rest.
fn named(list: &Value, name: &str) -> bool {
    strings(list).iter().any(|pattern| match pattern.split_once('*') {
        Some((start, "")) => name.len() >= start.len() && name.as_bytes()[..start.len()] == *start.as_bytes(),
        _ => pattern == name,
    })
}

/// By whole segments.
fn holds_in(scope: &str, request: &str) -> bool {
    let segments = |path: &str| -> Vec<String> {
        path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect()
    };
    let (over, under) = (segments(scope), segments(request));
    under.len() >= over.len() && under[..over.len()] == over[..]
}

fn common(a: &[String], b: &[String]) -> bool {
    a.iter().any(|x| b.contains(x))
}

fn instant(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap().timestamp_millis()
}

/// All conditions must hold, and one that is unknown holds.
fn conditions_hold(when: &Value, facts: &Value) -> bool {
    let role = |r: &String| r.strip_prefix("role:").unwrap_or(r).to_owned();
    when.as_object().into_iter().flatten().all(|(key, wanted)| {
        let wants = strings(wanted);
        match key.as_str() {
            "data" => {
                common(&wants, &strings(&facts["classes"]["yes"]))
                    || common(&wants, &strings(&facts["classes"]["unknown"]))
            }
            "sensitivity" => {
                let level = |v: &Value| SENSITIVITIES.iter().position(|s| v == s).unwrap();
                level(&facts["sensitivity"]) >= level(&wanted["at_least"])
            }
            "subject_region" => {
                let declared = strings(&facts["subject_regions"]);
                declared.is_empty() || common(&countries(wanted), &declared)
            }
            "controller" => match facts["controller"].as_str() {
                Some(country) => countries(wanted).iter().any(|c| c == country),
                None => true,
            },
            "purpose" => match facts["purpose"].as_str() {
                Some(purpose) => wants.iter().any(|w| w == purpose),
                None => true,
            },
            "model" => named(wanted, facts["model"].as_str().unwrap()),
            "operation" => wants.iter().any(|o| facts["operation"] == o.as_str()),
            "features" => common(&wants, &strings(&facts["features"])),
            "tools" => strings(&facts["tools"]).iter().any(|tool| named(wanted, tool)),
            "entities" => wants.iter().any(|e| facts["entities"].get(e).is_some_and(|n| *n != json!(0))),
            "role" => {
                let held: Vec<String> = strings(&facts["principal"]["roles"]).iter().map(role).collect();
                wants.iter().map(role).any(|w| held.contains(&w))
            }
            other => panic!("a condition that nobody wrote: {other}"),
        }
    })
}

fn refuses(rule: &Value, facts: &Value) -> bool {
    rule["deny"] == true
        || rule.get("allow_models").is_some_and(|list| !named(list, facts["model"].as_str().unwrap()))
        || rule
            .get("deny_tools")
            .is_some_and(|list| strings(&facts["tools"]).iter().any(|tool| named(list, tool)))
}

/// What is unknown meets no requirement.
fn meets(required: &Value, known: &Value) -> bool {
    if known.is_null() {
        return false;
    }
    if required.get("known").is_some() {
        return true;
    }
    if let Some(regions) = required.get("within") {
        let allowed = countries(regions);
        return known["worldwide"] == false
            && strings(&known["countries"]).iter().all(|c| allowed.contains(c));
    }
    if let Some(days) = required.get("at_most") {
        return known.as_u64().is_some_and(|kept| kept <= days.as_u64().unwrap());
    }
    match known {
        // Every ground in use must be in the list.
        Value::Array(used) => {
            !used.is_empty() && used.iter().all(|ground| required.as_array().unwrap().contains(ground))
        }
        Value::String(hosting) => strings(required).contains(hosting) || required == hosting,
        other => other == required,
    }
}

/// Of two redactions the stronger wins; nothing is put back unless both say so; the lower confidence holds.
fn redact(plan: &mut BTreeMap<String, Value>, rule: &Value, direction: &str) {
    let Some(redact) = rule.get("redact") else { return };
    let way = redact.get("direction").and_then(Value::as_str).unwrap_or("both");
    if way != "both" && way != direction {
        return;
    }
    let strength = |how: &Value| HOWS.iter().position(|h| how == h).unwrap();
    for entity in strings(&redact["entities"]) {
        let secret = entity == "CREDENTIAL" || entity == "JWT";
        let entry = plan.entry(entity).or_insert_with(
            || json!({ "how": "surrogate", "text": true, "tool_arguments": true, "min_confidence": 100 }),
        );
        if strength(&redact["how"]) > strength(&entry["how"]) {
            entry["how"] = redact["how"].clone();
        }
        for key in ["text", "tool_arguments"] {
            entry[key] = json!(entry[key] == true && redact["restore"][key] == true);
        }
        let lower = entry["min_confidence"].as_u64().unwrap().min(redact["min_confidence"].as_u64().unwrap());
        entry["min_confidence"] = json!(lower);
        // Credentials are never put back, so nothing that is meant to be stands for them.
        if secret && strength(&entry["how"]) < strength(&json!("hash")) {
            entry["how"] = json!("hash");
        }
        if strength(&entry["how"]) >= strength(&json!("hash")) {
            entry["text"] = json!(false);
            entry["tool_arguments"] = json!(false);
        }
    }
}

pub(crate) fn decide(
    source: &BundleSource,
    attestations: &[Attestation],
    database: &Database,
    endpoints: &[Endpoint],
    request: &RequestFacts,
) -> Expected {
    let facts = serde_json::to_value(request).unwrap();
    let mut out = Expected::default();
    let exceptions = documents(source, "exceptions/");
    let mut enforced = Vec::new();
    let mut shadows = Vec::new();
    for rule in documents(source, "rules/") {
        let id = rule["id"].as_str().unwrap().to_owned();
        let scope = rule.get("scope").and_then(Value::as_str).unwrap_or("/");
        let mode = rule.get("mode").and_then(Value::as_str).unwrap_or("enforce");
        let when = rule.get("when").cloned().unwrap_or_default();
        if mode == "off" || !holds_in(scope, &request.scope) || !conditions_hold(&when, &facts) {
            continue;
        }
        let waived = exceptions.iter().any(|exception| {
            exception["rule"] == id.as_str()
                && holds_in(exception["scope"].as_str().unwrap(), &request.scope)
                && instant(&exception["from"]) <= request.time_ms
                && request.time_ms < instant(&exception["until"])
        });
        if waived {
            out.waived.push(id);
        } else if mode == "enforce" {
            out.applied.push(id);
            enforced.push(rule);
        } else {
            shadows.push((id, rule));
        }
    }

    let seen: Vec<Attestation> = attestations
        .iter()
        .filter(|a| a.scope.as_deref().is_none_or(|scope| holds_in(scope, &request.scope)))
        .cloned()
        .collect();
    let context = Context {
        now: DateTime::from_timestamp_millis(request.time_ms).unwrap(),
        max_evidence_age_days: 365,
        attestations: &seen,
        features: request.features,
    };
    let all_met = |rule: &Value, profile: &EndpointProfile| {
        rule.get("require").and_then(Value::as_object).into_iter().flatten().all(|(attribute, required)| {
            let attribute: Attribute = serde_json::from_value(json!(attribute)).unwrap();
            let known = database.resolve(profile, attribute, &context).value;
            meets(required, &serde_json::to_value(known).unwrap())
        })
    };

    out.denied_by = enforced
        .iter()
        .filter(|r| refuses(r, &facts))
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect();
    let mut met = Vec::new();
    for endpoint in endpoints {
        let Some(model) = endpoint.models.iter().find(|m| m.alias == request.model) else { continue };
        let operations = model.operations.as_ref().unwrap_or(&endpoint.operations);
        if !holds_in(&endpoint.scope, &request.scope)
            || !operations.contains(&request.operation)
            || !endpoint.operations.contains(&request.operation)
            || request.allowed_endpoint_names.as_ref().is_some_and(|names| !names.contains(&endpoint.name))
        {
            continue;
        }
        out.candidates.push(endpoint.name.clone());
        let mut profile = endpoint.profile.clone();
        profile.name.clone_from(&endpoint.name);
        // A prefix of an inference profile decides where it goes; the random endpoints declare none.
        match model.upstream.strip_prefix("eu.").filter(|_| endpoint.profile.service == "amazon-bedrock") {
            Some(rest) => {
                profile.model = rest.to_owned();
                profile.profile = Some("eu".to_owned());
            }
            None => profile.model.clone_from(&model.upstream),
        }
        if enforced.iter().all(|rule| all_met(rule, &profile)) {
            met.push((endpoint.name.clone(), profile));
        }
    }
    for (id, rule) in shadows {
        let would_exclude: Vec<String> = met
            .iter()
            .filter(|(_, profile)| !all_met(&rule, profile))
            .map(|(name, _)| name.clone())
            .collect();
        let would_refuse = refuses(&rule, &facts);
        let would_change = changes(&rule, &enforced, &facts);
        if would_refuse || !would_exclude.is_empty() || !would_change.is_empty() {
            out.shadow.insert(id, (would_refuse, would_exclude, would_change));
        }
    }
    if out.denied_by.is_empty() {
        out.eligible = met.into_iter().map(|(name, _)| name).collect();
    }
    out.outcome = match (out.denied_by.is_empty(), out.eligible.is_empty()) {
        (false, _) => "policy_denied",
        (true, true) => "no_eligible_endpoint",
        (true, false) => "allow",
    };

    out.obligations = obligations(&enforced);
    out.request = redactions(&enforced, "request");
    out.response = redactions(&enforced, "response");
    out
}

fn redactions(rules: &[Value], direction: &str) -> BTreeMap<String, Value> {
    let mut plan = BTreeMap::new();
    for rule in rules {
        redact(&mut plan, rule, direction);
    }
    plan
}

fn obligations(rules: &[Value]) -> Value {
    let obliged =
        |key: &str| rules.iter().filter_map(|r| r.get("obligations")?.get(key).cloned()).collect::<Vec<_>>();
    let number = |v: &Value| v.as_u64().unwrap();
    json!({
        "cache_denied": !obliged("cache").is_empty(),
        "log_content_denied": !obliged("log_content").is_empty(),
        "retain_days": obliged("retain_days").iter().map(number).max(),
        "max_output_tokens": rules.iter().filter_map(|r| r.get("limit_output_tokens")).map(number).min(),
    })
}

/// What one more rule would change of how the request is handled.
fn changes(rule: &Value, enforced: &[Value], facts: &Value) -> Vec<&'static str> {
    let with: Vec<Value> = enforced.iter().chain([rule]).cloned().collect();
    let held: Vec<&String> =
        facts["entities"].as_object().into_iter().flatten().map(|(kind, _)| kind).collect();
    let (before, after) = (redactions(enforced, "request"), redactions(&with, "request"));
    let mut out = Vec::new();
    if held.into_iter().any(|kind| before.get(kind) != after.get(kind)) {
        out.push("request_redactions");
    }
    if redactions(enforced, "response") != redactions(&with, "response") {
        out.push("response_redactions");
    }
    let (before, after) = (obligations(enforced), obligations(&with));
    if before["max_output_tokens"] != after["max_output_tokens"] {
        out.push("output_limit");
    }
    if ["cache_denied", "log_content_denied", "retain_days"].iter().any(|key| before[key] != after[key]) {
        out.push("obligations");
    }
    out
}
