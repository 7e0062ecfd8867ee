//! A receiver of webhooks that verifies their signatures as Standard Webhooks says, and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

const KEY: [u8; 32] = [7; 32];
const PATIENCE: Duration = Duration::from_secs(40);

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The header `webhook-id`.
    pub(crate) id: String,
    /// Whether it was signed with the secret.
    pub(crate) signed: bool,
    pub(crate) body: Value,
    /// What was answered.
    pub(crate) status: u16,
}

impl Heard {
    /// The kinds of its alerts.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        let alerts = self.body["data"]["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        alerts.iter().filter_map(|alert| alert["kind"].as_str()).collect()
    }
}

/// How the next request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Status(u16),
    /// A redirect.
    To(String),
    /// None at all.
    Silence,
}

/// The receiver.
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    state: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
    answers: Mutex<VecDeque<Answer>>,
}

impl Hook {
    pub(crate) async fn start() -> Self {
        let state: Arc<Shared> = Arc::default();
        let router = axum::Router::new().fallback(hear).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Writes the secret into a file, as the server reads it.
    pub(crate) fn secret(folder: &Path) -> PathBuf {
        let path = folder.join("hook.secret");
        std::fs::write(&path, format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
        path
    }

    /// Has the next requests answered so; all others with 204.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.answers.lock().unwrap().extend(answers);
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().unwrap().clone()
    }

    /// The messages that tell of this kind and were taken.
    pub(crate) fn taken(&self, kind: &str) -> Vec<Heard> {
        let heard = self.heard().into_iter();
        heard.filter(|heard| heard.status == 204 && heard.kinds().contains(&kind)).collect()
    }

    /// Waits until what was heard is enough.
    pub(crate) async fn until(&self, what: &str, enough: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let began = Instant::now();
        loop {
            let heard = self.heard();
            if enough(&heard) {
                return heard;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {heard:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn hear(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let of = |name: &str| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (id, timestamp) = (of("webhook-id"), of("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let answer = state.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204));
    let status = match &answer {
        Answer::Status(status) => *status,
        Answer::To(_) => 302,
        Answer::Silence => 0,
    };
    let heard = Heard {
        id,
        signed: of("webhook-signature") == expected,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status,
    };
    state.heard.lock().unwrap().push(heard);
    match answer {
        Answer::Status(status) => http::StatusCode::from_u16(status).unwrap().into_response(),
        Answer::To(place) => (http::StatusCode::FOUND, [("location", place)]).into_response(),
        Answer::Silence => std::future::pending().await,
    }
}
