//! A release of the compliance database: its files in one, signed, so that a server can take newer facts without a newer
//! binary.
//!
//! A signed note (C2SP `signed-note`) over the name of the format, the version and the digest, then an empty line, then the
//! files as one JSON object of path to text. The digest is the database's own, so the signature covers every byte of them.

use std::collections::BTreeMap;
use std::path::Path;

use bailiwick_compliance_db::Database;
use bailiwick_ledger::note::Note;
use bailiwick_ledger::{PublicKey, Signer};

/// The first line of the note.
const FORMAT: &str = "bailiwick compliance database 1";

/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// Why a file is no release, or none that is trusted.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It cannot be read.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: String,
        /// What came of it.
        why: String,
    },
    /// Not in the form.
    #[error("this is no release of the compliance database: {0}")]
    Form(&'static str),
    /// Not signed by the key that is trusted.
    #[error("the release is not signed by the key that is trusted: {0}")]
    Signature(String),
    /// What is signed is not what is there.
    #[error("the files do not have the digest that is signed: the file was changed or cut")]
    Digest,
    /// The files are no database.
    #[error(transparent)]
    Load(#[from] bailiwick_compliance_db::LoadError),
}

/// A release whose signature holds.
#[derive(Debug)]
pub struct Release {
    /// Its files, by path.
    pub files: BTreeMap<String, String>,
    /// They as a database.
    pub database: Database,
}

impl Release {
    /// The text of a release of these files.
    ///
    /// # Errors
    /// [`ReleaseError`] where they are no database, or hold an organisation's own facts.
    pub fn sign(files: &BTreeMap<String, String>, signer: &Signer) -> Result<String, ReleaseError> {
        if files.keys().any(|path| path.starts_with(Database::OWN)) {
            return Err(ReleaseError::Form("an organisation's own facts belong to its policy bundle"));
        }
        let database = Database::load(files.clone())?;
        let text = format!("{FORMAT}\n{}\n{}\n", database.version(), database.digest());
        let note = Note::sign(text, signer).map_err(|error| ReleaseError::Signature(error.to_string()))?;
        let files = serde_json::to_string(files).map_err(|_| ReleaseError::Form("its files are no text"))?;
        Ok(format!("{note}\n{files}\n"))
    }

    /// Reads a release, and believes it where `key` signed it.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn read(text: &str, key: &PublicKey) -> Result<Self, ReleaseError> {
        let cut = ReleaseError::Form("it has no signed head, empty line, and files");
        let Some((head, rest)) = text.split_once("\n\n") else { return Err(cut) };
        let Some((signatures, files)) = rest.split_once("\n\n") else { return Err(cut) };
        let note = Note::parse(&format!("{head}\n\n{signatures}\n"))
            .map_err(|_| ReleaseError::Form("its head is not a signed note"))?;
        note.verify(key).map_err(|error| ReleaseError::Signature(error.to_string()))?;
        let mut lines = note.text().lines();
        if lines.next() != Some(FORMAT) {
            return Err(ReleaseError::Form("its first line names another format"));
        }
        let (version, digest) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let files: BTreeMap<String, String> = serde_json::from_str(files)
            .map_err(|_| ReleaseError::Form("its files are not a JSON object of text"))?;
        // The digest first: what nobody signed is not even parsed.
        if Database::digest_of(&files) != digest {
            return Err(ReleaseError::Digest);
        }
        let database = Database::load(files.clone())?;
        if database.version() != version || files.keys().any(|path| path.starts_with(Database::OWN)) {
            return Err(ReleaseError::Form("its head does not fit its files"));
        }
        Ok(Self { files, database })
    }

    /// Reads a release from a file.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn open(path: &Path, key: &PublicKey) -> Result<Self, ReleaseError> {
        let failed = |why: String| ReleaseError::File { path: path.display().to_string(), why };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(failed(format!("it is larger than {MAX_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::read(&text, key)
    }
}

/// The public key in a file.
///
/// # Errors
/// [`ReleaseError::File`].
pub fn public_key(path: &Path) -> Result<PublicKey, ReleaseError> {
    let failed = |why: String| ReleaseError::File { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    text.parse().map_err(|error| failed(format!("it holds no public key: {error}")))
}

#[cfg(test)]
mod tests {
    use bailiwick_ledger::LogId;
    use ed25519_dalek::SigningKey;

    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::new(LogId::new("compliance.example").unwrap(), SigningKey::from_bytes(&[seed; 32]))
    }

    fn files() -> BTreeMap<String, String> {
        Database::embedded_files().collect()
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else_is() {
        let text = Release::sign(&files(), &signer(1)).unwrap();
        let key = signer(1).public().clone();
        let release = Release::read(&text, &key).unwrap();
        assert_eq!(release.files, files());
        assert_eq!(release.database.digest(), Database::embedded().unwrap().digest());

        let stranger = Release::read(&text, signer(2).public()).unwrap_err();
        assert!(matches!(stranger, ReleaseError::Signature(_)), "{stranger}");
        let version = Database::embedded().unwrap().version().to_owned();
        let renamed = text.replacen(&version, "2099.1.1", 1);
        assert!(matches!(Release::read(&renamed, &key), Err(ReleaseError::Signature(_))));
        let body = text.replacen("trains_on_inputs", "trains_on_Inputs", 1);
        assert_ne!(body, text);
        assert!(matches!(Release::read(&body, &key), Err(ReleaseError::Digest)));
        for cut in [text.len() / 2, 40, 0] {
            assert!(Release::read(text.get(..cut).unwrap(), &key).is_err(), "{cut}");
        }
        let added = text.trim_end().strip_suffix('}').unwrap().to_owned() + ",\"x.yaml\":\"\"}\n";
        assert!(matches!(Release::read(&added, &key), Err(ReleaseError::Digest)));
    }

    #[test]
    fn only_a_database_is_released() {
        let mut own = files();
        own.insert("compliance/own.yaml".into(), "about: x\nfacts: []\n".into());
        assert!(matches!(Release::sign(&own, &signer(1)), Err(ReleaseError::Form(_))));
        let mut broken = files();
        broken.insert("vllm.yaml".into(), "facts: [".into());
        assert!(matches!(Release::sign(&broken, &signer(1)), Err(ReleaseError::Load(_))));
    }
}
