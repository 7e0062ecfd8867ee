//! The servers of this database: who is live, who is waited for, and whose spool is lost.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_ledger::Kind;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use crate::admin::input::{Asked, At, Body};
use crate::admin::page::{Page, number};
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::store::leases::{self, Held};
use crate::store::replicas::{self, Peer, State as Life};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// How a replica stands.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    /// It says that it is there.
    Live,
    /// It was stopped, and what it left open is being booked.
    Stopped,
    /// It was stopped, and what is in its spool has to come first.
    Missing,
}

/// A replica as an operator sees it.
#[derive(Debug, Serialize)]
pub(super) struct ReplicaView {
    number: i64,
    name: String,
    state: Stands,
    silent_ms: i64,
    /// What is granted to it and not settled, by budget or limit and bucket.
    holds: Vec<Held>,
}

async fn view(app: &App, peer: Peer) -> Result<ReplicaView, Problem> {
    let state = match peer.state {
        Life::Live => Stands::Live,
        Life::Fenced if peer.spools => Stands::Missing,
        Life::Fenced | Life::Gone => Stands::Stopped,
    };
    Ok(ReplicaView {
        number: peer.number.get(),
        name: replicas::name(&app.store, peer.number).await?,
        state,
        silent_ms: peer.silent_ms.max(0),
        holds: leases::held(&app.store, peer.number).await?,
    })
}

/// Which replicas are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/replicas`: those of which something is open, by number.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("replicas", filter.limit, filter.cursor.as_deref())?;
    let mut peers = replicas::peers(&app.store).await?;
    peers.sort_by_key(|peer| peer.number.get());
    let (peers, next) = page.cut(peers, false, |peer| number(peer.number.get()));
    let mut views = Vec::new();
    for peer in peers {
        views.push(view(&app, peer).await?);
    }
    Ok(Json(page.answer(&views, next)))
}

/// The body of `POST /api/v1/replicas/{number}/lost`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lost {
    reason: String,
}

/// `POST /api/v1/replicas/{number}/lost`: nobody waits for its spool any more. What it left open is booked at what was
/// held for it, and the rest of what it held is free again.
pub(super) async fn lost(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(number): At<i64>,
    body: Result<Body<Lost>, Problem>,
) -> Result<Json<ReplicaView>, Problem> {
    let Body(body) = body?;
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Problem::wrong_field(
            "/reason",
            &format!("it says why, in 1 to {LONGEST_REASON} characters"),
        ));
    }
    let peers = replicas::peers(&app.store).await?;
    let Some(peer) = peers.into_iter().find(|peer| peer.number.get() == number) else {
        return Err(Problem::not_found("replica"));
    };
    let before = view(&app, peer).await?;
    if !matches!(before.state, Stands::Missing) {
        return Err(not_missing(&before));
    }
    let what = json!({
        "replica": number, "name": before.name, "reason": reason, "holds": before.holds,
        "before": { "state": before.state }, "after": { "state": Stands::Stopped },
    });
    let act =
        Act { kind: Kind::Admin, principal: permit.subject(), scope: Some("/"), name: "replica_lost", what };
    let change = async { Ok::<_, Problem>(replicas::spool_ended(&app.store, peer.number).await?) };
    app.act_aside(act, |ended| json!({ "ended": ended }), change).await?;
    Ok(Json(before))
}

fn not_missing(replica: &ReplicaView) -> Problem {
    let detail = match replica.state {
        Stands::Live => "it runs: stop it first. It hands in by itself what is in its spool",
        Stands::Stopped | Stands::Missing => "nobody waits for its spool: what it left open is being booked",
    };
    Problem::new(StatusCode::CONFLICT, "conflict", format!("Replica {} is not missing", replica.number))
        .detail(detail)
}
