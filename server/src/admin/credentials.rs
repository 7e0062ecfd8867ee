//! Credentials of providers: kept or referred to, tested, replaced, deleted. Nothing here gives one back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::etag::{self, IfMatch};
use super::input::{self, At, HoldsSecret, Secretive};
use super::page::Page;
use super::{Problem, told};
use crate::app::{Act, App, NotSealed, Resealed};
use crate::credentials::{CredentialDefinition, CredentialSource, Envelope, VaultSecret, usable};
use crate::gateway::Named;
use crate::identity::Permit;
use crate::organisation::{EndpointDefinition, new_row};
use crate::providers::Secret;
use crate::providers::probe::{Tested, probe};
use crate::store;
use crate::store::credentials::Credential;

/// Endpoints that a credential is tried at.
const MOST_TESTED: usize = 5;

/// A credential as everybody may see it.
#[derive(Debug, Serialize)]
struct CredentialView {
    name: String,
    scope: String,
    /// `sealed`, `env`, `file` or `vault`, with where it is to be had.
    source: Value,
    /// Whether this server has it now.
    state: &'static str,
    /// Why not.
    why: Option<String>,
    version: i64,
    fingerprint: Option<String>,
    endpoints: Vec<String>,
    created_ms: i64,
    updated_ms: i64,
    updated_by: Option<String>,
}

async fn views(app: &App, rows: Vec<Credential>) -> Result<Vec<CredentialView>, Problem> {
    let users = users(app).await?;
    let keyring = Arc::clone(&app.sources.keyring);
    let asked = rows.clone();
    let states =
        tokio::task::spawn_blocking(move || asked.iter().map(|row| keyring.state(row)).collect::<Vec<_>>());
    let states = states.await.map_err(|error| store::StoreError::Unavailable(error.to_string()))?;
    let view = |(row, state): (Credential, Result<(), String>)| CredentialView {
        endpoints: users
            .iter()
            .filter(|it| it.credential_name() == Some(row.name.as_str()))
            .map(|it| it.name.clone())
            .collect(),
        state: if state.is_ok() { "ready" } else { "missing" },
        why: state.err(),
        name: row.name,
        scope: row.scope,
        source: row.source,
        version: row.version,
        fingerprint: row.fingerprint,
        created_ms: row.created_ms,
        updated_ms: row.updated_ms,
        updated_by: row.updated_by,
    };
    Ok(rows.into_iter().zip(states).map(view).collect())
}

