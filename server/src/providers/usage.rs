//! What a provider says a request used, read from OpenAI-compatible `usage` objects.
//!
//! Shape: <https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage>; embeddings report
//! `prompt_tokens` and `total_tokens` only. Numbers that contradict each other are kept at their larger reading and
//! marked inexact, because doubt never refunds.

use serde::Deserialize;

/// Tokens of one request. `cached_input_tokens` is part of `input_tokens`, `reasoning_tokens` of `output_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Prompt tokens that the provider read from its cache (usually cheaper).
    pub cached_input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// Answer tokens that were spent on reasoning and are not shown.
    pub reasoning_tokens: u64,
    /// Whether the provider's numbers agree with each other. An inexact usage is a lower bound.
    pub exact: bool,
}

/// The provider's object, every field optional. Only `prompt_tokens` makes it a usage.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RawUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Reads a `usage` object. `None` when it is no object or has no `prompt_tokens` that is a whole number.
    pub fn from_json(usage: &[u8]) -> Option<Self> {
        serde_json::from_slice::<RawUsage>(usage).ok()?.reading()
    }

    /// The larger of both, field by field: providers that report on every chunk count upwards, and a later,
    /// smaller number must not refund an earlier one.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        let shrank = other.input_tokens < self.input_tokens || other.output_tokens < self.output_tokens;
        Self {
            input_tokens: self.input_tokens.max(other.input_tokens),
            // A cached token is cheaper, so the smaller claim is the dearer one.
            cached_input_tokens: if shrank {
                self.cached_input_tokens.min(other.cached_input_tokens)
            } else {
                other.cached_input_tokens
            },
            output_tokens: self.output_tokens.max(other.output_tokens),
            reasoning_tokens: self.reasoning_tokens.max(other.reasoning_tokens),
            exact: other.exact && !shrank,
        }
    }
}

impl RawUsage {
    pub(crate) fn reading(&self) -> Option<Usage> {
        let input_tokens = self.prompt_tokens?;
        let stated = self.completion_tokens.unwrap_or(0);
        let total = self.total_tokens.unwrap_or_else(|| input_tokens.saturating_add(stated));
        // Some services leave hidden output (reasoning) out of `completion_tokens` and only add it to the total.
        let output_tokens = stated.max(total.saturating_sub(input_tokens));
        let cached = self.prompt_tokens_details.as_ref().and_then(|d| d.cached_tokens).unwrap_or(0);
        let reasoning = self.completion_tokens_details.as_ref().and_then(|d| d.reasoning_tokens).unwrap_or(0);
        Some(Usage {
            input_tokens,
            cached_input_tokens: if cached <= input_tokens { cached } else { 0 },
            output_tokens,
            reasoning_tokens: reasoning.min(output_tokens),
            exact: total == input_tokens.saturating_add(stated)
                && cached <= input_tokens
                && reasoning <= output_tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        Usage::from_json(json.as_bytes())
    }

    #[test]
    fn chat_with_details() {
        let usage = read(
            r#"{"prompt_tokens":100,"completion_tokens":40,"total_tokens":140,
                "prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":16},"queue_time":0.1}"#,
        );
        let expected = Usage {
            input_tokens: 100,
            cached_input_tokens: 64,
            output_tokens: 40,
            reasoning_tokens: 16,
            exact: true,
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn embeddings_have_no_output() {
        let usage = read(r#"{"prompt_tokens":8,"total_tokens":8}"#).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.exact), (8, 0, true));
    }

    #[test]
    fn hidden_output_in_the_total_is_charged_and_inexact() {
        let usage = read(r#"{"prompt_tokens":8,"completion_tokens":2,"total_tokens":50}"#).unwrap();
        assert_eq!((usage.output_tokens, usage.exact), (42, false));
    }

    #[test]
    fn contradictions_never_lower_the_price() {
        let usage = read(
            r#"{"prompt_tokens":8,"completion_tokens":2,"total_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#,
        )
        .unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_input_tokens), (8, 2, 0));
        assert!(!usage.exact);
    }

    #[test]
    fn nonsense_is_no_usage() {
        for text in [
            "null",
            "[]",
            "{}",
            r#"{"prompt_tokens":-1}"#,
            r#"{"prompt_tokens":1.5}"#,
            r#"{"prompt_tokens":"8"}"#,
            "{",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn huge_numbers_do_not_overflow() {
        let usage =
            read(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615}"#)
                .unwrap();
        assert_eq!(usage.output_tokens, u64::MAX);
    }

    #[test]
    fn a_later_smaller_report_does_not_refund() {
        let first = read(r#"{"prompt_tokens":10,"completion_tokens":5}"#).unwrap();
        let later = read(r#"{"prompt_tokens":10,"completion_tokens":3}"#).unwrap();
        let joined = first.at_least(later);
        assert_eq!((joined.output_tokens, joined.exact), (5, false));
        assert!(later.at_least(first).exact);
    }
}
