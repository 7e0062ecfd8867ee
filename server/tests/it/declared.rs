//! What is declared, written as what `apply` reads; what another declaration would change; and ending what it leaves out.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::process::run;

async fn exported(app: &TestApp) -> Value {
    app.admin(Method::GET, "/api/v1/organisation", None).await.is(200).json()
}

async fn would(app: &TestApp, declaration: &Value, prune: bool) -> Vec<String> {
    let path = format!("/api/v1/apply?dry_run=true&prune={prune}");
    let answer = app.admin(Method::POST, &path, Some(declaration)).await.is(200).json();
    let changes = answer["changes"].as_array().unwrap();
    let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    changes
        .iter()
        .map(|it| format!("{} {} {}", text(it, "change"), text(it, "kind"), text(it, "name")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_declared_can_be_written_compared_and_pruned() {
    let app = TestApp::start().await;
    let more = json!({
        "keys": [{ "scope": "/acme/clinic", "name": "extra", "requests_per_minute": 7 }],
        "model_groups": [{ "name": "own", "models": ["gpt-oss*"] }],
        "budgets": [{ "key": "extra", "models": "own", "window": "day", "limit_usd": "2.50" },
            { "user": "u-1", "window": "total", "limit_usd": "9", "thresholds": [90, 50] }],
        "limits": [{ "scope": "/acme/clinic", "tokens": 500000, "per": "hour" }],
        "credentials": [{ "name": "spare", "scope": "/acme", "sealed": true }],
        "workloads": [{ "name": "ci", "scope": "/acme/build", "issuer": "https://id.example", "audience": "b",
            "claims": { "sub": "x" } }],
    });
    let key = app.apply(more.clone()).await["created_keys"][0]["key"].as_str().unwrap().to_owned();
    app.ask(&key, "assistant", "A cough").await.is(200);
    let all = exported(&app).await;
    assert_eq!(all["keys"].as_array().unwrap().len(), 4);
    assert!(all["scopes"].to_string().contains("/acme/build"), "{all}");
    // As it is, nothing would change, even where what is not named ends.
    assert!(would(&app, &all, true).await.is_empty(), "{:?}", would(&app, &all, true).await);
    assert!(would(&app, &more, false).await.is_empty());
    let applied = app.apply(all.clone()).await;
    assert_eq!(applied["created_keys"], json!([]));
    assert_eq!(exported(&app).await, all);

    // Without the second part it is what it was.
    let (mut less, path) = (all.clone(), "/api/v1/apply?prune=true");
    let without = |list: &mut Value, name: &str| {
        list.as_array_mut().unwrap().retain(|it| !it.to_string().contains(name));
    };
    without(&mut less["keys"], "\"extra\"");
    without(&mut less["budgets"], "\"extra\"");
    without(&mut less["budgets"], "u-1");
    without(&mut less["scopes"], "/acme/build");
    without(&mut less["credentials"], "spare");
    for list in ["model_groups", "limits", "workloads"] {
        less[list] = json!([]);
    }
    let ends = would(&app, &less, true).await;
    let expected = [
        "delete scope /acme/build",
        "delete credential spare",
        "delete model_group own",
        "delete budget key /acme/clinic/extra for own by day",
        "delete budget user u-1 by total",
    ];
    for line in expected {
        assert!(ends.iter().any(|it| it == line), "{line}: {ends:?}");
    }
    assert!(ends.iter().any(|it| it.starts_with("delete limit /acme/clinic of tokens")), "{ends:?}");
    assert!(ends.contains(&String::from("delete key /acme/clinic/extra")) && ends.len() == 8, "{ends:?}");
    assert!(would(&app, &less, false).await.is_empty(), "nothing ends that is only not named");
    assert_eq!(exported(&app).await, all, "a dry run changes nothing");
    app.ask(&key, "assistant", "A cough").await.is(200);

    // What stays cannot name what goes.
    let mut torn = less.clone();
    torn["credentials"] = json!([]);
    let refused = app.admin(Method::POST, path, Some(&torn)).await.is(400).json().to_string();
    assert!(refused.contains("there is no credential `openai-us`"), "{refused}");
    torn = less.clone();
    torn["budgets"] = json!([{ "scope": "/acme", "models": "own", "window": "day", "limit_usd": "1" }]);
    let refused = app.admin(Method::POST, path, Some(&torn)).await.is(400).json().to_string();
    assert!(refused.contains("there is no model group `own`"), "{refused}");
    assert_eq!(exported(&app).await, all, "nothing was changed");

    let pruned = app.admin(Method::POST, path, Some(&less)).await.is(200).json();
    assert!(pruned["pruned"].to_string().contains("key /acme/clinic/extra"), "{pruned}");
    app.ask(&key, "assistant", "A cough").await.is(401);
    assert_eq!(exported(&app).await, less);
    assert!(would(&app, &less, true).await.is_empty());
    // The log tells what ended, without people's names.
    let records = app.records().await;
    let told = records
        .iter()
        .filter_map(|record| record.sections.get("result"))
        .find(|it| it["made"]["pruned"].is_array());
    let told = told.unwrap().to_string();
    assert!(told.contains("/acme/clinic/extra") && !told.contains("u-1"), "{told}");

    // Of nothing everything ends, and what has ended works for nobody.
    let pruned = app.admin(Method::POST, path, Some(&json!({}))).await.is(200).json();
    assert!(pruned["pruned"].to_string().contains("endpoint openai-us"), "{pruned}");
    app.ask("research", "assistant", "Tell me about rivers").await.is(401);
    let left = exported(&app).await;
    let empty = |list: &str| left[list].as_array().unwrap().is_empty();
    assert!(
        ["endpoints", "credentials", "keys", "budgets", "limits", "workloads"].iter().all(|list| empty(list)),
        "{left}"
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_write_compare_and_read() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("organisation.yaml").to_str().unwrap().to_owned();
    let (url, token) = (app.url().to_owned(), app.token().to_owned());
    let done = tokio::task::spawn_blocking(move || {
        let run = |words: &[&str]| run(words, Some((&url, &token)), "");
        run(&["export", "--output", &file]).is(0);
        let same = run(&["apply", "--file", &file, "--dry-run", "--prune"]).is(0);
        assert_eq!(same.out, "nothing would change\n");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(run(&["export"]).is(0).out.trim_end(), text.trim_end());
        let changed = text.replace("limit_usd: '100'", "limit_usd: '101'");
        assert_ne!(changed, text);
        std::fs::write(&file, changed).unwrap();
        let would = run(&["apply", "--file", &file, "--dry-run"]).is(0);
        assert_eq!(
            would.out, "~ budget /acme/research by month\n    limit_usd: \"100\" -> \"101\"\n",
            "{would:?}"
        );
        run(&["apply", "--file", &file, "--prune"]).is(0);
        run(&["export", "--json"]).is(0).json()
    });
    let now = done.await.unwrap();
    assert!(now["budgets"].to_string().contains("\"101\""), "{now}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declaration_is_of_what_was_seen_and_each_fault_has_its_place() {
    let app = TestApp::start().await;
    let export = app.admin(Method::GET, "/api/v1/organisation", None).await.is(200);
    let tag = export.header("etag").unwrap().to_owned();
    let with = async |tag: &str, method: Method, path: &str, body: &Value| {
        let request = app.client.request(method, format!("{}{path}", app.url())).bearer_auth(app.token());
        crate::reply::read(request.header("if-match", tag).json(body).send().await.unwrap()).await
    };
    let scope = json!({ "scopes": [{ "path": "/acme/one", "controller": "DE" }] });
    with(&tag, Method::POST, "/api/v1/apply", &scope).await.is(200);
    // It is not what was seen any more.
    let other = json!({ "scopes": [{ "path": "/acme/two" }] });
    for path in ["/api/v1/apply", "/api/v1/apply?prune=true", "/api/v1/apply?dry_run=true"] {
        assert_eq!(with(&tag, Method::POST, path, &other).await.is(412).json()["code"], "changed");
    }
    let export = app.admin(Method::GET, "/api/v1/organisation", None).await.is(200);
    assert_ne!(export.header("etag").unwrap(), tag);
    assert!(!export.text().contains("/acme/two"));
    with(export.header("etag").unwrap(), Method::POST, "/api/v1/apply", &other).await.is(200);

    let wrong = json!({
        "scopes": [{ "path": "/fine" }, { "path": "wrong" }],
        "budgets": [{ "scope": "/fine", "window": "month", "limit_usd": "a lot" }],
    });
    let refused = app.admin(Method::POST, "/api/v1/apply", Some(&wrong)).await.is(400).json();
    let places: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|it| it["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/scopes/1/path", "/budgets/0/limit_usd"], "{refused}");
    let keys =
        json!([{ "scope": "/acme", "name": "fine" }, { "scope": "/acme", "name": "x", "tags": [" y"] }]);
    let refused = app.admin(Method::POST, "/api/v1/keys:bulk", Some(&keys)).await.is(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/1/tags", "{refused}");
    let keys = json!([{ "scope": "/acme", "name": "fine" }, { "scope": "/acme", "name": "x", "expires": 7 }]);
    let refused = app.admin(Method::POST, "/api/v1/keys:bulk", Some(&keys)).await.is(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/1/expires", "{refused}");

    // A budget as it was seen.
    let budgets = app.admin(Method::GET, "/api/v1/budgets", None).await.is(200).json();
    let path = format!("/api/v1/budgets/{}", budgets["budgets"][0]["id"]);
    let one = app.admin(Method::GET, &path, None).await.is(200);
    assert_eq!(one.json()["id"], budgets["budgets"][0]["id"]);
    let tag = one.header("etag").unwrap().to_owned();
    let (raise, more) = (format!("{path}/top-ups"), json!({ "amount_usd": "1", "reason": "more" }));
    with(&tag, Method::POST, &raise, &more).await.is(201);
    with(&tag, Method::POST, &raise, &more).await.is(412);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_are_declared_one_at_a_time() {
    let app = TestApp::start().await;
    let path = "/api/v1/scopes/%2Facme%2Flab";
    app.admin(Method::GET, path, None).await.is(404);
    let lab = json!({ "path": "/acme/lab", "controller": "DE" });
    let made = app.admin(Method::PUT, path, Some(&lab)).await.is(200);
    assert_eq!(made.json(), lab);
    let tag = made.header("etag").unwrap().to_owned();
    assert_eq!(app.admin(Method::GET, path, None).await.is(200).header("etag").unwrap(), tag);
    let wrong = json!({ "path": "/acme/other" });
    assert_eq!(
        app.admin(Method::PUT, path, Some(&wrong)).await.is(400).json()["errors"][0]["pointer"],
        "/path"
    );
    let wrong = json!({ "path": "/acme/lab", "subject_regions": ["nowhere"] });
    let refused = app.admin(Method::PUT, path, Some(&wrong)).await.is(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/subject_regions/0", "{refused}");
    let changed = json!({ "path": "/acme/lab", "controller": "FR" });
    assert_eq!(app.admin(Method::PUT, path, Some(&changed)).await.is(200).json(), changed);
    let request = app.client.delete(format!("{}{path}", app.url())).bearer_auth(app.token());
    let stale = request.header("if-match", &tag).send().await.unwrap();
    assert_eq!(stale.status(), 412);
    let listed = app.admin(Method::GET, "/api/v1/scopes", None).await.is(200).json();
    assert!(listed["scopes"].as_array().unwrap().contains(&changed), "{listed}");

    // What holds something stays; the rest of the organisation is not touched.
    let ci = json!({
        "name": "ci", "scope": "/acme/lab", "issuer": "https://id.example", "audience": "b", "claims": { "sub": "x" },
    });
    app.admin(Method::PUT, "/api/v1/workloads/ci", Some(&ci)).await.is(200);
    let refused = app.admin(Method::DELETE, path, None).await.is(409).json();
    assert_eq!(refused["code"], "conflict");
    let before = exported(&app).await;
    assert_eq!(
        app.admin(Method::DELETE, "/api/v1/workloads/ci", None).await.is(200).json(),
        json!({ "name": "ci", "deleted": true })
    );
    assert_eq!(
        app.admin(Method::DELETE, path, None).await.is(200).json(),
        json!({ "path": "/acme/lab", "deleted": true })
    );
    app.admin(Method::GET, path, None).await.is(404);
    let after = exported(&app).await;
    for list in ["endpoints", "credentials", "keys", "budgets", "limits", "model_groups"] {
        assert_eq!(after[list], before[list]);
    }
    assert_eq!(after["workloads"], json!([]));

    let path = "/api/v1/endpoints/openai-us";
    let mut endpoint = app.admin(Method::GET, path, None).await.is(200).json();
    endpoint["idle_timeout_s"] = json!(9);
    assert_eq!(app.admin(Method::PUT, path, Some(&endpoint)).await.is(200).json()["idle_timeout_s"], 9);
    let mut wrong = endpoint.clone();
    wrong["credential"] = json!("nobody's");
    let refused = app.admin(Method::PUT, path, Some(&wrong)).await.is(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/credential", "{refused}");
    app.admin(Method::DELETE, path, None).await.is(200);
    app.admin(Method::DELETE, path, None).await.is(404);
    app.admin(Method::PUT, path, Some(&endpoint)).await.is(200);
    assert_eq!(app.admin(Method::GET, path, None).await.is(200).json(), endpoint);
    app.finish().await;
}

/// A request with a tag.
async fn as_seen(
    app: &TestApp,
    tag: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> crate::reply::Reply {
    let request = app.client.request(method, format!("{}{path}", app.url())).bearer_auth(app.token());
    let request = request.header("if-match", tag);
    let request = if let Some(body) = body { request.json(body) } else { request };
    crate::reply::read(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_and_limits_are_declared_one_at_a_time() {
    let app = TestApp::start().await;
    let before = exported(&app).await;
    let (key, secret) = app.create_key(json!({ "scope": "/acme/research", "name": "one" })).await;
    app.ask(&secret, "gpt-4.1-mini", "Tell me about rivers").await.is(200);

    let new = json!({ "key": key, "window": "day", "limit_usd": "2.50", "thresholds": [90, 50] });
    let made = app.admin(Method::POST, "/api/v1/budgets", Some(&new)).await.is(201);
    let declared = json!({
        "key": "/acme/research/one", "window": "day", "limit_usd": "2.5", "hard": true, "lower_output": false,
        "thresholds": [50, 90],
    });
    assert_eq!(made.json()["declared"], declared, "whichever way its key is named");
    let path = format!("/api/v1/budgets/{}", made.json()["id"]);
    let got = app.admin(Method::GET, &path, None).await.is(200);
    assert_eq!((&got.json()["declared"], got.header("etag")), (&declared, made.header("etag")));
    let again = app.admin(Method::POST, "/api/v1/budgets", Some(&declared)).await.is(409).json();
    assert!(again["fix"].as_str().unwrap().contains(&path), "{again}");

    // In force at once, either way.
    let mut less = declared.clone();
    less["limit_usd"] = json!("0");
    let put = app.admin(Method::PUT, &path, Some(&less)).await.is(200);
    assert_eq!(put.json()["declared"]["limit_usd"], "0");
    app.ask(&secret, "gpt-4.1-mini", "Tell me about rivers").await.refused(429, "budget_exceeded");
    let stale = got.header("etag").unwrap();
    as_seen(&app, stale, Method::PUT, &path, Some(&declared)).await.is(412);
    as_seen(&app, stale, Method::DELETE, &path, None).await.is(412);
    as_seen(&app, put.header("etag").unwrap(), Method::PUT, &path, Some(&declared)).await.is(200);
    app.ask(&secret, "gpt-4.1-mini", "Tell me about rivers").await.is(200);
    // What was topped up meanwhile is not what was seen.
    let tag = app.admin(Method::GET, &path, None).await.is(200).header("etag").unwrap().to_owned();
    let more = json!({ "amount_usd": "1", "reason": "more" });
    app.admin(Method::POST, &format!("{path}/top-ups"), Some(&more)).await.is(201);
    as_seen(&app, &tag, Method::PUT, &path, Some(&less)).await.is(412);

    // It stays whose it is; faults have their places.
    for (field, value, pointer) in [
        ("window", json!("month"), ""),
        ("key", json!("nobody"), "/key"),
        ("limit_usd", json!("a lot"), "/limit_usd"),
        ("retired", json!(true), "/retired"),
        ("models", json!("no such group"), "/models"),
    ] {
        let mut wrong = declared.clone();
        wrong[field] = value;
        let refused = app.admin(Method::PUT, &path, Some(&wrong)).await;
        let refused = refused.is(400).json();
        let told = refused["errors"][0]["pointer"].as_str().unwrap_or("none");
        assert!(told == pointer || (field == "models" && told.is_empty()), "{field}: {refused}");
    }
    let limits = app.admin(Method::GET, "/api/v1/limits", None).await.is(200).json();
    assert_eq!(limits["limits"], json!([]), "{limits}");
    let as_limit = path.replace("budgets", "limits");
    for (method, body) in
        [(Method::GET, None), (Method::PUT, Some(json!({ "scope": "/acme", "concurrent": 1 })))]
    {
        app.admin(method, &as_limit, body.as_ref()).await.is(404);
    }
    app.admin(Method::DELETE, &path, None).await.is(200);
    app.admin(Method::GET, &path, None).await.is(404);
    app.admin(Method::DELETE, &path, None).await.is(404);
    // Declared anew it is the same one: what was spent on it counts.
    let anew = app.admin(Method::POST, "/api/v1/budgets", Some(&declared)).await.is(201).json();
    assert_eq!(format!("/api/v1/budgets/{}", anew["id"]), path);
    app.admin(Method::DELETE, &path, None).await.is(200);

    // Limits, and the group that one is of.
    let group = json!({ "name": "own", "models": ["gpt-oss*", "assistant"] });
    app.admin(Method::PUT, "/api/v1/model-groups/own", Some(&group)).await.is(200);
    let limit = json!({ "scope": "/acme/research", "models": "own", "requests": 1, "per": "day" });
    let made = app.admin(Method::POST, "/api/v1/limits", Some(&limit)).await.is(201).json();
    assert_eq!(made["declared"], limit);
    let path = format!("/api/v1/limits/{}", made["id"]);
    app.ask(&secret, "assistant", "Tell me about rivers").await.is(200);
    app.ask(&secret, "assistant", "Tell me about rivers").await.refused(429, "rate_limited");
    app.settled().await;
    let got = app.admin(Method::GET, &path, None).await.is(200);
    assert_eq!((&got.json()["declared"], &got.json()["used"]), (&limit, &json!(1)));
    let held = app.admin(Method::DELETE, "/api/v1/model-groups/own", None).await.is(409).json();
    assert!(held["detail"].as_str().unwrap().contains("of its models"), "{held}");
    let mut wider = limit.clone();
    wider["requests"] = json!(9);
    as_seen(&app, got.header("etag").unwrap(), Method::PUT, &path, Some(&wider)).await.is(200);
    app.ask(&secret, "assistant", "Tell me about rivers").await.is(200);
    as_seen(&app, got.header("etag").unwrap(), Method::DELETE, &path, None).await.is(412);
    app.admin(Method::DELETE, &path, None).await.is(200);
    // What is counted names it.
    let gone = app.admin(Method::DELETE, "/api/v1/model-groups/own", None).await.is(200).json();
    assert_eq!(gone, json!({ "name": "own", "deleted": false }));
    app.admin(Method::GET, "/api/v1/model-groups/own", None).await.is(404);
    app.admin(Method::POST, &format!("/api/v1/keys/{key}/revoke"), None).await.is(200);
    assert_eq!(exported(&app).await, before);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_declared_by_its_id_and_keeps_its_secret() {
    let app = TestApp::start().await;
    let (id, secret) = app.create_key(json!({ "scope": "/acme/research", "name": "one" })).await;
    let path = format!("/api/v1/keys/{id}");
    let got = app.admin(Method::GET, &path, None).await.is(200);
    let declared = got.json()["declared"].clone();
    assert_eq!(declared["name"], "one", "{declared}");
    let mut narrow = declared.clone();
    narrow["models"] = json!(["nothing-of-that-name"]);
    narrow["requests_per_minute"] = json!(3);
    let tag = got.header("etag").unwrap();
    let put = as_seen(&app, tag, Method::PUT, &path, Some(&narrow)).await.is(200);
    assert_eq!(put.json()["declared"]["models"], narrow["models"]);
    app.ask(&secret, "assistant", "Tell me about rivers").await.is(404);
    as_seen(&app, tag, Method::PUT, &path, Some(&declared)).await.is(412);
    // Its own limit is declared with it alone.
    let limits = app.admin(Method::GET, "/api/v1/limits", None).await.is(200).json();
    let own = format!("/api/v1/limits/{}", limits["limits"][0]["id"]);
    let own_limit = app.admin(Method::GET, &own, None).await.is(200).json();
    assert_eq!((&own_limit["declared"], &own_limit["limit"]), (&Value::Null, &json!(3)));
    let refused = app.admin(Method::DELETE, &own, None).await.is(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("requests_per_minute"), "{refused}");

    for (field, value) in [("scope", "/acme/clinic"), ("name", "two")] {
        let mut other = declared.clone();
        other[field] = json!(value);
        let refused = app.admin(Method::PUT, &path, Some(&other)).await.is(400).json();
        assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{refused}");
    }
    let mut wrong = declared.clone();
    wrong["tags"] = json!([" y"]);
    let refused = app.admin(Method::PUT, &path, Some(&wrong)).await.is(400).json();
    assert_eq!(refused["errors"][0]["pointer"], "/tags", "{refused}");
    app.admin(Method::PUT, &path, Some(&declared)).await.is(200);
    app.ask(&secret, "assistant", "Tell me about rivers").await.is(200);
    app.admin(Method::POST, &format!("{path}/revoke"), None).await.is(200);
    let ended = app.admin(Method::GET, &path, None).await.is(200).json();
    assert_eq!(ended.get("declared"), None, "{ended}");
    app.admin(Method::PUT, &path, Some(&declared)).await.is(409);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declarations_at_the_same_time_are_each_whole_and_every_key_is_told() {
    let app = TestApp::start().await;
    let of = |team: usize| {
        let keys: Vec<Value> = (0..3)
            .map(|at| json!({ "scope": format!("/acme/team{team}"), "name": format!("k{at}") }))
            .collect();
        json!({ "keys": keys })
    };
    let declarations: Vec<Value> = (0..6).map(of).collect();
    let sent = declarations.iter().map(|body| app.admin(Method::POST, "/api/v1/apply", Some(body)));
    let mut told = 0;
    for reply in futures::future::join_all(sent).await {
        if reply.status == 409 {
            continue;
        }
        for key in reply.is(200).json()["created_keys"].as_array().unwrap() {
            app.ask(key["key"].as_str().unwrap(), "nothing-of-that-name", "x").await;
            told += 1;
        }
    }
    let now = exported(&app).await;
    let teams =
        now["keys"].as_array().unwrap().iter().filter(|it| it["scope"].as_str().unwrap().contains("/team"));
    assert_eq!(teams.count(), told, "each key that there is was told");
    assert!(told > 0 && told % 3 == 0, "{told}");
    app.finish().await;
}
