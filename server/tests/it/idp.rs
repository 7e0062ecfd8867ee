//! An identity provider that lies as it is told to: real discovery, keys and signatures, PKCE verified, and ID tokens
//! with whatever claims a test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const CLIENT: &str = "bailiwick-test";
pub(crate) const SECRET: &str = "client-secret-of-the-test";

/// How a token is signed.
#[derive(Clone, Debug)]
pub(crate) enum Signature {
    /// With the key of this id.
    Key(String),
    /// `alg: none`, and nothing.
    None,
    /// `alg: HS256`, with the client's secret.
    Hmac,
    /// With a key that is not the one it names.
    Forged(String),
}

struct Inner {
    issuer: String,
    keys: HashMap<String, EcdsaKeyPair>,
    published: Vec<String>,
    /// A code, with the challenge that came with its request.
    codes: HashMap<String, String>,
    token: Option<String>,
    userinfo: Value,
    /// Whether answers say who they are from (RFC 9207).
    says_issuer: bool,
    /// A document that is not the provider's own, where a test says so.
    metadata: Value,
    down: bool,
    /// How long it thinks before it tells its documents.
    hangs: std::time::Duration,
    /// Whether a code may be used any number of times.
    lax: bool,
    asked_for_keys: usize,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct Idp {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap()
}

impl Idp {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            issuer: url.clone(),
            keys: HashMap::from([(String::from("k1"), key())]),
            published: vec![String::from("k1")],
            codes: HashMap::new(),
            token: None,
            userinfo: json!({}),
            says_issuer: true,
            metadata: json!({}),
            down: false,
            hangs: std::time::Duration::ZERO,
            lax: false,
            asked_for_keys: 0,
        };
        let idp = Self { url, inner: Arc::new(Mutex::new(inner)) };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(idp.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        idp
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn down(&self, down: bool) {
        self.inner().down = down;
    }

    pub(crate) fn hangs(&self, so_long: std::time::Duration) {
        self.inner().hangs = so_long;
    }

    pub(crate) fn lax(&self) {
        self.inner().lax = true;
    }

    pub(crate) fn says_issuer(&self, says: bool) {
        self.inner().says_issuer = says;
    }

    pub(crate) fn metadata(&self, metadata: Value) {
        self.inner().metadata = metadata;
    }

    pub(crate) fn userinfo(&self, claims: Value) {
        self.inner().userinfo = claims;
    }

    pub(crate) fn asked_for_keys(&self) -> usize {
        self.inner().asked_for_keys
    }

    /// A new key; the old ones are not published any more.
    pub(crate) fn rotate(&self, kid: &str) {
        let mut inner = self.inner();
        inner.keys.insert(kid.to_owned(), key());
        inner.published = vec![kid.to_owned()];
    }

    /// A key that nobody is told of.
    pub(crate) fn hide(&self, kid: &str) {
        self.inner().keys.insert(kid.to_owned(), key());
    }

    /// The code that the browser comes back with for this challenge, and the ID token that it will be worth.
    pub(crate) fn code(&self, challenge: &str, token: String) -> String {
        let mut inner = self.inner();
        let code = format!("code-{}", inner.codes.len());
        inner.codes.insert(code.clone(), challenge.to_owned());
        inner.token = Some(token);
        code
    }

    /// A signed token.
    pub(crate) fn sign(&self, signature: &Signature, typ: &str, claims: &Value) -> String {
        let inner = self.inner();
        let header = match signature {
            Signature::Key(kid) | Signature::Forged(kid) => json!({ "alg": "ES256", "kid": kid, "typ": typ }),
            Signature::None => json!({ "alg": "none", "typ": typ }),
            Signature::Hmac => json!({ "alg": "HS256", "typ": typ }),
        };
        let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let random = SystemRandom::new();
        let with = |key: &EcdsaKeyPair| key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec();
        let signed = match signature {
            Signature::Key(kid) => with(&inner.keys[kid]),
            Signature::Forged(_) => with(&key()),
            Signature::None => Vec::new(),
            Signature::Hmac => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
                ring::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{message}.{}", B64.encode(signed))
    }
}

async fn discovery(State(idp): State<Idp>) -> Response {
    let hangs = idp.inner().hangs;
    tokio::time::sleep(hangs).await;
    let inner = idp.inner();
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let url = &inner.issuer;
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"),
        "end_session_endpoint": format!("{url}/logout"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "authorization_response_iss_parameter_supported": inner.says_issuer,
    });
    for (name, value) in inner.metadata.as_object().unwrap() {
        document[name] = value.clone();
    }
    Json(document).into_response()
}

async fn jwks(State(idp): State<Idp>) -> Response {
    let mut inner = idp.inner();
    inner.asked_for_keys += 1;
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys: Vec<Value> = inner
        .published
        .iter()
        .map(|kid| {
            let public = inner.keys[kid].public_key().as_ref();
            let (x, y) = (B64.encode(&public[1..33]), B64.encode(&public[33..65]));
            json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y })
        })
        .collect();
    Json(json!({ "keys": keys })).into_response()
}

async fn token(
    State(idp): State<Idp>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut inner = idp.inner();
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:{SECRET}"));
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&format!("Basic {basic}")) {
        return refused("invalid_client");
    }
    let challenge = match inner.lax {
        true => inner.codes.get(&form["code"]).cloned(),
        false => inner.codes.remove(&form["code"]),
    };
    let verifier = B64.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    if challenge.as_ref() != Some(&verifier) {
        return refused("invalid_grant");
    }
    let id_token = inner.token.clone().unwrap();
    Json(json!({
        "access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": id_token,
    }))
    .into_response()
}

async fn userinfo(State(idp): State<Idp>, headers: HeaderMap) -> Response {
    if headers.get("authorization").is_none_or(|value| value != "Bearer access") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(idp.inner().userinfo.clone()).into_response()
}
