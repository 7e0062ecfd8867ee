//! From a request to what goes on the wire: checks as the service makes them, the answer, and what the behaviour
//! does to it.

use std::{convert::Infallible, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use serde_json::{Value, json};

use crate::providers::{AuthStyle, Dialect};

use super::{
    Shared,
    behaviour::{Behaviour, BrokenSse},
    body::{Events, Filler},
    chat, embeddings,
    errors::Fault,
};

/// The body of an answer that goes through the HTTP library.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// What to do with a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A well-formed HTTP answer.
    Answer(Response<Body>),
    /// Bytes and events below HTTP.
    Script(Vec<Step>),
    /// Nothing, ever.
    Silence,
}

/// One step below HTTP.
#[derive(Debug)]
pub(super) enum Step {
    /// Writes these bytes.
    Write(Bytes),
    /// Waits.
    Pause(Duration),
    /// Keeps the connection open until the other side closes it.
    Hang,
    /// Closes with a TCP reset instead of an orderly end.
    Reset,
}

/// A request's path below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Chat,
    Embeddings,
    Models,
}

/// An answer before the behaviour gets at it.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

enum Content {
    Whole(Bytes),
    Events(Vec<Bytes>),
}

/// Decides what happens to one request.
pub(super) fn respond(shared: &Shared, head: &Parts, body: &[u8]) -> Outcome {
    let dialect = shared.config.dialect;
    let route = match route(dialect, head) {
        Some(Route::Models) => return Outcome::Answer(models(shared, head).into_response(None)),
        Some(route) => route,
        None => return Outcome::Answer(refuse(dialect, Fault::NoRoute).into_response(None)),
    };
    let behaviour = shared.next_behaviour();
    if behaviour == Behaviour::Hang {
        return Outcome::Silence;
    }
    let secret = (behaviour == Behaviour::EchoSecret).then(|| credential(dialect, head)).flatten();
    let omit_usage = behaviour == Behaviour::OmitUsage;
    let reply = match check(shared, head, route, body) {
        Ok(request) => answer(shared, route, &request, body, secret.as_deref(), omit_usage),
        Err(reply) => *reply,
    };
    behave(behaviour, dialect, reply)
}

fn route(dialect: Dialect, head: &Parts) -> Option<Route> {
    let path = head.uri.path().strip_prefix(dialect.path_prefix())?;
    match (head.method.clone(), path) {
        (Method::POST, "/chat/completions") => Some(Route::Chat),
        (Method::POST, "/embeddings") => Some(Route::Embeddings),
        (Method::GET, "/models") => Some(Route::Models),
        _ => None,
    }
}

fn refuse(dialect: Dialect, fault: Fault<'_>) -> Reply {
    let body = Bytes::from(fault.body(dialect).to_string());
    Reply {
        status: fault.status(dialect),
        headers: headers(dialect, "application/json"),
        content: Content::Whole(body),
    }
}

/// The credential as the service would look for it.
fn credential(dialect: Dialect, head: &Parts) -> Option<String> {
    let get = |name: &str| head.headers.get(name)?.to_str().ok();
    match dialect.auth() {
        AuthStyle::ApiKeyHeader => get("api-key").map(str::to_owned),
        AuthStyle::Bearer | AuthStyle::None => {
            get("authorization")?.strip_prefix("Bearer ").map(str::to_owned)
        }
    }
}

fn authenticate(shared: &Shared, head: &Parts) -> Result<(), Box<Reply>> {
    let dialect = shared.config.dialect;
    let Some(expected) = &shared.config.credential else { return Ok(()) };
    match credential(dialect, head) {
        Some(sent) if sent == expected.expose() => Ok(()),
        Some(_) => Err(Box::new(refuse(dialect, Fault::WrongCredential))),
        None => Err(Box::new(refuse(dialect, Fault::NoCredential))),
    }
}

