//! The list of decisions, and its live stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use http::HeaderMap;
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::Problem;
use crate::admin::input::Asked;
use crate::admin::page::Page;
use crate::app::App;
use crate::audit::DecisionFilter;
use crate::console::rows;
use crate::identity::{Actor, Permit};
use crate::store::decisions::DecisionRow;

pub(crate) const OBJECT: &str = "console:decisions";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListQuery {
    scope: Option<String>,
    key: Option<String>,
    model: Option<String>,
    outcome: Option<String>,
    endpoint: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/decisions`: newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    query: Result<Asked<ListQuery>, Problem>,
) -> Result<Json<serde_json::Value>, Problem> {
    let Asked(query) = query?;
    let page = Page::of("decisions", query.limit, query.cursor.as_deref())?;
    let filter = DecisionFilter {
        scope: Some(permit.scope(query.scope)?),
        key_id: query.key,
        model: query.model,
        outcome: query.outcome,
        endpoint: query.endpoint,
        from_ms: query.from.map(|at| at.timestamp_millis()),
        to_ms: query.to.map(|at| at.timestamp_millis()),
        ..DecisionFilter::default()
    };
    let snapshot = app.gateway.snapshot.load_full();
    // Below a scope that may be seen can be one that may not.
    let mut covers = permit.covering();
    let (audit, filter) = (&app.gateway.audit, &filter);
    let read = |before: Option<String>, limit| async move {
        audit.decisions(filter, before.as_deref(), limit).await
    };
    let keep = |row: DecisionRow| covers(&row.scope).then(|| rows::view(&row, &snapshot));
    let (found, next) = page.fill(read, |row| row.id.clone(), keep).await?;
    Ok(Json(page.answer(&found, next)))
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
