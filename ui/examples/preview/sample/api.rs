//! What the API of an invented organisation answers.

use bailiwick_ui::api::{Call, Problem};
use serde_json::{Value, json};

use super::{NOW, endpoints, policy};

pub(crate) const SCOPES: [&str; 5] =
    ["/acme", "/acme/clinic", "/acme/research", "/acme/retail", "/acme/retail/support"];

pub(super) const HOUR: i64 = 3_600_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// What would be a secret.
pub(crate) const SECRET: &str = "bwk_preview_this-is-no-key";

/// A signed tree head, as the API answers it: a text.
const CHECKPOINT: &str = "gateway.example/log\n48\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— gateway.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

/// Markup, as somebody may try it in a name.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>";

pub(crate) fn answer(call: &Call, unused: bool) -> Result<Value, Problem> {
    let path = call.target.split('?').next().unwrap_or_default();
    let body = call.body.clone().unwrap_or_default();
    let refused = |value: Value| Err(serde_json::from_value(value).expect("a problem"));
    if call.method.as_str() == "GET" {
        return Ok(match path {
            "/api/v1/keys" if unused => json!({ "keys": [], "next": null }),
            "/api/v1/keys" => json!({ "keys": keys(), "next": null }),
            "/api/v1/budgets" if unused => json!({ "budgets": [], "next": null }),
            "/api/v1/budgets" => json!({ "budgets": of_key(call, budgets()), "next": null }),
            "/api/v1/limits" if unused => json!({ "limits": [], "next": null }),
            "/api/v1/limits" => json!({ "limits": of_key(call, limits()), "next": null }),
            "/api/v1/me" => json!({ "subject": "user:ada" }),
            "/api/v1/requests" if unused => json!({ "requests": [], "next": null }),
            "/api/v1/requests" => json!({ "requests": requests(), "next": null }),
            "/api/v1/endpoints" if unused => json!({ "endpoints": [], "next": null, "unusable": [] }),
            "/api/v1/endpoints" => json!({ "endpoints": endpoints::list(), "next": null, "unusable": [] }),
            "/api/v1/endpoints/matrix" => endpoints::matrix(unused),
            "/api/v1/endpoints/explain" => endpoints::explain(),
            "/api/v1/policy" => policy::status(unused),
            "/api/v1/people" => people(unused),
            "/api/v1/sessions" => sessions(unused),
            "/api/v1/reached" => reached(call, unused),
            "/api/v1/policy/rules" => policy::rules(unused),
            "/api/v1/audit/checkpoint" => json!(CHECKPOINT),
            "/api/v1/audit/public-key" => json!("acme+3f2a91c0+AYHk1w2fQd0sV0m3c9"),
            "/api/v1/compliance" => policy::compliance(unused),
            "/api/v1/kill-switches" if unused => json!({ "kill_switches": [], "next": null }),
            "/api/v1/kill-switches" => json!({ "kill_switches": endpoints::switches(), "next": null }),
            _ => match path.strip_prefix("/api/v1/keys/") {
                Some(id) => match keys().into_iter().find(|key| key["id"] == id) {
                    Some(key) => key,
                    None => {
                        return refused(
                            json!({ "status": 404, "code": "not_found", "title": "There is no such key" }),
                        );
                    }
                },
                None => {
                    return refused(
                        json!({ "status": 404, "code": "not_found", "title": "There is no such path" }),
                    );
                }
            },
        });
    }
    match path {
        "/api/v1/keys" if body["name"] == "taken" => refused(json!({
            "status": 409, "code": "conflict", "title": "The scope has a key of that name",
            "detail": "k7f3 of /acme/research is called `taken`", "fix": "give the new one another name",
        })),
        "/api/v1/keys" if body["budget_usd"] == "much" => refused(json!({
            "status": 400, "code": "invalid_request", "title": "The request is not right",
            "detail": "`/budget_usd`: `much` is no amount of US dollars",
            "errors": [{ "pointer": "/budget_usd", "detail": "`much` is no amount of US dollars" }],
        })),
        "/api/v1/keys" => Ok(json!({ "id": "q4m8t2z9", "key": SECRET })),
        "/api/v1/requests" if body["kind"] == "key" => Ok(json!({ "id": "req_9", "key": SECRET })),
        "/api/v1/requests" => Ok(json!({ "id": "req_9" })),
        _ if path.ends_with("/rotate") => Ok(json!({ "id": "k3v9d1x7", "key": SECRET })),
        _ if path.ends_with("/revoke") => refused(json!({
            "status": 403, "code": "step_up_required", "title": "Show once more who you are",
        })),
        _ => Ok(json!({})),
    }
}

