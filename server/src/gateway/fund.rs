//! Before an attempt: a reservation on every budget and limit up the chain, all or nothing, at the price of *this*
//! endpoint. The request itself counts once, with its first attempt.

use bailiwick_compliance_db::Feature;

use super::authenticate::Authenticated;
use super::decide::Decided;
use super::read::Read;
use super::refusal::{Code, Refusal};
use crate::budgets::{
    Amount, Budgets, Claim, Exhausted, NotReserved, Price, Rates, Reservation, Unit, WorstCase, format_usd,
};
use crate::providers::{Dialect, Operation};
use crate::router::Candidate;
use crate::snapshot::Chain;

/// An attempt that is paid for.
#[derive(Debug)]
pub struct Funded {
    /// `None` where no budget holds for the key.
    pub(super) reservation: Option<Reservation>,
    pub(super) price: Option<Price>,
    /// What is held, or would be: the worst case in nano-dollars, where the price is known.
    pub(super) worst_case_nano: Option<i64>,
    /// More tokens of input and of output than an honest provider can report.
    pub(super) absurd: Absurd,
    /// The most output tokens to ask for, where something limits them.
    pub(super) output_limit: Option<u64>,
    /// Whether a budget lowered it.
    pub(super) lowered: bool,
    /// Whether it asks for a cache that is kept, and paid, for longer than the shortest time.
    pub(super) long_cache: bool,
    /// Whether the provider may search the web for it, which has a price beside the tokens.
    pub(super) searches: bool,
    /// Whether it may use what is paid by something that no usage tells: the hours of a container, a picture, a search in files.
    pub(super) untold_fees: bool,
    /// How the tightest limits stand with it.
    pub(super) rates: Rates,
    _sealed: (),
}

/// Counts of tokens that no provider can honestly report for an attempt: several times the worst case, because
/// tokenizers differ and providers add words of their own. Images and sounds are bounded like text; what brings in more than
/// the body says (a search, a document with any number of pages) by [`MOST_TOKENS`](crate::providers::MOST_TOKENS) alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absurd {
    /// Of the prompt.
    pub input: u64,
    /// Of all answers together.
    pub output: u64,
}

impl Funded {
    /// What is held, without what it is held for.
    pub(super) fn into_reservation(self) -> Option<Reservation> {
        self.reservation
    }
}

impl Absurd {
    const TIMES: u64 = 4;
    const INPUT_SLACK: u64 = 100_000;
    const OUTPUT_SLACK: u64 = 10_000;

    /// `grows` where the prompt may be longer than the body tells.
    fn beyond(worst: &WorstCase, limited: bool, grows: bool) -> Self {
        let input = worst.input.saturating_mul(Self::TIMES).saturating_add(Self::INPUT_SLACK);
        let output = worst.output.saturating_mul(Self::TIMES).saturating_add(Self::OUTPUT_SLACK);
        Self { input: if grows { u64::MAX } else { input }, output: if limited { output } else { u64::MAX } }
    }
}

/// Why an attempt is not paid for.
#[derive(Debug)]
pub struct NotFunded {
    /// For the client.
    pub refusal: Refusal,
    /// Whether it would be the same at every other endpoint.
    pub anywhere: bool,
}

/// Output that is held for where neither client, rule nor database limits it.
const ASSUMED_OUTPUT: u64 = 16_384;

/// The largest integer that a record can hold: 2^53 - 1, here of nano-dollars ($9 million).
pub(super) const MAX_RECORDED: i64 = (1 << 53) - 1;

/// Takes one request of the limits of a chain, for what costs as much to decide and is not sent.
///
/// # Errors
/// `rate_limited`; `unavailable`.
pub async fn ticket(auth: &Authenticated, model: &str, budgets: &Budgets) -> Result<(), Refusal> {
    let chain = auth.key.budgets.of(model);
    if !chain.limits {
        return Ok(());
    }
    let reserved = budgets.claim(&chain.ids, Claim::ONE_REQUEST, auth.now_ms).await;
    let reserved = reserved.map_err(|error| not_reserved(error, None, budgets, chain, auth.now_ms))?;
    reserved.settle(0).durable();
    Ok(())
}

