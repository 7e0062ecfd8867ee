//! The headers of Anthropic's API that a client may send: which version it speaks, and what it switches on.

use http::{HeaderMap, HeaderValue};

use super::refusal::Refusal;
use crate::providers::anthropic::{BETA, BETAS, SPOKEN, VERSION};

/// What the client switches on, as one header; `None` where it is nothing.
///
/// # Errors
/// `invalid_request` for another version, and for what is not on the list.
pub(super) fn betas(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    if headers.get_all(VERSION).iter().any(|version| version != SPOKEN) {
        return Err(Refusal::invalid(
            VERSION.as_str(),
            format!("only version {SPOKEN} of the API is spoken"),
        )
        .fix(format!("send `{VERSION}: {SPOKEN}`, or leave it out")));
    }
    let mut known: Vec<&'static str> = Vec::new();
    for value in headers.get_all(BETA) {
        for asked in value.to_str().unwrap_or("?").split(',').map(str::trim).filter(|asked| !asked.is_empty())
        {
            let Some(beta) = BETAS.iter().find(|beta| **beta == asked) else {
                return Err(Refusal::invalid(
                    BETA.as_str(),
                    "the header switches something on that is not governed here",
                )
                .fix(format!("switch on only what is governed: {}", BETAS.join(", "))));
            };
            if !known.contains(beta) {
                known.push(beta);
            }
        }
    }
    Ok(HeaderValue::from_str(&known.join(",")).ok().filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&'static str, &str)]) -> Result<Option<HeaderValue>, Refusal> {
        let pairs = values.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        betas(&pairs.collect())
    }

    #[test]
    fn only_what_is_listed_goes_on() {
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&[("anthropic-version", "2023-06-01"), ("anthropic-beta", "")]).unwrap(), None);
        let two = "pdfs-2024-09-25, prompt-caching-2024-07-31,pdfs-2024-09-25";
        assert_eq!(
            of(&[("anthropic-beta", two)]).unwrap().unwrap(),
            "pdfs-2024-09-25,prompt-caching-2024-07-31"
        );
        for other in ["files-api-2025-04-14", "pdfs-2024-09-25,ann@b.example"] {
            let refusal = of(&[("anthropic-beta", other)]).unwrap_err();
            assert!(!refusal.message.contains("ann@"), "{refusal:?}");
        }
        assert!(of(&[("anthropic-version", "2024-01-01")]).is_err());
    }
}
