//! `[policy.git]` of the configuration.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::outbound::Way;

/// A day.
const MOST_SECONDS: u64 = 86_400;

/// Which branch of which repository holds the bundle, and what is asked of a commit before it comes into force.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GitConfig {
    /// `https://…`, `ssh://…`, `user@host:path`, `file://…` or a path. It holds no password: it is shown and recorded.
    pub url: String,
    /// The branch.
    #[serde(default = "main")]
    pub branch: String,
    /// The bundle's folder in the repository; its root where empty.
    #[serde(default)]
    pub folder: String,
    /// How often it is looked for a new head.
    #[serde(default = "interval")]
    pub interval_seconds: u64,
    /// Who may sign: a file as of `ssh-keygen`, "ALLOWED SIGNERS".
    pub allowed_signers: Option<PathBuf>,
    /// Whether the head has to be signed by one of them.
    #[serde(default = "yes")]
    pub require_signature: bool,
    /// Whether another one of them has to approve it.
    #[serde(default)]
    pub require_approval: bool,
    /// Whether a head is followed that does not descend from the commit in force.
    #[serde(default)]
    pub allow_rewind: bool,
    /// Whether a bundle is refused whose rules, packs or roles are for a scope which the organisation does not have, as soon
    /// as it has any.
    #[serde(default = "yes")]
    pub require_known_scopes: bool,
    /// For https: the user whose password is in `token_file`.
    #[serde(default = "username")]
    pub username: String,
    /// For https: the file with the token or password.
    pub token_file: Option<PathBuf>,
    /// For https: PEM file with certificates of authorities to trust beside the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// For ssh: the file with the private key; what `ssh` would use where absent.
    pub ssh_key: Option<PathBuf>,
    /// For ssh: the file with the host's key; what `ssh` would use where absent.
    pub known_hosts: Option<PathBuf>,
    /// The file with the secret that whoever calls `POST /api/v1/policy:notify` has to know.
    pub webhook_secret_file: Option<PathBuf>,
    /// Which addresses may be reached for it, and through whom: as the configuration of everything else says.
    #[serde(skip)]
    pub way: Way,
}

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine: it is read where it is.
    Local(PathBuf),
    /// Elsewhere: it is fetched.
    Remote,
}

fn main() -> String {
    String::from("main")
}

fn interval() -> u64 {
    30
}

fn yes() -> bool {
    true
}

/// What GitHub, GitLab and Gitea take beside a token; each ignores the name or takes this one.
fn username() -> String {
    String::from("oauth2")
}

impl GitConfig {
    /// All defaults but the URL. Nothing is followed by these before `allowed_signers` is set or `require_signature` is
    /// not.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            branch: main(),
            folder: String::new(),
            interval_seconds: interval(),
            allowed_signers: None,
            require_signature: true,
            require_approval: false,
            allow_rewind: false,
            require_known_scopes: true,
            username: username(),
            token_file: None,
            ca_bundle: None,
            ssh_key: None,
            known_hosts: None,
            webhook_secret_file: None,
            way: Way::default(),
        }
    }

    /// Where the repository is.
    ///
    /// # Errors
    /// Why the URL is none that can be followed.
    pub fn location(&self) -> Result<Location, String> {
        let url = gix::url::parse(self.url.as_str())
            .map_err(|error| format!("`policy.git.url` is no URL of a repository: {error}"))?;
        if url.password().is_some() {
            return Err(String::from(
                "`policy.git.url` holds a password, and it is shown and recorded: write it into a file, and that into \
                 `policy.git.token_file`",
            ));
        }
        match url.scheme {
            gix::url::Scheme::File if url.host().is_none() => {
                Ok(Location::Local(PathBuf::from(url.path.to_string())))
            }
            gix::url::Scheme::Https | gix::url::Scheme::Ssh => Ok(Location::Remote),
            _ => Err(String::from(
                "`policy.git.url` must be a path, or an address with `file`, `https` or `ssh`: others protect nobody from \
                 who listens in between",
            )),
        }
    }

    /// What tells this source from another one: a commit of the one says nothing about the other's history.
    #[must_use]
    pub fn source(&self) -> String {
        format!("{}#{}:{}", self.url, self.branch, self.folder)
    }

    /// Makes a relative path of a repository relative to `folder`.
    pub(crate) fn anchor(&mut self, folder: &Path) {
        if let Ok(Location::Local(path)) = self.location()
            && path.is_relative()
        {
            self.url = folder.join(path).display().to_string();
        }
    }

    /// The files that it names.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = [
            &mut self.allowed_signers,
            &mut self.token_file,
            &mut self.ca_bundle,
            &mut self.ssh_key,
            &mut self.known_hosts,
            &mut self.webhook_secret_file,
        ];
        files.into_iter().flatten()
    }

    /// Refuses what nothing can be followed with.
    ///
    /// # Errors
    /// The setting and what it may be.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.location()?;
        if !(1..=MOST_SECONDS).contains(&self.interval_seconds) {
            return Err(format!("`policy.git.interval_seconds` must be 1 to {MOST_SECONDS}"));
        }
        if self.require_signature && self.allowed_signers.is_none() {
            return Err(String::from(
                "`policy.git.allowed_signers` is missing: without it nobody can sign a commit. Name the file, or set \
                 `require_signature = false` if whoever can push may decide what the policy is",
            ));
        }
        if self.require_approval && !self.require_signature {
            return Err(String::from(
                "`policy.git.require_approval` needs `require_signature`: nobody knows whether an unsigned commit's author \
                 is somebody else",
            ));
        }
        if gix::validate::reference::name(format!("refs/heads/{}", self.branch).as_bytes().into()).is_err() {
            return Err(format!("`policy.git.branch` is `{}`, which no branch can be called", self.branch));
        }
        let odd = |part: &str| matches!(part, "" | "." | "..") || part.contains('\\');
        if !self.folder.is_empty() && self.folder.split('/').any(odd) {
            return Err(String::from(
                "`policy.git.folder` must be a path within the repository, such as `policy/production`",
            ));
        }
        Ok(())
    }
}
