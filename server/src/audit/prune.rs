//! Destroying sections: their salt and bytes go, their commitment stays, and a record says which and why.
//!
//! The record comes first. If the server dies between, it names sections that still exist; pruning again
//! destroys them. The tree does not notice: a leaf holds only the commitments.

use bailiwick_ledger::{Draft, Kind, Section};
use serde::Serialize;

use super::export::salt;
use super::{Appended, Audit, AuditError, Entry};
use crate::store::records;

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

impl Audit {
    /// Destroys the sections that `request` names. Prune records themselves are spared: they say what is gone.
    /// Returns the prune record's place and the number of sections destroyed.
    ///
    /// # Errors
    /// [`AuditError`]; what was not destroyed by then still exists, and the same request can be made again.
    pub async fn prune(&self, request: PruneRequest) -> Result<(Appended, u64), AuditError> {
        let mut draft = Draft::new(Kind::Prune, self.inner.clock.now_ms());
        if let Some(principal) = &request.principal {
            draft = draft.id("principal", principal.clone());
        }
        let draft = draft.section(Section::new("pruned", &request, salt()?)?);
        let appended = self.append(Entry::new(draft)).await?;
        let to = request.to.min(self.checkpoint().await?.unverified().size);
        let destroyed = records::destroy_sections(
            &self.inner.store,
            request.from,
            to,
            &request.sections,
            Kind::Prune.as_str(),
        )
        .await?;
        Ok((appended, destroyed))
    }
}
