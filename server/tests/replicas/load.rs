//! Clients that ask all the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::fleet::{PATIENCE, until};

/// What clients saw.
pub(crate) struct Seen {
    statuses: Mutex<BTreeMap<u16, usize>>,
    /// How often each server served.
    served: Vec<AtomicUsize>,
}

impl Seen {
    /// Nothing yet, by so many servers.
    pub(crate) fn by(servers: usize) -> Self {
        Self { statuses: Mutex::default(), served: (0..servers).map(|_| AtomicUsize::new(0)).collect() }
    }

    /// The server number `at` answered with this status; 0 where the answer broke off.
    pub(crate) fn note(&self, at: usize, status: u16) {
        *self.statuses.lock().unwrap().entry(status).or_insert(0) += 1;
        if status == 200 {
            self.served[at].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Clients that ask over and over.
pub(crate) struct Load {
    going: Arc<AtomicBool>,
    seen: Arc<Seen>,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn new(
        going: Arc<AtomicBool>,
        seen: Arc<Seen>,
        workers: Vec<tokio::task::JoinHandle<()>>,
    ) -> Self {
        Self { going, seen, workers }
    }

    pub(crate) fn seen(&self, status: u16) -> usize {
        self.seen.statuses.lock().unwrap().get(&status).copied().unwrap_or(0)
    }

    /// Waits until a status was seen so often more.
    pub(crate) async fn more(&self, status: u16, count: usize) {
        let before = self.seen(status);
        until(&format!("{count} more of {status}"), || async { self.seen(status) >= before + count }).await;
    }

    /// Waits, on a thread of the test's own, until the server number `at` has served so often more.
    pub(crate) fn wait_until_served(&self, at: usize, count: usize) {
        let served = || self.seen.served[at].load(Ordering::Relaxed);
        let (before, began) = (served(), Instant::now());
        while served() < before + count {
            assert!(began.elapsed() < PATIENCE, "replica {at} never serves {count} more");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) async fn stop(self) -> BTreeMap<u16, usize> {
        self.going.store(false, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.unwrap();
        }
        let statuses = self.seen.statuses.lock().unwrap();
        statuses.clone()
    }
}
