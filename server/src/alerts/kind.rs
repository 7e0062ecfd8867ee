//! What there can be an alert of: a closed list, with the words for each.

use std::fmt;
use std::str::FromStr;

use bailiwick_policy::did_you_mean;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody has to look at it, not tonight.
    Warning,
    /// Somebody has to look at it now. No quiet hours hold it up and no digest.
    Critical,
}

impl Severity {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|severity| severity.as_str() == text);
        found.ok_or_else(|| String::from("it is `info`, `warning` or `critical`"))
    }
}

/// What there is an alert of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Kind {
    /// A budget reached a share of its limit.
    BudgetThreshold,
    /// A budget is spent.
    BudgetExhausted,
    /// A scope spent more in an hour than is usual for it.
    UnusualSpend,
    /// A key expires soon.
    KeyExpires,
    /// A service token expires soon.
    TokenExpires,
    /// An attestation ends soon.
    AttestationEndsSoon,
    /// An attestation has ended.
    AttestationEnded,
    /// Facts of the compliance database will soon be too old to count.
    FactsAgeSoon,
    /// They are.
    FactsTooOld,
    /// The head of the policy's branch is not followed.
    PolicyRefused,
    /// Another commit's policy is in force.
    PolicyFollowed,
    /// A service has other subprocessors.
    SubprocessorsChanged,
    /// Another compliance database is in force.
    ComplianceChanged,
    /// Somebody threw a kill switch.
    KillSwitchThrown,
    /// Somebody lifted one.
    KillSwitchLifted,
    /// One expired, and stops nothing any more.
    KillSwitchExpired,
    /// Somebody signed in with the break-glass account.
    BreakGlass,
    /// Many requests could not be authenticated.
    RefusedFlood,
    /// An endpoint fails.
    EndpointDown,
    /// Records wait for their place in the log's tree.
    LogBehind,
    /// A server was stopped, and what is in its spool has not come.
    SpoolMissing,
    /// A server's spool takes nothing.
    SpoolUnusable,
    /// A missing server's records were given up.
    ReplicaLost,
    /// Nothing: somebody tries a channel.
    Test,
}

