//! Bailiwick: a governance and compliance control plane for LLM traffic.

pub mod budgets;
pub mod gateway;
pub mod keys;
