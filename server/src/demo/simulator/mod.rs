//! Simulated providers on loopback ports.
//!
//! A simulator speaks the real wire format of the service that it stands for: its paths, its credential header,
//! its chunks, its error shapes, its refusals of fields it does not know. It keeps what it receives byte for byte
//! and tells it at `GET /_received`, and it can be told to misbehave ([`Behaviour`]) in every way that a gateway
//! must survive. It holds no model: answers are built from the prompt, the same for the same request, and marked
//! as simulated in their text and by the header `x-simulated: true`.
//!
//! HTTP/1.1 on loopback only; what is asked of `/_received` is not authenticated, so nothing real belongs here.

mod anthropic;
mod bedrock;
mod behaviour;
mod body;
mod chat;
mod embeddings;
mod errors;
mod received;
mod reply;
mod respond;
mod responses;
mod serve;
mod signed;
mod text;
mod thoughts;
mod tools;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::providers::{Dialect, Secret};

pub use behaviour::{Behaviour, BrokenSse};
pub use received::Received;
pub use thoughts::sign;

/// What a simulator stands for.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// How it names itself in its answers.
    pub name: String,
    /// Whose wire format it speaks.
    pub dialect: Dialect,
    /// The models that it serves chat for; any other is unknown.
    pub chat_models: Vec<String>,
    /// The models that it serves embeddings for.
    pub embedding_models: Vec<String>,
    /// The credential that a request must carry, in the dialect's own header, or, of AWS's keys, must be signed with; `None`
    /// to ask for none.
    pub credential: Option<Secret>,
    /// Where to listen; port 0 for any.
    pub listen: SocketAddr,
    /// How it behaves from the start.
    pub behaviour: Behaviour,
}

impl SimulatorConfig {
    /// A well-behaved simulator on any loopback port, that asks for no credential and serves no model yet.
    pub fn new(name: impl Into<String>, dialect: Dialect) -> Self {
        Self {
            name: name.into(),
            dialect,
            chat_models: Vec::new(),
            embedding_models: Vec::new(),
            credential: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            behaviour: Behaviour::Normal,
        }
    }

    /// Adds a model that serves chat.
    #[must_use]
    pub fn chat_model(mut self, model: impl Into<String>) -> Self {
        self.chat_models.push(model.into());
        self
    }

    /// Adds a model that serves embeddings.
    #[must_use]
    pub fn embedding_model(mut self, model: impl Into<String>) -> Self {
        self.embedding_models.push(model.into());
        self
    }

    /// Asks for this credential.
    #[must_use]
    pub fn credential(mut self, credential: impl Into<String>) -> Self {
        self.credential = Some(Secret::new(credential.into()));
        self
    }
}

/// Starts simulators.
#[derive(Debug, Clone, Copy)]
pub struct Simulator;

impl Simulator {
    /// Binds and serves until the handle is shut down or dropped.
    ///
    /// # Errors
    /// The address is taken, or not a loopback address ([`io::ErrorKind::InvalidInput`]).
    pub async fn start(config: SimulatorConfig) -> io::Result<SimulatorHandle> {
        if !config.listen.ip().is_loopback() {
            let message = "a simulator listens on loopback only: it tells everything that it received";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Plan { lasting: config.behaviour.clone(), next: VecDeque::new() }),
            received: received::Log::new(),
            connections: AtomicU64::new(0),
            config,
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(serve::accept(listener, shared.clone(), stop.clone(), tasks.clone()));
        Ok(SimulatorHandle { url: format!("http://{address}"), shared, stop, tasks })
    }
}

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct SimulatorHandle {
    url: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl SimulatorHandle {
    /// `http://127.0.0.1:PORT`, without the dialect's path prefix.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What an SDK takes as base URL: with the dialect's path prefix.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.url, self.shared.config.dialect.path_prefix())
    }

    /// What it stands for.
    pub fn config(&self) -> &SimulatorConfig {
        &self.shared.config
    }

    /// The last requests, oldest first, byte for byte; at most 1,000 and 64 MiB of bodies.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.received.all()
    }

    /// How many requests there were, forgotten ones included.
    pub fn received_count(&self) -> u64 {
        self.shared.received.count()
    }

    /// How many connections there were, closed ones included.
    pub fn connection_count(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        // The task that accepts is tracked too, for as long as it runs.
        self.tasks.len().saturating_sub(usize::from(!self.stop.is_cancelled()))
    }

    /// Forgets all requests and sets the count to zero.
    pub fn clear(&self) {
        self.shared.received.clear();
    }

    /// How it behaves from the next request on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.shared.plan().lasting = behaviour;
    }

    /// How it behaves for one request, before it falls back to the lasting behaviour. Calls queue up.
    pub fn push_behaviour(&self, behaviour: Behaviour) {
        self.shared.plan().next.push_back(behaviour);
    }

    /// Closes every connection and waits until all is done.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for SimulatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Debug)]
struct Shared {
    config: SimulatorConfig,
    behaviour: Mutex<Plan>,
    received: received::Log,
    connections: AtomicU64,
}

#[derive(Debug)]
struct Plan {
    lasting: Behaviour,
    next: VecDeque<Behaviour>,
}

impl Shared {
    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_behaviour(&self) -> Behaviour {
        let mut plan = self.plan();
        plan.next.pop_front().unwrap_or_else(|| plan.lasting.clone())
    }
}
