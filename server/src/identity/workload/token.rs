//! A workload's token (RFC 7519), believed or not: signature, issuer, times.
//!
//! Signatures are RS256 or ES256, whatever the header or the key says of others, by a key that the header names and the
//! issuer publishes. What has no end is not believed, and neither is what is good for longer than a day.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyUse};
use openidconnect::{JsonWebKey as _, JsonWebKeyId};
use serde::Deserialize;
use serde_json::Value;

use super::{Issuers, Refused};
use crate::identity::SigningAlgorithm;
use crate::identity::oidc::Http;
use crate::keys::secret;

/// How far an issuer's clock may be from ours.
const SKEW_S: i64 = 60;
/// For how long a token may be good, from its making on.
const LONGEST_S: i64 = 86_400;
/// The algorithms that are believed.
const ALGORITHMS: [SigningAlgorithm; 2] = [SigningAlgorithm::RS256, SigningAlgorithm::ES256];

#[derive(Deserialize)]
struct Header {
    alg: SigningAlgorithm,
    kid: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What every token has to say, read beside the claims that conditions are about.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

/// A token that nobody has looked at. No `Debug`: it is one.
pub(super) struct Unverified {
    header: Header,
    claims: Claims,
    all: Value,
    message: String,
    signature: Vec<u8>,
}

/// Whom a believed token is about.
pub(super) struct Subject {
    claims: Claims,
    all: Value,
    message: [u8; 32],
}

fn decoded(part: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| "not_understood")
}

impl Unverified {
    pub(super) fn read(token: &str) -> Result<Self, &'static str> {
        let not_understood = "not_understood";
        let (message, signature) = token.rsplit_once('.').ok_or(not_understood)?;
        let (header, claims) = message.split_once('.').ok_or(not_understood)?;
        // An algorithm that is none of ours does not parse: `none` and `HS256` end here.
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| "wrong_header")?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err("wrong_algorithm");
        }
        if header.crit.is_some() || header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
            return Err("wrong_type");
        }
        let claims = decoded(claims)?;
        let all: Value = serde_json::from_slice(&claims).map_err(|_| not_understood)?;
        // Of a claim that is there twice one reader would see the first and another the last: this one refuses it for
        // those that it reads here.
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| not_understood)?;
        Ok(Self { header, claims, all, message: message.to_owned(), signature: decoded(signature)? })
    }

    /// Whom it says it is from.
    pub(super) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Whether one of these keys has signed it; `None` where it names none of them.
    fn is_signed_by(&self, keys: &CoreJsonWebKeySet) -> Option<bool> {
        let kid = JsonWebKeyId::new(self.header.kid.clone());
        let fits = |key: &&CoreJsonWebKey| {
            key.key_id() == Some(&kid) && key.key_use().is_none_or(|of| *of == CoreJsonWebKeyUse::Signature)
        };
        let mut fitting = keys.keys().iter().filter(fits).peekable();
        fitting.peek()?;
        let algorithm = self.header.alg.core();
        Some(
            fitting.any(|key| {
                key.verify_signature(&algorithm, self.message.as_bytes(), &self.signature).is_ok()
            }),
        )
    }

    fn check(&self, issuer: &str, now_ms: i64) -> Result<(), &'static str> {
        let (claims, now_s) = (&self.claims, now_ms / 1_000);
        let wrong = [
            (claims.iss != issuer, "wrong_issuer"),
            (claims.exp <= now_s.saturating_sub(SKEW_S), "expired"),
            (claims.iat > now_s.saturating_add(SKEW_S), "not_yet"),
            (claims.nbf.is_some_and(|from| from > now_s.saturating_add(SKEW_S)), "not_yet"),
            (claims.exp.saturating_sub(claims.iat) > LONGEST_S, "too_long"),
            (claims.exp <= claims.iat, "expired"),
        ];
        wrong.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, why)| Err(why))
    }
}

/// The token, if it is believed as one of this issuer.
pub(super) async fn verified(
    token: Unverified,
    issuer: &str,
    issuers: &Issuers,
    http: &Http,
    now_ms: i64,
) -> Result<Subject, Refused> {
    // What is over is not worth asking anybody about.
    token.check(issuer, now_ms).map_err(Refused::Token)?;
    let keys = issuers.keys(issuer, None, http).await?;
    let signed = match token.is_signed_by(&keys) {
        Some(signed) => signed,
        None => {
            let newer = issuers.keys(issuer, Some(&keys), http).await?;
            let newer = (!Arc::ptr_eq(&keys, &newer)).then(|| token.is_signed_by(&newer)).flatten();
            newer.ok_or(Refused::Token("unknown_key"))?
        }
    };
    if !signed {
        return Err(Refused::Token("wrong_signature"));
    }
    // A signature may be written in more than one way; what it is of may not.
    let message = secret::digest(&token.message);
    Ok(Subject { claims: token.claims, all: token.all, message })
}

impl Subject {
    pub(super) fn claims(&self) -> &Value {
        &self.all
    }

    pub(super) fn is_for(&self, audience: &str) -> bool {
        match &self.claims.aud {
            Audience::One(one) => one == audience,
            Audience::Several(several) => several.iter().any(|one| one == audience),
        }
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.all.get(claim).and_then(Value::as_str)
    }

    /// What tells it from every other of its issuer: the id that it has, or what it says.
    pub(super) fn id(&self) -> String {
        match self.text("jti").filter(|id| !id.is_empty()) {
            Some(id) => format!("jti\n{id}"),
            None => format!("message\n{}", hex::encode(self.message)),
        }
    }

    /// From when nobody would believe it any more, Unix milliseconds.
    pub(super) fn until_ms(&self) -> i64 {
        self.claims.exp.saturating_add(SKEW_S).saturating_mul(1_000)
    }
}
