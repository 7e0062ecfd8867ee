//! SSH signatures (OpenSSH's PROTOCOL.sshsig): <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig>.
//! The format is read by the crate `ssh-key`, the mathematics is *ring*'s, which TLS rests on already.
//!
//! Ed25519, ECDSA over P-256 and P-384, RSA from 2,048 bits with SHA-2, and the first two on a security key
//! (PROTOCOL.u2f, which has to have been touched). P-521 and DSA are refused, as are certificates.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use sha2::{Digest as _, Sha256};
use ssh_key::public::{EcdsaPublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, SshSig};

/// The namespace that Git signs commits in.
pub(super) const GIT: &str = "git";
/// The namespace of approvals.
pub const APPROVAL: &str = "bailiwick-approval";

/// The first line of a signature.
pub(super) const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
/// The last line.
pub(super) const END: &str = "-----END SSH SIGNATURE-----";

/// The key that signed `message` in `namespace`. Whose it is, is not said.
pub(super) fn verify(armored: &str, namespace: &str, message: &[u8]) -> Result<KeyData, String> {
    let signature = SshSig::from_pem(armored.trim()).map_err(|error| {
        format!("its signature is none of SSH that is understood ({error}); certificates are not supported")
    })?;
    if signature.namespace() != namespace {
        return Err(format!(
            "it is signed in the namespace `{}`, and not in `{namespace}`",
            signature.namespace().escape_default()
        ));
    }
    let key = signature.public_key();
    if matches!(key, KeyData::Other(_)) {
        return Err(format!(
            "it is signed with a key of the type `{}`, which is not supported",
            key.algorithm()
        ));
    }
    let signed = SshSig::signed_data(namespace, signature.hash_alg(), message)
        .map_err(|error| format!("its signature cannot be verified: {error}"))?;
    if signature.signature().algorithm() == (Algorithm::Rsa { hash: None }) {
        return Err(String::from("it is signed with RSA and SHA-1, which proves nothing any more"));
    }
    match check(key, &signature, &signed) {
        Some(true) => Ok(key.clone()),
        Some(false) => {
            Err(String::from("its signature is not of what it holds: somebody has changed it since"))
        }
        None => {
            Err(format!("it is signed with a key of the type `{}`, which is not supported", key.algorithm()))
        }
    }
}

/// `None` where the kind of key or signature is not supported.
fn check(key: &KeyData, signature: &SshSig, signed: &[u8]) -> Option<bool> {
    let of = signature.signature().algorithm();
    let bytes = signature.signature_bytes();
    let plain = |with: &'static dyn VerificationAlgorithm, key: &[u8], bytes: &[u8], signed: &[u8]| {
        UnparsedPublicKey::new(with, key).verify(signed, bytes).is_ok()
    };
    match (key, of) {
        (KeyData::Ed25519(key), Algorithm::Ed25519) => Some(plain(&ED25519, key.as_ref(), bytes, signed)),
        (KeyData::Rsa(key), Algorithm::Rsa { hash: Some(hash) }) => {
            let with = match hash {
                HashAlg::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
                HashAlg::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
                _ => return None,
            };
            let (n, e) = (key.n.as_positive_bytes()?, key.e.as_positive_bytes()?);
            Some(RsaPublicKeyComponents { n, e }.verify(with, signed, bytes).is_ok())
        }
        (KeyData::Ecdsa(key), Algorithm::Ecdsa { curve }) if key.curve() == curve => {
            let (with, half): (&'static dyn VerificationAlgorithm, usize) = match key {
                EcdsaPublicKey::NistP256(_) => (&ECDSA_P256_SHA256_FIXED, 32),
                EcdsaPublicKey::NistP384(_) => (&ECDSA_P384_SHA384_FIXED, 48),
                EcdsaPublicKey::NistP521(_) => return None,
            };
            Some(
                fixed(bytes, half).is_some_and(|(fixed, _)| plain(with, key.as_sec1_bytes(), &fixed, signed)),
            )
        }
        (KeyData::SkEd25519(key), Algorithm::SkEd25519) => {
            let (bytes, trailer) = bytes.split_at_checked(64)?;
            let signed = touched(key.application(), trailer, signed)?;
            Some(plain(&ED25519, key.public_key().as_ref(), bytes, &signed))
        }
        (KeyData::SkEcdsaSha2NistP256(key), Algorithm::SkEcdsaSha2NistP256) => {
            let (bytes, trailer) = fixed(bytes, 32)?;
            let signed = touched(key.application(), trailer, signed)?;
            Some(plain(&ECDSA_P256_SHA256_FIXED, key.ec_point().as_bytes(), &bytes, &signed))
        }
        _ => None,
    }
}

/// An ECDSA signature's two numbers, each with its length before it, as two of `half` bytes; and what comes after them.
fn fixed(bytes: &[u8], half: usize) -> Option<(Vec<u8>, &[u8])> {
    let (mut out, mut rest) = (Vec::with_capacity(half.saturating_mul(2)), bytes);
    for _ in 0..2 {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (number, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        out.resize(out.len().checked_add(half.checked_sub(number.len())?)?, 0);
        out.extend_from_slice(number);
        rest = after;
    }
    Some((out, rest))
}

/// What a security key signs; `None` where nobody touched it. `trailer` is a byte of flags and a counter.
fn touched(application: &str, trailer: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
    let flags = trailer.first()?;
    if trailer.len() != 5 || flags & 1 == 0 {
        return None;
    }
    let mut whole = Sha256::digest(application.as_bytes()).to_vec();
    whole.extend_from_slice(trailer);
    whole.extend_from_slice(&Sha256::digest(signed));
    Some(whole)
}
