//! Whether a request is signed as AWS asks, by an implementation of its own:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use http::request::Parts;
use ring::hmac::{HMAC_SHA256, Key, sign};
use sha2::{Digest, Sha256};

/// What AWS says of a signature that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// There is none, or not in this form.
    Missing,
    /// It is of another access key, or the token is another.
    OtherKey,
    /// It is not the signature of this request.
    Mismatch,
}

/// Checks the signature of a request against `AKID:SECRET[:TOKEN]`.
pub(super) fn check(credential: &str, head: &Parts, body: &[u8]) -> Result<(), Unsigned> {
    let mut parts = credential.splitn(3, ':');
    let (Some(id), Some(secret), token) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Unsigned::OtherKey);
    };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let stated = header("authorization").and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 "));
    let mut stated = stated.ok_or(Unsigned::Missing)?.split(',').map(str::trim);
    let mut member = |name: &str| stated.next()?.strip_prefix(name)?.strip_prefix('=');
    let (credential, signed, signature) =
        (member("Credential"), member("SignedHeaders"), member("Signature"));
    let (Some(credential), Some(signed), Some(signature)) = (credential, signed, signature) else {
        return Err(Unsigned::Missing);
    };
    let (stated_id, scope) = credential.split_once('/').ok_or(Unsigned::Missing)?;
    if stated_id != id || header("x-amz-security-token") != token {
        return Err(Unsigned::OtherKey);
    }
    let [date, region, service, end] = scope.split('/').collect::<Vec<_>>()[..] else {
        return Err(Unsigned::Missing);
    };
    let time = header("x-amz-date").ok_or(Unsigned::Missing)?;
    let names: Vec<&str> = signed.split(';').collect();
    let mut needed = vec!["content-type", "host", "x-amz-date"];
    needed.extend(token.map(|_| "x-amz-security-token"));
    if needed.iter().any(|name| !names.contains(name))
        || !time.starts_with(date)
        || (service, end) != ("bedrock", "aws4_request")
    {
        return Err(Unsigned::Mismatch);
    }
    let mut canonical = format!("{}\n{}\n\n", head.method, encoded(head.uri.path()));
    for name in &names {
        canonical.push_str(&format!("{name}:{}\n", header(name).unwrap_or_default().trim()));
    }
    canonical.push_str(&format!("\n{signed}\n{}", hex::encode(Sha256::digest(body))));
    let canonical = hex::encode(Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, end] {
        key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    let expected = hex::encode(sign(&Key::new(HMAC_SHA256, &key), text.as_bytes()));
    if expected == signature { Ok(()) } else { Err(Unsigned::Mismatch) }
}

/// The path as it came, encoded once more, segment by segment.
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into());
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
