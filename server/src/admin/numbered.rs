//! Budgets and limits as they are declared, one at a time. They are known by what they hold for and their window, and are
//! called by a number here. As of everything that is declared, a change of one is a declaration of it alone.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Problem;
use super::etag::{self, IfMatch};
use super::input::{At, Body};
use super::organisation::{Looked, anew, declare, looked_at, right};
use crate::app::App;
use crate::identity::Permit;
use crate::organisation::{BudgetDefinition, Holding, LimitDefinition, Organisation, Seen, export};
use crate::store::budgets::{Budget, TopUp};
use crate::store::{self, Store};

/// A kind of thing that is declared for somebody.
pub(super) trait Numbered: Serialize + DeserializeOwned + Debug + Clone + Send + Sync {
    /// The list that it stands in, and its path.
    const LIST: &'static str;
    /// What one is called, as `changes` tells it.
    const KIND: &'static str;

    fn of(organisation: &mut Organisation) -> &mut Vec<Self>;
    fn key(&self) -> Option<&str>;
    fn retired(&mut self) -> &mut bool;
}

macro_rules! numbered {
    ($type:ty, $list:ident, $kind:literal) => {
        impl Numbered for $type {
            const LIST: &'static str = stringify!($list);
            const KIND: &'static str = $kind;

            fn of(organisation: &mut Organisation) -> &mut Vec<Self> {
                &mut organisation.$list
            }

            fn key(&self) -> Option<&str> {
                self.key.as_deref()
            }

            fn retired(&mut self) -> &mut bool {
                &mut self.retired
            }
        }
    };
}

numbered!(BudgetDefinition, budgets, "budget");
numbered!(LimitDefinition, limits, "limit");

/// What a change of one may ask for: of what is declared and of its top-ups, not of what is spent.
pub(super) fn tag(row: &Budget, top_ups: &[TopUp]) -> String {
    etag::tag(&(row, top_ups))
}

/// The top-ups of one that count now or later.
pub(super) async fn top_ups_of(store: &Store, id: i64, now_ms: i64) -> Result<Vec<TopUp>, Problem> {
    let mut top_ups = store::budgets::top_ups(store, now_ms).await?;
    top_ups.retain(|it| it.budget_id == id);
    Ok(top_ups)
}

/// What is declared of one, its key by scope and name; null of a key's own limit, which is declared with the key.
pub(super) async fn declared<T: Numbered>(app: &App, row: &Budget, now_ms: i64) -> Result<Value, Problem> {
    let declared = Holding::now(&app.store, now_ms).await?.declared(row)?;
    Ok(json!(declared.and_then(|mut it| T::of(&mut it).pop())))
}

/// A declaration of it alone, right by itself.
fn alone<T: Numbered>(app: &App, thing: &T) -> Result<Organisation, Problem> {
    if *thing.clone().retired() {
        return Err(Problem::wrong_field("/retired", "what is declared here holds; `DELETE` ends it"));
    }
    let mut wanted = Organisation::default();
    T::of(&mut wanted).push(thing.clone());
    right(app, &wanted).map_err(here::<T>)?;
    Ok(wanted)
}

/// The places of its faults are those of the body.
fn here<T: Numbered>(problem: Problem) -> Problem {
    problem.without(&format!("/{}/0", T::LIST))
}

fn known_key<T: Numbered>(holding: &Holding, thing: &T) -> Result<(), Problem> {
    match thing.key() {
        Some(key) if !holding.knows_key(key) => {
            Err(Problem::wrong_field("/key", &format!("there is no key `{key}`"))
                .fix("name it by its id, or by scope and name: `/acme/lab/notebook`"))
        }
        _ => Ok(()),
    }
}

/// `POST /api/v1/budgets`, `POST /api/v1/limits`: declares another one; in force when this answers.
pub(super) async fn create<T: Numbered>(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<T>, Problem>,
) -> Result<Response, Problem> {
    let Body(thing) = body?;
    let wanted = alone(&app, &thing)?;
    let id = anew(true, || async {
        let now_ms = app.gateway.clock.now_ms();
        let holding = Holding::now(&app.store, now_ms).await?;
        known_key(&holding, &thing)?;
        let name = holding.name(&wanted).unwrap_or_default();
        if let Some(row) = holding.find(T::KIND, &name)? {
            let title = format!("There is such a {} already", T::KIND);
            return Err(Problem::new(StatusCode::CONFLICT, "conflict", title)
                .detail(format!("{name} is number {}", row.id))
                .fix(format!("change that one: PUT /api/v1/{}/{}", T::LIST, row.id)));
        }
        let now = export(&app.store, now_ms).await?;
        let changes = looked_at(&app, &now, &wanted, false, now_ms).await.map_err(here::<T>)?;
        let looked = Looked { now: &now, wanted: &wanted, prune: false, changes, seen: None, now_ms };
        declare(&app, permit.subject(), looked).await.map_err(here::<T>)?;
        let holding = Holding::now(&app.store, now_ms).await?;
        // Whoever ended it meanwhile did so after it was declared.
        Ok(holding.find(T::KIND, &name)?.map(|row| row.id))
    })
    .await?;
    let id = id.ok_or_else(|| Problem::not_found(T::KIND))?;
    Ok((StatusCode::CREATED, answer::<T>(&app, id).await?).into_response())
}

