//! What an ID token says of a person beyond who it is: groups, and attributes that count as groups.

use std::collections::BTreeSet;

use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::ProviderConfig;

/// Most groups that are taken, and bytes of one.
const MOST_GROUPS: usize = 2_000;
const LONGEST_GROUP: usize = 256;

/// Groups, and attributes apart from them: a group that is called `department=Finance` is no attribute.
type Told = (BTreeSet<String>, BTreeSet<String>);

/// Every claim that is none of the standard's.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Claims {
    #[serde(flatten)]
    pub(super) all: Map<String, Value>,
}

impl AdditionalClaims for Claims {}

impl Claims {
    /// A claim by its name, or by the path to it: `realm_access.roles`.
    fn get(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.all.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(self.all.get(first)?, |value, part| value.get(part))
    }

    /// Whether the provider has left groups out because there are too many of them, as Entra ID does beyond 200
    /// (<https://learn.microsoft.com/en-us/security/zero-trust/develop/configure-tokens-group-claims-app-roles>):
    /// a claim that is somewhere else stands in `_claim_names` (OpenID Connect Core, 5.6.2).
    fn leaves_out(&self, name: &str) -> bool {
        let elsewhere = self.all.get("_claim_names").and_then(Value::as_object);
        let first = name.split('.').next().unwrap_or(name);
        elsewhere.is_some_and(|names| names.contains_key(name) || names.contains_key(first))
            || self.all.get("hasgroups").is_some_and(|has| has != &Value::Bool(false))
    }

    /// The groups of the person, and the attributes that count, as `department=Finance`.
    pub(super) fn groups(&self, provider: &ProviderConfig) -> Result<Told, &'static str> {
        let (mut groups, mut claims) = (BTreeSet::new(), BTreeSet::new());
        if self.leaves_out(&provider.groups_claim) {
            return Err("group_overage");
        }
        for group in texts(self.get(&provider.groups_claim))? {
            groups.insert(group.to_owned());
        }
        for name in &provider.attribute_claims {
            if self.leaves_out(name) {
                return Err("group_overage");
            }
            for value in texts(self.get(name))? {
                claims.insert(format!("{name}={value}"));
            }
        }
        if groups.len() + claims.len() > MOST_GROUPS {
            return Err("group_overage");
        }
        Ok((groups, claims))
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all.get(name).and_then(Value::as_str).map(str::to_owned)
    }
}

/// One text, or several in an array. Anything else is not understood, and what is not understood is refused: what is
/// missing could be what a line denies.
fn texts(value: Option<&Value>) -> Result<Vec<&str>, &'static str> {
    let texts = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_str().ok_or("bad_groups")).collect::<Result<_, _>>()?
        }
        Some(_) => return Err("bad_groups"),
    };
    let plain =
        |text: &&str| !text.is_empty() && text.len() <= LONGEST_GROUP && !text.chars().any(char::is_control);
    if texts.iter().all(plain) { Ok(texts) } else { Err("bad_groups") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider(groups_claim: &str) -> ProviderConfig {
        let written = format!(
            "id = 'corp'\nissuer = 'https://id.example'\nclient_id = 'b'\ngroups_claim = '{groups_claim}'\n\
             attribute_claims = ['department']"
        );
        toml::from_str(&written).unwrap()
    }

    fn groups(claim: &str, claims: Value) -> Result<Vec<String>, &'static str> {
        let claims: Claims = serde_json::from_value(claims).unwrap();
        claims.groups(&provider(claim)).map(|(groups, _)| groups.into_iter().collect())
    }

    #[test]
    fn one_or_several_by_name_or_path() {
        assert_eq!(groups("groups", json!({ "groups": "a" })).unwrap(), ["a"]);
        assert_eq!(groups("groups", json!({ "groups": ["b", "a", "a"] })).unwrap(), ["a", "b"]);
        assert!(groups("groups", json!({})).unwrap().is_empty());
        assert_eq!(groups("realm.roles", json!({ "realm": { "roles": ["x"] } })).unwrap(), ["x"]);
        assert_eq!(groups("https://a.example/g", json!({ "https://a.example/g": ["x"] })).unwrap(), ["x"]);
        let both = json!({ "groups": ["department=Law"], "department": "Finance" });
        let both: Claims = serde_json::from_value(both).unwrap();
        let one = |text: &str| BTreeSet::from([text.to_owned()]);
        assert_eq!(
            both.groups(&provider("groups")).unwrap(),
            (one("department=Law"), one("department=Finance")),
            "a group may be called as it likes"
        );
    }

    #[test]
    fn what_is_left_out_or_not_understood_is_refused() {
        let overage = json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": {} } });
        assert_eq!(groups("groups", overage), Err("group_overage"));
        assert_eq!(groups("groups", json!({ "hasgroups": true })), Err("group_overage"));
        assert_eq!(groups("groups", json!({ "_claim_names": { "department": "s" } })), Err("group_overage"));
        for bad in [json!(1), json!([1]), json!([["a"]]), json!({ "a": 1 }), json!(""), json!(["a\u{0}"])] {
            assert_eq!(groups("groups", json!({ "groups": bad })), Err("bad_groups"), "{bad}");
        }
        let many: Vec<String> = (0..=MOST_GROUPS).map(|number| number.to_string()).collect();
        assert_eq!(groups("groups", json!({ "groups": many })), Err("group_overage"));
    }
}
