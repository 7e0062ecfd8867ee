//! The right edge of a growing tree: all that appending and the root need.

use super::{Hash, empty_root, node_hash};

/// The roots of the complete subtrees that a tree of some size consists of, largest first: one for each
/// one-bit of the size (also called a compact range).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

/// Why bytes or hashes are no frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontierError {
    /// The number of hashes is not the number of one-bits of the size.
    #[error("a tree of {size} leaves has {expected} frontier hashes, not {found}")]
    Count {
        /// The size claimed.
        size: u64,
        /// One-bits of the size.
        expected: u32,
        /// Hashes given.
        found: usize,
    },
    /// Not eight bytes of size followed by whole hashes.
    #[error("a stored frontier is eight bytes of size and 32 bytes a hash")]
    Length,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, nodes: Vec::new() }
    }

    /// A frontier of `size` leaves from its hashes, largest subtree first.
    ///
    /// # Errors
    ///
    /// [`FrontierError::Count`] unless there is one hash for each one-bit of `size`.
    pub fn from_parts(size: u64, nodes: Vec<Hash>) -> Result<Self, FrontierError> {
        let expected = size.count_ones();
        if u32::try_from(nodes.len()) != Ok(expected) {
            return Err(FrontierError::Count { size, expected, found: nodes.len() });
        }
        Ok(Self { size, nodes })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, largest subtree first.
    #[must_use]
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut left = self.size;
        while left & 1 == 1 {
            let Some(sibling) = self.nodes.pop() else { break };
            node = node_hash(&sibling, &node);
            left >>= 1;
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        match nodes.next() {
            None => empty_root(),
            Some(last) => nodes.fold(*last, |root, node| node_hash(node, &root)),
        }
    }

    /// The stored form: the size as eight bytes, most significant first, then the hashes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.nodes.len());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for node in &self.nodes {
            bytes.extend_from_slice(&node.0);
        }
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// [`FrontierError`] where the bytes have another shape.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let Some((size, rest)) = bytes.split_first_chunk::<8>() else { return Err(FrontierError::Length) };
        let (hashes, []) = rest.as_chunks::<32>() else { return Err(FrontierError::Length) };
        Self::from_parts(u64::from_be_bytes(*size), hashes.iter().copied().map(Hash).collect())
    }
}
