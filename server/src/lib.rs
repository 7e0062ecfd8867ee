//! Bailiwick: a governance and compliance control plane for LLM traffic.

pub mod demo;
pub mod providers;
