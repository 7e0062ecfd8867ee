//! What a provider says a request used, read from OpenAI-compatible `usage` objects, and from Anthropic's.
//!
//! Shape: <https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage>; embeddings report
//! `prompt_tokens` and `total_tokens` only. Services that pass other models through add the tokens that were written
//! into a cache, and those of images.
//!
//! Nothing that a provider reports is believed blindly. A count that no request can have (negative, a fraction, more
//! than [`MOST_TOKENS`]) counts as nothing and is doubted; counts that contradict each other are kept at their larger
//! reading and doubted. A doubted usage is a lower bound: doubt never refunds.

mod converse;
mod messages;
mod responses;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(crate) use converse::RawConverseUsage;
pub(crate) use messages::RawMessagesUsage;
pub(crate) use responses::RawResponsesUsage;

/// More tokens than any request has: a hundred times the longest context there is.
pub const MOST_TOKENS: u64 = 100_000_000;

/// Tokens of one request. `cached_input_tokens` and the like are part of `input_tokens`, `reasoning_tokens` and the
/// like of `output_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Prompt tokens that the provider read from its cache (usually cheaper).
    pub cached_input_tokens: u64,
    /// Prompt tokens that the provider wrote into its cache (often dearer).
    pub cache_write_tokens: u64,
    /// Of these the ones that stay there for an hour, where that is told apart.
    pub cache_write_1h_tokens: Option<u64>,
    /// Prompt tokens of images.
    pub image_input_tokens: u64,
    /// Prompt tokens of audio.
    pub audio_input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// Answer tokens that were spent on reasoning and are not shown.
    pub reasoning_tokens: u64,
    /// Answer tokens of images.
    pub image_output_tokens: u64,
    /// Answer tokens of audio.
    pub audio_output_tokens: u64,
    /// Searches of the web that the provider made, where it tells.
    pub web_searches: Option<u64>,
    /// Why it is not believed as it stands; a usage with doubts is a lower bound.
    pub doubts: Doubts,
}

/// A set of reasons to doubt a usage.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubts(u16);

/// A reason to doubt a usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A count below zero.
    Negative,
    /// A count that is not whole.
    Fractional,
    /// A count above [`MOST_TOKENS`].
    TooLarge,
    /// A count that is no number.
    NotANumber,
    /// Counts that contradict each other.
    Contradictory,
    /// A later report of a stream that is smaller than an earlier one.
    Shrank,
    /// A report of the answer without one of the prompt.
    WithoutPrompt,
    /// A report from before the answer, and none after it.
    Provisional,
    /// Something was used that has a price of its own which is not known here.
    Unpriced,
}

impl Doubt {
    const ALL: [Self; 9] = [
        Self::Negative,
        Self::Fractional,
        Self::TooLarge,
        Self::NotANumber,
        Self::Contradictory,
        Self::Shrank,
        Self::WithoutPrompt,
        Self::Provisional,
        Self::Unpriced,
    ];

    /// Its name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Fractional => "fractional",
            Self::TooLarge => "too_large",
            Self::NotANumber => "not_a_number",
            Self::Contradictory => "contradictory",
            Self::Shrank => "shrank",
            Self::WithoutPrompt => "without_prompt",
            Self::Provisional => "provisional",
            Self::Unpriced => "unpriced",
        }
    }
}

impl Doubts {
    /// None.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub const fn add(&mut self, doubt: Doubt) {
        self.0 |= 1 << doubt as u8;
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Doubt> {
        Doubt::ALL.into_iter().filter(move |doubt| self.0 & (1 << *doubt as u8) != 0)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, doubt: Doubt) -> Self {
        Self(self.0 & !(1 << doubt as u8))
    }

    const fn has(self, doubt: Doubt) -> bool {
        self.0 & (1 << doubt as u8) != 0
    }
}

impl fmt::Debug for Doubts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The provider's object, every field optional. Only `prompt_tokens` makes it a usage.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RawUsage {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    total_tokens: Count,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// Beside OpenAI's fields, where a service passes Anthropic's through.
    #[serde(default)]
    cache_creation_input_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    #[serde(alias = "cache_creation_tokens")]
    cache_write_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

/// A count as it was written, whatever was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Count {
    #[default]
    Absent,
    Tokens(u64),
    Doubted(Doubt),
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCount)
    }
}

struct AnyCount;

impl<'de> Visitor<'de> for AnyCount {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(if count <= MOST_TOKENS { Count::Tokens(count) } else { Count::Doubted(Doubt::TooLarge) })
    }

    fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<Count, E> {
        u64::try_from(count).map_or(Ok(Count::Doubted(Doubt::Negative)), |count| self.visit_u64(count))
    }

    fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
        Ok(Count::Doubted(if count < 0.0 {
            Doubt::Negative
        } else if count.fract() == 0.0 && count <= 100_000_000.0 {
            // `8.0` or `1e3`: a whole number, written oddly. Its digits are those of a whole number.
            return Ok(format!("{count}").parse().map_or(Count::Doubted(Doubt::NotANumber), Count::Tokens));
        } else if count > 100_000_000.0 {
            Doubt::TooLarge
        } else {
            Doubt::Fractional
        }))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count::Doubted(Doubt::NotANumber))
    }

    fn visit_str<E>(self, _: &str) -> Result<Count, E> {
        Ok(Count::Doubted(Doubt::NotANumber))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count::Doubted(Doubt::NotANumber))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Count, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count::Doubted(Doubt::NotANumber))
    }
}

