//! The way of one request through the stages.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_pii::EntityCounts;
use bailiwick_wire::Losses;
use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::analyze::analyzed;
use super::api::{Body, full, head, rate_headers, stream_body};
use super::classify::{Hints, classify};
use super::decide::{Decided, decide};
use super::document::Kind;
use super::forward::{Answer, forward, wire_of};
use super::fund::{self, Funded};
use super::large::on_body;
use super::record::{self, Attempted, Network};
use super::redaction::{Redacted, redact_body};
use super::refusal::{Code, Refusal};
use super::respond::{self, Relay};
use super::rewrite::{LOGPROBS, Rewriter};
use super::route::{Routed, route};
use super::settle::{self, Ending, Outcome};
use super::stopped::{also, still_allowed};
use super::timeline::{Stage, Timeline};
use super::translate::{self, Prepared};
use super::{Gateway, api_headers, dry_run, read};
use crate::audit::AuditUnavailable;
use crate::budgets::format_usd;
use crate::providers::{Api, Operation, StreamEvent, UpstreamEvents, UpstreamFailure, sse};
use crate::router::Candidate;

/// How a request for a response asks for the probabilities of tokens.
const OF_OUTPUT_TEXT: &str = "message.output_text.logprobs";

/// How long a client waits for an attempt's record. Longer than that takes only where the database went away meanwhile.
const RECORDED: Duration = Duration::from_secs(8);

/// What came in.
#[derive(Debug)]
pub struct Incoming {
    /// Its operation.
    pub operation: Operation,
    /// `POST /v1/chat/completions`.
    pub route: &'static str,
    /// Its head.
    pub headers: HeaderMap,
    /// The client's address, as far as it is known.
    pub client: Option<IpAddr>,
}

/// Serves one request.
///
/// # Errors
/// The [`Refusal`] that its client gets.
pub async fn serve<B>(gateway: &Arc<Gateway>, incoming: Incoming, body: B) -> Result<Response<Body>, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut timeline = Timeline::begin();
    let key = gateway.authenticate(&incoming.headers, incoming.client)?.key;
    let unread = |refusal: &Refusal| gateway.unread.add(&key, refusal);
    let hints = Hints::read(&incoming.headers).inspect_err(unread)?;
    let passed = match incoming.operation.api() {
        Api::OpenAi | Api::OpenAiResponses => http::HeaderMap::new(),
        Api::Anthropic => api_headers::api_headers(&incoming.headers).inspect_err(unread)?,
    };
    timeline.end(Stage::Authenticate);
    let bytes = read::collect(&incoming.headers, body, gateway.limits).await.inspect_err(unread)?;
    // Waiting for the client's bytes is nobody's work. A key that was revoked meanwhile is revoked, and a bundle that
    // came into force meanwhile is in force.
    timeline.skip();
    let auth = gateway.authenticate(&incoming.headers, incoming.client)?;
    let network = Network { client: incoming.client, route: incoming.route, body_bytes: bytes.len() };
    let size = bytes.len();
    let read = on_body(size, || read::read(auth, incoming.operation, bytes, gateway.limits));
    let mut read = read.inspect_err(unread)?;
    read.api_headers = passed;
    if hints.dry_run {
        // Nothing comes of it, but it costs as much to decide.
        fund::ticket(&read.auth, &read.model, &gateway.budgets).await.inspect_err(unread)?;
    }
    gateway.recall(&mut read).await;
    timeline.end(Stage::Read);
    let classified = on_body(size, || classify(read, hints)).inspect_err(unread)?;
    timeline.end(Stage::Classify);
    let decided = decide(classified, format!("dec_{}", Uuid::now_v7().simple()));
    let dry_run = decided.classified.hints.dry_run;
    let (reply, answer) = oneshot::channel();
    let gateway_of_task = Arc::clone(gateway);
    let stopping = || Err(Refusal::new(Code::Unavailable, "the server is stopping"));
    if !dry_run && decided.refusal().is_none() && !decided.decision.analyzed_by.is_empty() {
        timeline.end(Stage::Decide);
        // Text leaves for a detector: from here on the request has a life of its own, as it has from its first attempt on.
        gateway.attempts.spawn(Box::pin(async move {
            // In a box of its own, because it holds all that an attempt does and more.
            Box::pin(analyzed(&gateway_of_task, decided, &network, timeline, size, reply)).await;
        }));
        return answer.await.unwrap_or_else(|_| stopping());
    }
    if !dry_run {
        decided.tell_shadow();
    }
    if let Some(refusal) = decided.refusal() {
        timeline.end(Stage::Decide);
        if dry_run {
            let none = EntityCounts::default();
            let marks = timeline.marks();
            Box::pin(record::dry_run(gateway, &decided, &none, &[], Some(&refusal), &network, marks))
                .await
                .map_err(|error| unrecorded(&decided, &error))?;
        } else {
            Box::pin(refuse(gateway, &decided, &refusal, &network, &timeline)).await?;
        }
        return Err(refusal);
    }
    timeline.end(Stage::Decide);
    let redacted = on_body(size, || redact_body(&decided, &gateway.token_key));
    let routed = route(decided);
    timeline.end(Stage::Route);
    // In boxes, these and those above, because they are seldom and their futures are large.
    if dry_run {
        let (decided, order, marks) = (&routed.decided, routed.names(), timeline.marks());
        Box::pin(record::dry_run(gateway, decided, &redacted.counts, &order, None, &network, marks))
            .await
            .map_err(|error| unrecorded(decided, &error))?;
        return Ok(dry_run::answer(&routed, &redacted));
    }
    // From here on the request has a life of its own: what is funded and recorded is settled, whether or not the
    // client waits for it.
    // In a box, because a task is moved several times on its way to the runtime, and this one is large.
    gateway.attempts.spawn(Box::pin(async move {
        attempts(&gateway_of_task, &routed, redacted, &network, timeline, reply).await;
    }));
    answer.await.unwrap_or_else(|_| stopping())
}

