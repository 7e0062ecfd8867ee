//! What is known of the issuers of workloads' tokens: their keys, found through their discovery documents
//! (<https://openid.net/specs/openid-connect-discovery-1_0.html>) when they are first needed.
//!
//! Keys are asked for again where a token names one that is not known, but not more often than [`COOL_DOWN`], and in any
//! case after [`KEPT`]: a key that is not published any more is not believed for longer. Of a discovery document only
//! the issuer and the place of the keys count: some issuers have nothing else.
//!
//! Who has keys that will do waits for nobody: an issuer that hangs holds up those alone whose tokens name a key that nobody
//! knows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openidconnect::core::CoreJsonWebKeySet;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Refused, Throttle};
use crate::identity::is_secure;
use crate::identity::oidc::Http;

/// The least between two requests for an issuer's keys.
const COOL_DOWN: Duration = Duration::from_secs(5);
/// How long keys are believed without asking again.
const KEPT: Duration = Duration::from_secs(600);
/// How long they are believed while the issuer does not answer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The issuers, each as it was when it was last asked.
#[derive(Debug, Default)]
pub struct Issuers {
    known: Mutex<HashMap<String, Arc<Slot>>>,
    throttle: Throttle,
}

/// An issuer's keys, and since when.
type Known = (Arc<CoreJsonWebKeySet>, Instant);

#[derive(Debug, Default)]
struct Slot {
    keys: Mutex<Option<Known>>,
    /// Held by who asks; when the last one had done so.
    asking: tokio::sync::Mutex<Option<Instant>>,
}

impl Slot {
    /// What is known and not older than this.
    fn within(&self, longest: Duration) -> Option<Arc<CoreJsonWebKeySet>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.as_ref().filter(|(_, at)| at.elapsed() < longest).map(|(keys, _)| Arc::clone(keys))
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Issuers {
    /// Whether this address may ask for another key now.
    pub(super) fn admits(&self, client: Option<IpAddr>) -> bool {
        self.throttle.admits(client)
    }

    fn slot(&self, issuer: &str) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(issuer.to_owned()).or_default())
    }

    /// The keys of an issuer that a workload is declared for; newer ones than `before`, where they can be had.
    pub(super) async fn keys(
        &self,
        issuer: &str,
        before: Option<&Arc<CoreJsonWebKeySet>>,
        http: &Http,
    ) -> Result<Arc<CoreJsonWebKeySet>, Refused> {
        let slot = self.slot(issuer);
        let fresh = || {
            let known = slot.within(KEPT);
            known.filter(|keys| before.is_none_or(|before| !Arc::ptr_eq(keys, before)))
        };
        if let Some(keys) = fresh() {
            return Ok(keys);
        }
        let mut tried = match (slot.asking.try_lock(), before, slot.within(LONGEST)) {
            (Ok(asking), ..) => asking,
            // Somebody asks already, and these will do meanwhile.
            (Err(_), None, Some(keys)) => return Ok(keys),
            (Err(_), ..) => slot.asking.lock().await,
        };
        if let Some(keys) = fresh() {
            return Ok(keys);
        }
        if tried.is_none_or(|at| at.elapsed() >= COOL_DOWN) {
            let asked = ask(issuer, http).await;
            // From its end on: those who waited for a slow answer must not each ask for another.
            *tried = Some(Instant::now());
            match asked {
                Ok(keys) => {
                    let mut known = slot.keys.lock().unwrap_or_else(PoisonError::into_inner);
                    *known = Some((Arc::new(keys), Instant::now()));
                }
                Err(why) => {
                    tracing::warn!(issuer, why, "an issuer of workloads' tokens does not tell its keys");
                }
            }
        }
        slot.within(LONGEST).ok_or(Refused::Unavailable("issuer_down"))
    }
}

async fn ask(issuer: &str, http: &Http) -> Result<CoreJsonWebKeySet, String> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = http.get(&address).await.map_err(|error| error.to_string())?;
    let document: Document =
        serde_json::from_slice(&document).map_err(|_| String::from("its discovery document is none"))?;
    if document.issuer != issuer {
        return Err(String::from("its discovery document is another issuer's"));
    }
    // Only an issuer on this machine may have its keys there.
    let here = issuer.starts_with("http://");
    if !is_secure(&document.jwks_uri) || (!here && !document.jwks_uri.starts_with("https://")) {
        return Err(String::from("its keys are not at an https:// address"));
    }
    let keys = http.get(&document.jwks_uri).await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&keys).map_err(|_| String::from("its keys are none"))
}
