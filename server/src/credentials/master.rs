//! The master key, which is not in the database: from a file, the environment, or a command that asks a key manager.
//!
//! Whatever it comes from gives one key a line, as 64 hex digits. All of them open; which one seals, the database names,
//! so that servers agree about it. A key's id is a digest of it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::envelope::Key;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A key that is not known is looked for again, but not more often.
const COOL_DOWN: Duration = Duration::from_secs(2);
/// Bytes that are read of whatever gives keys, and keys that are taken.
const MOST_BYTES: u64 = 4096;
const MOST_KEYS: usize = 16;

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MasterKeySource {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A program and its arguments; what it prints.
    Command(Vec<String>),
}

/// The master keys of this server. The `Debug` form shows ids alone.
pub struct MasterKeys {
    source: Option<MasterKeySource>,
    held: Mutex<Held>,
}

struct Held {
    keys: Vec<(String, Key)>,
    read: Instant,
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MasterKeys").field(&self.ids()).finish()
    }
}

impl MasterKeys {
    /// Reads them.
    ///
    /// # Errors
    /// In words, without any part of a key.
    pub fn load(source: MasterKeySource) -> Result<Self, String> {
        let keys = source.read()?;
        Ok(Self { source: Some(source), held: Mutex::new(Held { keys, read: Instant::now() }) })
    }

    /// Those of a text.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Result<Self, String> {
        let keys = parse(text)?;
        Ok(Self { source: None, held: Mutex::new(Held { keys, read: Instant::now() }) })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Their ids, as they were given.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.held().keys.iter().map(|(id, _)| id.clone()).collect()
    }

    /// Whether it has the key of this id, without looking for it again.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.held().keys.iter().any(|(known, _)| known == id)
    }

    /// Reads them again.
    ///
    /// # Errors
    /// In words; those that were known stay.
    pub fn again(&self) -> Result<(), String> {
        let Some(source) = &self.source else { return Ok(()) };
        self.held().read = Instant::now();
        let keys = source.read()?;
        self.held().keys = keys;
        Ok(())
    }

    /// The key of this id; where it is not known they are read again, unless that was a moment ago.
    pub(super) fn get(&self, id: &str) -> Option<Key> {
        let find = |held: &Held| held.keys.iter().find(|(known, _)| known == id).map(|(_, key)| key.clone());
        let waits = {
            let held = self.held();
            if let Some(key) = find(&held) {
                return Some(key);
            }
            held.read.elapsed() < COOL_DOWN
        };
        if waits {
            return None;
        }
        if let Err(why) = self.again() {
            tracing::warn!(why, "the master key cannot be read again");
        }
        find(&self.held())
    }
}

impl MasterKeySource {
    fn read(&self) -> Result<Vec<(String, Key)>, String> {
        let text = match self {
            Self::File(path) => file(path)?,
            Self::Env(name) => Zeroizing::new(
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?,
            ),
            Self::Command(words) => command(words)?,
        };
        parse(&text).map_err(|why| format!("{self}: {why}"))
    }
}

impl std::fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
        }
    }
}

fn file(path: &Path) -> Result<Zeroizing<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let known = std::fs::metadata(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if known.permissions().mode() & 0o007 != 0 {
            return Err(format!(
                "{}: everybody on this machine may use it; `chmod 600` it, and think of the key as known",
                path.display()
            ));
        }
    }
    if !known.is_file() {
        return Err(format!("{}: it is no ordinary file", path.display()));
    }
    let mut text = Zeroizing::new(String::new());
    let open = std::fs::File::open(path).map_err(failed)?;
    open.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Runs the command, without a shell. What it says on standard error goes to the server's own.
fn command(words: &[String]) -> Result<Zeroizing<String>, String> {
    let (program, arguments) = words.split_first().ok_or("the command has no name")?;
    let failed = |error: std::io::Error| format!("the command {program}: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let began = Instant::now();
    let out = child.stdout.take();
    let reading = std::thread::spawn(move || {
        let mut text = Zeroizing::new(String::new());
        let read = out.map(|out| out.take(MOST_BYTES).read_to_string(&mut text));
        read.unwrap_or(Ok(0)).map(|_| text)
    });
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("the command {program} took longer than {} seconds", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if !status.success() {
        return Err(format!("the command {program} failed: {status}"));
    }
    let text = reading.join().map_err(|_| format!("the command {program} could not be read"))?;
    text.map_err(failed)
}

fn parse(text: &str) -> Result<Vec<(String, Key)>, String> {
    let mut keys: Vec<(String, Key)> = Vec::new();
    for line in text.split_whitespace() {
        let mut key: Key = Zeroizing::default();
        hex::decode_to_slice(line, key.as_mut_slice())
            .map_err(|_| String::from("a line is no key of 64 hex digits"))?;
        let id = id(&key);
        if !keys.iter().any(|(known, _)| *known == id) {
            keys.push((id, key));
        }
    }
    if keys.is_empty() {
        return Err(String::from("it holds no key: 64 hex digits, such as `openssl rand -hex 32` prints"));
    }
    if keys.len() > MOST_KEYS {
        return Err(format!(
            "it holds more than {MOST_KEYS} keys: take out those that nothing is sealed under"
        ));
    }
    Ok(keys)
}

/// Sixteen hex digits of a digest: the key is random and of 256 bits, so they tell nothing about it.
fn id(key: &Key) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bailiwick/master-key-id/v1\0");
    hash.update(key.as_slice());
    let digest = hash.finalize();
    format!("mk_{}", hex::encode(digest.first_chunk::<8>().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_a_file_or_a_command_and_are_looked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        crate::app::write_private(&path, &"11".repeat(32)).unwrap();
        let keys = MasterKeys::load(MasterKeySource::File(path.clone())).unwrap();
        let [first] = &keys.ids()[..] else { panic!("{keys:?}") };
        let both = format!("{}\n{}", "22".repeat(32), "11".repeat(32));
        let second = MasterKeys::of_text(&both).unwrap().ids().remove(0);
        crate::app::write_private(&path, &both).unwrap();
        assert!(keys.get(&second).is_none(), "it was read a moment ago");
        keys.again().unwrap();
        assert!(keys.get(&second).is_some() && keys.get(first).is_some());
        crate::app::write_private(&path, "no key").unwrap();
        assert!(keys.again().is_err());
        assert!(keys.has(first), "what was known stays");

        let words = ["printf", "%s", both.as_str()].map(str::to_owned).to_vec();
        let printed = MasterKeys::load(MasterKeySource::Command(words)).unwrap();
        assert_eq!(printed.ids(), [second, first.clone()]);
        assert!(!format!("{printed:?}").contains("2222"));
    }

    #[test]
    fn what_is_no_key_is_told_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        for (text, says) in
            [("", "no key"), ("s3cret-text", "64 hex digits"), ("1".repeat(63).as_str(), "64 hex digits")]
        {
            crate::app::write_private(&path, text).unwrap();
            let why = MasterKeys::load(MasterKeySource::File(path.clone())).unwrap_err();
            assert!(why.contains(says) && !why.contains("s3cret"), "{why}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            crate::app::write_private(&path, &"11".repeat(32)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            let why = MasterKeys::load(MasterKeySource::File(path)).unwrap_err();
            assert!(why.contains("chmod 600"), "{why}");
        }
        for (words, says) in
            [(vec!["false"], "failed"), (vec![], "no name"), (vec!["/nowhere/kms"], "No such file")]
        {
            let words = words.into_iter().map(str::to_owned).collect();
            let why = MasterKeys::load(MasterKeySource::Command(words)).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }
}
