//! The clients towards others: one for providers of models, one for everything else, on the same way out.

use std::path::Path;

use super::{Config, StartError, UpstreamConfig};
use crate::alerts::Alerts;
use crate::identity;
use crate::outbound::{Guard, Http, Way};
use crate::providers::client::ClientError;
use crate::providers::{ClientOptions, Trust, UpstreamClient};

/// Whose certificates are believed, of whatever the server asks.
fn trust(config: &UpstreamConfig) -> Result<Trust, StartError> {
    let failed = |what: &Path, why: String| StartError::System {
        what: format!("upstream.ca_bundle {}", what.display()),
        why,
    };
    let Some(path) = &config.ca_bundle else { return Ok(Trust::default()) };
    let pem = std::fs::read(path).map_err(|error| failed(path, error.to_string()))?;
    let roots =
        crate::providers::client::read_ca_bundle(&pem).map_err(|error| failed(path, error.to_string()))?;
    Ok(if config.only_ca_bundle { Trust::Only(roots) } else { Trust::PublicRootsAnd(roots) })
}

/// Which addresses are reached, and through whom.
pub(super) fn way(config: &UpstreamConfig) -> Result<Way, StartError> {
    let proxy = config.proxy.as_ref().map(crate::outbound::ProxyConfig::read).transpose();
    let proxy = proxy
        .map_err(|why| StartError::System { what: String::from("the outbound proxy cannot be used"), why })?;
    Ok(Way { guard: Guard::new(config.private_networks.clone()), proxy, ..Way::default() })
}

fn impossible(what: &str) -> impl Fn(ClientError) -> StartError {
    move |error| StartError::System { what: what.to_owned(), why: error.to_string() }
}

/// The client for small things.
pub(super) fn http(config: &UpstreamConfig) -> Result<Http, StartError> {
    Http::new(trust(config)?, &way(config)?).map_err(impossible("no client can be set up"))
}

/// The channels of alerts; nothing is sent yet.
pub(super) fn alerts(config: &Config, http: &Http) -> Result<Alerts, StartError> {
    Ok(Alerts::new(config.alerts.clone(), http.clone(), &trust(&config.upstream)?))
}

/// The identity providers of the configuration; none is asked yet.
pub(super) fn identity_providers(config: &Config, http: &Http) -> identity::Providers {
    identity::Providers::new(&config.identity.provider, http.clone())
}

/// The client for providers of models.
pub(super) fn upstream(config: &UpstreamConfig) -> Result<UpstreamClient, StartError> {
    let options = ClientOptions { trust: trust(config)?, way: way(config)?, ..ClientOptions::default() };
    UpstreamClient::new(options).map_err(impossible("the client for providers cannot be set up"))
}