impl Count {
    fn read(self, doubts: &mut Doubts) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Tokens(count) => Some(count),
            Self::Doubted(doubt) => {
                doubts.add(doubt);
                None
            }
        }
    }
}

impl Usage {
    /// Reads a `usage` object. `None` when it is no object or has no `prompt_tokens`.
    pub fn from_json(usage: &[u8]) -> Option<Self> {
        serde_json::from_slice::<RawUsage>(usage).ok()?.reading()
    }

    /// Whether the provider's numbers can be believed as they stand.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.doubts.is_empty()
    }

    /// As told before the answer: what it says of that need not add up yet.
    #[must_use]
    pub(crate) fn provisional(mut self) -> Self {
        self.doubts = self.doubts.without(Doubt::Contradictory);
        self.doubts.add(Doubt::Provisional);
        self
    }

    /// The larger of both, field by field: providers that report on every chunk count upwards, and a later,
    /// smaller number must not refund an earlier one.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        // A report without a prompt is one of the answer alone: Anthropic's last one may be.
        let answer_only = other.input_tokens == 0;
        let shrank = (other.input_tokens < self.input_tokens && !answer_only)
            || other.output_tokens < self.output_tokens;
        // Doubts of an earlier report are settled by a later one that has none, but for those about what it does not tell.
        let mut doubts = other.doubts;
        if other.doubts.has(Doubt::WithoutPrompt) {
            doubts = doubts.without(Doubt::WithoutPrompt).and(self.doubts.without(Doubt::Provisional));
        }
        if shrank {
            doubts = doubts.and(self.doubts);
            doubts.add(Doubt::Shrank);
        }
        Self {
            input_tokens: self.input_tokens.max(other.input_tokens),
            // A cached token is cheaper, so the smaller claim is the dearer one.
            cached_input_tokens: if answer_only {
                self.cached_input_tokens
            } else if shrank {
                self.cached_input_tokens.min(other.cached_input_tokens)
            } else {
                other.cached_input_tokens
            },
            cache_write_tokens: self.cache_write_tokens.max(other.cache_write_tokens),
            cache_write_1h_tokens: self.cache_write_1h_tokens.max(other.cache_write_1h_tokens),
            image_input_tokens: self.image_input_tokens.max(other.image_input_tokens),
            audio_input_tokens: self.audio_input_tokens.max(other.audio_input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            reasoning_tokens: self.reasoning_tokens.max(other.reasoning_tokens),
            image_output_tokens: self.image_output_tokens.max(other.image_output_tokens),
            audio_output_tokens: self.audio_output_tokens.max(other.audio_output_tokens),
            web_searches: self.web_searches.max(other.web_searches),
            doubts,
        }
    }
}

