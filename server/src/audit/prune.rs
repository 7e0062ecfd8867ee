//! Destroying sections: their salt and bytes go, their commitment stays, and a record says which and why.
//!
//! The record comes first. If the server dies between, it names sections that still exist; pruning again
//! destroys them. The tree does not notice: a leaf holds only the commitments.
//!
//! Records that a rule wants kept (`obligations: { retain_days }`) are spared until their time is over. It stands in their
//! headers, so anybody can check it, and no other section has to be there to know it.

use bailiwick_ledger::{Draft, Kind, Section};
use serde::Serialize;

use super::export::salt;
use super::{Appended, Audit, AuditError, Entry};
use crate::store::records::{self, Destroy};

/// Which sections to destroy, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PruneRequest {
    /// First leaf.
    pub from: u64,
    /// End of the leaves, exclusive.
    pub to: u64,
    /// Names of the sections.
    pub sections: Vec<String>,
    /// Why: the retention rule or the erasure that asks for it. Must not name a person.
    pub reason: String,
    /// Who asked: the random id of a person, or the id of a token.
    #[serde(skip)]
    pub principal: Option<String>,
}

/// What a pruning did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The place of the record that says so.
    pub record: Appended,
    /// Sections that are destroyed.
    pub sections: u64,
    /// Records that keep what was to be destroyed, because rules want them kept for longer.
    pub retained: u64,
}

impl Audit {
    /// Destroys the sections that `request` names. Prune records themselves are spared: they say what is gone; and so are
    /// records whose retention is not over.
    ///
    /// # Errors
    /// [`AuditError`]; what was not destroyed by then still exists, and the same request can be made again.
    pub async fn prune(&self, request: PruneRequest) -> Result<Pruned, AuditError> {
        let mut draft = Draft::new(Kind::Prune, self.inner.clock.now_ms());
        if let Some(principal) = &request.principal {
            draft = draft.id("principal", principal.clone());
        }
        let draft = draft.section(Section::new("pruned", &request, salt()?)?);
        let appended = self.append(Entry::new(draft)).await?;
        let to = request.to.min(self.checkpoint().await?.unverified().size);
        let what = Destroy {
            names: request.sections,
            spare: Kind::Prune.as_str(),
            now_ms: self.inner.clock.now_ms(),
        };
        let destroyed = records::destroy_sections(&self.inner.store, request.from, to, &what).await?;
        Ok(Pruned { record: appended, sections: destroyed.sections, retained: destroyed.retained })
    }
}
