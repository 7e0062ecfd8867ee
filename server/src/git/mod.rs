//! The policy bundle out of a Git repository: fetched, its head's signature and approval verified, its files read out of
//! the commit's tree. Nothing is ever checked out, no hook or filter runs, and no `git` program is needed.
//!
//! Who controls the repository can write any name and date into a commit. So nothing is believed of a commit but its
//! content and what keys of the allowed-signers file have signed, and that file is kept on the server, outside the
//! repository.

mod commit;
mod remote;
mod settings;
mod signature;
mod signers;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use gix::ObjectId;
use serde::{Deserialize, Serialize};

pub use settings::{GitConfig, Location};
pub use signature::APPROVAL;
pub use signers::{AllowedSigners, Signer};

/// Why the head of the branch is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The repository or its branch cannot be read.
    Repository,
    /// It does not descend from the commit in force.
    History,
    /// No allowed signer signed it.
    Signature,
    /// Nobody else approved it.
    Approval,
    /// Its tree holds what a bundle may not: too much, symbolic links, submodules.
    Tree,
    /// Its bundle does not load, or lint finds an error.
    Bundle,
    /// A test of the bundle fails.
    Tests,
    /// The bundle cannot be put in force over the endpoints as they are declared.
    Endpoints,
}

impl Stage {
    /// Each.
    pub const ALL: [Self; 8] = [
        Self::Repository,
        Self::History,
        Self::Signature,
        Self::Approval,
        Self::Tree,
        Self::Bundle,
        Self::Tests,
        Self::Endpoints,
    ];

    /// Its written form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::History => "history",
            Self::Signature => "signature",
            Self::Approval => "approval",
            Self::Tree => "tree",
            Self::Bundle => "bundle",
            Self::Tests => "tests",
            Self::Endpoints => "endpoints",
        }
    }
}

/// A head that is not followed, or a repository that has none to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{why}{}", at(.commit), lines(.problems))]
pub struct Refused {
    /// What it failed at.
    pub stage: Stage,
    /// The head, where there is one.
    pub commit: Option<String>,
    /// Why, and the way out.
    pub why: String,
    /// Each fault of the bundle, with its file and line.
    #[serde(default)]
    pub problems: Vec<String>,
}

fn at(commit: &Option<String>) -> String {
    commit.as_ref().map(|commit| format!("commit {commit}: ")).unwrap_or_default()
}

fn lines(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// Faults of one bundle that are told; the rest is counted.
const MOST_PROBLEMS: usize = 50;

impl Refused {
    /// Of no commit in particular.
    #[must_use]
    pub fn new(stage: Stage, why: impl Into<String>) -> Self {
        Self { stage, commit: None, why: why.into(), problems: Vec::new() }
    }

    /// Of this commit.
    #[must_use]
    pub fn at(self, commit: &str) -> Self {
        Self { commit: Some(commit.to_owned()), ..self }
    }

    /// With the faults of the bundle.
    #[must_use]
    pub fn with(self, problems: impl IntoIterator<Item = String>) -> Self {
        let mut problems: Vec<String> = problems.into_iter().collect();
        if problems.len() > MOST_PROBLEMS {
            let more = problems.len() - MOST_PROBLEMS;
            problems.truncate(MOST_PROBLEMS);
            problems.push(format!("and {more} more"));
        }
        Self { problems, ..self }
    }
}

/// A head that is signed and approved as the configuration asks, and the files of its bundle.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its id, in hexadecimal.
    pub commit: String,
    /// Who signed it, where signatures are asked for.
    pub author: Option<Signer>,
    /// Who else signed for it, where approval is asked for.
    pub approver: Option<Signer>,
    /// Text by path within the bundle's folder.
    pub files: BTreeMap<String, String>,
}

/// Looks at the repository. `None` where the head of the branch is `in_force` already. `mirror` is the folder for the
/// copy of a repository that is reached over the network. Blocks.
///
/// # Errors
/// [`Refused`].
pub fn look(
    config: &GitConfig,
    mirror: &Path,
    in_force: Option<&str>,
    now_ms: i64,
) -> Result<Option<Candidate>, Refused> {
    let seen = match config.location().map_err(|why| Refused::new(Stage::Repository, why))? {
        Location::Local(path) => remote::open(&path, &config.branch),
        Location::Remote => remote::fetch(config, mirror),
    }
    .map_err(|why| Refused::new(Stage::Repository, why))?;
    let id = seen.head.to_string();
    if in_force == Some(id.as_str()) {
        return Ok(None);
    }
    let before = in_force.and_then(|commit| ObjectId::from_hex(commit.as_bytes()).ok());
    examine(config, &seen, before, now_ms).map(Some).map_err(|refused| refused.at(&id))
}

fn examine(
    config: &GitConfig,
    seen: &remote::Seen,
    before: Option<ObjectId>,
    now_ms: i64,
) -> Result<Candidate, Refused> {
    let refused = |stage| move |why: String| Refused::new(stage, why);
    if let Some(before) = before
        && !config.allow_rewind
    {
        commit::descends(&seen.repository, seen.head, before).map_err(refused(Stage::History))?;
    }
    let head = commit::Commit::read(&seen.repository, seen.head).map_err(refused(Stage::Repository))?;
    let (mut author, mut approver) = (None, None);
    if config.require_signature {
        let signers = AllowedSigners::read(config.allowed_signers.as_deref().unwrap_or(Path::new("")))
            .map_err(refused(Stage::Signature))?;
        let signed = head.signer(&signers, now_ms).map_err(refused(Stage::Signature))?;
        if config.require_approval {
            let (by, other) = head
                .approval(
                    &signers,
                    &signed,
                    &config.folder,
                    (seen.approvals, before.filter(|_| !config.allow_rewind)),
                    now_ms,
                )
                .map_err(refused(Stage::Approval))?;
            (author, approver) = (Some(by), Some(other));
        } else {
            author = Some(signed);
        }
    }
    let files = head.files(&config.folder).map_err(refused(Stage::Tree))?;
    Ok(Candidate { commit: seen.head.to_string(), author, approver, files })
}
