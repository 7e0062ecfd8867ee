use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::here;
use crate::{
    demo::simulator::{Behaviour, BrokenSse, Simulator, SimulatorConfig, SimulatorHandle},
    providers::{
        ClientOptions, Dialect, Limits, OpenAiWire, Operation, Outgoing, Secret, StreamEvent, Target,
        TargetSpec, UpstreamClient, UpstreamEvents, UpstreamFailure, Usage, Wire, events::Framing,
        failure::Malformed,
    },
};

fn config() -> SimulatorConfig {
    SimulatorConfig::new("here", Dialect::OpenAi).chat_model("m").credential("sk-distinctive")
}

fn target(simulator: &SimulatorHandle, limits: Limits) -> Target {
    let config = simulator.config();
    let credential = config.credential.clone();
    let mut spec = TargetSpec::new(config.dialect, simulator.url(), credential, "m");
    spec.limits = limits;
    Target::new(spec).unwrap()
}

/// Time enough on a busy machine, little room.
fn roomless() -> Limits {
    Limits {
        first_byte: Duration::from_secs(20),
        idle: Duration::from_secs(20),
        total: Duration::from_secs(60),
        max_body_bytes: 1 << 20,
        max_event_bytes: 1 << 16,
        max_error_bytes: 1 << 12,
    }
}

/// Little time, for those who never end.
fn short() -> Limits {
    Limits { first_byte: Duration::from_millis(300), idle: Duration::from_millis(300), ..roomless() }
}

fn chat(stream: bool) -> Bytes {
    let text = format!(
        r#"{{"model":"m","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[{{"role":"user","content":"Hello"}}]}}"#
    );
    Bytes::from(text)
}

/// What came of one attempt: usage, and the raw bytes as they would go to a client.
type Came = Result<(Option<Usage>, Bytes), UpstreamFailure>;

/// One attempt, as the gateway makes it. A fresh client, so that no test meets another's connections.
async fn attempt(target: &Target, stream: bool) -> Came {
    let client = UpstreamClient::new(here()).unwrap();
    attempt_with(&client, target, stream).await
}

async fn attempt_with(client: &UpstreamClient, target: &Target, stream: bool) -> Came {
    let outgoing = Outgoing {
        operation: Operation::ChatCompletions,
        stream,
        body: chat(stream),
        client_headers: HeaderMap::new(),
        now_ms: 0,
    };
    let request = OpenAiWire.build(target, outgoing).unwrap();
    let response = client.send(request, target.limits()).await?;
    if !response.status.is_success() {
        let (status, headers) = (response.status, response.headers);
        let body = response.body.collect_error().await;
        return Err(OpenAiWire.refusal(target, status, &headers, &body));
    }
    OpenAiWire.check_head(stream, &response.headers)?;
    if !stream {
        let body = response.body.collect().await?;
        return Ok((OpenAiWire.read_answer(Operation::ChatCompletions, &body)?.usage, body));
    }
    let mut events = UpstreamEvents::new(response.body, Framing::Sse, target.limits().max_event_bytes);
    let (mut raw, mut usage) = (Vec::new(), None);
    while let Some((event, kind)) = events.next(&OpenAiWire).await? {
        raw.extend_from_slice(&event.raw);
        if let StreamEvent::Chunk { usage: told, .. } = kind {
            usage = told.or(usage);
        }
    }
    events.close().await;
    Ok((usage, Bytes::from(raw)))
}

/// One simulator for one behaviour.
async fn behaving(behaviour: Behaviour) -> SimulatorHandle {
    let mut config = config();
    config.behaviour = behaviour;
    Simulator::start(config).await.unwrap()
}

async fn failure(behaviour: Behaviour, stream: bool) -> UpstreamFailure {
    let hangs = matches!(behaviour, Behaviour::Hang | Behaviour::HangMidStream { .. });
    let limits = if hangs { short() } else { roomless() };
    let simulator = behaving(behaviour.clone()).await;
    match attempt(&target(&simulator, limits), stream).await {
        Err(failure) => failure,
        Ok((_, body)) => panic!("{behaviour:?} was answered with {body:?}"),
    }
}

#[tokio::test]
async fn a_good_answer_whole_and_streamed() {
    let simulator = behaving(Behaviour::Normal).await;
    let target = target(&simulator, roomless());
    let (usage, whole) = attempt(&target, false).await.unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(
        whole["choices"][0]["message"]["content"],
        "Simulated here: I received 1 message. You wrote: Hello"
    );
    let (streamed, raw) = attempt(&target, true).await.unwrap();
    assert_eq!(usage, streamed);
    assert!(usage.unwrap().is_exact() && usage.unwrap().output_tokens > 5);
    assert!(raw.ends_with(b"data: [DONE]\n\n"));
    let received = simulator.received();
    assert_eq!(received[0].body, chat(false));
    assert_eq!(received[1].body, chat(true));
    assert_eq!(received[1].header("authorization"), Some("Bearer sk-distinctive"));
    assert_eq!(received[1].path, "/v1/chat/completions");
}

