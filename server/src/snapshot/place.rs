//! An endpoint as the hot path knows it: where to send, at what price, how it has been doing.

use std::collections::HashMap;
use std::sync::Arc;

use crate::budgets::Prices;
use crate::providers::{Analyzer, Dialect, Target};
use crate::router::Health;

/// One endpoint.
#[derive(Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Who operates it.
    pub operator: String,
    /// Region or profile, for people.
    pub region: Option<String>,
    /// Which dialect it speaks.
    pub dialect: Dialect,
    /// Whether it stands for a provider rather than being one.
    pub simulated: bool,
    /// ISO codes of the countries where it processes, sorted; empty is unknown.
    pub countries: Vec<String>,
    /// The codes joined by commas: the header `x-bailiwick-countries`.
    pub countries_header: String,
    /// Where each of its models is reached, by the name that clients use.
    pub routes: HashMap<String, Route>,
    /// How it is asked to read a text, where it does.
    pub analyzer: Option<Analyzer>,
    /// How it has been doing; kept from one snapshot to the next.
    pub health: Arc<Health>,
}

/// One model at one endpoint.
#[derive(Debug)]
pub struct Route {
    /// Where to send.
    pub target: Target,
    /// What it costs, and from when on.
    pub prices: Prices,
    /// The most output tokens that the model gives, where known.
    pub max_output_tokens: Option<u64>,
}
