//! The demonstration: simulated providers and a sample organisation, on loopback, needing nothing but the binary.

mod organisation;
pub mod simulator;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_ledger::Kind;
use serde::Serialize;

use crate::app::{Act, App, Config, DemoMode, Listening, StartError, metrics_recorder, router, serve_on};
use crate::gateway::Gateway;
use crate::identity::{ServiceTokenText, create_token, new_setup_link};
use crate::keys::secret;
use crate::organisation::{Applied, Applying, Organisation, apply};
use crate::store;
use simulator::SimulatorHandle;

pub use organisation::{DemoEndpoint, ENDPOINTS, EVERYWHERE, EVERYWHERE_EMBEDDING, KEYS};

/// The day as of which the demo decides, 2026-11-22 at noon UTC: evidence grows old, and a demo must not.
pub const DECIDE_AT_MS: i64 = 1_795_348_800_000;

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    /// What it announces.
    pub announcement: Announcement,
    /// The server.
    pub app: Arc<App>,
    /// The simulated providers, in the order of [`ENDPOINTS`].
    pub simulators: Vec<SimulatorHandle>,
    listening: Listening,
}

/// What a demo tells once it can serve; with `--json` on one line.
#[derive(Debug, Clone, Serialize)]
pub struct Announcement {
    /// The server.
    pub url: String,
    /// The console's sign-in link; works once.
    pub console: String,
    /// A service token with every right.
    pub admin_token: String,
    /// The three keys, by name.
    pub keys: std::collections::BTreeMap<String, String>,
    /// The endpoints.
    pub endpoints: Vec<AnnouncedEndpoint>,
}

/// An endpoint of the demo.
#[derive(Debug, Clone, Serialize)]
pub struct AnnouncedEndpoint {
    /// Its name.
    pub name: String,
    /// The model that is its own; `assistant` is served by all of them.
    pub model: String,
    /// ISO codes of the countries where the endpoint that it stands for processes; empty is unknown.
    pub countries: Vec<String>,
    /// Where its simulator answers `GET /_received`.
    pub simulator_url: String,
}

impl Demo {
    /// Starts everything in `data_dir` and listens on `address`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(address: SocketAddr, data_dir: &Path) -> Result<Self, StartError> {
        Box::pin(Self::start_with(Config::at(address, data_dir.to_path_buf()))).await
    }

    /// Starts everything with other limits, or with TLS: see [`Config`].
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_with(mut config: Config) -> Result<Self, StartError> {
        // Where the simulators are.
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        let failed = |what: &str, why: &dyn std::fmt::Display| StartError::System {
            what: what.to_owned(),
            why: why.to_string(),
        };
        let (address, data_dir, tls) = (config.listen, config.data_dir.clone(), config.tls.clone());
        std::fs::create_dir_all(&data_dir).map_err(|error| failed("the data directory", &error))?;
        let credential = secret::base62(
            &secret::random::<32>().map_err(|error| failed("the simulators' credential", &error))?,
            43,
        );
        let credential_file = data_dir.join("simulator.credential");
        crate::app::write_private(&credential_file, &credential)
            .map_err(|error| failed("the simulators' credential", &error))?;
        let mut simulators = Vec::new();
        for endpoint in ENDPOINTS {
            let handle = organisation::simulator(endpoint, &credential)
                .await
                .map_err(|error| failed("a simulated provider", &error))?;
            simulators.push(handle);
        }
        let app = App::open(config, Some(DemoMode { decide_at_ms: DECIDE_AT_MS })).await?;
        let seed = organisation::organisation(&simulators, &credential_file);
        let what = crate::admin::recorded(&app, &seed).await?;
        let what =
            serde_json::json!({ "changes": what, "ends": "the keys, tokens and links of runs before" });
        let act = Act { kind: Kind::Admin, principal: "system", scope: Some("/"), name: "demo_seeded", what };
        let made = |made: &Seeded| crate::admin::created(&made.applied);
        let Seeded { applied, token, link } = Box::pin(app.act(act, made, seeded(&app, &seed)))
            .await
            .map_err(|error| failed("the sample organisation", &error))?;
        let socket = std::net::TcpListener::bind(address)
            .map_err(|error| failed(&format!("cannot listen on {address}"), &error))?;
        let bound = socket.local_addr().map_err(|error| failed("the socket has no address", &error))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{bound}");
        let listening = serve_on(socket, tls.as_ref(), router(&app, &url, metrics_recorder()))?;
        let announcement = Announcement {
            console: format!("{url}{link}"),
            url,
            admin_token: token.reveal(),
            keys: applied.created_keys.iter().map(|key| (key.name.clone(), key.key.clone())).collect(),
            endpoints: endpoints(&app.gateway, &simulators),
        };
        Ok(Self { announcement, app, simulators, listening })
    }

    /// Ends it in order: no more connections, open attempts settled, the log signed.
    pub async fn stop(self) {
        let grace = Duration::from_secs(self.app.config.limits.shutdown_seconds);
        self.app.gateway.stopping_live.cancel();
        self.listening.stop(grace).await;
        self.app.close(grace).await;
        for simulator in self.simulators {
            simulator.shutdown().await;
        }
    }
}

/// What a demo makes anew with every start.
struct Seeded {
    applied: Applied,
    token: ServiceTokenText,
    link: String,
}

async fn seeded(app: &App, seed: &Organisation) -> Result<Seeded, Box<dyn std::error::Error + Send + Sync>> {
    let now_ms = app.gateway.clock.now_ms();
    // The secrets of an earlier run are not known any more: its keys, tokens and unused links go, new ones come.
    for key in store::keys::list(&app.store).await? {
        store::keys::revoke(&app.store, &[key.id.as_str()], None, now_ms, None).await?;
    }
    for token in store::service_tokens::list(&app.store).await? {
        store::service_tokens::revoke(&app.store, &token.id, now_ms, None).await?;
    }
    store::setup_links::expire(&app.store, now_ms).await?;
    Ok(Seeded {
        applied: apply(&app.store, seed, &Applying::default(), now_ms).await?,
        token: create_token(&app.store, "demo", "/", &["owner"], now_ms).await?,
        link: new_setup_link(&app.store, now_ms).await?,
    })
}

fn endpoints(gateway: &Gateway, simulators: &[SimulatorHandle]) -> Vec<AnnouncedEndpoint> {
    let snapshot = gateway.snapshot.load();
    ENDPOINTS
        .iter()
        .zip(simulators)
        .map(|(endpoint, simulator)| AnnouncedEndpoint {
            name: endpoint.name.to_owned(),
            model: endpoint.model.to_owned(),
            countries: snapshot
                .places
                .iter()
                .find(|place| place.name == endpoint.name)
                .map(|place| place.countries.clone())
                .unwrap_or_default(),
            simulator_url: simulator.url().to_owned(),
        })
        .collect()
}