impl Kind {
    /// Each that is raised.
    pub const ALL: [Self; 23] = [
        Self::BudgetThreshold,
        Self::BudgetExhausted,
        Self::UnusualSpend,
        Self::KeyExpires,
        Self::TokenExpires,
        Self::AttestationEndsSoon,
        Self::AttestationEnded,
        Self::FactsAgeSoon,
        Self::FactsTooOld,
        Self::PolicyRefused,
        Self::PolicyFollowed,
        Self::SubprocessorsChanged,
        Self::ComplianceChanged,
        Self::KillSwitchThrown,
        Self::KillSwitchLifted,
        Self::KillSwitchExpired,
        Self::BreakGlass,
        Self::RefusedFlood,
        Self::EndpointDown,
        Self::LogBehind,
        Self::SpoolMissing,
        Self::SpoolUnusable,
        Self::ReplicaLost,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BudgetThreshold => "budget_threshold",
            Self::BudgetExhausted => "budget_exhausted",
            Self::UnusualSpend => "unusual_spend",
            Self::KeyExpires => "key_expires",
            Self::TokenExpires => "token_expires",
            Self::AttestationEndsSoon => "attestation_ends_soon",
            Self::AttestationEnded => "attestation_ended",
            Self::FactsAgeSoon => "facts_age_soon",
            Self::FactsTooOld => "facts_too_old",
            Self::PolicyRefused => "policy_refused",
            Self::PolicyFollowed => "policy_followed",
            Self::SubprocessorsChanged => "subprocessors_changed",
            Self::ComplianceChanged => "compliance_changed",
            Self::KillSwitchThrown => "kill_switch_thrown",
            Self::KillSwitchLifted => "kill_switch_lifted",
            Self::KillSwitchExpired => "kill_switch_expired",
            Self::BreakGlass => "break_glass",
            Self::RefusedFlood => "refused_flood",
            Self::EndpointDown => "endpoint_down",
            Self::LogBehind => "log_behind",
            Self::SpoolMissing => "spool_missing",
            Self::SpoolUnusable => "spool_unusable",
            Self::ReplicaLost => "replica_lost",
            Self::Test => "test",
        }
    }

    /// Whether it lasts until it is over, and is closed then; anything else is closed by whoever acknowledges it.
    #[must_use]
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::FactsAgeSoon
                | Self::FactsTooOld
                | Self::EndpointDown
                | Self::LogBehind
                | Self::SpoolMissing
                | Self::SpoolUnusable
        )
    }

    /// Whether what happens at a scope concerns everybody below it too. Anything else is told to nobody below: what is
    /// spent there, or which keys there are, is not theirs to know.
    #[must_use]
    pub const fn concerns_below(self) -> bool {
        match self {
            Self::AttestationEndsSoon
            | Self::AttestationEnded
            | Self::FactsAgeSoon
            | Self::FactsTooOld
            | Self::PolicyRefused
            | Self::PolicyFollowed
            | Self::SubprocessorsChanged
            | Self::ComplianceChanged
            | Self::KillSwitchThrown
            | Self::KillSwitchLifted
            | Self::KillSwitchExpired
            | Self::LogBehind
            | Self::SpoolMissing
            | Self::SpoolUnusable
            | Self::ReplicaLost => true,
            Self::BudgetThreshold
            | Self::BudgetExhausted
            | Self::UnusualSpend
            | Self::KeyExpires
            | Self::TokenExpires
            | Self::BreakGlass
            | Self::RefusedFlood
            | Self::EndpointDown
            | Self::Test => false,
        }
    }

    /// It in one line, of a bounded length and without control characters.
    #[must_use]
    pub fn title(self, facts: &Value) -> String {
        let of = |name: &str| told(facts.get(name).unwrap_or(&Value::Null));
        let title = match self {
            Self::BudgetThreshold => format!("The budget {} has reached {} %", of("name"), of("percent")),
            Self::BudgetExhausted => format!("The budget {} is spent", of("name")),
            Self::UnusualSpend => {
                format!("{} spent {} USD in an hour, usually {}", of("scope"), of("usd"), of("usual_usd"))
            }
            Self::KeyExpires => format!("The key {} expires on {}", of("name"), of("expires")),
            Self::TokenExpires => format!("The service token {} expires on {}", of("name"), of("expires")),
            Self::AttestationEndsSoon => {
                format!("The attestation {} ends on {}", of("attestation"), of("ends"))
            }
            Self::AttestationEnded => format!("The attestation {} has ended", of("attestation")),
            Self::FactsAgeSoon => {
                format!("Facts of the compliance database are about to be too old: {}", of("count"))
            }
            Self::FactsTooOld => format!("Facts of the compliance database are too old: {}", of("count")),
            Self::PolicyRefused => format!("A policy is refused: {}", of("why")),
            Self::PolicyFollowed => format!("The policy of commit {} is in force", of("commit")),
            Self::SubprocessorsChanged => format!("{} has changed its subprocessors", of("service")),
            Self::ComplianceChanged => format!("The compliance database {} is in force", of("version")),
            Self::KillSwitchThrown => format!("A kill switch stops {} {}", of("stops"), of("target")),
            Self::KillSwitchLifted => {
                format!("The kill switch for {} {} is lifted", of("stops"), of("target"))
            }
            Self::KillSwitchExpired => {
                format!("The kill switch for {} {} has expired", of("stops"), of("target"))
            }
            Self::BreakGlass => String::from("Somebody signed in with the break-glass account"),
            Self::RefusedFlood => format!("{} requests could not be authenticated", of("count")),
            Self::EndpointDown => format!("The endpoint {} fails", of("endpoint")),
            Self::LogBehind => String::from("Records wait for their place in the audit log"),
            Self::SpoolMissing => format!("What is in the spool of server {} has not come", of("replica")),
            Self::SpoolUnusable => format!("The spool of {} takes nothing", of("server")),
            Self::ReplicaLost => format!("The records of server {} were given up", of("replica")),
            Self::Test => format!("A test of the channel {}", of("channel")),
        };
        line(&title, LONGEST_TITLE)
    }

    /// What it means, and what to do.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BudgetThreshold => "Nothing is refused yet. Top the budget up, or tell whoever spends it.",
            Self::BudgetExhausted => {
                "A hard budget refuses requests until its window ends; a soft one only counts. Top it up if the work has to go on."
            }
            Self::UnusualSpend => {
                "Nothing is refused for it. Look at which keys and models it went to: a loop, a leak, or a launch."
            }
            Self::KeyExpires => {
                "Requests with it are refused from then on. Rotate it, and give the application the new one."
            }
            Self::TokenExpires => {
                "Whatever uses it is refused from then on. Rotate it, and put the new one in its place."
            }
            Self::AttestationEndsSoon => {
                "At that second, endpoints lose whatever rests on it. Renew the document, and write its new dates into the bundle."
            }
            Self::AttestationEnded => {
                "Endpoints have lost whatever rested on it, and requests that need it are refused. Renew the document, and write its new dates into the bundle."
            }
            Self::FactsAgeSoon => {
                "Within 30 days they count for nothing, and endpoints lose whatever rests on them. Take a newer compliance database; or look at their pages again, and say so in the bundle."
            }
            Self::FactsTooOld => {
                "They count for nothing any more, and endpoints have lost whatever rested on them. Take a newer compliance database; or look at their pages again, and say so in the bundle."
            }
            Self::PolicyRefused => {
                "The policy in force stays. Mend what is named in the repository; it is looked at again by itself."
            }
            Self::PolicyFollowed => "Requests are decided by it from now on.",
            Self::SubprocessorsChanged => {
                "Customers may object within the time that their contract gives (GDPR Art. 28(2)). Look at whether your records of processing have to change."
            }
            Self::ComplianceChanged => {
                "What is known of providers may be other than it was. Look at the changes."
            }
            Self::KillSwitchThrown => "Requests do not go there any more. Lift it when the danger is over.",
            Self::KillSwitchLifted => "Requests go there again, where the policy lets them.",
            Self::KillSwitchExpired => {
                "It stops nothing any more. Lift it if the danger is over, or throw it again."
            }
            Self::BreakGlass => {
                "It is for when no identity provider can be reached. If nobody was meant to, end the session and change the password."
            }
            Self::RefusedFlood => {
                "Somebody tries keys, or an application has a wrong one. The log tells how many a minute."
            }
            Self::EndpointDown => {
                "Requests go to the others that are eligible, or are refused where there is none. Look at its provider's status and at its credential."
            }
            Self::LogBehind => {
                "Requests are recorded, but not yet under a signed checkpoint. Look at the server's log and the database."
            }
            Self::SpoolMissing => {
                "Records may be there and nowhere else, and what that server held of budgets stays counted. Start it again where it was; if its data directory is gone for good, `bailiwick replicas lost` says so."
            }
            Self::SpoolUnusable => {
                "While the database is there nothing is missing; without it this server refuses requests at once. Look at the server's log and the disk of its data directory, then start it again."
            }
            Self::ReplicaLost => "What its spool held is not in the log. Its budgets are free again.",
            Self::Test => "This is a test. Nothing happened.",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(kind) = Self::ALL.into_iter().chain([Self::Test]).find(|kind| kind.as_str() == text) {
            return Ok(kind);
        }
        let shown: String = text.chars().take(60).collect();
        let near = did_you_mean(text, Self::ALL.iter().map(|kind| kind.as_str()));
        let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        Err(format!("there is no kind of alert `{shown}`{near}"))
    }
}

