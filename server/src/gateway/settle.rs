//! After an attempt: its true cost booked, its outcome recorded, health and metrics told. Runs whether or not the client
//! is still there.
//!
//! The outcome's record and the booking become durable in one transaction, so that what a budget shows is what the log
//! explains. If the log can't write, memory is booked all the same and the record is tried again; a server that dies
//! before it is written finds the attempt without an outcome at the next start and books what was held.

use std::time::Duration;

use bailiwick_ledger::Kind;
use bailiwick_pii::EntityCounts;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::Gateway;
use super::fund::{Funded, MAX_RECORDED};
use super::metrics;
use super::record::{self, Attempted, RecordError, Salts, section};
use super::timeline::{Mark, Timeline};
use crate::audit::{Audit, Booking, BudgetId, Entry};
use crate::budgets::{Cost, Settlement};
use crate::providers::{Doubt, UpstreamFailure, Usage};

/// The result of an attempt that was recorded and not sent.
const UNSENT: &str = "not_sent";

/// How an attempt ended.
#[derive(Debug)]
pub struct Ending {
    /// What went wrong, if something did.
    pub failure: Option<UpstreamFailure>,
    /// What the provider said it used.
    pub usage: Option<Usage>,
    /// Whether the client left before the end.
    pub client_gone: bool,
    /// Whether the answer was seen to its end, so that the usage is the whole usage.
    pub complete: bool,
    /// The status that the client got for it; `None` where another endpoint was tried after it.
    pub status: Option<u16>,
    /// Findings of the answer.
    pub found: EntityCounts,
    /// Redactions of the answer.
    pub redacted: EntityCounts,
}

/// The section `usage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageSection {
    /// What is booked, in nano-dollars; absent where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano: Option<i64>,
    /// `reported` by the provider, or the `reservation`, because nobody knows better.
    pub source: String,
    /// Why the report is not believed as it stands: `missing`, `cut_short`, `absurd` (several times what the request
    /// could use: what was held is booked), `unpriced` (something was used that has a price which nobody here knows),
    /// `clamped` (to the most that a record can hold), or a provider's doubtful counts by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// As reported.
    #[serde(default)]
    pub input_tokens: u64,
    /// Of them read from the provider's cache.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// Of them written into the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// Of these the ones that stay there for an hour, where that is told apart.
    #[serde(default, skip_serializing_if = "none_or_zero")]
    pub cache_write_1h_tokens: Option<u64>,
    /// Of them images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub image_input_tokens: u64,
    /// Of them audio.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audio_input_tokens: u64,
    /// As reported, reasoning included.
    #[serde(default)]
    pub output_tokens: u64,
    /// Of them reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
    /// Of them images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub image_output_tokens: u64,
    /// Of them audio.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audio_output_tokens: u64,
    /// Searches of the web that the provider made.
    #[serde(default, skip_serializing_if = "none_or_zero")]
    pub web_searches: Option<u64>,
}

