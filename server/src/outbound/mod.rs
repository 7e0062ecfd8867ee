//! The way out of the server: which addresses may be reached, and how.
//!
//! [`Guard`] judges addresses, `Connector` makes connections to exactly the addresses that were judged,
//! [`Http`] asks small things of others (identity providers, keys). The client towards providers of models stands on
//! the same connector, so no URL that somebody gives is reached without the guard. Two ways out do not: `ssh`, which a
//! policy's repository may be fetched with, resolves names itself, and an outbound proxy resolves the names that it is
//! asked for.

mod client;
mod connect;
mod guard;
mod proxy;
mod resolve;

#[cfg(test)]
mod tests;

pub use client::{Bounds, Http, OutboundError};
pub use connect::Way;
pub(crate) use connect::{ConnectError, Connector};
pub use guard::{Forbidden, Guard};
pub use proxy::{Proxy, ProxyConfig};
pub(crate) use resolve::Resolver;