async fn users(app: &App) -> Result<Vec<EndpointDefinition>, Problem> {
    let rows = store::endpoints::list(&app.store).await?;
    let read = |row: store::endpoints::Endpoint| serde_json::from_value(row.definition).ok();
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Which credentials are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    scope: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/credentials`, by name.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<input::Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let input::Asked(filter) = filter?;
    let page = Page::of("credentials", filter.limit, filter.cursor.as_deref())?;
    let within = permit.scopes_within(filter.scope.as_deref());
    let mut covers = permit.covering();
    let mut rows = store::credentials::list(&app.store).await?;
    // A line that denies may stand below one that allows.
    rows.retain(|row| {
        within.iter().any(|scope| bailiwick_policy::scope::covers(scope, &row.scope)) && covers(&row.scope)
    });
    // Databases have orders of their own.
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    let (rows, next) = page.cut(rows, false, |row| row.name.clone());
    Ok(Json(page.answer(&views(&app, rows).await?, next)))
}

/// What a credential is called as it is now, under whichever master key it is sealed.
fn tag(row: &Credential) -> String {
    etag::tag(&Credential { sealed: None, ..row.clone() })
}

/// `GET /api/v1/credentials/{name}`, with the tag that a change may ask for.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(name): At<String>,
) -> Result<Response, Problem> {
    let row = store::credentials::get(&app.store, &name).await?;
    permit.at(&row.scope, "credential")?;
    let tag = tag(&row);
    Ok(etag::tagged(&tag, Json(json!(views(&app, vec![row]).await?.pop()))))
}

/// A credential on its way in. Neither its `Debug` form nor an error shows it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Clear(String);

/// What a request says of a credential: its value, or where it is to be had.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "given")]
    value: Option<Clear>,
    #[serde(default, deserialize_with = "given")]
    env: Option<String>,
    #[serde(default, deserialize_with = "given")]
    file: Option<std::path::PathBuf>,
    #[serde(default, deserialize_with = "given")]
    vault: Option<VaultSecret>,
    #[serde(default = "yes")]
    test: bool,
}

/// Left out or there, and never `null`.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn yes() -> bool {
    true
}

/// A credential as a request says it, before it is looked at.
struct Asked {
    name: Option<String>,
    scope: Option<String>,
    source: CredentialSource,
    value: Option<Secret>,
    test: bool,
}

impl HoldsSecret for Written {
    const FIELDS: &'static [&'static str] =
        &["name", "scope", "value", "env", "file", "vault", "mount", "path", "field", "test"];
    const TAKES: &'static str = "the body is JSON with `value`, `env`, `file` or `vault`, one of them, and `test`; a new \
                                 credential has `name` and `scope` too";
}

impl Asked {
    fn read(written: Written) -> Result<Self, Problem> {
        let Written { name, scope, value, env, file, vault, test } = written;
        let (source, value) = match (value, env, file, vault) {
            (Some(Clear(value)), None, None, None) => {
                let value = usable(value).map_err(|why| Problem::wrong_field("/value", &why))?;
                (CredentialSource::Sealed, Some(value))
            }
            (None, Some(name), None, None) => (CredentialSource::Env(name), None),
            (None, None, Some(path), None) => (CredentialSource::File(path), None),
            (None, None, None, Some(secret)) => (CredentialSource::Vault(secret), None),
            _ => return Err(Problem::wrong_field("", Written::TAKES)),
        };
        if let Some(why) = source.problem() {
            return Err(Problem::wrong_field(source.field(), &why));
        }
        Ok(Self { name, scope, source, value, test })
    }

    /// A reference reads what the server can read: whoever may set one anywhere could set one to what is another's.
    fn may(&self, app: &App, permit: &Permit) -> Result<(), Problem> {
        if self.source != CredentialSource::Sealed && !permit.covers("/") {
            let fix = "give the credential itself, which is kept here sealed";
            return Err(permit.forbidden(Some("/")).fix(fix));
        }
        match app.sources.keyring.references().refuses(&self.source) {
            Some(why) => Err(Problem::wrong_field(self.source.field(), &why)),
            None => Ok(()),
        }
    }

    /// What it is now.
    async fn secret(&self, app: &App) -> Result<Option<Secret>, Problem> {
        let had = match &self.value {
            Some(value) => Ok(value.clone()),
            None => app.sources.keyring.fetch(&self.source).await,
        };
        match had {
            Ok(secret) => Ok(Some(secret)),
            Err(_) if !self.test => Ok(None),
            Err(why) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "credential_not_found",
                "The credential cannot be had",
            )
            .detail(why)
            .fix("mend that, or send `\"test\": false` to refer to it all the same")),
        }
    }
}

/// What an endpoint's provider said.
#[derive(Debug, Serialize)]
struct TestedAt {
    endpoint: String,
    result: Tested,
    detail: String,
}

/// Tries a credential at the endpoints that use it.
async fn tried(app: &App, name: &str, scope: &str, secret: &Secret) -> Result<Vec<TestedAt>, Problem> {
    let mut users = users(app).await?;
    users
        .retain(|it| it.credential_name() == Some(name) && bailiwick_policy::scope::covers(scope, &it.scope));
    let (client, now_ms) = (&app.gateway.client, app.gateway.clock.now_ms());
    let keyring = &app.sources.keyring;
    let trials = users.into_iter().take(MOST_TESTED).map(|endpoint| async move {
        let model = endpoint.models.first().map(|model| model.upstream.clone()).unwrap_or_default();
        let target = endpoint.read_identity(keyring).and_then(|identity| {
            let target = endpoint.target(&model, Some(secret), identity.as_ref());
            target.map_err(|error| error.to_string())
        });
        let (result, detail) = match target {
            Ok(target) => probe(client, &target, now_ms).await,
            Err(why) => (Tested::Unclear, why),
        };
        TestedAt { endpoint: endpoint.name, result, detail }
    });
    Ok(futures::future::join_all(trials).await)
}

/// Refuses what a provider refuses, or what could not be tried.
fn passes(trials: &[TestedAt]) -> Result<(), Problem> {
    let bad: Vec<&TestedAt> =
        trials.iter().filter(|it| matches!(it.result, Tested::Refused | Tested::Unreachable)).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let refused = bad.iter().any(|it| it.result == Tested::Refused);
    let (code, title) = if refused {
        ("credential_refused", "The provider refuses the credential")
    } else {
        ("credential_not_tested", "The credential could not be tested")
    };
    let said: Vec<String> =
        bad.iter().map(|it| format!("endpoint `{}`: {}", it.endpoint, it.detail)).collect();
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
        .detail(format!("nothing was changed: {}", said.join("; ")))
        .fix("send `\"test\": false` to keep it all the same"))
}