fn people(unused: bool) -> Value {
    let person = |id: &str, name: Value, email: Value, roles: Value, disabled: Option<i64>| {
        json!({
            "id": id, "name": name, "email": email, "roles": roles, "created_ms": NOW - 90 * DAY, "disabled_ms": disabled,
            "deprovisioned_ms": null, "erased_ms": null, "joined_into": null,
            "identities": [{ "provider": "corp", "subject": id, "groups": ["compliance", HOSTILE], "claims": {}, "seen_ms": NOW }],
        })
    };
    let held = |role: &str, scope: &str| json!([{ "role": role, "scope": scope }]);
    let all = [
        person("p1", json!("Ada Example"), json!("ada@acme.example"), held("auditor", "/acme"), None),
        person("p2", json!(HOSTILE), Value::Null, held("developer", "/acme/research"), Some(NOW - DAY)),
        person("p3", Value::Null, Value::Null, json!([]), None),
    ];
    json!({ "people": if unused { &[][..] } else { &all[..] }, "next": null })
}

fn sessions(unused: bool) -> Value {
    let session = |id: &str, person: &str, ago: i64, this: bool| {
        json!({
            "id": id, "person": person, "method": "oidc", "provider": "corp", "created_ms": NOW - ago,
            "seen_ms": NOW - 60_000, "expires_ms": NOW + 8 * HOUR, "this": this,
        })
    };
    let all = [session("cs_1", "p1", HOUR, true), session("cs_2", "p2", 3 * HOUR, false)];
    json!({ "sessions": if unused { &[][..] } else { &all[..] }, "next": null })
}

/// What reached an endpoint; with a name of its own, nothing.
fn reached(call: &Call, unused: bool) -> Value {
    let none = unused || call.target.contains("endpoint=quiet");
    let sent: Vec<Value> = (0..if none { 0 } else { 6 })
        .map(|at| {
            json!({
                "time_ms": NOW - at * 91_000, "decision": format!("dec_01jdb8m4k{at:02}x7q2r9v5t0w3yz"),
                "kind": if at == 2 { "detector" } else { "attempt" }, "number": 1 + at % 2, "endpoint": "openai-us",
                "countries": ["US"], "simulated": true, "model": "gpt-4o-mini", "scope": "/acme/research",
                "key": "x8q1l7f5", "key_name": if at == 3 { HOSTILE } else { "notebooks" },
                "data_classes": if at == 0 { vec!["personal"] } else { Vec::new() },
                "redactions": if at == 0 { json!("EMAIL=2,IBAN=1") } else { Value::Null },
                "outcome": if at == 4 { "failed" } else { "allowed" },
            })
        })
        .collect();
    let next = if none { Value::Null } else { json!("bmV4dA") };
    json!({ "reached": sent, "next": next, "undisclosed": i64::from(!none), "endpoints": ["openai-us"] })
}

/// Those of the key that is asked for.
fn of_key(call: &Call, mut all: Vec<Value>) -> Vec<Value> {
    if let Some((_, key)) = call.target.split_once("&key=") {
        all.retain(|one| one["key"] == key);
    }
    all
}

fn key(id: &str, scope: &str, name: &str, state: &str, used: Option<i64>, settings: &Value) -> Value {
    json!({
        "id": id, "scope": scope, "name": name, "state": state, "created_ms": NOW - 90 * DAY,
        "expires_ms": null, "last_used_ms": used, "disabled_ms": null, "disabled_because": null,
        "revoked_ms": null, "revoked_because": null, "rotated_to": null, "overlap_until_ms": null,
        "settings": settings,
    })
}

fn keys() -> Vec<Value> {
    let mut keys = vec![
        key(
            "k3v9d1x7",
            "/acme/retail/support",
            "support",
            "valid",
            Some(NOW - 42_000),
            &json!({
                "models": ["gpt-4o", "mistral-large"], "endpoints": ["azure-*", "mistral-eu"], "environment": "production",
                "requests_per_minute": 600, "tags": ["chat"], "allowed_networks": ["10.20.0.0/16"],
                "max_sensitivity": "confidential", "max_data_classes": ["personal", "pci"],
                "subject_regions": ["DE", "AT"], "data_classes": ["personal"],
            }),
        ),
        key("h2b6n8s4", "/acme/retail/support", "support", "valid", Some(NOW - 20 * HOUR), &json!({})),
        key(
            "c9w5r1j3",
            "/acme/clinic",
            "clinic",
            "valid",
            Some(NOW - 3 * HOUR),
            &json!({ "environment": "production" }),
        ),
        key(
            "p6t4y2m8",
            "/acme/clinic",
            HOSTILE,
            "disabled",
            Some(NOW - 9 * DAY),
            &json!({ "tags": [HOSTILE] }),
        ),
        key("x8q1l7f5", "/acme/research", "notebooks", "valid", None, &json!({ "models": ["gpt-4o-mini"] })),
        key("d5z3k9v2", "/acme/research", "thesis", "expired", Some(NOW - 80 * DAY), &json!({})),
        key("b7j2g6h1", "/acme/research", "crawler", "revoked", Some(NOW - 30 * DAY), &json!({})),
    ];
    keys[1]["rotated_to"] = json!("k3v9d1x7");
    keys[1]["overlap_until_ms"] = json!(NOW + 4 * HOUR);
    keys[3]["disabled_because"] = json!("sends twice as much as it should");
    keys[4]["expires_ms"] = json!(NOW + 38 * DAY);
    keys[5]["expires_ms"] = json!(NOW - 2 * DAY);
    keys[6]["revoked_ms"] = json!(NOW - 30 * DAY);
    keys[6]["revoked_because"] = json!("found in a public repository");
    keys
}

