//! Signatures of simulated thoughts. As with the real service, one says which text it is for, and holds no matter whether that
//! text comes back with it or is left out (<https://platform.claude.com/docs/en/build-with-claude/extended-thinking>);
//! another text it does not hold for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// What begins a signature, which is no text.
const HEAD: [u8; 8] = [0x12, 0xff, 0xfe, 0x01, 0xc0, 0x00, 0xff, 0x08];

/// A signature of this thought, about as long as a real one.
#[must_use]
pub fn sign(thought: &str) -> String {
    STANDARD.encode(bytes(Sha256::digest(thought).as_slice()))
}

fn bytes(digest: &[u8]) -> Vec<u8> {
    let seal = Sha256::new().chain_update(b"a simulated thought").chain_update(digest).finalize();
    let mut bytes = HEAD.to_vec();
    bytes.extend_from_slice(digest);
    for _ in 0..4 {
        bytes.extend_from_slice(&seal);
    }
    bytes
}

/// Whether this is a signature of the thought, or of any where its text was left out.
pub(super) fn holds(signature: &str, thought: &str) -> bool {
    let Ok(signed) = STANDARD.decode(signature) else { return false };
    let digest = signed.get(HEAD.len()..HEAD.len() + 32).unwrap_or_default();
    let genuine = bytes(digest) == signed;
    genuine && (thought.is_empty() || digest == Sha256::digest(thought).as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_text_and_for_none_and_for_no_other() {
        let signature = sign("Hm.");
        assert!(holds(&signature, "Hm.") && holds(&signature, ""));
        assert!(!holds(&signature, "Hm") && !holds("c2ln", "") && !holds("", ""));
        assert!(signature.len() > 200 && sign("Ah.") != signature);
    }
}
