//! The headers of Anthropic's API that a client may send and that go on to a provider of that API: which version it
//! speaks, and what it switches on.

use http::{HeaderMap, HeaderValue};

use super::refusal::Refusal;
use crate::providers::anthropic::{BETA, BETAS, VERSION, VERSIONS};

/// What goes on of the client's headers, where an endpoint speaks its API.
///
/// # Errors
/// `invalid_request` for a version that is not spoken, and for what may not be switched on.
pub(super) fn api_headers(headers: &HeaderMap) -> Result<HeaderMap, Refusal> {
    let mut out = HeaderMap::new();
    for asked in headers.get_all(VERSION) {
        let spoken = VERSIONS
            .iter()
            .find(|version| asked == **version)
            .map(|version| HeaderValue::from_static(version));
        let Some(spoken) = spoken.filter(|spoken| out.get(VERSION).is_none_or(|before| before == spoken))
        else {
            let spoken = VERSIONS.join(" or ");
            return Err(Refusal::invalid(
                VERSION.as_str(),
                format!("only version {spoken} of the API is spoken"),
            )
            .fix(format!("send `{VERSION}` once, with {spoken}")));
        };
        out.insert(VERSION, spoken);
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
    if let Some(betas) = HeaderValue::from_str(&known.join(",")).ok().filter(|betas| !betas.is_empty()) {
        out.insert(BETA, betas);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&'static str, &str)]) -> Result<Vec<(String, String)>, Refusal> {
        let pairs = values.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        Ok(api_headers(&headers)?.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn only_what_is_listed_goes_on() {
        assert_eq!(of(&[("cookie", "a=b")]).unwrap(), []);
        for version in ["2023-06-01", "2026-10-21"] {
            let sent =
                [("anthropic-version", version), ("anthropic-beta", ""), ("anthropic-version", version)];
            assert_eq!(of(&sent).unwrap(), [pair("anthropic-version", version)]);
        }
        let two = "pdfs-2024-09-25, prompt-caching-2024-07-31,pdfs-2024-09-25";
        let both = pair("anthropic-beta", "pdfs-2024-09-25,prompt-caching-2024-07-31");
        assert_eq!(of(&[("anthropic-beta", two)]).unwrap(), [both]);
        for other in ["files-api-2025-04-14", "pdfs-2024-09-25,ann@b.example"] {
            let refusal = of(&[("anthropic-beta", other)]).unwrap_err();
            assert!(!refusal.message.contains("ann@"), "{refusal:?}");
        }
        let two = [("anthropic-version", "2023-06-01"), ("anthropic-version", "2026-10-21")];
        for versions in [&two[..], &[("anthropic-version", "2024-01-01")]] {
            assert_eq!(of(versions).unwrap_err().param.as_deref(), Some("anthropic-version"));
        }
    }
}
