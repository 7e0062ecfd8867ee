//! The RFC 6962 Merkle tree over SHA-256 (unchanged in RFC 9162): hashes, the growing right edge, proofs
//! and tiles.
//!
//! Nothing here holds a tree. [`Frontier`] is what it takes to append; proofs are planned as a list of
//! complete subtrees, whose hashes the caller brings from wherever it keeps them ([`Nodes`]).

mod frontier;
mod hash;
mod memory;
mod proof;
mod tiles;

pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, HashError, empty_root, leaf_hash, node_hash};
pub use memory::MemoryTree;
pub use proof::{
    Node, Nodes, Plan, ProofError, consistency_plan, frontier_plan, inclusion_plan, verify_consistency,
    verify_inclusion,
};
pub use tiles::{TILE_HEIGHT, TILE_WIDTH, Tile, completed_tiles, tile_node, tile_of};
