//! `/keys`: handlers. Each reads or sends by the API and draws what it says.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::redirect;
use super::visit::{Sent, Visit, either};
use crate::api::{Problem, Typed, end_of_day, escaped};
use crate::pages::errors::PageError;
use crate::pages::keys::new::{self, Offers};
use crate::pages::keys::one::{self, KeyPage, Refused};
use crate::pages::keys::shown::{self, Lead, Made};
use crate::pages::keys::{self, Key, KeyFilter, KeyList, KeyState};

/// Keys of one page.
const PAGE: u32 = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    scope: Option<String>,
    state: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
}

impl ListQuery {
    /// None for a state that does not exist: showing everything instead would mislead.
    fn filter(self) -> Option<KeyFilter> {
        let given =
            |value: Option<String>| value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let state = match given(self.state) {
            Some(name) => Some(KeyState::ALL.into_iter().find(|state| state.name() == name)?),
            None => None,
        };
        Some(KeyFilter { scope: given(self.scope), state, q: given(self.q), cursor: given(self.cursor) })
    }
}

/// `GET /keys`.
pub(super) async fn list(visit: Visit, query: Result<Query<ListQuery>, QueryRejection>) -> Response {
    let Some(filter) = query.ok().and_then(|Query(query)| query.filter()) else {
        return super::refuse(&visit.frame, PageError::BadRequest);
    };
    either(listed(&visit, &filter).await)
}

async fn listed(visit: &Visit, filter: &KeyFilter) -> Result<Response, Response> {
    let target = crate::pages::address(
        "/api/v1/keys",
        [
            ("limit", Some(PAGE.to_string())),
            ("scope", filter.scope.clone()),
            ("state", filter.state.map(|state| state.name().to_owned())),
            ("cursor", filter.cursor.clone()),
        ],
    );
    let list: KeyList = visit.read(&target).await?;
    let scopes = visit.scopes("console:keys", "read").await?;
    let title = visit.lang().text().key_pages.title;
    Ok(visit.show(title, || keys::page(&visit.frame, filter, list, &scopes, visit.now_ms())))
}

/// What a form for a key offers.
pub(super) async fn offers(visit: &Visit, object: &str, action: &str) -> Result<Offers, Response> {
    #[derive(Deserialize)]
    struct Endpoint {
        models: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Endpoints {
        endpoints: Vec<Endpoint>,
    }
    let found: Option<Endpoints> = visit.perhaps("/api/v1/endpoints?limit=1000").await?;
    let endpoints = found.map(|found| found.endpoints).unwrap_or_default();
    let mut models: Vec<String> = endpoints.into_iter().flat_map(|endpoint| endpoint.models).collect();
    models.sort();
    models.dedup();
    Ok(Offers { scopes: visit.scopes(object, action).await?, models, today: new::today(visit.now_ms()) })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    scope: Option<String>,
}

/// `GET /keys/new`.
pub(super) async fn blank(visit: Visit, query: Result<Query<NewQuery>, QueryRejection>) -> Response {
    either(
        async {
            let offers = offers(&visit, "console:keys", "create").await?;
            let scope = query.ok().and_then(|Query(query)| query.scope);
            // Where there is one scope alone, that is meant.
            let only = match offers.scopes.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            };
            let typed = Typed::default().with("scope", scope.or(only).unwrap_or_default());
            let title = visit.lang().text().key_pages.create;
            Ok(visit.show(title, || new::page(&visit.frame, &offers, &typed, None)))
        }
        .await,
    )
}

/// A key and its secret, as the API tells them once.
#[derive(Deserialize)]
struct Shown {
    id: String,
    key: String,
}

/// `POST /keys/new`.
pub(super) async fn create(visit: Visit, sent: Sent) -> Response {
    either(created(&visit, sent).await)
}

async fn created(visit: &Visit, sent: Sent) -> Result<Response, Response> {
    let typed = visit.typed(sent)?;
    let answer = visit.send(typed.call(Method::POST, "/api/v1/keys", Some(new::body(&typed)))).await;
    let t = &visit.lang().text().key_pages;
    match answer.and_then(read) {
        Ok(Shown { id, key }) => {
            let made = Made {
                id,
                secret: key,
                name: typed.text("name").unwrap_or_default(),
                scope: typed.text("scope").unwrap_or_default(),
                model: new::model(&typed).unwrap_or_else(|| example_model(visit)),
                base_url: visit.base_url(),
                lead: Lead::Created,
            };
            Ok(visit.show(t.made_title, || shown::page(&visit.frame, &made)))
        }
        Err(problem) => {
            let offers = offers(visit, "console:keys", "create").await?;
            Ok(visit.again(&problem, t.create, || new::page(&visit.frame, &offers, &typed, Some(&problem))))
        }
    }
}

