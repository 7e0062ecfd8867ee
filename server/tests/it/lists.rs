//! Every list of the API, as its description names them: in pages, and by each of its filters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bailiwick::identity::create_token;
use bailiwick::store;
use bailiwick_policy::scope::covers;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::identity::person;

/// What one thing of a list is called.
fn name_of(thing: &Value) -> String {
    let names = ["id", "decision", "path", "name", "number"];
    let name = names.iter().find_map(|field| thing.get(field)).unwrap_or_else(|| panic!("{thing}"));
    name.as_str().map_or_else(|| name.to_string(), str::to_owned)
}

/// Everything in a list, page by page; between the pages something happens.
async fn things(app: &TestApp, path: &str, list: &str, mut between: impl AsyncFnMut(usize)) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for page in 0.. {
        let join = if path.contains('?') { '&' } else { '?' };
        let told = app.admin(Method::GET, &format!("{path}{join}{cursor}"), None).await.is(200).json();
        seen.extend(told[list].as_array().unwrap_or_else(|| panic!("{path}: {told}")).iter().cloned());
        match told["next"].as_str() {
            None => break,
            Some(next) => cursor = format!("cursor={next}"),
        }
        assert!(page < 1_000, "no end");
        between(page).await;
    }
    seen
}

/// The names of everything in a list.
pub(crate) async fn walk(
    app: &TestApp,
    path: &str,
    list: &str,
    between: impl AsyncFnMut(usize),
) -> Vec<String> {
    things(app, path, list, between).await.iter().map(name_of).collect()
}

/// The lists, by path: what each is called in its answer, and what it can be filtered by.
async fn lists(app: &TestApp) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let told = app.get("/api/openapi.json", "").await.is(200).json();
    let mut lists = BTreeMap::new();
    for (path, operations) in told["paths"].as_object().unwrap() {
        let answer = &operations["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let Some(properties) = answer["properties"].as_object().filter(|it| it.contains_key("next")) else {
            continue;
        };
        let array = properties.iter().find(|(_, schema)| schema["type"] == "array");
        let parameters = operations["get"]["parameters"].as_array().unwrap().iter();
        let filters = parameters.filter(|it| it["in"] == "query").map(|it| it["name"].as_str().unwrap());
        let filters = filters.filter(|name| !["limit", "cursor"].contains(name)).map(str::to_owned);
        lists.insert(path.clone(), (array.unwrap().0.clone(), filters.collect()));
    }
    lists
}

