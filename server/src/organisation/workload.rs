//! Workloads: whose tokens are exchanged for short-lived keys, as declared.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{KeyDefinition, KeySettings, key_problems};
use crate::fault::{self, Fault};

/// Seconds that a key may live.
const LIFETIME_S: std::ops::RangeInclusive<u32> = 60..=43_200;
/// Characters of a name and of a pattern, conditions of a workload and alternatives of a condition.
const LONGEST_NAME: usize = 64;
const LONGEST_PATTERN: usize = 512;
const MOST: usize = 20;

/// Issuers that anybody may get a token of, with the claims that say whose it is, and how many segments of one do.
const PUBLIC: [(&str, &[(&str, usize)]); 6] = [
    // https://docs.github.com/en/actions/reference/security/oidc
    (
        "https://token.actions.githubusercontent.com",
        &[
            ("repository", 1),
            ("repository_owner", 1),
            ("repository_id", 1),
            ("repository_owner_id", 1),
            ("sub", 2),
        ],
    ),
    // https://docs.gitlab.com/ci/secrets/id_token_authentication/
    (
        "https://gitlab.com",
        &[("project_path", 1), ("namespace_path", 1), ("project_id", 1), ("namespace_id", 1), ("sub", 2)],
    ),
    // https://developers.google.com/identity/openid-connect/reference
    ("https://accounts.google.com", &[("sub", 1), ("email", 1), ("hd", 1)]),
    // The tenant of everybody's own Microsoft account:
    // https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference
    (
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        &[("sub", 1), ("oid", 1)],
    ),
    // https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
    (
        "https://app.terraform.io",
        &[("terraform_organization_id", 1), ("terraform_organization_name", 1), ("sub", 2)],
    ),
    // https://buildkite.com/docs/apis/workload-identity-federation/buildkite-agents
    ("https://agent.buildkite.com", &[("organization_slug", 1), ("organization_id", 1), ("sub", 2)]),
];

/// Whose tokens are exchanged for keys, and which keys those are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadDefinition {
    /// Its name.
    pub name: String,
    /// The scope of the keys.
    pub scope: String,
    /// Who issues the tokens, exactly as their `iss` says.
    pub issuer: String,
    /// Whom the tokens are for: one of their `aud`.
    pub audience: String,
    /// What their claims have to be, all of them.
    pub claims: BTreeMap<String, Condition>,
    /// Seconds that a key lives.
    #[serde(default = "lifetime")]
    pub lifetime_s: u32,
    /// Whether one token may be exchanged more than once, until it ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reusable: bool,
    /// How many keys may be good at one time.
    #[serde(default = "most_keys")]
    pub most_keys: u32,
    /// What the keys may do: the fields of a key, but for `scope`, `name`, `expires` and `requests_per_minute`.
    #[serde(default, deserialize_with = "key_settings")]
    pub key: KeySettings,
}

fn lifetime() -> u32 {
    900
}

fn most_keys() -> u32 {
    100
}

/// Read as a key is, so that an unknown field is found.
fn key_settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeySettings, D::Error> {
    use serde::de::Error as _;
    let mut fields = serde_json::Map::<String, Value>::deserialize(deserializer)?;
    for field in ["scope", "name", "expires", "requests_per_minute"] {
        if fields.contains_key(field) {
            return Err(D::Error::custom(format!("`{field}` is not for the keys of a workload to say")));
        }
    }
    for field in ["scope", "name"] {
        fields.insert(field.to_owned(), "/".into());
    }
    let key: KeyDefinition = serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)?;
    Ok(key.settings)
}

/// What a claim has to be: a pattern, or one of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a claim's condition is a text, or a list of them")]
pub enum Condition {
    /// This.
    One(String),
    /// One of these.
    Any(Vec<String>),
}

impl Condition {
    fn patterns(&self) -> &[String] {
        match self {
            Self::One(pattern) => std::slice::from_ref(pattern),
            Self::Any(patterns) => patterns,
        }
    }

    /// Whether it holds for a claim, which may be one value or several in an array. A claim that is not there, and one
    /// that is an object, fits nothing.
    fn holds(&self, claim: Option<&Value>) -> bool {
        let one = |value: &Value| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return false,
            };
            self.patterns().iter().any(|pattern| fits(pattern, &text))
        };
        match claim {
            Some(Value::Array(values)) => values.iter().any(one),
            Some(value) => one(value),
            None => false,
        }
    }
}

