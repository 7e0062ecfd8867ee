//! Tests of the provider side against the simulated providers, over real sockets.

mod anthropic;
mod client;
mod openai;
mod refusal;
mod sse;
mod target;
mod tls;