/// At least three of everything that there are lists of, not all alike. Gives an instant with decisions before and after it,
/// and the endpoint that most of them went to.
async fn fill(app: &TestApp) -> (String, String) {
    let now_ms = app.app().gateway.clock.now_ms();
    let later = chrono::DateTime::from_timestamp_millis(now_ms + 3_600_000).unwrap();
    let post = async |path: &str, body: Value| {
        app.admin(Method::POST, path, Some(&body)).await.is(201).json()["id"].clone()
    };
    let declared = |name: &str, scope: &str| {
        json!({
            "name": name, "scope": scope, "dialect": "vllm", "base_url": "http://127.0.0.1:9",
            "models": [{ "alias": "listed", "upstream": "listed" }],
            "profile": { "name": name, "operator": "self", "service": "vllm", "model": "listed" },
        })
    };
    let workload = |name: &str| {
        json!({
            "name": name, "scope": "/acme", "issuer": "https://id.example", "audience": "b",
            "claims": { "sub": name },
        })
    };
    let limit = |scope: &str, per: &str| json!({ "scope": scope, "requests": 999_999, "per": per });
    let budget = |scope: &str, window: &str| json!({ "scope": scope, "window": window, "limit_usd": "9999" });
    let groups = ["a", "b", "c"].map(|name| json!({ "name": name, "models": ["listed"] }));
    app.apply(json!({
        "endpoints": [declared("listed", "/acme/clinic")],
        "workloads": [workload("one"), workload("two"), workload("three")],
        "model_groups": groups,
        "limits": [limit("/acme/research", "hour"), limit("/acme/research", "day"), limit("/acme/clinic", "day")],
        "budgets": [budget("/acme/research", "day"), budget("/acme/clinic", "day"), budget("/acme", "day")],
    }))
    .await;
    for name in ["one", "two", "three"] {
        person(app, name, &["viewer"]).await;
        let scope = if name == "one" { "/acme/clinic" } else { "/acme/research" };
        let credential = json!({ "name": name, "scope": scope, "value": "sk-x", "test": false });
        app.admin(Method::POST, "/api/v1/credentials", Some(&credential)).await.is(201);
        let target = json!({
            "kind": if name == "one" { "model" } else { "transfer_mechanism" },
            "target": if name == "one" { "listed" } else { "bcr" },
            "scope": "/acme/clinic", "reason": "x", "expires": later,
        });
        let switch = post("/api/v1/kill-switches", target).await;
        if name == "two" {
            let path = format!("/api/v1/kill-switches/{}", switch.as_str().unwrap());
            app.admin(Method::DELETE, &path, Some(&json!({ "reason": "x" }))).await.is(200);
        }
        let token = create_token(&app.app().store, name, scope, &["viewer"], now_ms).await.unwrap().reveal();
        if name == "three" {
            let path = format!("/api/v1/service-tokens/{}/revoke", token.split('_').nth(1).unwrap());
            app.admin(Method::POST, &path, None).await.is(200);
        }
        let (kind, wanted) = match name {
            "one" => ("content_access", json!({ "scope": "/acme/clinic", "until": later })),
            _ => ("key", json!({ "scope": "/acme/research", "name": format!("asked {name}") })),
        };
        let asked = json!({ "kind": kind, "reason": "x", "wanted": wanted });
        let asked = post("/api/v1/requests", asked).await;
        if name == "two" {
            let path = format!("/api/v1/requests/{}/withdraw", asked.as_str().unwrap());
            app.admin(Method::POST, &path, None).await.is(200);
        }
    }
    let why = json!({ "reason": "x" });
    app.admin(Method::POST, "/api/v1/people/two/disable", Some(&why)).await.is(200);
    // Three sessions are still open: somebody has two.
    let owner = person(app, "four", &["viewer"]).await;
    assert!(!owner.is_empty());
    let tagged = json!({
        "scope": "/acme/research", "name": "listed", "tags": ["listed"], "environment": "listed", "owner": "listed",
    });
    // Nobody's: figures of single people are not in lists without more.
    let with_figures = json!({
        "scope": "/acme/research", "name": "with figures", "budget_usd": "5", "requests_per_minute": 999,
    });
    app.create_key(with_figures).await;
    let (key, _) = app.create_key(tagged).await;
    app.admin(Method::POST, &format!("/api/v1/keys/{key}/disable"), Some(&why)).await.is(200);
    for (id, kind, severity, scope) in [
        ("al_1", "break_glass", "critical", "/acme/clinic"),
        ("al_2", "key_expires", "warning", "/acme/research"),
        ("al_3", "key_expires", "info", "/acme/research"),
    ] {
        let alert = store::alerts::Alert {
            id: String::from(id),
            kind: String::from(kind),
            severity: String::from(severity),
            scope: String::from(scope),
            subject: String::from(id),
            facts: json!({}),
            raised_ms: now_ms,
            last_ms: now_ms,
            repeats: 0,
            told_ms: now_ms,
            acknowledged_ms: None,
            acknowledged_by: None,
            note: None,
            closed_ms: None,
        };
        let raise = store::alerts::Raise { alert, again: store::alerts::Again::Once, messages: Vec::new() };
        store::alerts::raise(&app.app().store, "log", None, &[raise], 1).await.unwrap();
    }
    app.admin(Method::POST, "/api/v1/alerts/al_1/acknowledge", Some(&json!({}))).await.is(200);
    // Servers that died with a spool each: nothing of them is booked until somebody says that it is lost.
    for number in 101..104 {
        let row = format!(
            "INSERT INTO replicas (number, name, epoch, state, seen_ms, heartbeat_ms, indexed_to, settled_to, spools, \
             protocol) VALUES ({number}, 'listed-{number}', 1, 'fenced', 0, 0, 0, 0, TRUE, 1)"
        );
        crate::acts::sql(&app.data(), &row).await;
    }
    for _ in 0..4 {
        app.ask("research", "gpt-4.1-mini", "Hello").await.is(200);
    }
    app.settled().await;
    let endpoint = app.received().into_keys().next().unwrap();
    app.ask("support", "gpt-4.1-mini", "Hello").await.is(403);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let middle = chrono::DateTime::from_timestamp_millis(app.app().gateway.clock.now_ms()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for key in ["clinic", "support", "research"] {
        app.ask(key, "assistant", "Hello").await.is(200);
    }
    app.settled().await;
    (middle.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), endpoint)
}

