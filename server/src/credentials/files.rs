//! Files of credentials, read by threads of their own: whatever stands still where one of them is, a network's file system
//! most often, whoever asks goes on after a bounded time, and asks nobody for that file again before the first answer came.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::References;
use super::source::read_file;

/// How long whoever asks waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// Threads that read for one who asks.
const THREADS: usize = 8;

/// What a file holds, or why it cannot be read.
pub(super) type Content = Result<Zeroizing<String>, String>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Files {
    references: Arc<References>,
    under_way: Arc<Mutex<BTreeSet<PathBuf>>>,
    patience: Option<Duration>,
}

fn locked(paths: &Mutex<BTreeSet<PathBuf>>) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
    paths.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Files {
    pub(super) fn new(references: References) -> Self {
        Self { references: Arc::new(references), ..Self::default() }
    }

    pub(super) fn references(&self) -> &References {
        &self.references
    }

    /// What one file holds.
    pub(super) fn read(&self, path: &Path) -> Content {
        let read = self.read_all(std::iter::once(path.to_owned()));
        read.into_values().next().unwrap_or_else(|| Err(silent()))
    }

    /// What these files hold, each as far as it could be read in time.
    pub(super) fn read_all(&self, paths: impl Iterator<Item = PathBuf>) -> HashMap<PathBuf, Content> {
        let mut read: HashMap<PathBuf, Content> = HashMap::new();
        let mut queue = VecDeque::new();
        {
            let mut under_way = locked(&self.under_way);
            for path in paths {
                if read.contains_key(&path) {
                    continue;
                }
                read.insert(path.clone(), Err(silent()));
                if under_way.insert(path.clone()) {
                    queue.push_back(path);
                }
            }
        }
        let mut waits = queue.len();
        let threads = waits.min(THREADS);
        let queue = Arc::new(Mutex::new(queue));
        let (tell, told) = channel();
        for _ in 0..threads {
            let (queue, tell) = (Arc::clone(&queue), tell.clone());
            let (references, under_way) = (Arc::clone(&self.references), Arc::clone(&self.under_way));
            let reading = move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some(path) = next() {
                    let content = read_file(&path, Some(&references)).map(Zeroizing::new);
                    locked(&under_way).remove(&path);
                    // Whoever asked may have gone on.
                    let _ = tell.send((path, content));
                }
            };
            if let Err(error) = std::thread::Builder::new().name(String::from("credentials")).spawn(reading) {
                tracing::warn!(%error, "no thread reads the files of credentials");
            }
        }
        drop(tell);
        let end = Instant::now() + self.patience.unwrap_or(PATIENCE);
        while waits > 0 {
            match told.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok((path, content)) => {
                    read.insert(path, content);
                    waits -= 1;
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    // Without threads nothing was begun.
                    let mut under_way = locked(&self.under_way);
                    for path in queue.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                        under_way.remove(&path);
                    }
                    break;
                }
            }
        }
        read
    }
}

fn silent() -> String {
    String::from("it is not answered when it is read")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A file system that stands still cannot be had in a test; what is told of the file is the same.
    #[test]
    fn a_file_that_is_not_answered_holds_up_nobody_for_long_and_is_asked_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good");
        std::fs::write(&good, "sk-1").unwrap();
        let away = folder.path().join("away");
        std::fs::write(&away, "sk-2").unwrap();
        let files = Files { patience: Some(Duration::from_millis(200)), ..Files::default() };
        assert_eq!(files.read(&good).unwrap().as_str(), "sk-1");
        assert!(locked(&files.under_way).is_empty());
        // Somebody asked for it, and no answer came yet.
        locked(&files.under_way).insert(away.clone());
        let began = Instant::now();
        let read = files.read_all([away.clone(), good.clone()].into_iter());
        assert_eq!(read[&good].as_ref().unwrap().as_str(), "sk-1");
        assert!(read[&away].as_ref().unwrap_err().contains("not answered"));
        assert!(began.elapsed() < Duration::from_secs(2));
        // It came.
        locked(&files.under_way).remove(&away);
        assert_eq!(files.read(&away).unwrap().as_str(), "sk-2");
        let missing = folder.path().join("missing");
        assert!(files.read(&missing).is_err());
        assert!(locked(&files.under_way).is_empty(), "what failed may be tried again");
        let many: Vec<PathBuf> = (0..40).map(|at| folder.path().join(format!("{at}"))).collect();
        many.iter().for_each(|path| std::fs::write(path, "x").unwrap());
        let read = files.read_all(many.into_iter());
        assert!(read.len() == 40 && read.values().all(Result::is_ok));
    }
}
