//! What a call costs, in whole nano-dollars, always rounded up.

mod written;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use smallvec::SmallVec;

pub use written::{format_usd, parse_markup, parse_usd};

use crate::providers::Usage;

const MILLION: i128 = 1_000_000;

/// Prices of one model at one endpoint, in nano-dollars a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Input tokens.
    pub input: i64,
    /// Input tokens read from the provider's cache.
    pub cached_input: i64,
    /// Input tokens written into the provider's cache, for the shortest time that it keeps one.
    pub cache_write: i64,
    /// Input tokens written into it for an hour.
    pub cache_write_1h: i64,
    /// Input tokens of images.
    pub image_input: i64,
    /// Input tokens of audio.
    pub audio_input: i64,
    /// Output tokens.
    pub output: i64,
    /// Output tokens of reasoning.
    pub reasoning: i64,
    /// Output tokens of images.
    pub image_output: i64,
    /// Output tokens of audio.
    pub audio_output: i64,
    /// A million requests, whatever they hold.
    pub requests: i64,
    /// A million searches of the web that the provider makes for a request; `None` where nobody knows.
    pub web_searches: Option<i64>,
    /// What a request with a long input costs instead.
    pub long: Option<LongContext>,
}

/// Prices of requests with more input tokens than some, for the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongContext {
    /// For requests with more input tokens than this.
    pub above: u64,
    /// Input tokens.
    pub input: i64,
    /// Input tokens read from the provider's cache.
    pub cached_input: i64,
    /// Output tokens.
    pub output: i64,
}

/// How much a request can use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorstCase {
    /// Input tokens.
    pub input: u64,
    /// Output tokens of all its answers.
    pub output: u64,
    /// Whether input may be images, audio or what nobody knows.
    pub media_input: bool,
    /// Whether audio may come back.
    pub audio_output: bool,
    /// Whether it asks for a cache that is kept for longer than the shortest time.
    pub long_cache: bool,
    /// Searches of the web.
    pub web_searches: u64,
}

impl Price {
    /// One price for all input and one for all output.
    #[must_use]
    pub const fn of_text(input: i64, output: i64) -> Self {
        Self {
            input,
            cached_input: input,
            cache_write: input,
            cache_write_1h: input,
            image_input: input,
            audio_input: input,
            output,
            reasoning: output,
            image_output: output,
            audio_output: output,
            requests: 0,
            web_searches: None,
            long: None,
        }
    }

    /// What is free.
    pub const FREE: Self = Self { web_searches: Some(0), ..Self::of_text(0, 0) };

    /// The prices of a request with this much input. Where a long input has no price of its own for a kind of token, the
    /// dearer of the kind's and the whole's holds.
    fn with_input(&self, tokens: u64) -> Self {
        let Some(long) = self.long.filter(|long| tokens > long.above) else { return *self };
        Self {
            input: long.input,
            cached_input: long.cached_input,
            cache_write: self.cache_write.max(long.input),
            cache_write_1h: self.cache_write_1h.max(long.input),
            image_input: self.image_input.max(long.input),
            audio_input: self.audio_input.max(long.input),
            output: long.output,
            reasoning: self.reasoning.max(long.output),
            image_output: self.image_output.max(long.output),
            audio_output: self.audio_output.max(long.output),
            requests: self.requests,
            web_searches: self.web_searches,
            long: None,
        }
    }

    /// What a request with this usage costs; searches without a price cost nothing here, and [`Self::is_whole`] says so. Of tokens that are counted under two kinds (cached audio) both are
    /// charged: which price they had is not told.
    #[must_use]
    pub fn cost_nano(&self, usage: &Usage) -> i64 {
        let Usage { input_tokens, output_tokens, .. } = *usage;
        let price = self.with_input(input_tokens);
        let hour = usage.cache_write_1h_tokens.unwrap_or(0).min(usage.cache_write_tokens);
        let input = [
            (usage.cached_input_tokens, price.cached_input),
            (usage.cache_write_tokens.saturating_sub(hour), price.cache_write),
            (hour, price.cache_write_1h),
            (usage.image_input_tokens, price.image_input),
            (usage.audio_input_tokens, price.audio_input),
        ];
        let output = [
            (usage.reasoning_tokens, price.reasoning),
            (usage.image_output_tokens, price.image_output),
            (usage.audio_output_tokens, price.audio_output),
        ];
        to_nano(
            parts(input_tokens, price.input, &input)
                .saturating_add(parts(output_tokens, price.output, &output))
                .saturating_add(i128::from(price.requests))
                .saturating_add(searches(usage.web_searches.unwrap_or(0), price.web_searches)),
        )
    }

    /// Whether everything in this usage has a price.
    #[must_use]
    pub const fn is_whole(&self, usage: &Usage) -> bool {
        matches!(usage.web_searches, None | Some(0)) || self.web_searches.is_some()
    }

    /// What it costs at most: every token at the dearest price that it may have.
    #[must_use]
    pub fn worst_case_nano(&self, worst: WorstCase) -> i64 {
        to_nano(
            self.input_at_most(worst)
                .saturating_add(i128::from(worst.output) * i128::from(self.dearest_output(worst)))
                .saturating_add(self.beside(worst)),
        )
    }

