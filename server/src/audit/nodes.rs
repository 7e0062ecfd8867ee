//! Hashes of complete subtrees from the stored tiles, for proofs.

use std::collections::HashMap;

use bailiwick_ledger::Hash;
use bailiwick_ledger::merkle::{
    Frontier, Node, Plan, TILE_HEIGHT, TILE_WIDTH, Tile, consistency_plan, frontier_plan, inclusion_plan,
    tile_node, tile_of,
};

use super::AuditError;
use crate::store::{Store, StoreError, tree};

/// The tree of the first `size` leaves. Tiles are read once.
pub(super) struct Tree<'a> {
    store: &'a Store,
    size: u64,
    tiles: HashMap<Tile, Vec<Hash>>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(store: &'a Store, size: u64) -> Self {
        Self { store, size, tiles: HashMap::new() }
    }

    /// The proof that leaf `index` is in the tree.
    pub(super) async fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, AuditError> {
        let plan = inclusion_plan(index, self.size).map_err(|err| AuditError::Proof(err.to_string()))?;
        self.build(&plan).await
    }

    /// The proof that the tree begins with the tree of `old` leaves.
    pub(super) async fn consistency(&mut self, old: u64) -> Result<Vec<Hash>, AuditError> {
        let plan = consistency_plan(old, self.size).map_err(|err| AuditError::Proof(err.to_string()))?;
        self.build(&plan).await
    }

    /// The frontier that the tree had at `size` leaves.
    pub(super) async fn frontier(&mut self, size: u64) -> Result<Frontier, AuditError> {
        let nodes = self.build(&frontier_plan(size)).await?;
        Frontier::from_parts(size, nodes).map_err(|err| AuditError::Proof(err.to_string()))
    }

    async fn build(&mut self, plan: &Plan) -> Result<Vec<Hash>, AuditError> {
        for node in plan.nodes() {
            let (tile, _, _) = tile_of(node);
            if !self.tiles.contains_key(&tile) {
                let hashes = self.read(tile).await?;
                self.tiles.insert(tile, hashes);
            }
        }
        Ok(plan.build(&|node| self.node(node))?)
    }

    fn node(&self, node: Node) -> Result<Hash, StoreError> {
        let (tile, height, index) = tile_of(node);
        self.tiles.get(&tile).and_then(|hashes| tile_node(hashes, height, index)).ok_or_else(|| {
            StoreError::Corrupt(format!("tile {} of level {} lacks hashes", tile.index, tile.level))
        })
    }

    /// A complete tile as it stands; the last one of its level from what is below it.
    async fn read(&self, tile: Tile) -> Result<Vec<Hash>, StoreError> {
        let hashes = self.size.checked_shr(u32::from(TILE_HEIGHT) * u32::from(tile.level)).unwrap_or(0);
        let from = tile.index.saturating_mul(TILE_WIDTH);
        let to = from.saturating_add(TILE_WIDTH);
        if to <= hashes {
            return tree::tile(self.store, tile.level, tile.index).await;
        }
        match tile.level.checked_sub(1) {
            None => tree::leaf_hashes(self.store, from, hashes).await,
            Some(below) => tree::tile_roots(self.store, below, from, hashes).await,
        }
    }
}
