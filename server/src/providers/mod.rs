//! How a governed request reaches a provider and how the answer is read back.
//!
//! [`wire::Wire`] is the seam: one implementation a wire protocol. [`target::Target`] is one place to send to,
//! compiled once from configuration; [`client::UpstreamClient`] moves the bytes under time and size limits;
//! [`sse`] and [`frames`] split a stream into events; [`failure::UpstreamFailure`] names everything that
//! can go wrong and says what may follow from it. Nothing here decides anything: by the time a request gets
//! here it was decided, funded and recorded.

pub mod analyzer;
pub mod anthropic;
pub(crate) mod aws;
pub mod bedrock;
pub mod client;
pub mod events;
pub mod failure;
pub mod frames;
pub mod identity;
pub mod openai;
pub mod presets;
pub mod probe;
pub mod responses;
pub mod secret;
pub mod sse;
pub mod target;
pub mod usage;
pub mod wire;

mod refusal;

#[cfg(test)]
mod tests;

pub use analyzer::{Analyzer, AnalyzerFailure, AnalyzerSettings};
pub use anthropic::AnthropicWire;
pub use bedrock::BedrockConverseWire;
pub use client::{ClientOptions, Trust, UpstreamBody, UpstreamClient, UpstreamResponse};
pub use events::UpstreamEvents;
pub use failure::UpstreamFailure;
pub use identity::ClientIdentity;
pub use openai::{Dialect, OpenAiWire};
pub use presets::Preset;
pub use responses::OpenAiResponsesWire;
pub use secret::{Echo, EchoScan, Secret};
pub use target::{AuthStyle, Limits, Target, TargetSpec};
pub use usage::{Doubt, Doubts, MOST_TOKENS, Usage};
pub use wire::{
    Answer, Api, BodyEdit, EditValue, Operation, Outgoing, RequestShape, StreamEvent, Wire, WireError,
};
