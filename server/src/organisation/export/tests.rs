//! What is written makes the same again, in an empty database too.

use bailiwick_compliance_db::{Declared, EndpointProfile};
use bailiwick_policy::ModelAlias;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::credentials::VaultSecret;
use crate::organisation::{
    Applied, Applying, ClientCertificate, EndpointDefinition, LongContextUsd, PriceChange, PriceUsd,
    WorkloadDefinition,
};
use crate::providers::AnalyzerSettings;

async fn apply(store: &Store, wanted: &Organisation, now_ms: i64) -> Applied {
    crate::organisation::apply(store, wanted, &Applying::default(), now_ms).await.unwrap()
}

async fn apply_all(store: &Store, wanted: &Organisation, now_ms: i64) -> Vec<String> {
    let how = Applying { prune: true, ..Applying::default() };
    crate::organisation::apply(store, wanted, &how, now_ms).await.unwrap().ended.pruned
}

const NOW_MS: i64 = 1_000;

fn organisation(value: Value) -> Organisation {
    serde_json::from_value(value).unwrap()
}

struct Db {
    store: Store,
    _folder: tempfile::TempDir,
}

async fn empty() -> Db {
    let folder = tempfile::tempdir().unwrap();
    Db { store: Store::open_in(folder.path()).await.unwrap(), _folder: folder }
}

/// Writes what is there, applies it to an empty database and writes that; both are the same, and where it came from
/// nothing would change by it.
async fn comes_back(store: &Store) -> Organisation {
    let written = export(store, NOW_MS).await.unwrap();
    assert_eq!(differences(store, &written, true, NOW_MS).await.unwrap(), []);
    for text in [serde_json::to_string(&written).unwrap(), serde_norway::to_string(&written).unwrap()] {
        let read: Organisation = serde_norway::from_str(&text).unwrap();
        assert_eq!(read, written, "{text}");
    }
    let other = empty().await;
    apply(&other.store, &written, NOW_MS).await;
    let again = export(&other.store, NOW_MS).await.unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&written).unwrap());
    assert_eq!(differences(&other.store, &written, true, NOW_MS).await.unwrap(), []);
    other.store.close().await;
    written
}

/// Every field of everything.
fn whole() -> Value {
    json!({
        "scopes": [{ "path": "/" , "sensitivity": "internal" }, { "path": "/acme", "controller": "DE",
            "subject_regions": ["EU"], "data_classes": ["personal"], "opaque_content": "as_declared" },
            { "path": "/acme/empty" }],
        "credentials": [{ "name": "sealed", "scope": "/acme", "sealed": true }, { "name": "env", "env": "KEY" },
            { "name": "file", "scope": "/acme", "file": "/run/key" },
            { "name": "vault", "vault": { "mount": "kv", "path": "a/b", "field": "f" } }],
        "endpoints": [
            { "name": "one", "scope": "/acme", "dialect": "vllm", "base_url": "https://one.example",
              "models": [{ "alias": "a", "upstream": "b", "operations": ["chat_completions"] }], "credential": "sealed",
              "operations": ["chat_completions", "embeddings"],
              "client_certificate": { "certificate": "/run/own.pem", "key": "/run/own.key" }, "allow_plain_http": true,
              "profile": { "name": "one", "developer": "somebody", "operator": "self", "service": "vllm", "model": "b",
                  "version": "1", "hosting_option": "h", "profile": "eu", "source_region": "r", "tier": "t",
                  "declared": { "countries": ["DE"], "hosting": "on_premises", "retention_days": 0 } },
              "price": { "input": "0.1", "cached_input": "0.01", "cache_write": "0.2", "cache_write_1h": "0.3",
                  "image_input": "1", "audio_input": "2", "output": "0.4", "reasoning": "0.5", "image_output": "3",
                  "audio_output": "4", "requests": "5", "web_searches": "10000",
                  "long_context": { "above_input_tokens": 200000, "input": "0.2", "cached_input": "0.02", "output": "0.8" } },
              "markup_percent": "5",
              "price_changes": [{ "from": "2027-01-01", "price": { "input": "1", "output": "2" }, "markup_percent": "7.5" }],
              "first_byte_timeout_s": 5, "idle_timeout_s": 6, "simulated": true },
            { "name": "three", "scope": "/acme", "dialect": "openai", "preset": "groq", "credential": "env",
              "models": [{ "alias": "e", "upstream": "f" }],
              "profile": { "name": "three", "operator": "groq", "service": "groq", "model": "f" } },
            { "name": "four", "scope": "/acme", "dialect": "vllm", "base_url": "https://four.example", "credential": "file",
              "models": [{ "alias": "n", "upstream": "n" }], "operations": ["analyze"],
              "analyzer": { "language": "de", "min_confidence": 60, "deadline_ms": 600, "at_once": 2,
                  "kinds": { "EMAIL_ADDRESS": "EMAIL" } },
              "profile": { "name": "four", "operator": "self", "service": "presidio", "model": "n" } },
            { "name": "two", "scope": "/acme/lab", "dialect": "openai", "base_url": "https://two.example",
              "models": [{ "alias": "c", "upstream": "d" }], "credential": { "env": "TWO" },
              "profile": { "name": "two", "operator": "openai", "service": "openai-api", "model": "d" } }],
        "model_groups": [{ "name": "g", "models": ["a", "c*"] }],
        "budgets": [
            { "scope": "/acme", "window": "quarter", "limit_usd": "1200.50", "thresholds": [80, 50] },
            { "scope": "/acme", "models": "g", "window": "last 24 hours", "limit_usd": "40", "hard": false },
            { "user": "u", "window": "month in Europe/Berlin", "limit_usd": "100", "carry_over_usd": "25" },
            { "key": "app", "window": "day", "limit_usd": "2.50", "lower_output": true },
            { "key": "/acme/lab/same", "window": "total", "limit_usd": "1" }],
        "limits": [{ "scope": "/acme", "requests": 600, "per": "minute" }, { "user": "u", "spend_usd": "5", "per": "day" },
            { "scope": "/acme/lab", "models": "g", "tokens": 7, "per": "hour" }, { "key": "app", "concurrent": 4 }],
        "keys": [
            { "scope": "/acme", "name": "app", "expires": "2027-06-30T00:00:00Z", "models": ["a"], "purposes": ["p"],
              "roles": ["application"], "requests_per_minute": 120, "owner": "u", "environment": "staging",
              "tags": ["t"], "endpoints": ["o*"], "allowed_networks": ["10.0.0.0/8"], "data_classes": ["phi"],
              "max_data_classes": ["phi"], "max_sensitivity": "confidential", "controller": "FR", "subject_regions": ["EU"],
              "sensitivity": "confidential", "opaque_content": "as_declared" },
            { "scope": "/acme", "name": "same" }, { "scope": "/acme/lab", "name": "same" }],
        "workloads": [{ "name": "ci", "scope": "/acme/ci", "issuer": "https://id.example", "audience": "b",
            "claims": { "sub": "x/*", "env": ["a", "b"] }, "lifetime_s": 120, "reusable": true, "most_keys": 3,
            "key": { "models": ["a"], "tags": ["ci"] } }],
    })
}

