//! The `usage` of a response of OpenAI's: <https://platform.openai.com/docs/api-reference/responses/object>. The same counts
//! as those of a chat, under other names, so that they are doubted alike.

use serde::Deserialize;

use super::{CompletionDetails, Count, PromptDetails, RawUsage, Usage};

/// The provider's object, every field optional. Only `input_tokens` makes it a usage.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RawResponsesUsage {
    input_tokens: Count,
    input_tokens_details: Option<PromptDetails>,
    output_tokens: Count,
    output_tokens_details: Option<CompletionDetails>,
    total_tokens: Count,
}

impl RawResponsesUsage {
    pub(crate) fn reading(self) -> Option<Usage> {
        let usage = RawUsage {
            prompt_tokens: self.input_tokens,
            prompt_tokens_details: self.input_tokens_details,
            completion_tokens: self.output_tokens,
            completion_tokens_details: self.output_tokens_details,
            total_tokens: self.total_tokens,
            cache_creation_input_tokens: Count::Absent,
        };
        usage.reading()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Doubts;

    fn read(json: &str) -> Option<Usage> {
        serde_json::from_str::<RawResponsesUsage>(json).unwrap().reading()
    }

    #[test]
    fn counts_are_those_of_a_chat_under_other_names() {
        let usage = read(
            r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":8},
                "output_tokens":40,"output_tokens_details":{"reasoning_tokens":16},"total_tokens":140}"#,
        );
        let expected = Usage {
            input_tokens: 100,
            cached_input_tokens: 64,
            cache_write_tokens: 8,
            output_tokens: 40,
            reasoning_tokens: 16,
            doubts: Doubts::NONE,
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
        assert_eq!(read(r#"{"output_tokens":40}"#), None);
        let lies = read(r#"{"input_tokens":10,"output_tokens":-1,"total_tokens":50}"#).unwrap();
        assert!(!lies.is_exact() && lies.output_tokens == 40, "{lies:?}");
    }
}
