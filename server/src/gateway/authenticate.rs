//! Who asks, and from where: from the headers and the snapshot alone, never from the database.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, header};

use super::Gateway;
use super::refusal::{Code, Refusal};
use crate::keys::VirtualKey;
use crate::snapshot::{KeyEntry, KeyState, Snapshot};

/// A request whose key is valid.
#[derive(Debug)]
pub struct Authenticated {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) key: Arc<KeyEntry>,
    pub(super) now_ms: i64,
    _sealed: (),
}

impl Authenticated {
    /// The key's public id.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key.id
    }
}

impl Gateway {
    /// Checks the key that a request from `client` presents, by what is in force now, and counts it.
    ///
    /// # Errors
    /// As [`authenticate`]; `unavailable` where nobody knows what is in force.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        client: Option<IpAddr>,
    ) -> Result<Authenticated, Refusal> {
        let now_ms = self.clock.now_ms();
        match authenticate(headers, client, self.in_force()?, now_ms) {
            Ok(auth) => {
                auth.key.used(now_ms);
                Ok(auth)
            }
            Err(Refused { refusal, elsewhere }) => {
                match elsewhere {
                    Some(key) => self.refused.add_elsewhere(&key.id, client),
                    None => self.refused.add(),
                }
                Err(refusal)
            }
        }
    }
}

/// Why a key was not accepted.
#[derive(Debug)]
pub struct Refused {
    /// What the client is told.
    pub refusal: Refusal,
    /// The key, where it is valid and was used from where it may not be.
    pub elsewhere: Option<Arc<KeyEntry>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, elsewhere: None }
    }
}

/// Checks the key that a request from `client` presents.
///
/// # Errors
/// `invalid_api_key`; an unknown key and a wrong secret are told in the same words. `network_not_allowed`.
pub fn authenticate(
    headers: &HeaderMap,
    client: Option<IpAddr>,
    snapshot: Arc<Snapshot>,
    now_ms: i64,
) -> Result<Authenticated, Refused> {
    let presented = presented(headers)?;
    let presented = VirtualKey::parse(presented).map_err(|error| refused(&error.to_string()))?;
    let unknown = || refused("this virtual key is not known here");
    let key = Arc::clone(snapshot.key(presented.id()).ok_or_else(unknown)?);
    match key.check(&presented, now_ms) {
        KeyState::Valid if key.reaches(client) => Ok(Authenticated { snapshot, key, now_ms, _sealed: () }),
        KeyState::Valid => Err(Refused { refusal: elsewhere(client), elsewhere: Some(key) }),
        KeyState::WrongSecret => Err(unknown().into()),
        KeyState::Expired => Err(refused("this virtual key has expired")
            .fix("ask the owner of the key's scope for a new one, or for a later expiry")
            .into()),
        KeyState::Revoked => Err(refused("this virtual key was revoked").into()),
        KeyState::Disabled => Err(refused("this virtual key is disabled")
            .fix("ask the owner of the key's scope why, and to enable it")
            .into()),
        KeyState::Rotated => Err(refused("this virtual key was replaced and its overlap is over")
            .fix("use the key that replaced it")
            .into()),
    }
}

fn elsewhere(client: Option<IpAddr>) -> Refusal {
    let from =
        client.map_or_else(|| String::from("an address that cannot be told"), |client| client.to_string());
    Refusal::new(Code::NetworkNotAllowed, format!("this virtual key may not be used from {from}")).fix(
        "send the request from a network that the key allows, or have its `allowed_networks` widened; behind a proxy, \
         the server's `trusted_proxies` has to name it",
    )
}

/// `Authorization: Bearer …` or `x-api-key: …`.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    for name in [header::AUTHORIZATION.as_str(), "x-api-key"] {
        if headers.get_all(name).iter().count() > 1 {
            return Err(refused("the key was presented more than once").fix("send one header with one key"));
        }
    }
    let bearer = headers.get(header::AUTHORIZATION).map(|value| {
        let text = value.to_str().unwrap_or_default();
        match text.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
            _ => "",
        }
    });
    let api_key = headers.get("x-api-key").map(|value| value.to_str().unwrap_or_default().trim());
    match (bearer, api_key) {
        (None, None) => Err(refused("no virtual key was presented")
            .fix("send `Authorization: Bearer bwk_…`: set the SDK's API key to a virtual key")),
        (Some(one), Some(other)) if one != other => {
            Err(refused("two different keys were presented, in `Authorization` and `x-api-key`")
                .fix("send one of the two headers"))
        }
        (Some(""), _) => Err(refused("the `Authorization` header is not of the form `Bearer bwk_…`")),
        (Some(key), _) | (None, Some(key)) => Ok(key),
    }
}

fn refused(message: &str) -> Refusal {
    Refusal::new(Code::InvalidApiKey, message)
}
