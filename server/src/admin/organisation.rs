//! Applying a declaration, what it would change, and what is declared now.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use super::etag::{self, IfMatch};
use crate::admin::input::{Asked, Body};
use crate::app::{Act, App};
use crate::fault::Fault;
use crate::gateway::Named;
use crate::identity::Permit;
use crate::organisation::{
    Applied, ApplyError, Applying, Change, CredentialRef, EndpointDefinition, Organisation, Seen,
    apply as apply_to, check, differences_to, export as exported, problems,
};
use crate::store::StoreError;

/// How often it is looked anew at what would change, where others change it at the same time.
const LOOKS: usize = 5;

/// `GET /api/v1/organisation`, with the tag that applying another one may ask for.
pub(super) async fn export(State(app): State<Arc<App>>, _permit: Permit) -> Result<Response, Problem> {
    let organisation = exported(&app.store, app.gateway.clock.now_ms()).await?;
    Ok(etag::tagged(&etag::tag(&organisation), Json(organisation)))
}

/// How a declaration is applied.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// End what is not named.
    #[serde(default)]
    prune: bool,
}

/// What came of it, or would.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    Applied(Applied),
    Would { changes: Vec<Change> },
}

/// `POST /api/v1/apply`. Needs a role at the root: a declaration may touch every scope.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    permit: Permit,
    how: Result<Asked<How>, Problem>,
    expected: IfMatch,
    body: Result<Body<Organisation>, Problem>,
) -> Result<Json<Outcome>, Problem> {
    let Asked(how) = how?;
    let Body(organisation) = body?;
    right(&app, &organisation)?;
    anew(expected == IfMatch::Any, || async {
        let now_ms = app.gateway.clock.now_ms();
        let now = exported(&app.store, now_ms).await?;
        expected.seen(&now)?;
        let changes = looked_at(&app, &now, &organisation, how.prune, now_ms).await?;
        if how.dry_run {
            return Ok(Json(Outcome::Would { changes }));
        }
        let looked =
            Looked { now: &now, wanted: &organisation, prune: how.prune, changes, seen: None, now_ms };
        let mut applied = declare(&app, permit.subject(), looked).await?;
        let unusable = &app.gateway.snapshot.load().unusable;
        applied.not_in_use = unusable.iter().map(|it| it.why.clone()).collect();
        Ok(Json(Outcome::Applied(applied)))
    })
    .await
}

/// Refuses what makes no sense by itself. It is not recorded either: not every number that can be written can be.
pub(super) fn right(app: &App, organisation: &Organisation) -> Result<(), Problem> {
    let mut wrong = problems(organisation);
    wrong.extend(not_to_refer_to(app, organisation));
    if wrong.is_empty() { Ok(()) } else { Err(ApplyError::Invalid(wrong).into()) }
}

/// Does `work`, and where others changed meanwhile what it looked at, looks anew. Whoever asks for what they saw is told
/// that it is not so any more.
pub(super) async fn anew<T, F>(whatever: bool, work: impl Fn() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, Problem>>,
{
    for _ in 0..LOOKS {
        match Box::pin(work()).await {
            Err(problem) if problem.is_of_change() && whatever => {}
            done => return done,
        }
    }
    let title = "Others change what is declared at the same time";
    Err(Problem::new(StatusCode::CONFLICT, "conflict", title)
        .detail("nothing was changed")
        .fix("send it again in a moment"))
}

/// What a declaration would change, if nothing stands in its way.
pub(super) async fn looked_at(
    app: &App,
    now: &Organisation,
    wanted: &Organisation,
    prune: bool,
    now_ms: i64,
) -> Result<Vec<Change>, Problem> {
    compiles(app, wanted, prune).await?;
    check(&app.store, wanted, prune).await?;
    Ok(differences_to(&app.store, now, wanted, prune, now_ms).await?)
}

/// A declaration that was looked at.
pub(super) struct Looked<'a> {
    pub(super) now: &'a Organisation,
    pub(super) wanted: &'a Organisation,
    pub(super) prune: bool,
    pub(super) changes: Vec<Change>,
    /// The row that it changes, where it is to be as the client saw it.
    pub(super) seen: Option<Seen>,
    pub(super) now_ms: i64,
}

/// Applies it, recorded, if it still changes what it did when it was looked at.
pub(super) async fn declare(app: &App, principal: &str, looked: Looked<'_>) -> Result<Applied, Problem> {
    let Looked { now, wanted, prune, changes, seen, now_ms } = looked;
    let recorded = told(app, now, wanted, prune, now_ms).await?;
    let act = Act {
        kind: Kind::Admin,
        principal,
        scope: Some("/"),
        name: "applied",
        what: json!({ "prune": prune, "changes": recorded }),
    };
    let applying = Applying { prune, only: Some(changes), seen };
    let change = async { Ok::<_, Problem>(apply_to(&app.store, wanted, &applying, now_ms).await?) };
    // What is stored and cannot be put in force is stored: its keys are told in any case.
    let keys = OnceLock::new();
    let made = |applied: &Applied| {
        let _ = keys.set(json!(applied.created_keys));
        created(applied)
    };
    // In a box, because it holds a whole declaration.
    let done = Box::pin(app.act(act, made, change)).await;
    done.map_err(|problem: Problem| match keys.into_inner() {
        Some(keys) => problem.with("created_keys", keys),
        None => problem,
    })
}

