//! An ID token, believed or not: signature, issuer, audience, times, nonce, the access token that it came with.

use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, IdToken, IdTokenClaims, IdTokenVerifier,
    Nonce, SignatureVerificationError,
};

use super::claims::Claims;
use super::discovery::Known;
use crate::identity::{ProviderConfig, SigningAlgorithm};

pub(super) type Token =
    IdToken<Claims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
pub(super) type TokenClaims = IdTokenClaims<Claims, CoreGenderClaim>;

/// How far a provider's clock may be from ours.
pub(super) const SKEW_MS: i64 = 60_000;
/// How old an ID token may be: it comes right from the provider.
const OLDEST_MS: i64 = 600_000;

/// Why it is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unbelieved {
    /// By a key that is not known; it may be a new one.
    UnknownKey,
    /// For good.
    Because(&'static str),
}

impl SigningAlgorithm {
    pub(in crate::identity) const fn core(self) -> CoreJwsSigningAlgorithm {
        match self {
            Self::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            Self::RS384 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
            Self::RS512 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
            Self::PS256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
            Self::PS384 => CoreJwsSigningAlgorithm::RsaSsaPssSha384,
            Self::PS512 => CoreJwsSigningAlgorithm::RsaSsaPssSha512,
            Self::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            Self::ES384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
            Self::EdDSA => CoreJwsSigningAlgorithm::EdDsa,
        }
    }
}

/// Whether a token was made at a time that makes sense now.
pub(super) fn is_recent(issued_ms: i64, now_ms: i64) -> bool {
    issued_ms <= now_ms + SKEW_MS && issued_ms >= now_ms - OLDEST_MS
}

/// The claims of a token that is believed.
pub(super) fn id_token(
    token: &Token,
    access_token: &AccessToken,
    nonce: &Nonce,
    provider: &ProviderConfig,
    known: &Known,
    now_ms: i64,
) -> Result<TokenClaims, Unbelieved> {
    let client = ClientId::new(provider.client_id.clone());
    let keys = known.metadata.jwks().clone();
    let verifier: IdTokenVerifier<'_, CoreJsonWebKey> =
        IdTokenVerifier::new_public_client(client, known.metadata.issuer().clone(), keys)
            .set_allowed_algs(provider.algorithms.iter().map(|algorithm| algorithm.core()))
            .set_time_fn(move || instant(now_ms - SKEW_MS))
            .set_issue_time_verifier_fn(move |issued| {
                let recent = is_recent(issued.timestamp_millis(), now_ms);
                recent.then_some(()).ok_or_else(|| String::from("issued too long ago, or in the future"))
            })
            // An audience that is not this server may be anybody.
            .set_other_audience_verifier_fn(|_| false);
    let claims = token.claims(&verifier, nonce).map_err(|error| reason(&error))?;
    let azp = claims.authorized_party().map(|party| party.as_str());
    if azp.is_some_and(|azp| azp != provider.client_id) {
        return Err(Unbelieved::Because("wrong_audience"));
    }
    if let Some(expected) = claims.access_token_hash() {
        let is = token
            .signing_alg()
            .ok()
            .zip(token.signing_key(&verifier).ok())
            .and_then(|(algorithm, key)| AccessTokenHash::from_token(access_token, algorithm, key).ok());
        if is.as_ref() != Some(expected) {
            return Err(Unbelieved::Because("wrong_access_token"));
        }
    }
    Ok(claims.clone())
}

fn instant(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The library's words may repeat claims; these do not.
fn reason(error: &ClaimsVerificationError) -> Unbelieved {
    use SignatureVerificationError as Signature;
    Unbelieved::Because(match error {
        ClaimsVerificationError::Expired(_) => "expired",
        ClaimsVerificationError::InvalidAudience(_) => "wrong_audience",
        ClaimsVerificationError::InvalidIssuer(_) => "wrong_issuer",
        ClaimsVerificationError::InvalidNonce(_) => "wrong_nonce",
        ClaimsVerificationError::SignatureVerification(signature) => match signature {
            Signature::NoMatchingKey => return Unbelieved::UnknownKey,
            Signature::NoSignature => "not_signed",
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) => "wrong_algorithm",
            Signature::AmbiguousKeyId(_) => "ambiguous_key",
            _ => "wrong_signature",
        },
        _ => "not_understood",
    })
}
