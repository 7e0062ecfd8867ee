//! What a call costs, in whole nano-dollars, always rounded up.

use serde::{Deserialize, Serialize};

/// Prices of one model at one endpoint, in nano-dollars a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input tokens.
    pub input: i64,
    /// Input tokens read from the provider's cache.
    pub cached_input: i64,
    /// Output tokens, reasoning included.
    pub output: i64,
}

impl Price {
    /// What this many tokens cost. `cached` is the part of `input` that the provider read from its cache.
    #[must_use]
    pub fn cost_nano(&self, input: u64, cached: u64, output: u64) -> i64 {
        let cached = cached.min(input);
        let sum = i128::from(input - cached) * i128::from(self.input)
            + i128::from(cached) * i128::from(self.cached_input)
            + i128::from(output) * i128::from(self.output);
        let nano = (sum + 999_999) / 1_000_000;
        i64::try_from(nano).unwrap_or(i64::MAX)
    }

    /// The most output tokens that `nano` pays for after `input` tokens; `None` if the output is free.
    #[must_use]
    pub fn affordable_output(&self, nano: i64, input: u64) -> Option<u64> {
        if self.output <= 0 {
            return None;
        }
        let left =
            i128::from(nano) * 1_000_000 - i128::from(input) * i128::from(self.input.max(self.cached_input));
        Some(u64::try_from(left / i128::from(self.output)).unwrap_or(0))
    }
}

/// Reads an amount of dollars, `12.50` for example, without passing through a float.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_usd(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not an amount of US dollars: write it like 250 or 12.50");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err(wrong());
    }
    let nano = format!("{whole}{fraction:0<9}");
    nano.parse().map_err(|_| wrong())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_up_and_counts_cached_tokens_once() {
        let price = Price { input: 2_500_000_000, cached_input: 1_250_000_000, output: 10_000_000_000 };
        assert_eq!(price.cost_nano(1, 0, 0), 2_500);
        assert_eq!(price.cost_nano(1_000, 400, 10), 600 * 2_500 + 400 * 1_250 + 10 * 10_000);
        assert_eq!(Price { input: 1, cached_input: 1, output: 1 }.cost_nano(1, 0, 0), 1);
        assert_eq!(price.cost_nano(u64::MAX, 0, u64::MAX), i64::MAX);
        assert_eq!(price.affordable_output(2_500_000 + 100_000, 1_000), Some(10));
        assert_eq!(price.affordable_output(1, 1_000), Some(0));
    }

    #[test]
    fn dollars_round_trip() {
        for (text, nano) in [("0", 0), ("12.5", 12_500_000_000), ("0.000000001", 1), ("250", 250_000_000_000)]
        {
            assert_eq!(parse_usd(text), Ok(nano));
            assert_eq!(format_usd(nano), text);
        }
        for bad in ["", ".", "-1", "1e3", "1,5", "0.0000000001", "99999999999999999999"] {
            assert!(parse_usd(bad).is_err(), "{bad}");
        }
    }
}