#[tokio::test]
async fn a_connection_is_kept() {
    let simulator = behaving(Behaviour::Normal).await;
    let target = target(&simulator, roomless());
    let client = UpstreamClient::new(here()).unwrap();
    for _ in 0..5 {
        attempt_with(&client, &target, false).await.unwrap();
        attempt_with(&client, &target, true).await.unwrap();
    }
    assert_eq!(simulator.connection_count(), 1);
    // A simulator that dies closes the kept connection; a new one on the same port is reached all the same.
    let listen = simulator.url().trim_start_matches("http://").parse().unwrap();
    simulator.shutdown().await;
    assert_eq!(attempt_with(&client, &target, false).await, Err(UpstreamFailure::Connect));
    let again = Simulator::start(SimulatorConfig { listen, ..config() }).await.unwrap();
    attempt_with(&client, &target, false).await.unwrap();
    assert_eq!(again.received_count(), 1);
}

#[tokio::test]
async fn time_limits() {
    assert_eq!(failure(Behaviour::Hang, false).await, UpstreamFailure::FirstByteTimeout);
    assert_eq!(failure(Behaviour::Hang, true).await, UpstreamFailure::FirstByteTimeout);
    // A head is not a first byte: the gateway can still go elsewhere.
    assert_eq!(failure(Behaviour::HangMidStream { after: 0 }, true).await, UpstreamFailure::FirstByteTimeout);
    assert_eq!(failure(Behaviour::HangMidStream { after: 3 }, true).await, UpstreamFailure::IdleTimeout);
    assert_eq!(failure(Behaviour::HangMidStream { after: 0 }, false).await, UpstreamFailure::IdleTimeout);
    let simulator = behaving(Behaviour::SlowTokens { delay: Duration::from_millis(100) }).await;
    let limits = Limits { total: Duration::from_millis(700), ..roomless() };
    assert_eq!(attempt(&target(&simulator, limits), true).await, Err(UpstreamFailure::TotalTimeout));
    // Slow, but within every limit.
    assert!(attempt(&target(&simulator, roomless()), true).await.is_ok());
}

#[tokio::test]
async fn broken_connections() {
    assert_eq!(failure(Behaviour::Close, false).await, UpstreamFailure::Closed);
    assert_eq!(failure(Behaviour::NotHttp, false).await, UpstreamFailure::Malformed(Malformed::Http));
    assert_eq!(failure(Behaviour::DieMidStream { after: 3 }, true).await, UpstreamFailure::DiedMidStream);
    assert_eq!(failure(Behaviour::DieMidStream { after: 0 }, false).await, UpstreamFailure::DiedMidStream);
    assert_eq!(failure(Behaviour::DieMidStream { after: 0 }, true).await, UpstreamFailure::Closed);
}

#[tokio::test]
async fn lies_about_length() {
    let promised_more = Behaviour::LieAboutLength { by: 100 };
    assert_eq!(failure(promised_more.clone(), false).await, UpstreamFailure::DiedMidStream);
    let promised_less = Behaviour::LieAboutLength { by: -10 };
    assert_eq!(failure(promised_less.clone(), false).await, UpstreamFailure::Malformed(Malformed::Json));
    assert_eq!(failure(promised_less, true).await, UpstreamFailure::Malformed(Malformed::EventStream));
    // Streamed, `[DONE]` ends the answer, whatever length was promised.
    let simulator = behaving(promised_more).await;
    assert!(attempt(&target(&simulator, roomless()), true).await.is_ok());
}

#[tokio::test]
async fn a_connection_with_bytes_left_over_is_not_used_again() {
    let simulator = behaving(Behaviour::Normal).await;
    simulator.push_behaviour(Behaviour::LieAboutLength { by: -10 });
    let target = target(&simulator, roomless());
    let client = UpstreamClient::new(here()).unwrap();
    assert!(attempt_with(&client, &target, false).await.is_err());
    for _ in 0..3 {
        attempt_with(&client, &target, false).await.unwrap();
    }
    assert_eq!(simulator.connection_count(), 2);
}

#[tokio::test]
async fn broken_streams() {
    use Malformed::{EventStream, Json};
    for (how, what) in [
        (BrokenSse::Garbage, Json),
        (BrokenSse::HalfJson, Json),
        (BrokenSse::MissingBlankLine, Json),
        (BrokenSse::InvalidUtf8, Json),
        (BrokenSse::NoDone, EventStream),
        (BrokenSse::CutEvent, EventStream),
    ] {
        assert_eq!(
            failure(Behaviour::BrokenSse(how), true).await,
            UpstreamFailure::Malformed(what),
            "{how:?}"
        );
    }
    assert_eq!(failure(Behaviour::ErrorInStream { after: 3 }, true).await, UpstreamFailure::ErrorInStream);
}

