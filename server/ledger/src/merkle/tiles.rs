//! Tiles: the hashes of a tree cut into rows of 256, each written once (C2SP `tlog-tiles`).
//!
//! Tile `(level, index)` holds 256 hashes of tree level `8 × level`, beginning with number `256 × index`.
//! A store that keeps each tile once it is full finds the hash of any complete subtree in one tile;
//! the right edge, which no full tile holds yet, it rebuilds from the leaves.

use super::{Hash, Node, node_hash};

/// Tree levels in a tile.
pub const TILE_HEIGHT: u8 = 8;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// A tile's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for tiles of leaf hashes, 1 for tiles of roots of level-0 tiles, and so on.
    pub level: u8,
    /// Which one of its level, from 0.
    pub index: u64,
}

/// The tiles that became full while the tree grew from `old` to `new` leaves, lower levels first. The
/// hashes of a tile of level 1 and up are the roots (`tile_node(_, 8, 0)`) of the 256 tiles below it.
pub fn completed_tiles(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..8_u8).flat_map(move |level| {
        let shift = u32::from(TILE_HEIGHT) * (u32::from(level) + 1);
        let full = |size: u64| size.checked_shr(shift).unwrap_or(0);
        (full(old)..full(new)).map(move |index| Tile { level, index })
    })
}

/// The tile that holds the complete subtree `node` or, where the subtree is inside it, all its leaves; with
/// the subtree's height above the tile's own hashes and its number among those of that height. Give these
/// to [`tile_node`].
#[must_use]
pub fn tile_of(node: Node) -> (Tile, u8, u64) {
    let (level, height) = (node.level / TILE_HEIGHT, node.level % TILE_HEIGHT);
    let per_tile = TILE_HEIGHT - height;
    (Tile { level, index: node.index >> per_tile }, height, node.index & ((1 << per_tile) - 1))
}

/// The root of the subtree number `index` of `2^height` hashes within a tile; `None` where the tile is
/// not full enough to hold it.
#[must_use]
pub fn tile_node(hashes: &[Hash], height: u8, index: u64) -> Option<Hash> {
    let width = 1_usize.checked_shl(u32::from(height))?;
    let start = usize::try_from(index).ok()?.checked_mul(width)?;
    let mut row = hashes.get(start..start.checked_add(width)?)?.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied()
}