fn models(shared: &Shared, head: &Parts) -> Reply {
    if let Err(refusal) = authenticate(shared, head) {
        return *refusal;
    }
    let config = &shared.config;
    let listed: Vec<Value> = config
        .chat_models
        .iter()
        .chain(&config.embedding_models)
        .map(|id| json!({"id": id, "object": "model", "created": chat::CREATED, "owned_by": "simulated"}))
        .collect();
    let body = Bytes::from(json!({"object": "list", "data": listed}).to_string());
    Reply {
        status: StatusCode::OK,
        headers: headers(config.dialect, "application/json"),
        content: Content::Whole(body),
    }
}

/// Everything that the service checks before it answers.
fn check(shared: &Shared, head: &Parts, route: Route, body: &[u8]) -> Result<Value, Box<Reply>> {
    let config = &shared.config;
    let dialect = config.dialect;
    authenticate(shared, head)?;
    let refuse = |fault| Box::new(refuse(dialect, fault));
    let invalid = |text| refuse(Fault::Invalid(text));
    let request: Value = serde_json::from_slice(body)
        .map_err(|_| invalid("We could not parse the JSON body of your request."))?;
    let fields = request.as_object().ok_or_else(|| invalid("The body must be a JSON object."))?;
    if dialect == Dialect::Mistral {
        let unknown: Vec<String> =
            fields.keys().filter(|field| !mistral_knows(route, field)).cloned().collect();
        if !unknown.is_empty() {
            return Err(refuse(Fault::UnknownFields(&unknown)));
        }
    }
    let model = fields.get("model").and_then(Value::as_str);
    let model = model.ok_or_else(|| invalid("You must provide a model parameter."))?;
    let served = if route == Route::Chat { &config.chat_models } else { &config.embedding_models };
    if !served.iter().any(|known| known == model) {
        return Err(refuse(Fault::UnknownModel(model)));
    }
    let messages = fields.get("messages").and_then(Value::as_array);
    if route == Route::Chat
        && messages.is_none_or(|list| list.is_empty() || !list.iter().all(Value::is_object))
    {
        return Err(invalid("'messages' must be a list of at least one message."));
    }
    Ok(request)
}

/// The request fields of <https://docs.mistral.ai/api/>; Mistral refuses any other.
fn mistral_knows(route: Route, field: &str) -> bool {
    const CHAT: &[&str] = &[
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "stream",
        "stop",
        "random_seed",
        "metadata",
        "response_format",
        "tools",
        "tool_choice",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "prediction",
        "parallel_tool_calls",
        "prompt_mode",
        "reasoning_effort",
        "safe_prompt",
        "guardrails",
    ];
    const EMBEDDINGS: &[&str] =
        &["model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"];
    if route == Route::Chat { CHAT.contains(&field) } else { EMBEDDINGS.contains(&field) }
}

fn answer(
    shared: &Shared,
    route: Route,
    request: &Value,
    raw: &[u8],
    secret: Option<&str>,
    omit_usage: bool,
) -> Reply {
    let config = &shared.config;
    let dialect = config.dialect;
    let whole = |body: Bytes| Reply {
        status: StatusCode::OK,
        headers: headers(dialect, "application/json"),
        content: Content::Whole(body),
    };
    if route == Route::Embeddings {
        let model = request.get("model").and_then(Value::as_str).unwrap_or_default();
        return match embeddings::answer(model, request) {
            Ok((data, tokens)) => {
                let mut body = json!({"object": "list", "data": data, "model": model});
                if let (false, Some(fields)) = (omit_usage, body.as_object_mut()) {
                    fields.insert("usage".into(), json!({"prompt_tokens": tokens, "total_tokens": tokens}));
                }
                whole(Bytes::from(body.to_string()))
            }
            Err(complaint) => refuse(dialect, Fault::Invalid(complaint)),
        };
    }
    let completion = chat::complete(&config.name, dialect, request, raw, secret, omit_usage);
    if request.get("stream") == Some(&Value::Bool(true)) {
        Reply {
            status: StatusCode::OK,
            headers: headers(dialect, "text/event-stream; charset=utf-8"),
            content: Content::Events(completion.events()),
        }
    } else {
        whole(completion.whole())
    }
}

