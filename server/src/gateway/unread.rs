//! Requests of a valid key that were refused before there was anything to decide: a broken body, an unknown header, too
//! many of them. Counted, so that the log knows of each and a flood of them is no flood of records.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bailiwick_ledger::{Draft, Kind};
use serde::Serialize;

use super::record::{RecordError, Salts, section};
use super::refusal::Refusal;
use crate::audit::{Audit, Entry};
use crate::snapshot::KeyEntry;

/// Counts since the last record: by key, with its scope, and by code. As many as there are keys and codes at most.
#[derive(Debug, Default)]
pub struct Unread {
    counts: Mutex<BTreeMap<(String, String), Codes>>,
}

type Codes = BTreeMap<&'static str, u64>;

/// The section `refused`.
#[derive(Serialize)]
struct Refused<'a> {
    count: u64,
    codes: &'a Codes,
}

impl Unread {
    /// One more.
    pub fn add(&self, key: &KeyEntry, refusal: &Refusal) {
        self.put(&(key.scope.clone(), key.id.clone()), refusal.code.as_str(), 1);
    }

    fn put(&self, by: &(String, String), code: &'static str, count: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = counts.entry(by.clone()).or_default().entry(code).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Writes a record for each key that had any since the last time. Called once a minute and at shutdown.
    ///
    /// # Errors
    /// [`RecordError`]; what is not recorded is kept for the next time.
    pub async fn flush(&self, audit: &Audit, now_ms: i64) -> Result<(), RecordError> {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        let mut result = Ok(());
        for (by, codes) in counts {
            if result.is_ok() {
                result = write(audit, &by, &codes, now_ms).await;
                if result.is_ok() {
                    continue;
                }
            }
            for (code, count) in codes {
                self.put(&by, code, count);
            }
        }
        result
    }
}

async fn write(
    audit: &Audit,
    (scope, key): &(String, String),
    codes: &Codes,
    now_ms: i64,
) -> Result<(), RecordError> {
    let count = codes.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let mut salts = Salts::new(1);
    let draft = Draft::new(Kind::Refusal, now_ms)
        .scope(scope.clone())
        .id("key", key.clone())
        .section(section("refused", &Refused { count, codes }, &mut salts)?);
    audit.append(Entry::new(draft)).await?;
    Ok(())
}
