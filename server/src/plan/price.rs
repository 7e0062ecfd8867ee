//! What a change costs or saves, at today's prices and with the tokens that were used.

use std::sync::Arc;

use bailiwick_policy::{Change, Compiled, Decision};

use super::recorded::Recorded;
use crate::gateway::settle::UsageSection;
use crate::providers::Usage;
use crate::snapshot::{Place, Snapshot};

/// Today's prices, where a server is there to tell them.
#[derive(Debug, Clone, Default)]
pub struct Prices(Option<(Arc<Snapshot>, i64)>);

impl Prices {
    /// Those of a server at this instant.
    #[must_use]
    pub fn of(snapshot: Arc<Snapshot>, now_ms: i64) -> Self {
        Self(Some((snapshot, now_ms)))
    }

    /// What the change adds, nano-dollars, below zero where it saves. `None` where nobody knows: of a request that was
    /// refused nobody knows what it would have used.
    pub(super) fn difference(
        &self,
        recorded: &Recorded,
        change: Change,
        new: &Compiled,
        after: &Decision,
    ) -> Option<i64> {
        match change {
            Change::NewlyAllowed => None,
            Change::NewlyRefused => Some(0_i64.saturating_sub(recorded.cost_nano?)),
            Change::Handled => Some(0),
            Change::Rerouted => {
                let model = recorded.facts.model.as_str();
                let (snapshot, now_ms) = self.0.as_ref()?;
                let usage = used(recorded.usage.as_ref()?)?;
                let cost =
                    |place: &Place| Some(place.routes.get(model)?.prices.at(*now_ms)?.cost_nano(&usage));
                let went_to = recorded.went_to()?;
                let was = snapshot.places.iter().find(|place| place.name == went_to).and_then(cost)?;
                let names: Vec<&str> = new.names(&after.eligible).collect();
                let places = snapshot.places.iter().filter(|place| names.contains(&place.name.as_str()));
                let would = places.filter_map(cost).min()?;
                Some(would.saturating_sub(was))
            }
        }
    }
}

/// The tokens, where the provider reported them.
fn used(section: &UsageSection) -> Option<Usage> {
    (section.source == "reported").then(|| Usage {
        input_tokens: section.input_tokens,
        cached_input_tokens: section.cached_input_tokens,
        cache_write_tokens: section.cache_write_tokens,
        cache_write_1h_tokens: section.cache_write_1h_tokens,
        image_input_tokens: section.image_input_tokens,
        audio_input_tokens: section.audio_input_tokens,
        output_tokens: section.output_tokens,
        reasoning_tokens: section.reasoning_tokens,
        image_output_tokens: section.image_output_tokens,
        audio_output_tokens: section.audio_output_tokens,
        web_searches: section.web_searches,
        ..Usage::default()
    })
}
