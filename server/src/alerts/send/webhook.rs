//! Webhooks, signed as Standard Webhooks says (<https://www.standardwebhooks.com>), and those of chats.
//!
//! Their addresses pass the guard of everything that goes out, and no redirect is followed: where one leads is nobody's
//! word but the receiver's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request, StatusCode, header};
use serde_json::Value;
use sha2::Sha256;
use std::time::Duration;

use super::{Failure, secret};
use crate::alerts::config::{ChatConfig, WebhookConfig, check_url};
use crate::alerts::message::Outgoing;
use crate::outbound::{Bounds, Http};
use crate::providers::Secret;

/// What an answer may take: nothing is read out of it.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), bytes: 64 * 1024 };
const AGENT: &str = concat!("Bailiwick/", env!("CARGO_PKG_VERSION"));
/// What a secret begins with, and how many bytes it has.
const PREFIX: &str = "whsec_";
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Calls a webhook.
pub(super) async fn send(
    hook: &WebhookConfig,
    http: &Http,
    message: &Outgoing,
    now_ms: i64,
) -> Result<(), Failure> {
    let uri = check_url(&hook.url).map_err(Failure::for_good)?;
    let key = secret("secret_file", &hook.secret_file).await?;
    let body = message.json().to_string();
    let timestamp = now_ms / 1_000;
    let signature = sign(&key, &message.id, timestamp, &body)
        .map_err(|why| Failure::for_now(format!("its `secret_file`: {why}")))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, AGENT)
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(Bytes::from(body))
        .map_err(|error| Failure::for_good(error.to_string()))?;
    ask(http, request).await.map_err(|failure| failure.told(Some(&key)))
}

/// Says something in a chat. Whoever has the address may say anything there, so it is a secret.
pub(super) async fn say(chat: &ChatConfig, http: &Http, body: &Value) -> Result<(), Failure> {
    let url = secret("url_file", &chat.url_file).await?;
    let wrong = |why: &str| Failure::for_now(format!("its `url_file`: {why}"));
    let uri = check_url(url.expose()).map_err(wrong)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, AGENT)
        .body(Bytes::from(body.to_string()))
        .map_err(|_| wrong("it holds no address"))?;
    ask(http, request).await.map_err(|failure| failure.told(Some(&url)))
}

async fn ask(http: &Http, request: Request<Bytes>) -> Result<(), Failure> {
    let answer = http.send(request, &BOUNDS).await.map_err(|error| Failure::for_now(error.to_string()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        return Err(Failure::for_now(format!(
            "it answers {}, and no redirect is followed: configure the address that it leads to",
            status.as_u16()
        )));
    }
    let why = format!("it answers {}", status.as_u16());
    // "Gone" is how a receiver says that it wants no more.
    Err(if status == StatusCode::GONE { Failure::for_good(why) } else { Failure::for_now(why) })
}

/// The signature over id, time and body.
fn sign(secret: &Secret, id: &str, timestamp: i64, body: &str) -> Result<String, &'static str> {
    let wrong = "it holds no secret: write `whsec_` and 24 to 64 random bytes in base64";
    let encoded = secret.expose().strip_prefix(PREFIX).ok_or(wrong)?;
    let key = zeroize::Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong)?);
    if !BYTES.contains(&key.len()) {
        return Err(wrong);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| wrong)?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        // The example of Standard Webhooks' specification and of its libraries' tests.
        let secret = Secret::new(String::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let body = r#"{"test": 2432232314}"#;
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_AAAA", "whsec_%%%"] {
            assert!(sign(&Secret::new(wrong.to_owned()), "m", 1, "").is_err(), "{wrong}");
        }
    }
}