impl RawUsage {
    pub(crate) fn reading(&self) -> Option<Usage> {
        if self.prompt_tokens == Count::Absent {
            return None;
        }
        let mut doubts = Doubts::NONE;
        let stated_input = self.prompt_tokens.read(&mut doubts);
        let input_tokens = stated_input.unwrap_or(0);
        let stated = self.completion_tokens.read(&mut doubts).unwrap_or(0);
        let total =
            self.total_tokens.read(&mut doubts).unwrap_or_else(|| input_tokens.saturating_add(stated));
        // Some services leave hidden output (reasoning) out of `completion_tokens` and only add it to the total.
        let output_tokens = match stated_input {
            Some(input) => stated.max(total.saturating_sub(input)),
            None => stated,
        };
        if total != input_tokens.saturating_add(stated) {
            doubts.add(Doubt::Contradictory);
        }
        // A part that is larger than the whole: a cheaper part is not believed, a dearer one counts as the whole.
        let mut part = |count: Count, whole: u64, otherwise: u64| {
            let count = count.read(&mut doubts).unwrap_or(0);
            if count > whole {
                doubts.add(Doubt::Contradictory);
            }
            if count > whole { otherwise } else { count }
        };
        let prompt = self.prompt_tokens_details.as_ref();
        let of_prompt = |read: fn(&PromptDetails) -> Count| prompt.map_or(Count::Absent, read);
        let answer = self.completion_tokens_details.as_ref();
        let of_answer = |read: fn(&CompletionDetails) -> Count| answer.map_or(Count::Absent, read);
        let cache_write = match of_prompt(|details| details.cache_write_tokens) {
            Count::Absent => self.cache_creation_input_tokens,
            stated => stated,
        };
        let mut usage = Usage {
            input_tokens,
            cached_input_tokens: part(of_prompt(|details| details.cached_tokens), input_tokens, 0),
            cache_write_tokens: part(cache_write, input_tokens, input_tokens),
            cache_write_1h_tokens: None,
            image_input_tokens: part(of_prompt(|details| details.image_tokens), input_tokens, input_tokens),
            audio_input_tokens: part(of_prompt(|details| details.audio_tokens), input_tokens, input_tokens),
            output_tokens,
            reasoning_tokens: part(
                of_answer(|details| details.reasoning_tokens),
                output_tokens,
                output_tokens,
            ),
            image_output_tokens: part(
                of_answer(|details| details.image_tokens),
                output_tokens,
                output_tokens,
            ),
            audio_output_tokens: part(
                of_answer(|details| details.audio_tokens),
                output_tokens,
                output_tokens,
            ),
            web_searches: None,
            doubts: Doubts::NONE,
        };
        usage.doubts = doubts;
        Some(usage)
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
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn embeddings_have_no_output() {
        let usage = read(r#"{"prompt_tokens":8,"total_tokens":8}"#).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.is_exact()), (8, 0, true));
    }

    #[test]
    fn hidden_output_in_the_total_is_charged_and_inexact() {
        let usage = read(r#"{"prompt_tokens":8,"completion_tokens":2,"total_tokens":50}"#).unwrap();
        assert_eq!((usage.output_tokens, usage.is_exact()), (42, false));
    }

    #[test]
    fn contradictions_never_lower_the_price() {
        let usage = read(
            r#"{"prompt_tokens":8,"completion_tokens":2,"total_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#,
        )
        .unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_input_tokens), (8, 2, 0));
        assert!(!usage.is_exact());
    }

    #[test]
    fn every_kind_of_token_is_read() {
        let usage = read(
            r#"{"prompt_tokens":100,"completion_tokens":90,"total_tokens":190,
                "prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":20,"audio_tokens":30,"image_tokens":5},
                "completion_tokens_details":{"reasoning_tokens":40,"audio_tokens":25,"image_tokens":15,
                    "accepted_prediction_tokens":3}}"#,
        )
        .unwrap();
        let expected = Usage {
            input_tokens: 100,
            cached_input_tokens: 10,
            cache_write_tokens: 20,
            image_input_tokens: 5,
            audio_input_tokens: 30,
            output_tokens: 90,
            reasoning_tokens: 40,
            image_output_tokens: 15,
            audio_output_tokens: 25,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let beside =
            read(r#"{"prompt_tokens":9,"completion_tokens":1,"cache_creation_input_tokens":7}"#).unwrap();
        assert_eq!(beside.cache_write_tokens, 7);
    }

    #[test]
    fn no_usage_at_all() {
        for text in ["null", "[]", "{}", r#"{"prompt_tokens":null}"#, r#"{"completion_tokens":8}"#, "{"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn counts_that_no_request_has_are_doubted_and_count_as_nothing() {
        for (count, doubt) in [
            ("-1", Doubt::Negative),
            ("-9223372036854775808", Doubt::Negative),
            ("-1e300", Doubt::Negative),
            ("1.5", Doubt::Fractional),
            ("100000001", Doubt::TooLarge),
            ("9007199254740993", Doubt::TooLarge),
            ("18446744073709551615", Doubt::TooLarge),
            ("18446744073709551616", Doubt::TooLarge),
            ("1e300", Doubt::TooLarge),
            ("\"8\"", Doubt::NotANumber),
            ("true", Doubt::NotANumber),
            ("[1]", Doubt::NotANumber),
            ("{\"n\":1}", Doubt::NotANumber),
        ] {
            for field in ["prompt_tokens", "completion_tokens"] {
                let other = if field == "prompt_tokens" { "completion_tokens" } else { "prompt_tokens" };
                let usage = read(&format!(r#"{{"{field}":{count},"{other}":7}}"#)).unwrap();
                assert_eq!(usage.doubts.iter().collect::<Vec<_>>(), [doubt], "{field}: {count}");
                assert_eq!(usage.input_tokens + usage.output_tokens, 7, "{field}: {count}");
            }
        }
        let odd = read(r#"{"prompt_tokens":8.0,"completion_tokens":1e3}"#).unwrap();
        assert_eq!((odd.input_tokens, odd.output_tokens, odd.is_exact()), (8, 1_000, true));
    }

    #[test]
    fn a_part_larger_than_the_whole_is_the_whole_or_nothing_whichever_is_dearer() {
        let usage = read(
            r#"{"prompt_tokens":8,"completion_tokens":2,
                "prompt_tokens_details":{"cached_tokens":9,"audio_tokens":9},
                "completion_tokens_details":{"reasoning_tokens":3}}"#,
        )
        .unwrap();
        assert_eq!((usage.cached_input_tokens, usage.audio_input_tokens, usage.reasoning_tokens), (0, 8, 2));
        assert_eq!(usage.doubts.iter().collect::<Vec<_>>(), [Doubt::Contradictory]);
    }

    #[test]
    fn a_later_smaller_report_does_not_refund() {
        let first = read(r#"{"prompt_tokens":10,"completion_tokens":5}"#).unwrap();
        let later = read(r#"{"prompt_tokens":10,"completion_tokens":3}"#).unwrap();
        let joined = first.at_least(later);
        assert_eq!((joined.output_tokens, joined.is_exact()), (5, false));
        assert!(later.at_least(first).is_exact());
    }
}
