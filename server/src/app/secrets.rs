//! Files of the data directory that nobody else may read.

use std::fs::{File, TryLockError};
use std::path::Path;

use bailiwick_pii::TokenKey;

use super::StartError;
use crate::gateway::PseudonymKey;
use crate::keys::secret;

/// Makes the data directory, for its owner alone.
pub(super) fn create_data_dir(path: &Path) -> Result<(), StartError> {
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
pub(super) fn lock(data_dir: &Path) -> Result<File, StartError> {
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

/// The secret that placeholders are derived from. Losing it only ends sessions' placeholders.
pub(super) fn token_key(data_dir: &Path) -> Result<TokenKey, StartError> {
    key(&data_dir.join("token.key"), "delete it to get a new one").map(TokenKey::new)
}

/// The secret that pseudonyms are made with. Losing it cuts what is recorded from whom it is about.
pub(super) fn pseudonym_key(data_dir: &Path) -> Result<PseudonymKey, StartError> {
    let way_out = "put it back from a backup; with a new one the same person gets another pseudonym";
    key(&data_dir.join("pseudonym.key"), way_out).map(PseudonymKey::new)
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
