//! What is known of services that speak OpenAI's API: where they are, what they refuse, how they limit an answer and tell
//! their usage, and what the compliance database calls them.
//!
//! A preset saves looking an address up. It says nothing of what an endpoint may be used for: facts are looked up by the
//! endpoint's own profile, whichever preset it has. All take `max_tokens`, and not all the other name for it, so a limit always
//! goes under that one. Sources were seen on 2026-11-23.

use serde::{Deserialize, Serialize};

/// A service that speaks OpenAI's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Cohere's Compatibility API.
    Cohere,
    /// DeepSeek.
    DeepSeek,
    /// Fireworks AI.
    Fireworks,
    /// GroqCloud.
    Groq,
    /// Nebius Token Factory.
    Nebius,
    /// OpenRouter.
    OpenRouter,
    /// OVHcloud AI Endpoints.
    OvhCloud,
    /// Perplexity's Sonar.
    Perplexity,
    /// Scaleway Generative APIs.
    Scaleway,
    /// A server of Hugging Face's Text Generation Inference, wherever it is.
    Tgi,
    /// Together AI.
    Together,
    /// xAI.
    Xai,
}

/// What is known of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name in declarations.
    pub name: &'static str,
    /// Scheme and host; empty for a server of one's own.
    pub base_url: &'static str,
    /// What comes before `/chat/completions`.
    pub path: &'static str,
    /// The `operator` and `service` that facts about it are kept under; empty where there are none.
    pub service: &'static str,
    /// Members of a chat that it refuses whatever their value is.
    pub refuses: &'static [&'static str],
    /// Whether it refuses more than one answer to a request.
    pub one_answer: bool,
    /// Whether it refuses the name of a participant.
    pub no_names: bool,
    /// Where that is said.
    pub source: &'static str,
}

const PLAIN: Known = Known {
    name: "",
    base_url: "",
    path: "/v1",
    service: "",
    refuses: &[],
    one_answer: false,
    no_names: false,
    source: "",
};

const COHERE: Known = Known {
    name: "cohere",
    base_url: "https://api.cohere.ai",
    path: "/compatibility/v1",
    service: "cohere",
    source: "https://docs.cohere.com/docs/compatibility-api",
    ..PLAIN
};

const DEEPSEEK: Known = Known {
    name: "deepseek",
    base_url: "https://api.deepseek.com",
    path: "",
    service: "deepseek",
    source: "https://api-docs.deepseek.com/",
    ..PLAIN
};

const FIREWORKS: Known = Known {
    name: "fireworks",
    base_url: "https://api.fireworks.ai",
    path: "/inference/v1",
    service: "fireworks",
    source: "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
    ..PLAIN
};

const GROQ: Known = Known {
    name: "groq",
    base_url: "https://api.groq.com",
    path: "/openai/v1",
    service: "groq",
    refuses: &["logit_bias", "logprobs", "top_logprobs"],
    one_answer: true,
    no_names: true,
    source: "https://console.groq.com/docs/openai",
};

const NEBIUS: Known = Known {
    name: "nebius",
    base_url: "https://api.tokenfactory.nebius.com",
    service: "nebius",
    source: "https://docs.tokenfactory.nebius.com/api-reference/introduction",
    ..PLAIN
};

const OPENROUTER: Known = Known {
    name: "openrouter",
    base_url: "https://openrouter.ai",
    path: "/api/v1",
    service: "openrouter",
    source: "https://www.openrouter.ai/docs/requests",
    ..PLAIN
};

const OVHCLOUD: Known = Known {
    name: "ovhcloud",
    base_url: "https://oai.endpoints.kepler.ai.cloud.ovh.net",
    service: "ovhcloud",
    source: "https://ovh.github.io/apache-airflow-provider-ovhcloud-ai/ai-endpoints",
    ..PLAIN
};

const PERPLEXITY: Known = Known {
    name: "perplexity",
    base_url: "https://api.perplexity.ai",
    path: "",
    service: "perplexity",
    source: "https://docs.perplexity.ai/docs/sonar/openai-compatibility",
    ..PLAIN
};

const SCALEWAY: Known = Known {
    name: "scaleway",
    base_url: "https://api.scaleway.ai",
    service: "scaleway",
    source: "https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api",
    ..PLAIN
};

const TGI: Known = Known {
    name: "tgi",
    source: "https://huggingface.co/docs/text-generation-inference/messages_api",
    ..PLAIN
};

