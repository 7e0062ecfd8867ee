//! Kill switches: thrown, listed, lifted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use bailiwick_policy::{KillTarget, did_you_mean, pattern};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Problem, told};
use crate::admin::etag::{self, IfMatch};
use crate::admin::input::{Asked, At, Body};
use crate::admin::page::{Page, number};
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::keys::secret;
use crate::organisation::EndpointDefinition;
use crate::snapshot::kill_target;
use crate::store;
use crate::store::kill_switches::KillSwitch;

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// The farthest that one may expire: who needs it for longer decides so again, or writes a rule.
const LONGEST_DAYS: i64 = 30;

/// How a switch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    InForce,
    Expired,
    Lifted,
}

/// A switch as an operator sees it.
#[derive(Debug, Serialize)]
pub(super) struct KillSwitchView {
    id: String,
    kind: String,
    target: String,
    scope: String,
    reason: String,
    principal: String,
    created_ms: i64,
    expires_ms: i64,
    state: Stands,
    /// It expired and nobody has lifted it or said otherwise: somebody has to.
    asks_again: bool,
    lifted_ms: Option<i64>,
    lifted_by: Option<String>,
    lifted_because: Option<String>,
}

fn view(row: KillSwitch, now_ms: i64) -> KillSwitchView {
    let state = match row.lifted_ms {
        Some(_) => Stands::Lifted,
        None if row.expires_ms <= now_ms => Stands::Expired,
        None => Stands::InForce,
    };
    KillSwitchView {
        id: row.id,
        kind: row.kind,
        target: row.target,
        scope: row.scope,
        reason: row.reason,
        principal: row.principal,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        state,
        asks_again: state == Stands::Expired,
        lifted_ms: row.lifted_ms,
        lifted_by: row.lifted_by,
        lifted_because: row.lifted_because,
    }
}

/// Which switches are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    state: Option<Stands>,
    kind: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/kill-switches`: those that hold for the actor's scope or below, newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("kill_switches", filter.limit, filter.cursor.as_deref())?;
    let scopes = permit.scopes();
    let now_ms = app.gateway.clock.now_ms();
    let switches: Vec<KillSwitchView> = store::kill_switches::list(&app.store)
        .await?
        .into_iter()
        .filter(|row| {
            // One above stops the actor's requests too.
            permit.covers(&row.scope)
                || scopes.iter().any(|scope| bailiwick_policy::scope::covers(&row.scope, scope))
        })
        .map(|row| view(row, now_ms))
        .filter(|switch| filter.state.is_none_or(|state| state == switch.state))
        .filter(|switch| filter.kind.as_ref().is_none_or(|kind| *kind == switch.kind))
        .collect();
    let key = |switch: &KillSwitchView| format!("{} {}", number(switch.created_ms), switch.id);
    let (switches, next) = page.cut(switches, true, key);
    Ok(Json(page.answer(&switches, next)))
}

/// `GET /api/v1/kill-switches/{id}`, with the tag that a change may ask for.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
) -> Result<Response, Problem> {
    let row = store::kill_switches::get(&app.store, &id).await?;
    permit.at(&row.scope, "kill switch")?;
    Ok(etag::tagged(&etag::tag(&row), Json(view(row, app.gateway.clock.now_ms()))))
}

/// The body of `POST /api/v1/kill-switches`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Throw {
    kind: String,
    target: String,
    #[serde(default = "root")]
    scope: String,
    reason: String,
    expires: DateTime<Utc>,
}

fn root() -> String {
    String::from("/")
}

/// `POST /api/v1/kill-switches`: in force here when it answers, and on every other server within a second.
pub(super) async fn throw(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<Throw>, Problem>,
) -> Result<(StatusCode, Json<KillSwitchView>), Problem> {
    let Body(body) = body?;
    bailiwick_policy::scope::validate(&body.scope).map_err(|why| Problem::wrong_field("/scope", &why))?;
    permit.at(&body.scope, "scope")?;
    let reason = reason(&body.reason)?;
    let now_ms = app.gateway.clock.now_ms();
    let expires_ms = body.expires.timestamp_millis();
    if expires_ms <= now_ms {
        return Err(Problem::wrong_field("/expires", "it is in the past"));
    }
    if expires_ms - now_ms > LONGEST_DAYS * 86_400_000 {
        return Err(Problem::invalid(format!(
            "`expires` is more than {LONGEST_DAYS} days away: what has to hold for longer is a rule of the bundle"
        )));
    }
    store::scopes::get(&app.store, &body.scope).await?;
    let target = kill_target(&body.kind, &body.target).map_err(|_| {
        Problem::invalid(
            "`kind` is `endpoint`, `model`, `provider` or `transfer_mechanism`, and the `target` of a \
             transfer_mechanism `adequacy`, `dpf`, `scc` or `bcr`",
        )
    })?;
    known(&app, &target).await?;
    let id = secret::random::<8>().map_err(crate::organisation::ApplyError::from)?;
    let switch = KillSwitch {
        id: format!("ks_{}", hex::encode(id)),
        kind: body.kind,
        target: body.target,
        scope: body.scope,
        reason,
        principal: permit.subject().to_owned(),
        created_ms: now_ms,
        expires_ms,
        asked_ms: None,
        lifted_ms: None,
        lifted_by: None,
        lifted_because: None,
    };
    let what = json!({
        "kill_switch": switch.id, "kind": switch.kind, "target": switch.target,
        "reason": switch.reason, "expires_ms": expires_ms, "before": null, "after": told::switch(&switch),
    });
    let change = async {
        store::kill_switches::throw(&app.store, switch.clone()).await?;
        Ok::<_, Problem>(())
    };
    app.act(act(&permit, &switch.scope, "kill_switch_thrown", what), nothing, change).await?;
    Ok((StatusCode::CREATED, Json(view(switch, now_ms))))
}

/// The body of `DELETE /api/v1/kill-switches/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lift {
    reason: String,
}

