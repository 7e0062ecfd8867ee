//! What references may lead to: a reference is set over the network, and the server reads with its own rights.
//!
//! Never to what is the server's: its data directory, its configuration, each file and variable that this names, what the
//! variables are called that programs of its kind take their own settings from, what the kernel tells of processes, and the
//! tokens by which a pod is known to its cluster or cloud. Beyond that to everything, or, where the configuration says so, to
//! some folders and variables alone.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::CredentialSource;

/// Variables that are somebody's who runs the server, whatever is configured: this program's own, those of PostgreSQL's
/// clients (<https://www.postgresql.org/docs/current/libpq-envars.html>) and of Vault's
/// (<https://developer.hashicorp.com/vault/docs/commands#environment-variables>).
const SHUT_VARIABLES: [&str; 3] = ["BAILIWICK_*", "PG*", "VAULT_*"];
/// Folders likewise: the kernel's, and those where a pod's own tokens are mounted: Kubernetes
/// (<https://kubernetes.io/docs/concepts/security/service-accounts/>), EKS
/// (<https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html>), Azure
/// (<https://azure.github.io/azure-workload-identity/docs/installation/mutating-admission-webhook.html>).
const SHUT_FOLDERS: [&str; 9] = [
    "/proc",
    "/sys",
    "/dev",
    "/run/secrets/kubernetes.io",
    "/run/secrets/eks.amazonaws.com",
    "/run/secrets/azure",
    "/var/run/secrets/kubernetes.io",
    "/var/run/secrets/eks.amazonaws.com",
    "/var/run/secrets/azure",
];
/// How an entry begins that names variables.
const VARIABLE: &str = "env:";

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The server's own folder.
    pub own: Option<PathBuf>,
    /// Files that the configuration names, and its own.
    pub files: Vec<PathBuf>,
    /// Variables that it names.
    pub variables: Vec<String>,
    /// Folders and variables, where only these may be referred to.
    pub allowed: Option<Vec<String>>,
}

