//! What is declared, one thing at a time: scopes, endpoints, model groups, workloads. A change of one is a declaration of it alone, and its
//! end one that leaves it out, so all that holds for `apply` holds here.

use std::fmt::Debug;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use super::etag::{self, IfMatch};
use super::input::{Asked, At, Body};
use super::organisation::{Looked, anew, declare, looked_at, right};
use super::page::Page;
use crate::app::App;
use crate::identity::Permit;
use crate::organisation::{EndpointDefinition, ModelGroup, Organisation, Scope, WorkloadDefinition, export};

/// A kind of thing that is declared under a name.
pub(super) trait Declared: Serialize + DeserializeOwned + Debug + Clone + Send + Sync {
    /// The list that it stands in.
    const LIST: &'static str;
    /// What one is called, as `changes` tells it.
    const KIND: &'static str;
    /// Where its name is.
    const NAME: &'static str;

    /// What keeps one from ending, in words.
    const HELD: &'static str;

    fn name(&self) -> &str;
    fn of(organisation: &mut Organisation) -> &mut Vec<Self>;
    /// Whether something else that is declared holds the one of this name.
    fn is_held(organisation: &Organisation, name: &str) -> bool;
}

macro_rules! declared {
    ($type:ty, $list:ident, $kind:literal, $name:ident, $pointer:literal, $held:expr, $is_held:expr) => {
        impl Declared for $type {
            const LIST: &'static str = stringify!($list);
            const KIND: &'static str = $kind;
            const NAME: &'static str = $pointer;
            const HELD: &'static str = $held;

            fn name(&self) -> &str {
                &self.$name
            }

            fn of(organisation: &mut Organisation) -> &mut Vec<Self> {
                &mut organisation.$list
            }

            fn is_held(organisation: &Organisation, name: &str) -> bool {
                let held: fn(&Organisation, &str) -> bool = $is_held;
                held(organisation, name)
            }
        }
    };
}

const IN_IT: &str = "it stays as long as anything is declared in it or below it";
const NAMED: &str = "it stays as long as a budget or limit is of its models";

declared!(Scope, scopes, "scope", path, "/path", IN_IT, Organisation::has_in);
declared!(EndpointDefinition, endpoints, "endpoint", name, "/name", IN_IT, |_, _| false);
declared!(WorkloadDefinition, workloads, "workload", name, "/name", IN_IT, |_, _| false);
declared!(ModelGroup, model_groups, "model_group", name, "/name", NAMED, Organisation::counts_by);

/// The one of this name.
fn find<T: Declared>(organisation: &Organisation, name: &str) -> Option<T> {
    T::of(&mut organisation.clone()).iter().find(|it| it.name() == name).cloned()
}

/// Which page is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Which {
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/scopes` and its like: by name.
pub(super) async fn list<T: Declared>(
    State(app): State<Arc<App>>,
    which: Result<Asked<Which>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(which) = which?;
    let page = Page::of(T::LIST, which.limit, which.cursor.as_deref())?;
    let mut all = std::mem::take(T::of(&mut export(&app.store, app.gateway.clock.now_ms()).await?));
    all.sort_by(|one, other| one.name().cmp(other.name()));
    let (all, next) = page.cut(all, false, |it| it.name().to_owned());
    Ok(Json(page.answer(&all, next)))
}

/// `GET /api/v1/endpoints/{name}` and its like, with the tag that a change may ask for.
pub(super) async fn get<T: Declared>(
    State(app): State<Arc<App>>,
    At(name): At<String>,
) -> Result<Response, Problem> {
    let now = export(&app.store, app.gateway.clock.now_ms()).await?;
    let found: T = find(&now, &name).ok_or_else(|| Problem::not_found(T::KIND))?;
    Ok(etag::tagged(&etag::tag(&found), Json(json!(found))))
}

/// `PUT /api/v1/endpoints/{name}` and its like: creates it, or makes it this.
pub(super) async fn put<T: Declared>(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(name): At<String>,
    expected: IfMatch,
    body: Result<Body<T>, Problem>,
) -> Result<Response, Problem> {
    let Body(thing) = body?;
    if thing.name() != name {
        return Err(Problem::wrong_field(T::NAME, "it is not the one that the path names"));
    }
    let mut wanted = Organisation::default();
    T::of(&mut wanted).push(thing.clone());
    let here = |problem: Problem| problem.without(&format!("/{}/0", T::LIST));
    right(&app, &wanted).map_err(here)?;
    anew(expected == IfMatch::Any, || async {
        let now_ms = app.gateway.clock.now_ms();
        let now = export(&app.store, now_ms).await?;
        seen::<T>(&expected, &now, &name)?;
        let changes = looked_at(&app, &now, &wanted, false, now_ms).await.map_err(here)?;
        if !changes.is_empty() {
            let looked = Looked { now: &now, wanted: &wanted, prune: false, changes, seen: None, now_ms };
            declare(&app, permit.subject(), looked).await?;
        }
        Ok(())
    })
    .await?;
    get::<T>(State(Arc::clone(&app)), At(name)).await
}

/// `DELETE /api/v1/endpoints/{name}` and its like.
pub(super) async fn end<T: Declared>(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(name): At<String>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    let done = anew(expected == IfMatch::Any, || async {
        let now_ms = app.gateway.clock.now_ms();
        let now = export(&app.store, now_ms).await?;
        if find::<T>(&now, &name).is_none() {
            return Err(Problem::not_found(T::KIND));
        }
        seen::<T>(&expected, &now, &name)?;
        let mut less = now.clone();
        T::of(&mut less).retain(|it| it.name() != name);
        let held = || {
            let title = "Something belongs to it";
            Problem::new(StatusCode::CONFLICT, "conflict", title).detail(T::HELD).fix("end that first")
        };
        if T::is_held(&less, &name) {
            return Err(held());
        }
        let changes = looked_at(&app, &now, &less, true, now_ms).await?;
        if !matches!(&changes[..], [one] if one.change == "delete" && one.kind == T::KIND && one.name == name)
        {
            return Err(held());
        }
        let looked = Looked { now: &now, wanted: &less, prune: true, changes, seen: None, now_ms };
        declare(&app, permit.subject(), looked).await
    })
    .await?;
    // Of a scope that the past names its declarations alone are gone.
    Ok(Json(json!({ T::NAME.trim_start_matches('/'): name, "deleted": done.ended.kept.is_empty() })))
}

/// Refuses where it is not as it was seen; one that is not there was not seen.
fn seen<T: Declared>(expected: &IfMatch, now: &Organisation, name: &str) -> Result<(), Problem> {
    match find::<T>(now, name) {
        Some(found) => expected.seen(&found).map(drop),
        None if *expected == IfMatch::Any => Ok(()),
        None => Err(crate::store::StoreError::Changed.into()),
    }
}
