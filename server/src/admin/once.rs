//! `Idempotency-Key`: a `POST` that is sent again, because its answer did not come, is answered again and not done again.
//!
//! A key belongs to who sends it. With the same key and another request there is nothing to answer (422); while the first
//! one is under way, or where nobody knows what became of it, neither (409). Answers are kept for a day, sealed under
//! the key that the client chose and one that only the servers have: the database has neither, only digests under both, so
//! what was asked and answered can neither be read there nor guessed, not even where the client's key is a poor one.
//! Nothing is kept of a request that did nothing: it can be mended and sent again.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use super::Problem;
use crate::app::App;
use crate::gateway::{Named, PseudonymKey};
use crate::identity::Permit;
use crate::keys::secret;
use crate::store;
use crate::store::done_once::DoneOnce;

const KEY: &str = "idempotency-key";
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// A key is as hard to guess as what it seals has to be hard to open.
const SHORTEST: usize = 16;
const LONGEST: usize = 255;
const KEPT_MS: i64 = 86_400_000;
/// Bytes of a request, and of an answer that is kept.
const LARGEST: usize = 8 << 20;
const LARGEST_ANSWER: usize = 1 << 20;

/// The layer.
pub(super) async fn once(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let permit = request.extensions().get::<Permit>().cloned();
    match (request.headers().get(KEY).cloned(), permit) {
        (Some(key), Some(permit)) if *request.method() == Method::POST => {
            let done = done_once(&app, &key, permit.subject(), request, next).await;
            done.unwrap_or_else(|problem| problem.into_response())
        }
        // Who presents no credential has nothing that a key could belong to; other methods can be sent again as they are.
        _ => next.run(request).await,
    }
}

async fn done_once(
    app: &App,
    key: &HeaderValue,
    subject: &str,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key.to_str().ok().filter(|key| {
        (SHORTEST..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let key = key.ok_or_else(|| {
        let told = format!("it has {SHORTEST} to {LONGEST} visible ASCII characters: take a random UUID");
        Problem::wrong_parameter(KEY, &told)
    })?;
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large, or did not come")
    })?;
    let target = head.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
    let seal = Seal::new(&app.gateway.pseudonyms, subject, key);
    let new = DoneOnce {
        id_hash: seal.id.to_vec(),
        request_hash: seal.request(target, &body),
        expires_ms: app.gateway.clock.now_ms().saturating_add(KEPT_MS),
        answer: None,
    };
    let request_hash = new.request_hash.clone();
    match store::done_once::begin(&app.store, new, app.gateway.clock.now_ms()).await? {
        None => {}
        Some(before) if before.request_hash != request_hash => return Err(reused()),
        Some(DoneOnce { answer: None, .. }) => return Err(under_way()),
        Some(DoneOnce { answer: Some(sealed), .. }) => {
            let answer = seal.open(&sealed).and_then(|kept| read(&kept));
            return answer.ok_or_else(under_way);
        }
    }
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    Ok(keep(app, &seal, response).await)
}

/// Keeps the answer, or forgets the request.
async fn keep(app: &App, seal: &Seal, response: Response) -> Response {
    let (head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_ANSWER).await else {
        // Done, and too long to be said again: the key stays taken.
        return Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "too_large",
            "The answer is too long to be kept",
        )
        .into_response();
    };
    let response = Response::from_parts(head, Body::from(body.clone()));
    let stored = if did_nothing(response.status(), &body) {
        store::done_once::forget(&app.store, &seal.id).await
    } else {
        match seal.close(&written(&response, &body)) {
            Some(sealed) => store::done_once::finish(&app.store, &seal.id, sealed).await,
            None => Ok(()),
        }
    };
    if let Err(error) = stored {
        tracing::warn!(%error, "an answer that was to be kept is not: who asks again is told that nobody knows it");
    }
    response
}

/// Whether the request surely changed nothing: it was refused, or the log did not take it, and then it does not happen. Of
/// any other fault nobody knows.
fn did_nothing(status: StatusCode, body: &Bytes) -> bool {
    if !status.is_client_error() && !status.is_server_error() {
        return false;
    }
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let code = problem.get("code").and_then(serde_json::Value::as_str).unwrap_or_default();
    match code {
        // It is stored.
        "not_in_force" => false,
        "audit_unavailable" => true,
        _ => status.is_client_error(),
    }
}

fn reused() -> Problem {
    let title = "The idempotency key was used for another request";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", title)
        .fix("take a new random key for each request")
}

fn under_way() -> Problem {
    let title = "A request with this idempotency key is under way, or nobody knows what became of it";
    Problem::new(StatusCode::CONFLICT, "idempotency_unknown", title).fix(
        "ask again in a moment; where that goes on, look at what is there before you try with another key",
    )
}

