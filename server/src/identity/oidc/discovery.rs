//! What is known of identity providers: their discovery documents and keys, asked for when they are first needed, so that
//! one that is down keeps no server from starting.
//!
//! A provider's keys change. They are asked for again where a signature names one that is not known, but not more often
//! than [`COOL_DOWN`], and with the whole document after [`KEPT`]. While a provider does not answer, what was known of it
//! goes on.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, HttpRequest, HttpResponse, IssuerUrl, JsonWebKeySet,
    ProviderMetadata,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Refused;
use crate::identity::ProviderConfig;
use crate::identity::is_secure;
use crate::outbound::{self, Bounds, OutboundError};

/// The least between two requests for a provider's keys.
pub(super) const COOL_DOWN: Duration = Duration::from_secs(5);
/// How long a discovery document is believed without asking again.
const KEPT: Duration = Duration::from_secs(3_600);
/// Sign-ins that one address may begin in a minute, and addresses that are counted.
pub(super) const MOST_BEGUN: u32 = 60;
const MOST_CLIENTS: usize = 10_000;
const MINUTE: Duration = Duration::from_secs(60);

/// What discovery documents say beside the core of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct More {
    /// RP-initiated logout: <https://openid.net/specs/openid-connect-rpinitiated-1_0.html>.
    pub(super) end_session_endpoint: Option<String>,
    /// RFC 9207.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

pub(super) type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// A provider as it was when it was last asked.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) metadata: Metadata,
    discovered: Instant,
    keys_asked: Instant,
}

/// The identity providers.
#[derive(Debug)]
pub struct Providers {
    http: Http,
    known: HashMap<String, tokio::sync::Mutex<Option<Arc<Known>>>>,
    begun: Mutex<(Option<Instant>, HashMap<IpAddr, u32>)>,
}

impl Providers {
    /// Those of the configuration; none is asked yet.
    #[must_use]
    pub fn new(providers: &[ProviderConfig], http: outbound::Http) -> Self {
        let known = providers.iter().map(|provider| (provider.id.clone(), tokio::sync::Mutex::default()));
        Self { http: Http(http), known: known.collect(), begun: Mutex::default() }
    }

    pub(in crate::identity) fn http(&self) -> &Http {
        &self.http
    }

    /// Whether this address may begin another sign-in now, as far as this server alone knows: before anything is asked.
    pub(super) fn admits(&self, client: Option<IpAddr>) -> bool {
        // Those whose address nobody knows are one client.
        let client = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), network);
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.0.is_none_or(|since| since.elapsed() >= MINUTE) {
            *begun = (Some(Instant::now()), HashMap::new());
        }
        if begun.1.len() >= MOST_CLIENTS && !begun.1.contains_key(&client) {
            return false;
        }
        let count = begun.1.entry(client).or_default();
        *count = count.saturating_add(1);
        *count <= MOST_BEGUN
    }

    /// What is known of a provider; it is asked where nothing is, or not any more.
    pub(super) async fn get(&self, provider: &ProviderConfig) -> Result<Arc<Known>, Refused> {
        let slot = self.known.get(&provider.id).ok_or(Refused::Because("unknown_provider"))?;
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.discovered.elapsed() < KEPT) {
            return Ok(Arc::clone(known));
        }
        match self.discover(provider).await {
            Ok(found) => Ok(Arc::clone(slot.insert(Arc::new(found)))),
            Err(why) => {
                tracing::warn!(provider = provider.id, why, "an identity provider does not say what it is");
                slot.clone().ok_or(Refused::Down)
            }
        }
    }

    async fn discover(&self, provider: &ProviderConfig) -> Result<Known, String> {
        let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|error| error.to_string())?;
        let metadata =
            Metadata::discover_async(issuer, &self.http).await.map_err(|error| error.to_string())?;
        let token = metadata.token_endpoint().map(|url| url.as_str()).unwrap_or_default();
        let mut places =
            vec![metadata.authorization_endpoint().as_str(), metadata.jwks_uri().as_str(), token];
        places.extend(metadata.userinfo_endpoint().map(|url| url.as_str()));
        places.extend(metadata.additional_metadata().end_session_endpoint.as_deref());
        if let Some(place) = places.into_iter().find(|place| !is_secure(place)) {
            return Err(format!("it names an address that is not https: `{place}`"));
        }
        let now = Instant::now();
        Ok(Known { metadata, discovered: now, keys_asked: now })
    }

    /// The provider with its keys of now, where one is not known; the same again where they were asked for a moment ago.
    pub(super) async fn with_new_keys(
        &self,
        provider: &ProviderConfig,
        before: &Arc<Known>,
    ) -> Result<Arc<Known>, Refused> {
        let slot = self.known.get(&provider.id).ok_or(Refused::Because("unknown_provider"))?;
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref()
            && (!Arc::ptr_eq(known, before) || known.keys_asked.elapsed() < COOL_DOWN)
        {
            return Ok(Arc::clone(known));
        }
        let keys: CoreJsonWebKeySet = match JsonWebKeySet::fetch_async(before.metadata.jwks_uri(), &self.http)
            .await
        {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(provider = provider.id, %error, "an identity provider does not tell its keys");
                return Err(Refused::Down);
            }
        };
        let metadata = before.metadata.clone().set_jwks(keys);
        let known = Known { metadata, keys_asked: Instant::now(), discovered: before.discovered };
        Ok(Arc::clone(slot.insert(Arc::new(known))))
    }
}

/// An IPv6 host has a network of its own to choose addresses from.
pub(in crate::identity) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The client towards identity providers, for whom what a provider answers is an error of its own.
#[derive(Debug, Clone)]
pub(in crate::identity) struct Http(outbound::Http);

/// Why a provider gave no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::identity) enum HttpError {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("{0}")]
    Response(#[from] http::Error),
    #[error("it answered {0}")]
    Fault(http::StatusCode),
}

impl Http {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.send(request.map(Bytes::from), &Bounds::default()).await?;
        if answer.status().is_server_error() {
            return Err(HttpError::Fault(answer.status()));
        }
        Ok(answer.map(Into::into))
    }

    /// What `address` gives to everybody.
    pub(in crate::identity) async fn get(&self, address: &str) -> Result<Vec<u8>, HttpError> {
        let request =
            http::Request::get(address).header(http::header::ACCEPT, "application/json").body(Vec::new())?;
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(HttpError::Fault(answer.status()));
        }
        Ok(answer.into_body())
    }

    /// The JSON that `address` gives for an access token.
    pub(super) async fn get_json(&self, address: &str, token: &str) -> Result<serde_json::Value, HttpError> {
        let request = http::Request::get(address)
            .header(http::header::AUTHORIZATION, format!("Bearer {token}"))
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())?;
        let answer = self.send(request).await?;
        Ok(serde_json::from_slice(answer.body()).unwrap_or_default())
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