fn none_or_zero(count: &Option<u64>) -> bool {
    count.is_none_or(|count| count == 0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl UsageSection {
    /// Of an attempt of which nobody knows what it used: what was held is booked.
    #[must_use]
    pub fn unknown(held_nano: Option<i64>) -> Self {
        Self {
            cost_nano: held_nano,
            source: String::from("reservation"),
            doubts: vec![String::from("missing")],
            ..Self::default()
        }
    }

    /// Nothing can have been used.
    fn never_ran(&mut self) {
        self.cost_nano = self.cost_nano.map(|_| 0);
        self.source = String::from("never_ran");
        self.doubts.clear();
    }

    /// The true count of tokens, where it is known.
    fn tokens(&self) -> Option<i64> {
        match self.source.as_str() {
            "reported" => {
                let tokens = self.input_tokens.saturating_add(self.output_tokens);
                Some(i64::try_from(tokens).unwrap_or(i64::MAX))
            }
            "never_ran" => Some(0),
            _ => None,
        }
    }
}

/// The section `outcome`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeSection {
    /// `answered`, `client_gone`, `not_sent`, or the failure's code.
    pub result: String,
    /// Whether the provider answered in full.
    pub ok: bool,
    /// The status that the client got for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The endpoint.
    pub endpoint: String,
    /// Findings of the answer by kind.
    #[serde(default)]
    pub response_findings: EntityCounts,
    /// Redactions of the answer by kind.
    #[serde(default)]
    pub response_redactions: EntityCounts,
}

/// The true cost of an attempt, as far as it is known: usage at the attempt's price; nothing where nothing can have been
/// used; else what was held, because doubt never refunds.
#[must_use]
pub fn cost(funded: &Funded, ending: &Ending) -> UsageSection {
    let held = funded.worst_case_nano;
    let never_ran = ending.failure.as_ref().is_some_and(|failure| !failure.may_have_cost());
    let mut section = UsageSection::unknown(held);
    if let Some(mut usage) = ending.usage {
        if funded.long_cache && usage.cache_write_1h_tokens.is_none() {
            // What was asked for is what is paid, where nobody tells it apart.
            usage.cache_write_1h_tokens = Some(usage.cache_write_tokens);
        }
        let priced = funded.price.map(|price| price.cost_nano(&usage));
        // A usage that is doubted is a lower bound, and so is one of a stream that went on unseen.
        let seen = ending.complete && ending.failure.is_none();
        let absurd = usage.input_tokens > funded.absurd.input || usage.output_tokens > funded.absurd.output;
        let unpriced = funded.price.is_some_and(|price| !price.is_whole(&usage))
            || funded.searches && usage.web_searches.is_none()
            || funded.untold_fees;
        let whole = usage.is_exact() && seen && !absurd && !unpriced;
        // Of counts that no honest provider reports nothing follows, so they can't empty a budget either.
        section.cost_nano = if whole {
            priced
        } else if absurd {
            held
        } else {
            priced.max(held)
        };
        section.source = String::from(if whole { "reported" } else { "reservation" });
        section.doubts = usage.doubts.iter().map(|doubt| doubt.as_str().to_owned()).collect();
        if absurd {
            section.doubts.push(String::from("absurd"));
        }
        let said = section.doubts.iter().any(|doubt| doubt == Doubt::Unpriced.as_str());
        if unpriced && !said {
            section.doubts.push(Doubt::Unpriced.as_str().to_owned());
        }
        if !seen {
            section.doubts.push(String::from("cut_short"));
        }
        if section.cost_nano.is_some_and(|cost| cost > MAX_RECORDED) {
            section.cost_nano = Some(MAX_RECORDED);
            section.doubts.push(String::from("clamped"));
        }
        section.input_tokens = usage.input_tokens;
        section.cached_input_tokens = usage.cached_input_tokens;
        section.cache_write_tokens = usage.cache_write_tokens;
        section.cache_write_1h_tokens = usage.cache_write_1h_tokens;
        section.image_input_tokens = usage.image_input_tokens;
        section.audio_input_tokens = usage.audio_input_tokens;
        section.output_tokens = usage.output_tokens;
        section.reasoning_tokens = usage.reasoning_tokens;
        section.image_output_tokens = usage.image_output_tokens;
        section.audio_output_tokens = usage.audio_output_tokens;
        section.web_searches = usage.web_searches;
    } else if never_ran {
        section.never_ran();
    }
    section
}

/// What a request has cost with one more attempt.
#[must_use]
pub fn total(before_nano: Option<i64>, cost_nano: Option<i64>) -> Option<i64> {
    match (before_nano, cost_nano) {
        (Some(before), Some(cost)) => Some(before.saturating_add(cost)),
        (one, other) => one.or(other),
    }
}

/// The end of an attempt, booked in memory and not yet in the log.
#[derive(Debug)]
#[must_use = "an outcome has to be recorded"]
pub struct Outcome<'a> {
    attempted: Attempted<'a>,
    outcome: OutcomeSection,
    usage: UsageSection,
    marks: SmallVec<[Mark; 10]>,
    overhead_us: u64,
    settled: Option<Settlement>,
    code: Option<&'static str>,
    now_ms: i64,
}

