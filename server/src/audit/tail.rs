//! The growing end of the tree: its frontier, and the hashes that no complete tile holds yet.

use bailiwick_ledger::Hash;
use bailiwick_ledger::merkle::{Frontier, TILE_HEIGHT, TILE_WIDTH, tile_node};

use crate::store::commit::NewTile;
use crate::store::replicas::{self, ReplicaNumber};
use crate::store::{Store, StoreError, records, tree};

/// Where the next leaf and the next record of this replica go.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) frontier: Frontier,
    /// For each tile level, the hashes of its last tile, which is not complete.
    rows: Vec<Vec<Hash>>,
    /// The earliest and the latest time of the records whose leaves no complete tile holds.
    times: Option<(i64, i64)>,
    pub(super) next_sequence: u64,
}

impl Tail {
    /// Reads the end of `log` and sees that head, tiles and leaves agree.
    pub(super) async fn load(
        store: &Store,
        head: &tree::TreeHead,
        replica: ReplicaNumber,
    ) -> Result<Self, StoreError> {
        let frontier = Frontier::from_bytes(&head.frontier)
            .map_err(|err| StoreError::Corrupt(format!("the head of the tree: {err}")))?;
        let size = frontier.size();
        let leaves = records::last_leaf(store).await?.map_or(0, |leaf| leaf.saturating_add(1));
        if tree::to_u64(head.size)? != size || leaves != size {
            return Err(StoreError::Corrupt(format!(
                "the head of the log says {} leaves, its tree {size}, the records {leaves}",
                head.size
            )));
        }
        let rows = open_rows(store, size).await?;
        if build(size, &rows) != Some(frontier.clone()) {
            return Err(StoreError::Corrupt(
                "the records at the end of the log do not have the hash that its head says".into(),
            ));
        }
        let times = records::times(store, size - size % TILE_WIDTH, size).await?;
        let last = replicas::last_sequence(store, replica).await?;
        let next_sequence =
            last.map_or(bailiwick_ledger::record::FIRST_SEQUENCE, |last| last.saturating_add(1));
        Ok(Self { frontier, rows, times, next_sequence })
    }

    /// Appends the leaf of a record of the time `time_ms`; tiles that it completes are added to `tiles`.
    pub(super) fn push(&mut self, leaf: Hash, time_ms: i64, tiles: &mut Vec<NewTile>) {
        self.frontier.push(leaf);
        let (first, last) = self.times.unwrap_or((time_ms, time_ms));
        self.times = Some((first.min(time_ms), last.max(time_ms)));
        let mut hash = leaf;
        let mut position = self.frontier.size();
        for level in 0_u8.. {
            if self.rows.len() <= usize::from(level) {
                self.rows.push(Vec::with_capacity(256));
            }
            let Some(row) = self.rows.get_mut(usize::from(level)) else { return };
            row.push(hash);
            if row.len() < 256 {
                return;
            }
            let Some(root) = tile_node(row, TILE_HEIGHT, 0) else { return };
            position >>= TILE_HEIGHT;
            let hashes = row.iter().flat_map(|hash| hash.0).collect();
            let times = if level == 0 { self.times.take() } else { None };
            tiles.push(NewTile { level, position: position.saturating_sub(1), times, hashes, root: root.0 });
            row.clear();
            hash = root;
        }
    }
}

/// What the last, incomplete tile of each level holds in a tree of `size` leaves.
async fn open_rows(store: &Store, size: u64) -> Result<Vec<Vec<Hash>>, StoreError> {
    let mut rows = Vec::new();
    let mut count = size;
    for level in 0_u8.. {
        if count == 0 {
            break;
        }
        let from = count - count % TILE_WIDTH;
        rows.push(match level.checked_sub(1) {
            None => tree::leaf_hashes(store, from, count).await?,
            Some(below) => tree::tile_roots(store, below, from, count).await?,
        });
        count >>= TILE_HEIGHT;
    }
    Ok(rows)
}

/// The frontier that `rows` make; `None` where they cannot.
fn build(size: u64, rows: &[Vec<Hash>]) -> Option<Frontier> {
    let mut nodes = Vec::new();
    for row in rows.iter().rev() {
        let mut rest = row.as_slice();
        for height in (0..TILE_HEIGHT).rev() {
            if row.len() & (1 << height) != 0 {
                let (subtree, after) = rest.split_at_checked(1 << height)?;
                nodes.push(tile_node(subtree, height, 0)?);
                rest = after;
            }
        }
    }
    Frontier::from_parts(size, nodes).ok()
}
