//! Credentials of AWS, the Region that a host is of, and the signature of a request.
//!
//! A credential is one of three things, told apart by how it looks: the JSON that AWS's own tools print for a process
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>), `AKID:SECRET[:TOKEN]`, or an
//! Amazon Bedrock API key, which goes as a bearer token
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html>). Keys are never sent: a request carries a
//! signature (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>), made by AWS's own library.
//!
//! Hosts: the rules that AWS's clients find them by (`bedrock-runtime/2023-09-30/endpoint-rule-set-1.json` in
//! <https://github.com/boto/botocore>, version 1.44.5, read in November 2026), and those of interface endpoints
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/vpc-interface-endpoints.html>).

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use serde::Deserialize;

use super::secret::Secret;
use super::wire::WireError;

/// The name that requests to Bedrock are signed for.
const SERVICE: &str = "bedrock";

/// How a request to AWS says who asks.
#[derive(Debug, Clone)]
pub(super) enum AwsCredential {
    /// By a signature.
    Keys(Keys),
    /// By a bearer token.
    ApiKey(Secret),
}

/// An access key. `Debug` prints no part of it.
#[derive(Clone)]
pub(super) struct Keys {
    credentials: Credentials,
    /// What must come back in no answer.
    secret: Secret,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// The secret part.
    pub(super) const fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// What AWS's tools print for a process.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: Option<String>,
}

impl AwsCredential {
    /// Reads a credential. `None` where it looks like keys and is none.
    pub(super) fn read(credential: &Secret) -> Option<Self> {
        let text = credential.expose().trim();
        let (id, secret, token) = if text.starts_with('{') {
            let printed: Printed = serde_json::from_str(text).ok()?;
            (printed.access_key_id, printed.secret_access_key, printed.session_token)
        } else if text.contains(':') {
            let mut parts = text.splitn(3, ':').map(str::to_owned);
            (parts.next()?, parts.next()?, parts.next())
        } else {
            return (!text.is_empty()).then(|| Self::ApiKey(Secret::new(text.to_owned())));
        };
        let is_id = (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_secret = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        let is_token =
            |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_id || !is_secret || !token.as_ref().is_none_or(is_token) {
            return None;
        }
        let credentials = Credentials::new(id, secret.as_str(), token, None, "bailiwick");
        Some(Self::Keys(Keys { credentials, secret: Secret::new(secret) }))
    }
}

/// The Region of one of Bedrock's own hosts; `None` for any other host.
pub(super) fn region_of(host: &str) -> Option<&str> {
    // Whatever comes before it belongs to an interface endpoint.
    let (_, rest) = host.split_once("bedrock-runtime")?;
    let rest = rest.strip_prefix("-fips").unwrap_or(rest);
    let (region, domain) = rest.strip_prefix('.')?.split_once('.')?;
    const DOMAINS: &[&str] = &[
        "amazonaws.com",
        "api.aws",
        "vpce.amazonaws.com",
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
        "amazonaws.eu",
        "api.amazonwebservices.eu",
    ];
    let is_region = !region.is_empty()
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_region && DOMAINS.contains(&domain)).then_some(region)
}

/// Signs a request with its content type and its body, for a time in Unix milliseconds.
///
/// # Errors
/// [`WireError::Unsigned`].
pub(super) fn sign_request(
    request: &mut Request<Full<Bytes>>,
    body: &[u8],
    keys: &Keys,
    region: &str,
    now_ms: i64,
) -> Result<(), WireError> {
    let time = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    let identity = keys.credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| WireError::Unsigned)?
        .into();
    let uri = request.uri().to_string();
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let headers = content_type.map(|value| (header::CONTENT_TYPE.as_str(), value));
    let signable =
        SignableRequest::new(request.method().as_str(), &uri, headers.into_iter(), SignableBody::Bytes(body))
            .map_err(|_| WireError::Unsigned)?;
    let (instructions, _) = sign(signable, &params).map_err(|_| WireError::Unsigned)?.into_parts();
    instructions.apply_to_request_http1x(request);
    for name in ["authorization", "x-amz-security-token"] {
        if let Some(value) = request.headers_mut().get_mut(name) {
            value.set_sensitive(true);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn read(text: &str) -> Option<AwsCredential> {
        AwsCredential::read(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_credential_is_keys_or_an_api_key() {
        let printed = format!(
            r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}","SessionToken":"dG9r","Expiration":"2026-11-23T17:00:00Z"}}"#
        );
        for (text, token) in [
            (format!("{ID}:{SECRET}"), None),
            (format!("{ID}:{SECRET}:dG9r\n"), Some("dG9r")),
            (printed, Some("dG9r")),
        ] {
            let Some(AwsCredential::Keys(keys)) = read(&text) else { panic!("{text}") };
            assert_eq!(keys.credentials.access_key_id(), ID);
            assert_eq!(keys.secret().expose(), SECRET);
            assert_eq!(keys.credentials.session_token(), token);
            assert_eq!(format!("{keys:?}"), "Keys(…)");
        }
        let Some(AwsCredential::ApiKey(key)) = read("ABSKQmVkcm9ja0FQSUtleQ==\n") else { panic!() };
        assert_eq!(key.expose(), "ABSKQmVkcm9ja0FQSUtleQ==");
        for wrong in [
            "",
            "{}",
            "{\"AccessKeyId\":\"AKIAIOSFODNN7EXAMPLE\"}",
            "AKID:secret",
            &format!("{ID}:"),
            &format!("{ID}:{SECRET}:"),
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn hosts_tell_their_region() {
        for (host, region) in [
            ("bedrock-runtime.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("bedrock-runtime.us-east-1.api.aws", Some("us-east-1")),
            ("vpce-0a1b-c2d3.bedrock-runtime.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("bedrock-runtime.eusc-de-east-1.amazonaws.eu", Some("eusc-de-east-1")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("bedrock-runtime.amazonaws.com", None),
            ("bedrock-runtime.eu-central-1.amazonaws.com.evil.example", None),
            ("bedrock.eu-central-1.amazonaws.com", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    /// What AWS's own client for Python makes of the same request at the same time (botocore 1.44.5, `SigV4Auth`).
    #[test]
    fn a_signature_is_what_another_implementation_makes() {
        let Some(AwsCredential::Keys(keys)) = read(&format!("{ID}:{SECRET}:dG9r")) else { panic!() };
        let uri = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse";
        let body = br#"{"messages":[]}"#;
        let mut request = Request::post(uri)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(body)))
            .unwrap();
        sign_request(&mut request, body, &keys, "eu-central-1", 1_767_225_600_123).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-amz-date"), "20260101T000000Z");
        assert_eq!(header("x-amz-security-token"), "dG9r");
        assert_eq!(
            header("authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-central-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=043c8b7bc44196d977f1da180c896a56c5bcb122b95c885c22ef958fb6526e0d"
        );
        assert!(request.headers()["authorization"].is_sensitive());
    }
}
