//! `bailiwick.toml`.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_ledger::SignedCheckpoint;
use serde::{Deserialize, Serialize};

use super::credentials::CredentialsConfig;
use crate::alerts::AlertsConfig;
use crate::gateway::BodyLimits;
use crate::gateway::document::Limits;
use crate::git::GitConfig;
use crate::identity::IdentityConfig;
use crate::keys::{ForwardedHeader, Networks, TrustedProxies};
use crate::outbound::ProxyConfig;

/// A body is held in memory.
const MOST_BODY_BYTES: u64 = 1 << 30;
/// What is in the spool is in memory too.
const MOST_SPOOL_BYTES: u64 = 1 << 32;
/// A day.
const MOST_SECONDS: u64 = 86_400;
/// What reads a body goes one call deeper with each level, on a stack of two megabytes.
const MOST_NESTING: u64 = 256;
/// More threads than any machine has cores only get in each other's way.
const MOST_WORKERS: u64 = 1024;
/// Characters of the replica's name, which each of its records carries.
const MOST_NAME: usize = 64;

/// The server's configuration. What it governs (scopes, endpoints, budgets, keys) is not here but in the database, and
/// rules are in the policy bundle.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// Where the database, the log's key and the last checkpoint are.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// `postgres://…` or `sqlite://…`; a file in the data directory where absent.
    #[serde(skip_serializing)]
    pub database_url: Option<DatabaseUrl>,
    /// The folder of the policy bundle; the starter bundle where absent.
    pub bundle: Option<PathBuf>,
    /// Where else the policy bundle comes from.
    #[serde(default, skip_serializing_if = "PolicyConfig::is_default")]
    pub policy: PolicyConfig,
    /// A signed release of the compliance database; the one in the binary where absent.
    pub compliance: Option<ComplianceConfig>,
    /// How people reach the server: `https://bailiwick.example`. As `listen` says where absent.
    pub public_url: Option<String>,
    /// This server's name among those that write to the log.
    #[serde(default = "replica")]
    pub replica: String,
    /// Threads that serve requests. As many as the machine has cores where absent; with SQLite, which is written to by
    /// a thread of its own, one fewer.
    pub workers: Option<NonZeroUsize>,
    /// TLS; plain HTTP where absent.
    pub tls: Option<TlsConfig>,
    /// Who may read `/metrics`.
    #[serde(default)]
    pub metrics: MetricsAccess,
    /// Proxies that tell a client's address.
    #[serde(default)]
    pub trusted_proxies: Networks,
    /// By which header they do.
    #[serde(default)]
    pub forwarded_header: ForwardedHeader,
    /// Limits on what clients send.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How providers are reached.
    #[serde(default)]
    pub upstream: UpstreamConfig,
    /// Credentials of providers.
    #[serde(default)]
    pub credentials: CredentialsConfig,
    /// How people sign in.
    #[serde(default, skip_serializing_if = "IdentityConfig::is_default")]
    pub identity: IdentityConfig,
    /// Who is told of what happens.
    #[serde(default, skip_serializing_if = "AlertsConfig::is_default")]
    pub alerts: AlertsConfig,
    /// Checkpoints that somebody holds, with words for each: what is served has all that they sign. Given with the
    /// start.
    #[serde(skip)]
    pub checkpoints: Vec<(String, SignedCheckpoint)>,
    /// The file that it was read from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// Where the policy bundle comes from, where that is no folder.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// A branch of a Git repository.
    pub git: Option<GitConfig>,
}

impl PolicyConfig {
    fn is_default(&self) -> bool {
        self.git.is_none()
    }
}

/// The URL of a database. It may hold a password, so its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

/// Who may read `/metrics`, which names endpoints and tells how much they are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsAccess {
    /// Whoever asks from this machine itself, not through a proxy on it; others as with `token`.
    #[default]
    Local,
    /// Service tokens and people that may read endpoints at the root.
    Token,
    /// Everybody.
    Open,
}

/// A release of the compliance database in place of the one in the binary.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ComplianceConfig {
    /// The release, one signed file.
    pub release: PathBuf,
    /// A file with the public key that has to have signed it.
    pub public_key: PathBuf,
    /// Whether one is taken that is older than what was in force.
    #[serde(default)]
    pub allow_older: bool,
}

