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

/// The bit of a security key's flags that says that somebody touched it (PROTOCOL.u2f).
const USER_PRESENT: u8 = 1;

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
    // Either kind of security key's signature ends in a byte of flags and a counter of four.
    let security = matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
    let flags = signature.signature_bytes().last_chunk::<5>().map(|[flags, ..]| *flags);
    if security && flags.is_some_and(|flags| flags & USER_PRESENT == 0) {
        return Err(String::from("it is signed with a security key that nobody touched"));
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

/// `None` where the kind of key or signature is not supported, `Some(false)` where the signature is not of what is there.
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
    if trailer.len() != 5 || flags & USER_PRESENT == 0 {
        return None;
    }
    let mut whole = Sha256::digest(application.as_bytes()).to_vec();
    whole.extend_from_slice(trailer);
    whole.extend_from_slice(&Sha256::digest(signed));
    Some(whole)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

    use super::*;

    const APPLICATION: &str = "ssh:";
    const TOUCHED: u8 = 1;

    /// A string as of RFC 4251, section 5.
    fn string(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    /// A number as of RFC 4251, section 5.
    fn mpint(bytes: &[u8]) -> Vec<u8> {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign: &[u8] = if digits.first().is_some_and(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
        string(&[sign, &digits].concat())
    }

    /// A key that signs as a security key does.
    enum Security {
        Ed25519(Ed25519KeyPair),
        P256(EcdsaKeyPair),
    }

    impl Security {
        fn name(&self) -> &'static [u8] {
            match self {
                Self::Ed25519(_) => b"sk-ssh-ed25519@openssh.com",
                Self::P256(_) => b"sk-ecdsa-sha2-nistp256@openssh.com",
            }
        }

        /// The public key as of PROTOCOL.u2f.
        fn public(&self, application: &str) -> Vec<u8> {
            let key = match self {
                Self::Ed25519(pair) => string(pair.public_key().as_ref()),
                Self::P256(pair) => [string(b"nistp256"), string(pair.public_key().as_ref())].concat(),
            };
            [string(self.name()), key, string(application.as_bytes())].concat()
        }

        /// An armored signature as of PROTOCOL.sshsig and PROTOCOL.u2f: `application` is what the device signs for, and
        /// `flags` and `counter` are what it says of the touch.
        fn sign(&self, application: &str, flags: u8, message: &[u8]) -> String {
            let counter = 7_u32.to_be_bytes();
            let signed = [
                b"SSHSIG".as_slice(),
                &string(GIT.as_bytes()),
                &string(b""),
                &string(b"sha512"),
                &string(&sha2::Sha512::digest(message)),
            ]
            .concat();
            let device = [
                Sha256::digest(application.as_bytes()).as_slice(),
                &[flags],
                &counter,
                Sha256::digest(&signed).as_slice(),
            ]
            .concat();
            let raw = match self {
                Self::Ed25519(pair) => pair.sign(&device).as_ref().to_vec(),
                Self::P256(pair) => {
                    let fixed = pair.sign(&SystemRandom::new(), &device).unwrap();
                    let (r, s) = fixed.as_ref().split_at(32);
                    [mpint(r), mpint(s)].concat()
                }
            };
            let signature = [string(self.name()), string(&raw), vec![flags], counter.to_vec()].concat();
            let blob = [
                b"SSHSIG".as_slice(),
                &1_u32.to_be_bytes(),
                &string(&self.public(APPLICATION)),
                &string(GIT.as_bytes()),
                &string(b""),
                &string(b"sha512"),
                &string(&signature),
            ]
            .concat();
            let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, blob);
            let lines: Vec<&str> =
                text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
            format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
        }
    }

    #[test]
    fn a_security_key_signs_what_it_was_touched_for() {
        let random = SystemRandom::new();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        for key in [
            Security::Ed25519(Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap()),
            Security::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap(),
            ),
        ] {
            let good = key.sign(APPLICATION, TOUCHED, b"a commit");
            let signer = verify(&good, GIT, b"a commit").unwrap();
            let line = String::from_utf8(key.name().to_vec()).unwrap();
            assert_eq!(signer.algorithm().as_str(), line);
            assert!(verify(&good, GIT, b"another commit").unwrap_err().contains("not of what it holds"));
            assert!(verify(&good, APPROVAL, b"a commit").unwrap_err().contains("namespace"));
            // For another application than the key's.
            let elsewhere = key.sign("ssh:elsewhere", TOUCHED, b"a commit");
            assert!(verify(&elsewhere, GIT, b"a commit").unwrap_err().contains("not of what it holds"));
            // Verified by a PIN and not touched, and neither.
            for flags in [4, 0] {
                let untouched = key.sign(APPLICATION, flags, b"a commit");
                let why = verify(&untouched, GIT, b"a commit").unwrap_err();
                assert!(why.contains("nobody touched"), "{why}");
            }
        }
    }
}
