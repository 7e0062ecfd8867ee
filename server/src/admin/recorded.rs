//! Administrative acts in the audit log.

use bailiwick_ledger::{Draft, Kind};
use serde::Serialize;

use crate::app::App;
use crate::audit::Entry;
use crate::gateway::record::{RecordError, Salts, section};
use crate::identity::Actor;

/// Records that `actor` did `act` in `scope`. `what` names things by id and never holds a secret.
///
/// # Errors
/// [`RecordError`].
pub(super) async fn record(
    app: &App,
    actor: &Actor,
    scope: &str,
    act: &'static str,
    what: &impl Serialize,
) -> Result<(), RecordError> {
    #[derive(Serialize)]
    struct Act<'a, T> {
        act: &'a str,
        what: &'a T,
    }
    let mut salts = Salts::new(1);
    let draft = Draft::new(Kind::Admin, app.gateway.clock.now_ms())
        .scope(scope)
        .id("principal", actor.subject.clone())
        .section(section("act", &Act { act, what }, &mut salts)?);
    app.gateway.audit.append(Entry::new(draft)).await?;
    Ok(())
}
