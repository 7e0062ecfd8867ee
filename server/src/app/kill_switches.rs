//! A kill switch that expires stops nothing any more, and asks: was it mended, or does somebody throw it again? The log
//! is told once, and the list shows it until it is lifted.

use bailiwick_ledger::Kind;
use serde_json::{Value, json};

use super::{Act, App};
use crate::gateway::record::RecordError;
use crate::store::{self, StoreError};

/// Why an expiry could not be noted; it is tried again.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl App {
    /// Tells the log of switches that have expired.
    pub(super) async fn ask_about_kill_switches(&self) {
        if let Err(error) = self.ask().await {
            tracing::warn!(%error, "the expiry of a kill switch could not be recorded; it is tried again");
        }
    }

    async fn ask(&self) -> Result<(), AskError> {
        let now_ms = self.gateway.clock.now_ms();
        for switch in store::kill_switches::unasked(&self.store, now_ms).await? {
            let act = Act {
                kind: Kind::KillSwitch,
                principal: "system",
                scope: Some(&switch.scope),
                name: "kill_switch_expired",
                what: json!({
                    "kill_switch": switch.id,
                    "kind": switch.kind,
                    "target": switch.target,
                    "expires_ms": switch.expires_ms,
                }),
            };
            let note = async {
                Ok::<_, AskError>(store::kill_switches::asked(&self.store, &switch.id, now_ms).await?)
            };
            // Of several servers one notes it.
            if self.act_aside(act, |noted| json!({ "noted": noted }), note).await? {
                tracing::warn!(
                    kill_switch = switch.id,
                    kind = switch.kind,
                    target = switch.target,
                    "a kill switch has expired and stops nothing any more: lift it, or throw it again"
                );
            }
        }
        Ok(())
    }
}

/// Whether an act on a kill switch took effect: see [`super::acts`].
pub(super) async fn took_effect(
    store: &store::Store,
    act: &str,
    what: &Value,
) -> Result<Option<bool>, StoreError> {
    let holds: fn(&store::kill_switches::KillSwitch) -> bool = match act {
        "kill_switch_thrown" => |_| true,
        "kill_switch_lifted" => |switch| switch.lifted_ms.is_some(),
        "kill_switch_expired" => |switch| switch.asked_ms.is_some(),
        _ => return Ok(None),
    };
    let Some(id) = what.get("kill_switch").and_then(Value::as_str) else { return Ok(None) };
    match store::kill_switches::get(store, id).await {
        Ok(switch) => Ok(Some(holds(&switch))),
        Err(StoreError::NotFound(_)) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}
