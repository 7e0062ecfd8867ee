//! Where a credential is to be had.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::References;
use super::files::{Content, Files};
use crate::fault::Fault;
use crate::providers::Secret;

/// Bytes of the longest credential.
pub(crate) const LONGEST: usize = 16 * 1024;
/// Characters of a name, a path or a field of Vault.
const LONGEST_WORD: usize = 256;

/// Where a credential is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum CredentialSource {
    /// It is kept here, sealed.
    Sealed,
    /// An environment variable of the server.
    Env(String),
    /// A file that the server can read; its trailing line break is cut off.
    File(PathBuf),
    /// A field of a secret of Vault or OpenBao.
    Vault(VaultSecret),
}

/// A field of a secret in a key-value store, version 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSecret {
    /// Where the store is mounted.
    #[serde(default = "mount", skip_serializing_if = "is_usual_mount")]
    pub mount: String,
    /// The secret's path below.
    pub path: String,
    /// The field.
    #[serde(default = "field", skip_serializing_if = "is_usual_field")]
    pub field: String,
}

fn mount() -> String {
    String::from("secret")
}

fn field() -> String {
    String::from("value")
}

fn is_usual_mount(name: &str) -> bool {
    name == mount()
}

fn is_usual_field(name: &str) -> bool {
    name == field()
}

/// As it is written: exactly one of these.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Written {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sealed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault: Option<VaultSecret>,
}

impl TryFrom<Written> for CredentialSource {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        match (written.sealed, written.env, written.file, written.vault) {
            (true, None, None, None) => Ok(Self::Sealed),
            (false, Some(name), None, None) => Ok(Self::Env(name)),
            (false, None, Some(path), None) => Ok(Self::File(path)),
            (false, None, None, Some(secret)) => Ok(Self::Vault(secret)),
            _ => Err("a credential is `env: NAME`, `file: PATH`, `vault: { path: PATH }` or `sealed: true`"),
        }
    }
}

impl From<CredentialSource> for Written {
    fn from(source: CredentialSource) -> Self {
        match source {
            CredentialSource::Sealed => Self { sealed: true, ..Self::default() },
            CredentialSource::Env(name) => Self { env: Some(name), ..Self::default() },
            CredentialSource::File(path) => Self { file: Some(path), ..Self::default() },
            CredentialSource::Vault(secret) => Self { vault: Some(secret), ..Self::default() },
        }
    }
}

/// A credential, as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenDefinition", into = "WrittenDefinition")]
pub struct CredentialDefinition {
    /// What endpoints call it.
    pub name: String,
    /// Endpoints of this scope and below may use it.
    pub scope: String,
    /// Where it is to be had.
    pub source: CredentialSource,
}

/// Flat, so that an unknown field is found: serde cannot tell one through `flatten`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDefinition {
    name: String,
    #[serde(default = "root")]
    scope: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sealed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vault: Option<VaultSecret>,
}

fn root() -> String {
    String::from("/")
}

impl TryFrom<WrittenDefinition> for CredentialDefinition {
    type Error = &'static str;

    fn try_from(written: WrittenDefinition) -> Result<Self, Self::Error> {
        let WrittenDefinition { name, scope, sealed, env, file, vault } = written;
        Ok(Self { name, scope, source: Written { sealed, env, file, vault }.try_into()? })
    }
}

impl From<CredentialDefinition> for WrittenDefinition {
    fn from(definition: CredentialDefinition) -> Self {
        let Written { sealed, env, file, vault } = definition.source.into();
        Self { name: definition.name, scope: definition.scope, sealed, env, file, vault }
    }
}

impl CredentialDefinition {
    /// Everything that is wrong with it by itself.
    #[must_use]
    pub fn problems(&self) -> Vec<Fault> {
        let mut problems = Vec::new();
        let name = &self.name;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_WORD || !name.bytes().all(plain) {
            let told = format!("`{name}` is no credential's name: use letters, digits, `-`, `_` and `.`");
            problems.push(Fault::at("/name", told));
        }
        problems.extend(bailiwick_policy::scope::validate(&self.scope).err().map(Fault::of_field("/scope")));
        let of_source = |what: String| Fault::at(self.source.field(), format!("credential `{name}`: {what}"));
        problems.extend(self.source.problem().map(of_source));
        problems
    }
}

impl CredentialSource {
    /// The pointer to it in what is written of a credential.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Sealed => "/sealed",
            Self::Env(_) => "/env",
            Self::File(_) => "/file",
            Self::Vault(_) => "/vault",
        }
    }

    /// What is wrong with the reference by itself.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Sealed => None,
            Self::Env(name) => (name.is_empty() || name.contains(['=', '\0']))
                .then(|| String::from("`env` names no environment variable")),
            Self::File(path) => (!path.is_absolute() || path.to_str().is_none())
                .then(|| String::from("`file` must be a whole path, which begins with `/`")),
            Self::Vault(secret) => secret.problem(),
        }
    }

    /// What a file or a variable holds. A file is read only where it is an ordinary and small one, and either only where
    /// it may be referred to.
    ///
    /// # Errors
    /// In words, without any part of it.
    pub(super) fn read(&self, files: &Files) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => {
                files.references().variable(name)?;
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
            }
            Self::File(path) => return of_file(path, files.read(path)),
            Self::Sealed | Self::Vault(_) => {
                return Err(String::from("it is neither in a file nor a variable"));
            }
        };
        usable(text)
    }
}

