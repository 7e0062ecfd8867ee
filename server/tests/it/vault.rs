//! A small server that answers as Vault's documented API does. It is no Vault: what it does not know, nobody checked.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

/// What it takes.
pub(crate) const TOKEN: &str = "hvs.canary-token-5a6b7c8d9e";

/// As much of Vault as a token needs to read one secret.
pub(crate) struct Vault {
    pub(crate) address: String,
    state: Arc<std::sync::Mutex<(Option<String>, bool)>>,
}

impl Vault {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(std::sync::Mutex::new((None::<String>, false)));
        let shared = Arc::clone(&state);
        let secret = get(move |headers: http::HeaderMap| async move {
            use axum::response::IntoResponse as _;
            let (value, down) = shared.lock().unwrap().clone();
            match value {
                _ if down => http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
                _ if headers.get("x-vault-token").is_none_or(|token| token != TOKEN) => {
                    http::StatusCode::FORBIDDEN.into_response()
                }
                Some(value) => Json(json!({ "data": { "data": { "key": value } } })).into_response(),
                None => http::StatusCode::NOT_FOUND.into_response(),
            }
        });
        let router = Router::new()
            .route("/v1/auth/token/lookup-self", get(|| async { Json(json!({ "data": { "ttl": 0 } })) }))
            .route("/v1/secret/data/llm/openai", secret);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state }
    }

    pub(crate) fn says(&self, value: Option<&str>) {
        self.state.lock().unwrap().0 = value.map(str::to_owned);
    }

    pub(crate) fn down(&self, down: bool) {
        self.state.lock().unwrap().1 = down;
    }
}