/// Refuses entries of `credentials.references` that mean nothing.
///
/// # Errors
/// In words.
pub(crate) fn check(allowed: &[String]) -> Result<(), String> {
    let wrong = allowed.iter().find(|entry| match entry.strip_prefix(VARIABLE) {
        Some(name) => {
            let fixed = name.strip_suffix('*').unwrap_or(name);
            name.is_empty() || fixed.contains(['*', '=', '\0'])
        }
        None => !Path::new(entry).is_absolute(),
    });
    match wrong {
        None => Ok(()),
        Some(entry) => Err(format!(
            "`credentials.references` has `{entry}`: name a folder by its whole path, or variables: `env:LLM_*`"
        )),
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// What a path leads to, where that can be told.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl References {
    /// Why a reference is refused, as far as it alone tells.
    #[must_use]
    pub fn refuses(&self, source: &CredentialSource) -> Option<String> {
        match source {
            CredentialSource::Sealed | CredentialSource::Vault(_) => None,
            CredentialSource::Env(name) => self.variable(name).err(),
            CredentialSource::File(path) => match path.canonicalize() {
                Ok(path) => self.file(&path, std::fs::metadata(&path).ok().as_ref()).err(),
                // What is not there yet is looked at again when it is read.
                Err(_) => self.file(path, None).err(),
            },
        }
    }

    /// Refuses a variable that is not for credentials.
    ///
    /// # Errors
    /// In words.
    pub(super) fn variable(&self, name: &str) -> Result<(), String> {
        if self.variables.iter().any(|own| own == name)
            || SHUT_VARIABLES.iter().any(|pattern| fits(pattern, name))
        {
            return Err(format!("the variable {name} is the server's own: no credential is read from it"));
        }
        let named = |allowed: &Vec<String>| {
            let mut patterns = allowed.iter().filter_map(|entry| entry.strip_prefix(VARIABLE));
            patterns.any(|pattern| fits(pattern, name))
        };
        if self.allowed.as_ref().is_none_or(named) {
            return Ok(());
        }
        Err(format!(
            "`credentials.references` of the server's configuration does not name the variable {name}"
        ))
    }

    /// Refuses a file that is not for credentials, by the path that it really has, and by itself where it is there.
    ///
    /// # Errors
    /// In words.
    pub(super) fn file(&self, path: &Path, known: Option<&Metadata>) -> Result<(), String> {
        if self.own.as_deref().is_some_and(|folder| path.starts_with(folder)) {
            return Err(String::from("it is in the server's own data directory: put it elsewhere"));
        }
        let shut = SHUT_FOLDERS.iter().any(|folder| path.starts_with(folder));
        let named = || {
            self.files.iter().any(|own| {
                real(own) == path || known.zip(std::fs::metadata(own).ok()).is_some_and(|(a, b)| same(a, &b))
            })
        };
        if shut || named() {
            return Err(String::from("it is the server's own: no credential is read from it"));
        }
        let within = |allowed: &Vec<String>| {
            let mut folders = allowed.iter().filter(|entry| !entry.starts_with(VARIABLE));
            folders.any(|folder| path.starts_with(real(Path::new(folder))))
        };
        if self.allowed.as_ref().is_none_or(within) {
            return Ok(());
        }
        Err(String::from(
            "it is in no folder that `credentials.references` of the server's configuration names",
        ))
    }
}

/// Whether two paths are names of one file.
#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether two paths are names of one file: only their paths tell.
#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path) -> CredentialSource {
        CredentialSource::File(path.to_owned())
    }

    fn env(name: &str) -> CredentialSource {
        CredentialSource::Env(name.to_owned())
    }

    #[test]
    fn what_is_the_servers_is_no_credential_by_any_name_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("master.key");
        let other = folder.path().join("openai");
        std::fs::write(&own, "x").unwrap();
        std::fs::write(&other, "x").unwrap();
        let later = folder.path().join("not-there-yet");
        let references = References {
            files: vec![own.clone(), later.clone()],
            variables: vec![String::from("MASTER_KEY")],
            ..References::default()
        };
        let refused =
            |source: &CredentialSource| references.refuses(source).is_some_and(|why| why.contains("own"));
        assert!(references.refuses(&file(&other)).is_none());
        assert!(refused(&file(&own)) && refused(&file(&later)));
        assert!(refused(&file(&folder.path().join("x/../master.key"))) || !folder.path().join("x").exists());
        #[cfg(unix)]
        {
            let (soft, hard) = (folder.path().join("soft"), folder.path().join("hard"));
            std::os::unix::fs::symlink(&own, &soft).unwrap();
            std::fs::hard_link(&own, &hard).unwrap();
            assert!(refused(&file(&soft)) && refused(&file(&hard)));
            assert!(refused(&file(Path::new("/proc/self/environ"))));
        }
        assert!(refused(&file(Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token"))));
        for name in ["MASTER_KEY", "BAILIWICK_TOKEN", "PGPASSWORD", "VAULT_TOKEN"] {
            assert!(refused(&env(name)), "{name}");
        }
        assert!(references.refuses(&env("OPENAI_API_KEY")).is_none());
        assert!(references.refuses(&CredentialSource::Sealed).is_none());
    }

    #[test]
    fn where_some_are_named_no_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (within, beside) = (folder.path().join("llm"), folder.path().join("llm-other"));
        for folder in [&within, &beside] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("key"), "x").unwrap();
        }
        let allowed = vec![within.display().to_string(), String::from("env:LLM_*"), String::from("env:ONE")];
        check(&allowed).unwrap();
        let references = References { allowed: Some(allowed), ..References::default() };
        for fine in [file(&within.join("key")), file(&within.join("later")), env("LLM_A"), env("ONE")] {
            assert_eq!(references.refuses(&fine), None, "{fine:?}");
        }
        for not in [file(&beside.join("key")), env("ONE_MORE"), env("LLMA"), env("PATH")] {
            let why = references.refuses(&not).unwrap();
            assert!(why.contains("credentials.references"), "{not:?}: {why}");
        }
        #[cfg(unix)]
        {
            let link = within.join("link");
            std::os::unix::fs::symlink(beside.join("key"), &link).unwrap();
            assert!(references.refuses(&file(&link)).is_some());
        }
        let nothing = References { allowed: Some(Vec::new()), ..References::default() };
        assert!(
            nothing.refuses(&env("A")).is_some() && nothing.refuses(&file(&within.join("key"))).is_some()
        );
        for wrong in ["relative", "env:", "env:*A", "env:A*B", "env:A=", ""] {
            assert!(check(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
