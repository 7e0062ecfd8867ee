//! Virtual keys: what each may send, from where, and how it ends.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::process::run;

const IMAGE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async fn post(app: &TestApp, path: &str, body: Value) -> crate::reply::Reply {
    app.admin(Method::POST, path, Some(&body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_above_the_ceiling_of_its_key_goes_nowhere_and_is_recorded() {
    let app = TestApp::start().await;
    let new = json!({ "scope": "/acme/research", "name": "low", "max_data_classes": ["personal"],
        "max_sensitivity": "internal", "environment": "staging" });
    let (_, key) = app.create_key(new).await;
    let send = async |headers: &[(&str, &str)], text: &str| {
        app.post(&key, "/v1/chat/completions", headers, message("assistant", text).to_string()).await
    };
    send(&[], "plain").await.is(200);
    send(&[("x-bailiwick-data-class", "personal")], "to zoe.quill@kunde.example").await.is(200);
    let before = app.received();
    let secret = "ghp_0123456789abcdefghijABCDEFGHIJ0K1L2m";
    for (headers, text, says) in [
        (vec![("x-bailiwick-data-class", "phi")], "x", "phi (header)"),
        (vec![], secret, "credentials (detected)"),
        (vec![("x-bailiwick-data-class", "confidential")], "x", "is confidential"),
        (vec![("x-bailiwick-data-class", "phi"), ("x-bailiwick-dry-run", "1")], "x", "phi (header)"),
    ] {
        let reply = send(&headers, text).await.refused(403, "policy_denied");
        let body = reply.json();
        assert!(body["error"]["message"].as_str().unwrap().contains(says), "{body}");
        assert!(body["bailiwick"]["fix"].as_str().unwrap().contains("max_"), "{body}");
        assert!(!reply.text().contains(secret));
        let records = app.records_of(&reply.decision()).await;
        assert_eq!(records.len(), 1, "{records:?}");
        let principal = &records[0].sections["principal"];
        assert_eq!(
            principal["ceiling"],
            json!({ "max_data_classes": ["personal"], "max_sensitivity": "internal" })
        );
        assert_eq!(principal["environment"], "staging");
        assert_eq!(records[0].sections["refusal"]["code"], "policy_denied");
    }
    // What nobody can read may hold anything.
    let new = json!({ "scope": "/acme/retail/support", "name": "low", "max_data_classes": ["personal"] });
    let (_, blind) = app.create_key(new).await;
    let mut image = message("assistant", "x");
    image["messages"][0]["content"] =
        json!([{ "type": "text", "text": "x" }, { "type": "image_url", "image_url": { "url": IMAGE } }]);
    let reply = app.chat(&blind, &image).await.refused(403, "policy_denied");
    assert!(reply.text().contains("cannot be read"), "{}", reply.text());
    let explained = app
        .post(
            &key,
            "/v1/decisions:explain",
            &[("x-bailiwick-data-class", "phi")],
            message("assistant", "x").to_string(),
        )
        .await
        .is(200)
        .json();
    assert_eq!(
        (&explained["allowed"], &explained["refusal"]["code"]),
        (&json!(false), &json!("policy_denied"))
    );
    assert_eq!(app.received(), before, "nothing left");
    app.finish().await;
}

/// Compiling thousands of rules is most of what a change costs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_or_a_kill_switch_leaves_the_policy_as_it_was_compiled() {
    let app = TestApp::start().await;
    let in_force = || app.app().gateway.snapshot.load_full();
    let before = in_force();
    app.create_key(json!({ "scope": "/acme/research", "name": "another" })).await;
    let with_key = in_force();
    assert_eq!(with_key.policy.endpoints().as_ptr(), before.policy.endpoints().as_ptr());
    let in_an_hour = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let order = json!({ "kind": "endpoint", "target": "*", "reason": "incident 7", "expires": in_an_hour.to_rfc3339() });
    post(&app, "/api/v1/kill-switches", order).await.is(201);
    let stopped = in_force();
    assert_eq!(stopped.policy.endpoints().as_ptr(), before.policy.endpoints().as_ptr());
    assert!(before.policy.kill_switches().is_empty() && stopped.policy.kill_switches().len() == 1);
    assert_ne!(before.policy.digests(), stopped.policy.digests());
    app.ask("research", "assistant", "x").await.refused(403, "no_eligible_endpoint");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_reaches_only_its_endpoints() {
    let app = TestApp::start().await;
    let new =
        json!({ "scope": "/acme/research", "name": "ends", "endpoints": ["mistral-*", "vllm-germany"] });
    let (id, key) = app.create_key(new).await;
    for _ in 0..4 {
        app.ask(&key, "assistant", "x").await.is(200);
    }
    let received: Vec<String> = app.received().into_keys().collect();
    assert!(received.iter().all(|name| name == "mistral-eu" || name == "vllm-germany"), "{received:?}");
    let decision = app.ask(&key, "assistant", "x").await.is(200).decision();
    let facts = app.records_of(&decision).await[0].sections["facts"].clone();
    assert_eq!(facts["allowed_endpoint_names"], json!(["mistral-eu", "vllm-germany"]), "{facts}");
    app.ask(&key, "gpt-4.1", "x").await.refused(404, "model_not_found");
    let models = app.get("/v1/models", &key).await.is(200).json();
    assert!(!models.to_string().contains("gpt-4.1"), "{models}");
    // Its successor has the same rights.
    let new = post(&app, &format!("/api/v1/keys/{id}/rotate"), json!({})).await.is(200).json();
    app.ask(new["key"].as_str().unwrap(), "gpt-4.1", "x").await.refused(404, "model_not_found");
    for wrong in [json!(["nowhere"]), json!(["a*b"])] {
        let new = json!({ "scope": "/acme/research", "name": "bad", "endpoints": wrong });
        let refused = post(&app, "/api/v1/keys", new).await.is(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("endpoints"), "{refused}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_good_only_from_its_networks() {
    let app = TestApp::with(|config| {
        config.trusted_proxies = vec![String::from("127.0.0.0/8")].try_into().unwrap();
    })
    .await;
    let new = json!({ "scope": "/acme/research", "name": "near",
        "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"] });
    let (id, key) = app.create_key(new).await;
    let from = async |forwarded: &str| {
        let body = message("assistant", "x").to_string();
        app.post(&key, "/v1/chat/completions", &[("x-forwarded-for", forwarded)], body).await
    };
    for inside in ["192.0.2.7", "::ffff:192.0.2.8", "2001:db8:7::1", "203.0.113.5, 192.0.2.9"] {
        let decision = from(inside).await.is(200).decision();
        let network = app.records_of(&decision).await[0].sections["network"].clone();
        let last = inside.rsplit(' ').next().unwrap().trim_start_matches("::ffff:");
        assert_eq!(network["client"], last);
    }
    let served = app.received();
    for outside in ["203.0.113.5", "192.0.2.7, 203.0.113.5", "::ffff:203.0.113.5", "2001:db9::1", "junk"] {
        let reply = from(outside).await.refused(403, "network_not_allowed");
        let body = reply.json();
        assert!(body["bailiwick"]["fix"].as_str().unwrap().contains("allowed_networks"), "{body}");
    }
    // The proxy itself is not in the list.
    app.ask(&key, "assistant", "x").await.refused(403, "network_not_allowed");
    app.get("/v1/models", &key).await.refused(403, "network_not_allowed");
    app.post(&key, "/v1/decisions:explain", &[], message("assistant", "x").to_string())
        .await
        .refused(403, "network_not_allowed");
    app.get("/v1/decisions/dec_none", &key).await.is(401);
    // Who has not the secret is not told where the key is good.
    let mut other = key.clone();
    other.replace_range(22.., &app.key("research")[22..]);
    app.ask(&other, "assistant", "x").await.refused(401, "invalid_api_key");
    assert_eq!(app.received(), served);

    let gateway = &app.app().gateway;
    gateway.refused.flush(&gateway.audit, gateway.clock.now_ms()).await.unwrap();
    let records = app.records().await;
    let refused: Vec<_> =
        records.iter().filter(|record| record.header.kind == "refused_authentication").collect();
    let count = |of: &dyn Fn(&Value) -> u64| -> u64 {
        refused.iter().map(|record| of(&record.sections["refused"])).sum()
    };
    assert_eq!(count(&|section| section["count"].as_u64().unwrap()), 9);
    assert_eq!(count(&|section| section["elsewhere"][&id].as_u64().unwrap_or(0)), 8);
    let clients: String = refused.iter().map(|record| record.sections["network"].to_string()).collect();
    assert!(clients.contains("203.0.113.5") && clients.contains("2001:db9::1"), "{clients}");

    for (wrong, says) in [
        (json!(["10.0.0.1/8"]), "did you mean `10.0.0.0/8`?"),
        (json!(["here"]), "no network"),
        (json!([]), "from nowhere"),
    ] {
        let new = json!({ "scope": "/acme/research", "name": "bad", "allowed_networks": wrong });
        let refused = post(&app, "/api/v1/keys", new).await.is(400).json();
        assert!(refused["detail"].as_str().unwrap().contains(says), "{refused}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_believed_about_an_address_who_is_not_trusted() {
    let app = TestApp::start().await;
    let new = |name: &str, network: &str| json!({ "scope": "/acme/research", "name": name, "allowed_networks": [network] });
    let (_, far) = app.create_key(new("far", "192.0.2.0/24")).await;
    let (_, near) = app.create_key(new("near", "127.0.0.1")).await;
    let headers =
        [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7"), ("x-real-ip", "192.0.2.7")];
    let body = message("assistant", "x").to_string();
    app.post(&far, "/v1/chat/completions", &headers, body.clone()).await.refused(403, "network_not_allowed");
    app.post(&near, "/v1/chat/completions", &headers, body).await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_key_is_refused_until_it_is_enabled_and_a_revoked_one_for_good() {
    let app = TestApp::start().await;
    let (id, old) = app.create_key(json!({ "scope": "/acme/research", "name": "switch" })).await;
    let new = post(&app, &format!("/api/v1/keys/{id}/rotate"), json!({})).await.is(200).json();
    let (new_id, new) = (new["id"].as_str().unwrap().to_owned(), new["key"].as_str().unwrap().to_owned());
    let path = |what: &str| format!("/api/v1/keys/{new_id}/{what}");
    for nothing in [json!({}), json!({ "reason": "  " })] {
        let refused = post(&app, &path("disable"), nothing).await.is(400).json();
        assert!(refused["fix"].as_str().unwrap().contains("reason"), "{refused}");
    }
    post(&app, &path("disable"), json!({ "reason": "x".repeat(501) })).await.is(400);
    let disabled = post(&app, &path("disable"), json!({ "reason": "runs wild" })).await.is(200).json();
    assert_eq!((&disabled["state"], &disabled["also"]), (&json!("disabled"), &json!([id])));
    for key in [&old, &new] {
        let reply = app.ask(key, "assistant", "x").await.refused(401, "invalid_api_key");
        assert!(reply.text().contains("disabled") && !reply.text().contains("wild"), "{}", reply.text());
    }
    post(&app, &path("rotate"), json!({})).await.is(409);
    app.admin(Method::POST, &path("enable"), None).await.is(200);
    app.ask(&new, "assistant", "x").await.is(200);
    app.ask(&old, "assistant", "x").await.is(200);

    // One that was disabled by itself stays so.
    post(&app, &format!("/api/v1/keys/{id}/disable"), json!({ "reason": "only the old one" })).await.is(200);
    post(&app, &path("disable"), json!({ "reason": "both" })).await.is(200);
    app.admin(Method::POST, &path("enable"), None).await.is(200);
    app.ask(&new, "assistant", "x").await.is(200);
    app.ask(&old, "assistant", "x").await.refused(401, "invalid_api_key");

    let revoked = post(&app, &path("revoke"), json!({ "reason": "left the company" })).await.is(200).json();
    assert_eq!(revoked["revoked_because"], "left the company");
    for what in ["enable", "disable"] {
        post(&app, &path(what), json!({ "reason": "x" })).await.is(409);
    }
    app.ask(&new, "assistant", "x").await.refused(401, "invalid_api_key");
    let listed = |query: &str| {
        let path = format!("/api/v1/keys?{query}");
        let app = &app;
        async move { app.admin(Method::GET, &path, None).await.is(200).json()["keys"].as_array().unwrap().len() }
    };
    assert_eq!(listed("state=revoked&scope=/acme/research").await, 2);
    assert_eq!(listed("state=disabled").await, 0);
    app.admin(Method::GET, "/api/v1/keys?state=lost", None).await.is(400);
    app.admin(Method::GET, "/api/v1/keys?stat=valid", None).await.is(400);
    let acts: Vec<String> = app
        .records()
        .await
        .iter()
        .filter_map(|record| record.sections.get("act")?["act"].as_str().map(str::to_owned))
        .filter(|act| act.starts_with("key_") && act != "key_created")
        .collect();
    let expected = "key_rotated key_disabled key_enabled key_disabled key_disabled key_enabled key_revoked \
        key_disabled key_rotated key_enabled";
    for act in expected.split_whitespace() {
        assert!(acts.iter().any(|done| done == act), "{act}: {acts:?}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_are_made_at_once_or_none() {
    let app = TestApp::start().await;
    let count = async || {
        app.admin(Method::GET, "/api/v1/keys", None).await.is(200).json()["keys"].as_array().unwrap().len()
    };
    let before = count().await;
    let good = json!([
        { "scope": "/acme/research", "name": "b1", "tags": ["fleet", "eu"], "environment": "production" },
        { "scope": "/acme/research", "name": "b2", "tags": ["fleet"], "budget_usd": "0" },
        { "scope": "/acme/clinic", "name": "b1", "owner": "u-1" },
    ]);
    let with = |key: Value| {
        let mut keys = good.clone();
        keys.as_array_mut().unwrap().push(key);
        keys
    };
    for (keys, says) in [
        (json!([]), "1 to 500"),
        (json!({ "scope": "/acme", "name": "x" }), "sequence"),
        (with(json!({ "scope": "/acme/research" })), "key 4 of the array: `/name`: missing field `name`"),
        (with(json!({ "scope": "/acme/research", "name": "b2" })), "twice"),
        (with(json!({ "scope": "/acme/research", "name": "b9", "budget_usd": "-1" })), "key 4 of the array"),
        (with(json!({ "scope": "/acme/research", "name": "b9", "models": ["none"] })), "key `b9`"),
        (with(json!({ "scope": "/acme/research", "name": "b9", "requests_per_minute": 0 })), "nonzero"),
        (with(json!({ "scope": "/acme/research", "name": "b9", "tags": [" x"] })), "`tags`"),
        (
            with(json!({ "scope": "/acme/research", "name": "b9", "roles": ["lead"] })),
            "unknown field `roles`",
        ),
        (
            with(
                json!({ "scope": "/acme/research", "name": "b9", "max_data_classes": [], "data_classes": ["phi"] }),
            ),
            "refuses that",
        ),
        (Value::Array(vec![json!({ "scope": "/acme/research", "name": "x" }); 501]), "1 to 500"),
    ] {
        let refused = post(&app, "/api/v1/keys:bulk", keys).await.is(400);
        assert!(refused.text().contains(says), "{says}: {}", refused.text());
    }
    post(&app, "/api/v1/keys:bulk", with(json!({ "scope": "/nowhere", "name": "b9" }))).await.is(404);
    assert_eq!(count().await, before, "nothing is half done");

    let made = post(&app, "/api/v1/keys:bulk", good.clone()).await.is(201).json();
    let keys: Vec<&Value> = made["keys"].as_array().unwrap().iter().collect();
    assert_eq!(keys.len(), 3);
    app.ask(keys[0]["key"].as_str().unwrap(), "assistant", "x").await.is(200);
    app.ask(keys[1]["key"].as_str().unwrap(), "gpt-4.1", "x").await.refused(429, "budget_exceeded");
    post(&app, "/api/v1/keys:bulk", good).await.is(409);
    let listed = app.admin(Method::GET, "/api/v1/keys?tag=fleet", None).await.is(200);
    assert_eq!(listed.json()["keys"].as_array().unwrap().len(), 2);
    for key in &keys {
        assert!(!listed.text().contains(key["key"].as_str().unwrap()), "shown once");
    }
    let records = app.records().await;
    let acts: Vec<&Value> = records
        .iter()
        .filter_map(|record| record.sections.get("act"))
        .filter(|act| act["act"] == "keys_created")
        .collect();
    assert_eq!(acts.len(), 1);
    assert_eq!(acts[0]["what"]["keys"].as_array().unwrap().len(), 3);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_a_key_can_end_it_and_learns_nothing_else() {
    let app = TestApp::start().await;
    let (id, key) = app.create_key(json!({ "scope": "/acme/research", "name": "leaked" })).await;
    let present = async |key: &str| {
        let url = format!("{}/api/v1/keys:revoke-presented", app.url());
        let body = json!({ "key": key, "reason": "seen in a public repository" });
        crate::reply::read(app.client.post(url).json(&body).send().await.unwrap()).await
    };
    // An id with another's secret, a key of nobody, one with a slip, something else: one answer, byte for byte.
    let mut slip = key.clone();
    slip.replace_range(key.len() - 1.., if key.ends_with('a') { "b" } else { "a" });
    let elsewhere = TestApp::start().await;
    let wrong =
        [slip, elsewhere.key("research"), String::from("sk-1234"), String::new(), "x".repeat(100_000)];
    elsewhere.finish().await;
    let mut answers = Vec::new();
    for wrong in &wrong {
        answers.push(present(wrong).await.is(404).text().to_owned());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    app.ask(&key, "assistant", "x").await.is(200);

    let done = present(&key).await.is(200).json();
    assert_eq!((&done["id"], &done["already"]), (&json!(id), &json!(false)));
    app.ask(&key, "assistant", "x").await.refused(401, "invalid_api_key");
    for _ in 0..20 {
        assert_eq!(present(&key).await.is(200).json()["already"], true);
        present("bwk_nothing").await.is(404);
    }
    let gateway = &app.app().gateway;
    gateway.refused.flush(&gateway.audit, gateway.clock.now_ms()).await.unwrap();
    let all = app.records().await;
    let acts: Vec<_> = all
        .iter()
        .filter(|record| record.sections.get("act").is_some_and(|act| act["act"] == "key_revoked"))
        .collect();
    let [act] = acts[..] else { panic!("a flood is no flood of records: {acts:?}") };
    assert_eq!(act.id("principal"), Some(format!("key:{id}").as_str()));
    assert_eq!(act.sections["act"]["what"]["presented"], true);
    assert_eq!(act.sections["act"]["what"]["reason"], "seen in a public repository");
    let listed = app.admin(Method::GET, "/api/v1/keys?state=revoked", None).await.is(200).text().to_owned();
    assert!(listed.contains("seen in a public repository"), "{listed}");

    // A body that is not understood is not repeated.
    let url = format!("{}/api/v1/keys:revoke-presented", app.url());
    let odd = app.client.post(url).json(&json!({ "keys": key })).send().await.unwrap();
    let odd = crate::reply::read(odd).await.is(400);
    assert!(!odd.text().contains(&key));
    assert!(!crate::app::logs().contains(&key[22..]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_use_of_a_key_is_known_and_costs_no_write_a_request() {
    let app = TestApp::start().await;
    let (id, key) = app.create_key(json!({ "scope": "/acme/research", "name": "used" })).await;
    let last_used = async || {
        let keys = app.admin(Method::GET, "/api/v1/keys", None).await.is(200).json();
        keys["keys"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()["last_used_ms"].clone()
    };
    assert_eq!(last_used().await, Value::Null);
    let before = app.app().gateway.clock.now_ms();
    let revision = bailiwick::store::revision::current(&app.app().store).await.unwrap();
    app.ask(&key, "assistant", "x").await.is(200);
    let at = last_used().await.as_i64().unwrap();
    assert!(at >= before && at <= app.app().gateway.clock.now_ms());
    app.ask(&key, "assistant", "x").await.is(200);
    assert_eq!(bailiwick::store::revision::current(&app.app().store).await.unwrap(), revision);
    let told = bailiwick::store::keys::last_used(&app.app().store).await.unwrap();
    assert!(!told.contains_key(&id), "written down now and then, not by the request");
    // A wrong secret is no use.
    let (other, _) = app.create_key(json!({ "scope": "/acme/research", "name": "unused" })).await;
    app.ask(&format!("bwk_{other}_{}", "x".repeat(49)), "assistant", "x").await.is(401);
    let folder = app.finish().await;
    if !crate::support::database::on_postgres() {
        let store =
            bailiwick::store::Store::open_file(&folder.path().join("data/bailiwick.db")).await.unwrap();
        let told = bailiwick::store::keys::last_used(&store).await.unwrap();
        assert!(told[&id] >= at && !told.contains_key(&other), "{told:?}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_declares_what_a_key_may_do() {
    let app = TestApp::start().await;
    let declare = |field: Value| {
        let mut key = json!({ "scope": "/acme/research", "name": "filed" });
        key.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
        json!({ "keys": [key] })
    };
    for (field, says) in [
        (json!({ "allowed_networks": ["10.0.0.0/99"] }), "no network"),
        (json!({ "max_data_classes": ["secret"] }), "secret"),
        (json!({ "max_sensitivity": "public", "sensitivity": "internal" }), "refuses that"),
        (json!({ "endpoints": ["*-x"] }), "not at its end"),
        (json!({ "environment": "" }), "`environment`"),
        (json!({ "tags": ["a\u{7}b"] }), "`tags`"),
        (json!({ "subject_regions": ["Atlantis"] }), "Atlantis"),
    ] {
        let refused = post(&app, "/api/v1/apply", declare(field.clone())).await.is(400);
        assert!(refused.text().contains(says), "{field}: {}", refused.text());
    }
    let applied = app.apply(declare(json!({ "max_data_classes": [] }))).await;
    let key = applied["created_keys"][0]["key"].as_str().unwrap();
    app.ask(key, "assistant", "x").await.is(200);
    let reply =
        app.ask(key, "assistant", "write to zoe.quill@kunde.example").await.refused(403, "policy_denied");
    assert!(reply.text().contains("no data of any class"), "{}", reply.text());
    app.apply(declare(json!({}))).await;
    app.ask(key, "assistant", "write to zoe.quill@kunde.example").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_does_all_of_it() {
    let app = TestApp::start().await;
    let remote = Some((app.url().to_owned(), app.token().to_owned()));
    let cli = async |words: &[&str], input: &str| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (remote, input) = (remote.clone(), input.to_owned());
        tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run(&words, remote.as_ref().map(|(url, token)| (url.as_str(), token.as_str())), &input)
        })
        .await
        .unwrap()
    };
    let list =
        "- { scope: /acme/research, name: c1, tags: [fleet] }\n- { scope: /acme/research, name: c2 }\n";
    let made = cli(&["keys", "bulk-create", "-", "--json"], list).await.is(0).json();
    let (id, key) = (made["keys"][0]["id"].as_str().unwrap(), made["keys"][0]["key"].as_str().unwrap());
    app.ask(key, "assistant", "x").await.is(200);
    let failed = cli(&["keys", "bulk-create", "-"], list).await.is(1);
    assert!(failed.err.contains("rotate or revoke"), "{failed:?}");
    let listed = cli(&["keys", "list", "--tag", "fleet"], "").await.is(0);
    assert!(listed.out.contains(id) && !listed.out.contains("c2"), "{listed:?}");
    cli(&["keys", "disable", id], "").await.is(2);
    assert!(cli(&["keys", "disable", id, "--reason", "wild"], "").await.is(0).out.contains("is disabled"));
    app.ask(key, "assistant", "x").await.is(401);
    cli(&["keys", "enable", id], "").await.is(0);
    app.ask(key, "assistant", "x").await.is(200);
    let ended = cli(&["keys", "revoke-presented"], &format!("{key}\n")).await.is(0);
    assert!(ended.out.contains(id), "{ended:?}");
    app.ask(key, "assistant", "x").await.is(401);
    cli(&["keys", "revoke-presented"], "bwk_nothing").await.is(1);
    let words = [
        "keys",
        "create",
        "--scope",
        "/acme/research",
        "--name",
        "c3",
        "--max-data-classes",
        "personal",
        "--max-sensitivity",
        "internal",
        "--allowed-networks",
        "127.0.0.0/8,::1",
        "--environment",
        "test",
        "--tags",
        "a,b",
        "--endpoints",
        "vllm-*",
        "--purposes",
        "research",
        "--subject-regions",
        "EU",
        "--data-classes",
        "personal",
        "--sensitivity",
        "internal",
        "--requests-per-minute",
        "100",
        "--owner",
        "u-1",
        "--json",
    ];
    let created = cli(&words, "").await.is(0).json();
    app.ask(created["key"].as_str().unwrap(), "assistant", "x").await.is(200);
    let id = created["id"].as_str().unwrap();
    let revoked = cli(&["keys", "revoke", id, "--reason", "done", "--json"], "").await.is(0).json();
    assert_eq!(revoked["revoked_because"], "done");
    app.finish().await;
}

/// The rules that exclude endpoints for a model, as its client is told.
fn excluded_by(reply: &crate::reply::Reply) -> Vec<String> {
    let excluded = reply.json()["bailiwick"]["excluded"].clone();
    let rules = excluded.as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap().to_owned());
    rules.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purpose_that_a_key_may_declare_decides_and_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "id: studies-stay-at-home\ntitle: Studies stay on our own machines\nbecause: [house policy]\n\
                scope: /acme/research\nwhen: { purpose: [study] }\nrequire: { hosting: on_premises }\n";
    crate::policy::bundle(folder.path(), &[("rules/studies.yaml", rule.to_owned())]);
    let app = TestApp::with(|config| config.bundle = Some(folder.path().to_owned())).await;
    let new = json!({ "scope": "/acme/research", "name": "may", "purposes": ["study", "teaching"] });
    let (_, may) = app.create_key(new).await;
    let (_, may_not) = app.create_key(json!({ "scope": "/acme/research", "name": "may not" })).await;
    let send = async |key: &str, model: &str, purpose: &str| {
        let headers = [("x-bailiwick-purpose", purpose)];
        let headers = if purpose.is_empty() { &headers[..0] } else { &headers[..] };
        app.post(key, "/v1/chat/completions", headers, message(model, "x").to_string()).await
    };
    // Elsewhere than at home it goes with a purpose that no rule asks about.
    assert_eq!(send(&may, "gpt-4.1", "teaching").await.is(200).endpoint(), "azure-sweden");
    let before = app.received();
    // What nobody declared may be a study.
    for purpose in ["study", ""] {
        let reply = send(&may, "gpt-4.1", purpose).await.refused(403, "no_eligible_endpoint");
        assert!(excluded_by(&reply).contains(&String::from("studies-stay-at-home")), "{}", reply.text());
    }
    // A key that may not declare it is told so, and nothing is taken for no purpose.
    for (key, purpose) in [(&may_not, "study"), (&may, "leisure")] {
        let reply = send(key, "assistant", purpose).await.is(400);
        assert!(reply.text().contains("may not declare that purpose"), "{}", reply.text());
    }
    assert_eq!(app.received(), before, "nothing left");
    let reply = send(&may, "assistant", "study").await.is(200);
    assert_eq!(reply.endpoint(), "vllm-germany");
    let record = app.records_of(&reply.decision()).await.swap_remove(0);
    assert_eq!(record.sections["facts"]["purpose"], "study", "{:?}", record.sections["facts"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_declares_of_its_data_decides_where_no_header_and_no_text_says_it() {
    let app = TestApp::start().await;
    let key = async |name: &str, field: &str, value: &str| {
        let mut new = json!({ "scope": "/acme/research", "name": name });
        if !field.is_empty() {
            new[field] = json!([value]);
        }
        app.create_key(new).await.1
    };
    let plain = key("plain", "", "").await;
    let health = key("health", "data_classes", "phi").await;
    let european = key("european", "subject_regions", "DE").await;
    let person = "Write to zoe.quill@kunde.example about it";
    for text in ["Public knowledge", person] {
        app.ask(&plain, "gpt-4.1-mini", text).await.is(200);
    }
    // Where the person lives counts only of what is about a person.
    app.ask(&european, "gpt-4.1-mini", "Public knowledge").await.is(200);
    assert_eq!(app.received().into_keys().collect::<Vec<_>>(), ["openai-us"]);
    app.forget();
    for (key, text, rule) in [
        (&health, "Public knowledge", "phi-needs-a-baa"),
        (&european, person, "eu-personal-data-stays-in-the-eu"),
    ] {
        let reply = app.ask(key, "gpt-4.1-mini", text).await.refused(403, "no_eligible_endpoint");
        assert!(excluded_by(&reply).contains(&rule.to_owned()), "{rule}: {}", reply.text());
    }
    assert!(app.received().is_empty(), "{:?}", app.received());
    // Nobody has an agreement on health data for this scope. Personal data has somewhere to go.
    app.ask(&health, "assistant", "Public knowledge").await.refused(403, "no_eligible_endpoint");
    let reply = app.ask(&european, "assistant", person).await.is(200);
    assert!(["vllm-germany", "bedrock-eu"].contains(&reply.endpoint()), "{}", reply.endpoint());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overlap_of_a_rotation_ends_by_the_clock() {
    let app = TestApp::start().await;
    let rotated = async |name: &str, overlap: Value| {
        let (id, old) = app.create_key(json!({ "scope": "/acme/research", "name": name })).await;
        let new = post(&app, &format!("/api/v1/keys/{id}/rotate"), overlap).await.is(200).json();
        (old, new["key"].as_str().unwrap().to_owned())
    };
    let (short, after_short) = rotated("short", json!({ "overlap_hours": 1 })).await;
    let (usual, after_usual) = rotated("usual", json!({})).await;
    let clock = app.app().gateway.clock.clone();
    let later = |minutes: i64| clock.raise_to(clock.now_ms() + minutes * 60_000);
    for key in [&short, &after_short, &usual, &after_usual] {
        app.ask(key, "assistant", "x").await.is(200);
    }
    later(30);
    app.ask(&short, "assistant", "x").await.is(200);
    later(90);
    app.ask(&short, "assistant", "x").await.refused(401, "invalid_api_key");
    for key in [&after_short, &usual, &after_usual] {
        app.ask(key, "assistant", "x").await.is(200);
    }
    later(23 * 60);
    app.ask(&usual, "assistant", "x").await.refused(401, "invalid_api_key");
    for key in [&after_short, &after_usual] {
        app.ask(key, "assistant", "x").await.is(200);
    }
    app.finish().await;
}
