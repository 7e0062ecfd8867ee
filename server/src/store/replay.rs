//! The records of past decisions, in the order in which they were made.

use bailiwick_ledger::{Header, Section};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entities::records::{Column, Entity};
use super::{Store, StoreError, sections};

/// A record of a decision.
#[derive(Clone, Debug)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: String,
    /// What it records.
    pub kind: String,
    leaf_bytes: Vec<u8>,
    sections: Vec<u8>,
}

impl DecisionRecord {
    /// A record that was read elsewhere, with those of its sections that are disclosed there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a section is too long to be kept.
    pub fn new(
        decision: String,
        kind: String,
        leaf_bytes: Vec<u8>,
        disclosed: &[Section],
    ) -> Result<Self, StoreError> {
        Ok(Self { decision, kind, leaf_bytes, sections: sections::pack(disclosed)? })
    }

    /// The header that the leaf bytes spell.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they spell none.
    pub fn header(&self) -> Result<Header, StoreError> {
        Header::parse(&self.leaf_bytes)
            .map_err(|err| StoreError::Corrupt(format!("a record of {}: {err}", self.decision)))
    }

    /// The sections that still exist.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn sections(&self) -> Result<Vec<Section>, StoreError> {
        sections::unpack(&self.sections)
    }
}

/// The least id of a decision made at `time_ms` or later. Ids begin with their time (UUID version 7, RFC 9562, 5.7).
#[must_use]
pub fn first_decision_of(time_ms: i64) -> String {
    format!("dec_{:012x}", time_ms.clamp(0, 0xffff_ffff_ffff))
}

/// Up to `limit` records of the kinds given of decisions after `after` and before `before`, ordered by decision and then as
/// they were written. The last decision's records may go on beyond the page.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    kinds: &[&str],
    after: &str,
    before: &str,
    limit: u64,
) -> Result<Vec<DecisionRecord>, StoreError> {
    let rows: Vec<(String, String, Vec<u8>, Vec<u8>)> = Entity::find()
        .select_only()
        .columns([Column::Decision, Column::Kind, Column::LeafBytes, Column::Sections])
        .filter(Column::Decision.gt(after))
        .filter(Column::Decision.lt(before))
        .filter(Column::Kind.is_in(kinds.iter().copied()))
        .order_by_asc(Column::Decision)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(&store.read)
        .await?;
    let record =
        |(decision, kind, leaf_bytes, sections)| DecisionRecord { decision, kind, leaf_bytes, sections };
    Ok(rows.into_iter().map(record).collect())
}
