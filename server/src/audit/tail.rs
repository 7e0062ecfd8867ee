//! The growing end of the tree: its frontier, and the hashes that no complete tile holds yet.

use bailiwick_ledger::Hash;
use bailiwick_ledger::merkle::{Frontier, TILE_HEIGHT, TILE_WIDTH, tile_node};

use crate::store::commit::{NewTile, TreeStep};
use crate::store::runs::{self, Run};
use crate::store::{Store, StoreError, records, tree};

/// Where the next leaf goes.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) frontier: Frontier,
    /// For each tile level, the hashes of its last tile, which is not complete.
    rows: Vec<Vec<Hash>>,
    /// The earliest and the latest time of the records whose leaves no complete tile holds.
    times: Option<(i64, i64)>,
    last_run: Option<Run>,
}

impl Tail {
    /// Of a tree without leaves.
    pub(super) fn empty() -> Self {
        Self { frontier: Frontier::new(), rows: Vec::new(), times: None, last_run: None }
    }

    /// Reads the end of `log` and sees that head, tiles and leaves agree.
    pub(super) async fn load(store: &Store, head: &tree::TreeHead) -> Result<Self, StoreError> {
        let frontier = Frontier::from_bytes(&head.frontier)
            .map_err(|err| StoreError::Corrupt(format!("the head of the tree: {err}")))?;
        let size = frontier.size();
        if tree::to_u64(head.size)? != size {
            return Err(StoreError::Corrupt(format!(
                "the head of the log says {} leaves, its tree {size}",
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
        let last_run = runs::last(store).await?;
        Ok(Self { frontier, rows, times, last_run })
    }

    /// Appends the record `id` of the time `time_ms` with the hash `leaf`; what that adds to the tree besides its
    /// head is added to `step`.
    pub(super) fn push(&mut self, id: i64, leaf: Hash, time_ms: i64, step: &mut TreeStep) {
        let place = self.frontier.size();
        let goes_on = self.last_run.is_some_and(|run| {
            i64::try_from(place.saturating_sub(run.leaf))
                .is_ok_and(|after| run.record.checked_add(after) == Some(id))
        });
        if !goes_on {
            let run = Run { leaf: place, record: id };
            step.runs.push(run);
            self.last_run = Some(run);
        }
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
            step.tiles.push(NewTile {
                level,
                position: position.saturating_sub(1),
                times,
                hashes,
                root: root.0,
            });
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
