//! An answer on its way out, and what a behaviour does to it.

use std::{convert::Infallible, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};

use crate::providers::Dialect;

use super::{
    anthropic, bedrock,
    behaviour::{Behaviour, BrokenSse},
    body::{Events, Filler},
    chat,
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

/// An answer before the behaviour gets at it.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
}

pub(super) enum Content {
    Whole(Bytes),
    Events(Vec<Bytes>),
}

/// A refusal in the service's own shape.
pub(super) fn refuse(dialect: Dialect, fault: Fault<'_>) -> Reply {
    let body = Bytes::from(fault.body(dialect).to_string());
    let mut headers = headers(dialect, "application/json");
    if dialect == Dialect::BedrockConverse {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(fault.converse().0));
    }
    Reply { status: fault.status(dialect), headers, content: Content::Whole(body) }
}

/// The headers that a service sends, those included that must not reach a client.
pub(super) fn headers(dialect: Dialect, content_type: &'static str) -> HeaderMap {
    let own: &[(&str, &str)] = match dialect {
        Dialect::OpenAi => &[
            ("openai-organization", "org-simulated"),
            ("openai-version", "2020-10-01"),
            ("x-request-id", "req_simulated"),
            ("set-cookie", "__cf_bm=simulated; path=/; HttpOnly; Secure"),
        ],
        Dialect::Azure => &[("apim-request-id", "simulated"), ("x-ms-region", "Simulated")],
        Dialect::Bedrock | Dialect::BedrockConverse => &[("x-amzn-requestid", "simulated")],
        Dialect::Mistral => &[("mistral-correlation-id", "simulated")],
        Dialect::Anthropic => {
            &[("request-id", "req_simulated"), ("anthropic-organization-id", "org-simulated")]
        }
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

/// Lets the behaviour have its way with a reply.
pub(super) fn behave(behaviour: Behaviour, dialect: Dialect, mut reply: Reply) -> Outcome {
    match behaviour {
        Behaviour::Normal
        | Behaviour::Hang
        | Behaviour::OmitUsage
        | Behaviour::ReportUsage(_)
        | Behaviour::EchoSecret
        | Behaviour::Say(_)
        | Behaviour::Answer(_) => {}
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
                match dialect {
                    Dialect::BedrockConverse => bedrock::break_stream(how, events),
                    _ => break_stream(how, events),
                }
            }
        }
        Behaviour::ErrorInStream { after } => {
            if let Content::Events(events) = &mut reply.content {
                let of_response = events.first().is_some_and(|event| event.starts_with(b"event: response."));
                events.truncate(after);
                events.push(match dialect {
                    _ if of_response => anthropic::event(&serde_json::json!({
                        "type": "error", "code": "server_error", "message": "The model failed.", "param": null,
                        "sequence_number": after,
                    })),
                    Dialect::BedrockConverse => {
                        bedrock::exception("modelStreamErrorException", "The model failed.")
                    }
                    _ => chat::event(&Fault::Other(StatusCode::INTERNAL_SERVER_ERROR).body(dialect)),
                });
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
    pub(super) fn into_response(self, delay: Option<Duration>) -> Response<Body> {
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