/// Holds the worst case of one attempt at `now_ms`, by the prices and windows of then: a request may have waited long for
/// endpoints that failed. With the first attempt of a request, the request itself.
///
/// # Errors
/// `budget_exceeded`, `rate_limited`; `unavailable`.
pub async fn fund(
    decided: &Decided,
    candidate: &Candidate<'_>,
    first: bool,
    budgets: &Budgets,
    now_ms: i64,
) -> Result<Funded, NotFunded> {
    let read = &decided.classified.read;
    let chain = read.auth.key.budgets.of(&read.model);
    // Counting is free: https://platform.claude.com/docs/en/build-with-claude/token-counting, seen 2026-11-23.
    let counts = read.operation == Operation::CountTokens;
    let price = if counts { Some(Price::FREE) } else { candidate.route.prices.at(now_ms) };
    let asked = read.asked_output();
    let ruled = decided.decision.obligations.max_output_tokens.map(u64::from);
    let output = match read.operation {
        Operation::ChatCompletions | Operation::Responses | Operation::Messages => {
            smallest([asked, ruled, candidate.route.max_output_tokens])
        }
        Operation::Embeddings | Operation::CountTokens => Some(0),
    };
    let grows = read.unbounded || GROWS.iter().any(|feature| read.features.contains(*feature));
    let uses = |feature| !counts && read.features.contains(feature);
    let long_cache = uses(Feature::PromptCacheExtended);
    let searches = uses(Feature::WebSearch);
    let untold_fees = uses(Feature::CodeExecution) || !counts && read.untold_fees;
    let worst = |output: Option<u64>| WorstCase {
        input: read.input_tokens,
        output: output.unwrap_or(ASSUMED_OUTPUT).saturating_mul(read.answers),
        media_input: read.opaque,
        audio_output: read.features.contains(Feature::Audio),
        long_cache,
        web_searches: if searches { read.web_searches } else { 0 },
    };
    // Records hold integers that every reader of JSON holds exactly (RFC 8785 asks for I-JSON's): nothing that costs
    // more could be recorded, and nothing honest does.
    let recordable = |amount: i64| {
        if amount <= MAX_RECORDED {
            Ok(amount)
        } else {
            Err(NotFunded { refusal: unaffordable(decided, candidate, amount), anywhere: false })
        }
    };
    let capped = ruled.filter(|ruled| asked.is_none_or(|asked| asked > *ruled));
    let least_output = least_output(read, candidate);
    if let Some(ruled) = capped.filter(|ruled| *ruled < least_output) {
        return Err(NotFunded { refusal: thoughtless(decided, ruled), anywhere: false });
    }
    if chain.ids.is_empty() {
        let worst_case = price.map(|price| price.worst_case_nano(worst(output)));
        return Ok(Funded {
            worst_case_nano: worst_case.map(recordable).transpose()?,
            reservation: None,
            price,
            absurd: Absurd::beyond(&worst(output), output.is_some(), grows),
            output_limit: capped,
            lowered: false,
            long_cache,
            searches,
            untold_fees,
            rates: Rates::default(),
            _sealed: (),
        });
    }
    // An output that nothing limits can't be held for: it gets a limit, which the provider is told.
    let mut limit =
        if output.is_none() { Some(assumed_output(read, chain, budgets, now_ms)) } else { capped };
    let output = output.or(limit).unwrap_or(ASSUMED_OUTPUT);
    let money = if chain.money {
        let Some(price) = price else {
            return Err(NotFunded { refusal: unpriced(decided, candidate), anywhere: false });
        };
        let most = recordable(price.worst_case_nano(worst(Some(output))))?;
        let lowers = budgets.lowers_output(&chain.ids);
        let least = if lowers { price.worst_case_nano(worst(Some(output.min(least_output)))) } else { most };
        Amount { most, least }
    } else {
        Amount::exactly(0)
    };
    let tokens = read.input_tokens.saturating_add(output.saturating_mul(read.answers));
    let claim = Claim {
        money,
        tokens: if counts { 0 } else { i64::try_from(tokens).unwrap_or(i64::MAX) },
        requests: i64::from(first),
        concurrent: 1,
    };
    let reservation = budgets.claim(&chain.ids, claim, now_ms).await.map_err(|error| NotFunded {
        anywhere: matches!(
            &error,
            NotReserved::Exhausted(Exhausted { unit: Unit::Requests | Unit::Concurrent, .. })
                | NotReserved::Fenced
        ),
        refusal: not_reserved(error, Some(candidate), budgets, chain, now_ms).decision(&decided.id),
    })?;
    let amount = reservation.amount_nano();
    let affordable = price
        .filter(|_| chain.money && amount < money.most)
        .and_then(|price| price.affordable_output(amount, worst(Some(output))));
    let lowered = affordable.is_some();
    if let Some(affordable) = affordable {
        limit = Some(affordable / read.answers.max(1));
    }
    let unheld = || price.map(|price| price.worst_case_nano(worst(Some(output))));
    Ok(Funded {
        worst_case_nano: if chain.money { Some(amount) } else { unheld().map(recordable).transpose()? },
        reservation: Some(reservation),
        price,
        absurd: Absurd::beyond(&worst(Some(output)), true, grows),
        output_limit: limit,
        lowered,
        long_cache,
        searches,
        untold_fees,
        rates: if chain.limits { budgets.rates(&chain.ids, now_ms) } else { Rates::default() },
        _sealed: (),
    })
}

