//! Anthropic's `usage`: <https://platform.claude.com/docs/en/api/messages>. The tokens of the prompt are told in three
//! parts that do not overlap (and those that were written into the cache once more by the time for which they stay); on a stream the first event tells the prompt, the last one the answer, and maybe the prompt
//! once more.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Count, Doubt, Doubts, Usage};

/// The provider's object, every field optional. A count of the prompt or of the answer makes it a usage.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawMessagesUsage {
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    output_tokens: Count,
    output_tokens_details: Option<Details>,
    cache_creation: Option<Written>,
    server_tool_use: Option<ServerTools>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

/// How often the provider's own tools were used. Fetching pages costs nothing beside the tokens; what is not known here may:
/// <https://platform.claude.com/docs/en/about-claude/pricing>, seen 2026-11-23.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Count,
    web_fetch_requests: IgnoredAny,
    #[serde(flatten)]
    others: BTreeMap<String, Count>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Count,
}

impl RawMessagesUsage {
    pub(crate) fn reading(&self) -> Option<Usage> {
        if self.input_tokens == Count::Absent && self.output_tokens == Count::Absent {
            return None;
        }
        let mut doubts = Doubts::NONE;
        let mut read = |count: Count| count.read(&mut doubts).unwrap_or(0);
        let (plain, output_tokens) = (read(self.input_tokens), read(self.output_tokens));
        let (cached, written) = (read(self.cache_read_input_tokens), read(self.cache_creation_input_tokens));
        let thought = self.output_tokens_details.as_ref().map_or(0, |details| read(details.thinking_tokens));
        let told = self.cache_creation.as_ref();
        let short = told.map_or(0, |told| read(told.ephemeral_5m_input_tokens));
        let hour = told.map(|told| read(told.ephemeral_1h_input_tokens));
        let tools = self.server_tool_use.as_ref();
        let searches = tools.map_or(0, |tools| read(tools.web_search_requests));
        let others = tools.is_some_and(|tools| tools.others.values().any(|count| read(*count) > 0));
        if others {
            doubts.add(Doubt::Unpriced);
        }
        // Both readings of what was written count at the larger one.
        let by_time = short.saturating_add(hour.unwrap_or(0));
        if told.is_some() && by_time != written {
            doubts.add(Doubt::Contradictory);
        }
        let written = written.max(by_time);
        if self.input_tokens == Count::Absent {
            doubts.add(Doubt::WithoutPrompt);
        }
        if thought > output_tokens {
            doubts.add(Doubt::Contradictory);
        }
        Some(Usage {
            input_tokens: plain.saturating_add(cached).saturating_add(written),
            cached_input_tokens: cached,
            cache_write_tokens: written,
            cache_write_1h_tokens: hour,
            web_searches: Some(searches),
            output_tokens,
            reasoning_tokens: thought.min(output_tokens),
            doubts,
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<RawMessagesUsage>(json).unwrap().reading()
    }

    #[test]
    fn the_parts_of_the_prompt_add_up() {
        let usage = read(
            r#"{"input_tokens":28,"cache_read_input_tokens":64,"cache_creation_input_tokens":8,"output_tokens":40,
                "output_tokens_details":{"thinking_tokens":16},"service_tier":"standard","server_tool_use":null}"#,
        )
        .unwrap();
        let expected = Usage {
            input_tokens: 100,
            cached_input_tokens: 64,
            cache_write_tokens: 8,
            output_tokens: 40,
            reasoning_tokens: 16,
            web_searches: Some(0),
            ..Usage::default()
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn what_stays_for_an_hour_and_what_was_searched_is_told_apart() {
        let usage = read(
            r#"{"input_tokens":28,"cache_creation_input_tokens":8,"output_tokens":4,
                "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":5},
                "server_tool_use":{"web_search_requests":2,"web_fetch_requests":3}}"#,
        )
        .unwrap();
        assert_eq!((usage.cache_write_tokens, usage.cache_write_1h_tokens), (8, Some(5)));
        assert_eq!((usage.web_searches, usage.is_exact()), (Some(2), true));
        // What may have a price, and a sum that does not add up.
        for (json, doubt) in [
            (
                r#"{"input_tokens":1,"output_tokens":1,"server_tool_use":{"of_next_month_requests":1}}"#,
                Doubt::Unpriced,
            ),
            (
                r#"{"input_tokens":1,"output_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":5}}"#,
                Doubt::Contradictory,
            ),
        ] {
            assert_eq!(read(json).unwrap().doubts.iter().collect::<Vec<_>>(), [doubt], "{json}");
        }
        // The last report of a stream need not tell it again.
        let last = usage.at_least(read(r#"{"output_tokens":5}"#).unwrap());
        assert_eq!((last.cache_write_1h_tokens, last.web_searches), (Some(5), Some(2)));
    }

    #[test]
    fn a_stream_tells_the_prompt_first_and_the_answer_last() {
        let first = read(r#"{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":1}"#).unwrap();
        let last = first.at_least(read(r#"{"output_tokens":5}"#).unwrap());
        assert_eq!((last.input_tokens, last.cached_input_tokens, last.output_tokens), (10, 4, 5));
        assert!(last.is_exact());
        assert!(first.provisional().at_least(read(r#"{"output_tokens":5}"#).unwrap()).is_exact());
        // Half a report is no report: neither the answer's alone, nor the one before the answer.
        assert!(!read(r#"{"output_tokens":5}"#).unwrap().is_exact());
        assert!(!first.provisional().is_exact());
        let doubted = read(r#"{"input_tokens":-6,"output_tokens":1}"#).unwrap().provisional();
        assert!(!doubted.at_least(read(r#"{"output_tokens":5}"#).unwrap()).is_exact());
        let all = r#"{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":5}"#;
        assert_eq!(first.at_least(read(all).unwrap()), last);
        let shrank = first.at_least(read(r#"{"output_tokens":0}"#).unwrap());
        assert_eq!((shrank.output_tokens, shrank.is_exact()), (1, false));
    }

    #[test]
    fn what_no_request_has_is_doubted() {
        for (json, doubt) in [
            (r#"{"input_tokens":-1,"output_tokens":1}"#, Doubt::Negative),
            (r#"{"input_tokens":1,"cache_read_input_tokens":"2","output_tokens":1}"#, Doubt::NotANumber),
            (
                r#"{"input_tokens":1,"output_tokens":1,"output_tokens_details":{"thinking_tokens":2}}"#,
                Doubt::Contradictory,
            ),
        ] {
            assert_eq!(read(json).unwrap().doubts.iter().collect::<Vec<_>>(), [doubt], "{json}");
        }
        assert_eq!(read("{}"), None);
    }
}
