//! What a simulator says, dialect by dialect, over a plain HTTP client that is not the gateway's own.

use serde_json::{Value, json};

use crate::providers::{AuthStyle, Dialect};

use super::{Behaviour, Simulator, SimulatorConfig, SimulatorHandle};

const KEY: &str = "sk-simulated";

async fn start(dialect: Dialect) -> SimulatorHandle {
    let config = SimulatorConfig::new("test", dialect).chat_model("m").embedding_model("e").credential(KEY);
    Simulator::start(config).await.unwrap()
}

/// Sends a request with the dialect's own credential header; gives status, headers and text.
async fn post(
    simulator: &SimulatorHandle,
    path: &str,
    key: &str,
    body: &Value,
) -> (u16, http::HeaderMap, String) {
    let client = http_client();
    let mut request = http::Request::post(format!("{}{path}", simulator.base_url()));
    request = match simulator.config().dialect.auth() {
        AuthStyle::ApiKeyHeader => request.header("api-key", key),
        AuthStyle::XApiKeyHeader => request.header("x-api-key", key),
        AuthStyle::Bearer | AuthStyle::Aws | AuthStyle::None => {
            request.header("authorization", format!("Bearer {key}"))
        }
    };
    let request = request.body(http_body_util::Full::new(bytes::Bytes::from(body.to_string()))).unwrap();
    read(client.request(request).await.unwrap()).await
}

async fn get(url: &str) -> (u16, http::HeaderMap, String) {
    let request = http::Request::get(url).body(http_body_util::Full::default()).unwrap();
    read(http_client().request(request).await.unwrap()).await
}

