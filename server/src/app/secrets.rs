//! Files of the data directory that nobody else may read.

use std::fs::{File, TryLockError};
use std::path::Path;

use bailiwick_pii::TokenKey;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use super::StartError;
use crate::audit::load_or_create_key;
use crate::gateway::PseudonymKey;
use crate::keys::secret;
use crate::store::{self, Store};

const LOG: &str = "log.key";
const TOKEN: &str = "token.key";
const PSEUDONYM: &str = "pseudonym.key";

/// The files of a data directory without which its log cannot go on as it was.
pub(crate) const SECRETS: [&str; 3] = [LOG, TOKEN, PSEUDONYM];

/// Makes the data directory, for its owner alone.
pub(crate) fn create_data_dir(path: &Path) -> Result<(), StartError> {
    let failed = |why: std::io::Error| StartError::System {
        what: format!("the data directory {} cannot be used", path.display()),
        why: why.to_string(),
    };
    std::fs::create_dir_all(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// Takes the data directory for this server alone, until the file is closed or the process ends.
pub(crate) fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path = data_dir.join("lock");
    let failed = |why: String| StartError::System {
        what: format!("the data directory {} cannot be taken", data_dir.display()),
        why,
    };
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failed(String::from(
            "another server has it open; stop that one first, or give this one a directory of its own",
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error.to_string())),
    }
}

/// The secrets of a data directory, each made where it is missing. Servers on one database need the same.
pub(super) struct Secrets {
    /// Signs the log's checkpoints.
    pub(super) log: SigningKey,
    /// What placeholders are derived from. Losing it only ends sessions' placeholders.
    pub(super) token: TokenKey,
    /// What pseudonyms are made with. Losing it cuts what is recorded from whom it is about.
    pub(super) pseudonyms: PseudonymKey,
    /// By file.
    fingerprints: [(&'static str, String); 3],
}

impl Secrets {
    /// Reads the files.
    pub(super) fn load(data_dir: &Path) -> Result<Self, StartError> {
        let log = load_or_create_key(&data_dir.join(LOG))?;
        let token = key(&data_dir.join(TOKEN), "delete it to get a new one")?;
        let pseudonym = key(
            &data_dir.join(PSEUDONYM),
            "put it back from a backup; with a new one the same person gets another pseudonym",
        )?;
        let fingerprints = [
            (LOG, fingerprint(LOG, log.verifying_key().as_bytes())),
            (TOKEN, fingerprint(TOKEN, &token)),
            (PSEUDONYM, fingerprint(PSEUDONYM, &pseudonym)),
        ];
        Ok(Self { log, token: TokenKey::new(token), pseudonyms: PseudonymKey::new(pseudonym), fingerprints })
    }

    /// Makes sure that the servers on one database have the same secrets: the first one's are it. With others, a
    /// session's placeholders would end wherever it meets another server, one person would have two pseudonyms, and
    /// the log two signers.
    pub(super) async fn agree(&self, store: &Store, data_dir: &Path, now_ms: i64) -> Result<(), StartError> {
        for (file, fingerprint) in &self.fingerprints {
            let name = format!("fingerprint/{file}");
            let first =
                store::settings::keep_first(store, &name, fingerprint.as_str().into(), now_ms).await?;
            if first.as_str() != Some(fingerprint) {
                return Err(StartError::System {
                    what: format!(
                        "{} is not the one of the first server on this database",
                        data_dir.join(file).display()
                    ),
                    why: String::from(
                        "servers on one database share their secrets; copy log.key, token.key and pseudonym.key from \
                         the first server's data directory into this one, for their owner alone, and start again",
                    ),
                });
            }
        }
        Ok(())
    }
}

/// Tells one secret from another and nothing about it: they are random and of 256 bits.
fn fingerprint(file: &str, secret: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bailiwick/secret-fingerprint/v1\0");
    hash.update(file);
    hash.update([0]);
    hash.update(secret);
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// A key of 256 bits in a file; created with the first start.
fn key(path: &Path, way_out: &str) -> Result<[u8; 32], StartError> {
    let failed = |why: String| StartError::System { what: format!("{}", path.display()), why };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mut key = [0_u8; 32];
            hex::decode_to_slice(text.trim(), &mut key)
                .map_err(|_| failed(format!("it does not hold 64 hex digits: {way_out}")))?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = secret::random::<32>().map_err(|error| failed(error.to_string()))?;
            write_private(path, &hex::encode(key)).map_err(|error| failed(error.to_string()))?;
            Ok(key)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Writes a new file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn servers_on_one_database_have_the_same_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(&folder.path().join("db")).await.unwrap();
        let dir = |name: &str| {
            let dir = folder.path().join(name);
            create_data_dir(&dir).unwrap();
            dir
        };
        let (first, second) = (dir("first"), dir("second"));
        let start = async |dir: &Path| Secrets::load(dir)?.agree(&store, dir, 1).await;
        start(&first).await.unwrap();
        start(&first).await.unwrap();
        for file in ["log.key", "token.key", "pseudonym.key"] {
            let refused = start(&second).await.unwrap_err().to_string();
            assert!(refused.contains(file) && refused.contains("copy log.key"), "{refused}");
            let own = std::fs::read_to_string(second.join(file)).unwrap();
            assert!(!refused.contains(own.trim()));
            std::fs::copy(first.join(file), second.join(file)).unwrap();
        }
        start(&second).await.unwrap();
        for (file, kept) in Secrets::load(&first).unwrap().fingerprints {
            let secret = std::fs::read_to_string(first.join(file)).unwrap();
            assert_ne!(kept, format!("sha256:{}", secret.trim()));
        }
    }
}