/// Seals it where it is kept here, and says where it is to be had where not.
async fn fill(
    app: &App,
    row: &mut Credential,
    asked: &Asked,
    secret: Option<&Secret>,
) -> Result<(), Problem> {
    row.source = serde_json::to_value(&asked.source).map_err(|error| Problem::invalid(error.to_string()))?;
    (row.sealed, row.fingerprint) = (None, None);
    if let (CredentialSource::Sealed, Some(secret)) = (&asked.source, secret) {
        row.sealed = Some(app.seal(secret, &row.id, row.version).await?.written());
        row.fingerprint = Some(app.gateway.pseudonyms.of(Named::Credential, secret.expose()));
    }
    row.updated_ms = app.gateway.clock.now_ms();
    Ok(())
}

/// `POST /api/v1/credentials`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Secretive<Written>, Problem>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Secretive(body) = body?;
    let asked = Asked::read(body)?;
    let definition = CredentialDefinition {
        name: asked.name.clone().unwrap_or_default(),
        scope: asked.scope.clone().unwrap_or_else(|| String::from("/")),
        source: asked.source.clone(),
    };
    bailiwick_policy::scope::validate(&definition.scope)
        .map_err(|why| Problem::wrong_field("/scope", &why))?;
    permit.at(&definition.scope, "scope")?;
    asked.may(&app, &permit)?;
    let wrong = definition.problems();
    if !wrong.is_empty() {
        // Scope and source were looked at.
        return Err(Problem::faulty("", &wrong));
    }
    store::scopes::get(&app.store, &definition.scope).await?;
    match store::credentials::get(&app.store, &definition.name).await {
        // Names are the organisation's, so that this one is taken is told to whoever asks; not of whose scope it is.
        Ok(_) => {
            return Err(Problem::new(StatusCode::CONFLICT, "conflict", "The name is taken").fix(
                "replace the credential with `rotate` where it is yours, or take another name: names are unique in \
                 the whole organisation",
            ));
        }
        Err(store::StoreError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let now_ms = app.gateway.clock.now_ms();
    let mut row = new_row(&definition, Value::Null, now_ms)?;
    row.updated_by = Some(permit.subject().to_owned());
    let secret = asked.secret(&app).await?;
    let trials = match &secret {
        Some(secret) if asked.test => tried(&app, &row.name, &row.scope, secret).await?,
        _ => Vec::new(),
    };
    passes(&trials)?;
    fill(&app, &mut row, &asked, secret.as_ref()).await?;
    let stored = async { Ok::<_, Problem>(store::credentials::create(&app.store, row.clone()).await?) };
    Box::pin(put(&app, &permit, "credential_created", (None, &row), &asked, secret, stored)).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &row.name, &trials).await?)))
}

/// `POST /api/v1/credentials/{name}/rotate`. Requests under way go on with the one before.
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(name): At<String>,
    expected: IfMatch,
    body: Result<Secretive<Written>, Problem>,
) -> Result<Json<Value>, Problem> {
    let old = store::credentials::get(&app.store, &name).await?;
    permit.at(&old.scope, "credential")?;
    // Whatever was seen: what is replaced is the version that was read here.
    expected.seen_as(&old, &tag(&old))?;
    let Secretive(body) = body?;
    let asked = Asked::read(body)?;
    asked.may(&app, &permit)?;
    for (given, field) in [(&asked.name, "/name"), (&asked.scope, "/scope")] {
        if given.is_some() {
            return Err(Problem::wrong_field(field, "it stays as it is: leave it out"));
        }
    }
    let secret = asked.secret(&app).await?;
    let trials = match &secret {
        Some(secret) if asked.test => tried(&app, &old.name, &old.scope, secret).await?,
        _ => Vec::new(),
    };
    passes(&trials)?;
    let mut row = old.clone();
    row.version = old.version.saturating_add(1);
    row.updated_by = Some(permit.subject().to_owned());
    fill(&app, &mut row, &asked, secret.as_ref()).await?;
    let stored = async { Ok::<_, Problem>(store::credentials::replace(&app.store, &row).await?) };
    put(&app, &permit, "credential_rotated", (Some(&old), &row), &asked, secret, stored).await?;
    Ok(Json(shown(&app, &name, &trials).await?))
}

