//! The file of the log's signing key: 64 hex digits, readable by its owner alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::AuditOpenError;

/// Reads the key in the file `path`, or creates it with a random key where there is no such file.
///
/// # Errors
/// [`AuditOpenError::Key`] where the file cannot be read or written, others may read it, or it holds no key.
pub fn load_or_create(path: &Path) -> Result<SigningKey, AuditOpenError> {
    match fs::File::open(path) {
        Ok(file) => read(path, file),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => create(path),
        Err(err) => Err(failed(path, &err.to_string())),
    }
}

fn read(path: &Path, mut file: fs::File) -> Result<SigningKey, AuditOpenError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(|err| failed(path, &err.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed(path, "others may read it: `chmod 600` it, and consider the key known"));
        }
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|err| failed(path, &err.to_string()))?;
    let mut seed = Zeroizing::new([0_u8; 32]);
    hex::decode_to_slice(text.trim_ascii(), seed.as_mut_slice())
        .map_err(|_| failed(path, "it does not hold 64 hex digits: restore it from a backup"))?;
    Ok(SigningKey::from_bytes(&seed))
}

fn create(path: &Path) -> Result<SigningKey, AuditOpenError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|err| failed(path, &err.to_string()))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let text = Zeroizing::new(format!("{}\n", hex::encode(seed.as_slice())));
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|err| failed(path, &err.to_string()))?;
    Ok(SigningKey::from_bytes(&seed))
}

fn failed(path: &Path, why: &str) -> AuditOpenError {
    AuditOpenError::Key(format!("{}: {why}", path.display()))
}
