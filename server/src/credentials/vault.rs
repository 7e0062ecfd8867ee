//! HashiCorp Vault and OpenBao: the key-value store, version 2
//! (<https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>), with a token, AppRole
//! (<https://developer.hashicorp.com/vault/api-docs/auth/approle>) or a Kubernetes service account
//! (<https://developer.hashicorp.com/vault/api-docs/auth/kubernetes>). OpenBao's API is the same.
//!
//! A token is renewed when half of its time is over, and one that cannot be renewed is got anew; one that is refused is got
//! anew once. No redirect is followed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::VaultSecret;
use super::source::{read_file, usable};
use crate::outbound::{Bounds, Http};
use crate::providers::Secret;

/// Of one answer.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 1 << 20 };

/// Where Vault is and how to get in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// `https://vault.example:8200`.
    pub address: String,
    /// The namespace, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How to get in.
    pub auth: VaultAuth,
    /// Seconds between two readings of a secret.
    #[serde(default = "refresh_seconds")]
    pub refresh_seconds: u32,
}

fn refresh_seconds() -> u32 {
    60
}

/// How to get in. What is secret is in files, which are read anew at each login.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VaultAuth {
    /// A token.
    TokenFile(PathBuf),
    /// A role and its secret.
    Approle {
        /// Where the method is mounted.
        #[serde(default = "approle")]
        mount: String,
        /// The role's id.
        role_id: String,
        /// A file with the secret id.
        secret_id_file: PathBuf,
    },
    /// The service account of a pod.
    Kubernetes {
        /// Where the method is mounted.
        #[serde(default = "kubernetes")]
        mount: String,
        /// The role.
        role: String,
        /// A file with the service account's token.
        #[serde(default = "service_account")]
        token_file: PathBuf,
    },
}

fn approle() -> String {
    String::from("approle")
}

fn kubernetes() -> String {
    String::from("kubernetes")
}

fn service_account() -> PathBuf {
    PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token")
}

/// Why a secret could not be had. Holds no part of one, nor of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No answer, or one of trouble.
    #[error("Vault does not answer: {0}")]
    Down(String),
    /// It says that there is no such secret, or not any more.
    #[error("Vault has no such secret: {0}")]
    Gone(String),
    /// It refuses.
    #[error("Vault refuses: {0}")]
    Refused(String),
    /// The secret is no credential.
    #[error("Vault's secret is no credential: {0}")]
    Unusable(String),
}

/// A token of Vault's, and until when it is good.
struct Held {
    token: Secret,
    since: Instant,
    /// Zero where it has no end.
    lease: Duration,
    renewable: bool,
}

/// The client. Its `Debug` form shows where it is alone.
pub struct Vault {
    config: VaultConfig,
    http: Http,
    held: tokio::sync::Mutex<Option<Held>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.config.address).finish()
    }
}

impl VaultConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The setting and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if !crate::identity::is_secure(&self.address) || self.address.contains(['?', '#']) {
            return Err(String::from(
                "`address` must be an https:// address, or http:// on this machine itself",
            ));
        }
        let graphic = |name: &String| name.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.namespace.iter().all(graphic) {
            return Err(String::from("`namespace` must be letters, digits and signs"));
        }
        if !(1..=86_400).contains(&self.refresh_seconds) {
            return Err(String::from("`refresh_seconds` must be 1 to 86400"));
        }
        let mount = match &self.auth {
            VaultAuth::TokenFile(_) => return Ok(()),
            VaultAuth::Approle { mount, .. } | VaultAuth::Kubernetes { mount, .. } => mount,
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
        if mount.is_empty() || !mount.bytes().all(plain) {
            return Err(String::from("`auth`: `mount` must be letters, digits, `-`, `_` and `/`"));
        }
        Ok(())
    }

    /// The files that it names.
    pub(crate) fn files(&mut self) -> [&mut PathBuf; 1] {
        match &mut self.auth {
            VaultAuth::TokenFile(path)
            | VaultAuth::Approle { secret_id_file: path, .. }
            | VaultAuth::Kubernetes { token_file: path, .. } => [path],
        }
    }
}

impl Vault {
    /// The client; asks nothing yet.
    #[must_use]
    pub fn new(config: VaultConfig, http: Http) -> Self {
        Self { config, http, held: tokio::sync::Mutex::default() }
    }

    /// The field of the secret's newest version.
    ///
    /// # Errors
    /// `VaultError`.
    pub async fn read(&self, secret: &VaultSecret) -> Result<Secret, VaultError> {
        let path = format!("v1/{}/data/{}", secret.mount, secret.path);
        let (status, mut answer) = self.ask(Method::GET, &path, None).await?;
        let what = format!("{}/{}", secret.mount, secret.path);
        match status {
            StatusCode::OK => {}
            // Deleted and destroyed versions answer so too, with their metadata.
            StatusCode::NOT_FOUND => return Err(VaultError::Gone(what)),
            status => return Err(refused(status, &what)),
        }
        match answer.pointer_mut("/data/data").and_then(|data| data.get_mut(&secret.field)).map(Value::take) {
            Some(Value::String(text)) => usable(text).map_err(VaultError::Unusable),
            Some(_) => {
                Err(VaultError::Unusable(format!("the field `{}` of {what} is no text", secret.field)))
            }
            None => Err(VaultError::Gone(format!("{what} has no field `{}`", secret.field))),
        }
    }

