//! From a request to an answer: checks as the service makes them, then what it would say.

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use serde_json::{Value, json};

use crate::providers::{AuthStyle, Dialect};

use super::{
    Shared, anthropic, bedrock,
    behaviour::Behaviour,
    chat, embeddings,
    errors::Fault,
    reply::{Content, Outcome, Reply, behave, headers, refuse},
    responses,
    signed::{self, Unsigned},
};

/// A request's path below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Chat,
    Responses,
    Embeddings,
    Messages,
    CountTokens,
    Models,
    Converse,
    ConverseStream,
}

/// What is said of the usage.
#[derive(Debug, PartialEq)]
enum Told {
    Truth,
    Nothing,
    This(Value),
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
    let usage = match &behaviour {
        Behaviour::OmitUsage => Told::Nothing,
        Behaviour::ReportUsage(usage) => Told::This(usage.clone()),
        _ => Told::Truth,
    };
    let reply = match check(shared, head, route, body) {
        Ok(request) if let Behaviour::Say(said) = &behaviour => {
            script(shared, head, route, &request, body, said)
        }
        Ok(request) if let Behaviour::Answer(all) = &behaviour => verbatim(dialect, route, &request, all),
        Ok(request) if dialect == Dialect::BedrockConverse => {
            converse(shared, head, route, &request, body, secret.as_deref(), (usage, None))
        }
        Ok(request) => answer(shared, route, &request, body, secret.as_deref(), usage),
        Err(reply) => *reply,
    };
    behave(behaviour, dialect, reply)
}

fn route(dialect: Dialect, head: &Parts) -> Option<Route> {
    let path = head.uri.path().strip_prefix(dialect.path_prefix())?;
    if dialect == Dialect::BedrockConverse {
        return match (head.method.as_str(), bedrock::asked(path)?.1) {
            ("POST", "converse") => Some(Route::Converse),
            ("POST", "converse-stream") => Some(Route::ConverseStream),
            ("POST", "count-tokens") => Some(Route::CountTokens),
            _ => None,
        };
    }
    match (head.method.clone(), path) {
        (Method::POST, "/messages") if dialect == Dialect::Anthropic => Some(Route::Messages),
        (Method::POST, "/messages/count_tokens") if dialect == Dialect::Anthropic => Some(Route::CountTokens),
        _ if dialect == Dialect::Anthropic => None,
        (Method::POST, "/chat/completions") => Some(Route::Chat),
        (Method::POST, "/responses") if dialect != Dialect::Mistral => Some(Route::Responses),
        (Method::POST, "/embeddings") => Some(Route::Embeddings),
        (Method::GET, "/models") => Some(Route::Models),
        _ => None,
    }
}

/// The credential as the service would look for it.
fn credential(dialect: Dialect, head: &Parts) -> Option<String> {
    let get = |name: &str| head.headers.get(name)?.to_str().ok();
    match dialect.auth() {
        AuthStyle::ApiKeyHeader => get("api-key").map(str::to_owned),
        AuthStyle::XApiKeyHeader => get("x-api-key").map(str::to_owned),
        AuthStyle::Bearer | AuthStyle::Aws | AuthStyle::None => {
            get("authorization")?.strip_prefix("Bearer ").map(str::to_owned)
        }
    }
}

fn authenticate(shared: &Shared, head: &Parts, body: &[u8]) -> Result<(), Box<Reply>> {
    let dialect = shared.config.dialect;
    let Some(expected) = &shared.config.credential else { return Ok(()) };
    if dialect == Dialect::BedrockConverse && expected.expose().contains(':') {
        return signed::check(expected.expose(), head, body).map_err(|unsigned| {
            Box::new(refuse(
                dialect,
                match unsigned {
                    Unsigned::Missing => Fault::NoCredential,
                    Unsigned::OtherKey => Fault::WrongCredential,
                    Unsigned::Mismatch => Fault::WrongSignature,
                },
            ))
        });
    }
    match credential(dialect, head) {
        Some(sent) if sent == expected.expose() => Ok(()),
        Some(_) => Err(Box::new(refuse(dialect, Fault::WrongCredential))),
        None => Err(Box::new(refuse(dialect, Fault::NoCredential))),
    }
}

