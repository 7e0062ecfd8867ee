//! Nothing reaches an endpoint that its decision did not list as eligible: random bundles and catalogs come into force while
//! random requests are under way at providers that fail in every way, and what each provider got is held against the records.
//!
//! The records are held against a second reading of the rules (`naive.rs` of the policy crate), so a decision that lists
//! too much is found as well as a request that goes where none lists it. `BAILIWICK_TEST_SEED` runs one sequence again.

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick::demo::simulator::Behaviour;
use bailiwick::git::GitConfig;
use bailiwick::snapshot::Archive;
use bailiwick_policy::{BundleSource, RequestFacts};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::git::{following, look};
use crate::naive;
use crate::random;
use crate::reply::Reply;
use crate::repository::Repository;

/// Requests under way at once.
const AT_ONCE: usize = 6;
const MODELS: [&str; 6] =
    ["assistant", "assistant", "assistant", "gpt-4.1", "nimbus-1", "anthropic.claude-haiku-4-5"];
const TEXTS: [&str; 7] = [
    "Hello",
    "Write to anna.schmidt@example.de",
    "IBAN DE89370400440532013000",
    "card 4012888888881881",
    "patient 219-09-9999 has a cough",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz",
    "anna@example.de pays with 4012888888881881",
];

fn cases() -> usize {
    if std::env::var_os("BAILIWICK_TEST_FULL").is_some() { 200 } else { 12 }
}

/// One request: key, model, whether it is streamed, an embedding, text, tool, headers.
#[derive(Debug, Clone)]
struct Ask {
    key: &'static str,
    model: &'static str,
    streamed: bool,
    embedding: bool,
    text: &'static str,
    tool: Option<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
}

fn ask() -> impl Strategy<Value = Ask> {
    let headers = proptest::sample::subsequence(
        vec![
            ("x-bailiwick-data-class", "phi"),
            ("x-bailiwick-subject-region", "DE"),
            ("x-bailiwick-subject-region", "US"),
        ],
        0..=1,
    );
    (
        select(vec!["support", "clinic", "research"]),
        select(MODELS.to_vec()),
        any::<bool>(),
        proptest::bool::weighted(0.15),
        select(TEXTS.to_vec()),
        proptest::option::weighted(0.2, select(vec!["shell", "sql", "search"])),
        headers,
    )
        .prop_map(|(key, model, streamed, embedding, text, tool, headers)| Ask {
            key,
            model,
            streamed,
            embedding,
            text,
            tool,
            headers,
        })
}

/// How a provider fails, or does not; `elsewhere` is another provider's address.
fn behaviour(elsewhere: Vec<String>) -> impl Strategy<Value = Behaviour> {
    let status = |code| Behaviour::Status { code, retry_after: None };
    prop_oneof![
        8 => Just(Behaviour::Normal),
        4 => select(vec![400_u16, 401, 404, 408, 429, 500, 502, 503, 529]).prop_map(status),
        2 => select(elsewhere).prop_map(|to| Behaviour::Redirect { to }),
        1 => Just(Behaviour::Close),
        1 => Just(Behaviour::NotHttp),
        1 => Just(Behaviour::NotJson),
        1 => Just(Behaviour::WrongContentType),
        1 => Just(Behaviour::DieMidStream { after: 0 }),
        1 => Just(Behaviour::DieMidStream { after: 2 }),
        1 => Just(Behaviour::LieAboutLength { by: 10 }),
        1 => Just(Behaviour::ErrorInStream { after: 0 }),
        1 => Just(Behaviour::EchoSecret),
    ]
}

fn draw<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// Puts random places behind the endpoints.
async fn another_catalog(app: &TestApp, runner: &mut TestRunner) {
    let names: Vec<String> = app.endpoints().into_iter().map(|(name, _)| name).collect();
    let others = draw(&random::endpoints(), runner);
    for (name, other) in names.iter().zip(others) {
        if draw(&any::<bool>(), runner) {
            let profile = serde_json::to_value(&other.profile).unwrap();
            app.edit_endpoint(name, |definition| definition["profile"] = profile).await;
        }
    }
}

/// Commits a random bundle; its id.
fn another_bundle(repository: &Repository, runner: &mut TestRunner) -> String {
    let folder = repository.path().join("policy");
    std::fs::remove_dir_all(&folder).unwrap();
    for (path, text) in draw(&random::parts(), runner).source().files {
        repository.write(&path, &text);
    }
    repository.commit_unsigned("Another bundle")
}

