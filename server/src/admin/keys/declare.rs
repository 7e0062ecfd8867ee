//! A key that is there, made what a declaration of it alone says.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::{Problem, get, reach};
use crate::admin::etag::IfMatch;
use crate::admin::input::{At, Body};
use crate::admin::organisation::{Looked, anew, declare, looked_at, right};
use crate::app::App;
use crate::identity::Permit;
use crate::organisation::{KeyDefinition, Organisation, Seen, export, key_lives};

/// `PUT /api/v1/keys/{id}`: it keeps its secret, and is what the body says when this answers.
pub(in crate::admin) async fn put(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<Body<KeyDefinition>, Problem>,
) -> Result<Response, Problem> {
    let Body(key) = body?;
    let wanted = Organisation { keys: vec![key.clone()], ..Organisation::default() };
    let here = |problem: Problem| problem.without("/keys/0");
    right(&app, &wanted).map_err(here)?;
    anew(expected == IfMatch::Any, || async {
        let now_ms = app.gateway.clock.now_ms();
        let row = reach(&app, &permit, &id).await?;
        let stays = "a key stays what it is called and where it is: make another one";
        for (field, same) in [("/scope", row.scope == key.scope), ("/name", row.name == key.name)] {
            if !same {
                return Err(Problem::wrong_field(field, stays));
            }
        }
        let seen = expected.seen(&row)?.cloned();
        if !key_lives(&row, now_ms) {
            return Err(Problem::new(StatusCode::CONFLICT, "conflict", "It is no key that can be declared")
                .detail("it has ended, was replaced, or is a workload's")
                .fix(
                    "replace one that has expired with `rotate`; change a workload's keys with the workload",
                ));
        }
        let now = export(&app.store, now_ms).await?;
        let changes = looked_at(&app, &now, &wanted, false, now_ms).await.map_err(here)?;
        if !changes.is_empty() {
            let seen = seen.map(Seen::Key);
            let looked = Looked { now: &now, wanted: &wanted, prune: false, changes, seen, now_ms };
            declare(&app, permit.subject(), looked).await.map_err(here)?;
        }
        Ok(())
    })
    .await?;
    get(State(Arc::clone(&app)), permit, At(id)).await
}