const SEPARATORS: [char; 2] = ['/', ':'];

/// A text's segments, each with the separator that ends it.
fn segments(text: &str) -> Vec<(&str, &str)> {
    text.split_inclusive(SEPARATORS)
        .map(|piece| match piece.char_indices().next_back() {
            Some((at, last)) if SEPARATORS.contains(&last) => piece.split_at(at),
            _ => (piece, ""),
        })
        .collect()
}

/// Whether a text is as a pattern says. `/` and `:` end segments; `*` stands for one whole segment that is not empty, and
/// `**` at the end for one or more.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (segments(pattern), segments(text));
    let rest = pattern.last() == Some(&("**", ""));
    let fixed = pattern.len() - usize::from(rest);
    if (rest && text.len() <= fixed) || (!rest && text.len() != fixed) {
        return false;
    }
    let same = |((wanted, ends), (is, end)): (&(&str, &str), &(&str, &str))| {
        ends == end && if *wanted == "*" { !is.is_empty() } else { wanted == is }
    };
    pattern.iter().take(fixed).zip(&text).all(same) && text.iter().skip(fixed).all(|(is, _)| !is.is_empty())
}

fn wrong_pattern(pattern: &str) -> bool {
    let parts = segments(pattern);
    let last = parts.len().saturating_sub(1);
    pattern.is_empty()
        || pattern.chars().count() > LONGEST_PATTERN
        || pattern.chars().any(char::is_control)
        || parts
            .iter()
            .enumerate()
            .any(|(at, (part, _))| part.contains('*') && *part != "*" && !(*part == "**" && at == last))
}

impl WorkloadDefinition {
    /// Everything that is wrong with it by itself.
    #[must_use]
    pub fn problems(&self) -> Vec<Fault> {
        let mut problems = Vec::new();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.bytes().all(plain) {
            problems.push(Fault::at("/name", "its name is up to 64 letters, digits, `-`, `_` and `.`"));
        }
        problems.extend(bailiwick_policy::scope::validate(&self.scope).err().map(Fault::of_field("/scope")));
        if !crate::identity::is_secure(&self.issuer) || self.issuer.contains(['?', '#']) {
            let told = "`issuer` must be an https:// address, exactly as the tokens say it";
            problems.push(Fault::at("/issuer", told));
        }
        if self.audience.trim().is_empty() || self.audience.len() > LONGEST_PATTERN {
            let told = "`audience` says whom the tokens are for: this server, and nobody else";
            problems.push(Fault::at("/audience", told));
        }
        if !LIFETIME_S.contains(&self.lifetime_s) {
            let (least, most) = (LIFETIME_S.start(), LIFETIME_S.end());
            let told = format!("`lifetime_s` is {}: it must be {least} to {most}", self.lifetime_s);
            problems.push(Fault::at("/lifetime_s", told));
        }
        if !(1..=10_000).contains(&self.most_keys) {
            problems.push(Fault::at("/most_keys", "`most_keys` must be 1 to 10000"));
        }
        if self.claims.is_empty() || self.claims.len() > MOST {
            let told = format!(
                "`claims` has 1 to {MOST} conditions: without any, everybody whom the issuer knows gets a key"
            );
            problems.push(Fault::at("/claims", told));
        }
        for (name, condition) in &self.claims {
            let patterns = condition.patterns();
            let pointer = || format!("/claims/{}", fault::step(name));
            if patterns.is_empty() || patterns.len() > MOST || patterns.iter().any(|text| wrong_pattern(text))
            {
                let told = format!(
                    "`claims.{name}`: 1 to {MOST} texts, in which `*` stands for a whole segment between `/` or `:`, and \
                     `**` at the end for all that follow"
                );
                problems.push(Fault::at(pointer(), told));
            }
            if ["iss", "aud", "exp", "nbf", "iat", "jti"].contains(&name.as_str()) {
                problems.push(Fault::at(pointer(), format!("`claims.{name}` is looked at in any case")));
            }
        }
        problems.extend(self.anybody().map(Fault::of_field("/claims")));
        let key = KeyDefinition {
            scope: self.scope.clone(),
            name: self.name.clone(),
            expires: None,
            settings: self.key.clone(),
        };
        // Name and scope are the workload's, which were looked at.
        let of_key = key_problems(&key).into_iter().filter(|fault| fault.pointer != "/name");
        problems.extend(of_key.map(|fault| fault.within("/key")));
        if self.key.requests_per_minute.is_some() {
            let told = "`requests_per_minute`: declare a limit on the scope";
            problems.push(Fault::at("/key/requests_per_minute", told));
        }
        let which = format!("workload `{}`", self.name);
        problems.into_iter().map(|problem| problem.of(&which)).collect()
    }

