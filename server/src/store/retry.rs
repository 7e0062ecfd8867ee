//! Doing again what the database undid.
//!
//! A database that runs transactions beside one another may undo one of them (SQLSTATE 40001, 40P01) and expects
//! its client to begin it anew. A distributed one does so often. Nothing else is done again here: after a lost
//! connection nobody knows whether the change is there.

use std::fmt;
use std::time::Duration;

use super::StoreError;

/// How often something is tried.
const TRIES: u32 = 6;
/// The first pause; each is twice the one before, and a random part of it is waited.
const PAUSE_MS: u64 = 10;

/// Does `work` until it is done or fails for another reason than [`StoreError::Contended`].
pub(super) async fn contended<T, W>(work: impl Fn() -> W + Send) -> Result<T, StoreError>
where
    W: Future<Output = Result<T, StoreError>> + Send,
{
    let mut tries = Tries::new();
    loop {
        match work().await {
            Err(StoreError::Contended(why)) if tries.again(&why).await => {}
            done => return done,
        }
    }
}

/// How often something was tried, for what can't be handed over as a whole.
#[derive(Debug)]
pub(crate) struct Tries(u32);

impl Tries {
    /// It is tried for the first time.
    pub(crate) const fn new() -> Self {
        Self(1)
    }

    /// Waits a little, if it is to be tried again.
    pub(crate) async fn again(&mut self, why: &(impl fmt::Display + Sync + ?Sized)) -> bool {
        if self.0 >= TRIES {
            return false;
        }
        tracing::debug!(attempt = self.0, %why, "trying the transaction again");
        tokio::time::sleep(pause(self.0)).await;
        self.0 = self.0.saturating_add(1);
        true
    }
}

/// Two that undid each other must not meet again.
fn pause(attempt: u32) -> Duration {
    let most = PAUSE_MS << attempt.min(8);
    let share = getrandom::u32().map_or(most, u64::from);
    Duration::from_millis(1 + share % most)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn tries(fail: u32, with: fn() -> StoreError) -> (Result<u32, StoreError>, u32) {
        let tries = AtomicU32::new(0);
        let done = contended(|| async {
            let before = tries.fetch_add(1, Ordering::Relaxed);
            if before < fail { Err(with()) } else { Ok(before) }
        });
        (done.await, tries.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn what_was_undone_is_done_again_and_nothing_else_is() {
        let undone = || StoreError::Contended("deadlock detected".into());
        assert!(matches!(tries(3, undone).await, (Ok(3), 4)));
        assert!(matches!(tries(100, undone).await, (Err(StoreError::Contended(_)), TRIES)));
        let lost = || StoreError::Unavailable("connection reset".into());
        assert!(matches!(tries(3, lost).await, (Err(StoreError::Unavailable(_)), 1)));
    }
}