/// The server's certificate.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// PEM file with the authorities whose certificates clients present; nobody is asked for one where absent.
    pub client_ca: Option<PathBuf>,
    /// Whether a client may do without.
    #[serde(default)]
    pub client_certificates: ClientCertificates,
}

impl TlsConfig {
    /// A certificate and its key; nobody is asked for one of theirs.
    #[must_use]
    pub fn of(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, client_ca: None, client_certificates: ClientCertificates::default() }
    }
}

/// Whether a client has to present a certificate of `client_ca`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Who presents none gets no connection.
    #[default]
    Required,
    /// Who presents none is served; who presents a wrong one is not.
    Optional,
}

/// Limits on what clients send.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Seconds for it to arrive.
    pub body_seconds: u64,
    /// Objects and arrays inside one another.
    pub nesting: usize,
    /// Seconds for what is under way when the server is asked to stop.
    pub shutdown_seconds: u64,
    /// Seconds for which requests are served by what was configured when the database last answered.
    pub staleness_seconds: NonZeroU64,
    /// Bytes that are recorded on this machine's own disk while PostgreSQL is away; 0 records nothing then.
    pub spool_bytes: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 16 * 1024 * 1024,
            body_seconds: 60,
            nesting: 64,
            shutdown_seconds: 30,
            staleness_seconds: const { NonZeroU64::new(10).unwrap() },
            spool_bytes: 64 * 1024 * 1024,
        }
    }
}

impl LimitsConfig {
    pub(super) fn body(&self) -> BodyLimits {
        BodyLimits {
            bytes: self.body_bytes,
            time: Duration::from_secs(self.body_seconds),
            structure: Limits { depth: self.nesting, ..Limits::default() },
        }
    }
}

/// How providers are reached.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamConfig {
    /// PEM file with certificates of authorities to trust beside the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// Trust only those.
    pub only_ca_bundle: bool,
    /// Networks that are not public and may be reached all the same.
    pub private_networks: Networks,
    /// The proxy that the rest of the world is reached through.
    pub proxy: Option<ProxyConfig>,
}

