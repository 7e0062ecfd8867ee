//! The tree against the Certificate Transparency test vectors and against the RFC's definition.

use bailiwick_ledger::{
    Hash,
    merkle::{
        Frontier, MemoryTree, Node, Nodes, ProofError, TILE_WIDTH, Tile, completed_tiles, consistency_plan,
        empty_root, frontier_plan, inclusion_plan, leaf_hash, node_hash, tile_node, tile_of,
        verify_consistency, verify_inclusion,
    },
};
use proptest::prelude::*;

/// The eight leaves and the roots of the growing tree that the CT implementations share
/// (<https://github.com/transparency-dev/merkle/blob/main/testonly/constants.go>).
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hash(text: &str) -> Hash {
    text.parse().unwrap()
}

fn ct_leaves() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())).collect()
}

#[test]
fn roots_as_in_certificate_transparency() {
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), hash(ROOTS[0]));
    for (leaf, root) in ct_leaves().into_iter().zip(&ROOTS[1..]) {
        frontier.push(leaf);
        assert_eq!(frontier.root(), hash(root));
    }
    let tree: MemoryTree = ct_leaves().into_iter().collect();
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(tree.root(size), Ok(hash(root)));
    }
}

#[test]
fn proofs_as_in_certificate_transparency() {
    let tree: MemoryTree = ct_leaves().into_iter().collect();
    let inclusion = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(inclusion_plan(5, 8).unwrap().build(&tree).unwrap(), inclusion.map(hash));
    let consistency = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(consistency_plan(6, 8).unwrap().build(&tree).unwrap(), consistency.map(hash));
}

/// `MTH`, `PATH` and `SUBPROOF` word for word from RFC 9162, section 2.1.
mod naive {
    use super::{Hash, empty_root, node_hash};

    fn split(size: usize) -> usize {
        size.next_power_of_two() / 2
    }

    pub(super) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node_hash(&root(left), &root(right))
            }
        }
    }

    pub(super) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut proof, sibling) =
            if index < k { (path(index, left), root(right)) } else { (path(index - k, right), root(left)) };
        proof.push(sibling);
        proof
    }

    pub(super) fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut proof, sibling) = if old <= k {
            (subproof(old, left, whole), root(right))
        } else {
            (subproof(old - k, right, false), root(left))
        };
        proof.push(sibling);
        proof
    }
}

fn leaves(size: usize) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