    /// The most output tokens that `nano` pays for beside the input; `None` if the output is free.
    #[must_use]
    pub fn affordable_output(&self, nano: i64, worst: WorstCase) -> Option<u64> {
        let each = self.dearest_output(worst);
        if each <= 0 {
            return None;
        }
        let left = i128::from(nano) * MILLION - self.input_at_most(worst) - self.beside(worst);
        Some(u64::try_from(left / i128::from(each)).unwrap_or(0))
    }

    /// What is paid beside the tokens.
    fn beside(&self, worst: WorstCase) -> i128 {
        i128::from(self.requests).saturating_add(searches(worst.web_searches, self.web_searches))
    }

    fn input_at_most(&self, worst: WorstCase) -> i128 {
        let dearest = |price: &Self| {
            let each = price.input.max(price.cached_input).max(price.cache_write);
            let each = if worst.long_cache { each.max(price.cache_write_1h) } else { each };
            if worst.media_input { each.max(price.image_input).max(price.audio_input) } else { each }
        };
        let each = dearest(self).max(dearest(&self.with_input(worst.input)));
        i128::from(worst.input) * i128::from(each)
    }

    /// Whether an image comes back, the model decides: its price counts wherever it has one.
    fn dearest_output(&self, worst: WorstCase) -> i64 {
        let dearest = |price: &Self| {
            let each = price.output.max(price.reasoning).max(price.image_output);
            if worst.audio_output { each.max(price.audio_output) } else { each }
        };
        dearest(self).max(dearest(&self.with_input(worst.input)))
    }

    /// With a markup, or a discount where it is negative, in hundredths of a per cent.
    #[must_use]
    pub fn marked_up(self, basis_points: i32) -> Self {
        let up = |price: i64| {
            let hundredths = i128::from(price) * (10_000 + i128::from(basis_points)).max(0);
            i64::try_from((hundredths + 9_999) / 10_000).unwrap_or(i64::MAX)
        };
        Self {
            input: up(self.input),
            cached_input: up(self.cached_input),
            cache_write: up(self.cache_write),
            cache_write_1h: up(self.cache_write_1h),
            image_input: up(self.image_input),
            audio_input: up(self.audio_input),
            output: up(self.output),
            reasoning: up(self.reasoning),
            image_output: up(self.image_output),
            audio_output: up(self.audio_output),
            requests: up(self.requests),
            web_searches: self.web_searches.map(up),
            long: self.long.map(|long| LongContext {
                above: long.above,
                input: up(long.input),
                cached_input: up(long.cached_input),
                output: up(long.output),
            }),
        }
    }
}

/// What so many searches cost, in millionths of a nano-dollar.
fn searches(number: u64, price: Option<i64>) -> i128 {
    i128::from(number) * i128::from(price.unwrap_or(0))
}

/// The cost of `all` tokens of which parts have prices of their own, in millionths of a nano-dollar.
fn parts(all: u64, rest_price: i64, parts: &[(u64, i64)]) -> i128 {
    let mut rest = all;
    let mut sum = 0_i128;
    for (tokens, price) in parts {
        let tokens = (*tokens).min(all);
        rest = rest.saturating_sub(tokens);
        sum = sum.saturating_add(i128::from(tokens) * i128::from(*price));
    }
    sum.saturating_add(i128::from(rest) * i128::from(rest_price))
}

fn to_nano(millionths: i128) -> i64 {
    i64::try_from(millionths.saturating_add(MILLION - 1) / MILLION).unwrap_or(i64::MAX)
}

/// The price of one model at one endpoint, which changes with time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices {
    /// From when on, Unix milliseconds, ascending.
    steps: SmallVec<[(i64, Option<Price>); 1]>,
}

impl Prices {
    /// Asks `on` for the price of the first day and of every day on which it may change.
    #[must_use]
    pub fn new(
        changes: impl IntoIterator<Item = NaiveDate>,
        on: impl Fn(NaiveDate) -> Option<Price>,
    ) -> Self {
        let mut days: Vec<NaiveDate> = changes.into_iter().chain([NaiveDate::MIN]).collect();
        days.sort_unstable();
        days.dedup();
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
        Self { steps: days.into_iter().map(|day| (midnight(day), on(day))).collect() }
    }

    /// A price that never changes.
    #[must_use]
    pub fn fixed(price: Option<Price>) -> Self {
        Self::new([], |_| price)
    }

    /// The price in force; `None` is unknown, and no budget can hold an unknown amount.
    #[must_use]
    pub fn at(&self, now_ms: i64) -> Option<Price> {
        self.steps.iter().rev().find(|(from_ms, _)| *from_ms <= now_ms).and_then(|(_, price)| *price)
    }
}

/// The day that holds an instant, UTC.
#[must_use]
pub fn day_of(now_ms: i64) -> NaiveDate {
    DateTime::<Utc>::from_timestamp_millis(now_ms).map_or(NaiveDate::MIN, |at| at.date_naive())
}

#[cfg(test)]
mod tests;