/// Why a configuration does not load.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error("{path} cannot be read: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// Its content. The line itself is not shown: it may hold a password.
    #[error("{path}, line {line}: {why}")]
    Content {
        /// Which.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What, from the parser.
        why: String,
    },
    /// A value that nothing can be served with.
    #[error("the configuration's {0}")]
    Value(String),
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|why| ConfigError::File { path: path.to_path_buf(), why })?;
        let mut config: Self = toml::from_str(&text).map_err(|why| {
            let before = why.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            ConfigError::Content {
                path: path.to_path_buf(),
                line: before.matches('\n').count().saturating_add(1),
                why: why.message().to_owned(),
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [&mut config.data_dir].into_iter().chain(config.bundle.as_mut()) {
            *path = folder.join(&*path);
        }
        for path in config.files() {
            *path = folder.join(&*path);
        }
        if let Some(git) = &mut config.policy.git {
            git.anchor(folder);
        }
        config.file = Some(path.to_path_buf());
        Ok(config)
    }

    /// Every file that it names: to anchor them, and to keep them out of what credentials are read from.
    pub(super) fn files(&mut self) -> Vec<&mut PathBuf> {
        let mut files: Vec<&mut PathBuf> = self.upstream.ca_bundle.iter_mut().collect();
        files.extend(self.credentials.files());
        files.extend(self.upstream.proxy.as_mut().and_then(|proxy| proxy.credential_file.as_mut()));
        if let Some(compliance) = &mut self.compliance {
            files.extend([&mut compliance.release, &mut compliance.public_key]);
        }
        if let Some(tls) = &mut self.tls {
            files.extend([&mut tls.certificate, &mut tls.key]);
            files.extend(tls.client_ca.as_mut());
        }
        files.extend(self.policy.git.iter_mut().flat_map(GitConfig::files));
        files.extend(self.identity.files());
        files.extend(self.alerts.files());
        files
    }

    /// Refuses what nothing can be served with.
    ///
    /// # Errors
    /// [`ConfigError::Value`], with the name of the setting and what it may be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let LimitsConfig { body_bytes, body_seconds, nesting, .. } = self.limits;
        let within = |name: &str, value: u64, least: u64, most: u64| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(ConfigError::Value(format!("`{name}` is {value}: it must be {least} to {most}"))),
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        within("workers", count(self.workers.map_or(1, NonZeroUsize::get)), 1, MOST_WORKERS)?;
        within("limits.body_bytes", count(body_bytes), 1, MOST_BODY_BYTES)?;
        within("limits.body_seconds", body_seconds, 1, MOST_SECONDS)?;
        within("limits.nesting", count(nesting), 1, MOST_NESTING)?;
        within("limits.shutdown_seconds", self.limits.shutdown_seconds, 0, MOST_SECONDS)?;
        within("limits.staleness_seconds", self.limits.staleness_seconds.get(), 1, MOST_SECONDS)?;
        within("limits.spool_bytes", self.limits.spool_bytes, 0, MOST_SPOOL_BYTES)?;
        let name = &self.replica;
        if name.is_empty()
            || name.len() > MOST_NAME
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(ConfigError::Value(format!(
                "`replica` must be 1 to {MOST_NAME} letters, digits, `-`, `_` and `.`"
            )));
        }
        if let Some(git) = &self.policy.git {
            git.check().map_err(ConfigError::Value)?;
            if self.bundle.is_some() {
                return Err(ConfigError::Value(String::from(
                    "`bundle` and `policy.git` each say where the policy is: keep one of them",
                )));
            }
        }
        self.identity.check().map_err(ConfigError::Value)?;
        self.alerts.check().map_err(ConfigError::Value)?;
        within("credentials.keep_seconds", u64::from(self.credentials.keep_seconds), 0, MOST_SECONDS)?;
        if let Some(allowed) = &self.credentials.references {
            crate::credentials::check_references(allowed).map_err(ConfigError::Value)?;
        }
        if let Some(vault) = &self.credentials.vault {
            vault.check().map_err(|why| ConfigError::Value(format!("`credentials.vault`: {why}")))?;
        }
        if let Some(proxy) = &self.upstream.proxy {
            proxy.check().map_err(ConfigError::Value)?;
        }
        if self.public_url.as_deref().is_some_and(|url| !is_web_address(url)) {
            return Err(ConfigError::Value(String::from(
                "`public_url` must be the address that people reach the server by, without a path: \
                 `https://bailiwick.example`",
            )));
        }
        Ok(())
    }

    /// Whether the database is an SQLite file, which no other server shares.
    #[must_use]
    pub fn on_sqlite(&self) -> bool {
        self.database_url.as_ref().is_none_or(|url| url.as_str().starts_with("sqlite:"))
    }

    /// The proxies that are believed, and what they write.
    #[must_use]
    pub fn proxies(&self) -> TrustedProxies {
        TrustedProxies { networks: self.trusted_proxies.clone(), header: self.forwarded_header }
    }

    /// All defaults but these two.
    #[must_use]
    pub fn at(listen: SocketAddr, data_dir: PathBuf) -> Self {
        Self {
            listen,
            data_dir,
            database_url: None,
            bundle: None,
            policy: PolicyConfig::default(),
            compliance: None,
            public_url: None,
            replica: replica(),
            workers: None,
            tls: None,
            metrics: MetricsAccess::default(),
            trusted_proxies: Networks::default(),
            forwarded_header: ForwardedHeader::default(),
            limits: LimitsConfig::default(),
            upstream: UpstreamConfig::default(),
            credentials: CredentialsConfig::default(),
            identity: IdentityConfig::default(),
            alerts: AlertsConfig::default(),
            checkpoints: Vec::new(),
            file: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::at(listen(), data_dir())
    }
}

/// Whether a URL is a scheme, a host and perhaps a port.
fn is_web_address(url: &str) -> bool {
    url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
    })
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

fn data_dir() -> PathBuf {
    PathBuf::from("bailiwick-data")
}