    /// Asks with the token, and once more with another one where that is refused.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), VaultError> {
        let token = self.token(None).await?;
        let answered = self.send(method.clone(), path, Some(&token), body.as_ref()).await?;
        if !matches!(answered.0, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) {
            return Ok(answered);
        }
        let token = self.token(Some(&token)).await?;
        self.send(method, path, Some(&token), body.as_ref()).await
    }

    /// A token that is good for a while, and not the one that was `refused`.
    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, VaultError> {
        let mut held = self.held.lock().await;
        if let (Some(now), Some(refused)) = (held.as_ref(), refused)
            && bool::from(now.token.expose().as_bytes().ct_eq(refused.expose().as_bytes()))
        {
            *held = None;
        }
        self.see_to(&mut held).await?;
        let token = held.as_ref().map(|held| held.token.clone());
        token.ok_or_else(|| VaultError::Refused(String::from("it gave no token")))
    }

    /// Sees that there is a token that is good for a while.
    async fn see_to(&self, held: &mut Option<Held>) -> Result<(), VaultError> {
        if let Some(now) = held.as_mut() {
            let (age, half) = (now.since.elapsed(), now.lease / 2);
            if now.lease.is_zero() || age < half {
                return Ok(());
            }
            if now.renewable
                && let Ok((StatusCode::OK, answer)) = self
                    .send(Method::POST, "v1/auth/token/renew-self", Some(&now.token), Some(&json!({})))
                    .await
                && let Some(lease) = lease(&answer, "/auth/lease_duration")
            {
                (now.since, now.lease) = (Instant::now(), lease);
                return Ok(());
            }
            // One of a file has nothing that could be put in its place, and may work for the rest of its time.
            if matches!(self.config.auth, VaultAuth::TokenFile(_)) && age < now.lease {
                return Ok(());
            }
        }
        *held = Some(self.log_in().await?);
        Ok(())
    }

    async fn log_in(&self) -> Result<Held, VaultError> {
        let read = |path: &PathBuf| {
            read_file(path, None)
                .and_then(usable)
                .map_err(|why| VaultError::Refused(format!("{} cannot be used: {why}", path.display())))
        };
        let (mount, body) = match &self.config.auth {
            VaultAuth::TokenFile(path) => return self.of_file(read(path)?).await,
            VaultAuth::Approle { mount, role_id, secret_id_file } => {
                (mount, json!({ "role_id": role_id, "secret_id": read(secret_id_file)?.expose() }))
            }
            VaultAuth::Kubernetes { mount, role, token_file } => {
                (mount, json!({ "role": role, "jwt": read(token_file)?.expose() }))
            }
        };
        let path = format!("v1/auth/{mount}/login");
        let (status, mut answer) = self.send(Method::POST, &path, None, Some(&body)).await?;
        if status != StatusCode::OK {
            return Err(refused(status, &format!("the login at {mount}")));
        }
        let lease = lease(&answer, "/auth/lease_duration").unwrap_or_default();
        let renewable = answer.pointer("/auth/renewable").and_then(Value::as_bool).unwrap_or(false);
        match answer.pointer_mut("/auth/client_token").map(Value::take) {
            Some(Value::String(token)) if !token.is_empty() => {
                Ok(Held { token: Secret::new(token), since: Instant::now(), lease, renewable })
            }
            _ => Err(VaultError::Refused(format!("the login at {mount} gave no token"))),
        }
    }

    /// A token of a file says itself how long it is good. One that may not ask that is taken as it is.
    async fn of_file(&self, token: Secret) -> Result<Held, VaultError> {
        let (status, answer) =
            self.send(Method::GET, "v1/auth/token/lookup-self", Some(&token), None).await?;
        let known = status == StatusCode::OK;
        let lease = if known { lease(&answer, "/data/ttl").unwrap_or_default() } else { Duration::ZERO };
        let renewable = known && answer.pointer("/data/renewable").and_then(Value::as_bool).unwrap_or(false);
        Ok(Held { token, since: Instant::now(), lease, renewable })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), VaultError> {
        let address = format!("{}/{path}", self.config.address.trim_end_matches('/'));
        let mut request =
            http::Request::builder().method(method).uri(address).header("x-vault-request", "true");
        if let Some(namespace) = &self.config.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = http::HeaderValue::from_str(token.expose())
                .map_err(|_| VaultError::Refused(String::from("the token is none")))?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(http::header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        // The words hold neither headers nor bodies, which are what is secret.
        let request = request.body(body).map_err(|error| VaultError::Down(error.to_string()))?;
        let answer =
            self.http.send(request, &BOUNDS).await.map_err(|error| VaultError::Down(error.to_string()))?;
        let status = answer.status();
        // 429 is a standby, 472 to 473 secondaries, 503 sealed: somebody else has to see to it.
        if status.is_server_error() || matches!(status.as_u16(), 429 | 472 | 473) {
            return Err(VaultError::Down(format!("it answered {status}")));
        }
        Ok((status, serde_json::from_slice(answer.body()).unwrap_or_default()))
    }
}

fn lease(answer: &Value, at: &str) -> Option<Duration> {
    answer.pointer(at).and_then(Value::as_u64).map(Duration::from_secs)
}

fn refused(status: StatusCode, what: &str) -> VaultError {
    match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
            VaultError::Refused(format!("{what}, with {status}"))
        }
        status => VaultError::Down(format!("it answered {status} for {what}")),
    }
}

#[cfg(test)]
mod tests;