fn models(shared: &Shared, head: &Parts) -> Reply {
    if let Err(refusal) = authenticate(shared, head, &[]) {
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
    authenticate(shared, head, body)?;
    let refuse = |fault| Box::new(refuse(dialect, fault));
    let invalid = |text| refuse(Fault::Invalid(text));
    let request: Value = serde_json::from_slice(body)
        .map_err(|_| invalid("We could not parse the JSON body of your request."))?;
    let fields = request.as_object().ok_or_else(|| invalid("The body must be a JSON object."))?;
    if dialect == Dialect::BedrockConverse {
        let (model, _) = bedrock::asked(head.uri.path()).unwrap_or_default();
        if !config.chat_models.contains(&model) {
            return Err(Box::new(self::refuse(dialect, Fault::UnknownModel(&model))));
        }
        let complaint = (route != Route::CountTokens).then(|| bedrock::complaint(&request)).flatten();
        return match complaint {
            Some(complaint) => Err(Box::new(self::refuse(dialect, Fault::Invalid(&complaint)))),
            None => Ok(request),
        };
    }
    if dialect == Dialect::Mistral {
        let unknown: Vec<String> =
            fields.keys().filter(|field| !mistral_knows(route, field)).cloned().collect();
        if !unknown.is_empty() {
            return Err(refuse(Fault::UnknownFields(&unknown)));
        }
    }
    let model = fields.get("model").and_then(Value::as_str);
    let model = model.ok_or_else(|| invalid("You must provide a model parameter."))?;
    let served = if route == Route::Embeddings { &config.embedding_models } else { &config.chat_models };
    if !served.iter().any(|known| known == model) {
        return Err(refuse(Fault::UnknownModel(model)));
    }
    if dialect == Dialect::Anthropic {
        return match anthropic::complaint(&head.headers, &request, route == Route::CountTokens) {
            Some(complaint) => Err(Box::new(self::refuse(dialect, Fault::Invalid(&complaint)))),
            None => Ok(request),
        };
    }
    if route == Route::Responses {
        return match responses::complaint(&request) {
            Some(complaint) => Err(Box::new(self::refuse(dialect, Fault::Invalid(&complaint)))),
            None => Ok(request),
        };
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

/// An answer of which every word is given. To Anthropic's API the words are blocks of content, of a response they are items.
fn script(
    shared: &Shared,
    head: &Parts,
    route: Route,
    request: &Value,
    body: &[u8],
    said: &[Value],
) -> Reply {
    let dialect = shared.config.dialect;
    let raw = String::from_utf8_lossy(body);
    let mut placeholders: Vec<&str> = Vec::new();
    for (at, _) in raw.match_indices('<') {
        let found = raw.get(at..).and_then(|rest| rest.get(..=rest.find('>')?));
        placeholders.extend(found.filter(|found| found.contains('_') && !placeholders.contains(found)));
    }
    let say = |part: &Value| -> Value {
        let mut text = part.to_string();
        for (at, placeholder) in placeholders.iter().enumerate() {
            let (head, tail) = placeholder.split_at_checked(5).unwrap_or_default();
            for (name, says) in [("", *placeholder), ("<", head), (">", tail)] {
                text = text.replace(&format!("{{{at}{name}}}"), says);
            }
        }
        serde_json::from_str(&text).unwrap_or_default()
    };
    if dialect == Dialect::BedrockConverse {
        let said = said.iter().map(say).collect();
        return converse(shared, head, route, request, body, None, (Told::Truth, Some(said)));
    }
    if dialect == Dialect::Anthropic {
        let said = said.iter().map(say).collect();
        let message = anthropic::answer(&shared.config.name, request, body, None, None, Some(said));
        return message_reply(request, &message);
    }
    if route == Route::Responses {
        let said = said.iter().map(say).collect();
        let answered = responses::answer(&shared.config.name, request, body, None, None, Some(said));
        return response_reply(dialect, request, &answered);
    }
    let body = |object: &str, choice: Value| {
        json!({"id": "chatcmpl-said", "object": object, "created": chat::CREATED, "model": request.get("model"),
            "choices": [choice]})
    };
    if request.get("stream") == Some(&Value::Bool(true)) {
        let chunk = |delta: Value, finish: Option<&str>| {
            chat::event(&body(
                "chat.completion.chunk",
                json!({"index": 0, "delta": delta, "finish_reason": finish}),
            ))
        };
        let mut events: Vec<Bytes> = said.iter().map(|delta| chunk(say(delta), None)).collect();
        events.push(chunk(json!({}), Some("stop")));
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        let headers = headers(dialect, "text/event-stream; charset=utf-8");
        return Reply { status: StatusCode::OK, headers, content: Content::Events(events) };
    }
    let message = said.first().map(say).unwrap_or_default();
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let content = Content::Whole(Bytes::from(body("chat.completion", choice).to_string()));
    Reply { status: StatusCode::OK, headers: headers(dialect, "application/json"), content }
}

/// An answer that is given to the letter.
fn verbatim(dialect: Dialect, route: Route, request: &Value, all: &[Value]) -> Reply {
    let event = |data: &Value| match data {
        Value::String(text) => Bytes::from(format!("data: {text}\n\n")),
        data if dialect == Dialect::Anthropic || route == Route::Responses => anthropic::event(data),
        data => chat::event(data),
    };
    let (kind, content) = if request.get("stream") == Some(&Value::Bool(true)) {
        ("text/event-stream; charset=utf-8", Content::Events(all.iter().map(event).collect()))
    } else {
        let body = all.first().map(Value::to_string).unwrap_or_default();
        ("application/json", Content::Whole(Bytes::from(body)))
    };
    Reply { status: StatusCode::OK, headers: headers(dialect, kind), content }
}

fn response_reply(dialect: Dialect, request: &Value, answered: &responses::Answered) -> Reply {
    let stream = request.get("stream") == Some(&Value::Bool(true));
    let (kind, content) = if stream {
        ("text/event-stream; charset=utf-8", Content::Events(answered.events()))
    } else {
        ("application/json", Content::Whole(answered.whole()))
    };
    Reply { status: StatusCode::OK, headers: headers(dialect, kind), content }
}

fn message_reply(request: &Value, message: &anthropic::Message) -> Reply {
    let stream = request.get("stream") == Some(&Value::Bool(true));
    let (kind, content) = if stream {
        ("text/event-stream; charset=utf-8", Content::Events(message.events()))
    } else {
        ("application/json", Content::Whole(message.whole()))
    };
    Reply { status: StatusCode::OK, headers: headers(Dialect::Anthropic, kind), content }
}

/// An answer of Bedrock's own API.
fn converse(
    shared: &Shared,
    head: &Parts,
    route: Route,
    request: &Value,
    raw: &[u8],
    secret: Option<&str>,
    (usage, said): (Told, Option<Vec<Value>>),
) -> Reply {
    let dialect = Dialect::BedrockConverse;
    let (model, _) = bedrock::asked(head.uri.path()).unwrap_or_default();
    if route == Route::CountTokens {
        return match bedrock::count(request, &model) {
            Some(count) => Reply {
                status: StatusCode::OK,
                headers: headers(dialect, "application/json"),
                content: Content::Whole(Bytes::from(json!({"inputTokens": count}).to_string())),
            },
            None => refuse(dialect, Fault::Invalid("Value at 'input' is missing.")),
        };
    }
    let stream = route == Route::ConverseStream;
    let told = match usage {
        Told::Truth => None,
        Told::Nothing => Some(Value::Null),
        Told::This(usage) => Some(usage),
    };
    let told = bedrock::answer(&shared.config.name, (request, &model, stream), raw, secret, told, said);
    let (kind, content) = if stream {
        ("application/vnd.amazon.eventstream", Content::Events(told.frames()))
    } else {
        ("application/json", Content::Whole(told.whole()))
    };
    Reply { status: StatusCode::OK, headers: headers(dialect, kind), content }
}

fn answer(
    shared: &Shared,
    route: Route,
    request: &Value,
    raw: &[u8],
    secret: Option<&str>,
    usage: Told,
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
                if let (false, Some(fields)) = (usage == Told::Nothing, body.as_object_mut()) {
                    fields.insert("usage".into(), json!({"prompt_tokens": tokens, "total_tokens": tokens}));
                }
                whole(Bytes::from(body.to_string()))
            }
            Err(complaint) => refuse(dialect, Fault::Invalid(complaint)),
        };
    }
    if route == Route::CountTokens {
        return whole(Bytes::from(json!({"input_tokens": anthropic::count(request)}).to_string()));
    }
    if dialect == Dialect::Anthropic || route == Route::Responses {
        let told = match usage {
            Told::Truth => None,
            Told::Nothing => Some(Value::Null),
            Told::This(usage) => Some(usage),
        };
        if route == Route::Responses {
            let answered = responses::answer(&config.name, request, raw, secret, told, None);
            return response_reply(dialect, request, &answered);
        }
        return message_reply(request, &anthropic::answer(&config.name, request, raw, secret, told, None));
    }
    let omit = usage == Told::Nothing;
    let mut completion = chat::complete(&config.name, dialect, request, raw, secret, omit);
    if let Told::This(usage) = usage {
        completion.told_usage = Some(usage);
    }
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
