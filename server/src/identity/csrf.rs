//! Whether a browser's request was made by a page of ours.

use http::{HeaderMap, Method, header};

/// A request that changes something and comes with a cookie must come from our own origin. Browsers say where a request
/// comes from in `sec-fetch-site` and `origin` and let no page forge them; a request with neither is refused.
#[must_use]
pub fn same_origin(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => {
            let host = text(header::HOST.as_str());
            let origin = text(header::ORIGIN.as_str())
                .and_then(|origin| origin.split_once("://"))
                .map(|(_, host)| host);
            host.is_some() && origin == host
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_our_own_pages_change_things() {
        let post = |pairs: &[(&'static str, &'static str)]| same_origin(&Method::POST, &headers(pairs));
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(!post(&[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")]));
        assert!(!post(&[("sec-fetch-site", "same-site")]));
        assert!(post(&[("origin", "http://a:1"), ("host", "a:1")]));
        assert!(!post(&[("origin", "http://b:1"), ("host", "a:1")]));
        assert!(!post(&[("origin", "null"), ("host", "a:1")]));
        assert!(!post(&[]));
        assert!(same_origin(&Method::GET, &HeaderMap::new()));
    }
}
