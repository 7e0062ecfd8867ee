//! What a record tells of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The kinds of record that this version writes. A reader meets others, of later versions: they verify
/// just the same, so a [`Header`](super::Header) keeps the kind as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A request was decided, and allowed.
    Decision,
    /// One try at one endpoint is about to leave.
    Attempt,
    /// The text of a request is about to be read by another detector.
    Analysis,
    /// A request was decided and that was all that was asked for: nothing was sent.
    DryRun,
    /// How an attempt ended: usage, cost, status.
    Outcome,
    /// A request was refused.
    Refusal,
    /// Requests that could not be authenticated, aggregated.
    RefusedAuthentication,
    /// An administrative act.
    Admin,
    /// A person signed in or out.
    SignIn,
    /// A policy bundle was put in force or rejected.
    Policy,
    /// A kill switch was set, renewed or lifted.
    KillSwitch,
    /// Records were exported.
    Export,
    /// Sections of older records were destroyed; names them.
    Prune,
    /// A replica started.
    Start,
    /// A replica stopped in good order.
    Stop,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Decision,
        Self::Attempt,
        Self::Analysis,
        Self::DryRun,
        Self::Outcome,
        Self::Refusal,
        Self::RefusedAuthentication,
        Self::Admin,
        Self::SignIn,
        Self::Policy,
        Self::KillSwitch,
        Self::Export,
        Self::Prune,
        Self::Start,
        Self::Stop,
    ];

    /// The kind as a header writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Attempt => "attempt",
            Self::Analysis => "analysis",
            Self::DryRun => "dry_run",
            Self::Outcome => "outcome",
            Self::Refusal => "refusal",
            Self::RefusedAuthentication => "refused_authentication",
            Self::Admin => "admin",
            Self::SignIn => "sign_in",
            Self::Policy => "policy",
            Self::KillSwitch => "kill_switch",
            Self::Export => "export",
            Self::Prune => "prune",
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind that this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of record that this version knows")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}
