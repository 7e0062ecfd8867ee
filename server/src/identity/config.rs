//! `[identity]` of `bailiwick.toml`: how people sign in, and for how long.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
/// Characters of a provider's id, which stands in addresses and policy lines.
const LONGEST_ID: usize = 32;

/// How people sign in.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// How long a session holds.
    pub session: SessionConfig,
    /// Identity providers (OpenID Connect).
    pub provider: Vec<ProviderConfig>,
    /// The account for when no provider can be reached; off where absent.
    pub break_glass: Option<BreakGlassConfig>,
}

/// How long a session holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    /// Minutes without use after which it ends.
    pub idle_minutes: u32,
    /// Hours after which it ends however much it is used.
    pub absolute_hours: u32,
    /// Minutes after a sign-in for which dangerous actions need no other one.
    pub step_up_minutes: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { idle_minutes: 60, absolute_hours: 12, step_up_minutes: 15 }
    }
}

impl SessionConfig {
    /// Milliseconds without use.
    #[must_use]
    pub fn idle_ms(&self) -> i64 {
        i64::from(self.idle_minutes) * MINUTE_MS
    }

    /// Milliseconds in all.
    #[must_use]
    pub fn absolute_ms(&self) -> i64 {
        i64::from(self.absolute_hours) * 60 * MINUTE_MS
    }

    /// Milliseconds for which a sign-in is fresh.
    #[must_use]
    pub fn step_up_ms(&self) -> i64 {
        i64::from(self.step_up_minutes) * MINUTE_MS
    }
}

/// An identity provider.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Its name in addresses and policy lines: `corp` in `group:corp:admins`.
    pub id: String,
    /// Its name for people; the id where absent.
    pub title: Option<String>,
    /// Its issuer, exactly as its discovery document says.
    pub issuer: String,
    /// The client that it knows this server as.
    pub client_id: String,
    /// A file with the client's secret; a public client where absent.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The domains of the e-mail addresses that it may sign in; any, or none at all, where empty.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Whether an e-mail address counts that the provider does not say it has verified.
    #[serde(default)]
    pub trust_email: bool,
    /// The claim that names groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Claims that count in lines of the policy: `claim:corp:department=Finance`.
    #[serde(default)]
    pub attribute_claims: Vec<String>,
    /// Whether its UserInfo endpoint is asked for claims that the ID token lacks.
    #[serde(default)]
    pub userinfo: bool,
    /// What `acr` has to be one of for dangerous actions; anything where empty.
    #[serde(default)]
    pub step_up_acr: Vec<String>,
    /// Signatures that are taken.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<SigningAlgorithm>,
    /// Whether it pushes people and groups (SCIM 2.0), and how those are the people who sign in.
    #[serde(default)]
    pub scim: Option<ScimConfig>,
}

/// How people whom a provider pushes are those who sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScimConfig {
    /// The attribute of a user that a claim of the ID token says again.
    pub attribute: ScimAttribute,
    /// That claim: `sub`, `preferred_username` or `email` where absent, by the attribute.
    pub claim: Option<String>,
    /// Which of the two sources tells the groups of whoever is pushed.
    pub groups: GroupSource,
    /// Whether whoever is not pushed is refused.
    pub required: bool,
}

/// An attribute that tells one user from another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ScimAttribute {
    /// The provider's own name of the user.
    #[default]
    ExternalId,
    /// The name that the user signs in with.
    UserName,
    /// The e-mail address that counts.
    Email,
}

/// Where the groups of a person come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupSource {
    /// The groups that are pushed.
    #[default]
    Scim,
    /// The claim of the last sign-in.
    Claims,
}

impl ScimConfig {
    /// The claim that says the attribute again.
    #[must_use]
    pub fn claim(&self) -> &str {
        self.claim.as_deref().unwrap_or(match self.attribute {
            ScimAttribute::ExternalId => "sub",
            ScimAttribute::UserName => "preferred_username",
            ScimAttribute::Email => "email",
        })
    }
}

/// How an ID token may be signed. None of them is symmetric, and none is `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "their names are the standard's: RFC 7518, 3.1, and RFC 8037")]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

fn scopes() -> Vec<String> {
    vec![String::from("email"), String::from("profile")]
}

fn groups_claim() -> String {
    String::from("groups")
}

fn algorithms() -> Vec<SigningAlgorithm> {
    vec![SigningAlgorithm::RS256, SigningAlgorithm::PS256, SigningAlgorithm::ES256]
}

/// The account for when no provider can be reached.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassConfig {
    /// `$argon2id$…`: what `bailiwick identity hash-password` prints.
    #[serde(skip_serializing)]
    pub password_hash: String,
}

impl fmt::Debug for BreakGlassConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakGlassConfig(…)")
    }
}

