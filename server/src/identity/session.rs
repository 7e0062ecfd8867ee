//! Sessions: server side, under a random cookie of which only the digest is kept; and the one-time set-up link that
//! stands in place of a default password.

use http::{HeaderMap, HeaderValue, header};

use crate::keys::secret::{self, NoRandomness};
use crate::store::{self, Store, StoreError};

/// A session ends this long after sign-in.
pub const SESSION_HOURS: i64 = 12;
/// A set-up link is good for this long.
const LINK_HOURS: i64 = 24;

const COOKIE: &str = "__Host-bailiwick";

/// The cookie's value. Its `Debug` form shows nothing.
pub struct SessionCookie(String);

impl std::fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionCookie(…)")
    }
}

impl SessionCookie {
    /// The cookie of a request, if it has one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == COOKIE)
            .map(|(_, value)| Self(value.to_owned()))
    }

    /// Begins a session of `person`.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn begin(store: &Store, person: &str, method: &str, now_ms: i64) -> Result<Self, SessionError> {
        let cookie = Self(secret::base62(&secret::random::<32>()?, 43));
        let row = store::sessions::Session {
            id_hash: secret::digest(&cookie.0).to_vec(),
            person: person.to_owned(),
            method: method.to_owned(),
            created_ms: now_ms,
            seen_ms: now_ms,
            expires_ms: now_ms + SESSION_HOURS * 3_600_000,
            revoked_ms: None,
        };
        store::sessions::create(store, row).await?;
        Ok(cookie)
    }

    /// What the database knows it by.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        secret::digest(&self.0)
    }

    /// `set-cookie` for it. `__Host-` binds it to this host, the whole path and TLS; browsers take a loopback address
    /// for secure.
    #[must_use]
    pub fn set(&self) -> Option<HeaderValue> {
        let age = SESSION_HOURS * 3600;
        HeaderValue::from_str(&format!(
            "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}",
            self.0
        ))
        .ok()
    }

    /// `set-cookie` that takes it away.
    #[must_use]
    pub fn clear() -> HeaderValue {
        HeaderValue::from_static("__Host-bailiwick=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
    }
}

/// Why no session or link was made.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Makes a set-up link; the answer is its path with the secret in it.
///
/// # Errors
/// [`SessionError`].
pub async fn new_setup_link(store: &Store, now_ms: i64) -> Result<String, SessionError> {
    let token = secret::base62(&secret::random::<32>()?, 43);
    let row = store::setup_links::SetupLink {
        token_hash: secret::digest(&token).to_vec(),
        created_ms: now_ms,
        expires_ms: now_ms + LINK_HOURS * 3_600_000,
        used_ms: None,
    };
    store::setup_links::create(store, row).await?;
    Ok(format!("/auth/setup?token={token}"))
}