/// What has to be said in any case.
fn asked_with(path: &str, endpoint: &str) -> String {
    match path {
        "/api/v1/reached" => {
            format!("{path}?endpoint={endpoint}&from=2026-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&limit=")
        }
        path => format!("{path}?limit="),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_comes_in_pages() {
    let app = TestApp::start().await;
    let (_, endpoint) = fill(&app).await;
    let lists = lists(&app).await;
    assert!(lists.len() > 15, "{lists:?}");
    for (path, (list, _)) in &lists {
        let asked = asked_with(path, &endpoint);
        for limit in [1, 2] {
            let (whole, seen) = alike(async || {
                let whole = walk(&app, &format!("{asked}1000"), list, async |_| ()).await;
                (whole, walk(&app, &format!("{asked}{limit}"), list, async |_| ()).await)
            })
            .await;
            assert!(whole.len() >= 3, "{path} tells too little to come in pages: {whole:?}");
            let distinct: BTreeSet<&String> = whole.iter().collect();
            assert_eq!(distinct.len(), whole.len(), "{path}");
            assert_eq!(seen, whole, "{path} in pages of {limit}");
            let page = app.admin(Method::GET, &format!("{asked}{limit}"), None).await.is(200).json();
            assert_eq!(page[list].as_array().unwrap().len(), limit, "{path}");
        }
        let wrong = app.admin(Method::GET, &format!("{asked}1&cursor=b3RoZXIKYQ"), None).await.is(400).json();
        assert_eq!(wrong["errors"][0]["parameter"], "cursor", "{path}: {wrong}");
        let unknown = app.admin(Method::GET, &format!("{asked}1&lmit=1"), None).await.is(400).json();
        assert_eq!(unknown["errors"][0]["parameter"], "lmit", "{path}: {unknown}");
        for limit in [0, 1_001] {
            let wrong = app.admin(Method::GET, &format!("{asked}{limit}"), None).await.is(400).json();
            assert_eq!(wrong["errors"][0]["parameter"], "limit", "{path}: {wrong}");
        }
    }
    app.finish().await;
}

/// Two looks at the same, taken again where something has come between them: alerts do by themselves.
async fn alike<T: PartialEq>(mut look: impl AsyncFnMut() -> (T, T)) -> (T, T) {
    for _ in 0..5 {
        let looks = look().await;
        if looks.0 == looks.1 {
            return looks;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    look().await
}

type Keeps = Box<dyn Fn(&Value) -> bool>;

/// A filter, what is asked of it, and what of the whole list it keeps then.
fn filter(
    path: &'static str,
    name: &'static str,
    value: &str,
    keeps: impl Fn(&Value) -> bool + 'static,
) -> (&'static str, &'static str, String, Keeps) {
    (path, name, value.to_owned(), Box::new(keeps))
}

fn is(field: &'static str, value: &'static str) -> impl Fn(&Value) -> bool + 'static {
    move |it| it[field] == value
}

fn within(scope: &'static str) -> impl Fn(&Value) -> bool + 'static {
    move |it| it["scope"].as_str().is_some_and(|own| covers(scope, own))
}

fn time_of(it: &Value) -> i64 {
    it["time_ms"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_filter_keeps_what_it_says() {
    const CLINIC: &str = "/acme/clinic";
    let app = TestApp::start().await;
    let (middle, endpoint) = fill(&app).await;
    let middle_ms = chrono::DateTime::parse_from_rfc3339(&middle).unwrap().timestamp_millis();
    let keys = app.admin(Method::GET, "/api/v1/keys", None).await.is(200).json();
    let id_of = |name: &str| {
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
        key["id"].as_str().unwrap().to_owned()
    };
    let (keyed, research) = (id_of("with figures"), id_of("research"));
    let of_key = |field: &'static str, key: &str| {
        let key = key.to_owned();
        move |it: &Value| it[field] == key.as_str()
    };
    let setting = |name: &'static str| move |it: &Value| it["settings"][name] == "listed";
    let at = endpoint.clone();
    let filters = [
        filter("/api/v1/keys", "scope", CLINIC, within(CLINIC)),
        filter("/api/v1/keys", "state", "disabled", is("state", "disabled")),
        filter("/api/v1/keys", "tag", "listed", |it| it["settings"]["tags"] == json!(["listed"])),
        filter("/api/v1/keys", "environment", "listed", setting("environment")),
        filter("/api/v1/keys", "owner", "listed", setting("owner")),
        filter("/api/v1/kill-switches", "state", "lifted", is("state", "lifted")),
        filter("/api/v1/kill-switches", "kind", "model", is("kind", "model")),
        filter("/api/v1/alerts", "state", "acknowledged", is("state", "acknowledged")),
        // The least.
        filter("/api/v1/alerts", "severity", "warning", |it| it["severity"] != "info"),
        filter("/api/v1/alerts", "kind", "break_glass", is("kind", "break_glass")),
        filter("/api/v1/alerts", "scope", "/acme/research", within("/acme/research")),
        filter("/api/v1/credentials", "scope", CLINIC, within(CLINIC)),
        // That requests of the scope may use.
        filter("/api/v1/endpoints", "scope", "/acme/research", |it| {
            covers(it["scope"].as_str().unwrap(), "/acme/research")
        }),
        filter("/api/v1/endpoints", "model", "gpt-4.1-mini", |it| {
            it["models"].as_array().unwrap().contains(&json!("gpt-4.1-mini"))
        }),
        filter("/api/v1/budgets", "scope", CLINIC, within(CLINIC)),
        filter("/api/v1/budgets", "key", &keyed, of_key("key", &keyed)),
        filter("/api/v1/limits", "scope", CLINIC, within(CLINIC)),
        filter("/api/v1/limits", "key", &keyed, of_key("key", &keyed)),
        filter("/api/v1/people", "disabled", "true", |it| it["disabled_ms"].is_i64()),
        filter("/api/v1/people", "disabled", "false", |it| it["disabled_ms"].is_null()),
        filter("/api/v1/sessions", "person", "one", is("person", "one")),
        filter("/api/v1/service-tokens", "scope", CLINIC, within(CLINIC)),
        filter("/api/v1/service-tokens", "state", "revoked", is("state", "revoked")),
        filter("/api/v1/requests", "state", "withdrawn", is("state", "withdrawn")),
        filter("/api/v1/requests", "kind", "key", is("kind", "key")),
        filter("/api/v1/decisions", "scope", CLINIC, within(CLINIC)),
        filter("/api/v1/decisions", "key", &research, is("key", "research")),
        filter("/api/v1/decisions", "model", "assistant", is("model", "assistant")),
        filter("/api/v1/decisions", "outcome", "denied", is("outcome", "denied")),
        filter("/api/v1/decisions", "endpoint", &endpoint, move |it| it["endpoint"] == at.as_str()),
        filter("/api/v1/decisions", "from", &middle, move |it| time_of(it) >= middle_ms),
        filter("/api/v1/decisions", "to", &middle, move |it| time_of(it) < middle_ms),
    ];
    let lists = lists(&app).await;
    for (path, name, value, keeps) in &filters {
        let list = &lists[*path].0;
        let asked = asked_with(path, &endpoint);
        for limit in [1000, 1] {
            let (kept, seen) = alike(async || {
                let whole = things(&app, &format!("{asked}1000"), list, async |_| ()).await;
                let kept: Vec<String> = whole.iter().filter(|it| keeps(it)).map(name_of).collect();
                assert!(!kept.is_empty() && kept.len() < whole.len(), "{path} {name}: {whole:#?}");
                (kept, walk(&app, &format!("{asked}{limit}&{name}={value}"), list, async |_| ()).await)
            })
            .await;
            assert_eq!(seen, kept, "{path} {name}={value} in pages of {limit}");
        }
    }
    // Of what was sent, each has to be said, so one is left out at a time.
    let sent =
        async |query: &str| things(&app, &format!("/api/v1/reached?{query}"), "reached", async |_| ()).await;
    let (from, to) = ("2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
    let whole = sent(&format!("endpoint={endpoint}&from={from}&to={to}")).await;
    let cut =
        |keeps: &dyn Fn(&Value) -> bool| whole.iter().filter(|it| keeps(it)).cloned().collect::<Vec<_>>();
    let before = cut(&|it| time_of(it) < middle_ms);
    assert!(before.len() >= 4);
    assert_eq!(sent(&format!("endpoint={endpoint}&from={from}&to={middle}")).await, before);
    assert_eq!(
        sent(&format!("endpoint={endpoint}&from={middle}&to={to}")).await,
        cut(&|it| time_of(it) >= middle_ms)
    );
    let of_research = cut(&|it| it["scope"] == "/acme/research");
    assert_eq!(
        sent(&format!("endpoint={endpoint}&from={from}&to={to}&scope=/acme/research")).await,
        of_research
    );
    let operators = app.admin(Method::GET, "/api/v1/endpoints", None).await.is(200).json();
    let operators = operators["endpoints"].as_array().unwrap();
    let operator = operators.iter().find(|it| it["name"] == endpoint.as_str()).unwrap()["operator"].clone();
    let of_provider = sent(&format!("provider={}&from={from}&to={to}", operator.as_str().unwrap())).await;
    let others = |it: &&Value| {
        let of = operators.iter().find(|other| other["name"] == it["endpoint"]).unwrap();
        of["operator"] != operator
    };
    assert!(of_provider.len() >= whole.len() && !of_provider.iter().any(|it| others(&it)), "{of_provider:?}");

    let tried: BTreeSet<(&str, &str)> = filters.iter().map(|(path, name, ..)| (*path, *name)).collect();
    let elsewhere = [
        // Figures of single people: `it/money.rs`.
        ("/api/v1/budgets", "reason"),
        ("/api/v1/limits", "reason"),
        // Above; as a file: `it/traffic.rs`.
        ("/api/v1/reached", "endpoint"),
        ("/api/v1/reached", "provider"),
        ("/api/v1/reached", "from"),
        ("/api/v1/reached", "to"),
        ("/api/v1/reached", "scope"),
        ("/api/v1/reached", "format"),
    ];
    let untried: Vec<(&str, &str)> = lists
        .iter()
        .flat_map(|(path, (_, filters))| filters.iter().map(move |name| (path.as_str(), name.as_str())))
        .filter(|one| !tried.contains(one) && !elsewhere.contains(one))
        .collect();
    assert!(untried.is_empty(), "nobody has tried {untried:?}");
    app.finish().await;
}
