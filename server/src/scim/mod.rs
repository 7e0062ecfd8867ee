//! `/scim/v2`: an identity provider pushes people and groups (SCIM 2.0, RFC 7643 and 7644).
//!
//! A user here is a person, whether or not they have signed in; a group gives roles by the same lines of the policy as
//! the groups of an ID token. Whoever is deactivated, deleted or taken out of a group has lost sessions, rights and the keys
//! that say by any of their names that they are theirs when the answer is given, on every server as soon as it looks at the database: for sessions and roles with each
//! request, for keys within a second.

mod bulk;
mod directory;
mod error;
mod filter;
mod list;
mod name;
mod patch;
mod read;
mod resource;
mod schema;
mod select;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use directory::group_names;
pub(crate) use error::ScimError;

use directory::Directory;
use error::answer;
use list::Query;
use resource::Resource;
use schema::{Attributes, GROUP, ResourceType, SCHEMAS, TYPES, USER};
use select::Wanted;

use crate::admin::to_its_end;
use crate::app::App;
use crate::identity::Permit;

/// Bytes of a request.
const LARGEST: usize = 1024 * 1024;
/// How often a change without a condition is tried where another server was quicker.
const TRIES: usize = 10;
/// Changes of different resources that this server makes at once.
const AT_ONCE: usize = 64;

/// What the handlers need.
#[derive(Clone)]
struct Scim {
    app: Arc<App>,
    /// The address of `/scim/v2`.
    base: Arc<str>,
    turns: Arc<Turns>,
}

/// Changes of one resource take turns on this server: a provider sends many at once, and all of them would be begun,
/// recorded, and all but one be made again.
struct Turns([Mutex<()>; AT_ONCE]);

impl Turns {
    async fn of(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hash = DefaultHasher::new();
        id.hash(&mut hash);
        let at = usize::try_from(hash.finish() % AT_ONCE as u64).unwrap_or_default();
        match self.0.get(at) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// The routes.
pub fn router(app: Arc<App>, base_url: &str) -> axum::Router {
    let base = Arc::from(format!("{}/scim/v2", base_url.trim_end_matches('/')));
    let of = |kind: &'static ResourceType| {
        let many = format!("/scim/v2{}", kind.endpoint);
        axum::Router::new()
            .route(&format!("{many}/.search"), post(search))
            .route(&many, get(index).post(create))
            .route(&format!("{many}/{{id}}"), get(show).put(replace).patch(change).delete(delete))
            .layer(Extension(kind))
    };
    axum::Router::new()
        .merge(of(&USER))
        .merge(of(&GROUP))
        .route("/scim/v2/ServiceProviderConfig", get(provider_config))
        .route("/scim/v2/ResourceTypes", get(resource_types))
        .route("/scim/v2/ResourceTypes/{id}", get(resource_type))
        .route("/scim/v2/Schemas", get(schemas))
        .route("/scim/v2/Schemas/{id}", get(schema))
        .route("/scim/v2/.search", post(search_all))
        .route("/scim/v2/Bulk", post(bulk::bulk))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), to_its_end))
        .with_state(Scim { app, base, turns: Arc::new(Turns([const { Mutex::const_new(()) }; AT_ONCE])) })
}

type Kind = Extension<&'static ResourceType>;

impl Scim {
    /// Users and groups, where a provider is configured to push them.
    fn directory<'a>(&'a self, permit: &'a Permit) -> Result<Directory<'a>, ScimError> {
        let provider = self.app.config.identity.provisioned().ok_or_else(|| {
            ScimError::new(
                StatusCode::NOT_FOUND,
                "no identity provider is configured to push people: set `scim` of one `[[identity.provider]]`",
            )
        })?;
        Ok(Directory { app: &self.app, permit, provider, turns: &self.turns })
    }

    fn told(&self, status: StatusCode, resource: &Resource, wanted: &Wanted) -> Response {
        let mut response = answer(status, &wanted.of(resource.kind, resource.told(&self.base)));
        let headers = response.headers_mut();
        for (name, value) in
            [(header::ETAG, resource.tag()), (header::LOCATION, resource.location(&self.base))]
        {
            headers.extend(HeaderValue::from_str(&value).map(|value| (name, value)));
        }
        response
    }
}

