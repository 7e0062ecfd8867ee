//! Provider credentials: kept, referred to, tested, replaced, sealed anew, and never shown.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bailiwick::identity::create_token;
use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, logs, message, metrics, stored};
use crate::process::{Ended, run};
use crate::reply::{Reply, read};
use crate::vault::{TOKEN as VAULT_TOKEN, Vault};

const PATH: &str = "/api/v1/credentials";
/// The endpoint that the tests give other credentials.
const ENDPOINT: &str = "openai-us";
const MODEL: &str = "gpt-4.1-mini";

/// What the simulators take.
fn right(app: &TestApp) -> String {
    std::fs::read_to_string(app.data().join("simulator.credential")).unwrap().trim().to_owned()
}

async fn create(app: &TestApp, body: Value) -> Reply {
    app.admin(Method::POST, PATH, Some(&body)).await
}

async fn rotate(app: &TestApp, name: &str, body: Value) -> Reply {
    app.admin(Method::POST, &format!("{PATH}/{name}/rotate"), Some(&body)).await
}

async fn listed(app: &TestApp, name: &str) -> Value {
    let all = app.admin(Method::GET, PATH, None).await.is(200).json();
    let found = all["credentials"].as_array().unwrap().iter().find(|it| it["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("{all}"))
}

/// Has the endpoint use another credential.
async fn uses(app: &TestApp, credential: Value) {
    app.edit_endpoint(ENDPOINT, |definition| definition["credential"] = credential).await;
}

async fn asks(app: &TestApp) -> Reply {
    app.ask("research", MODEL, "Tell me about rivers").await
}

/// Waits until asking is answered so; a credential that is elsewhere is looked at each second.
async fn until(app: &TestApp, status: u16) {
    let began = Instant::now();
    loop {
        let answer = asks(app).await;
        if answer.status == status {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{} {}", answer.status, answer.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_kept_tested_and_replaced_without_a_restart() {
    let app = TestApp::start().await;
    let right = right(&app);
    // Nobody uses it yet, so nobody can be asked.
    let made =
        create(&app, json!({ "name": "kept", "scope": "/acme", "value": "sk-wrong-one" })).await.is(201);
    assert_eq!(made.json()["tested"], json!([]));
    assert_eq!((made.json()["version"].as_i64(), made.json()["state"].as_str()), (Some(1), Some("ready")));
    create(&app, json!({ "name": "kept", "value": "sk-again" })).await.is(409);
    uses(&app, json!("kept")).await;
    asks(&app).await.refused(502, "upstream_credential_refused");
    let tested = app.admin(Method::POST, &format!("{PATH}/kept/test"), None).await.is(200).json();
    assert_eq!(
        (&tested["tested"][0]["endpoint"], &tested["tested"][0]["result"]),
        (&json!(ENDPOINT), &json!("refused"))
    );

    // What a provider refuses is not stored, unless it is not asked.
    let refused = rotate(&app, "kept", json!({ "value": "sk-wrong-two" })).await.is(422).json();
    assert_eq!(refused["code"], "credential_refused");
    assert!(refused["detail"].as_str().unwrap().contains("openai-us"), "{refused}");
    assert_eq!(listed(&app, "kept").await["version"], 1);
    let before = listed(&app, "kept").await["fingerprint"].clone();
    rotate(&app, "kept", json!({ "value": "sk-wrong-two", "test": false })).await.is(200);
    assert_ne!(listed(&app, "kept").await["fingerprint"], before);
    let taken = rotate(&app, "kept", json!({ "value": right })).await.is(200).json();
    assert_eq!((&taken["tested"][0]["result"], &taken["version"]), (&json!("accepted"), &json!(3)));
    asks(&app).await.is(200);
    assert_eq!(
        app.simulator(ENDPOINT).received().last().unwrap().header("authorization"),
        Some(format!("Bearer {right}").as_str())
    );

    // One that was seen earlier is another one by now.
    let tagged = async |tag: &str| {
        let request = app.client.post(format!("{}{PATH}/kept/rotate", app.url())).bearer_auth(app.token());
        let request = request.header("if-match", tag).json(&json!({ "value": right }));
        read(request.send().await.unwrap()).await
    };
    let seen = app.admin(Method::GET, &format!("{PATH}/kept"), None).await.is(200);
    assert_eq!(seen.json()["version"], 3);
    let tag = seen.header("etag").unwrap().to_owned();
    tagged(&tag).await.is(200);
    tagged(&tag).await.is(412);
    assert_eq!(listed(&app, "kept").await["version"], 4);
    create(&app, json!({ "name": "a-first", "scope": "/acme/clinic", "value": "x" })).await.is(201);
    let page = app.admin(Method::GET, &format!("{PATH}?limit=1"), None).await.is(200).json();
    let names = |page: &Value| -> Vec<String> {
        page["credentials"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&page), ["a-first"]);
    let next = format!("{PATH}?limit=1000&cursor={}", page["next"].as_str().unwrap());
    let rest = app.admin(Method::GET, &next, None).await.is(200).json();
    assert!(!names(&rest).contains(&String::from("a-first")) && names(&rest).contains(&String::from("kept")));
    let clinic = app.admin(Method::GET, &format!("{PATH}?scope=/acme/clinic"), None).await.is(200).json();
    assert!(
        names(&clinic).contains(&String::from("a-first")) && !names(&clinic).contains(&String::from("kept"))
    );
    app.admin(Method::DELETE, &format!("{PATH}/a-first"), None).await.is(200);

    // In use, so it stays.
    let used = app.admin(Method::DELETE, &format!("{PATH}/kept"), None).await.is(409).json();
    assert!(used["detail"].as_str().unwrap().contains(ENDPOINT), "{used}");
    uses(&app, json!({ "file": app.data().join("simulator.credential") })).await;
    app.admin(Method::DELETE, &format!("{PATH}/kept"), None).await.is(200);
    app.admin(Method::POST, &format!("{PATH}/kept/test"), None).await.is(404);

    for (body, says) in [
        (json!({ "name": "x" }), "`value`, `env`"),
        (json!({ "name": "x", "value": "a", "env": "b" }), "one of them"),
        (json!({ "name": "x", "value": 7 }), "the body is JSON"),
        (json!({ "name": "x", "value": "a\nb" }), "no HTTP header"),
        (json!({ "name": "a b", "value": "x" }), "no credential's name"),
        (json!({ "name": "x", "file": "relative" }), "whole path"),
        (json!({ "name": "x", "vault": { "path": "../sys" } }), "vault.path"),
    ] {
        let refused = create(&app, body.clone()).await.is(400);
        assert!(refused.json()["detail"].as_str().unwrap().contains(says), "{body}: {}", refused.text());
        assert!(refused.json()["errors"][0]["pointer"].is_string(), "{body}: {}", refused.text());
    }
    create(&app, json!({ "name": "x", "scope": "/nowhere", "value": "x" })).await.is(404);
    let missing = create(&app, json!({ "name": "x", "file": "/nowhere/key" })).await.is(422).json();
    assert_eq!(missing["code"], "credential_not_found");

    let acts: Vec<String> = app
        .records()
        .await
        .iter()
        .filter_map(|record| record.sections.get("act")?["act"].as_str().map(str::to_owned))
        .filter(|act| act.starts_with("credential"))
        .collect();
    let expected = [
        "credential_created",
        "credential_tested",
        "credential_rotated",
        "credential_rotated",
        "credential_rotated",
        "credential_created",
        "credential_deleted",
        "credential_deleted",
    ];
    assert_eq!(acts, expected);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nothing_fails_while_credentials_and_the_master_key_are_replaced() {
    let app = Arc::new(TestApp::start().await);
    let right = right(&app);
    create(&app, json!({ "name": "kept", "scope": "/acme", "value": right })).await.is(201);
    uses(&app, json!("kept")).await;
    let (going, key) = (Arc::new(AtomicBool::new(true)), app.key("research"));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (going, key) = (Arc::clone(&going), key.clone());
            let (client, url) = (app.client.clone(), app.url().to_owned());
            tokio::spawn(async move {
                let mut asked = 0;
                while going.load(Ordering::Relaxed) {
                    let body = message(MODEL, "Tell me about rivers");
                    let request =
                        client.post(format!("{url}/v1/chat/completions")).bearer_auth(&key).json(&body);
                    read(request.send().await.unwrap()).await.is(200);
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    let path = app.data().join("master.key");
    let mut keys = std::fs::read_to_string(&path).unwrap();
    let sealed = async || store::credentials::get(&app.app().store, "kept").await.unwrap().sealed.unwrap();
    let mut before = sealed().await;
    for round in 0..3 {
        rotate(&app, "kept", json!({ "value": right })).await.is(200);
        let new = hex::encode([round + 1_u8; 32]);
        keys = format!("{new}\n{keys}");
        std::fs::write(&path, &keys).unwrap();
        let resealed = app.admin(Method::POST, "/api/v1/credentials:reseal", None).await.is(200).json();
        assert_eq!((&resealed["resealed"], &resealed["lost"]), (&json!(1), &json!([])), "{resealed}");
        let now = sealed().await;
        assert!(now.contains(resealed["key"].as_str().unwrap()) && now != before);
        before = now;
        let again = app.admin(Method::POST, "/api/v1/credentials:reseal", None).await.is(200).json();
        assert_eq!(again["resealed"], 0, "{again}");
        // The key before is not needed any more.
        keys = new;
        std::fs::write(&path, &keys).unwrap();
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        app.app().reload().await.unwrap();
    }
    going.store(false, Ordering::Relaxed);
    let mut asked = 0;
    for worker in asking {
        asked += worker.await.unwrap();
    }
    assert!(asked > 50, "{asked}");

    // Without its master key it is told, and goes on when the key is back.
    std::fs::write(&path, hex::encode([9_u8; 32])).unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    app.app().reload().await.unwrap();
    let lost = listed(&app, "kept").await;
    assert_eq!(lost["state"], "missing", "{lost}");
    assert!(lost["why"].as_str().unwrap().contains("does not have"), "{lost}");
    assert!(asks(&app).await.status >= 400);
    std::fs::write(&path, format!("{}\n{keys}", hex::encode([9_u8; 32]))).unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    app.app().reload().await.unwrap();
    asks(&app).await.is(200);
    Arc::into_inner(app).unwrap().finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_and_vault_are_followed_and_a_gone_secret_is_gone() {
    let vault = Vault::start().await;
    let secrets = tempfile::tempdir().unwrap();
    let token = secrets.path().join("token");
    std::fs::write(&token, VAULT_TOKEN).unwrap();
    let written = format!(
        "address = '{}'\nrefresh_seconds = 1\nauth = {{ token_file = '{}' }}",
        vault.address,
        token.display()
    );
    let app =
        TestApp::with(|config| config.credentials.vault = Some(toml::from_str(&written).unwrap())).await;
    let right = right(&app);
    let path = secrets.path().join("key");
    std::fs::write(&path, "sk-wrong").unwrap();
    uses(&app, json!("elsewhere")).await;
    let refused = create(&app, json!({ "name": "elsewhere", "scope": "/acme", "file": path })).await.is(422);
    assert_eq!(refused.json()["code"], "credential_refused");
    create(&app, json!({ "name": "elsewhere", "scope": "/acme", "file": path, "test": false })).await.is(201);
    asks(&app).await.refused(502, "upstream_credential_refused");
    std::fs::write(&path, format!("{right}\n")).unwrap();
    until(&app, 200).await;
    // It goes on for a while.
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    asks(&app).await.is(200);

    vault.says(Some("sk-wrong"));
    let reference = json!({ "vault": { "path": "llm/openai", "field": "key" }, "test": false });
    rotate(&app, "elsewhere", reference.clone()).await.is(200);
    asks(&app).await.refused(502, "upstream_credential_refused");
    vault.says(Some(&right));
    until(&app, 200).await;
    vault.down(true);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    asks(&app).await.is(200);
    vault.down(false);
    vault.says(None);
    let began = Instant::now();
    while asks(&app).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(15));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let gone = listed(&app, "elsewhere").await;
    assert!(gone["why"].as_str().unwrap().contains("no such secret"), "{gone}");
    vault.says(Some(&right));
    until(&app, 200).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_for_its_scope_and_a_reference_is_for_the_root() {
    let app = TestApp::start().await;
    let right = right(&app);
    let token = create_token(&app.app().store, "t", "/acme/clinic", &["admin"], 1).await.unwrap().reveal();
    let sent = async |method: Method, path: &str, body: &Value| {
        let request =
            app.client.request(method, format!("{}{path}", app.url())).bearer_auth(&token).json(body);
        read(request.send().await.unwrap()).await
    };
    let file = app.data().join("simulator.credential");
    for reference in [json!({ "file": file }), json!({ "env": "PATH" }), json!({ "vault": { "path": "a" } })]
    {
        let mut body = reference.clone();
        (body["name"], body["scope"]) = (json!("theirs"), json!("/acme/clinic"));
        sent(Method::POST, PATH, &body).await.is(403);
    }
    let body = json!({ "name": "theirs", "scope": "/acme/clinic", "value": right });
    sent(Method::POST, PATH, &body).await.is(201);
    sent(Method::POST, PATH, &json!({ "name": "ours", "scope": "/acme", "value": "x" })).await.is(403);
    create(&app, json!({ "name": "ours", "scope": "/acme", "value": right })).await.is(201);
    sent(Method::POST, &format!("{PATH}/ours/rotate"), &json!({ "value": "x" })).await.is(403);
    sent(Method::POST, "/api/v1/credentials:reseal", &json!({})).await.is(403);
    let seen = sent(Method::GET, PATH, &json!({})).await.is(200).json();
    let names: Vec<&str> =
        seen["credentials"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["theirs"]);
    // That a name is taken is the one thing that is told of what is elsewhere, and not where.
    let taken = async |name: &str| {
        let body = json!({ "name": name, "scope": "/acme/clinic", "value": right });
        sent(Method::POST, PATH, &body).await.is(409).text().to_owned()
    };
    create(&app, json!({ "name": "hidden", "scope": "/acme/research", "value": right })).await.is(201);
    assert_eq!(taken("hidden").await, taken("theirs").await, "in the same words wherever it is");
    let unseen = sent(Method::GET, &format!("{PATH}/hidden"), &json!({})).await.is(404).text().to_owned();
    assert_eq!(unseen, sent(Method::GET, &format!("{PATH}/none"), &json!({})).await.is(404).text());

    // An endpoint of a scope above would lend it to everybody there.
    let endpoints = |credential: &str, scope: &str| {
        json!({ "endpoints": [{
            "name": "own", "scope": scope, "dialect": "vllm", "base_url": app.simulator(ENDPOINT).url(),
            "models": [{ "alias": "own", "upstream": "own" }], "credential": credential,
            "profile": { "name": "own", "operator": "self", "service": "vllm", "model": "own" },
        }] })
    };
    let apply = async |body: Value| app.admin(Method::POST, "/api/v1/apply", Some(&body)).await;
    let refused = apply(endpoints("theirs", "/acme")).await.is(400);
    assert!(refused.text().contains("does not cover /acme"), "{}", refused.text());
    let refused = apply(endpoints("their", "/acme/clinic")).await.is(400);
    assert!(refused.text().contains("did you mean `theirs`?"), "{}", refused.text());
    apply(endpoints("theirs", "/acme/clinic")).await.is(200);
    // Moved away from under an endpoint, it is lent no more.
    apply(json!({ "credentials": [{ "name": "theirs", "scope": "/acme/research", "sealed": true }] }))
        .await
        .is(200);
    let endpoints = app.admin(Method::GET, "/api/v1/endpoints", None).await.is(200).json();
    assert!(endpoints["unusable"].to_string().contains("does not cover"), "{endpoints}");
    // Whoever holds nothing there is not told; who may is, of what it would be, too, and by each declaration.
    let beside = create_token(&app.app().store, "beside", "/acme/retail", &["viewer"], 1).await.unwrap();
    let seen = app.get("/api/v1/endpoints", &beside.reveal()).await.is(200).json();
    assert_eq!(seen["unusable"], json!([]));
    app.get("/api/v1/endpoints/explain?name=own", &beside.reveal()).await.is(404);
    let told = app.admin(Method::GET, "/api/v1/endpoints/explain?name=own", None).await.is(200).json();
    assert!(told["not_in_use"].to_string().contains("does not cover"), "{told}");
    assert!(told["models"][0]["attributes"].as_array().is_some_and(|all| !all.is_empty()), "{told}");
    let usual = app.admin(Method::GET, "/api/v1/endpoints/explain?name=openai-us", None).await.is(200).json();
    assert_eq!(usual.get("not_in_use"), None);
    let again = apply(json!({ "scopes": [{ "path": "/acme/other" }] })).await.is(200).json();
    assert!(again["not_in_use"].to_string().contains("endpoint `own`"), "{again}");
    app.finish().await;
}

/// One for each kind of credential, and for what gets at them.
const SEALED: &str = "sk-canary-sealed-7f3a91c2";
const REPLACED: &str = "sk-canary-replaced-d5e20b86";
const REFUSED: &str = "sk-canary-refused-c41d77e0";
const FILED: &str = "sk-canary-filed-1b9e44af";
const VAULTED: &str = "sk-canary-vaulted-90cc12d7";
const MISPLACED: &str = "sk-canary-misplaced-66f0a3b1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_credential_is_in_any_output_or_table() {
    let vault = Vault::start().await;
    vault.says(Some(VAULTED));
    let secrets = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| -> PathBuf {
        let path = secrets.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (token, filed) = (place("token", VAULT_TOKEN), place("filed", FILED));
    let master = hex::encode([0xc4_u8; 32]);
    let path = place("master", &master);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let written = format!("address = '{}'\nauth = {{ token_file = '{}' }}", vault.address, token.display());
    let app = TestApp::with(|config| {
        config.credentials.vault = Some(toml::from_str(&written).unwrap());
        config.credentials.master_key = Some(bailiwick::credentials::MasterKeySource::File(path));
    })
    .await;
    let simulated = right(&app);
    // Everything that can be said to a credential, and everything that can go wrong with one.
    let mut said: Vec<String> = Vec::new();
    let mut keep = |reply: Reply| said.push(format!("{:?} {}", reply.headers, reply.text()));
    keep(create(&app, json!({ "name": "sealed", "scope": "/acme", "value": REPLACED })).await.is(201));
    keep(create(&app, json!({ "name": "filed", "scope": "/acme", "file": filed })).await.is(201));
    keep(
        create(&app, json!({ "name": "variable", "scope": "/acme", "env": "PATH", "test": false }))
            .await
            .is(201),
    );
    let reference =
        json!({ "name": "vaulted", "scope": "/acme", "vault": { "path": "llm/openai", "field": "key" } });
    keep(create(&app, reference).await.is(201));
    keep(rotate(&app, "sealed", json!({ "value": SEALED })).await.is(200));
    // Whoever sends it again gets the answer that is kept.
    for _ in 0..2 {
        let request = app.client.post(format!("{}{PATH}/sealed/rotate", app.url())).bearer_auth(app.token());
        let request =
            request.header("idempotency-key", "a-key-of-the-canaries").json(&json!({ "value": SEALED }));
        keep(read(request.send().await.unwrap()).await.is(200));
    }
    keep(app.admin(Method::GET, &format!("{PATH}/sealed"), None).await.is(200));
    for odd in [
        json!({ "name": MISPLACED, "value": { "value": MISPLACED } }),
        json!({ "name": "x", MISPLACED: "x" }),
        json!({ "name": "x", "vault": { MISPLACED: "x" } }),
        json!({ "name": "x", "value": [MISPLACED] }),
        json!({ "name": "x", "test": MISPLACED, "value": "x" }),
        json!({ "name": "x", "env": { "NAME": MISPLACED } }),
        json!({ "name": "x", "value": format!("{MISPLACED}\n{MISPLACED}") }),
        json!([MISPLACED]),
    ] {
        keep(create(&app, odd).await.is(400));
    }
    for name in ["sealed", "filed", "variable", "vaulted"] {
        uses(&app, json!(name)).await;
        keep(asks(&app).await.is(502));
        keep(app.admin(Method::POST, &format!("{PATH}/{name}/test"), None).await);
        keep(rotate(&app, name, json!({ "value": REFUSED })).await.is(422));
    }
    // A provider that repeats what it was sent.
    use bailiwick::demo::simulator::Behaviour;
    uses(&app, json!({ "file": app.data().join("simulator.credential") })).await;
    app.simulator(ENDPOINT).set_behaviour(Behaviour::EchoSecret);
    keep(asks(&app).await.refused(502, "upstream_credential_echo"));
    app.simulator(ENDPOINT).set_behaviour(Behaviour::Normal);
    keep(app.admin(Method::POST, "/api/v1/credentials:reseal", None).await.is(200));
    for path in [
        PATH,
        "/api/v1/organisation",
        "/api/v1/endpoints",
        "/api/v1/audit/export",
        "/api/openapi.json",
        "/metrics",
    ] {
        keep(app.admin(Method::GET, path, None).await.is(200));
    }
    keep(app.admin(Method::POST, "/api/v1/apply?dry_run=true&prune=true", Some(&json!({}))).await.is(200));
    let (url, admin) = (app.url().to_owned(), app.token().to_owned());
    let commands = tokio::task::spawn_blocking(move || {
        let run = |words: &[&str], input: &str| run(words, Some((&url, &admin)), input);
        let shown = |ended: Ended| format!("{} {}", ended.out, ended.err);
        [
            shown(run(&["credentials", "list"], "").is(0)),
            shown(run(&["credentials", "list", "--json"], "").is(0)),
            shown(run(&["credentials", "set", "by-command", "--scope", "/acme"], SEALED).is(0)),
            shown(run(&["credentials", "rotate", "by-command", "--no-test"], REPLACED).is(0)),
            shown(run(&["credentials", "test", "by-command"], "").is(0)),
            shown(run(&["credentials", "set", "by command"], REFUSED).is(1)),
            shown(run(&["credentials", "reseal"], "").is(0)),
            shown(run(&["export"], "").is(0)),
            shown(run(&["credentials", "delete", "by-command"], "").is(0)),
        ]
        .to_vec()
    });
    said.extend(commands.await.unwrap());
    let state = app.app();
    said.push(format!("{:?} {:?} {:?}", state.config, state.sources, state.gateway.snapshot.load()));
    said.push(format!("{:?}", store::credentials::list(&state.store).await.unwrap()));
    // A backup holds the sealed ones and no master key.
    let backup = secrets.path().join("backup");
    let config = secrets.path().join("bailiwick.toml");
    let mut text = format!("data_dir = '{}'\n", app.data().display());
    if let Some(url) = &state.config.database_url {
        text.push_str(&format!("database_url = '{}'\n", url.as_str()));
    }
    std::fs::write(&config, text).unwrap();
    let (backup_path, config) = (backup.clone(), config.clone());
    let made = tokio::task::spawn_blocking(move || {
        let words = [
            "backup",
            "--include-secrets",
            "--config",
            config.to_str().unwrap(),
            backup_path.to_str().unwrap(),
        ];
        run(&words, None, "").is(0)
    });
    said.push(format!("{:?}", made.await.unwrap()));
    let backup = std::fs::read(&backup).unwrap();

    let variable = std::env::var("PATH").unwrap();
    let mut canaries: Vec<String> =
        [SEALED, REPLACED, REFUSED, FILED, VAULTED, VAULT_TOKEN, MISPLACED].map(str::to_owned).to_vec();
    canaries.extend([simulated.clone(), variable, master.clone()]);
    tracing::info!("the log is listened to");
    let (logs, metrics) = (logs(), metrics());
    assert!(logs.contains("the log is listened to") && !metrics.is_empty());
    for canary in &canaries {
        for text in said.iter().chain([&logs, &metrics]) {
            assert!(!text.contains(canary.as_str()), "{canary} is in {}", &text[..text.len().min(2_000)]);
        }
        assert!(memchr::memmem::find(&backup, canary.as_bytes()).is_none(), "{canary} is in the backup");
    }
    let data = app.finish().await;
    for canary in &canaries {
        let mut places = stored(data.path(), canary).await;
        // The simulators' own is a file there; it is what endpoints of a demo refer to.
        places.retain(|place| *canary != simulated || !place.ends_with("simulator.credential"));
        assert!(places.is_empty(), "{canary}: {places:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_leads_to_nothing_of_the_servers() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (master, other, proxy) = (
        file("master", &hex::encode([0xc5_u8; 32])),
        file("other", "sk-other"),
        file("proxy", "user:password"),
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&master, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&master, &link).unwrap();
    let (named, of_proxy, allowed) = (master.clone(), proxy.clone(), folder.path().display().to_string());
    let app = TestApp::with(|config| {
        config.credentials.master_key = Some(bailiwick::credentials::MasterKeySource::File(named));
        let proxy = format!(
            "url = 'http://127.0.0.1:9'\ncredential_file = '{}'\nexcept = ['127.0.0.0/8']",
            of_proxy.display()
        );
        config.upstream.proxy = Some(toml::from_str(&proxy).unwrap());
        // The simulators' credential is elsewhere.
        let data = config.data_dir.parent().unwrap().display().to_string();
        config.credentials.references = Some(vec![allowed, data, String::from("env:LLM_*")]);
    })
    .await;
    let beside = tempfile::tempdir().unwrap();
    let beside = beside.path().join("key");
    for (reference, field) in [
        (json!({ "file": master }), "/file"),
        (json!({ "file": link }), "/file"),
        (json!({ "file": proxy }), "/file"),
        (json!({ "file": beside }), "/file"),
        (json!({ "env": "PATH" }), "/env"),
        (json!({ "env": "PGPASSWORD" }), "/env"),
    ] {
        let mut body = reference.clone();
        (body["name"], body["test"]) = (json!("theirs"), json!(false));
        let refused = create(&app, body).await.is(400).json();
        assert_eq!(refused["errors"][0]["pointer"], field, "{reference}: {refused}");
        let mut credential = reference.clone();
        credential["name"] = json!("theirs");
        let declared = json!({ "credentials": [credential] });
        let refused = app.admin(Method::POST, "/api/v1/apply", Some(&declared)).await.is(400).json();
        assert_eq!(refused["errors"][0]["pointer"], format!("/credentials/0{field}"), "{refused}");
        let endpoint = json!({
            "name": "own", "scope": "/acme", "dialect": "vllm", "base_url": app.simulator(ENDPOINT).url(),
            "models": [{ "alias": "own", "upstream": "own" }], "credential": reference,
            "profile": { "name": "own", "operator": "self", "service": "vllm", "model": "own" },
        });
        let declared = json!({ "endpoints": [endpoint] });
        let refused = app.admin(Method::POST, "/api/v1/apply", Some(&declared)).await.is(400).json();
        assert_eq!(refused["errors"][0]["pointer"], format!("/endpoints/0/credential{field}"), "{refused}");
        // Nor where it is stored already, or the file has become another one.
        let source = serde_json::from_value(reference).unwrap();
        let read = app.app().sources.keyring.fetch(&source).await.unwrap_err();
        assert!(!read.contains("c5c5") && !read.contains("password"), "{read}");
    }
    create(&app, json!({ "name": "fine", "file": other, "test": false })).await.is(201);
    assert!(!crate::app::logs().contains("sk-other"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_destroys_nothing_that_is_kept_here() {
    let app = TestApp::start().await;
    create(&app, json!({ "name": "own", "scope": "/acme", "value": "sk-kept-here" })).await.is(201);
    let endpoint = |credential: Value| {
        json!({ "endpoints": [{
            "name": "own", "scope": "/acme", "dialect": "vllm", "base_url": app.simulator(ENDPOINT).url(),
            "models": [{ "alias": "own", "upstream": "own" }], "credential": credential,
            "profile": { "name": "own", "operator": "self", "service": "vllm", "model": "own" },
        }] })
    };
    let sealed = async || bailiwick::store::credentials::get(&app.app().store, "own").await.unwrap().sealed;
    let before = sealed().await;
    for path in ["/api/v1/apply", "/api/v1/apply?dry_run=true"] {
        let refused =
            app.admin(Method::POST, path, Some(&endpoint(json!({ "env": "KEY" })))).await.is(400).json();
        assert_eq!(refused["errors"][0]["pointer"], "/endpoints/0/credential", "{refused}");
    }
    assert!(before.is_some() && sealed().await == before);
    app.apply(endpoint(json!("own"))).await;
    assert_eq!(sealed().await, before);
    // Who says so in as many words replaces it.
    app.apply(json!({ "credentials": [{ "name": "own", "scope": "/acme", "env": "KEY" }] })).await;
    assert!(sealed().await.is_none());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_leaves_out_what_a_line_below_denies() {
    let folder = tempfile::tempdir().unwrap();
    crate::policy::bundle(folder.path(), &[]);
    let path = folder.path().join("rbac/policy.csv");
    let lines = std::fs::read_to_string(&path).unwrap();
    let more = "p, role:keeper, /, console:credentials, read, allow\n\
                p, role:keeper, /acme/clinic, console:credentials, read, deny\n";
    std::fs::write(&path, format!("{lines}\n{more}")).unwrap();
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    for (name, scope) in [("of-all", "/acme"), ("of-clinic", "/acme/clinic")] {
        create(&app, json!({ "name": name, "scope": scope, "value": "sk-x", "test": false })).await.is(201);
    }
    let token = create_token(&app.app().store, "k", "/", &["keeper"], 1).await.unwrap().reveal();
    let listed = app.get(PATH, &token).await.is(200).text().to_owned();
    assert!(listed.contains("of-all") && !listed.contains("of-clinic"), "{listed}");
    app.get(&format!("{PATH}/of-clinic"), &token).await.is(403);
    app.finish().await;
}
