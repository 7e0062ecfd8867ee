//! A whole tree in memory: for tests, tools and logs that fit.

use super::{Frontier, Hash, Node, Nodes, ProofError, frontier_plan, node_hash};

/// Every complete subtree of a tree, a row for each level. Takes 64 bytes a leaf.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    rows: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.rows.first().map_or(0, |row| row.len() as u64)
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for row in &mut self.rows {
            row.push(node);
            match row.as_chunks::<2>() {
                (pairs, []) => match pairs.last() {
                    Some([left, right]) => node = node_hash(left, right),
                    None => return,
                },
                _ => return,
            }
        }
        self.rows.push(vec![node]);
    }

    /// The frontier that the tree had at `size` leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::OutOfRange`] where the tree is smaller than that.
    pub fn frontier(&self, size: u64) -> Result<Frontier, ProofError> {
        if size > self.size() {
            return Err(ProofError::OutOfRange { what: size, size: self.size() });
        }
        let nodes = frontier_plan(size).build(self)?;
        Frontier::from_parts(size, nodes).map_err(|_| ProofError::Length)
    }

    /// The root that the tree had at `size` leaves.
    ///
    /// # Errors
    ///
    /// [`ProofError::OutOfRange`] where the tree is smaller than that.
    pub fn root(&self, size: u64) -> Result<Hash, ProofError> {
        Ok(self.frontier(size)?.root())
    }
}

impl Extend<Hash> for MemoryTree {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        tree.extend(leaves);
        tree
    }
}

impl Nodes for MemoryTree {
    type Error = ProofError;

    fn node(&self, node: Node) -> Result<Hash, ProofError> {
        let found = self.rows.get(usize::from(node.level)).zip(usize::try_from(node.index).ok());
        found
            .and_then(|(row, index)| row.get(index).copied())
            .ok_or(ProofError::OutOfRange { what: node.index, size: self.size() })
    }
}
