//! Refused authentication, aggregated: a flood of bad keys must not become a flood of records.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_ledger::{Draft, Kind};
use serde::Serialize;

use super::record::{RecordError, Salts, section};
use crate::audit::{Audit, Entry};

/// Keys that are told by name in one record.
const MOST_KEYS: usize = 100;
/// Addresses that are told of one key.
const MOST_CLIENTS: usize = 8;

/// Counts since the last record.
#[derive(Debug, Default)]
pub struct RefusedAuthentication {
    count: AtomicU64,
    /// Valid keys that were used from where they may not be, by id.
    elsewhere: Mutex<BTreeMap<String, Elsewhere>>,
    /// Sign-ins that were refused, by way in and reason: `corp/wrong_nonce`.
    sign_ins: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Clone, Default)]
struct Elsewhere {
    count: u64,
    clients: BTreeSet<IpAddr>,
}

/// The section `refused`.
#[derive(Serialize)]
struct Refused<'a> {
    /// In all.
    count: u64,
    /// Of these, by a valid key from a network that it does not allow.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    elsewhere: BTreeMap<&'a str, u64>,
    /// Of these, sign-ins of people, by way in and reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sign_ins: &'a BTreeMap<String, u64>,
}

/// The section `network`: apart, so that addresses can be destroyed alone.
#[derive(Serialize)]
struct Network<'a> {
    clients: BTreeMap<&'a str, &'a BTreeSet<IpAddr>>,
}

impl RefusedAuthentication {
    /// One more.
    pub fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// One more: the key is valid and may not be used from this address.
    pub fn add_elsewhere(&self, key: &str, client: Option<IpAddr>) {
        self.add();
        let mut elsewhere = self.elsewhere();
        if elsewhere.len() >= MOST_KEYS && !elsewhere.contains_key(key) {
            return;
        }
        let of_key = elsewhere.entry(key.to_owned()).or_default();
        of_key.count += 1;
        if of_key.clients.len() < MOST_CLIENTS {
            of_key.clients.extend(client);
        }
    }

    /// One more: a sign-in. Both words are of closed sets.
    pub fn add_sign_in(&self, way: &str, reason: &str) {
        self.add();
        *self.sign_ins().entry(format!("{way}/{reason}")).or_default() += 1;
    }

    fn sign_ins(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.sign_ins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elsewhere(&self) -> MutexGuard<'_, BTreeMap<String, Elsewhere>> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a record if there were any since the last one. Called once a minute and at shutdown.
    ///
    /// # Errors
    /// [`RecordError`]; the count is kept for the next time.
    pub async fn flush(&self, audit: &Audit, now_ms: i64) -> Result<(), RecordError> {
        let count = self.count.swap(0, Ordering::Relaxed);
        if count == 0 {
            return Ok(());
        }
        let elsewhere = std::mem::take(&mut *self.elsewhere());
        let sign_ins = std::mem::take(&mut *self.sign_ins());
        let written = write(audit, count, &elsewhere, &sign_ins, now_ms).await;
        if written.is_err() {
            self.count.fetch_add(count, Ordering::Relaxed);
            for (way, older) in sign_ins {
                *self.sign_ins().entry(way).or_default() += older;
            }
            let mut newer = self.elsewhere();
            for (key, older) in elsewhere {
                let of_key = newer.entry(key).or_default();
                of_key.count += older.count;
                of_key.clients.extend(older.clients);
            }
        }
        written
    }
}

async fn write(
    audit: &Audit,
    count: u64,
    elsewhere: &BTreeMap<String, Elsewhere>,
    sign_ins: &BTreeMap<String, u64>,
    now_ms: i64,
) -> Result<(), RecordError> {
    let mut salts = Salts::new(2);
    let refused = Refused {
        count,
        elsewhere: elsewhere.iter().map(|(key, of_key)| (key.as_str(), of_key.count)).collect(),
        sign_ins,
    };
    let mut draft =
        Draft::new(Kind::RefusedAuthentication, now_ms).section(section("refused", &refused, &mut salts)?);
    if !elsewhere.is_empty() {
        let clients = elsewhere.iter().map(|(key, of_key)| (key.as_str(), &of_key.clients)).collect();
        draft = draft.section(section("network", &Network { clients }, &mut salts)?);
    }
    audit.append(Entry::new(draft)).await?;
    Ok(())
}
