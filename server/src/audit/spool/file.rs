//! The spool's file.
//!
//! A frame is 16 bytes and its body: `BWS1`, the length of the body and its CRC-32, each in four bytes, most significant
//! first, and the CRC-32 of these twelve. The first body says whose spool it is, each other one is a [`Frame`] in JSON.
//! A frame is written and synced before the next one is begun, so only the last can be torn: it is too short, or holds
//! zeros where nothing came on the disk. Nothing of a torn one was ever told to anybody. Any other damage is damage.
//! What cannot be seen is a file that somebody cut off where a frame ends, or in the last one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::SpoolConfig;
use super::frame::Frame;
use crate::store::replicas::ReplicaNumber;

const MAGIC: &[u8; 4] = b"BWS1";
const HEAD: usize = 16;
/// What comes on a disk comes in pieces of this, or of a multiple of it.
const SECTOR: usize = 512;

/// Why a spool is not read, or not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// The operating system.
    #[error("{path}: {why}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        why: String,
    },
    /// Another process, or an earlier life of this one, still has it.
    #[error("{0} is held by a server that has not let go of it yet")]
    Held(String),
    /// It holds as much as it may.
    #[error("the spool is full: it holds {held} bytes of at most {most}")]
    Full {
        /// What it holds.
        held: u64,
        /// What it may hold.
        most: u64,
    },
    /// What was synced is not there any more.
    #[error(
        "{path} is damaged at byte {at}: {why}. It holds records that are nowhere else. Put back an intact copy of the \
         file; or, to give up what cannot be read, move it out of the data directory and keep it, start again, and say \
         that it is lost with `bailiwick replicas lost`, which names the replica and records the loss"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// Where the frame begins.
        at: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Whose spool it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    log: String,
    replica: i64,
}

/// A spool as a process left it.
#[derive(Debug)]
pub(crate) struct Left {
    /// The log that the records belong to.
    pub(crate) log: String,
    /// The replica whose they are.
    pub(crate) replica: ReplicaNumber,
    pub(crate) frames: Vec<Arc<Frame>>,
}

/// The spool of this process, locked.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Arc<File>,
    path: PathBuf,
    /// The bytes that are synced.
    length: u64,
    /// Those of them that say whose it is.
    head: u64,
    most: u64,
    /// Nobody knows what the file holds after `length`.
    broken: bool,
    /// The last frame did not get in.
    refused: bool,
}