/// Sends one with a word that nothing else says.
async fn send(app: &TestApp, ask: &Ask, marker: &str) -> Reply {
    let text = format!("{marker} {}", ask.text);
    let (path, body) = if ask.embedding {
        ("/v1/embeddings", json!({ "model": "embedder", "input": text }))
    } else {
        let mut body = crate::app::message(ask.model, &text);
        body["stream"] = json!(ask.streamed);
        if let Some(tool) = ask.tool {
            body["tools"] = json!([{ "type": "function", "function": { "name": tool } }]);
        }
        ("/v1/chat/completions", body)
    };
    app.post(ask.key, path, &ask.headers, body.to_string()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_provider_gets_what_its_decision_does_not_list() {
    let seed: u64 = std::env::var("BAILIWICK_TEST_SEED")
        .map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    eprintln!("BAILIWICK_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);

    let repository = Repository::new();
    another_bundle(&repository, &mut runner);
    let git = GitConfig { require_signature: false, allowed_signers: None, ..repository.config() };
    let app = following(git).await;
    app.impatient().await;
    let urls: Vec<String> = app.simulators().map(|simulator| simulator.base_url()).collect();
    let failing = behaviour(urls.iter().map(|url| format!("{url}/chat/completions")).collect());
    let mut asked: BTreeMap<String, Reply> = BTreeMap::new();
    for case in 0..cases() {
        if case % 3 == 0 {
            another_catalog(&app, &mut runner).await;
        }
        for simulator in app.simulators() {
            for _ in 0..AT_ONCE {
                simulator.push_behaviour(draw(&failing, &mut runner));
            }
        }
        let asks: Vec<(String, Ask)> =
            (0..AT_ONCE).map(|at| (format!("zq{case}x{at}zq"), draw(&ask(), &mut runner))).collect();
        let head = another_bundle(&repository, &mut runner);
        let requests = asks.iter().map(|(marker, ask)| send(&app, ask, marker));
        // The bundle comes into force in their midst.
        let (replies, _) = futures::future::join(
            futures::future::join_all(requests),
            look(&app, "it is neither followed nor refused", |told| {
                told["commit"]["commit"] == json!(head) || told["refused"]["commit"] == json!(head)
            }),
        )
        .await;
        asked.extend(asks.into_iter().map(|(marker, _)| marker).zip(replies));
    }
    app.settled().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let seen = check(&app, &asked).await;
    eprintln!("{seen:?}");
    // Otherwise this shows nothing.
    assert!(seen.sent > 0 && seen.fell_back > 0 && seen.refused > 0 && seen.bundles > 2, "{seen:?}");
    app.finish().await;
}

#[derive(Debug, Default)]
struct Seen {
    sent: usize,
    fell_back: usize,
    refused: usize,
    bundles: usize,
}

/// Holds what the providers got against the records, and the records against the rules.
async fn check(app: &TestApp, asked: &BTreeMap<String, Reply>) -> Seen {
    let records = app.records().await;
    let mut seen = Seen::default();
    let mut bundles = std::collections::BTreeSet::new();
    for (marker, reply) in asked {
        let mut got: Vec<String> = Vec::new();
        for simulator in app.simulators() {
            let marked = simulator.received().iter().filter(|received| received.contains(marker)).count();
            got.extend(std::iter::repeat_n(simulator.config().name.clone(), marked));
        }
        let Some(decision) = reply.header("x-bailiwick-decision") else {
            assert_eq!(got, Vec::<String>::new(), "{marker} was not decided: {reply:?}");
            continue;
        };
        let of: Vec<_> = records.iter().filter(|record| record.id("decision") == Some(decision)).collect();
        let first = of[0];
        bundles.insert(first.header.digests["bundle"].clone());
        let names = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
        let eligible = names(&first.sections["decision"]["eligible"]);
        for name in &got {
            assert!(eligible.contains(name), "{marker} reached {name}, and {eligible:?} was decided");
        }
        // Each try is in the log, and each that reached a provider is one of them. (One that found no connection did not.)
        let mut tried: Vec<String> = of
            .iter()
            .filter_map(|record| record.sections.get("attempt"))
            .map(|attempt| attempt["endpoint"].as_str().unwrap().to_owned())
            .collect();
        assert!(tried.iter().all(|name| eligible.contains(name)), "{marker}: {tried:?} {eligible:?}");
        seen.sent += got.len();
        seen.fell_back += usize::from(tried.len() > 1);
        seen.refused += usize::from(first.header.kind == "refusal");
        tried.sort();
        got.sort();
        assert_eq!(got, tried, "{marker}");

        // The second reading.
        let facts: RequestFacts = serde_json::from_value(first.sections["facts"].clone()).unwrap();
        let policy = Archive::recall(&app.app().store, &first.header.digests, facts.time_ms).await;
        let policy = policy.unwrap().expect("what it was decided with is kept");
        let kept =
            bailiwick::snapshot::Kept::value(&app.app().store, "bundle", &first.header.digests["bundle"]);
        let source = BundleSource { files: serde_json::from_value(kept.await.unwrap().unwrap()).unwrap() };
        let expected = naive::decide(
            &source,
            &policy.bundle().attestations,
            policy.database(),
            policy.endpoints(),
            &facts,
        );
        assert_eq!(eligible, expected.eligible, "{marker}: {}", first.sections["decision"]);
    }
    seen.bundles = bundles.len();
    seen
}