/// The fields that serde reads of a type, which it tells whoever writes another one.
fn fields_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let Err(error) = serde_json::from_value::<T>(json!({ "no such field": 0 })) else {
        panic!("it takes any field")
    };
    let told = error.to_string();
    let known =
        told.strip_prefix("unknown field `no such field`, expected ").unwrap_or_else(|| panic!("{told}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The fields that what is found at these places has, all together: `*` stands for each entry of a list.
fn written_at(value: &Value, place: &str) -> BTreeSet<String> {
    let mut found = vec![value];
    for step in place.split('/') {
        found = match step {
            "*" => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            step => found.into_iter().filter_map(|it| it.get(step)).collect(),
        };
    }
    found.into_iter().filter_map(Value::as_object).flat_map(|it| it.keys().cloned()).collect()
}

/// A field that is added to a declaration is added to [`whole`], or it is not known whether it comes back.
#[test]
fn the_whole_has_every_field_of_everything() {
    let whole = whole();
    let mut of_scopes = fields_of::<Declarations>();
    of_scopes.insert(String::from("path"));
    for (place, mut fields) in [
        ("scopes/*", of_scopes),
        ("credentials/*", fields_of::<CredentialDefinition>()),
        ("credentials/*/vault", fields_of::<VaultSecret>()),
        ("endpoints/*", fields_of::<EndpointDefinition>()),
        ("endpoints/*/models/*", fields_of::<ModelAlias>()),
        ("endpoints/*/client_certificate", fields_of::<ClientCertificate>()),
        ("endpoints/*/profile", fields_of::<EndpointProfile>()),
        ("endpoints/*/profile/declared", fields_of::<Declared>()),
        ("endpoints/*/price", fields_of::<PriceUsd>()),
        ("endpoints/*/price/long_context", fields_of::<LongContextUsd>()),
        ("endpoints/*/price_changes/*", fields_of::<PriceChange>()),
        ("endpoints/*/analyzer", fields_of::<AnalyzerSettings>()),
        ("model_groups/*", fields_of::<ModelGroup>()),
        ("budgets/*", fields_of::<BudgetDefinition>()),
        ("limits/*", fields_of::<LimitDefinition>()),
        ("keys/*", fields_of::<KeyDefinition>()),
        ("workloads/*", fields_of::<WorkloadDefinition>()),
    ] {
        // What has ended is not written.
        fields.remove("retired");
        assert_eq!(written_at(&whole, place), fields, "{place}");
    }
    let lists: BTreeSet<String> = whole.as_object().unwrap().keys().cloned().collect();
    assert_eq!(lists, fields_of::<Organisation>());
}

#[tokio::test]
async fn every_field_of_everything_comes_back() {
    let db = empty().await;
    apply(&db.store, &organisation(whole()), NOW_MS).await;
    let written = comes_back(&db.store).await;
    assert_eq!(written.credentials.len(), 5, "the endpoint's own is one of its name");
    assert_eq!(written.keys.len(), 3);
    assert_eq!((written.budgets.len(), written.limits.len()), (5, 4), "a key's own limit is the key's");
    assert_eq!(differences(&db.store, &organisation(whole()), true, NOW_MS).await.unwrap(), []);
    db.store.close().await;
}

#[tokio::test]
async fn what_has_ended_is_not_written_and_a_replaced_key_is_the_same_one() {
    let db = empty().await;
    apply(&db.store, &organisation(whole()), NOW_MS).await;
    let before = comes_back(&db.store).await;
    // Replaced: budgets follow the line.
    let rows = store::keys::list(&db.store).await.unwrap();
    let old = rows.iter().find(|row| row.name == "app").unwrap().clone();
    let mut settings = old.settings.clone();
    settings["line"] = json!(old.id);
    let new = VirtualKey { id: "replacement".into(), settings, ..old.clone() };
    store::keys::rotate(&db.store, &old.id, new, NOW_MS + 5, None).await.unwrap();
    assert_eq!(comes_back(&db.store).await, before);
    let budgets = store::budgets::list(&db.store).await.unwrap().len();
    apply(&db.store, &before, NOW_MS).await;
    assert_eq!(store::budgets::list(&db.store).await.unwrap().len(), budgets, "no budget beside the line's");

    let mut less = before.clone();
    less.keys.retain(|key| key.name != "app");
    less.budgets.retain(|budget| budget.key.as_deref() != Some("app") && budget.user.is_none());
    less.limits.clear();
    less.workloads.clear();
    less.endpoints.clear();
    less.credentials.clear();
    less.scopes.retain(|scope| scope.path != "/acme/ci");
    let done = apply_all(&db.store, &less, NOW_MS).await;
    assert!(done.contains(&String::from("key /acme/app")), "{done:?}");
    assert_eq!(comes_back(&db.store).await, less);
    assert!(apply_all(&db.store, &less, NOW_MS).await.is_empty());
    let rows = store::keys::list(&db.store).await.unwrap();
    let ended = rows.iter().filter(|row| row.name == "app").all(|row| row.revoked_ms.is_some());
    assert!(ended, "both of the line");
    db.store.close().await;
}

/// Of each list some, in any order.
fn some() -> impl Strategy<Value = Organisation> {
    proptest::collection::vec(any::<u8>(), 24).prop_map(|bits| {
        let mut value = whole();
        let mut at = 0;
        for list in ["scopes", "credentials", "endpoints", "budgets", "limits", "keys", "workloads"] {
            let items = value[list].as_array().unwrap().clone();
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                at += 1;
                let bit = bits[at % bits.len()];
                if bit % 3 != 0 {
                    kept.insert(usize::from(bit) % (kept.len() + 1), item);
                }
            }
            value[list] = kept.into();
        }
        // What names a key or a credential that is not there goes too.
        let mut organisation = organisation(value);
        let known = |organisation: &Organisation, name: &str| {
            organisation.keys.iter().any(|key| key.name == name || path(&key.scope, &key.name) == name)
        };
        let whole = organisation.clone();
        organisation.budgets.retain(|it| it.key.as_ref().is_none_or(|key| known(&whole, key)));
        organisation.limits.retain(|it| it.key.as_ref().is_none_or(|key| known(&whole, key)));
        organisation.endpoints.retain(|it| {
            let name = it.credential_name().unwrap_or_default();
            name == it.name || whole.credentials.iter().any(|own| own.name == name)
        });
        organisation
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_organisation_comes_back_and_one_becomes_the_other(one in some(), other in some()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let db = empty().await;
            apply(&db.store, &one, NOW_MS).await;
            comes_back(&db.store).await;
            apply_all(&db.store, &other, NOW_MS).await;
            prop_assert_eq!(differences(&db.store, &other, true, NOW_MS).await.unwrap(), []);
            comes_back(&db.store).await;
            db.store.close().await;
            Ok(())
        })?;
    }
}