/// Makes a refusal durable and tells the client, if it is still there.
pub(super) async fn refused(
    gateway: &Gateway,
    decided: &Decided,
    refusal: Refusal,
    network: &Network,
    timeline: &Timeline,
    reply: Reply,
) {
    let recorded = refuse(gateway, decided, &refusal, network, timeline).await;
    let _ = reply.send(Err(recorded.err().unwrap_or(refusal)));
}

/// Nothing is sent for a client that has left: it would be paid for, and disclosed, for nobody.
pub(super) fn gone(decided: &Decided) -> Refusal {
    Refusal::new(Code::ClientGone, "the client left before anything was sent to a provider")
        .decision(&decided.id)
}

/// The way back to a client that may have left.
pub(super) type Reply = oneshot::Sender<Result<Response<Body>, Refusal>>;

/// Makes a refusal durable before the client hears of it.
async fn refuse(
    gateway: &Gateway,
    decided: &Decided,
    refusal: &Refusal,
    network: &Network,
    timeline: &Timeline,
) -> Result<(), Refusal> {
    let now_ms = gateway.clock.now_ms();
    record::refusal(gateway, decided, refusal, network, timeline.marks(), now_ms)
        .await
        .map_err(|error| unrecorded(decided, &error))
}

fn unrecorded(decided: &Decided, error: &record::RecordError) -> Refusal {
    tracing::error!(decision = decided.id, %error, "the audit log did not take a record");
    Refusal::new(
        Code::AuditUnavailable,
        "the audit log cannot make this decision durable, so nothing was sent",
    )
    .decision(&decided.id)
    .fix("try again; an operator finds the cause in the server's log")
}

