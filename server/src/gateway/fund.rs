//! Money before an attempt: a rate ticket for the request, and a reservation on every budget up the chain at the price
//! of *this* endpoint.

use std::num::NonZeroU32;

use bailiwick_compliance_db::Feature;
use governor::clock::{Clock as _, DefaultClock};

use super::decide::Decided;
use super::refusal::{Code, Refusal};
use crate::budgets::{Amount, Budgets, NotReserved, Price, Reservation, WorstCase, format_usd};
use crate::providers::Operation;
use crate::router::Candidate;
use crate::snapshot::KeyEntry;

/// An attempt that is paid for.
#[derive(Debug)]
pub struct Funded {
    /// `None` where no budget holds for the key.
    pub(super) reservation: Option<Reservation>,
    pub(super) price: Option<Price>,
    /// What is held, or would be: the worst case in nano-dollars, where the price is known.
    pub(super) worst_case_nano: Option<i64>,
    /// The most output tokens to ask for, where something limits them.
    pub(super) output_limit: Option<u64>,
    /// Whether a budget lowered it.
    pub(super) lowered: bool,
    _sealed: (),
}

/// Output that is held for where neither client, rule nor database limits it.
const ASSUMED_OUTPUT: u64 = 16_384;

/// The largest integer that a record can hold: 2^53 - 1, here of nano-dollars ($9 million).
const MAX_RECORDED: i64 = (1 << 53) - 1;

/// Takes one ticket of a key's rate limit.
///
/// # Errors
/// `rate_limited` with `retry-after`.
pub fn rate(key: &KeyEntry) -> Result<(), Refusal> {
    let (Some(rate), Some(limit)) = (&key.rate, key.requests_per_minute) else { return Ok(()) };
    rate.check().map_err(|later| {
        let wait = later.wait_time_from(DefaultClock::default().now());
        let mut refusal = rate_limited(limit);
        refusal.retry_after_s = Some(wait.as_secs().saturating_add(1));
        refusal
    })
}

fn rate_limited(limit: NonZeroU32) -> Refusal {
    Refusal::new(Code::RateLimited, format!("this key may make {limit} requests a minute"))
        .fix("wait as long as `retry-after` says, or have the key's rate limit raised")
}

/// Holds the worst case of one attempt.
///
/// # Errors
/// `budget_exceeded`.
pub async fn fund(
    decided: &Decided,
    candidate: &Candidate<'_>,
    budgets: &Budgets,
) -> Result<Funded, Refusal> {
    let read = &decided.classified.read;
    let (now_ms, chain) = (read.auth.now_ms, read.auth.key.budgets.of(&read.model));
    let price = candidate.route.prices.at(now_ms);
    let asked = read.asked_output();
    let ruled = decided.decision.obligations.max_output_tokens.map(u64::from);
    let output = match read.operation {
        Operation::ChatCompletions => smallest([asked, ruled, candidate.route.max_output_tokens]),
        Operation::Embeddings => Some(0),
    };
    let worst = |output: Option<u64>| WorstCase {
        input: read.input_tokens,
        output: output.unwrap_or(ASSUMED_OUTPUT).saturating_mul(read.answers),
        media_input: read.opaque,
        audio_output: read.features.contains(Feature::Audio),
    };
    // Records hold integers that every reader of JSON holds exactly (RFC 8785 asks for I-JSON's): nothing that costs
    // more could be recorded, and nothing honest does.
    let recordable = |amount: i64| {
        if amount <= MAX_RECORDED { Ok(amount) } else { Err(unaffordable(decided, candidate, amount)) }
    };
    let capped = ruled.filter(|ruled| asked.is_none_or(|asked| asked > *ruled));
    if chain.is_empty() {
        let worst_case = price.map(|price| price.worst_case_nano(worst(output)));
        return Ok(Funded {
            worst_case_nano: worst_case.map(recordable).transpose()?,
            reservation: None,
            price,
            output_limit: capped,
            lowered: false,
            _sealed: (),
        });
    }
    let Some(price) = price else {
        return Err(Refusal::new(
            Code::BudgetExceeded,
            format!(
                "nobody knows what {} costs at {}, so no budget can hold it",
                read.model, candidate.place.name
            ),
        )
        .decision(&decided.id)
        .fix(format!("declare `price` for the endpoint {}", candidate.place.name)));
    };
    // An output that nothing limits can't be held for: it gets a limit, which the provider is told.
    let mut limit = if output.is_none() { Some(ASSUMED_OUTPUT) } else { capped };
    let output = output.unwrap_or(ASSUMED_OUTPUT);
    let most = recordable(price.worst_case_nano(worst(Some(output))))?;
    // One token of output is the least that is worth asking for.
    let least =
        if budgets.lowers_output(chain) { price.worst_case_nano(worst(Some(output.min(1)))) } else { most };
    let reservation = budgets
        .reserve_between(chain, Amount { most, least }, now_ms)
        .await
        .map_err(|error| not_reserved(error, candidate).decision(&decided.id))?;
    let amount = reservation.amount_nano();
    let affordable = price.affordable_output(amount, worst(Some(output))).filter(|_| amount < most);
    let lowered = affordable.is_some();
    if let Some(affordable) = affordable {
        limit = Some(affordable / read.answers.max(1));
    }
    Ok(Funded {
        reservation: Some(reservation),
        price: Some(price),
        worst_case_nano: Some(amount),
        output_limit: limit,
        lowered,
        _sealed: (),
    })
}

fn unaffordable(decided: &Decided, candidate: &Candidate<'_>, amount: i64) -> Refusal {
    let cost = format_usd(amount);
    let mut refusal = Refusal::invalid(
        "max_tokens",
        format!(
            "this request could cost ${cost} at {}, which is more than can be recorded",
            candidate.place.name
        ),
    )
    .decision(&decided.id)
    .fix("lower `max_tokens` or `n`");
    if decided.classified.read.operation == Operation::Embeddings {
        refusal.param = Some(String::from("input"));
    }
    refusal
}

fn not_reserved(error: NotReserved, candidate: &Candidate<'_>) -> Refusal {
    match error {
        NotReserved::Exhausted(exhausted) => Refusal::new(
            Code::BudgetExceeded,
            format!(
                "budget {} has ${} left {}, and this request could cost ${} at {}",
                exhausted.name,
                format_usd(exhausted.free_nano),
                exhausted.window.in_words(),
                format_usd(exhausted.asked_nano),
                candidate.place.name
            ),
        )
        .fix("lower `max_tokens`, wait for the budget's next window, or have the budget raised"),
        NotReserved::Unavailable { name, .. } => Refusal::new(
            Code::Unavailable,
            format!("nobody can say what is left of budget {name}: the database does not answer"),
        )
        .fix("try again in a moment; if it stays so, the server's operator has to look at its database"),
        NotReserved::Fenced => Refusal::new(
            Code::Unavailable,
            "this server may spend nothing any more: another one has taken its place",
        )
        .fix("try again: another server answers"),
    }
}

fn smallest<const N: usize>(limits: [Option<u64>; N]) -> Option<u64> {
    limits.into_iter().flatten().min()
}
