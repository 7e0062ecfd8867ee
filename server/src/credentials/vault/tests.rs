//! Against a small server that answers as the documented API does. It is no Vault: what it does not know, nobody checked.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::*;
use crate::outbound::Way;
use crate::providers::client::Trust;

#[derive(Default)]
struct Inner {
    tokens: Vec<String>,
    logins: Vec<Value>,
    renewals: usize,
    secrets: std::collections::BTreeMap<String, Value>,
    lease: u64,
    renewable: bool,
    down: bool,
    denied: bool,
    namespaces: Vec<Option<String>>,
}

type Shared = Arc<Mutex<Inner>>;

fn refuse(status: u16, why: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "errors": [why] }))).into_response()
}

fn known(inner: &Inner, headers: &HeaderMap) -> bool {
    let token = headers.get("x-vault-token").and_then(|token| token.to_str().ok());
    token.is_some_and(|token| inner.tokens.iter().any(|known| known == token)) && !inner.denied
}

async fn login(State(shared): State<Shared>, Path(mount): Path<String>, Json(body): Json<Value>) -> Response {
    let mut inner = shared.lock().unwrap();
    let right = match mount.as_str() {
        "approle" => body == json!({ "role_id": "r-1", "secret_id": "secret-id-of-the-test" }),
        "kubernetes" => body == json!({ "role": "bailiwick", "jwt": "jwt-of-the-test" }),
        _ => false,
    };
    inner.logins.push(body);
    if !right {
        return refuse(400, "invalid role or secret ID");
    }
    let token = format!("hvs.token-{}", inner.logins.len());
    inner.tokens = vec![token.clone()];
    let auth = json!({ "client_token": token, "lease_duration": inner.lease, "renewable": inner.renewable });
    Json(json!({ "auth": auth })).into_response()
}

async fn renew(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let mut inner = shared.lock().unwrap();
    if !known(&inner, &headers) {
        return refuse(403, "permission denied");
    }
    inner.renewals += 1;
    Json(json!({ "auth": { "lease_duration": inner.lease, "renewable": true } })).into_response()
}

async fn lookup(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let inner = shared.lock().unwrap();
    if !known(&inner, &headers) {
        return refuse(403, "permission denied");
    }
    Json(json!({ "data": { "ttl": inner.lease, "renewable": inner.renewable } })).into_response()
}

async fn read(State(shared): State<Shared>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let mut inner = shared.lock().unwrap();
    let namespace = headers.get("x-vault-namespace").map(|name| name.to_str().unwrap().to_owned());
    inner.namespaces.push(namespace);
    if inner.down {
        return refuse(503, "Vault is sealed");
    }
    if !known(&inner, &headers) {
        return refuse(403, "permission denied");
    }
    match inner.secrets.get(&path) {
        Some(data) => Json(json!({ "data": { "data": data, "metadata": { "version": 1 } } })).into_response(),
        None => refuse(404, ""),
    }
}

struct Stand {
    shared: Shared,
    folder: tempfile::TempDir,
    address: String,
}

impl Stand {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shared: Shared = Arc::default();
        shared.lock().unwrap().secrets.insert("llm/openai".into(), json!({ "value": "sk-of-the-vault" }));
        let app = Router::new()
            .route("/v1/auth/{mount}/login", post(login))
            .route("/v1/auth/token/renew-self", post(renew))
            .route("/v1/auth/token/lookup-self", get(lookup))
            .route("/v1/secret/data/{*path}", get(read))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in
            [("secret-id", "secret-id-of-the-test"), ("jwt", "jwt-of-the-test"), ("token", "hvs.of-a-file")]
        {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        Self { shared, folder, address }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.shared.lock().unwrap()
    }

    /// From now on tokens are good for so many seconds.
    fn leases(&self, seconds: u64, renewable: bool) {
        let mut inner = self.inner();
        (inner.lease, inner.renewable) = (seconds, renewable);
    }

    /// How often somebody logged in, and a token was renewed.
    fn counts(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.logins.len(), inner.renewals)
    }

    fn vault(&self, auth: &str) -> Vault {
        let auth = auth.replace("DIR", self.folder.path().to_str().unwrap());
        let written = format!("address = '{}'\nnamespace = 'team'\nauth = {auth}", self.address);
        let config: VaultConfig = toml::from_str(&written).unwrap();
        config.check().unwrap();
        Vault::new(config, http())
    }
}

fn http() -> Http {
    Http::new(Trust::default(), &Way::here()).unwrap()
}

