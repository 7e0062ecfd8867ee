//! Signatures of other models' thoughts, where this wire carries them.
//!
//! Here a signature is bytes, which clients read as base64 and may write in the other alphabet of it (RFC 4648, section 5) and
//! without its padding. So what another model signed or sealed, which is base64 too, stands behind eight digits that say which of
//! the two it is, and comes back in the alphabet that it had.

use super::{SIGNED, of_part};

/// What the signature of another model's thought begins with.
const OTHERS: &str = "signed//";
/// What another model's sealed thought begins with.
const SEALED: &str = "sealed//";

/// What stands in place of a signature where there is none.
const NONE: [&str; 2] = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// What a signature that comes from a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Of a model of this wire.
    Own(String),
    /// Of a thought of another model's.
    Signed(String),
    /// A sealed thought of another model's.
    Encrypted(String),
}

/// What a signature that comes from a client is; `None` for none.
pub(super) fn unseal(signature: String) -> Option<Sealed> {
    if signature.is_empty() || NONE.contains(&signature.as_str()) {
        return None;
    }
    let mut plain = signature.replace('-', "+").replace('_', "/");
    let known = [OTHERS, SEALED].iter().any(|word| plain.starts_with(word));
    if !known {
        return Some(Sealed::Own(signature));
    }
    while !plain.len().is_multiple_of(4) {
        plain.push('=');
    }
    let signed = plain.strip_prefix(OTHERS).map(|signature| Sealed::Signed(signature.to_owned()));
    signed.or_else(|| plain.strip_prefix(SEALED).map(|data| Sealed::Encrypted(data.to_owned())))
}

/// The signature of a thought, as it goes to a client. `None` for one that is not base64.
pub(super) fn of_thought(signature: &str) -> Option<String> {
    match signature.strip_prefix(SIGNED) {
        Some(own) => Some(own.to_owned()),
        None => is_base64(signature).then(|| format!("{OTHERS}{signature}")),
    }
}

/// A sealed thought of another model's, as it goes to a client. `None` for one that is not base64, and for what is a
/// signature of this wire.
pub(super) fn of_sealed(data: &str) -> Option<String> {
    (of_part(data).is_none() && is_base64(data)).then(|| format!("{SEALED}{data}"))
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_model_signed_comes_back_as_it_was() {
        let told = of_thought("EqQB+/==").unwrap();
        for came in [told.clone(), told.replace('+', "-").replace('/', "_"), told.replace('=', "")] {
            assert_eq!(unseal(came), Some(Sealed::Signed(String::from("EqQB+/=="))));
        }
        let told = of_sealed("EmwK").unwrap();
        assert_eq!(unseal(told), Some(Sealed::Encrypted(String::from("EmwK"))));
        assert_eq!(of_thought("not base64!"), None);
        assert_eq!(of_thought("gemini//a-b_"), Some(String::from("a-b_")));
        assert_eq!(unseal(String::from("a-b_")), Some(Sealed::Own(String::from("a-b_"))));
        assert_eq!(unseal(String::from("skip_thought_signature_validator")), None);
    }
}
