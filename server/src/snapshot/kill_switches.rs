//! The kill switches in force, from the database.

use bailiwick_policy::{KillSwitch, KillTarget};
use serde_json::json;

use super::BuildError;
use crate::store::{self, Store};

/// Those in force at `now_ms`, and until when the list holds: the next one's expiry.
pub(super) async fn load(store: &Store, now_ms: i64) -> Result<(Vec<KillSwitch>, Option<i64>), BuildError> {
    let rows = store::kill_switches::in_force(store, now_ms).await?;
    let until_ms = rows.iter().map(|row| row.expires_ms).min();
    let switches = rows.into_iter().map(|row| {
        let target = target(&row.kind, &row.target)
            .map_err(|what| BuildError::Row(format!("kill switch `{}`: {what}", row.id)))?;
        Ok(KillSwitch { id: row.id, target, scope: row.scope, reason: row.reason })
    });
    Ok((switches.collect::<Result<_, BuildError>>()?, until_ms))
}

/// A target as it is written.
///
/// # Errors
/// What is wrong with it.
pub fn target(kind: &str, name: &str) -> Result<KillTarget, String> {
    serde_json::from_value(json!({ "kind": kind, "target": name })).map_err(|error| error.to_string())
}