#[test]
fn every_proof_of_every_small_tree() {
    let all = leaves(40);
    let tree: MemoryTree = all.iter().copied().collect();
    for size in 0..=all.len() {
        let (leaves, size64) = (&all[..size], size as u64);
        let root = naive::root(leaves);
        assert_eq!(tree.root(size64), Ok(root));
        for index in 0..size {
            let proof = inclusion_plan(index as u64, size64).unwrap().build(&tree).unwrap();
            assert_eq!(proof, naive::path(index, leaves), "leaf {index} of {size}");
            assert_eq!(verify_inclusion(&leaves[index], index as u64, size64, &proof, &root), Ok(()));
        }
        for old in 0..=size {
            let proof = consistency_plan(old as u64, size64).unwrap().build(&tree).unwrap();
            if old > 0 {
                assert_eq!(proof, naive::subproof(old, leaves, true), "{old} to {size}");
            }
            let old_root = naive::root(&leaves[..old]);
            assert_eq!(verify_consistency(old as u64, &old_root, size64, &root, &proof), Ok(()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn proofs_of_larger_trees(size in 1_usize..1500, pick: prop::sample::Index, other: prop::sample::Index) {
        let leaves = leaves(size);
        let tree: MemoryTree = leaves.iter().copied().collect();
        let (index, old, size64) = (pick.index(size), other.index(size) + 1, size as u64);
        let root = naive::root(&leaves);
        let inclusion = inclusion_plan(index as u64, size64).unwrap().build(&tree).unwrap();
        prop_assert_eq!(&inclusion, &naive::path(index, &leaves));
        prop_assert_eq!(verify_inclusion(&leaves[index], index as u64, size64, &inclusion, &root), Ok(()));
        let consistency = consistency_plan(old as u64, size64).unwrap().build(&tree).unwrap();
        prop_assert_eq!(&consistency, &naive::subproof(old, &leaves, true));
        let old_root = naive::root(&leaves[..old]);
        prop_assert_eq!(verify_consistency(old as u64, &old_root, size64, &root, &consistency), Ok(()));
    }

    /// A proof with a hash changed, removed or added, or for another place, proves nothing.
    #[test]
    fn altered_proofs_fail(size in 2_usize..300, pick: prop::sample::Index, at: prop::sample::Index, bit in 0_u8..8) {
        let leaves = leaves(size);
        let tree: MemoryTree = leaves.iter().copied().collect();
        let (index, size64) = (pick.index(size), size as u64);
        let root = naive::root(&leaves);
        let proof = inclusion_plan(index as u64, size64).unwrap().build(&tree).unwrap();
        let verify = |index: u64, size: u64, proof: &[Hash]| {
            verify_inclusion(&leaves[pick.index(leaves.len())], index, size, proof, &root)
        };
        let mut changed = proof.clone();
        let hash = at.index(proof.len());
        changed[hash].0[at.index(32)] ^= 1 << bit;
        prop_assert_eq!(verify(index as u64, size64, &changed), Err(ProofError::Mismatch));
        prop_assert!(verify(index as u64, size64, &proof[1..]).is_err());
        prop_assert!(verify(index as u64, size64, &[proof.as_slice(), &proof[..1]].concat()).is_err());
        prop_assert!(verify((index as u64 + 1) % size64, size64, &proof).is_err());
        prop_assert!(verify(size64, size64, &proof).is_err());
    }

    #[test]
    fn altered_consistency_fails(size in 3_u64..300, pick: prop::sample::Index, at: prop::sample::Index) {
        let tree: MemoryTree = leaves(300).into_iter().collect();
        let old = pick.index(usize::try_from(size).unwrap() - 2) as u64 + 1;
        let (old_root, root) = (tree.root(old).unwrap(), tree.root(size).unwrap());
        let proof = consistency_plan(old, size).unwrap().build(&tree).unwrap();
        let mut changed = proof.clone();
        changed[at.index(proof.len())].0[at.index(32)] ^= 1;
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &changed), Err(ProofError::Mismatch));
        prop_assert!(verify_consistency(old, &old_root, size, &root, &proof[1..]).is_err());
        prop_assert!(verify_consistency(old, &root, size, &root, &proof).is_err());
        prop_assert!(verify_consistency(old, &old_root, size, &old_root, &proof).is_err());
        prop_assert!(verify_consistency(size, &root, old, &old_root, &proof).is_err());
    }

    /// Proofs hold for any size that a log can have, not only for those that fit in memory.
    #[test]
    fn plans_of_huge_trees(size in 1_u64..=(1 << 53), pick: u64) {
        let index = pick % size;
        let plan = inclusion_plan(index, size).unwrap();
        let subtree = |node: Node| (node.index << node.level, (node.index + 1) << node.level);
        let mut covered: Vec<_> = plan.nodes().map(subtree).chain([(index, index + 1)]).collect();
        covered.sort_unstable();
        let mut at = 0;
        for (start, end) in covered {
            prop_assert_eq!(start, at);
            at = end;
        }
        prop_assert_eq!(at, size);
        prop_assert_eq!(frontier_plan(size).nodes().count() as u32, size.count_ones());
    }
}

#[test]
fn a_frontier_survives_storage_and_resumes() {
    let leaves = leaves(300);
    let tree: MemoryTree = leaves.iter().copied().collect();
    let mut grown = Frontier::new();
    for (size, leaf) in (0..).zip(&leaves) {
        assert_eq!(tree.frontier(size), Ok(grown.clone()));
        let stored = grown.to_bytes();
        assert_eq!(Frontier::from_bytes(&stored), Ok(grown.clone()));
        assert!(Frontier::from_bytes(&stored[1..]).is_err());
        assert!(Frontier::from_bytes(&[stored.as_slice(), &[0; 32]].concat()).is_err());
        grown.push(*leaf);
    }
    assert_eq!(grown.root(), naive::root(&leaves));
    assert!(tree.frontier(301).is_err());
    assert!(inclusion_plan(300, 300).is_err());
    assert!(consistency_plan(301, 300).is_err());
}

#[test]
fn tiles_hold_every_complete_subtree_below_the_edge() {
    assert_eq!(completed_tiles(0, 255).count(), 0);
    assert_eq!(completed_tiles(255, 256).collect::<Vec<_>>(), [Tile { level: 0, index: 0 }]);
    assert_eq!(
        completed_tiles(65_535, 65_536).collect::<Vec<_>>(),
        [Tile { level: 0, index: 255 }, Tile { level: 1, index: 0 }]
    );
    assert_eq!(completed_tiles(200, 1000).map(|tile| tile.index).collect::<Vec<_>>(), [0, 1, 2]);

    let size = 3 * TILE_WIDTH + 17;
    let tree: MemoryTree = leaves(usize::try_from(size).unwrap()).into_iter().collect();
    for level in 0..=8_u8 {
        for index in 0..(3 * TILE_WIDTH) >> level {
            let node = Node { level, index };
            let (tile, height, within) = tile_of(node);
            let first = tile.index * TILE_WIDTH;
            let hashes: Vec<_> = (first..first + TILE_WIDTH)
                .filter_map(|index| tree.node(Node { level: tile.level * 8, index }).ok())
                .collect();
            assert_eq!(tile_node(&hashes, height, within), tree.node(node).ok(), "{node:?}");
        }
    }
    assert_eq!(tile_node(&[], 0, 0), None);
    assert_eq!(tile_node(&[empty_root(); 3], 2, 0), None);
    assert_eq!(tile_node(&[empty_root(); 3], 200, u64::MAX), None);
}