/// Headers that belong to an answer and not to its connection.
const HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

fn written(response: &Response, body: &Bytes) -> Vec<u8> {
    let mut text = format!("{}\n", response.status().as_u16()).into_bytes();
    for name in HEADERS {
        if let Some(value) = response.headers().get(&name) {
            text.extend_from_slice(name.as_str().as_bytes());
            text.push(b'\n');
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
    }
    text.push(b'\n');
    text.extend_from_slice(body);
    text
}

fn read(kept: &[u8]) -> Option<Response> {
    let mut rest = kept;
    let mut line = || {
        let at = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, more) = rest.split_at_checked(at)?;
        rest = more.get(1..)?;
        Some(line)
    };
    let status = StatusCode::from_bytes(line()?).ok()?;
    let mut headers = Vec::new();
    loop {
        let name = line()?;
        if name.is_empty() {
            break;
        }
        headers.push((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(line()?).ok()?));
    }
    let mut response = Response::new(Body::from(rest.to_vec()));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Some(response)
}

/// What the database knows a request by, and the key that its answer is sealed under. Neither follows from the other.
struct Seal {
    id: [u8; 32],
    key: LessSafeKey,
    request: [u8; 32],
}

impl Seal {
    fn new(ours: &PseudonymKey, subject: &str, key: &str) -> Self {
        let hash = |what: &str| -> [u8; 32] {
            // No subject holds a line break.
            let named = format!("{what}{subject}\n{key}");
            Sha256::new().chain_update(ours.of(Named::Once, &named)).chain_update(named).finalize().into()
        };
        #[expect(clippy::expect_used, reason = "a hash has the 32 bytes that the algorithm asks for")]
        let sealing = UnboundKey::new(&AES_256_GCM, &hash("seal\n")).expect("32 bytes");
        Self { id: hash("id\n"), key: LessSafeKey::new(sealing), request: hash("request\n") }
    }

    /// What tells a request from another one under the same key. Its body may hold a secret that could be guessed.
    fn request(&self, target: &str, body: &[u8]) -> Vec<u8> {
        let digest = Sha256::new().chain_update(self.request).chain_update(target).chain_update([0]);
        digest.chain_update(body).finalize().to_vec()
    }

    fn close(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce = secret::random::<NONCE_LEN>().ok()?;
        let mut sealed = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(unique, Aad::from(self.id), &mut sealed).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(self.id), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_kept_is_sealed() {
        let ours = PseudonymKey::new([7; 32]);
        let seal = Seal::new(&ours, "token:a", "0123456789abcdef");
        let body = Bytes::from_static(b"{\"key\":\"bwk_secret\"}\n\n");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::CREATED;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sealed = seal.close(&written(&response, &body)).unwrap();
        assert!(memchr::memmem::find(&sealed, b"bwk_secret").is_none());
        assert_ne!(seal.close(b"x"), seal.close(b"x"), "a nonce of its own each time");
        let again = read(&seal.open(&sealed).unwrap()).unwrap();
        assert_eq!(
            (again.status(), &again.headers()["content-type"]),
            (StatusCode::CREATED, &HeaderValue::from_static("application/json"))
        );
        assert_eq!(again.headers()[&REPLAYED], "true");
        // Under no other key, for nobody else, and not where a bit is another one.
        for other in [
            Seal::new(&ours, "token:a", "0123456789abcdeg"),
            Seal::new(&ours, "token:b", "0123456789abcdef"),
            // Who has the database and guesses the client's key lacks ours.
            Seal::new(&PseudonymKey::new([8; 32]), "token:a", "0123456789abcdef"),
        ] {
            assert!(other.open(&sealed).is_none() && other.id != seal.id);
            assert_ne!(other.request("/x", b"secret"), seal.request("/x", b"secret"));
        }
        assert_eq!(seal.request("/x", b"secret"), seal.request("/x", b"secret"));
        assert_ne!(seal.request("/x", b"secret"), seal.request("/y", b"secret"));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seal.open(&changed).is_none(), "{at}");
        }
        assert!(seal.open(b"").is_none() && read(b"").is_none() && read(b"200\n").is_none());
    }

    #[test]
    fn only_what_did_nothing_is_forgotten() {
        let problem = |status: u16, code: &'static str| {
            did_nothing(
                StatusCode::from_u16(status).unwrap(),
                &Bytes::from(Problem::new(StatusCode::OK, code, "").body().to_string()),
            )
        };
        assert!(problem(400, "invalid_request") && problem(409, "conflict") && problem(403, "forbidden"));
        assert!(problem(503, "audit_unavailable"), "without its first record an act does not happen");
        assert!(!problem(409, "not_in_force"), "it is stored");
        assert!(!problem(503, "database_unavailable") && !problem(500, "") && !problem(201, ""));
    }
}
