//! The policy of the invented organisation, and what stands in the way of a newer one.

use serde_json::{Value, json};

use super::api::{DAY, HOSTILE, HOUR};
use super::{DIGEST, NOW};

const COMMIT: &str = "4f1c2ab09d7e65310fa2b8c4d6e8091a2b3c4d5e";

pub(super) fn status(unused: bool) -> Value {
    if unused {
        return json!({
            "source": "starter", "name": "starter", "version": "1", "digest": DIGEST, "git": null, "commit": null,
            "refused": null, "doubts": [], "history": [],
        });
    }
    let commit = |id: &str, ago: i64| {
        json!({
            "id": 3, "source": "git", "commit": id, "digest": DIGEST, "author": "ada@acme.example (SHA256:6Yk…)",
            "approver": "grace@acme.example (SHA256:pW2…)", "since_ms": NOW - ago,
        })
    };
    json!({
        "source": "git", "name": "acme", "version": "2026.11", "digest": DIGEST,
        "git": { "url": "https://git.acme.example/governance/policy.git", "branch": "main", "folder": null,
                 "signatures": true, "approval": true },
        "commit": commit(COMMIT, 3 * DAY),
        "refused": {
            "stage": "check", "commit": "b7e0a1c2d3f4051627384950a1b2c3d4e5f60718", "since_ms": NOW - HOUR,
            "why": "the bundle has faults: nothing of it is in force",
            "problems": ["rules/clinic.yaml:12: `processing_countries` takes `within` or `none_of`", HOSTILE],
        },
        "doubts": ["rules/house.yaml:4: `no-chat-at-night` can never match: its scope `/acme/chat` is not declared"],
        "history": [commit(COMMIT, 3 * DAY), commit("0a9b8c7d6e5f40312213243546576879808a9bac", 40 * DAY)],
    })
}

pub(super) fn rules(unused: bool) -> Value {
    if unused {
        return json!({ "rules": [], "exceptions": [], "attestations": [] });
    }
    json!({
        "rules": [
            {
                "id": "eu-personal-data-stays-in-the-eu", "mode": "enforce", "scope": "/acme",
                "title": "Personal data of people in the EU is processed only in the EU/EEA",
                "because": ["house policy", "GDPR Art. 44 (https://eur-lex.europa.eu/eli/reg/2016/679/oj)"],
                "when": { "data": ["personal", "special_category", "phi"], "subject_region": ["EU", "EEA"] },
                "require": { "processing_countries": { "within": ["EU", "EEA"] }, "trains_on_inputs": false },
                "obligations": { "cache": "deny" }, "file": "rules/gdpr.yaml", "line": 1, "pack": null,
            },
            {
                "id": "redact-contact-data", "mode": "enforce", "scope": "/acme/retail",
                "title": "Contact data of customers leaves as placeholders", "because": ["GDPR Art. 5(1)(c)"],
                "redact": { "entities": ["EMAIL", "PHONE", "IBAN"], "how": "token" },
                "file": "rules/house.yaml", "line": 9, "pack": "gdpr 2026.11.1",
            },
            {
                "id": "hostile", "mode": "shadow", "scope": "/acme/research", "title": HOSTILE, "because": [HOSTILE],
                "deny": true, "file": "rules/house.yaml", "line": 30, "pack": null,
            },
        ],
        "exceptions": [
            { "id": "thesis", "rule": "eu-personal-data-stays-in-the-eu", "scope": "/acme/research", "state": "holds",
              "reason": "A thesis on public parliament records", "approved_by": "dpo@acme.example",
              "until": "2026-12-31T00:00:00Z" },
            { "id": "old", "rule": "redact-contact-data", "scope": "/acme/retail", "state": "over",
              "reason": HOSTILE, "approved_by": "dpo@acme.example", "until": "2026-10-01T00:00:00Z" },
        ],
        "attestations": [
            { "id": "clinic-baa", "kind": "baa", "operator": "aws", "services": ["amazon-bedrock"], "scope": "/acme/clinic",
              "document": "BAA 2026-014", "valid_from": "2026-01-01T00:00:00Z", "valid_to": "2026-12-20T00:00:00Z",
              "state": "holds" },
            { "id": "dpa", "kind": "dpa", "operator": "microsoft", "services": ["*"],
              "document": "https://legal.acme.example/dpa", "valid_from": "2025-05-01T00:00:00Z", "state": "holds" },
        ],
    })
}

pub(super) fn compliance(unused: bool) -> Value {
    let attestations = if unused {
        json!([])
    } else {
        json!([{
            "attestation": "clinic-baa", "kind": "baa", "operator": "aws", "document": "BAA 2026-014", "parties": [],
            "ends": "2026-12-20T00:00:00+00:00", "ended": false,
        }])
    };
    json!({ "source": "binary", "facts": 812, "version": "2026.11.1", "attestations": attestations })
}