const APPROLE: &str = "{ approle = { role_id = 'r-1', secret_id_file = 'DIR/secret-id' } }";
const KUBERNETES: &str = "{ kubernetes = { role = 'bailiwick', token_file = 'DIR/jwt' } }";
const TOKEN: &str = "{ token_file = 'DIR/token' }";

fn secret(path: &str, field: &str) -> VaultSecret {
    VaultSecret { mount: "secret".into(), path: path.into(), field: field.into() }
}

#[tokio::test]
async fn every_way_in_reads_the_secret_and_keeps_its_token() {
    let stand = Stand::start().await;
    for auth in [APPROLE, KUBERNETES, TOKEN] {
        stand.inner().logins.clear();
        stand.inner().tokens = vec![String::from("hvs.of-a-file")];
        let vault = stand.vault(auth);
        for _ in 0..3 {
            assert_eq!(vault.read(&secret("llm/openai", "value")).await.unwrap().expose(), "sk-of-the-vault");
        }
        assert_eq!(stand.inner().logins.len(), usize::from(auth != TOKEN), "one login for three readings");
        assert!(!format!("{vault:?}").contains("hvs."));
    }
    assert!(stand.inner().namespaces.iter().all(|name| name.as_deref() == Some("team")));
}

#[tokio::test]
async fn a_token_is_renewed_and_got_anew_where_it_is_refused() {
    let stand = Stand::start().await;
    stand.leases(1, true);
    let vault = stand.vault(APPROLE);
    let openai = secret("llm/openai", "value");
    vault.read(&openai).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    vault.read(&openai).await.unwrap();
    assert_eq!(stand.counts(), (1, 1));
    // Revoked at Vault.
    stand.inner().tokens.clear();
    vault.read(&openai).await.unwrap();
    assert_eq!(stand.inner().logins.len(), 2);
    // One that can't be renewed is got anew before it ends.
    stand.leases(1, false);
    stand.inner().tokens.clear();
    vault.read(&openai).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    vault.read(&openai).await.unwrap();
    assert_eq!(stand.counts(), (4, 1));
}

#[tokio::test]
async fn what_went_wrong_is_told_apart_and_holds_nothing_secret() {
    let stand = Stand::start().await;
    stand.inner().secrets.insert("odd".into(), json!({ "value": { "a": 1 }, "broken": "a\nb", "empty": "" }));
    let vault = stand.vault(APPROLE);
    let read = async |path: &str, field: &str| vault.read(&secret(path, field)).await.unwrap_err();
    assert!(matches!(read("llm/none", "value").await, VaultError::Gone(_)));
    assert!(matches!(read("llm/openai", "key").await, VaultError::Gone(_)));
    for field in ["value", "broken", "empty"] {
        assert!(matches!(read("odd", field).await, VaultError::Unusable(_)), "{field}");
    }
    stand.inner().denied = true;
    assert!(matches!(read("llm/openai", "value").await, VaultError::Refused(_)));
    stand.inner().denied = false;
    stand.inner().down = true;
    assert!(matches!(read("llm/openai", "value").await, VaultError::Down(_)));
    let nobody = VaultConfig {
        address: "http://127.0.0.1:9".into(),
        namespace: None,
        auth: VaultAuth::TokenFile(stand.folder.path().join("token")),
        refresh_seconds: 60,
    };
    let nobody = Vault::new(nobody, http());
    assert!(matches!(nobody.read(&secret("a", "b")).await.unwrap_err(), VaultError::Down(_)));
    std::fs::write(stand.folder.path().join("secret-id"), "another-secret-id").unwrap();
    let refused = stand.vault(APPROLE).read(&secret("llm/openai", "value")).await.unwrap_err();
    assert!(matches!(refused, VaultError::Refused(_)), "{refused}");
    for said in [format!("{refused} {refused:?}"), read("odd", "broken").await.to_string()] {
        assert!(
            !said.contains("secret-id-of") && !said.contains("another-secret") && !said.contains("a\nb"),
            "{said}"
        );
    }
}

#[test]
fn what_cannot_work_is_named() {
    for (written, named) in [
        ("address = 'http://vault.example'\nauth = { token_file = 't' }", "address"),
        ("address = 'https://u:p@vault.example'\nauth = { token_file = 't' }", "address"),
        (
            "address = 'https://v.example'\nauth = { token_file = 't' }\nrefresh_seconds = 0",
            "refresh_seconds",
        ),
        (
            "address = 'https://v.example'\nauth = { approle = { mount = 'a?b', role_id = 'r', secret_id_file = 's' } }",
            "mount",
        ),
    ] {
        let config: VaultConfig = toml::from_str(written).unwrap();
        assert!(config.check().unwrap_err().contains(named), "{written}");
    }
}
