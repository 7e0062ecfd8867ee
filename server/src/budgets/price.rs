//! What a call costs, in whole nano-dollars, always rounded up.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use smallvec::SmallVec;

use crate::providers::Usage;

const MILLION: i128 = 1_000_000;

/// Prices of one model at one endpoint, in nano-dollars a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Input tokens.
    pub input: i64,
    /// Input tokens read from the provider's cache.
    pub cached_input: i64,
    /// Input tokens written into the provider's cache.
    pub cache_write: i64,
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
}

impl Price {
    /// One price for all input and one for all output.
    #[must_use]
    pub const fn of_text(input: i64, output: i64) -> Self {
        Self {
            input,
            cached_input: input,
            cache_write: input,
            image_input: input,
            audio_input: input,
            output,
            reasoning: output,
            image_output: output,
            audio_output: output,
            requests: 0,
        }
    }

    /// What a request with this usage costs. Of tokens that are counted under two kinds (cached audio) both are
    /// charged: which price they had is not told.
    #[must_use]
    pub fn cost_nano(&self, usage: &Usage) -> i64 {
        let Usage { input_tokens, output_tokens, .. } = *usage;
        let input = [
            (usage.cached_input_tokens, self.cached_input),
            (usage.cache_write_tokens, self.cache_write),
            (usage.image_input_tokens, self.image_input),
            (usage.audio_input_tokens, self.audio_input),
        ];
        let output = [
            (usage.reasoning_tokens, self.reasoning),
            (usage.image_output_tokens, self.image_output),
            (usage.audio_output_tokens, self.audio_output),
        ];
        to_nano(
            parts(input_tokens, self.input, &input)
                .saturating_add(parts(output_tokens, self.output, &output))
                .saturating_add(i128::from(self.requests)),
        )
    }

    /// What it costs at most: every token at the dearest price that it may have.
    #[must_use]
    pub fn worst_case_nano(&self, worst: WorstCase) -> i64 {
        to_nano(
            self.input_at_most(worst)
                .saturating_add(i128::from(worst.output) * i128::from(self.dearest_output(worst)))
                .saturating_add(i128::from(self.requests)),
        )
    }

    /// The most output tokens that `nano` pays for beside the input; `None` if the output is free.
    #[must_use]
    pub fn affordable_output(&self, nano: i64, worst: WorstCase) -> Option<u64> {
        let each = self.dearest_output(worst);
        if each <= 0 {
            return None;
        }
        let left = i128::from(nano) * MILLION - self.input_at_most(worst) - i128::from(self.requests);
        Some(u64::try_from(left / i128::from(each)).unwrap_or(0))
    }

    fn input_at_most(&self, worst: WorstCase) -> i128 {
        let mut each = self.input.max(self.cached_input).max(self.cache_write);
        if worst.media_input {
            each = each.max(self.image_input).max(self.audio_input);
        }
        i128::from(worst.input) * i128::from(each)
    }

    /// Whether an image comes back, the model decides: its price counts wherever it has one.
    fn dearest_output(&self, worst: WorstCase) -> i64 {
        let each = self.output.max(self.reasoning).max(self.image_output);
        if worst.audio_output { each.max(self.audio_output) } else { each }
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
            image_input: up(self.image_input),
            audio_input: up(self.audio_input),
            output: up(self.output),
            reasoning: up(self.reasoning),
            image_output: up(self.image_output),
            audio_output: up(self.audio_output),
            requests: up(self.requests),
        }
    }
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

/// Reads an amount of dollars, `12.50` for example, without passing through a float.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_usd(text: &str) -> Result<i64, String> {
    let shown: String = text.chars().take(40).collect();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err(format!("`{shown}` is not an amount of US dollars: write it like 250 or 12.50"));
    }
    let nano = format!("{whole}{fraction:0<9}");
    nano.parse().map_err(|_| format!("`{shown}` is more US dollars than can be counted: at most 9223372036"))
}