/// The credential that a file holds.
pub(super) fn of_file(path: &Path, content: Content) -> Result<Secret, String> {
    let text = content.map_err(|why| format!("the file {} cannot be read: {why}", path.display()))?;
    usable(text.to_string())
}

/// A credential, unless no header could carry it.
pub(crate) fn usable(text: String) -> Result<Secret, String> {
    let text = zeroize::Zeroizing::new(text);
    let cut = text.trim_end_matches(['\r', '\n']);
    if cut.is_empty() {
        return Err(String::from("it is empty"));
    }
    if cut.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    if !cut.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') || cut.trim() != cut {
        return Err(String::from("it holds characters that no HTTP header carries, or spaces around it"));
    }
    Ok(Secret::new(cut.to_owned()))
}

/// Reading a pipe or a device may never end, and a large file is something else than a credential. One that somebody refers
/// to has to be one of those that `references` let be.
pub(crate) fn read_file(path: &Path, references: Option<&References>) -> Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    let path = path.canonicalize().map_err(words)?;
    let known = std::fs::metadata(&path).map_err(words)?;
    if let Some(references) = references {
        references.file(&path, Some(&known))?;
    }
    if !known.is_file() {
        return Err(String::from("it is no ordinary file"));
    }
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(words)?;
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let read = file.take(most + 1).read_to_string(&mut text).map_err(words)?;
    if read > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    Ok(text)
}

impl VaultSecret {
    /// Mount and path become a part of an address: segments of plain characters, so that no other one can be meant.
    fn problem(&self) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let segment = |text: &str| !text.is_empty() && text != "." && text != ".." && text.bytes().all(plain);
        for (name, text) in [("mount", &self.mount), ("path", &self.path)] {
            if text.len() > LONGEST_WORD || !text.split('/').all(segment) {
                return Some(format!(
                    "`vault.{name}`: segments of letters, digits, `-`, `_` and `.`, with `/` between"
                ));
            }
        }
        let odd = self.field.is_empty()
            || self.field.len() > LONGEST_WORD
            || self.field.chars().any(char::is_control);
        odd.then(|| String::from("`vault.field` names no field"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_small_ordinary_file_outside_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let data = data.canonicalize().unwrap();
        let files = Files::new(References { own: Some(data.clone()), ..References::default() });
        let read = |path: &Path| CredentialSource::File(path.to_owned()).read(&files);
        let good = folder.path().join("good");
        std::fs::write(&good, "sk-1\n").unwrap();
        assert_eq!(read(&good).unwrap().expose(), "sk-1");
        let own = data.join("log.key");
        std::fs::write(&own, "secret").unwrap();
        assert!(read(&own).unwrap_err().contains("data directory"));
        let large = folder.path().join("large");
        std::fs::write(&large, "x".repeat(20_000)).unwrap();
        assert!(read(&large).unwrap_err().contains("longer than"));
        for odd in ["", "\n", "a\nb", "sk\u{e4}", " sk", "s\0k"] {
            std::fs::write(&good, odd).unwrap();
            assert!(read(&good).is_err(), "{odd:?}");
        }
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&own, &link).unwrap();
            assert!(read(&link).unwrap_err().contains("data directory"));
            let pipe = folder.path().join("socket");
            let _listening = std::os::unix::net::UnixListener::bind(&pipe).unwrap();
            assert!(read(&pipe).unwrap_err().contains("no ordinary file"));
            assert!(read(Path::new("/dev/zero")).unwrap_err().contains("the server's own"));
        }
    }

    #[test]
    fn a_definition_reads_alike_from_yaml_and_json_and_from_what_is_stored() {
        let vault = |field: &str| VaultSecret {
            mount: "secret".into(),
            path: "llm/openai".into(),
            field: field.into(),
        };
        let written = [
            ("{ name: a, env: KEY }", CredentialSource::Env("KEY".into())),
            ("{ name: a, file: /k }", CredentialSource::File("/k".into())),
            ("{ name: a, sealed: true }", CredentialSource::Sealed),
            ("{ name: a, vault: { path: llm/openai } }", CredentialSource::Vault(vault("value"))),
            ("{ name: a, vault: { path: llm/openai, field: key } }", CredentialSource::Vault(vault("key"))),
        ];
        for (yaml, expected) in written {
            let read: CredentialDefinition = serde_norway::from_str(yaml).unwrap();
            assert_eq!((read.source.clone(), read.scope.as_str()), (expected, "/"));
            assert!(read.problems().is_empty(), "{:?}", read.problems());
            let stored = serde_json::to_value(&read.source).unwrap();
            assert_eq!(serde_json::from_value::<CredentialSource>(stored).unwrap(), read.source);
            let sent = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<CredentialDefinition>(&sent).unwrap(), read);
        }
        for wrong in ["{ name: a, env: KEY, file: /k }", "{ name: a, value: s3cret }", "{ name: a }"] {
            assert!(serde_norway::from_str::<CredentialDefinition>(wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "{ name: 'a b', env: KEY }",
            "{ name: a, env: '' }",
            "{ name: a, file: key }",
            "{ name: a, vault: { path: ../sys/raw } }",
            "{ name: a, vault: { path: 'a?list=true' } }",
            "{ name: a, vault: { path: a, mount: 'sys/' } }",
            "{ name: a, scope: nowhere, env: KEY }",
        ] {
            let read: CredentialDefinition = serde_norway::from_str(wrong).unwrap();
            assert_eq!(read.problems().len(), 1, "{wrong}: {:?}", read.problems());
        }
    }
}