async fn read(response: http::Response<hyper::body::Incoming>) -> (u16, http::HeaderMap, String) {
    let (head, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

type Plain = hyper_util::client::legacy::Client<
    hyper_util::client::legacy::connect::HttpConnector,
    http_body_util::Full<bytes::Bytes>,
>;

fn http_client() -> Plain {
    hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http()
}

fn ask(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// The JSON of every event but `[DONE]`, which must be the last.
fn chunks(stream: &str) -> Vec<Value> {
    let events: Vec<&str> =
        stream.split_terminator("\n\n").map(|e| e.strip_prefix("data: ").unwrap()).collect();
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(*last, "[DONE]");
    chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

async fn stream(simulator: &SimulatorHandle, mut body: Value, options: bool) -> Vec<Value> {
    body["stream"] = json!(true);
    if options {
        body["stream_options"] = json!({"include_usage": true});
    }
    let (status, headers, text) = post(simulator, "/chat/completions", KEY, &body).await;
    assert_eq!(status, 200, "{text}");
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    chunks(&text)
}

#[tokio::test]
async fn every_dialect_answers_whole_and_streamed_alike() {
    for dialect in Dialect::OPENAI_COMPATIBLE {
        let simulator = start(dialect).await;
        let (status, headers, whole) =
            post(&simulator, "/chat/completions", KEY, &ask("Write to <EMAIL_1>, please.")).await;
        assert_eq!((status, &headers["x-simulated"]), (200, &"true".parse().unwrap()));
        let whole: Value = serde_json::from_str(&whole).unwrap();
        let said = "Simulated test: I received 1 message. You wrote: Write to <EMAIL_1>, please.";
        assert_eq!(whole["choices"][0]["message"]["content"], said, "{dialect:?}");
        let chunks = stream(&simulator, ask("Write to <EMAIL_1>, please."), false).await;
        let pieces: Vec<&str> =
            chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(pieces.concat(), said, "{dialect:?}");
        assert!(!pieces.iter().any(|piece| piece.contains("<EMAIL_1>")), "the placeholder came in one piece");
    }
}

#[tokio::test]
async fn usage_comes_as_each_service_sends_it() {
    for dialect in Dialect::OPENAI_COMPATIBLE {
        let simulator = start(dialect).await;
        let unasked = stream(&simulator, ask("Hi"), false).await;
        let with_usage: Vec<&Value> = unasked.iter().filter(|c| c["usage"].is_object()).collect();
        if dialect == Dialect::Mistral {
            assert_eq!(with_usage, [unasked.last().unwrap()]);
            assert_eq!(with_usage[0]["choices"][0]["finish_reason"], "stop");
            continue;
        }
        assert!(with_usage.is_empty(), "{dialect:?}");
        let asked = stream(&simulator, ask("Hi"), true).await;
        let (last, others) = asked.split_last().unwrap();
        assert_eq!(last["choices"], json!([]), "{dialect:?}");
        assert!(last["usage"]["prompt_tokens"].as_u64().unwrap() > 0);
        assert!(others.iter().all(|c| c["usage"].is_null()), "{dialect:?}");
    }
}

#[tokio::test]
async fn refusals_have_each_service_s_shape() {
    let at =
        |text: &str, pointer: &str| serde_json::from_str::<Value>(text).unwrap().pointer(pointer).cloned();
    for (dialect, wrong_key, unknown_model) in [
        (
            Dialect::OpenAi,
            (401, "/error/code", json!("invalid_api_key")),
            (404, "/error/code", json!("model_not_found")),
        ),
        (
            Dialect::Azure,
            (401, "/error/code", json!("401")),
            (404, "/error/code", json!("DeploymentNotFound")),
        ),
        (
            Dialect::Bedrock,
            (403, "/Message", json!("Authentication failed: Please make sure your API Key is valid.")),
            (400, "/error/code", json!("validation_error")),
        ),
        (Dialect::Mistral, (401, "/detail", json!("Unauthorized")), (400, "/code", json!("1500"))),
        (Dialect::Vllm, (401, "/error", json!("Unauthorized")), (404, "/error/type", json!("NotFoundError"))),
    ] {
        let simulator = start(dialect).await;
        let (status, _, text) = post(&simulator, "/chat/completions", "sk-other", &ask("Hi")).await;
        assert_eq!((status, at(&text, wrong_key.1)), (wrong_key.0, Some(wrong_key.2)), "{dialect:?} {text}");
        let unknown = json!({"model": "x", "messages": [{"role": "user", "content": "Hi"}]});
        let (status, _, text) = post(&simulator, "/chat/completions", KEY, &unknown).await;
        let expected = (unknown_model.0, Some(unknown_model.2));
        assert_eq!((status, at(&text, unknown_model.1)), expected, "{dialect:?} {text}");
    }
}

#[tokio::test]
async fn a_credential_in_another_service_s_header_is_none() {
    let azure = start(Dialect::Azure).await;
    let request = http::Request::post(format!("{}/chat/completions", azure.base_url()))
        .header("authorization", format!("Bearer {KEY}"))
        .body(http_body_util::Full::new(bytes::Bytes::from(ask("Hi").to_string())))
        .unwrap();
    assert_eq!(http_client().request(request).await.unwrap().status(), 401);
    let (status, ..) = get(&format!("{}/models", azure.base_url())).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn mistral_refuses_what_it_does_not_know() {
    let simulator = start(Dialect::Mistral).await;
    let mut body = ask("Hi");
    body["stream_options"] = json!({"include_usage": true});
    body["max_completion_tokens"] = json!(5);
    let (status, _, text) = post(&simulator, "/chat/completions", KEY, &body).await;
    assert_eq!(status, 422);
    assert!(
        text.contains("extra_forbidden")
            && text.contains("stream_options")
            && text.contains("max_completion_tokens")
    );
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let simulator = start(Dialect::OpenAi).await;
    for body in [
        json!([]),
        json!({}),
        json!({"model": 7}),
        json!({"model": "m"}),
        json!({"model": "m", "messages": []}),
        json!({"model": "m", "messages": ["x"]}),
    ] {
        let (status, _, text) = post(&simulator, "/chat/completions", KEY, &body).await;
        assert_eq!(status, 400, "{body}: {text}");
    }
    for input in [json!(null), json!(""), json!([]), json!([1, "x"]), json!({})] {
        let body = json!({"model": "e", "input": input});
        assert_eq!(post(&simulator, "/embeddings", KEY, &body).await.0, 400, "{body}");
    }
    assert_eq!(post(&simulator, "/nothing", KEY, &json!({})).await.0, 404);
    assert_eq!(simulator.received_count(), 12);
}

fn with_tool(text: &str) -> Value {
    let mut body = ask(text);
    let properties = json!({"to": {"type": "string"}, "from": {"type": "string"}, "n": {"type": "integer"}});
    let parameters = json!({"type": "object", "properties": properties});
    body["tools"] =
        json!([{"type": "function", "function": {"name": "send_mail", "parameters": parameters}}]);
    body
}

#[tokio::test]
async fn tools_are_called_with_the_prompt_s_data() {
    for dialect in Dialect::OPENAI_COMPATIBLE {
        let simulator = start(dialect).await;
        let body = with_tool("Use send_mail from <EMAIL_1> to <EMAIL_2>.");
        let (_, _, whole) = post(&simulator, "/chat/completions", KEY, &body).await;
        let whole: Value = serde_json::from_str(&whole).unwrap();
        assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
        let call = &whole["choices"][0]["message"]["tool_calls"][0];
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let parsed: Value = serde_json::from_str(arguments).unwrap();
        let mut said = [parsed["from"].as_str().unwrap(), parsed["to"].as_str().unwrap()];
        said.sort_unstable();
        assert_eq!(said, ["<EMAIL_1>", "<EMAIL_2>"]);
        let chunks = stream(&simulator, body, false).await;
        let calls: Vec<&Value> =
            chunks.iter().filter_map(|c| c.pointer("/choices/0/delta/tool_calls/0")).collect();
        let pieces: Vec<&str> = calls.iter().filter_map(|c| c["function"]["arguments"].as_str()).collect();
        assert_eq!(pieces.concat(), arguments, "{dialect:?}");
        assert_eq!(pieces.len() > 3, dialect != Dialect::Mistral, "{dialect:?}");
    }
}

#[tokio::test]
async fn tools_are_not_called_without_need() {
    let simulator = start(Dialect::OpenAi).await;
    let finish = async |body: Value| {
        let (_, _, text) = post(&simulator, "/chat/completions", KEY, &body).await;
        serde_json::from_str::<Value>(&text).unwrap()["choices"][0]["finish_reason"].clone()
    };
    assert_eq!(finish(with_tool("Good morning.")).await, "stop");
    assert_eq!(finish(with_tool("Please call somebody.")).await, "tool_calls");
    let mut none = with_tool("Use send_mail.");
    none["tool_choice"] = json!("none");
    assert_eq!(finish(none).await, "stop");
    let mut required = with_tool("Good morning.");
    required["tool_choice"] = json!("required");
    assert_eq!(finish(required).await, "tool_calls");
    let mut forced = with_tool("Good morning.");
    forced["tool_choice"] = json!({"type": "function", "function": {"name": "send_mail"}});
    assert_eq!(finish(forced).await, "tool_calls");
}

#[tokio::test]
async fn structured_output_fits_its_schema() {
    let simulator = start(Dialect::OpenAi).await;
    let mut body = ask("Order 123456 please");
    let schema = json!({"type": "object", "properties": {
        "order": {"type": "string"}, "kind": {"enum": ["a", "b"]}, "tags": {"type": "array", "items": {"type": "boolean"}},
    }});
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let (_, _, text) = post(&simulator, "/chat/completions", KEY, &body).await;
    let whole: Value = serde_json::from_str(&text).unwrap();
    let content: Value =
        serde_json::from_str(whole["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({"order": "123456", "kind": "a", "tags": [true]}));
}

#[tokio::test]
async fn embeddings_are_the_same_in_both_encodings() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let simulator = start(Dialect::Mistral).await;
    let embed = async |body: Value| {
        let (status, _, text) = post(&simulator, "/embeddings", KEY, &body).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let floats = embed(json!({"model": "e", "input": ["one", "two"], "output_dimension": 100})).await;
    let base64 =
        embed(json!({"model": "e", "input": "one", "output_dimension": 100, "encoding_format": "base64"}))
            .await;
    let bytes = STANDARD.decode(base64["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let listed: Vec<f32> = serde_json::from_value(floats["data"][0]["embedding"].clone()).unwrap();
    assert_eq!((decoded.len(), &decoded), (100, &listed));
    assert_ne!(floats["data"][0]["embedding"], floats["data"][1]["embedding"]);
    assert!(listed.iter().all(|x| (0.015..0.032).contains(&x.abs())));
    assert!(listed.iter().any(|x| *x < 0.0) && listed.iter().any(|x| *x > 0.0));
    let tokens = embed(json!({"model": "e", "input": [1, 2, 3]})).await;
    assert_eq!(
        (tokens["usage"]["prompt_tokens"].as_u64(), tokens["data"].as_array().unwrap().len()),
        (Some(3), 1)
    );
}

#[tokio::test]
async fn what_was_received_is_told_byte_for_byte() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let simulator = start(Dialect::OpenAi).await;
    let body = b"{\"model\" : \"m\",\n \"x\":\"\\u00e9\xC3\xA9\xFF\"}";
    let request = http::Request::post(format!("{}/chat/completions?q=1", simulator.base_url()))
        .header("x-odd", "A b")
        .body(http_body_util::Full::new(bytes::Bytes::from_static(body)))
        .unwrap();
    http_client().request(request).await.unwrap();
    let (status, headers, text) = get(&format!("{}/_received", simulator.url())).await;
    assert_eq!((status, &headers["x-simulated"]), (200, &"true".parse().unwrap()));
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!((&told[0]["method"], &told[0]["path"]), (&json!("POST"), &json!("/v1/chat/completions?q=1")));
    assert_eq!(STANDARD.decode(told[0]["body_base64"].as_str().unwrap()).unwrap(), body);
    assert_eq!(told[0]["body"], Value::Null);
    assert!(told[0]["headers"].as_array().unwrap().contains(&json!(["x-odd", "A b"])));
    assert!(told[0]["received_ms"].is_u64());
    assert!(simulator.received()[0].contains("A b") && !simulator.received()[0].contains("B b"));
    simulator.clear();
    assert_eq!((simulator.received().len(), simulator.received_count()), (0, 0));
}

#[tokio::test]
async fn memory_is_bounded_and_the_count_goes_on() {
    let simulator = start(Dialect::Vllm).await;
    let client = http_client();
    for _ in 0..1_005 {
        let request = http::Request::post(format!("{}/embeddings", simulator.base_url()));
        let response = client.request(request.body(http_body_util::Full::default()).unwrap()).await.unwrap();
        read(response).await;
    }
    assert_eq!((simulator.received().len(), simulator.received_count()), (1_000, 1_005));
}

#[tokio::test]
async fn behaviours_queue_up() {
    let simulator = start(Dialect::OpenAi).await;
    simulator.push_behaviour(Behaviour::Status { code: 503, retry_after: None });
    simulator.push_behaviour(Behaviour::Status { code: 429, retry_after: Some(2) });
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(post(&simulator, "/chat/completions", KEY, &ask("Hi")).await.0);
    }
    assert_eq!(seen, [503, 429, 200]);
    simulator.set_behaviour(Behaviour::Status { code: 500, retry_after: None });
    assert_eq!(post(&simulator, "/chat/completions", KEY, &ask("Hi")).await.0, 500);
    assert_eq!(get(&format!("{}/_received", simulator.url())).await.0, 200);
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_ends_when_told() {
    let mut config = SimulatorConfig::new("test", Dialect::OpenAi);
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert_eq!(Simulator::start(config).await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    let simulator = start(Dialect::OpenAi).await;
    simulator.set_behaviour(Behaviour::Hang);
    let address = simulator.url().trim_start_matches("http://").to_owned();
    let url = format!("{}/chat/completions", simulator.base_url());
    let waiting = tokio::spawn(async move {
        let request = http::Request::post(url).body(http_body_util::Full::default()).unwrap();
        http_client().request(request).await.is_err()
    });
    while simulator.received_count() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    simulator.shutdown().await;
    assert!(waiting.await.unwrap(), "a hanging request must end with its simulator");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