/// The headers that a service sends, those included that must not reach a client.
fn headers(dialect: Dialect, content_type: &'static str) -> HeaderMap {
    let own: &[(&str, &str)] = match dialect {
        Dialect::OpenAi => &[
            ("openai-organization", "org-simulated"),
            ("openai-version", "2020-10-01"),
            ("x-request-id", "req_simulated"),
            ("set-cookie", "__cf_bm=simulated; path=/; HttpOnly; Secure"),
        ],
        Dialect::Azure => &[("apim-request-id", "simulated"), ("x-ms-region", "Simulated")],
        Dialect::Bedrock => &[("x-amzn-requestid", "simulated")],
        Dialect::Mistral => &[("mistral-correlation-id", "simulated")],
        Dialect::Vllm | Dialect::Ollama => &[],
    };
    let mut headers = HeaderMap::new();
    for (name, value) in own {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert("x-simulated", HeaderValue::from_static("true"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}

fn behave(behaviour: Behaviour, dialect: Dialect, mut reply: Reply) -> Outcome {
    match behaviour {
        Behaviour::Normal | Behaviour::Hang | Behaviour::OmitUsage | Behaviour::EchoSecret => {}
        Behaviour::Close => return Outcome::Script(Vec::new()),
        Behaviour::NotHttp => {
            return Outcome::Script(vec![Step::Write(Bytes::from_static(
                b"simulated: this is not HTTP\r\n\r\n",
            ))]);
        }
        Behaviour::HangMidStream { after } => {
            return Outcome::Script(vec![Step::Write(reply.beginning(after)), Step::Hang]);
        }
        Behaviour::DieMidStream { after } => {
            // The pause lets the bytes arrive before the reset overtakes them.
            let pause = Step::Pause(Duration::from_millis(20));
            return Outcome::Script(vec![Step::Write(reply.beginning(after)), pause, Step::Reset]);
        }
        Behaviour::LieAboutLength { by } => {
            return Outcome::Script(vec![Step::Write(reply.with_wrong_length(by))]);
        }
        Behaviour::Status { code, retry_after } => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            reply = refuse(dialect, Fault::Other(status));
            if let Some(seconds) = retry_after {
                reply.headers.insert(header::RETRY_AFTER, seconds.into());
            }
        }
        Behaviour::Redirect { to } => {
            reply.status = StatusCode::TEMPORARY_REDIRECT;
            reply.content = Content::Whole(Bytes::new());
            if let Ok(to) = HeaderValue::from_str(&to) {
                reply.headers.insert(header::LOCATION, to);
            }
        }
        Behaviour::WrongContentType => {
            reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        }
        Behaviour::Compressed => {
            reply.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Behaviour::NotJson => match &mut reply.content {
            Content::Whole(body) => *body = Bytes::from_static(b"<html>simulated: not JSON</html>"),
            Content::Events(events) => *events = vec![Bytes::from_static(b"data: simulated: not JSON\n\n")],
        },
        Behaviour::BrokenSse(how) => {
            if let Content::Events(events) = &mut reply.content {
                break_stream(how, events);
            }
        }
        Behaviour::ErrorInStream { after } => {
            if let Content::Events(events) = &mut reply.content {
                events.truncate(after);
                events.push(chat::event(&Fault::Other(StatusCode::INTERNAL_SERVER_ERROR).body(dialect)));
            }
        }
        Behaviour::SlowTokens { delay } => return Outcome::Answer(reply.into_response(Some(delay))),
        Behaviour::HugeBody { bytes } => return Outcome::Answer(reply.huge(bytes)),
    }
    Outcome::Answer(reply.into_response(None))
}

fn break_stream(how: BrokenSse, events: &mut Vec<Bytes>) {
    let cut = |event: &Bytes| event.slice(..event.len() / 2);
    let third = events.get(2).cloned().unwrap_or_default();
    let rest = events.split_off(events.len().min(2));
    match how {
        BrokenSse::Garbage => {
            events.push(Bytes::from_static(b"\x00\x01simulated garbage\n\n: \xFF\n\nno colon here\n\n"));
            events.push(Bytes::from_static(b"data: }{\n\n"));
            events.extend(rest);
        }
        BrokenSse::HalfJson => {
            events.push(Bytes::from([cut(&third).as_ref(), b"\n\n"].concat()));
            events.extend(rest.into_iter().skip(1));
        }
        BrokenSse::MissingBlankLine => {
            let unended = third.strip_suffix(b"\n").unwrap_or_default();
            events.push(Bytes::copy_from_slice(unended));
            events.extend(rest.into_iter().skip(1));
        }
        BrokenSse::InvalidUtf8 => {
            events.push(Bytes::from_static(
                b"data: {\"choices\":[{\"delta\":{\"content\":\"\xC3\x28\"}}]}\n\n",
            ));
            events.extend(rest);
        }
        BrokenSse::NoDone => {}
        BrokenSse::CutEvent => events.push(cut(&third)),
    }
}

impl Reply {
    fn into_response(self, delay: Option<Duration>) -> Response<Body> {
        let body = match (self.content, delay) {
            (Content::Whole(body), None) => Full::new(body).boxed(),
            (Content::Whole(body), Some(_)) => Events::new(vec![body], delay).boxed(),
            (Content::Events(events), delay) => Events::new(events, delay).boxed(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    fn huge(self, bytes: u64) -> Response<Body> {
        let (before, after): (&'static [u8], &'static [u8]) = match self.content {
            Content::Whole(_) => {
                let before = br#"{"id":"chatcmpl-simulated","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":""#;
                (before, br#""}}]}"#)
            }
            Content::Events(_) => {
                let before =
                    br#"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
                (before, b"\"}}]}\n\ndata: [DONE]\n\n")
            }
        };
        let mut response = Response::new(Filler::new(before, bytes, after).boxed());
        *response.headers_mut() = self.headers;
        response
    }

    /// The head and `after` events in chunked encoding; of a whole answer, its head and half of it.
    fn beginning(&self, after: usize) -> Bytes {
        let mut out = BytesMut::new();
        match &self.content {
            Content::Whole(body) => {
                self.put_head(&mut out, &format!("content-length: {}", body.len()));
                out.put(body.slice(..body.len() / 2));
            }
            Content::Events(events) => {
                self.put_head(&mut out, "transfer-encoding: chunked");
                for event in events.iter().take(after) {
                    out.put(format!("{:x}\r\n", event.len()).as_bytes());
                    out.put(event.clone());
                    out.put(&b"\r\n"[..]);
                }
            }
        }
        out.freeze()
    }

    fn with_wrong_length(&self, by: i64) -> Bytes {
        let body = match &self.content {
            Content::Whole(body) => body.clone(),
            Content::Events(events) => Bytes::from(events.concat()),
        };
        let mut out = BytesMut::new();
        let length = (body.len() as u64).saturating_add_signed(by);
        self.put_head(&mut out, &format!("content-length: {length}"));
        out.put(body);
        out.freeze()
    }

    fn put_head(&self, out: &mut BytesMut, framing: &str) {
        out.put(format!("HTTP/1.1 {}\r\n{framing}\r\n", self.status).as_bytes());
        for (name, value) in &self.headers {
            out.put(name.as_str().as_bytes());
            out.put(&b": "[..]);
            out.put(value.as_bytes());
            out.put(&b"\r\n"[..]);
        }
        out.put(&b"\r\n"[..]);
    }
}
