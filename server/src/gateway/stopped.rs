//! What was decided a while ago is looked at again before each attempt: a request waits for budgets, for the log and for
//! endpoints that fail, and meanwhile a kill switch may have been thrown, or the database been lost.

use std::sync::Arc;

use super::Gateway;
use super::decide::Decided;
use super::refusal::{Code, Excluded, Refusal};
use crate::router::Candidate;
use crate::snapshot::KeyState;

/// Whether the next attempt may go to this candidate of a request that was allowed.
///
/// # Errors
/// Why not.
pub(super) fn still_allowed(
    gateway: &Gateway,
    decided: &Decided,
    candidate: &Candidate<'_>,
) -> Result<(), Refusal> {
    let now = gateway.in_force().map_err(|refusal| refusal.decision(&decided.id))?;
    let (then, key) = (&decided.classified.read.auth.snapshot, &decided.classified.read.auth.key);
    // Of a key that is gone nothing is known, so it may not.
    let state = now.key(&key.id).map(|key| key.state(gateway.clock.now_ms()));
    if state != Some(KeyState::Valid) {
        let message =
            "this virtual key was revoked, disabled or replaced, or expired, while the request was under way";
        return Err(Refusal::new(Code::InvalidApiKey, message)
            .decision(&decided.id)
            .fix("ask the owner of the key's scope for another one"));
    }
    if Arc::ptr_eq(&now, then) {
        return Ok(());
    }
    // The switches of now, the endpoint as it was decided on and will be sent to.
    let stopped = then.policy.stopped_by(now.policy.kill_switches(), candidate.index, &decided.facts);
    let Some(switch) = stopped else { return Ok(()) };
    let reason = format!("{}: stopped by kill switch {}: {}", candidate.place.name, switch.id, switch.reason);
    let mut refusal = Refusal::new(Code::NoEligibleEndpoint, reason.clone())
        .decision(&decided.id)
        .fix("it was stopped while the request was under way; `GET /v1/models` lists what can be used now");
    refusal.rules.push(switch.rule_id());
    refusal.excluded.push(Excluded {
        endpoint: candidate.place.name.clone(),
        rule: Some(switch.rule_id()),
        reason,
    });
    Err(refusal)
}

/// What is told when nothing is left to try: the first of what stood in the way, with every rule and endpoint that did.
pub(super) fn also(last: &mut Option<Refusal>, refusal: Refusal) {
    let Some(last) = last else {
        *last = Some(refusal);
        return;
    };
    for rule in &refusal.rules {
        if !last.rules.contains(rule) {
            last.rules.push(rule.clone());
        }
    }
    last.excluded.extend(refusal.excluded.iter().cloned());
}
