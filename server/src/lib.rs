//! Bailiwick: a governance and compliance control plane for LLM traffic.

pub mod audit;
pub mod budgets;
pub mod clock;
pub mod demo;
pub mod gateway;
pub mod keys;
pub mod organisation;
pub mod providers;
pub mod router;
pub mod snapshot;
pub mod store;