/// Tries the endpoints in order until one answers.
pub(super) async fn attempts(
    gateway: &Arc<Gateway>,
    routed: &Routed,
    redacted: Redacted,
    network: &Network,
    mut timeline: Timeline,
    mut reply: Reply,
) {
    let decided = &routed.decided;
    let (carried, unable) = translate::carried(routed, &redacted);
    let order: Vec<String> = carried.iter().map(|(candidate, _)| candidate.place.name.clone()).collect();
    let mut number = 0;
    let mut concluded = false;
    let mut tried: Option<Attempted<'_>> = None;
    let mut spent_nano: Option<i64> = None;
    let mut last: Option<Refusal> = None;
    // Outcomes that the log has not taken yet; nobody waits for them before the client is answered.
    let mut late: Vec<Outcome<'_>> = Vec::new();
    let mut candidates = carried.into_iter().peekable();
    while let Some((candidate, prepared)) = candidates.next() {
        if let Err(refusal) = still_allowed(gateway, decided, &candidate) {
            also(&mut last, refusal);
            continue;
        }
        let now_ms = gateway.clock.now_ms();
        let funding = fund::fund(decided, &candidate, number == 0, &gateway.budgets, now_ms);
        let funded = tokio::select! {
            biased;
            () = reply.closed() => {
                last = Some(gone(decided));
                break;
            }
            funded = funding => funded,
        };
        let funded = match funded {
            Ok(funded) => funded,
            Err(fund::NotFunded { refusal, anywhere }) => {
                // A dearer endpoint that the budget has no room for is not tried; a cheaper one may be.
                last.get_or_insert(refusal);
                if anywhere {
                    break;
                }
                continue;
            }
        };
        timeline.end(Stage::Fund);
        // Money may have been waited for.
        if let Err(refusal) = still_allowed(gateway, decided, &candidate) {
            also(&mut last, refusal);
            continue;
        }
        number += 1;
        let now_ms = gateway.clock.now_ms();
        let attempted = Attempted { decided, redactions: &redacted.counts, number, candidate, spent_nano };
        let recording = record::attempt(gateway, attempted, &funded, &order, network, now_ms);
        let mut recording = Box::pin(recording);
        let recorded = tokio::time::timeout(RECORDED, recording.as_mut()).await;
        timeline.end(Stage::Record);
        let Ok(recorded) = recorded else {
            let _ = reply.send(Err(unrecorded(decided, &AuditUnavailable::Unknown.into())));
            // Nothing is sent. What was held goes back unless it turns out that the log tells of an attempt.
            if recording.await.is_ok() {
                settle::unsent(gateway, attempted, funded, Some(503), &timeline).record(gateway).await;
            }
            for outcome in late {
                outcome.record(gateway).await;
            }
            return;
        };
        drop(recording);
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(error) => {
                let _ = reply.send(Err(unrecorded(decided, &error)));
                for outcome in late {
                    outcome.record(gateway).await;
                }
                return;
            }
        };
        // The log may have been waited for.
        if let Err(refusal) = still_allowed(gateway, decided, &candidate) {
            let outcome = settle::unsent(gateway, attempted, funded, None, &timeline);
            if outcome.try_record(&gateway.audit).await.is_err() {
                late.push(outcome);
            }
            tried = Some(attempted);
            also(&mut last, refusal);
            continue;
        }
        let mut funded = funded;
        if let Some(held) = &mut funded.reservation {
            held.sent();
        }
        let answer = forward(gateway, decided, &redacted, &prepared, &candidate, &funded, &recorded).await;
        timeline.end(Stage::Forward);
        let answer = match answer {
            Ok(Answer::Whole(body)) => {
                let mut rewriter = rewriter(decided, &candidate, &redacted);
                let operations = (prepared.operation, decided.classified.read.operation);
                let back = prepared.back(decided);
                let wire = wire_of(&candidate, &prepared);
                let whole = on_body(body.len(), || {
                    respond::whole(wire, operations, back.as_ref(), body, &mut rewriter)
                });
                match whole {
                    Ok(whole) => {
                        // Before the client has it, or it could send it back before it is known.
                        gateway.remember(decided, &mut rewriter).await;
                        let attempt = Attempt { gateway, attempted, prepared, funded };
                        attempt.whole(whole, &rewriter, timeline, reply).await;
                        return;
                    }
                    Err(failure) => Err(failure),
                }
            }
            Ok(Answer::Stream { first, events }) => {
                let mut rewriter = rewriter(decided, &candidate, &redacted);
                let attempt = Attempt { gateway, attempted, prepared, funded };
                attempt.stream(*first, *events, &mut rewriter, timeline, reply).await;
                return;
            }
            Err(failure) => Err(failure),
        };
        let Err(failure): Result<(), UpstreamFailure> = answer else { continue };
        let mut rewriter = rewriter(decided, &candidate, &redacted);
        let failure = told(failure, &mut rewriter);
        let refusal = upstream(decided, &candidate, &failure);
        let more = failure.may_fall_back(false) && candidates.peek().is_some();
        let ending = Ending {
            status: (!more).then(|| refusal.code.status().as_u16()),
            failure: Some(failure),
            usage: None,
            client_gone: false,
            complete: true,
            found: rewriter.found(),
            redacted: rewriter.redacted(),
        };
        let outcome = settle::book(gateway, attempted, funded, &ending, &timeline);
        spent_nano = settle::total(spent_nano, outcome.cost_nano());
        tried = Some(attempted);
        last = Some(refusal);
        if !more {
            late.push(outcome);
            concluded = true;
            break;
        }
        if outcome.try_record(&gateway.audit).await.is_err() {
            late.push(outcome);
        }
        timeline.skip();
    }
    let refusal = last.or(unable).unwrap_or_else(|| {
        Refusal::new(Code::Unavailable, "no endpoint could be tried").decision(&decided.id)
    });
    // Either nothing was tried, or the last try was not meant to be the last: the end is a record of its own.
    let refused = match tried {
        _ if concluded => Ok(()),
        None => refuse(gateway, decided, &refusal, network, &timeline).await,
        Some(attempted) => {
            let (marks, now_ms) = (timeline.marks(), gateway.clock.now_ms());
            record::gave_up(gateway, attempted, &refusal, marks, spent_nano, now_ms)
                .await
                .map_err(|error| unrecorded(decided, &error))
        }
    };
    let _ = reply.send(Err(refused.err().unwrap_or(refusal)));
    for outcome in late {
        outcome.record(gateway).await;
    }
}

