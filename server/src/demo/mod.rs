//! The demonstration: simulated providers and a sample organisation.

pub mod simulator;
