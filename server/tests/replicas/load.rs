//! Clients that ask all the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::fleet::until;

/// Clients that ask over and over.
pub(crate) struct Load {
    going: Arc<AtomicBool>,
    statuses: Arc<Mutex<BTreeMap<u16, usize>>>,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn new(
        going: Arc<AtomicBool>,
        statuses: Arc<Mutex<BTreeMap<u16, usize>>>,
        workers: Vec<tokio::task::JoinHandle<()>>,
    ) -> Self {
        Self { going, statuses, workers }
    }

    pub(crate) fn seen(&self, status: u16) -> usize {
        self.statuses.lock().unwrap().get(&status).copied().unwrap_or(0)
    }

    /// Waits until a status was seen so often more.
    pub(crate) async fn more(&self, status: u16, count: usize) {
        let before = self.seen(status);
        until(&format!("{count} more of {status}"), || async { self.seen(status) >= before + count }).await;
    }

    pub(crate) async fn stop(self) -> BTreeMap<u16, usize> {
        self.going.store(false, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.unwrap();
        }
        let statuses = self.statuses.lock().unwrap();
        statuses.clone()
    }
}