#[tokio::test]
async fn wrong_contents() {
    let json = UpstreamFailure::Malformed(Malformed::Json);
    assert_eq!(failure(Behaviour::NotJson, false).await, json);
    assert_eq!(failure(Behaviour::NotJson, true).await, json);
    let kind = UpstreamFailure::Malformed(Malformed::ContentType);
    assert_eq!(failure(Behaviour::WrongContentType, false).await, kind);
    assert_eq!(failure(Behaviour::WrongContentType, true).await, kind);
    let encoding = UpstreamFailure::Malformed(Malformed::ContentEncoding);
    assert_eq!(failure(Behaviour::Compressed, false).await, encoding);
}

#[tokio::test]
async fn size_limits() {
    let huge = Behaviour::HugeBody { bytes: 1 << 30 };
    assert_eq!(failure(huge.clone(), false).await, UpstreamFailure::TooLarge);
    assert_eq!(failure(huge, true).await, UpstreamFailure::TooLarge);
}

#[tokio::test]
async fn statuses_and_redirects() {
    let limited = failure(Behaviour::Status { code: 429, retry_after: Some(3) }, true).await;
    assert_eq!(limited.code(), "upstream_rate_limited");
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(3)));
    let simulator = behaving(Behaviour::Normal).await;
    let elsewhere = format!("{}/v1/chat/completions", simulator.url());
    assert_eq!(failure(Behaviour::Redirect { to: elsewhere }, false).await.code(), "upstream_redirect");
    assert_eq!(simulator.received_count(), 0);
}

#[tokio::test]
async fn nobody_there() {
    let simulator = behaving(Behaviour::Normal).await;
    let target = target(&simulator, roomless());
    simulator.shutdown().await;
    assert_eq!(attempt(&target, false).await, Err(UpstreamFailure::Connect));
    let nameless = TargetSpec::new(Dialect::Vllm, "http://does-not-exist.invalid", None, "m");
    let failure = attempt(&Target::new(nameless).unwrap(), false).await.unwrap_err();
    // A resolver that cannot be reached itself takes its time.
    assert!(matches!(failure, UpstreamFailure::Connect | UpstreamFailure::ConnectTimeout), "{failure:?}");
}

#[tokio::test]
async fn an_unaccepting_host_is_given_up() {
    // A listener whose backlog is full accepts no more connections; Linux then drops further SYNs.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        waiting.spawn(tokio::net::TcpStream::connect(address));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let options = ClientOptions { connect_timeout: Duration::from_millis(200), ..here() };
    let client = UpstreamClient::new(options).unwrap();
    let spec = TargetSpec::new(Dialect::Vllm, format!("http://{address}"), None, "m");
    let failure = attempt_with(&client, &Target::new(spec).unwrap(), false).await.unwrap_err();
    assert_eq!(failure, UpstreamFailure::ConnectTimeout);
}

#[tokio::test]
async fn usage_may_be_missing() {
    let simulator = behaving(Behaviour::OmitUsage).await;
    let target = target(&simulator, roomless());
    assert_eq!(attempt(&target, false).await.unwrap().0, None);
    assert_eq!(attempt(&target, true).await.unwrap().0, None);
}

#[tokio::test]
async fn an_echoed_credential_can_be_found() {
    let simulator = behaving(Behaviour::EchoSecret).await;
    let target = target(&simulator, roomless());
    let (_, whole) = attempt(&target, false).await.unwrap();
    assert!(target.credential().unwrap().occurs_in(&whole));
}

#[tokio::test]
async fn a_wrong_credential_is_not_talked_about() {
    let simulator = behaving(Behaviour::Normal).await;
    let wrong = Some(Secret::new("sk-wrong-distinctive".into()));
    let target = Target::new(TargetSpec::new(Dialect::OpenAi, simulator.url(), wrong, "m")).unwrap();
    let failure = attempt(&target, true).await.unwrap_err();
    assert_eq!(failure.code(), "upstream_credential_refused");
    assert!(!format!("{failure} {failure:?}").contains("distinctive"));
}

#[tokio::test]
async fn dropping_a_body_tells_the_provider() {
    let simulator = behaving(Behaviour::SlowTokens { delay: Duration::from_millis(50) }).await;
    let target = target(&simulator, roomless());
    let client = UpstreamClient::new(here()).unwrap();
    let outgoing = Outgoing {
        operation: Operation::ChatCompletions,
        stream: true,
        body: chat(true),
        client_headers: HeaderMap::new(),
        now_ms: 0,
    };
    let request = OpenAiWire.build(&target, outgoing).unwrap();
    let mut response = client.send(request, target.limits()).await.unwrap();
    assert!(response.body.chunk().await.unwrap().is_some());
    assert_eq!(simulator.open_connections(), 1);
    drop(response);
    for _ in 0..1_000 {
        if simulator.open_connections() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the connection stayed open");
}