fn replica() -> String {
    String::from("one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Location;

    #[test]
    fn paths_are_relative_to_the_file_and_typos_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bailiwick.toml");
        std::fs::write(&path, "data_dir = 'd'\n[limits]\nbody_bytes = 10\n").unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.data_dir, folder.path().join("d"));
        assert_eq!((config.limits.body_bytes, config.limits.nesting), (10, 64));
        std::fs::write(&path, "[policy.git]\nurl = 'p'\nallowed_signers = 's'\n").unwrap();
        let git = Config::read(&path).unwrap().policy.git.unwrap();
        assert_eq!(git.location().unwrap(), Location::Local(folder.path().join("p")));
        assert_eq!(git.allowed_signers, Some(folder.path().join("s")));
        std::fs::write(&path, "data-dir = 'd'\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("data-dir"));
    }

    #[test]
    fn what_nothing_can_be_served_with_is_named() {
        assert!(Config::default().check().is_ok());
        for (written, named) in [
            ("[limits]\nbody_bytes = 0", "limits.body_bytes"),
            ("[limits]\nbody_seconds = 0", "limits.body_seconds"),
            ("[limits]\nnesting = 0", "limits.nesting"),
            ("[limits]\nnesting = 10000", "1 to 256"),
            ("[limits]\nshutdown_seconds = 90000", "limits.shutdown_seconds"),
            ("[limits]\nspool_bytes = 5000000000", "limits.spool_bytes"),
            ("[credentials]\nkeep_seconds = 90000", "credentials.keep_seconds"),
            (
                "[credentials.vault]\naddress = 'http://v.example'\nauth = { token_file = 't' }",
                "credentials.vault",
            ),
            ("[alerts]\ngive_up_hours = 0", "alerts.give_up_hours"),
            ("[[alerts.route]]\nchannels = ['ops']", "no such channel"),
            ("replica = ''", "replica"),
            ("replica = \"a\\u0000\"", "replica"),
            ("public_url = 'javascript:alert(1)'", "public_url"),
            ("public_url = 'not a url'", "public_url"),
            ("public_url = 'https://u:p@x.example'", "public_url"),
            ("public_url = 'https://x.example/below'", "public_url"),
            ("[policy.git]\nurl = 'https://x.example/p.git'", "allowed_signers"),
            ("[upstream.proxy]\nurl = 'https://p:1'", "upstream.proxy.url"),
            ("[upstream.proxy]\nurl = 'http://p:1'\nexcept = ['*']", "upstream.proxy.except"),
            ("[policy.git]\nurl = 'https://u:p@x.example/p.git'\nrequire_signature = false", "token_file"),
            ("[policy.git]\nurl = 'http://x.example/p.git'\nrequire_signature = false", "policy.git.url"),
            ("[policy.git]\nurl = 'git://x.example/p.git'\nrequire_signature = false", "policy.git.url"),
            ("[policy.git]\nurl = 'ext::sh -c date'\nrequire_signature = false", "policy.git.url"),
            (
                "[policy.git]\nurl = 'p'\nrequire_signature = false\nrequire_approval = true",
                "require_approval",
            ),
            ("[policy.git]\nurl = 'p'\nrequire_signature = false\nbranch = 'a..b'", "policy.git.branch"),
            ("[policy.git]\nurl = 'p'\nrequire_signature = false\nfolder = '../x'", "policy.git.folder"),
            ("[policy.git]\nurl = 'p'\nrequire_signature = false\ninterval_seconds = 0", "interval_seconds"),
            ("bundle = 'b'\n[policy.git]\nurl = 'p'\nrequire_signature = false", "keep one of them"),
        ] {
            let config: Config = toml::from_str(written).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(named), "{written}: {error}");
        }
        for url in ["https://bailiwick.example", "http://127.0.0.1:8080/", "https://[::1]:8443"] {
            assert!(is_web_address(url), "{url}");
        }
    }

    #[test]
    fn no_error_and_no_debug_shows_the_password_of_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bailiwick.toml");
        let secret = "s3cr3t-0f-th3-t3st";
        let url = format!("database_url = 'postgres://u:{secret}@h/d'");
        std::fs::write(&path, &url).unwrap();
        let config = Config::read(&path).unwrap();
        assert!(config.database_url.as_ref().unwrap().as_str().contains(secret));
        let shown = format!("{config:?} {config:#?}");
        assert!(!shown.contains(secret), "{shown}");
        for broken in [format!("\n{url}x"), format!("\ndatabase_url = \"{secret}"), format!("\n[{url}")] {
            std::fs::write(&path, broken).unwrap();
            let refused = Config::read(&path).unwrap_err();
            assert!(refused.to_string().contains("line 2"), "{refused}");
            let shown = format!("{refused} {refused:?}");
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
