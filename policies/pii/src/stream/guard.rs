//! Watches a response on its way to the client.

use std::sync::Arc;

use super::Restorer;
use crate::{Detector, EntityCounts, Mode, RedactionPlan, TokenKey, Vault};

/// Scans one stream of text, redacts what the plan says, then restores placeholders.
#[derive(Debug)]
pub struct Guard {
    #[expect(dead_code, reason = "replaced in the next commit")]
    detector: Arc<Detector>,
    #[expect(dead_code, reason = "replaced in the next commit")]
    plan: RedactionPlan,
    #[expect(dead_code, reason = "replaced in the next commit")]
    key: TokenKey,
    restorer: Restorer,
    redacted: EntityCounts,
    found: EntityCounts,
}

impl Guard {
    /// A guard for one stream of text: `plan` holds the redactions of the response, `vault` the values that
    /// may be restored, `key` makes the placeholders of response redactions.
    pub fn new(
        detector: Arc<Detector>,
        plan: RedactionPlan,
        key: TokenKey,
        vault: &Vault,
        mode: Mode,
    ) -> Self {
        let restorer = Restorer::new(vault, mode);
        Self {
            detector,
            plan,
            key,
            restorer,
            redacted: EntityCounts::default(),
            found: EntityCounts::default(),
        }
    }

    /// Takes the next chunk and appends to `out` what is certain.
    pub fn push(&mut self, chunk: &str, out: &mut String) {
        self.restorer.push(chunk, out);
    }

    /// Appends to `out` what was held back. The guard can then take another text.
    pub fn finish(&mut self, out: &mut String) {
        self.restorer.finish(out);
    }

    /// How many findings were redacted so far.
    pub const fn redacted(&self) -> &EntityCounts {
        &self.redacted
    }

    /// How many findings there were so far, placeholders not counted.
    pub const fn found(&self) -> &EntityCounts {
        &self.found
    }
}