/// `DELETE /api/v1/kill-switches/{id}`: lifts it. It stays in the list, with who did so and why.
pub(super) async fn lift(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<Body<Lift>, Problem>,
) -> Result<Json<KillSwitchView>, Problem> {
    let row = store::kill_switches::get(&app.store, &id).await?;
    permit.at(&row.scope, "kill switch")?;
    let Body(body) = body?;
    let reason = reason(&body.reason)?;
    let seen = expected.seen(&row)?;
    let now_ms = app.gateway.clock.now_ms();
    let before = told::switch(&row);
    let after = told::with(&before, json!({ "lifted_ms": row.lifted_ms.unwrap_or(now_ms) }));
    let what = json!({
        "kill_switch": row.id, "kind": row.kind, "target": row.target, "reason": reason, "before": before,
        "after": after,
    });
    let change = async {
        store::kill_switches::lift(&app.store, &id, permit.subject(), &reason, now_ms, seen).await?;
        Ok::<_, Problem>(())
    };
    app.act(act(&permit, &row.scope, "kill_switch_lifted", what), nothing, change).await?;
    Ok(Json(view(store::kill_switches::get(&app.store, &id).await?, now_ms)))
}

fn act<'a>(permit: &'a Permit, scope: &'a str, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::KillSwitch, principal: permit.subject(), scope: Some(scope), name, what }
}

/// The act names already what came of it.
fn nothing((): &()) -> Value {
    Value::Null
}

fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON {
        return Err(Problem::invalid(format!(
            "`reason` says why, in 1 to {LONGEST_REASON} characters; whoever is refused reads it"
        )));
    }
    Ok(text.to_owned())
}

/// A switch with a misspelt target would stop nothing, silently.
async fn known(app: &App, target: &KillTarget) -> Result<(), Problem> {
    let mut names: Vec<String> = Vec::new();
    let (kind, wanted) = match target {
        KillTarget::Endpoint(name) => ("endpoint", name),
        KillTarget::Model(name) => ("model", name),
        KillTarget::Provider(name) => ("provider", name),
        KillTarget::TransferMechanism(bailiwick_compliance_db::Mechanism::None) => {
            return Err(Problem::invalid("where no transfer takes place there is none to stop"));
        }
        KillTarget::TransferMechanism(_) => return Ok(()),
    };
    pattern::validate(wanted).map_err(Problem::invalid)?;
    for row in store::endpoints::list(&app.store).await? {
        match target {
            KillTarget::Endpoint(_) => names.push(row.name),
            _ => {
                let Ok(definition) = serde_json::from_value::<EndpointDefinition>(row.definition) else {
                    continue;
                };
                match target {
                    KillTarget::Provider(_) => names.push(definition.profile.operator),
                    _ => names.extend(
                        definition.models.into_iter().flat_map(|model| [model.alias, model.upstream]),
                    ),
                }
            }
        }
    }
    if names.iter().any(|name| pattern::matches(wanted, name)) {
        return Ok(());
    }
    let near = did_you_mean(wanted, names.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
    Err(Problem::invalid(format!(
        "no declared endpoint has the {kind} `{wanted}`, so it would stop nothing{near}"
    )))
}