/// A body as JSON.
fn json_of(body: Result<Bytes, axum::extract::rejection::BytesRejection>) -> Result<Value, ScimError> {
    let body = body.map_err(|error| ScimError::new(error.status(), error.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| ScimError::syntax(format!("the body is no JSON: {error}")))
}

/// Entity tags that a header names, compared weakly (RFC 9110, 8.8.3.2).
fn names_tag(headers: &HeaderMap, name: header::HeaderName, tag: &str) -> Option<bool> {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let named = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|one| one.trim() == "*" || bare(one) == bare(tag));
    Some(named)
}

/// Refuses a change of another version than the client has read.
fn if_match(headers: &HeaderMap, resource: &Resource) -> Result<bool, ScimError> {
    match names_tag(headers, header::IF_MATCH, &resource.tag()) {
        Some(false) => Err(ScimError::changed()),
        Some(true) => Ok(true),
        None => Ok(false),
    }
}

async fn index(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    found(&scim, &permit, &[kind], &Query::of_address(&query.unwrap_or_default())?).await
}

async fn search(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ScimError> {
    found(&scim, &permit, &[kind], &Query::of_body(&json_of(body)?)?).await
}

async fn search_all(
    State(scim): State<Scim>,
    permit: Permit,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ScimError> {
    found(&scim, &permit, &TYPES, &Query::of_body(&json_of(body)?)?).await
}

async fn found(
    scim: &Scim,
    permit: &Permit,
    kinds: &[&'static ResourceType],
    query: &Query,
) -> Result<Response, ScimError> {
    let directory = scim.directory(permit)?;
    let skipped = query.start.saturating_sub(1);
    if let ([kind], None, None) = (kinds, &query.filter, &query.sort_by) {
        let from = u64::try_from(skipped).unwrap_or(u64::MAX);
        let limit = u64::try_from(query.count).unwrap_or(u64::MAX);
        let with_members = query.wanted.wants(kind, "members");
        let total = directory.count(kind).await?;
        let page = match skipped < total && limit > 0 {
            true => directory.page(kind, from, limit, with_members).await?,
            false => Vec::new(),
        };
        let page = page.into_iter().map(|one| query.wanted.of(kind, one.told(&scim.base)));
        return Ok(answer(StatusCode::OK, &list::response(total, query.start, &page.collect::<Vec<_>>())));
    }
    let mut all: Vec<(&'static ResourceType, Attributes)> = Vec::new();
    for kind in kinds.iter().copied() {
        // Of several types, one may lack what another has.
        if kinds.len() == 1 {
            query.check(kind)?;
        }
        for one in directory.candidates(kind, query.filter.as_ref()).await? {
            let told = one.told(&scim.base);
            if query.filter.as_ref().is_none_or(|filter| filter.holds(kind, &told)) {
                all.push((kind, told));
            }
        }
    }
    query.sort(&mut all);
    let total = all.len();
    let page = all.into_iter().skip(skipped).take(query.count);
    let page: Vec<Value> = page.map(|(kind, told)| query.wanted.of(kind, told)).collect();
    Ok(answer(StatusCode::OK, &list::response(total, query.start, &page)))
}

fn wanted(query: Option<String>) -> Result<Wanted, ScimError> {
    Ok(Query::of_address(&query.unwrap_or_default())?.wanted)
}

async fn show(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    let wanted = wanted(query)?;
    let resource = scim.directory(&permit)?.get(kind, &id).await?;
    let mut response = scim.told(StatusCode::OK, &resource, &wanted);
    if names_tag(&headers, header::IF_NONE_MATCH, &resource.tag()) == Some(true) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
    }
    Ok(response)
}

async fn create(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    RawQuery(query): RawQuery,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ScimError> {
    let wanted = wanted(query)?;
    let directory = scim.directory(&permit)?;
    let made = Box::pin(directory.create(kind, read::resource(kind, &json_of(body)?)?)).await?;
    Ok(scim.told(StatusCode::CREATED, &made, &wanted))
}

async fn replace(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ScimError> {
    let wanted = wanted(query)?;
    let directory = scim.directory(&permit)?;
    let body = json_of(body)?;
    let changed = Box::pin(changed(&directory, kind, &id, &headers, &Change::Whole(&body))).await?;
    Ok(scim.told(StatusCode::OK, &changed, &wanted))
}

async fn change(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ScimError> {
    let wanted = wanted(query)?;
    let directory = scim.directory(&permit)?;
    let body = json_of(body)?;
    let changed = Box::pin(changed(&directory, kind, &id, &headers, &Change::Parts(&body))).await?;
    Ok(scim.told(StatusCode::OK, &changed, &wanted))
}

/// What is to be changed of a resource.
enum Change<'a> {
    Whole(&'a Value),
    Parts(&'a Value),
}

/// Changes a resource. Where somebody else was quicker, a client that named no version has its change made of theirs.
async fn changed(
    directory: &Directory<'_>,
    kind: &'static ResourceType,
    id: &str,
    headers: &HeaderMap,
    change: &Change<'_>,
) -> Result<Resource, ScimError> {
    let _turn = directory.turns.of(id).await;
    let mut tries = 0;
    loop {
        tries += 1;
        let before = directory.get(kind, id).await?;
        let conditional = if_match(headers, &before)?;
        let after = match change {
            Change::Whole(body) => {
                let mut after = read::resource(kind, body)?;
                // Who does not say whether somebody is active neither lets them in nor shuts them out.
                if let (Some(active), "User") = (before.attributes.get("active"), kind.name) {
                    after.entry("active").or_insert_with(|| active.clone());
                }
                after
            }
            Change::Parts(body) => patch::apply(kind, &before.attributes, body)?,
        };
        match directory.change(before, after).await {
            Err(error)
                if error.status == StatusCode::PRECONDITION_FAILED && !conditional && tries < TRIES => {}
            done => return done,
        }
    }
}

async fn delete(
    State(scim): State<Scim>,
    Extension(kind): Kind,
    permit: Permit,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ScimError> {
    let directory = scim.directory(&permit)?;
    Box::pin(deleted(&directory, kind, &id, &headers)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn deleted(
    directory: &Directory<'_>,
    kind: &'static ResourceType,
    id: &str,
    headers: &HeaderMap,
) -> Result<(), ScimError> {
    let _turn = directory.turns.of(id).await;
    let mut tries = 0;
    loop {
        tries += 1;
        let before = directory.get(kind, id).await?;
        let conditional = if_match(headers, &before)?;
        match directory.delete(&before).await {
            Err(error)
                if error.status == StatusCode::PRECONDITION_FAILED && !conditional && tries < TRIES => {}
            done => return done,
        }
    }
}

async fn provider_config(State(scim): State<Scim>) -> Response {
    let told = schema::provider_config(&scim.base, bulk::MOST, LARGEST, list::MOST);
    answer(StatusCode::OK, &told)
}

async fn resource_types(State(scim): State<Scim>) -> Response {
    let told: Vec<Value> = TYPES.iter().map(|kind| kind.described(&scim.base)).collect();
    answer(StatusCode::OK, &list::response(told.len(), 1, &told))
}

async fn resource_type(State(scim): State<Scim>, Path(id): Path<String>) -> Result<Response, ScimError> {
    let kind = TYPES.iter().find(|kind| kind.name == id).ok_or_else(|| ScimError::not_found("type"))?;
    Ok(answer(StatusCode::OK, &kind.described(&scim.base)))
}

async fn schemas(State(scim): State<Scim>) -> Response {
    let told: Vec<Value> = SCHEMAS.iter().map(|schema| schema.described(&scim.base)).collect();
    answer(StatusCode::OK, &list::response(told.len(), 1, &told))
}

async fn schema(State(scim): State<Scim>, Path(id): Path<String>) -> Result<Response, ScimError> {
    let known = SCHEMAS.iter().find(|schema| schema.id.eq_ignore_ascii_case(&id));
    let schema = known.ok_or_else(|| ScimError::not_found("schema"))?;
    Ok(answer(StatusCode::OK, &schema.described(&scim.base)))
}
