//! Attestations that come to their end: told 60, 30 and 7 days before, and when they have ended. What an end
//! changes is decided by the policy, at that very second; this only tells people in time.

use bailiwick_compliance_db::Attestation;
use bailiwick_ledger::Kind;
use serde_json::{Value, json};

use super::thresholds::NoteError;
use super::{Act, App};
use crate::store;

/// Days before the end at which it is told; 0 is the end.
const DAYS: [i64; 4] = [0, 7, 30, 60];
const DAY_MS: i64 = 86_400_000;

impl App {
    /// Records and logs what ends soon and was not told yet. What fails is tried again the next time.
    pub(super) async fn note_attestations(&self) {
        let snapshot = self.gateway.snapshot.load_full();
        let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| self.gateway.clock.now_ms());
        for attestation in &snapshot.policy.bundle().attestations {
            let Some(days) = due(attestation, now_ms) else { continue };
            if let Err(error) = self.note_attestation(attestation, days).await {
                tracing::warn!(%error, attestation = attestation.id, "its end could not be told; it is tried again");
            }
        }
    }

    async fn note_attestation(&self, attestation: &Attestation, days: i64) -> Result<(), NoteError> {
        let Some(ends) = attestation.valid_to else { return Ok(()) };
        // One that is renewed has another end, and is told of again.
        let name = format!("attestation/{}/{}/{days}", attestation.id, ends.timestamp());
        if store::settings::get(&self.store, &name).await?.is_some() {
            return Ok(());
        }
        let act = Act {
            kind: Kind::Admin,
            principal: "system",
            scope: attestation.scope.as_deref(),
            name: if days == 0 { "attestation_ended" } else { "attestation_ends_soon" },
            what: json!({
                "attestation": attestation.id,
                "kind": attestation.kind,
                "operator": attestation.operator,
                "document": attestation.document,
                "ends": ends.to_rfc3339(),
                "days": days,
            }),
        };
        let now_ms = self.gateway.clock.now_ms();
        let note = async {
            Ok::<_, NoteError>(store::settings::put(&self.store, &name, json!(now_ms), now_ms).await?)
        };
        self.act_aside(act, |()| Value::Null, note).await?;
        tracing::warn!(
            attestation = attestation.id,
            operator = attestation.operator,
            document = attestation.document,
            ends = %ends.to_rfc3339(),
            "{}",
            if days == 0 { "an attestation has ended" } else { "an attestation ends soon" }
        );
        Ok(())
    }
}

/// The least number of days that it is due to be told of; `None` while its end is far.
fn due(attestation: &Attestation, now_ms: i64) -> Option<i64> {
    let left_ms = attestation.valid_to?.timestamp_millis().saturating_sub(now_ms);
    DAYS.into_iter().find(|days| left_ms <= days.saturating_mul(DAY_MS))
}

/// Those that concern `scope` and end within the first of the days at which it is told, or have ended.
pub(super) fn ending(attestations: &[Attestation], scope: &str, now_ms: i64) -> Vec<Value> {
    let concerns =
        |of: &Attestation| of.scope.as_deref().is_none_or(|of| bailiwick_policy::scope::overlap(scope, of));
    attestations
        .iter()
        .filter(|attestation| concerns(attestation) && due(attestation, now_ms).is_some())
        .map(|attestation| {
            json!({
                "attestation": attestation.id,
                "kind": attestation.kind,
                "operator": attestation.operator,
                "document": attestation.document,
                "ends": attestation.valid_to.map(|ends| ends.to_rfc3339()),
                "ended": due(attestation, now_ms) == Some(0),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_at_sixty_thirty_and_seven_days_and_at_the_end() {
        let attestation: Attestation = serde_json::from_value(json!({
            "id": "clinic-baa", "kind": "baa", "operator": "aws", "services": ["amazon-bedrock"],
            "document": "baa.pdf", "valid_from": "2026-01-01", "valid_to": "2026-12-31T00:00:00Z",
        }))
        .unwrap();
        let end = attestation.valid_to.unwrap().timestamp_millis();
        for (before_ms, days) in [
            (61 * DAY_MS, None),
            (60 * DAY_MS + 1, None),
            (60 * DAY_MS, Some(60)),
            (31 * DAY_MS, Some(60)),
            (30 * DAY_MS, Some(30)),
            (7 * DAY_MS + 1, Some(30)),
            (7 * DAY_MS, Some(7)),
            (1, Some(7)),
            (0, Some(0)),
            (-DAY_MS, Some(0)),
        ] {
            assert_eq!(due(&attestation, end - before_ms), days, "{before_ms}");
        }
        let endless = Attestation { valid_to: None, ..attestation };
        assert_eq!(due(&endless, end), None);
    }
}