/// Books the true cost in memory and tells health and metrics.
pub fn book<'a>(
    gateway: &Gateway,
    attempted: Attempted<'a>,
    mut funded: Funded,
    ending: &Ending,
    timeline: &Timeline,
) -> Outcome<'a> {
    let usage = cost(&funded, ending);
    let cost = Cost { nano: usage.cost_nano.unwrap_or(0), tokens: usage.tokens() };
    let settled = funded.reservation.take().map(|held| held.settle_for(cost));
    let now_ms = gateway.clock.now_ms();
    let place = attempted.candidate.place;
    match &ending.failure {
        None => place.health.succeeded(),
        Some(failure) if failure.blames_endpoint() => {
            let asked = failure.retry_after().map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            place.health.failed(now_ms, asked);
        }
        Some(_) => {}
    }
    metrics::attempt(&place.name, ending.failure.as_ref());
    if ending.status.is_some() {
        metrics::served(timeline);
    }
    let code = ending.failure.as_ref().map(UpstreamFailure::code);
    let result = match (&ending.failure, ending.client_gone) {
        (Some(failure), _) => failure.code(),
        (None, true) => "client_gone",
        (None, false) => "answered",
    };
    let outcome = OutcomeSection {
        result: result.to_owned(),
        ok: ending.failure.is_none() && !ending.client_gone,
        status: ending.status,
        endpoint: place.name.clone(),
        response_findings: ending.found,
        response_redactions: ending.redacted,
    };
    Outcome {
        attempted,
        outcome,
        usage,
        marks: SmallVec::from_slice(timeline.marks()),
        overhead_us: timeline.overhead_us(),
        settled,
        code,
        now_ms,
    }
}

/// The end of an attempt that was recorded too late to be sent; `status` where the client was refused for it.
pub fn unsent<'a>(
    gateway: &Gateway,
    attempted: Attempted<'a>,
    mut funded: Funded,
    status: Option<u16>,
    timeline: &Timeline,
) -> Outcome<'a> {
    let held = funded.worst_case_nano;
    let settled = funded.reservation.take().map(|held| held.settle(0));
    let mut usage = UsageSection::unknown(held);
    usage.never_ran();
    if status.is_some() {
        metrics::served(timeline);
    }
    Outcome {
        attempted,
        outcome: OutcomeSection {
            result: String::from(UNSENT),
            ok: false,
            status,
            endpoint: attempted.candidate.place.name.clone(),
            response_findings: EntityCounts::default(),
            response_redactions: EntityCounts::default(),
        },
        usage,
        marks: SmallVec::from_slice(timeline.marks()),
        overhead_us: timeline.overhead_us(),
        settled,
        code: Some(UNSENT),
        now_ms: gateway.clock.now_ms(),
    }
}

impl Outcome<'_> {
    /// What it cost, where that is known.
    #[must_use]
    pub const fn cost_nano(&self) -> Option<i64> {
        self.usage.cost_nano
    }

    /// Tries once to make it durable.
    ///
    /// # Errors
    /// [`RecordError`]; it can be tried again.
    pub async fn try_record(&self, audit: &Audit) -> Result<(), RecordError> {
        audit.append_for_sure(self.entry()?).await?;
        if let Some(settled) = &self.settled {
            settled.durable();
        }
        Ok(())
    }

    /// Tries until the log has it or the server stops. Nothing is lost if it stops: see the module.
    pub async fn record(&self, gateway: &Gateway) {
        let mut wait = Duration::from_millis(50);
        while let Err(error) = self.try_record(&gateway.audit).await {
            tracing::warn!(decision = self.attempted.decided.id, %error, "an outcome waits for the audit log");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = gateway.stopping.cancelled() => return,
            }
            wait = (wait * 2).min(Duration::from_secs(5));
        }
    }

    fn entry(&self) -> Result<Entry, RecordError> {
        let Attempted { decided, redactions, number, candidate, .. } = self.attempted;
        let mut salts = Salts::new(3);
        let draft = record::head(Kind::Outcome, decided, self.now_ms)
            .id("attempt", number.to_string())
            .section(section("outcome", &self.outcome, &mut salts)?)
            .section(section("usage", &self.usage, &mut salts)?)
            .section(section("timing", &self.marks.as_slice(), &mut salts)?);
        let mut entry = Entry::new(draft);
        entry.bookings = self
            .settled
            .iter()
            .flat_map(|settled| settled.booked())
            .map(|booked| Booking {
                budget: BudgetId(booked.budget),
                window_start_ms: booked.window_start_ms,
                delta_nano: booked.cost_nano,
            })
            .collect();
        let state = match (self.outcome.ok, self.outcome.status) {
            (true, _) => "allowed",
            (false, Some(_)) => "failed",
            // Another endpoint is tried after it.
            (false, None) => "running",
        };
        let mut row = record::row(decided, state, redactions);
        row.endpoint = Some(candidate.place.name.clone());
        row.cost_nano = total(self.attempted.spent_nano, self.usage.cost_nano);
        row.overhead_us = i64::try_from(self.overhead_us).ok();
        row.status = self.outcome.status.map(i64::from);
        row.code = self.code.map(str::to_owned);
        entry.index = Some(row);
        Ok(entry)
    }
}
