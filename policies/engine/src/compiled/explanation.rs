//! The shape of an explanation.

use crate::rule::Mode;
use bailiwick_compliance_db::Attribute;
use serde::{Deserialize, Serialize};

/// Why a decision is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The outcome in a sentence: what the client is told.
    pub summary: String,
    /// The rules that applied, were waived, or would have changed something.
    pub rules: Vec<RuleExplanation>,
    /// Every candidate endpoint, in the catalog's order.
    pub endpoints: Vec<EndpointExplanation>,
    /// What would have to change for the request to be allowed: the nearest endpoint and what it lacks.
    pub fix: Option<String>,
    /// The rules that refuse the request whatever the endpoint.
    pub denied_by: Vec<String>,
    /// Rules of packs that the bundle switched off and that hold in the request's scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switched_off: Vec<String>,
}

/// One rule's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleExplanation {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it comes from.
    pub because: Vec<String>,
    /// Whether it is enforced.
    pub mode: Mode,
    /// Why it applies to this request, a condition each.
    pub matched_because: Vec<String>,
    /// The exception that waives it, if one does.
    pub waived_by: Option<String>,
    /// The pack that it comes from, if any, and the mode that the pack gave it if the bundle gave it another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
}

/// One endpoint's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointExplanation {
    /// Its name.
    pub name: String,
    /// Whether the request may go there.
    pub eligible: bool,
    /// What stands against it, in the bundle's order. Empty if it is eligible.
    pub reasons: Vec<Reason>,
}

/// One requirement that an endpoint does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule that requires it.
    pub rule: String,
    /// Of which attribute; absent if the rule refuses the request whatever the endpoint.
    pub attribute: Option<Attribute>,
    /// What is required.
    pub required: String,
    /// What is known.
    pub actual: String,
    /// The facts behind what is known.
    pub facts: Vec<FactReference>,
    /// What would make it better, where something would.
    pub missing: Option<String>,
    /// All of it in a sentence.
    pub text: String,
}

/// A fact and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactReference {
    /// Its id in the compliance database.
    pub id: String,
    /// Every page behind it: what the operator itself says and was read comes first, then what the organisation declares, then
    /// what others say, then what nobody read; among equals in the order of the file.
    pub evidence: Vec<PageReference>,
}

/// A page that says what a fact claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReference {
    /// The page.
    pub url: String,
    /// What the page says, in other words.
    pub says: String,
    /// The day on which it last said so.
    pub observed_to: String,
}