/// What brings more into a prompt than the body says.
const GROWS: [Feature; 6] = [
    Feature::WebSearch,
    Feature::CodeExecution,
    Feature::Files,
    Feature::RemoteMcp,
    Feature::StoredState,
    Feature::Background,
];

/// The least output that is worth asking for: one token, beside those that the model is told to think with on a wire that
/// refuses a limit which leaves none (<https://platform.claude.com/docs/en/build-with-claude/extended-thinking>).
fn least_output(read: &Read, candidate: &Candidate<'_>) -> u64 {
    let speaks_of_it = !Dialect::OPENAI_COMPATIBLE.contains(&candidate.route.target.dialect());
    let thought = read.thinking_tokens.filter(|_| speaks_of_it).unwrap_or(0);
    // Between calls of tools a model may think more than one answer holds.
    thought.saturating_add(1).min(read.asked_output().unwrap_or(u64::MAX)).max(1)
}

fn thoughtless(decided: &Decided, ruled: u64) -> Refusal {
    Refusal::invalid(
        "thinking.budget_tokens",
        format!(
            "a rule limits the answer to {ruled} tokens, and that leaves none beside `thinking.budget_tokens`"
        ),
    )
    .decision(&decided.id)
    .fix(format!("set `thinking.budget_tokens` below {ruled}"))
}

/// What an answer is limited to where nobody limits it: no more than a limit of tokens has room for at all.
fn assumed_output(read: &Read, chain: &Chain, budgets: &Budgets, now_ms: i64) -> u64 {
    let most = chain.tokens.then(|| budgets.most_tokens(&chain.ids, now_ms)).flatten();
    let Some(most) = most.and_then(|most| u64::try_from(most).ok()) else { return ASSUMED_OUTPUT };
    (most.saturating_sub(read.input_tokens) / read.answers.max(1)).clamp(1, ASSUMED_OUTPUT)
}

fn unpriced(decided: &Decided, candidate: &Candidate<'_>) -> Refusal {
    let model = &decided.classified.read.model;
    let place = &candidate.place.name;
    Refusal::new(
        Code::BudgetExceeded,
        format!("nobody knows what {model} costs at {place}, so no budget can hold it"),
    )
    .decision(&decided.id)
    .fix(format!("declare `price` for the endpoint {place}"))
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
    match decided.classified.read.operation {
        Operation::Embeddings => refusal.param = Some(String::from("input")),
        Operation::Responses => {
            refusal.param = Some(String::from("max_output_tokens"));
            refusal = refusal.fix("lower `max_output_tokens`");
        }
        _ => {}
    }
    refusal
}

