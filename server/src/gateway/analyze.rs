//! Other detectors, where a rule asks for one: they read the request before it is decided for good.
//!
//! A detector is an endpoint like any other: it serves a name for `analyze`, has facts, and gets a text only where the rules
//! leave it eligible for this very request, after a record that says so is durable. What is to be redacted on the way to a
//! provider is not shown to a detector either: each of its bytes is an asterisk there, so that places stay what they are.
//! What a detector finds counts like what is found here, whatever was found at the same place. A detector
//! that cannot be asked, is late or is not understood refuses the request: unknown means no.
//!
//! Being read costs what an attempt costs until it is known what that is: the request is held for at the best endpoint that
//! it may go to, budgets and limits of rates alike, before anything is shown to a detector ([`Held`]). What goes on is held for
//! anew by its attempts; what does not has been a request all the same. From the first record on all this runs in a task
//! of its own, so that a client that leaves changes nothing of what is recorded.
//!
//! *Blind spots.* Answers are not read by other detectors, and neither is a dry run: nothing is sent there.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailiwick_compliance_db::FeatureSet;
use bailiwick_pii::Finding;
use bailiwick_policy::{Decision, Operation, RequestFacts};

use super::classify::Classified;
use super::decide::{Decided, decide};
use super::fund::{NotFunded, fund};
use super::large::on_body;
use super::record::{Analysis, Network};
use super::redaction::redact_body;
use super::refusal::{Code, Excluded, Refusal};
use super::route::{Routed, route};
use super::serve::{Reply, attempts, gone, refused};
use super::stopped::still_allowed;
use super::timeline::{Stage, Timeline};
use super::{Gateway, record};
use crate::audit::AuditUnavailable;
use crate::budgets::{Cost, Reservation};
use crate::router::Candidate;

/// More detectors than any policy needs: what one finds may make a rule ask for another.
const DETECTORS_MAX: usize = 4;

/// Why a request was not read, with the decision that it was to be read under.
struct NotRead {
    decided: Decided,
    refusal: Refusal,
}

/// Has detectors read a request that can be paid for, decides it again with what they found, and goes on with it.
pub(super) async fn analyzed(
    gateway: &Arc<Gateway>,
    decided: Decided,
    network: &Network,
    mut timeline: Timeline,
    size: usize,
    mut reply: Reply,
) {
    let routed = route(decided);
    let held = tokio::select! {
        biased;
        () = reply.closed() => Err(gone(&routed.decided)),
        held = Held::of(gateway, &routed) => held,
    };
    let decided = routed.decided;
    timeline.end(Stage::Fund);
    let held = match held {
        Ok(held) => held,
        Err(refusal) => return refused(gateway, &decided, refusal, network, &timeline, reply).await,
    };
    let decided = match Box::pin(analyze(gateway, decided, network)).await {
        Ok(decided) => decided,
        Err(not_read) => {
            let NotRead { decided, refusal } = *not_read;
            held.counts();
            return refused(gateway, &decided, refusal, network, &timeline, reply).await;
        }
    };
    // Its time is not ours.
    timeline.skip();
    decided.tell_shadow();
    let left = || reply.is_closed().then(|| gone(&decided));
    if let Some(refusal) = decided.refusal().or_else(left) {
        timeline.end(Stage::Decide);
        held.counts();
        return refused(gateway, &decided, refusal, network, &timeline, reply).await;
    }
    timeline.end(Stage::Decide);
    let redacted = on_body(size, || redact_body(&decided, &gateway.token_key));
    let routed = route(decided);
    timeline.end(Stage::Route);
    held.goes_on();
    attempts(gateway, &routed, redacted, network, timeline, reply).await;
}

/// What a request that is read by detectors holds meanwhile. Dropped, all of it goes back.
#[derive(Debug)]
struct Held(Option<Reservation>);