fn budgets() -> Vec<Value> {
    let one = |id: i64, of: Value, window: &str, amounts: [&str; 3], reached: &[u16]| {
        let mut budget = json!({
            "id": id, "name": "budget", "window": window, "window_start_ms": NOW - 21 * DAY,
            "forgets_ms": if window == "total" { Value::Null } else { json!(NOW + 8 * DAY) }, "hard": id != 5,
            "declared_usd": amounts[2], "limit_usd": amounts[2], "carried_over_usd": "0", "settled_usd": amounts[0],
            "reserved_usd": amounts[1], "thresholds": [50, 80, 100], "reached": reached, "top_ups": [],
        });
        for (name, value) in of.as_object().expect("an object") {
            budget[name] = value.clone();
        }
        budget
    };
    let mut budgets = vec![
        one(1, json!({ "scope": "/acme" }), "month in Europe/Berlin", ["4210.55", "12.4", "10000"], &[]),
        one(
            2,
            json!({ "scope": "/acme/retail/support" }),
            "month in Europe/Berlin",
            ["1733.02", "61.9", "2000"],
            &[50, 80],
        ),
        one(3, json!({ "scope": "/acme/retail/support" }), "last 24 hours", ["58.20", "61.9", "150"], &[]),
        one(4, json!({ "scope": "/acme/clinic" }), "month in Europe/Berlin", ["212.9", "0", "1500"], &[]),
        one(
            5,
            json!({ "scope": "/acme/research", "models": "large" }),
            "quarter",
            ["3120.5", "0", "3000"],
            &[50, 80, 100],
        ),
        one(6, json!({ "key": "x8q1l7f5" }), "month", ["0.000412", "0", "25"], &[]),
        one(7, json!({ "user": "u-204" }), "total", ["31.4", "0", "50"], &[50]),
    ];
    budgets[1]["top_ups"] = json!([{
        "id": "top_1", "amount_usd": "250", "from_ms": NOW - 3 * DAY, "until_ms": NOW + 8 * DAY,
        "reason": "Black Friday", "principal": "user:ada",
    }]);
    budgets
}

fn limits() -> Vec<Value> {
    vec![
        json!({ "id": 11, "scope": "/acme/research", "key": null, "user": null, "models": null, "counts": "tokens",
            "window": "last 60 seconds", "limit": 200_000, "used": 41_250, "held": 12_000 }),
        json!({ "id": 12, "scope": null, "key": "k3v9d1x7", "user": null, "models": null, "counts": "requests",
            "window": "last 60 seconds", "limit": 600, "used": 118, "held": 4 }),
    ]
}

fn requests() -> Vec<Value> {
    let one = |id: &str, kind: &str, scope: &str, by: &str, reason: &str, state: &str, wanted: Value| {
        json!({
            "id": id, "kind": kind, "scope": scope, "asked_by": by, "reason": reason, "state": state, "wanted": wanted,
            "created_ms": NOW - 5 * HOUR, "expires_ms": NOW + 13 * DAY, "until_ms": null, "decided_by": null,
            "decided_because": null, "decided_ms": null, "made": null,
        })
    };
    let mut requests = vec![
        one(
            "req_1",
            "budget_raise",
            "/acme/retail/support",
            "user:grace",
            "Black Friday doubles the chats",
            "open",
            json!({ "budget": 2, "amount_usd": "500", "until": "window" }),
        ),
        one(
            "req_2",
            "key",
            "/acme/research",
            "user:ada",
            "Trying the new model in notebooks",
            "open",
            json!({ "key": { "name": "notebook" }, "id": "z1" }),
        ),
        one(
            "req_3",
            "exception",
            "/acme/clinic",
            "user:mary",
            HOSTILE,
            "approved",
            json!({ "rule": "health-data-needs-a-baa", "scope": "/acme/clinic", "until": "2026-12-01T00:00:00Z" }),
        ),
        one(
            "req_4",
            "content_access",
            "/acme/retail",
            "token:t81",
            "Complaint 1182",
            "refused",
            json!({ "scope": "/acme/retail", "until": "2026-12-01T00:00:00Z" }),
        ),
    ];
    for (at, because) in [(2, "Agreed in the review"), (3, "The receipt is enough")] {
        requests[at]["decided_by"] = json!("user:ada");
        requests[at]["decided_ms"] = json!(NOW - HOUR);
        requests[at]["decided_because"] = json!(because);
    }
    requests[2]["until_ms"] = json!(NOW + 9 * DAY);
    requests[2]["made"] = json!({
        "path": "exceptions/req-3.yaml",
        "yaml": "id: req-3\nrule: health-data-needs-a-baa\nscope: /acme/clinic\nreason: Migration of the old records\n",
    });
    requests
}
