//! What every way in ends with: a session under a new cookie, the browser's old one ended, and both in the log.

use bailiwick_ledger::Kind;
use bailiwick_policy::Held;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{Actor, NewSession, SessionCookie};
use crate::app::{Act, App};
use crate::keys::secret;
use crate::store;

/// Why nobody was signed in.
pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The name of a session that is about to begin.
pub(super) fn session_id() -> Result<String, Fault> {
    Ok(format!("cs_{}", hex::encode(secret::random::<8>()?)))
}

/// Somebody signs in or out.
pub(super) fn signed<'a>(principal: &'a str, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::SignIn, principal, scope: None, name, what }
}

/// Begins a session, and ends the one that the browser had: a cookie that somebody put there before is worth nothing
/// afterwards.
pub(super) async fn begin(
    app: &App,
    headers: &HeaderMap,
    new: NewSession<'_>,
    now_ms: i64,
) -> Result<SessionCookie, Fault> {
    if let Some(before) = SessionCookie::of(headers) {
        store::sessions::end(&app.store, &before.digest(), now_ms).await?;
    }
    Ok(SessionCookie::begin(&app.store, new, now_ms).await?)
}

/// Ends the session of a request, if it has one; which, and with which provider it began.
pub(super) async fn end(app: &App, headers: &HeaderMap, actor: &Actor) -> Result<(), Fault> {
    let Some(session) = &actor.session else { return Ok(()) };
    let Some(cookie) = SessionCookie::of(headers) else { return Ok(()) };
    let now_ms = app.gateway.clock.now_ms();
    let ended = async { Ok(store::sessions::end(&app.store, &cookie.digest(), now_ms).await?) };
    let what = json!({ "session": session.id });
    app.act_aside(signed(&actor.subject, "sign_out", what), |()| Value::Null, ended).await
}

/// Roles as records tell them.
pub(crate) fn written(roles: &[Held]) -> Vec<String> {
    roles.iter().map(|held| format!("{} {}", held.subject.trim_start_matches("role:"), held.scope)).collect()
}
