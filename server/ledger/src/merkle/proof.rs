//! Inclusion and consistency proofs (RFC 9162, section 2.1).
//!
//! Making one is split in two, so that a store that answers asynchronously can fetch in between: a plan
//! names the complete subtrees that the proof is made of, and [`Plan::build`] folds their hashes.

use super::{Hash, node_hash};

/// A complete subtree: `2^level` leaves, the first of them `index << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Height above the leaves; a leaf is 0.
    pub level: u8,
    /// Which one of its level, from the left, from 0.
    pub index: u64,
}

/// Whatever knows the hashes of complete subtrees.
pub trait Nodes {
    /// What can go wrong in looking one up.
    type Error;

    /// The hash of the complete subtree `node`.
    ///
    /// # Errors
    ///
    /// Where the hash cannot be had, or the tree is too small to have it.
    fn node(&self, node: Node) -> Result<Hash, Self::Error>;
}

impl<F, E> Nodes for F
where
    F: Fn(Node) -> Result<Hash, E>,
{
    type Error = E;

    fn node(&self, node: Node) -> Result<Hash, E> {
        self(node)
    }
}

/// Why a proof cannot be made, or proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// A leaf or an older tree that the tree does not contain.
    #[error("{what} is not within a tree of {size} leaves")]
    OutOfRange {
        /// The leaf index or the older size.
        what: u64,
        /// The size of the tree.
        size: u64,
    },
    /// Too many or too few hashes for the positions claimed.
    #[error("the proof has the wrong number of hashes for its position")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root: the log was changed, or this is not part of it")]
    Mismatch,
}

/// The complete subtrees that a proof is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One entry for each hash of the proof; each is the run of complete subtrees, left to right, that
    /// make it up.
    ranges: Vec<Vec<Node>>,
}

impl Plan {
    /// Every complete subtree whose hash [`Plan::build`] will ask for.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.ranges.iter().flatten().copied()
    }

    /// The hashes of the proof.
    ///
    /// # Errors
    ///
    /// The first error of `nodes`.
    pub fn build<N: Nodes + ?Sized>(&self, nodes: &N) -> Result<Vec<Hash>, N::Error> {
        let mut proof = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let mut root = None;
            for node in range.iter().rev() {
                let hash = nodes.node(*node)?;
                root = Some(root.map_or(hash, |right| node_hash(&hash, &right)));
            }
            proof.extend(root);
        }
        Ok(proof)
    }
}

/// The complete subtrees, left to right, that make up the leaves `start..end`. `start` must be a multiple
/// of the largest power of two within the length, as it always is in a proof.
fn cover(start: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        nodes.push(Node { level: u8::try_from(level).unwrap_or(63), index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The largest power of two below `size`; `size` is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Plans the proof that leaf `index` is in the tree of `size` leaves.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] unless `index < size`.
pub fn inclusion_plan(index: u64, size: u64) -> Result<Plan, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { what: index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push(cover(middle, end));
            end = middle;
        } else {
            ranges.push(cover(start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    Ok(Plan { ranges })
}

/// Plans the proof that the tree of `size` leaves begins with the tree of `old` leaves.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] unless `old <= size`. From the empty tree, and from a tree to itself, the
/// proof is empty.
pub fn consistency_plan(old: u64, size: u64) -> Result<Plan, ProofError> {
    if old > size {
        return Err(ProofError::OutOfRange { what: old, size });
    }
    let mut ranges = Vec::new();
    if old > 0 && old < size {
        let (mut start, mut end) = (0, size);
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                ranges.push(cover(middle, end));
                end = middle;
            } else {
                ranges.push(cover(start, middle));
                start = middle;
            }
        }
        // The old tree's own last subtree: the verifier knows it only if it is the whole old tree.
        if start > 0 {
            ranges.push(cover(start, end));
        }
        ranges.reverse();
    }
    Ok(Plan { ranges })
}

/// Plans the frontier of the first `size` leaves of a larger tree: building it gives the hashes for
/// [`Frontier::from_parts`](super::Frontier::from_parts).
#[must_use]
pub fn frontier_plan(size: u64) -> Plan {
    Plan { ranges: cover(0, size).into_iter().map(|node| vec![node]).collect() }
}

/// Checks that `leaf` is the hash of leaf `index` in the tree of `size` leaves with `root`
/// (RFC 9162, section 2.1.3.2).
///
/// # Errors
///
/// [`ProofError`] unless the proof holds.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { what: index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Mismatch) }
}

/// Checks that the tree of `size` leaves with `root` begins with the tree of `old` leaves with `old_root`
/// (RFC 9162, section 2.1.4.2).
///
/// # Errors
///
/// [`ProofError`] unless the proof holds.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > size {
        return Err(ProofError::OutOfRange { what: old, size });
    }
    if old == size || old == 0 {
        let same = *old_root == if old == 0 { super::empty_root() } else { *root };
        return match (proof, same) {
            ([], true) => Ok(()),
            ([], false) => Err(ProofError::Mismatch),
            _ => Err(ProofError::Length),
        };
    }
    let (first, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> shift, (size - 1) >> shift);
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == *old_root && new_hash == *root { Ok(()) } else { Err(ProofError::Mismatch) }
}