fn not_reserved(
    error: NotReserved,
    candidate: Option<&Candidate<'_>>,
    budgets: &Budgets,
    chain: &Chain,
    now_ms: i64,
) -> Refusal {
    let mut refusal = match error {
        NotReserved::Exhausted(exhausted) if exhausted.unit.is_limit() => rate_limited(&exhausted),
        NotReserved::Exhausted(exhausted) => Refusal::new(
            Code::BudgetExceeded,
            format!(
                "budget {} has ${} left {}, and this request could cost ${}{}",
                exhausted.name,
                format_usd(exhausted.free_nano),
                exhausted.window.in_words(),
                format_usd(exhausted.asked_nano),
                candidate.map(|candidate| format!(" at {}", candidate.place.name)).unwrap_or_default()
            ),
        )
        .fix("lower `max_tokens`, wait for the budget's next window, or have the budget raised"),
        NotReserved::Unavailable { name, .. } => Refusal::new(
            Code::Unavailable,
            format!("nobody can say what is left of budget {name}: the database does not answer"),
        )
        .fix("try again in a moment; if it stays so, the server's operator has to look at its database"),
        NotReserved::Crowded { name } => {
            let message = format!(
                "too many requests wait for those under way to show what they leave of budget {name}"
            );
            let mut refusal = Refusal::new(Code::Unavailable, message)
                .fix("try again in a moment, with fewer requests at a time or smaller `max_tokens`");
            refusal.retry_after_s = Some(1);
            refusal
        }
        NotReserved::Fenced => Refusal::new(
            Code::Unavailable,
            "this server may spend nothing any more: another one has taken its place",
        )
        .fix("try again: another server answers"),
    };
    if chain.limits {
        refusal.rates = budgets.rates(&chain.ids, now_ms);
    }
    refusal
}

fn rate_limited(exhausted: &Exhausted) -> Refusal {
    let Exhausted { name, unit, window, limit_nano, free_nano, asked_nano, frees_in_ms } = exhausted;
    let within = window.in_words();
    // Waiting does not help who asks for more than there ever is.
    let never = asked_nano > limit_nano;
    let message = match unit {
        Unit::Requests => format!("{name} may make {limit_nano} requests {within}, and has made them"),
        Unit::Tokens => {
            format!(
                "{name} may use {limit_nano} tokens {within}, has {free_nano} left, and this request could use {asked_nano}"
            )
        }
        Unit::Concurrent => {
            format!("{name} may have {limit_nano} requests under way at one time, and has them")
        }
        Unit::Spend | Unit::Usd => format!(
            "{name} may spend ${} {within}, has ${} left, and this request could cost ${}",
            format_usd(*limit_nano),
            format_usd(*free_nano),
            format_usd(*asked_nano)
        ),
    };
    let mut refusal = Refusal::new(Code::RateLimited, message);
    refusal.fix = String::from(match unit {
        Unit::Tokens | Unit::Spend if never => {
            "lower `max_tokens`, or have the limit raised: it never has so much room"
        }
        Unit::Tokens | Unit::Spend => {
            "wait as long as `retry-after` says, lower `max_tokens`, or have the limit raised"
        }
        Unit::Concurrent => "wait for an answer before sending the next request, or have the limit raised",
        Unit::Requests | Unit::Usd => "wait as long as `retry-after` says, or have the limit raised",
    });
    let wait_ms = if *unit == Unit::Concurrent { 1_000 } else { frees_in_ms.unwrap_or(1_000) };
    let seconds = u64::try_from(wait_ms).unwrap_or(0).div_ceil(1_000).max(1);
    refusal.retry_after_s = (!never).then_some(seconds);
    refusal
}

fn smallest<const N: usize>(limits: [Option<u64>; N]) -> Option<u64> {
    limits.into_iter().flatten().min()
}
