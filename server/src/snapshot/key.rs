//! A virtual key as the hot path knows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Chains, Declared};
use crate::keys::VirtualKey;
use governor::DefaultDirectRateLimiter;

/// A key with all that follows from its scope, roles and settings.
#[derive(Debug)]
pub struct KeyEntry {
    /// Its public id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The scope that it belongs to.
    pub scope: String,
    /// Its roles, with `role:`.
    pub roles: Vec<String>,
    /// Models that its roles, its own list and its scope's endpoints leave it.
    pub models: BTreeSet<String>,
    /// Purposes that it may declare.
    pub purposes: Vec<String>,
    /// What is declared for its requests.
    pub declared: Declared,
    /// The budgets up its chain, its own first, by the model asked for.
    pub budgets: Chains,
    /// Its rate limit; kept from one snapshot to the next.
    pub rate: Option<Arc<DefaultDirectRateLimiter>>,
    /// The rate limit's number, requests a minute.
    pub requests_per_minute: Option<std::num::NonZeroU32>,
    pub(super) digest: [u8; 32],
    pub(super) expires_ms: Option<i64>,
    pub(super) revoked_ms: Option<i64>,
    /// Rotated: its successor is in use and it works until then.
    pub(super) overlap_until_ms: Option<i64>,
}

/// Whether a key that was presented may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It may.
    Valid,
    /// The secret is another one.
    WrongSecret,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// It was rotated and the overlap is over.
    Rotated,
}

impl KeyEntry {
    /// Whether `presented` is this key and usable at `now_ms`.
    #[must_use]
    pub fn check(&self, presented: &VirtualKey, now_ms: i64) -> KeyState {
        // The secret first: who does not hold it learns nothing about the key's state.
        if !presented.matches(&self.digest) {
            return KeyState::WrongSecret;
        }
        self.state(now_ms)
    }

    /// Whether it is usable at `now_ms` by whoever holds it.
    #[must_use]
    pub fn state(&self, now_ms: i64) -> KeyState {
        let passed = |instant: Option<i64>| instant.is_some_and(|instant| instant <= now_ms);
        if self.revoked_ms.is_some() {
            KeyState::Revoked
        } else if passed(self.expires_ms) {
            KeyState::Expired
        } else if passed(self.overlap_until_ms) {
            KeyState::Rotated
        } else {
            KeyState::Valid
        }
    }
}
