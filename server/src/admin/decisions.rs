//! The list of decisions, and its live stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::StreamExt as _;
use http::HeaderMap;
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::Problem;
use crate::app::App;
use crate::audit::DecisionFilter;
use crate::console::rows;
use crate::identity::{Actor, Permit};

pub(crate) const OBJECT: &str = "console:decisions";
const PAGE: u64 = 100;
/// The longest page.
const MOST: u64 = 1_000;

/// Whether it has the form of a decision's id.
fn is_id(text: &str) -> bool {
    text.strip_prefix("dec_")
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    scope: Option<String>,
    before: Option<String>,
    limit: Option<u64>,
}

/// `GET /api/v1/decisions`: newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<serde_json::Value>, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::invalid(format!("`limit` is a number from 1 to {MOST}")));
    }
    if query.before.as_deref().is_some_and(|before| !is_id(before)) {
        return Err(Problem::invalid(
            "`before` is the id of a decision: `dec_…`, the last of the page before",
        ));
    }
    let scope = permit.scope(query.scope)?;
    let filter = DecisionFilter { scope: Some(scope), ..DecisionFilter::default() };
    let found = app.gateway.audit.decisions(&filter, query.before.as_deref(), limit).await?;
    let snapshot = app.gateway.snapshot.load_full();
    // Below a scope that may be seen can be one that may not.
    let mut covers = permit.covering();
    let found: Vec<_> =
        found.iter().filter(|row| covers(&row.scope)).map(|row| rows::view(row, &snapshot)).collect();
    Ok(Json(serde_json::json!({ "decisions": found })))
}

/// How often it is looked whether who reads the live list still may.
const STILL_MAY: Duration = Duration::from_millis(400);

/// `GET /api/v1/decisions/stream`: server-sent events, one decision's row each, as its records become durable. It ends
/// when the session or the token does.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    permit: Permit,
    headers: HeaderMap,
) -> Result<Sse<impl futures::Stream<Item = Result<Event, Infallible>>>, Problem> {
    let stopping = app.gateway.stopping_live.clone();
    let changes = BroadcastStream::new(app.gateway.audit.subscribe());
    let may = {
        let (app, before) = (Arc::clone(&app), permit.actor().clone());
        async move {
            loop {
                tokio::time::sleep(STILL_MAY).await;
                match Actor::of(&app, &headers).await {
                    // With other names there are other rights: who reads on asks anew.
                    Ok(Some(actor)) if actor.subject == before.subject && actor.held == before.held => {}
                    Ok(_) => return,
                    // A database that does not answer ends no session.
                    Err(_) => {}
                }
            }
        }
    };
    let over = async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = may => {}
        }
    };
    let events = changes.take_until(over).filter_map(move |change| {
        let event = change.ok().and_then(|row| {
            if !permit.covers(&row.scope) {
                return None;
            }
            let view = rows::view(&row, &app.gateway.snapshot.load());
            Event::default().json_data(view).ok()
        });
        std::future::ready(event.map(Ok))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
