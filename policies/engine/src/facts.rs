//! What is known of a request when it is decided. Recorded with the decision, so that it can be decided again.

use bailiwick_compliance_db::{Country, CountrySet, FeatureSet};
use bailiwick_pii::{ClassSet, EntityCounts, Sensitivity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the client asked the gateway to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// To read a prompt and say what it holds: another detector, where a rule asks for one.
    Analyze,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 5] =
        [Self::ChatCompletions, Self::Responses, Self::Messages, Self::Embeddings, Self::Analyze];

    /// The name used in rules and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Analyze => "analyze",
        }
    }

    pub(crate) const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which data classes a request is known to hold, and which it may hold. A class in neither is known to be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassKnowledge {
    /// Declared or found.
    #[serde(default)]
    pub yes: ClassSet,
    /// Nobody can say, as when a detector failed.
    #[serde(default)]
    pub unknown: ClassSet,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalFacts {
    /// `key:<id>`, `user:<id>` or `token:<id>`.
    pub id: String,
    /// The roles held in the request's scope, with or without the prefix `role:`.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// Every fact that a rule can ask about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestFacts {
    /// When, in Unix milliseconds.
    pub time_ms: i64,
    /// For which scope: `/acme/retail/support`.
    pub scope: String,
    /// What is asked for.
    pub operation: Operation,
    /// The model's name, as the client wrote it.
    pub model: String,
    /// Which data it holds.
    #[serde(default)]
    pub classes: ClassKnowledge,
    /// How sensitive it is.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Where the people are whom the data is about. `None`, as well as an empty set, says that nobody declared it.
    #[serde(default)]
    pub subject_regions: Option<CountrySet>,
    /// Where the controller of the data is established. `None`: nobody declared it.
    #[serde(default)]
    pub controller: Option<Country>,
    /// What for. `None`: nobody declared it.
    #[serde(default)]
    pub purpose: Option<String>,
    /// How many findings of each kind the request holds.
    #[serde(default)]
    pub entities: EntityCounts,
    /// What it uses beyond plain text in and out.
    #[serde(default)]
    pub features: FeatureSet,
    /// Names of the tools that it offers the model.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Whether the answer is to be streamed.
    #[serde(default)]
    pub stream: bool,
    /// How many tokens go in, at most.
    #[serde(default)]
    pub input_tokens: u32,
    /// How many tokens may come out. `None`: the client set no limit.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
    /// Who asks.
    #[serde(default)]
    pub principal: PrincipalFacts,
    /// The endpoints that access control leaves the principal. `None`: all.
    #[serde(default)]
    pub allowed_endpoint_names: Option<Vec<String>>,
}
