//! Bailiwick: a governance and compliance control plane for LLM traffic.

pub mod audit;
pub mod clock;
pub mod store;
