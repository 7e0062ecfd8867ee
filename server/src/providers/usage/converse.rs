//! Bedrock's `usage`: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>. The tokens of
//! the prompt are told in three parts that do not overlap
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>).

use serde::Deserialize;

use super::{Count, Doubt, Doubts, Usage};

/// The service's object, every field optional. A count of the prompt or of the answer makes it a usage.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RawConverseUsage {
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_write_input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
}

impl RawConverseUsage {
    pub(crate) fn reading(&self) -> Option<Usage> {
        if self.input_tokens == Count::Absent && self.output_tokens == Count::Absent {
            return None;
        }
        let mut doubts = Doubts::NONE;
        let mut read = |count: Count| count.read(&mut doubts).unwrap_or(0);
        let (plain, stated) = (read(self.input_tokens), read(self.output_tokens));
        let (cached, written) = (read(self.cache_read_input_tokens), read(self.cache_write_input_tokens));
        let input_tokens = plain.saturating_add(cached).saturating_add(written);
        let total = self.total_tokens.read(&mut doubts);
        // Both counts are there in every answer: half of them is no report.
        if self.input_tokens == Count::Absent {
            doubts.add(Doubt::WithoutPrompt);
        }
        if self.output_tokens == Count::Absent {
            doubts.add(Doubt::Contradictory);
        }
        // The total is of all tokens, or of those that no cache had.
        let sums = [input_tokens.saturating_add(stated), plain.saturating_add(stated)];
        let mut output_tokens = stated;
        if let Some(total) = total
            && !sums.contains(&total)
        {
            doubts.add(Doubt::Contradictory);
            output_tokens = stated.max(total.saturating_sub(input_tokens));
        }
        Some(Usage {
            input_tokens,
            cached_input_tokens: cached,
            cache_write_tokens: written,
            output_tokens,
            doubts,
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<RawConverseUsage>(json).unwrap().reading()
    }

    #[test]
    fn the_parts_of_the_prompt_add_up() {
        for total in [140, 68] {
            let usage = read(&format!(
                r#"{{"inputTokens":28,"cacheReadInputTokens":64,"cacheWriteInputTokens":8,"outputTokens":40,"totalTokens":{total},
                    "cacheDetails":[{{"ttl":"1h","inputTokens":8}}]}}"#
            ));
            let expected = Usage {
                input_tokens: 100,
                cached_input_tokens: 64,
                cache_write_tokens: 8,
                output_tokens: 40,
                ..Usage::default()
            };
            assert_eq!(usage, Some(expected), "{total}");
        }
    }

    #[test]
    fn half_a_report_and_counts_that_contradict_are_doubted() {
        for (json, output, doubt) in [
            (r#"{"inputTokens":8}"#, 0, Doubt::Contradictory),
            (r#"{"outputTokens":8}"#, 8, Doubt::WithoutPrompt),
            (r#"{"inputTokens":8,"outputTokens":2,"totalTokens":50}"#, 42, Doubt::Contradictory),
            (r#"{"inputTokens":8,"outputTokens":-2}"#, 0, Doubt::Negative),
        ] {
            let usage = read(json).unwrap();
            assert_eq!(usage.output_tokens, output, "{json}");
            assert_eq!(usage.doubts.iter().collect::<Vec<_>>(), [doubt], "{json}");
        }
        assert_eq!(read(r#"{"totalTokens":5}"#), None);
    }
}