/// References of a declaration that lead to what is the server's own.
fn not_to_refer_to(app: &App, organisation: &Organisation) -> Vec<Fault> {
    let references = app.sources.keyring.references();
    let mut faults = Vec::new();
    for (at, credential) in organisation.credentials.iter().enumerate() {
        let pointer = format!("/credentials/{at}{}", credential.source.field());
        let why = references.refuses(&credential.source);
        faults.extend(why.map(|why| Fault::at(pointer, format!("credential `{}`: {why}", credential.name))));
    }
    for (at, endpoint) in organisation.endpoints.iter().enumerate() {
        let named = |why: String| format!("endpoint `{}`: {why}", endpoint.name);
        if let Some(CredentialRef::Own(source)) = &endpoint.credential {
            let pointer = format!("/endpoints/{at}/credential{}", source.field());
            faults.extend(references.refuses(source).map(|why| Fault::at(pointer, named(why))));
        }
        let Some(files) = &endpoint.client_certificate else { continue };
        for (field, path) in [("certificate", &files.certificate), ("key", &files.key)] {
            let pointer = format!("/endpoints/{at}/client_certificate/{field}");
            let source = crate::credentials::CredentialSource::File(path.clone());
            faults.extend(references.refuses(&source).map(|why| Fault::at(pointer, named(why))));
        }
    }
    faults
}

/// What a declaration changes, for its record. People are pseudonyms there, as everywhere in the log.
async fn told(
    app: &App,
    now: &Organisation,
    wanted: &Organisation,
    prune: bool,
    now_ms: i64,
) -> Result<Value, StoreError> {
    let named = |it: &Organisation| it.with_users(|user| app.gateway.pseudonyms.of(Named::User, user));
    let changes = differences_to(&app.store, &named(now), &named(wanted), prune, now_ms).await?;
    Ok(json!(changes))
}

/// The same for a declaration that nobody looked at before.
pub(crate) async fn recorded(app: &App, wanted: &Organisation) -> Result<Value, StoreError> {
    let now_ms = app.gateway.clock.now_ms();
    let now = exported(&app.store, now_ms).await?;
    told(app, &now, wanted, false, now_ms).await
}

/// What came of a declaration, for its record: what was to come of it is told with what it changes.
pub(crate) fn created(applied: &Applied) -> Value {
    let keys: Vec<Value> = applied
        .created_keys
        .iter()
        .map(|key| json!({ "key": key.id, "scope": key.scope, "name": key.name }))
        .collect();
    // Names of people stay out of the log.
    let of_nobody = |what: &&String| !["budget user ", "limit user "].iter().any(|of| what.starts_with(of));
    let mut made = json!({ "keys": keys });
    let ended = &applied.ended;
    for (name, list) in [("pruned", &ended.pruned), ("kept", &ended.kept)] {
        if let (false, Some(made)) = (list.is_empty(), made.as_object_mut()) {
            made.insert(name.to_owned(), json!(list.iter().filter(of_nobody).collect::<Vec<_>>()));
            made.insert(format!("{name}_in_all"), json!(list.len()));
        }
    }
    made
}

/// Whether the bundle in force compiles over the endpoints as they would be: what is stored must be able to be put in
/// force, now and at the next start.
async fn compiles(app: &App, organisation: &Organisation, prune: bool) -> Result<(), Problem> {
    let snapshot = app.gateway.snapshot.load_full();
    let (bundle, database) = (snapshot.policy.bundle(), snapshot.policy.database());
    let conflicts: Vec<Fault> = organisation
        .endpoints
        .iter()
        .enumerate()
        .flat_map(|(at, new)| new.models.iter().map(move |model| (at, new, model)))
        .filter_map(|(at, new, model)| {
            let why = database.profile_conflict(&new.profile, &model.upstream)?;
            let told = format!("endpoint `{}`: {why}", new.name);
            Some(Fault::at(format!("/endpoints/{at}/profile"), told))
        })
        .collect();
    if !conflicts.is_empty() {
        return Err(ApplyError::Invalid(conflicts).into());
    }
    let mut endpoints: Vec<_> = Vec::new();
    for row in crate::store::endpoints::list(&app.store).await? {
        let kept = organisation.endpoints.iter().all(|new| new.name != row.name);
        if kept
            && !prune
            && let Ok(definition) = serde_json::from_value::<EndpointDefinition>(row.definition)
        {
            endpoints.push(definition.for_policy(database));
        }
    }
    endpoints.extend(organisation.endpoints.iter().map(|new| new.for_policy(database)));
    let (bundle, database) = (Arc::clone(bundle), Arc::clone(database));
    let now_ms = app.gateway.clock.now_ms();
    let compiling = crate::background::run(move || {
        bailiwick_policy::Compiled::new(bundle, database, endpoints, now_ms).map(drop)
    });
    let compiled = compiling.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    compiled.map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::invalid(format!("nothing was changed: {}", problems.join("; ")))
    })
}
