//! Tests of the provider side against the simulated providers, over real sockets.

mod anthropic;
mod bedrock;
mod client;
mod openai;
mod refusal;
mod responses;
mod sse;
mod target;
mod tls;

/// The client's usual options, for servers on this machine.
fn here() -> crate::providers::ClientOptions {
    crate::providers::ClientOptions { way: crate::outbound::Way::here(), ..Default::default() }
}
