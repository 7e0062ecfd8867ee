//! Bailiwick: a governance and compliance control plane for LLM traffic.
