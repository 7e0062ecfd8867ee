//! Whether an act that was begun before a crash took effect, as far as the database alone tells: each of these names what it
//! makes or changes by an id.

use serde_json::Value;

use crate::store::keys::VirtualKey;
use crate::store::{self, Store, StoreError};

/// `None` where nothing is left to tell it by.
pub(super) async fn of(store: &Store, act: &str, what: &Value) -> Result<Option<bool>, StoreError> {
    let text = |pointer: &str| what.pointer(pointer).and_then(Value::as_str);
    let (at, holds): (_, fn(&VirtualKey) -> bool) = match act {
        "key_created" | "workload_key_created" => ("/key", |_| true),
        // All of them or none.
        "keys_created" => ("/keys/0/key", |_| true),
        "key_rotated" => ("/replaced_by", |_| true),
        "key_revoked" => ("/key", |key| key.revoked_ms.is_some()),
        "key_disabled" => ("/key", |key| key.disabled_ms.is_some()),
        "key_enabled" => ("/key", |key| key.disabled_ms.is_none()),
        "service_token_created" => return token(store, text("/token"), false).await,
        "service_token_rotated" => return token(store, text("/replaced_by"), false).await,
        "service_token_revoked" => return token(store, text("/token"), true).await,
        "request_asked" => return request(store, text("/request"), None).await,
        "request_approved" => return request(store, text("/request"), Some("approved")).await,
        "request_refused" => return request(store, text("/request"), Some("refused")).await,
        "request_withdrawn" => return request(store, text("/request"), Some("withdrawn")).await,
        "credential_created" | "credential_rotated" => return credential(store, what).await,
        super::policy::FOLLOWED => return super::policy::took_effect(store, what).await,
        act => return super::kill_switches::took_effect(store, act, what).await,
    };
    let Some(id) = text(at) else { return Ok(None) };
    found(store::keys::get(store, id).await, |key| holds(&key))
}

/// What holds of something that is there; nothing does of what is not.
fn found<T>(row: Result<T, StoreError>, holds: impl FnOnce(T) -> bool) -> Result<Option<bool>, StoreError> {
    match row {
        Ok(row) => Ok(Some(holds(row))),
        Err(StoreError::NotFound(_)) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

async fn token(store: &Store, id: Option<&str>, revoked: bool) -> Result<Option<bool>, StoreError> {
    let Some(id) = id else { return Ok(None) };
    found(store::service_tokens::get(store, id).await, |row| !revoked || row.revoked_ms.is_some())
}

async fn request(store: &Store, id: Option<&str>, state: Option<&str>) -> Result<Option<bool>, StoreError> {
    let Some(id) = id else { return Ok(None) };
    found(store::requests::get(store, id).await, |row| state.is_none_or(|state| row.state == state))
}

/// It may have been replaced since, but a version is never used twice.
async fn credential(store: &Store, what: &Value) -> Result<Option<bool>, StoreError> {
    let name = what.get("credential").and_then(Value::as_str);
    let version = what.pointer("/after/version").and_then(Value::as_i64);
    let Some((name, version)) = name.zip(version) else { return Ok(None) };
    found(store::credentials::get(store, name).await, |row| row.version >= version)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_there_tells_whether_it_came_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        store::scopes::put(&store, "/", json!({}), 1).await.unwrap();
        let token = crate::identity::create_token(&store, "ci", "/", &["viewer"], 1).await.unwrap();
        let told = async |act: &str, what: Value| of(&store, act, &what).await.unwrap();
        let named = json!({ "token": token.id(), "replaced_by": token.id() });
        assert_eq!(told("service_token_created", named.clone()).await, Some(true));
        assert_eq!(told("service_token_rotated", named.clone()).await, Some(true));
        assert_eq!(told("service_token_revoked", named.clone()).await, Some(false));
        store::service_tokens::revoke(&store, token.id(), 2, None).await.unwrap();
        assert_eq!(told("service_token_revoked", named).await, Some(true));
        assert_eq!(told("service_token_created", json!({ "token": "none" })).await, Some(false));
        assert_eq!(told("request_approved", json!({ "request": "none" })).await, Some(false));
        let credential = |version: i64| json!({ "credential": "c", "after": { "version": version } });
        assert_eq!(told("credential_created", credential(1)).await, Some(false));
        let row = store::credentials::Credential {
            id: "cr_1".into(),
            name: "c".into(),
            scope: "/".into(),
            source: json!({ "env": "KEY" }),
            sealed: None,
            version: 1,
            fingerprint: None,
            created_ms: 1,
            updated_ms: 1,
            updated_by: None,
        };
        store::credentials::create(&store, row).await.unwrap();
        assert_eq!(told("credential_created", credential(1)).await, Some(true));
        assert_eq!(told("credential_rotated", credential(2)).await, Some(false));
        assert_eq!(told("applied", json!({})).await, None);
        store.close().await;
    }
}
