//! Money before an attempt: a rate ticket for the request, and a reservation on every budget up the chain at the price
//! of *this* endpoint.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};

use super::decide::Decided;
use super::refusal::{Code, Refusal};
use crate::budgets::{Budgets, Price, Reservation, format_usd};
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
    let key = &read.auth.key;
    let price = candidate.route.price;
    let asked = read.asked_output();
    let ruled = decided.decision.obligations.max_output_tokens.map(u64::from);
    let mut output = match read.operation {
        Operation::ChatCompletions => smallest([asked, ruled, candidate.route.max_output_tokens]),
        Operation::Embeddings => Some(0),
    };
    let capped = ruled.filter(|ruled| asked.is_none_or(|asked| asked > *ruled));
    if key.budgets.is_empty() {
        return Ok(Funded {
            worst_case_nano: price.map(|price| cost(price, read.input_tokens, output, read.answers)),
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
    output = output.or(Some(ASSUMED_OUTPUT));
    let mut lowered = false;
    if budgets.lowers_output(&key.budgets)
        && let Some(free) = budgets.free_nano(&key.budgets, read.auth.now_ms)
        && let Some(affordable) = price.affordable_output(free, read.input_tokens)
    {
        let affordable = affordable / read.answers.max(1);
        if affordable > 0 && output.is_some_and(|output| output > affordable) {
            output = Some(affordable);
            limit = Some(affordable);
            lowered = true;
        }
    }
    let amount = cost(price, read.input_tokens, output, read.answers);
    let reservation = budgets.reserve(&key.budgets, amount, read.auth.now_ms).await.map_err(|exhausted| {
        Refusal::new(
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
        .decision(&decided.id)
        .fix("lower `max_tokens`, wait for the budget's next window, or have the budget raised")
    })?;
    Ok(Funded {
        reservation: Some(reservation),
        price: Some(price),
        worst_case_nano: Some(amount),
        output_limit: limit,
        lowered,
        _sealed: (),
    })
}

fn cost(price: Price, input: u64, output: Option<u64>, answers: u64) -> i64 {
    price
        .cost_nano(input, 0, output.unwrap_or(ASSUMED_OUTPUT).saturating_mul(answers))
        // A provider may charge cached input more than fresh input (a cache write); the worst case is the dearer one.
        .max(price.cost_nano(input, input, output.unwrap_or(ASSUMED_OUTPUT).saturating_mul(answers)))
}

fn smallest<const N: usize>(limits: [Option<u64>; N]) -> Option<u64> {
    limits.into_iter().flatten().min()
}
