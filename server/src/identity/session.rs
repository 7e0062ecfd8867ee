//! Sessions: server side, under a random cookie of which only the digest is kept; and the one-time set-up link that
//! stands in place of a default password.

use http::{HeaderMap, HeaderValue, header};

use super::SessionConfig;
use crate::keys::secret::{self, NoRandomness};
use crate::store::{self, Store, StoreError};

/// A set-up link is good for this long.
const LINK_HOURS: i64 = 24;

const COOKIE: &str = "__Host-bailiwick";

/// A session that is about to begin.
#[derive(Debug, Default)]
pub struct NewSession<'a> {
    /// What lists and records call it.
    pub id: &'a str,
    /// Whose.
    pub person: &'a str,
    /// How it begins: `setup_link`, `oidc`, `break_glass`.
    pub method: &'a str,
    /// From when it is refused.
    pub expires_ms: i64,
    /// The identity provider, and its own names of session and person.
    pub provider: Option<String>,
    #[allow(missing_docs, reason = "said above")]
    pub provider_session: Option<String>,
    #[allow(missing_docs, reason = "said above")]
    pub provider_subject: Option<String>,
    /// When the person showed who they are; now where absent.
    pub authenticated_ms: Option<i64>,
    /// How well.
    pub acr: Option<String>,
}

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
        Self::named(headers, COOKIE).map(Self)
    }

    /// The value of the cookie with this name.
    pub(super) fn named(headers: &HeaderMap, wanted: &str) -> Option<String> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.to_owned())
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn begin(store: &Store, new: NewSession<'_>, now_ms: i64) -> Result<Self, SessionError> {
        let cookie = Self(secret::base62(&secret::random::<32>()?, 43));
        let row = store::sessions::Session {
            id_hash: secret::digest(&cookie.0).to_vec(),
            person: new.person.to_owned(),
            method: new.method.to_owned(),
            created_ms: now_ms,
            seen_ms: now_ms,
            expires_ms: new.expires_ms,
            revoked_ms: None,
            public_id: Some(new.id.to_owned()),
            provider: new.provider,
            provider_session: new.provider_session,
            provider_subject: new.provider_subject,
            authenticated_ms: Some(new.authenticated_ms.unwrap_or(now_ms).min(now_ms)),
            acr: new.acr,
        };
        store::sessions::create(store, row).await?;
        Ok(cookie)
    }

    /// What a form of this session carries, and a request that changes something: only who has the page can know it, and
    /// the cookie does not follow from it.
    #[must_use]
    pub fn csrf(&self) -> String {
        secret::base62(&secret::digest(&format!("csrf:{}", self.0)), 43)
    }

    /// What the database knows it by.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        secret::digest(&self.0)
    }

    /// `set-cookie` for it. `__Host-` binds it to this host, the whole path and TLS; browsers take a loopback address
    /// for secure.
    #[must_use]
    pub fn set(&self, config: &SessionConfig) -> Option<HeaderValue> {
        let age = config.absolute_ms() / 1_000;
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