fn open(path: &Path, create: bool) -> Result<Option<File>, SpoolError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, &error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Held(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(failed(path, &error)),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> SpoolError {
    SpoolError::Io { path: path.display().to_string(), why: error.to_string() }
}

fn framed(body: &[u8]) -> Result<Vec<u8>, String> {
    let length = u32::try_from(body.len()).map_err(|_| String::from("a frame is longer than 4 GiB"))?;
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(body).to_be_bytes());
    let check = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&check.to_be_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// The length of the body and its checksum, as the head says that `bytes` begin with.
fn head(bytes: &[u8]) -> Option<(usize, u32)> {
    let (head, _) = bytes.split_first_chunk::<HEAD>()?;
    let [m0, m1, m2, m3, l0, l1, l2, l3, b0, b1, b2, b3, c0, c1, c2, c3] = *head;
    let whole = crc32fast::hash(&[m0, m1, m2, m3, l0, l1, l2, l3, b0, b1, b2, b3])
        == u32::from_be_bytes([c0, c1, c2, c3])
        && [m0, m1, m2, m3] == *MAGIC;
    let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    whole.then_some((length, u32::from_be_bytes([b0, b1, b2, b3])))
}

/// A body, and what comes after it.
type Unframed<'b> = (&'b [u8], &'b [u8]);

/// The first body of `bytes` and what comes after it; `None` where it is torn, and nothing comes after it.
fn unframe(bytes: &[u8]) -> Result<Option<Unframed<'_>>, &'static str> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let Some((_, rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
    let Some((length, check)) = head(bytes) else { return Err("no frame begins there") };
    let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    if crc32fast::hash(body) != check {
        // JSON has no zero: what should have come there did not.
        if rest.is_empty() && body.contains(&0) {
            return Ok(None);
        }
        return Err("its checksum is another one");
    }
    Ok(Some((body, rest)))
}

/// Reads the spool that a process left; `None` where there is none.
///
/// # Errors
/// [`SpoolError`].
pub(crate) fn read(path: &Path) -> Result<Option<Left>, SpoolError> {
    let Some(mut file) = open(path, false)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| failed(path, &error))?;
    parse(path, &bytes)
}

/// Whether `rest`, of which the first bytes are no head, is the last frame, of whose head a sector did not come on the
/// disk; it begins at the byte number `at` of the file.
fn has_torn_head(rest: &[u8], at: usize) -> bool {
    let ends = SECTOR.saturating_sub(at % SECTOR).min(rest.len());
    let (first, then) = rest.split_at_checked(ends).unwrap_or((rest, &[]));
    let second = then.get(..then.len().min(SECTOR)).unwrap_or_default();
    let missing = |sector: &[u8]| !sector.is_empty() && sector.iter().all(|byte| *byte == 0);
    // A later frame was begun only when this one was on the disk.
    (missing(first) || (ends < HEAD && missing(second)))
        && !rest.windows(HEAD).any(|bytes| bytes.starts_with(MAGIC) && head(bytes).is_some())
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Option<Left>, SpoolError> {
    let damaged = |rest: &[u8], why: String| SpoolError::Damaged {
        path: path.display().to_string(),
        at: u64::try_from(bytes.len().saturating_sub(rest.len())).unwrap_or(u64::MAX),
        why,
    };
    let mut rest = bytes;
    let mut left: Option<Left> = None;
    loop {
        let (body, after) = match unframe(rest) {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) if has_torn_head(rest, bytes.len().saturating_sub(rest.len())) => break,
            Err(why) => return Err(damaged(rest, why.to_owned())),
        };
        match &mut left {
            None => {
                let owner: Owner =
                    serde_json::from_slice(body).map_err(|error| damaged(rest, error.to_string()))?;
                let replica = ReplicaNumber::new(owner.replica);
                left = Some(Left { log: owner.log, replica, frames: Vec::new() });
            }
            Some(left) => {
                let frame = Frame::decode(body).map_err(|why| damaged(rest, why))?;
                left.frames.push(Arc::new(frame));
            }
        }
        rest = after;
    }
    Ok(left)
}

impl Spool {
    /// Takes the file for `replica`, empty.
    pub(crate) fn create(
        config: &SpoolConfig,
        log: &str,
        replica: ReplicaNumber,
    ) -> Result<Self, SpoolError> {
        let path = config.path.clone();
        let error = |error: std::io::Error| failed(&path, &error);
        let owner = Owner { log: log.to_owned(), replica: replica.get() };
        let body = serde_json::to_vec(&owner).map_err(|why| error(std::io::Error::other(why)))?;
        let head = framed(&body).map_err(|why| error(std::io::Error::other(why)))?;
        let Some(file) = open(&path, true)? else { return Err(SpoolError::Held(path.display().to_string())) };
        let written = || {
            file.set_len(0)?;
            (&file).seek(SeekFrom::Start(0))?;
            (&file).write_all(&head)?;
            file.sync_all()?;
            // The name too, or the file may be gone with the machine's power.
            match path.parent() {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        written().map_err(error)?;
        let head = u64::try_from(head.len()).unwrap_or(u64::MAX);
        Ok(Self {
            file: Arc::new(file),
            path,
            length: head,
            head,
            most: config.bytes,
            broken: false,
            refused: false,
        })
    }

    /// Makes `frame` durable. Where that fails, nothing of it is in the file.
    pub(crate) async fn append(&mut self, frame: &Frame) -> Result<(), SpoolError> {
        let other = |why: String| SpoolError::Io { path: self.path.display().to_string(), why };
        if self.broken {
            return Err(other(String::from("an earlier write failed, and nobody knows what is in it")));
        }
        let bytes = frame.encode().and_then(|body| framed(&body)).map_err(other)?;
        let from = self.length;
        let to = from.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        // Until one gets in.
        self.refused = true;
        if to > self.most {
            return Err(SpoolError::Full { held: from, most: self.most });
        }
        let file = Arc::clone(&self.file);
        let written = tokio::task::spawn_blocking(move || {
            let write = || {
                (&*file).seek(SeekFrom::Start(from))?;
                (&*file).write_all(&bytes)?;
                file.sync_data()
            };
            // What is left of a write that failed must not look like a frame.
            write().map_err(|error| (error, file.set_len(from).and_then(|()| file.sync_data()).is_err()))
        });
        match written.await {
            Ok(Ok(())) => {
                self.length = to;
                self.refused = false;
                Ok(())
            }
            Ok(Err((error, broken))) => {
                self.broken = broken;
                Err(failed(&self.path, &error))
            }
            Err(error) => {
                self.broken = true;
                Err(SpoolError::Io { path: self.path.display().to_string(), why: error.to_string() })
            }
        }
    }

    /// Everything in it was handed in.
    pub(crate) async fn clear(&mut self) {
        let (file, head) = (Arc::clone(&self.file), self.head);
        let cleared = tokio::task::spawn_blocking(move || {
            file.set_len(head)?;
            file.sync_data()
        });
        match cleared.await {
            Ok(Ok(())) => (self.length, self.refused) = (head, false),
            // What is in it was handed in, so nothing is lost; but nothing may be appended to it.
            Ok(Err(error)) => {
                self.broken = true;
                tracing::warn!(%error, "the spool cannot be emptied, and is used no more until the next start");
            }
            Err(error) => {
                self.broken = true;
                tracing::warn!(%error, "the spool cannot be emptied, and is used no more until the next start");
            }
        }
    }

    /// Whether it is known to take anything.
    pub(crate) const fn is_usable(&self) -> bool {
        !self.broken && !self.refused
    }
}

#[cfg(test)]
mod tests;