pub(super) fn example_model(visit: &Visit) -> String {
    let model = visit.frame.overview.as_ref().and_then(|overview| overview.example_model.clone());
    model.unwrap_or_else(|| "MODEL".to_owned())
}

pub(super) fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Problem> {
    serde_json::from_value(answer).map_err(|error| Problem::unreadable(&error.to_string()))
}

/// `GET /keys/{id}`.
pub(super) async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    either(
        async {
            let page = load(&visit, &id).await?;
            Ok(visit.show(&page.key.name, || one::page(&visit.frame, &page, None)))
        }
        .await,
    )
}

async fn load(visit: &Visit, id: &str) -> Result<KeyPage, Response> {
    let key: Key = visit.read(&format!("/api/v1/keys/{}", escaped(id))).await?;
    let of_scope = format!("/api/v1/keys?limit=1000&scope={}", escaped(&key.scope));
    let beside: KeyList = visit.read(&of_scope).await?;
    let standing = super::budgets::of_key(visit, &key).await?;
    Ok(KeyPage { before: before(&beside.keys, &key.id), key, standing, now_ms: visit.now_ms() })
}

/// The keys that `id` replaced, directly or not, and that are not revoked: they end with it.
fn before(keys: &[Key], id: &str) -> Vec<Key> {
    let mut found = Vec::new();
    let mut of = id;
    // A key replaces one at most, so this is a line; the number of keys bounds the walk.
    for _ in keys {
        let Some(key) = keys.iter().find(|key| key.rotated_to.as_deref() == Some(of)) else { break };
        if key.revoked_ms.is_none() {
            found.push(key.clone());
        }
        of = &key.id;
    }
    found
}

/// `POST /keys/{id}/rotate`.
pub(super) async fn rotate(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let mut body = Map::new();
            body.extend(typed.text("overlap_hours").map(|hours| {
                ("overlap_hours".to_owned(), hours.parse::<u32>().map_or(json!(hours), |hours| json!(hours)))
            }));
            body.extend(typed.text("expires").map(|day| ("expires".to_owned(), json!(end_of_day(&day)))));
            let made: Shown = match act(&visit, &id, "rotate", &typed, Value::Object(body)).await? {
                Ok(answer) => read(answer).map_err(|problem| visit.fault(&problem))?,
                Err(again) => return Ok(again),
            };
            let key: Key = visit.read(&format!("/api/v1/keys/{}", escaped(&made.id))).await?;
            let made = Made {
                model: key
                    .settings
                    .models
                    .as_ref()
                    .and_then(|models| models.first().cloned())
                    .unwrap_or_else(|| example_model(&visit)),
                id: made.id,
                secret: made.key,
                name: key.name,
                scope: key.scope,
                base_url: visit.base_url(),
                lead: Lead::Rotated,
            };
            let title = visit.lang().text().key_pages.rotated_title;
            Ok(visit.show(title, || shown::page(&visit.frame, &made)))
        }
        .await,
    )
}

/// `POST /keys/{id}/disable`.
pub(super) async fn disable(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    ended(&visit, &id, "disable", sent).await
}

/// `POST /keys/{id}/enable`.
pub(super) async fn enable(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    ended(&visit, &id, "enable", sent).await
}

/// `POST /keys/{id}/revoke`.
pub(super) async fn revoke(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    ended(&visit, &id, "revoke", sent).await
}

/// Does it, and goes to the key as it is now.
async fn ended(visit: &Visit, id: &str, what: &'static str, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let body = typed.text("reason").map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
            Ok(match act(visit, id, what, &typed, body).await? {
                Ok(_) => redirect(&format!("/keys/{}", escaped(id))),
                Err(again) => again,
            })
        }
        .await,
    )
}

/// An act on a key: its answer, or the key's page with the form as it was typed and what the API said.
async fn act(
    visit: &Visit,
    id: &str,
    what: &'static str,
    typed: &Typed,
    body: Value,
) -> Result<Result<Value, Response>, Response> {
    let target = format!("/api/v1/keys/{}/{what}", escaped(id));
    match visit.send(typed.call(Method::POST, target, Some(body))).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(problem) if problem.status == 401 => Err(visit.fault(&problem)),
        Err(problem) => {
            let page = load(visit, id).await?;
            let refused = Refused { act: what, typed, problem: &problem };
            let title = page.key.name.clone();
            Ok(Err(visit.again(&problem, &title, || one::page(&visit.frame, &page, Some(&refused)))))
        }
    }
}
