//! A virtual key as the hot path knows it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{Chains, Declared};
use crate::keys::{Networks, VirtualKey};
use crate::organisation::Ceiling;

/// How exactly the last use is known, in milliseconds.
const USE_MS: i64 = 1_000;

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
    /// The endpoints that it is limited to, by name; `None` is not limited.
    pub endpoints: Option<Vec<String>>,
    /// Purposes that it may declare.
    pub purposes: Vec<String>,
    /// Whether it is one person's.
    pub owned: bool,
    /// Where it is used.
    pub environment: Option<String>,
    /// The most that its requests may hold.
    pub ceiling: Ceiling,
    /// Where it may be used from; anywhere where absent.
    pub networks: Option<Networks>,
    /// What is declared for its requests.
    pub declared: Declared,
    /// The budgets and limits up its chain, its own first, by the model asked for.
    pub budgets: Chains,
    pub(super) digest: [u8; 32],
    pub(super) expires_ms: Option<i64>,
    pub(super) revoked_ms: Option<i64>,
    pub(super) disabled: bool,
    /// Rotated: its successor is in use and it works until then.
    pub(super) overlap_until_ms: Option<i64>,
    /// When it was last used here; kept from one snapshot to the next.
    pub(super) used_ms: Arc<AtomicI64>,
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
    /// It was disabled and may be enabled again.
    Disabled,
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
        } else if self.disabled {
            KeyState::Disabled
        } else if passed(self.expires_ms) {
            KeyState::Expired
        } else if passed(self.overlap_until_ms) {
            KeyState::Rotated
        } else {
            KeyState::Valid
        }
    }

    /// Whether it may be used from an address; from nowhere known only where it is limited to no network.
    #[must_use]
    pub fn reaches(&self, client: Option<IpAddr>) -> bool {
        self.networks.as_ref().is_none_or(|networks| client.is_some_and(|client| networks.hold(client)))
    }

    /// Notes that it was used. It is written down now and then, not here.
    pub fn used(&self, now_ms: i64) {
        // Mostly a read: many requests of one key must not fight over its cache line.
        if now_ms.saturating_sub(self.used_ms.load(Ordering::Relaxed)) >= USE_MS {
            self.used_ms.fetch_max(now_ms, Ordering::Relaxed);
        }
    }

    /// When it was last used on this server since that started, Unix milliseconds, to the second; 0 is never.
    #[must_use]
    pub fn last_used_ms(&self) -> i64 {
        self.used_ms.load(Ordering::Relaxed)
    }

    /// Whether `presented` is this key, whatever state it is in.
    #[must_use]
    pub fn is(&self, presented: &VirtualKey) -> bool {
        presented.matches(&self.digest)
    }
}