    /// A token of a public issuer says nothing about whose it is before a claim is looked at that does.
    fn anybody(&self) -> Option<String> {
        let (_, telling) = PUBLIC.iter().find(|(issuer, _)| *issuer == self.issuer.trim_end_matches('/'))?;
        let tells = |(name, count): &(&str, usize)| {
            self.claims.get(*name).is_some_and(|condition| {
                let whose = |pattern: &String| {
                    let parts = segments(pattern);
                    parts.len() >= *count && parts.iter().take(*count).all(|(part, _)| !part.contains('*'))
                };
                !condition.patterns().is_empty() && condition.patterns().iter().all(whose)
            })
        };
        if telling.iter().any(tells) {
            return None;
        }
        let names: Vec<&str> = telling.iter().map(|(name, _)| *name).collect();
        Some(format!(
            "anybody can get a token of {}: say in `claims` whose is meant, by one of {}, without a `*` in its beginning",
            self.issuer,
            names.join(", ")
        ))
    }

    /// Whether a token with these claims is one of its, as far as they tell: issuer and audience are looked at elsewhere.
    #[must_use]
    pub fn is_for(&self, claims: &Value) -> bool {
        let claim = |name: &str| {
            if name.starts_with('/') { claims.pointer(name) } else { claims.get(name) }
        };
        !self.claims.is_empty() && self.claims.iter().all(|(name, condition)| condition.holds(claim(name)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_is_a_whole_segment_and_two_are_all_that_follow() {
        for (pattern, fitting, others) in [
            ("acme/app", &["acme/app"][..], &["acme/app2", "acme/app/x", "acme", "ACME/app", "acme:app"][..]),
            ("acme/*", &["acme/app"], &["acme/", "acme", "acmecorp/app", "acme/app/x", "x/acme/app"]),
            ("*/app", &["acme/app"], &["/app", "app", "a/b/app"]),
            (
                "refs/heads/**",
                &["refs/heads/main", "refs/heads/a/b"],
                &["refs/heads/", "refs/heads", "refs/heads/a//b", "refs/tags/v1"],
            ),
            (
                "repo:acme/app:ref:refs/heads/*",
                &["repo:acme/app:ref:refs/heads/main"],
                &["repo:acme/app:environment:x", "repo:acme/app:ref:refs/heads/a/b"],
            ),
            (
                "system:serviceaccount:ns:*",
                &["system:serviceaccount:ns:app"],
                &["system:serviceaccount:ns:", "system:serviceaccount:ns/app"],
            ),
            ("\u{e4}/*", &["\u{e4}/\u{f6}"], &["a/\u{f6}"]),
        ] {
            assert!(!wrong_pattern(pattern), "{pattern}");
            for text in fitting {
                assert!(fits(pattern, text), "{pattern} {text}");
            }
            for text in others {
                assert!(!fits(pattern, text), "{pattern} {text}");
            }
        }
        for wrong in ["", "a*", "**/a", "acme/ap*", "a/***", "a\n"] {
            assert!(wrong_pattern(wrong), "{wrong:?}");
        }
    }

    fn workload(more: &str) -> Result<WorkloadDefinition, String> {
        let written = format!(
            r#"{{"name": "ci", "scope": "/acme", "issuer": "https://id.example", "audience": "bailiwick", {more}}}"#
        );
        serde_json::from_str(&written).map_err(|error| error.to_string())
    }

    #[test]
    fn every_claim_has_to_be_there_and_right() {
        let is_for = |claims: &str, token: Value| {
            let workload = workload(&format!(r#""claims": {claims}"#)).unwrap();
            assert!(workload.problems().is_empty(), "{:?}", workload.problems());
            workload.is_for(&token)
        };
        assert!(is_for(r#"{"sub": "a"}"#, json!({ "sub": "a" })));
        assert!(!is_for(r#"{"sub": "a"}"#, json!({})));
        for odd in [json!(null), json!({ "a": "a" }), json!([]), json!([["a"]]), json!("")] {
            assert!(!is_for(r#"{"sub": "a"}"#, json!({ "sub": odd })), "{odd}");
        }
        assert!(is_for(r#"{"sub": ["a", "b"]}"#, json!({ "sub": "b" })));
        assert!(!is_for(r#"{"sub": "a", "env": "prod"}"#, json!({ "sub": "a" })));
        assert!(is_for(r#"{"groups": "x"}"#, json!({ "groups": ["y", "x"] })));
        assert!(is_for(r#"{"id": "7", "ok": "true"}"#, json!({ "id": 7, "ok": true })));
        let kubernetes = json!({ "kubernetes.io": { "namespace": "shop" } });
        assert!(is_for(r#"{"/kubernetes.io/namespace": "shop"}"#, kubernetes.clone()));
        assert!(!is_for(r#"{"/kubernetes.io/namespace": "bank"}"#, kubernetes));
    }

    #[test]
    fn what_would_let_anybody_in_or_makes_no_sense_is_named() {
        let claims = r#""claims": {"sub": "a"}"#;
        assert!(workload(claims).unwrap().problems().is_empty());
        for (more, named) in [
            (r#""claims": {}"#.to_owned(), "1 to 20 conditions"),
            (r#""claims": {"sub": []}"#.to_owned(), "`claims.sub`"),
            (r#""claims": {"sub": "a*"}"#.to_owned(), "`claims.sub`"),
            (r#""claims": {"iss": "a"}"#.to_owned(), "`claims.iss`"),
            (format!(r#"{claims}, "lifetime_s": 5"#), "lifetime_s"),
            (format!(r#"{claims}, "most_keys": 0"#), "most_keys"),
            (format!(r#"{claims}, "key": {{"owner": " x"}}"#), "owner"),
        ] {
            let problems = fault::words(&workload(&more).unwrap().problems());
            assert!(problems.contains(named), "{more}: {problems}");
        }
        for (more, named) in [
            (format!(r#"{claims}, "key": {{"model": []}}"#), "`model`"),
            (format!(r#"{claims}, "key": {{"expires": "2027-01-01T00:00:00Z"}}"#), "`expires`"),
            (format!(r#"{claims}, "claim": {{}}"#), "`claim`"),
        ] {
            assert!(workload(&more).unwrap_err().contains(named), "{more}");
        }
        for (issuer, claims, fine) in [
            ("https://token.actions.githubusercontent.com", r#"{"repository": "acme/*"}"#, true),
            ("https://token.actions.githubusercontent.com", r#"{"repository": "*/app"}"#, false),
            ("https://token.actions.githubusercontent.com", r#"{"repository": ["acme/app", "*/*"]}"#, false),
            ("https://token.actions.githubusercontent.com", r#"{"sub": "repo:acme/**"}"#, true),
            ("https://token.actions.githubusercontent.com", r#"{"sub": "repo:**"}"#, false),
            ("https://token.actions.githubusercontent.com", r#"{"ref": "refs/heads/main"}"#, false),
            ("https://gitlab.com", r#"{"ref": "main"}"#, false),
            ("https://gitlab.com", r#"{"namespace_path": "acme"}"#, true),
            ("https://gitlab.example", r#"{"ref": "main"}"#, true),
            ("https://accounts.google.com", r#"{"aud2": "x"}"#, false),
            ("https://accounts.google.com/", r#"{"hd": "acme.example"}"#, true),
            ("https://app.terraform.io", r#"{"terraform_workspace_name": "prod"}"#, false),
            ("https://app.terraform.io", r#"{"sub": "organization:acme:**"}"#, true),
            ("https://app.terraform.io", r#"{"sub": "organization:*:project:x"}"#, false),
            ("https://agent.buildkite.com", r#"{"pipeline_slug": "deploy"}"#, false),
            ("https://agent.buildkite.com", r#"{"organization_slug": "acme"}"#, true),
        ] {
            let mut workload = workload(&format!(r#""claims": {claims}"#)).unwrap();
            workload.issuer = issuer.to_owned();
            assert_eq!(workload.problems().is_empty(), fine, "{issuer} {claims}: {:?}", workload.problems());
        }
    }
}