fn rewriter(decided: &Decided, candidate: &Candidate<'_>, redacted: &Redacted) -> Box<Rewriter> {
    let rewriter = Rewriter::new(
        Arc::clone(&decided.classified.read.auth.snapshot.detector),
        decided.decision.response_redactions,
        redacted.key.clone(),
        Arc::clone(&redacted.vault),
        candidate.route.target.credential().cloned(),
    );
    // In a box: the task that it would be a part of is large as it is.
    Box::new(rewriter.in_order())
}

/// One attempt that is being answered.
struct Attempt<'a> {
    gateway: &'a Gateway,
    attempted: Attempted<'a>,
    prepared: Prepared,
    funded: Funded,
}

impl Attempt<'_> {
    async fn whole(self, whole: respond::Whole, rewriter: &Rewriter, mut timeline: Timeline, reply: Reply) {
        let mut ending = Ending {
            failure: None,
            usage: whole.usage,
            client_gone: false,
            complete: true,
            status: Some(200),
            found: rewriter.found(),
            redacted: rewriter.redacted(),
        };
        let mut response = Response::new(full(whole.body));
        head(
            response.headers_mut(),
            self.attempted.decided,
            Some(&self.attempted.candidate),
            self.attempted.redactions,
        );
        let cost = self.cost(&ending);
        if let Some(cost) = cost.and_then(|cost| http::HeaderValue::from_str(&cost).ok()) {
            response.headers_mut().insert("x-bailiwick-cost", cost);
        }
        self.tell_limit(response.headers_mut(), Some(&whole.left_out));
        timeline.end(Stage::Respond);
        if reply.send(Ok(response)).is_err() {
            // It was answered in full and the usage is known; only nobody waited for it.
            tracing::debug!(decision = self.attempted.decided.id, "the client left before the answer");
            ending.status = Some(499);
        }
        self.settle(&ending, &timeline).await;
    }

    async fn stream(
        self,
        first: (sse::Event, StreamEvent),
        events: UpstreamEvents,
        rewriter: &mut Rewriter,
        mut timeline: Timeline,
        reply: Reply,
    ) {
        let (frames, receiver) = mpsc::channel(respond::QUEUE);
        let mut response = Response::new(stream_body(receiver));
        head(
            response.headers_mut(),
            self.attempted.decided,
            Some(&self.attempted.candidate),
            self.attempted.redactions,
        );
        let headers = response.headers_mut();
        self.tell_limit(headers, Some(&self.known_to_be_left_out(rewriter)));
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
        let no_cache = http::HeaderValue::from_static("no-cache");
        headers.entry(http::header::CACHE_CONTROL).or_insert(no_cache);
        headers.insert(http::header::TRAILER, http::HeaderValue::from_static(respond::TRAILERS));
        let gone = reply.send(Ok(response)).is_err();
        let read = &self.attempted.decided.classified.read;
        let (api, hide_usage) = (read.operation.api(), !read.shape.client_wants_usage);
        let relay = Relay::new(
            (self.gateway, self.attempted.decided),
            wire_of(&self.attempted.candidate, &self.prepared),
            self.attempted.candidate,
            rewriter,
            (api, self.prepared.back(self.attempted.decided)),
            hide_usage,
            frames,
        );
        let (end, frames) = relay.run(first, events).await;
        timeline.end_of_stream(end.waited_us);
        let left_out = end.left_out;
        let mut ending = Ending {
            usage: end.usage,
            client_gone: gone || end.client_gone,
            complete: end.complete,
            status: Some(200),
            found: rewriter.found(),
            redacted: rewriter.redacted(),
            failure: end.failure,
        };
        if let Some(failure) = ending.failure.as_ref().filter(|_| !ending.client_gone) {
            // Too late for a status: the client's library finds the error in the stream.
            let refusal = upstream(self.attempted.decided, &self.attempted.candidate, failure);
            let body = match api {
                Api::OpenAiResponses => super::api::error_event(&refusal, rewriter.events()),
                api => super::api::error(api, &refusal),
            };
            let told = http_body::Frame::data(respond::framed(api, body.to_string().as_bytes()));
            ending.client_gone = !respond::give(&frames, told).await;
        }
        let cost = self.cost(&ending);
        if let Some(trailers) = respond::trailers(cost.as_deref(), &left_out).filter(|_| !ending.client_gone)
        {
            // Many clients leave once they have read the end of the stream.
            let _ = respond::give(&frames, http_body::Frame::trailers(trailers)).await;
        }
        drop(frames);
        self.settle(&ending, &timeline).await;
    }

    /// What the request cost, this attempt and those before, in US dollars.
    fn cost(&self, ending: &Ending) -> Option<String> {
        let cost_nano = settle::cost(&self.funded, ending).cost_nano;
        settle::total(self.attempted.spent_nano, cost_nano).map(format_usd)
    }

    /// Tells the client how its limits stand; where a budget lowered its output limit, to what; and what of its request
    /// the endpoint's API had no place for, or its own of the answer.
    fn tell_limit(&self, headers: &mut HeaderMap, answer: Option<&Losses>) {
        rate_headers(headers, &self.funded.rates);
        let left_out = self.prepared.left_out(self.attempted.decided, answer);
        if let Some(left_out) = left_out.and_then(|left_out| http::HeaderValue::from_str(&left_out).ok()) {
            headers.insert("x-bailiwick-left-out", left_out);
        }
        if self.funded.lowered
            && let Some(limit) = self.funded.output_limit
        {
            headers.insert("x-bailiwick-output-limit", limit.into());
        }
    }

    /// What will be left out of a stream, as far as it is known before it begins.
    fn known_to_be_left_out(&self, rewriter: &Rewriter) -> Losses {
        let mut left_out = Losses::default();
        let asked = &self.attempted.decided.classified.read.document;
        let of_chat = || asked.member("logprobs").is_some_and(|id| asked.kind(id) == Kind::True);
        let of_response = || {
            let included = asked.member("include").into_iter().flat_map(|include| asked.children(include));
            let most = asked.member("top_logprobs").and_then(|most| asked.unsigned(most));
            most.is_some_and(|most| most > 0)
                || included.filter_map(|id| asked.string(id)).any(|name| name == OF_OUTPUT_TEXT)
        };
        let wanted = match self.attempted.decided.classified.read.operation {
            Operation::Responses => of_response(),
            _ => of_chat(),
        };
        if wanted && rewriter.hides_logprobs() {
            left_out.add(LOGPROBS);
        }
        left_out
    }

    async fn settle(self, ending: &Ending, timeline: &Timeline) {
        settle::book(self.gateway, self.attempted, self.funded, ending, timeline).record(self.gateway).await;
    }
}

/// A failure whose words have gone through what the rules say about answers: a provider that objects to a request quotes
/// it, or anything else.
fn told(mut failure: UpstreamFailure, rewriter: &mut Rewriter) -> UpstreamFailure {
    if let UpstreamFailure::Status(refusal) = &mut failure {
        refusal.message = refusal.message.take().and_then(|message| rewriter.said(&message).ok());
    }
    failure
}

/// A provider's failure as the client sees it.
fn upstream(decided: &Decided, candidate: &Candidate<'_>, failure: &UpstreamFailure) -> Refusal {
    let code = Code::Upstream(failure.code(), failure.client_status());
    let mut refusal =
        Refusal::new(code, format!("{}: {failure}", candidate.place.name)).decision(&decided.id);
    refusal.retry_after_s = failure.retry_after().map(|wait| wait.as_secs().max(1));
    refusal
}