/// Nano-dollars as dollars, without trailing zeros.
#[must_use]
pub fn format_usd(nano: i64) -> String {
    let sign = if nano < 0 { "-" } else { "" };
    let nano = nano.unsigned_abs();
    let text = format!("{sign}{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

/// Reads a markup in per cent, `7.5` or `-12.25`, as hundredths of a per cent.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_markup(text: &str) -> Result<i32, String> {
    let shown: String = text.chars().take(40).collect();
    let wrong = || {
        format!(
            "`{shown}` is no markup in per cent: write it like 7.5 or -12.25, from -100 to 1000, two decimals"
        )
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > 2 || whole.len() > 4 {
        return Err(wrong());
    }
    let hundredths: i32 = format!("{whole}{fraction:0<2}").parse().map_err(|_| wrong())?;
    let markup = sign * hundredths;
    if (-10_000..=100_000).contains(&markup) { Ok(markup) } else { Err(wrong()) }
}

/// The day that holds an instant, UTC.
#[must_use]
pub fn day_of(now_ms: i64) -> NaiveDate {
    DateTime::<Utc>::from_timestamp_millis(now_ms).map_or(NaiveDate::MIN, |at| at.date_naive())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT: Price = Price { cached_input: 1_250_000_000, ..Price::of_text(2_500_000_000, 10_000_000_000) };

    fn usage(input_tokens: u64, cached_input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, cached_input_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn rounds_up_and_counts_cached_tokens_once() {
        assert_eq!(GPT.cost_nano(&usage(1, 0, 0)), 2_500);
        assert_eq!(GPT.cost_nano(&usage(1_000, 400, 10)), 600 * 2_500 + 400 * 1_250 + 10 * 10_000);
        assert_eq!(Price::of_text(1, 1).cost_nano(&usage(1, 0, 0)), 1);
        assert_eq!(GPT.cost_nano(&usage(u64::MAX, 0, u64::MAX)), i64::MAX);
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let price = Price {
            input: 1_000_000,
            cached_input: 2_000_000,
            cache_write: 3_000_000,
            image_input: 4_000_000,
            audio_input: 5_000_000,
            output: 6_000_000,
            reasoning: 7_000_000,
            image_output: 8_000_000,
            audio_output: 9_000_000,
            requests: 11_000_000,
        };
        let usage = Usage {
            input_tokens: 15,
            cached_input_tokens: 2,
            cache_write_tokens: 3,
            image_input_tokens: 4,
            audio_input_tokens: 5,
            output_tokens: 40,
            reasoning_tokens: 10,
            image_output_tokens: 10,
            audio_output_tokens: 10,
            ..Usage::default()
        };
        assert_eq!(price.cost_nano(&usage), 1 + 4 + 9 + 16 + 25 + 60 + 70 + 80 + 90 + 11);
        // Cached audio: five of five tokens are both.
        let both =
            Usage { input_tokens: 5, cached_input_tokens: 5, audio_input_tokens: 5, ..Usage::default() };
        assert_eq!(price.cost_nano(&both), 10 + 25 + 11);
        let worst = WorstCase { input: 10, output: 10, ..WorstCase::default() };
        assert_eq!(price.worst_case_nano(worst), 30 + 80 + 11);
        let media = WorstCase { media_input: true, audio_output: true, ..worst };
        assert_eq!(price.worst_case_nano(media), 50 + 90 + 11);
        assert_eq!(price.affordable_output(50 + 90 + 11, media), Some(10));
        assert_eq!(price.affordable_output(50 + 90 + 10, media), Some(9));
        assert_eq!(price.affordable_output(1, media), Some(0));
        assert_eq!(Price::of_text(1, 0).affordable_output(1, worst), None);
        let absurd = WorstCase { input: u64::MAX, output: u64::MAX, media_input: true, audio_output: true };
        assert_eq!(GPT.worst_case_nano(absurd), i64::MAX);
        assert_eq!(GPT.affordable_output(i64::MAX, absurd), Some(0));
    }

    #[test]
    fn a_worst_case_is_at_least_every_cost_within_it() {
        let worst = WorstCase { input: 1_000, output: 100, media_input: true, audio_output: true };
        let price = Price { audio_input: 40_000_000_000, reasoning: 20_000_000_000, requests: 7, ..GPT };
        for cached in [0, 1_000] {
            for audio in [0, 500] {
                for reasoning in [0, 100] {
                    let usage = Usage {
                        audio_input_tokens: audio.min(1_000 - cached),
                        reasoning_tokens: reasoning,
                        ..usage(1_000, cached, 100)
                    };
                    assert!(price.cost_nano(&usage) <= price.worst_case_nano(worst));
                }
            }
        }
    }

    #[test]
    fn a_markup_is_rounded_up_and_never_wraps() {
        assert_eq!(Price::of_text(100, 3).marked_up(750).input, 108);
        assert_eq!(Price::of_text(100, 3).marked_up(-1_000).output, 3);
        assert_eq!(Price::of_text(i64::MAX, 1).marked_up(100_000).input, i64::MAX);
        assert_eq!(Price::of_text(5, 5).marked_up(-10_000), Price::of_text(0, 0));
        for (text, markup) in
            [("7.5", 750), ("-12.25", -1_225), ("0", 0), ("1000", 100_000), ("-100", -10_000)]
        {
            assert_eq!(parse_markup(text), Ok(markup));
        }
        for bad in ["", "-", "1000.01", "-100.01", "1.234", "1e3", "+5", "99999", "5%"] {
            assert!(parse_markup(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_price_in_force_changes_at_midnight() {
        let day: NaiveDate = "2027-01-01".parse().unwrap();
        let prices =
            Prices::new([day], |on| (on >= day).then(|| Price::of_text(2, 2)).or(Some(Price::of_text(1, 1))));
        let midnight = 1_798_761_600_000;
        assert_eq!(prices.at(midnight - 1).map(|price| price.input), Some(1));
        assert_eq!(prices.at(midnight).map(|price| price.input), Some(2));
        assert_eq!(prices.at(i64::MAX).map(|price| price.input), Some(2));
        assert_eq!(Prices::fixed(None).at(midnight), None);
        assert_eq!(Prices::default().at(midnight), None);
    }

    #[test]
    fn dollars_round_trip() {
        for (text, nano) in [("0", 0), ("12.5", 12_500_000_000), ("0.000000001", 1), ("250", 250_000_000_000)]
        {
            assert_eq!(parse_usd(text), Ok(nano));
            assert_eq!(format_usd(nano), text);
        }
        for bad in ["", ".", "-1", "1e3", "1,5", "0.0000000001", "99999999999999999999", "9223372037"] {
            assert!(parse_usd(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_usd("9223372036"), Ok(9_223_372_036_000_000_000));
    }
}