/// `PUT /api/v1/budgets/{id}`, `PUT /api/v1/limits/{id}`: makes it what the body says.
pub(super) async fn put<T: Numbered>(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<i64>,
    expected: IfMatch,
    body: Result<Body<T>, Problem>,
) -> Result<Response, Problem> {
    let Body(thing) = body?;
    let wanted = alone(&app, &thing)?;
    anew(expected == IfMatch::Any, || async {
        let now_ms = app.gateway.clock.now_ms();
        let holding = Holding::now(&app.store, now_ms).await?;
        let (before, seen) = found::<T>(&app, &holding, id, &expected, now_ms).await?;
        known_key(&holding, &thing)?;
        if holding.name(&wanted) != holding.name(&before) {
            let told = format!("this declares another one than {}", holding.name(&before).unwrap_or_default());
            return Err(Problem::wrong_field("", &told).fix(format!(
                "whom and which models it holds for, what it counts and its window are what a {} is known by: declare \
                 another with POST, and end this one with DELETE",
                T::KIND
            )));
        }
        let now = export(&app.store, now_ms).await?;
        let changes = looked_at(&app, &now, &wanted, false, now_ms).await.map_err(here::<T>)?;
        if !changes.is_empty() {
            let looked = Looked { now: &now, wanted: &wanted, prune: false, changes, seen, now_ms };
            declare(&app, permit.subject(), looked).await.map_err(here::<T>)?;
        }
        Ok(())
    })
    .await?;
    answer::<T>(&app, id).await
}

/// `DELETE /api/v1/budgets/{id}`, `DELETE /api/v1/limits/{id}`: it holds no more; what was spent stays on record.
pub(super) async fn end<T: Numbered>(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<i64>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    anew(expected == IfMatch::Any, || async {
        let now_ms = app.gateway.clock.now_ms();
        let holding = Holding::now(&app.store, now_ms).await?;
        let (mut wanted, seen) = found::<T>(&app, &holding, id, &expected, now_ms).await?;
        for thing in T::of(&mut wanted) {
            *thing.retired() = true;
        }
        let now = export(&app.store, now_ms).await?;
        let changes = looked_at(&app, &now, &wanted, false, now_ms).await?;
        let looked = Looked { now: &now, wanted: &wanted, prune: false, changes, seen, now_ms };
        declare(&app, permit.subject(), looked).await.map(drop)
    })
    .await?;
    Ok(Json(json!({ "id": id, "deleted": true })))
}

/// What is declared of one now, if it is as it was seen; and the row, where that was asked for.
async fn found<T: Numbered>(
    app: &App,
    holding: &Holding,
    id: i64,
    expected: &IfMatch,
    now_ms: i64,
) -> Result<(Organisation, Option<Seen>), Problem> {
    let row = holding.row(id).ok_or_else(|| Problem::not_found(T::KIND))?;
    let declared = holding.declared(row)?;
    let of_key = row.settings.get("of_key") == Some(&Value::Bool(true));
    if let (true, None, "limit") = (of_key, &declared, T::KIND) {
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", "It is a key's own limit")
            .detail("it is declared by the key's `requests_per_minute`")
            .fix("change the key: PUT /api/v1/keys/{id}"));
    }
    let declared = declared.filter(|it| !T::of(&mut it.clone()).is_empty());
    let declared = declared.ok_or_else(|| Problem::not_found(T::KIND))?;
    let top_ups = top_ups_of(&app.store, id, now_ms).await?;
    let seen = expected.seen_as(row, &tag(row, &top_ups))?.cloned();
    Ok((declared, seen.map(|row| Seen::Budget(row, top_ups))))
}

/// What is declared of one now, with its tag. Not where it stands: figures of single people are asked for with a reason.
async fn answer<T: Numbered>(app: &App, id: i64) -> Result<Response, Problem> {
    let now_ms = app.gateway.clock.now_ms();
    let row = store::budgets::get(&app.store, store::budgets::BudgetId(id)).await?;
    let top_ups = top_ups_of(&app.store, id, now_ms).await?;
    let declared = declared::<T>(app, &row, now_ms).await?;
    Ok(etag::tagged(&tag(&row, &top_ups), Json(json!({ "id": id, "declared": declared }))))
}
