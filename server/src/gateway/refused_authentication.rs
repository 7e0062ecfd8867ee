//! Refused authentication, aggregated: a flood of bad keys must not become a flood of records.

use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_ledger::{Draft, Kind};
use serde::Serialize;

use super::record::{RecordError, Salts, section};
use crate::audit::{Audit, Entry};

/// Counts since the last record.
#[derive(Debug, Default)]
pub struct RefusedAuthentication {
    count: AtomicU64,
}

#[derive(Serialize)]
struct Refused {
    count: u64,
}

impl RefusedAuthentication {
    /// One more.
    pub fn add(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
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
        let write = async {
            let mut salts = Salts::new(1);
            let draft = Draft::new(Kind::RefusedAuthentication, now_ms).section(section(
                "refused",
                &Refused { count },
                &mut salts,
            )?);
            audit.append(Entry::new(draft)).await?;
            Ok(())
        };
        let written = write.await;
        if written.is_err() {
            self.count.fetch_add(count, Ordering::Relaxed);
        }
        written
    }
}