/// Stores it, with its record, and puts it in force.
async fn put(
    app: &App,
    permit: &Permit,
    act: &'static str,
    (old, row): (Option<&Credential>, &Credential),
    asked: &Asked,
    secret: Option<Secret>,
    stored: impl Future<Output = Result<(), Problem>> + Send,
) -> Result<(), Problem> {
    let what = json!({
        "credential": row.name, "tested": asked.test, "before": old.map(told::credential),
        "after": told::credential(row),
    });
    let change = async {
        stored.await?;
        if let (CredentialSource::File(_) | CredentialSource::Vault(_), Some(secret)) =
            (&asked.source, secret)
        {
            app.sources.keyring.note(&row.id, &asked.source, secret);
        }
        Ok::<_, Problem>(())
    };
    app.act(self::act(permit, &row.scope, act, what), |()| Value::Null, change).await
}

async fn shown(app: &App, name: &str, trials: &[TestedAt]) -> Result<Value, Problem> {
    let row = store::credentials::get(&app.store, name).await?;
    let view = views(app, vec![row]).await?.pop();
    let mut shown = serde_json::to_value(view).unwrap_or_default();
    if let Some(shown) = shown.as_object_mut() {
        shown.insert(String::from("tested"), json!(trials));
    }
    Ok(shown)
}

/// `POST /api/v1/credentials/{name}/test`: as it is now.
pub(super) async fn test(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(name): At<String>,
) -> Result<Json<Value>, Problem> {
    let row = store::credentials::get(&app.store, &name).await?;
    permit.at(&row.scope, "credential")?;
    let (keyring, asked) = (Arc::clone(&app.sources.keyring), row.clone());
    let had = tokio::task::spawn_blocking(move || keyring.current(&asked)).await;
    let secret = had.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "credential_not_found", "The credential cannot be had")
            .detail(why)
    })?;
    let change = async { tried(&app, &row.name, &row.scope, &secret).await };
    let made = |trials: &Vec<TestedAt>| json!({ "tested": trials });
    let act = act(&permit, &row.scope, "credential_tested", json!({ "credential": name }));
    let trials = app.act_aside(act, made, change).await?;
    Ok(Json(json!({ "name": name, "tested": trials })))
}

/// `DELETE /api/v1/credentials/{name}`.
pub(super) async fn end(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(name): At<String>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    let row = store::credentials::get(&app.store, &name).await?;
    permit.at(&row.scope, "credential")?;
    let seen = expected.seen_as(&row, &tag(&row))?;
    let free = async || -> Result<(), Problem> {
        let users = users(&app).await?;
        let users = users.iter().filter(|it| it.credential_name() == Some(name.as_str()));
        let users: Vec<&str> = users.map(|it| it.name.as_str()).collect();
        if users.is_empty() {
            return Ok(());
        }
        Err(Problem::new(StatusCode::CONFLICT, "conflict", "Endpoints use the credential")
            .detail(users.join(", "))
            .fix("give them another one first, or take them out"))
    };
    free().await?;
    let change = async {
        // Again: a declaration may have come first.
        free().await?;
        Ok::<_, Problem>(store::credentials::delete(&app.store, &name, seen).await?)
    };
    let what = json!({ "credential": name, "before": told::credential(&row), "after": null });
    app.act(act(&permit, &row.scope, "credential_deleted", what), |()| Value::Null, change).await?;
    Ok(Json(json!({ "name": name, "deleted": true })))
}

/// `POST /api/v1/credentials:reseal`.
pub(super) async fn reseal(State(app): State<Arc<App>>, permit: Permit) -> Result<Json<Resealed>, Problem> {
    let before: BTreeMap<String, Option<String>> =
        store::credentials::list(&app.store).await?.iter().filter_map(sealed_under).collect();
    let change = async { Ok::<_, Problem>(app.reseal().await?) };
    // With which key each is sealed then is known only when it is done.
    let made = |done: &Resealed| json!({ "after": done });
    let what = json!({ "before": { "sealed_under": before } });
    Ok(Json(app.act(act(&permit, "/", "credentials_resealed", what), made, change).await?))
}

/// The name of a credential that is kept here, and the id of the master key that it is sealed under.
fn sealed_under(row: &Credential) -> Option<(String, Option<String>)> {
    let sealed = row.sealed.as_deref()?;
    let key = Envelope::read(sealed).ok().map(|envelope| envelope.key_id().to_owned());
    Some((row.name.clone(), key))
}

fn act<'a>(permit: &'a Permit, scope: &'a str, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: permit.subject(), scope: Some(scope), name, what }
}

impl From<NotSealed> for Problem {
    fn from(error: NotSealed) -> Self {
        match error {
            NotSealed::Store(error) => error.into(),
            error => Self::new(StatusCode::CONFLICT, "not_sealed", "Nothing can be sealed now")
                .detail(error.to_string())
                .fix("give every server the same master keys; `bailiwick credentials reseal` takes up a new one"),
        }
    }
}