impl IdentityConfig {
    /// The provider with this id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&ProviderConfig> {
        self.provider.iter().find(|provider| provider.id == id)
    }

    /// The provider that signs in people with this e-mail address.
    #[must_use]
    pub fn for_email(&self, email: &str) -> Option<&ProviderConfig> {
        self.provider.iter().find(|provider| provider.is_for(email))
    }

    /// The provider that pushes people and groups.
    #[must_use]
    pub fn provisioned(&self) -> Option<&ProviderConfig> {
        self.provider.iter().find(|provider| provider.scim.is_some())
    }

    /// The files that it names.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.provider.iter_mut().filter_map(|provider| provider.client_secret_file.as_mut())
    }

    /// Whether it is as if nothing were said.
    pub(crate) fn is_default(&self) -> bool {
        self.provider.is_empty() && self.break_glass.is_none() && self.session == SessionConfig::default()
    }

    /// Refuses what nobody can sign in with.
    ///
    /// # Errors
    /// The setting and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let SessionConfig { idle_minutes, absolute_hours, step_up_minutes } = self.session;
        let within = |name: &str, value: u32, most: u32| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("`identity.session.{name}` is {value}: it must be 1 to {most}")),
        };
        within("idle_minutes", idle_minutes, 24 * 60)?;
        within("absolute_hours", absolute_hours, 24 * 7)?;
        within("step_up_minutes", step_up_minutes, 24 * 60)?;
        for (at, provider) in self.provider.iter().enumerate() {
            let id = &provider.id;
            provider.check().map_err(|why| format!("`identity.provider` `{id}`: {why}"))?;
            if self.provider.iter().take(at).any(|other| other.id == *id) {
                return Err(format!("`identity.provider` has two with the id `{id}`"));
            }
            if provider.scim.is_some() && self.provider.iter().take(at).any(|other| other.scim.is_some()) {
                return Err(String::from(
                    "`identity.provider` has two with `scim`: one pushes people, at most",
                ));
            }
            let others = self.provider.iter().take(at).flat_map(|other| &other.email_domains);
            if let Some(domain) = others.into_iter().find(|domain| provider.is_for(&format!("x@{domain}"))) {
                return Err(format!("`identity.provider` has two for `{domain}`"));
            }
        }
        if let Some(glass) = &self.break_glass {
            super::break_glass::check(&glass.password_hash)
                .map_err(|why| format!("`identity.break_glass.password_hash` {why}"))?;
        }
        Ok(())
    }
}

impl ProviderConfig {
    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.id)
    }

    /// Whether it signs in people with this e-mail address by name of its domain.
    #[must_use]
    pub fn is_for(&self, email: &str) -> bool {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| self.email_domains.iter().any(|own| own.eq_ignore_ascii_case(domain)))
    }

    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || self.id.len() > LONGEST_ID || !self.id.bytes().all(plain) {
            return Err(format!("`id` must be 1 to {LONGEST_ID} small letters, digits and `-`"));
        }
        if !is_secure(&self.issuer) {
            return Err(String::from("`issuer` must be an https:// address, as the provider writes it"));
        }
        if self.client_id.is_empty() {
            return Err(String::from("`client_id` is empty"));
        }
        if self.algorithms.is_empty() {
            return Err(String::from("`algorithms` names none, so no ID token could be believed"));
        }
        if self.scim.as_ref().is_some_and(|scim| scim.claim().is_empty()) {
            return Err(String::from("`scim.claim` is empty"));
        }
        if let Some(domain) =
            self.email_domains.iter().find(|domain| domain.contains('@') || domain.is_empty())
        {
            return Err(format!("`email_domains` has `{domain}`: write what stands behind the `@`"));
        }
        Ok(())
    }
}

/// `https`, or `http` on this machine itself.
pub(crate) fn is_secure(url: &str) -> bool {
    url.parse::<http::Uri>().is_ok_and(|uri| {
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let here = bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) || host == "localhost";
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        plain
            && !host.is_empty()
            && (uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && here))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(written: &str) -> IdentityConfig {
        toml::from_str(written).unwrap()
    }

    #[test]
    fn what_nobody_could_sign_in_with_is_named() {
        let provider = "[[provider]]\nid = 'corp'\nissuer = 'https://id.example'\nclient_id = 'b'\n";
        assert!(config(provider).check().is_ok());
        for (written, named) in [
            ("[session]\nidle_minutes = 0".to_owned(), "idle_minutes"),
            ("[session]\nabsolute_hours = 1000".to_owned(), "absolute_hours"),
            (provider.replace("corp", "Corp:x"), "`id`"),
            (provider.replace("https", "http"), "`issuer`"),
            (provider.replace("https://", "https://u:p@"), "`issuer`"),
            (provider.replace("'b'", "''"), "`client_id`"),
            (format!("{provider}algorithms = []"), "`algorithms`"),
            (format!("{provider}email_domains = ['@a.example']"), "`email_domains`"),
            (format!("{provider}{provider}"), "two with the id"),
            (
                format!(
                    "{provider}email_domains = ['a.example']\n{}email_domains = ['A.example']",
                    provider.replace("corp", "other")
                ),
                "two for",
            ),
            (
                format!("{provider}scim = {{}}\n{}scim = {{}}", provider.replace("corp", "other")),
                "two with `scim`",
            ),
            (format!("{provider}scim = {{ claim = '' }}"), "`scim.claim`"),
            ("[break_glass]\npassword_hash = 'hunter2'".to_owned(), "password_hash"),
        ] {
            let why = config(&written).check().unwrap_err();
            assert!(why.contains(named), "{written}: {why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        for refused in ["none", "HS256"] {
            assert!(
                toml::from_str::<IdentityConfig>(&format!("{provider}algorithms = ['{refused}']")).is_err()
            );
        }
    }

    #[test]
    fn an_address_finds_its_provider_by_the_whole_domain() {
        let one = "[[provider]]\nid = 'one'\nissuer = 'http://127.0.0.1:1'\nclient_id = 'b'\nemail_domains = ['a.example']\n";
        let config = config(one);
        assert!(config.check().is_ok());
        assert_eq!(config.for_email("x@A.Example").map(|provider| provider.id.as_str()), Some("one"));
        for other in ["x@b.example", "x@a.example.evil", "x@sub.a.example", "a.example", "x@a.example@evil"] {
            assert!(config.for_email(other).is_none(), "{other}");
        }
    }
}
