//! A hash of budgets' ids. They are given out by the database, so nobody can choose them to collide.

use std::hash::{BuildHasherDefault, Hasher};

/// A map from ids of budgets.
pub(super) type ById<T> = std::collections::HashMap<i64, T, BuildHasherDefault<IdHasher>>;

/// Fibonacci hashing of one integer.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // 2^64 divided by the golden ratio: spreads neighbours over the upper bits, which the map looks at too.
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, id: i64) {
        self.write_u64(id.cast_unsigned());
    }
}