impl TryFrom<String> for Kind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Kind> for &'static str {
    fn from(kind: Kind) -> Self {
        kind.as_str()
    }
}

/// Longest title, in characters: a subject line and a heading hold it.
const LONGEST_TITLE: usize = 160;
/// Longest value of a fact as it is shown.
const LONGEST_FACT: usize = 2_000;

/// A value as people read it.
#[must_use]
pub(super) fn told(value: &Value) -> String {
    match value {
        Value::Null => String::from("—"),
        Value::String(text) => line(text, LONGEST_FACT),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(told).collect();
            line(&values.join("; "), LONGEST_FACT)
        }
        other => line(&other.to_string(), LONGEST_FACT),
    }
}

/// A text on one line: what was written elsewhere must not break a header or a layout.
fn line(text: &str, longest: usize) -> String {
    let plain: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    let mut words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > longest {
        words = words.chars().take(longest.saturating_sub(1)).chain(['…']).collect();
    }
    words
}

/// The facts as rows: what each is called, and its value.
#[must_use]
pub(super) fn rows(facts: &Value) -> Vec<(String, String)> {
    let named = |(name, value): (&String, &Value)| (name.replace('_', " "), told(value));
    facts.as_object().into_iter().flatten().map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written_and_typos_are_named() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse::<Kind>(), Ok(kind));
            assert!(!kind.meaning().is_empty() && !kind.title(&json!({})).is_empty());
        }
        let near = "budget_exhaustd".parse::<Kind>().unwrap_err();
        assert!(near.contains("did you mean `budget_exhausted`"), "{near}");
        assert!("fatal".parse::<Severity>().unwrap_err().contains("critical"));
        assert!(Severity::Critical > Severity::Warning && Severity::Warning > Severity::Info);
    }

    #[test]
    fn a_title_is_one_line_whatever_it_is_made_of() {
        let facts = json!({ "why": "a\r\nBcc: everybody@example.com\u{0}", "stops": "model" });
        let title = Kind::PolicyRefused.title(&facts);
        assert_eq!(title, "A policy is refused: a Bcc: everybody@example.com");
        let long = Kind::PolicyRefused.title(&json!({ "why": "ä".repeat(5_000) }));
        assert!(long.chars().count() == 160 && long.ends_with('…'));
        assert_eq!(Kind::KillSwitchThrown.title(&facts), "A kill switch stops model —");
    }
}