const TOGETHER: Known = Known {
    name: "together",
    base_url: "https://api.together.ai",
    service: "together",
    source: "https://docs.together.ai/docs/inference/openai-compatibility",
    ..PLAIN
};

const XAI: Known = Known {
    name: "xai",
    base_url: "https://api.x.ai",
    service: "xai",
    source: "https://reference.langchain.com/python/langchain-xai/chat_models/ChatXAI/xai_api_base",
    ..PLAIN
};

impl Preset {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::Cohere,
        Self::DeepSeek,
        Self::Fireworks,
        Self::Groq,
        Self::Nebius,
        Self::OpenRouter,
        Self::OvhCloud,
        Self::Perplexity,
        Self::Scaleway,
        Self::Tgi,
        Self::Together,
        Self::Xai,
    ];

    /// What is known of it.
    #[must_use]
    pub const fn known(self) -> &'static Known {
        match self {
            Self::Cohere => &COHERE,
            Self::DeepSeek => &DEEPSEEK,
            Self::Fireworks => &FIREWORKS,
            Self::Groq => &GROQ,
            Self::Nebius => &NEBIUS,
            Self::OpenRouter => &OPENROUTER,
            Self::OvhCloud => &OVHCLOUD,
            Self::Perplexity => &PERPLEXITY,
            Self::Scaleway => &SCALEWAY,
            Self::Tgi => &TGI,
            Self::Together => &TOGETHER,
            Self::Xai => &XAI,
        }
    }

    /// What of a chat it refuses, by name, so that another endpoint is tried rather than this one asked.
    #[must_use]
    pub fn refuses(self, request: &impl Members) -> Option<&'static str> {
        let known = self.known();
        let named = known.refuses.iter().copied().find(|name| request.has(name));
        let several = || (known.one_answer && request.answers() > 1).then_some("n");
        let participant = || (known.no_names && request.names_participants()).then_some("messages.name");
        named.or_else(several).or_else(participant)
    }
}

/// What is asked of a chat to know whether a service takes it.
pub trait Members {
    /// Whether it has a member of this name at the top, and not null.
    fn has(&self, name: &str) -> bool;
    /// How many answers it asks for.
    fn answers(&self) -> u64;
    /// Whether a message names who says it.
    fn names_participants(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{Dialect, Operation, Target, TargetSpec};

    #[test]
    fn names_are_those_of_declarations_and_addresses_are_whole() {
        for preset in Preset::ALL {
            let known = preset.known();
            assert_eq!(serde_json::to_string(&preset).unwrap(), format!("\"{}\"", known.name));
            assert!(known.source.starts_with("https://"), "{known:?}");
            let base = if known.base_url.is_empty() { "https://own.example" } else { known.base_url };
            let mut spec = TargetSpec::new(Dialect::OpenAi, base, None, "m");
            spec.preset = Some(preset);
            let target = Target::new(spec).unwrap();
            let address = target.address(Operation::ChatCompletions).to_string();
            assert_eq!(address, format!("{base}{}/chat/completions", known.path));
        }
    }

    #[test]
    fn what_facts_know_of_a_service_it_is_called_by_that_name() {
        let database = bailiwick_compliance_db::Database::embedded().unwrap();
        for known in Preset::ALL.map(Preset::known) {
            let knows = database
                .facts()
                .any(|fact| fact.scope.service.iter().any(|name| name.matches(known.service)));
            assert_eq!(knows, !known.service.is_empty(), "{known:?}");
        }
    }

    #[test]
    fn the_table_in_the_documentation_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/organisation.md");
        let page = std::fs::read_to_string(path).unwrap();
        for known in Preset::ALL.map(Preset::known) {
            let refused: Vec<String> = known
                .refuses
                .iter()
                .map(|name| format!("`{name}`"))
                .chain(known.one_answer.then(|| String::from("`n` above 1")))
                .chain(known.no_names.then(|| String::from("`name` in a message")))
                .collect();
            let or = |text: &str, otherwise: &str| {
                if text.is_empty() { otherwise.to_owned() } else { format!("`{text}`") }
            };
            let address = format!("{}{}", known.base_url, known.path);
            let address =
                if known.base_url.is_empty() { String::from("your own") } else { format!("`{address}`") };
            let row = format!(
                "| `{}` | {address} | {} | {} | [source]({}) |",
                known.name,
                or(known.service, "none"),
                refused.join(", "),
                known.source
            );
            assert!(page.contains(&row), "{row}");
        }
    }
}
