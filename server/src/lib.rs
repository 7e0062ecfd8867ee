//! Bailiwick: a governance and compliance control plane for LLM traffic.
//!
//! [`gateway`] is a request's way, a file a stage; [`app`] is the server around it. `docs/ARCHITECTURE.md` has the code
//! map and the invariants.

pub mod admin;
pub mod alerts;
pub mod app;
pub mod audit;
pub mod background;
pub mod budgets;
pub mod cli;
pub mod clock;
pub mod console;
pub mod credentials;
pub mod demo;
pub mod fault;
pub mod gateway;
pub mod git;
pub mod identity;
pub mod keys;
pub mod organisation;
pub mod outbound;
pub mod plan;
pub mod providers;
pub mod release;
pub mod router;
pub mod scim;
pub mod snapshot;
pub mod store;
pub mod transfer;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod testing;