impl Held {
    /// Holds for a request at the first of its endpoints, as its first attempt would.
    ///
    /// # Errors
    /// What its first attempt would be refused with.
    async fn of(gateway: &Gateway, routed: &Routed) -> Result<Self, Refusal> {
        let mut last = None;
        for candidate in routed.candidates() {
            let now_ms = gateway.clock.now_ms();
            match fund(&routed.decided, &candidate, true, &gateway.budgets, now_ms).await {
                Ok(funded) => return Ok(Self(funded.into_reservation())),
                Err(NotFunded { refusal, anywhere }) => {
                    last.get_or_insert(refusal);
                    if anywhere {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| refusal(&routed.decided, "no endpoint could be tried")))
    }

    /// The request goes on, and its attempts hold for it.
    fn goes_on(self) {
        if let Some(held) = self.0 {
            held.release();
        }
    }

    /// The request goes nowhere. It was one: what was asked for it was asked.
    fn counts(self) {
        if let Some(held) = self.0 {
            held.settle_for(Cost { nano: 0, tokens: Some(0) }).durable();
        }
    }
}

/// Has every detector that the rules ask for read the request, and decides again with what they found.
///
/// # Errors
/// Where one could not: nothing may leave then.
async fn analyze(
    gateway: &Gateway,
    mut decided: Decided,
    network: &Network,
) -> Result<Decided, Box<NotRead>> {
    let mut asked: BTreeSet<String> = BTreeSet::new();
    while decided.decision.is_allowed() {
        let policy = &decided.classified.read.auth.snapshot.policy;
        let wanted = policy.detectors_of(&decided.decision);
        let Some(name) = wanted.into_iter().find(|name| !asked.contains(*name)).map(str::to_owned) else {
            break;
        };
        let found = if asked.len() < DETECTORS_MAX {
            read_by(gateway, &decided, &name, network).await
        } else {
            Err(refusal(&decided, &format!("the rules ask for more than {DETECTORS_MAX} detectors")))
        };
        let found = match found {
            Ok(found) => found,
            Err(refusal) => return Err(Box::new(NotRead { decided, refusal })),
        };
        asked.insert(name);
        let Decided { id, classified, .. } = decided;
        decided = decide(classified.with(&found), id);
    }
    Ok(decided)
}

/// Has the first of the eligible endpoints for a detector that answers read the request.
async fn read_by(
    gateway: &Gateway,
    decided: &Decided,
    name: &str,
    network: &Network,
) -> Result<Vec<Finding>, Refusal> {
    let snapshot = &decided.classified.read.auth.snapshot;
    let facts = RequestFacts {
        operation: Operation::Analyze,
        model: name.to_owned(),
        // Of the request's own endpoint these are asked, and what a key may use is about models.
        features: FeatureSet::EMPTY,
        tools: Vec::new(),
        stream: false,
        allowed_endpoint_names: None,
        ..decided.facts.clone()
    };
    let decision = snapshot.policy.decide(&facts);
    if !decision.is_allowed() {
        return Err(ineligible(decided, name, &facts, &decision));
    }
    let text = shown(&decided.classified, &decision, decided);
    let mut last = None;
    for index in decision.eligible.iter() {
        let Some(place) = snapshot.place(index) else { continue };
        let (Some(analyzer), Some(route)) = (&place.analyzer, place.routes.get(name)) else { continue };
        let candidate = Candidate { index, place, route };
        still_allowed(gateway, decided, &candidate)?;
        let analysis = Analysis { detector: name, facts: &facts, decision: &decision, candidate: &candidate };
        let recorded = record::analysis(gateway, decided, &analysis, network).await;
        recorded.map_err(|error| unrecorded(decided, &error))?;
        // The log may have been waited for.
        still_allowed(gateway, decided, &candidate)?;
        match analyzer.find(&gateway.client, &text).await {
            Ok(found) => return Ok(found),
            Err(failure) => {
                tracing::warn!(decision = decided.id, endpoint = place.name, %failure, "a detector did not read a request");
                last = Some(refusal(decided, &format!("the detector `{name}` ({}): {failure}", place.name)));
            }
        }
    }
    Err(last
        .unwrap_or_else(|| refusal(decided, &format!("no endpoint for the detector `{name}` can be asked"))))
}

/// What a detector sees of a request.
fn shown(classified: &Classified, analysis: &Decision, decided: &Decided) -> String {
    let mut plan = decided.decision.request_redactions;
    plan.merge(&analysis.request_redactions);
    let text = &classified.read.text;
    let mut out = String::with_capacity(text.buffer.len());
    let mut done = 0;
    for found in classified.to_replace(&plan) {
        let Some(span) = text.spans.get(found.span) else { continue };
        let (start, end) = (span.range.start + found.finding.start, span.range.start + found.finding.end);
        out.push_str(text.buffer.get(done..start).unwrap_or_default());
        let value = text.buffer.get(start..end).unwrap_or_default();
        // As many bytes, so that what is found after it is at the same place in the text; a line break stays one.
        out.extend(value.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }));
        done = end;
    }
    out.push_str(text.buffer.get(done..).unwrap_or_default());
    out
}

fn ineligible(decided: &Decided, name: &str, facts: &RequestFacts, decision: &Decision) -> Refusal {
    let policy = &decided.classified.read.auth.snapshot.policy;
    if decision.candidates.is_empty() {
        return refusal(decided, &format!("no endpoint of {} serves the detector `{name}`", facts.scope));
    }
    let explanation = policy.explain(facts, decision);
    let mut refused = Refusal::new(
        Code::NoEligibleEndpoint,
        format!("a rule asks for the detector `{name}`, and none of its endpoints may read this request"),
    )
    .decision(&decided.id);
    for endpoint in explanation.endpoints.iter().filter(|endpoint| !endpoint.eligible) {
        for reason in &endpoint.reasons {
            if !refused.rules.contains(&reason.rule) {
                refused.rules.push(reason.rule.clone());
            }
            refused.excluded.push(Excluded {
                endpoint: endpoint.name.clone(),
                rule: Some(reason.rule.clone()),
                reason: reason.text.clone(),
            });
        }
    }
    for rule in explanation.denied_by {
        if !refused.rules.contains(&rule) {
            refused.rules.push(rule);
        }
    }
    refused.fix = explanation.fix.unwrap_or_default();
    refused
}

fn refusal(decided: &Decided, why: &str) -> Refusal {
    Refusal::new(Code::Unavailable, format!("{why}, so nothing was sent"))
        .decision(&decided.id)
        .fix("a rule asks for this detector; try again, and if it stays so, an operator finds the cause in the server's log")
}

fn unrecorded(decided: &Decided, error: &record::RecordError) -> Refusal {
    if !matches!(error, record::RecordError::Audit(AuditUnavailable::Unknown)) {
        tracing::error!(decision = decided.id, %error, "the audit log did not take a record");
    }
    Refusal::new(Code::AuditUnavailable, "the audit log cannot make this durable, so nothing was sent")
        .decision(&decided.id)
        .fix("try again; an operator finds the cause in the server's log")
}
