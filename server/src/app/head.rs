//! Heads of requests that two readers could read differently, refused before anybody reads them.
//!
//! hyper refuses most of what is malformed. What it lets pass and RFC 9112 does not: both ways to tell a body's length, or
//! the one that HTTP/1.0 does not have (6.1), and a host that is missing, told twice or told in two ways (3.2; RFC 9113,
//! 8.3.1). A proxy in front that reads such a request in another way than this server would take a part of its body for the
//! next request, or think that it was for somebody else.

use axum::response::IntoResponse as _;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};

use crate::admin::Problem;

/// What is wrong with a head, in words.
fn wrong<B>(request: &Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    match request.version() {
        Version::HTTP_11 if chunked && headers.contains_key(header::CONTENT_LENGTH) => {
            return Some("`content-length` and `transfer-encoding` each tell the body's length");
        }
        Version::HTTP_09 | Version::HTTP_10 if chunked => {
            return Some("HTTP/1.0 has no `transfer-encoding`");
        }
        // HTTP/2 frames its bodies.
        _ => {}
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        // HTTP/1.0 need not tell it, and HTTP/2 tells it as `:authority`.
        return (request.version() == Version::HTTP_11).then_some("`host` is missing");
    };
    if hosts.next().is_some() {
        return Some("`host` is there twice");
    }
    let told = request.uri().authority().map(|authority| authority.as_str());
    if told.is_some_and(|told| !told.as_bytes().eq_ignore_ascii_case(host.as_bytes())) {
        return Some("the request's target and `host` name two hosts");
    }
    None
}

/// The answer to a head that is refused, which ends the connection; in HTTP/2 the stream alone.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Response<axum::body::Body>> {
    let why = wrong(request)?;
    let mut response = Problem::invalid(why).into_response();
    if request.version() < Version::HTTP_2 {
        end(response.headers_mut());
    }
    Some(response)
}

/// Whether a request has to be the last of its connection: of one whose length was told in both ways hyper may show only
/// the one (RFC 9112, 6.1).
pub(super) fn is_last<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11 && request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// Has the connection end with this answer.
pub(super) fn end(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::post(uri).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn a_head_has_one_reading() {
        for (uri, headers) in [
            ("/x", vec![("host", "a"), ("content-length", "1"), ("transfer-encoding", "chunked")]),
            ("/x", vec![]),
            ("/x", vec![("host", "a"), ("host", "b")]),
            ("/x", vec![("host", "a"), ("host", "a")]),
            ("http://b/x", vec![("host", "a")]),
            ("http://a:80/x", vec![("host", "a")]),
        ] {
            let request = request(uri, &headers);
            let refused = refusal(&request).unwrap();
            assert_eq!(
                (refused.status().as_u16(), &refused.headers()["connection"]),
                (400, &HeaderValue::from_static("close"))
            );
        }
        for (uri, headers) in [
            ("/x", vec![("host", "a"), ("content-length", "1")]),
            ("http://a/x", vec![("host", "A")]),
            ("/x", vec![("host", "")]),
        ] {
            assert!(refusal(&request(uri, &headers)).is_none(), "{uri} {headers:?}");
        }
        let chunked = request("/x", &[("host", "a"), ("transfer-encoding", "chunked")]);
        assert!(refusal(&chunked).is_none() && is_last(&chunked));
        let of = |version: Version, uri: &str, headers: &[(&'static str, &'static str)]| {
            let mut request = request(uri, headers);
            *request.version_mut() = version;
            request
        };
        for fine in [
            of(Version::HTTP_2, "http://a/x", &[]),
            of(Version::HTTP_2, "http://a/x", &[("host", "A")]),
            of(Version::HTTP_10, "/x", &[]),
            of(Version::HTTP_10, "/x", &[("host", "a"), ("content-length", "1")]),
        ] {
            assert!(refusal(&fine).is_none() && !is_last(&fine), "{fine:?}");
        }
        for (wrong, ends) in [
            (of(Version::HTTP_2, "http://a/x", &[("host", "b")]), false),
            (of(Version::HTTP_2, "http://a/x", &[("host", "a"), ("host", "a")]), false),
            (of(Version::HTTP_10, "/x", &[("host", "a"), ("host", "b")]), true),
            (of(Version::HTTP_10, "/x", &[("transfer-encoding", "chunked")]), true),
        ] {
            let refused = refusal(&wrong).unwrap();
            assert_eq!(
                (refused.status().as_u16(), refused.headers().contains_key("connection")),
                (400, ends)
            );
        }
    }
}
