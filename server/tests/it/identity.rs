//! Sessions, service tokens, the break-glass account, and the answers to "why may they".

use std::time::Duration;

use bailiwick::identity::{
    CSRF_HEADER, NewSession, SessionConfig, SessionCookie, hash_password, new_setup_link,
};
use bailiwick::store;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, logs, metrics, stored};
use crate::reply::{Reply, read};

/// `name=value` of the session's cookie that an answer sets, if it sets one.
pub(crate) fn session_cookie(reply: &Reply) -> Option<String> {
    let set = reply.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pair =
        set.filter_map(|value| value.split(';').next()).find(|pair| pair.starts_with("__Host-bailiwick="));
    pair.filter(|pair| !pair.ends_with('=')).map(str::to_owned)
}

/// A browser's request.
pub(crate) async fn browse(
    app: &TestApp,
    method: Method,
    path: &str,
    cookie: &str,
    body: Option<&Value>,
) -> Reply {
    let mut request = app.client.request(method, format!("{}{path}", app.url()));
    request = request.header(COOKIE, cookie).header(ORIGIN, app.url()).header("accept", "text/html");
    if let Some(csrf) = csrf(app, cookie).await {
        request = request.header(CSRF_HEADER, csrf);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    read(request.send().await.unwrap()).await
}

pub(crate) async fn me(app: &TestApp, cookie: &str) -> Reply {
    read(app.client.get(format!("{}/api/v1/me", app.url())).header(COOKIE, cookie).send().await.unwrap())
        .await
}

async fn csrf(app: &TestApp, cookie: &str) -> Option<String> {
    let me = me(app, cookie).await;
    (me.status == 200).then(|| me.json()["session"]["csrf"].as_str().unwrap().to_owned())
}

/// An owner's session, by a set-up link.
pub(crate) async fn owner(app: &TestApp, before: &str) -> String {
    let link = new_setup_link(&app.app().store, app.app().gateway.clock.now_ms()).await.unwrap();
    let request = app.client.get(format!("{}{link}", app.url())).header(COOKIE, before);
    let reply = read(request.send().await.unwrap()).await.is(303);
    session_cookie(&reply).unwrap()
}

/// The session of a person who has these roles everywhere.
pub(crate) async fn person(app: &TestApp, id: &str, roles: &[&str]) -> String {
    let now_ms = app.app().gateway.clock.now_ms();
    let person = store::people::Person {
        id: id.to_owned(),
        subject: None,
        email: None,
        display_name: None,
        roles: json!(roles),
        created_ms: now_ms,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    };
    store::people::create(&app.app().store, person).await.unwrap();
    let session = format!("cs_{id}");
    let session = NewSession {
        id: &session,
        person: id,
        method: "setup_link",
        expires_ms: now_ms + 3_600_000,
        authenticated_ms: Some(now_ms),
        ..NewSession::default()
    };
    let cookie = SessionCookie::begin(&app.app().store, session, now_ms).await.unwrap();
    let cookie = cookie.set(&SessionConfig::default()).unwrap();
    cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Moves a session's times, as if they had passed.
pub(crate) async fn age(app: &TestApp, column: &str, hours: i64) {
    let statement = format!("UPDATE sessions SET {column} = {column} - {}", hours * 3_600_000);
    crate::acts::sql(&app.data(), &statement).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_by_disuse_by_age_by_sign_out_and_by_hand() {
    let app = TestApp::start().await;
    let cookie = owner(&app, "").await;
    let told = me(&app, &cookie).await.is(200).json();
    assert_eq!(told["roles"][0], json!({ "role": "admin", "scope": "/" }), "{told}");
    // A sign-in is a new session, and the browser's old one is over.
    let next = owner(&app, &cookie).await;
    assert_ne!(cookie, next);
    me(&app, &cookie).await.is(401);
    age(&app, "seen_ms", 1).await;
    me(&app, &next).await.is(401);
    let idle = owner(&app, "").await;
    me(&app, &idle).await.is(200);
    // Used all the time, and over after twelve hours.
    age(&app, "expires_ms", 12).await;
    me(&app, &idle).await.is(401);

    let (mine, other) = (owner(&app, "").await, owner(&app, "").await);
    let listed = browse(&app, Method::GET, "/api/v1/sessions", &mine, None).await.is(200).json();
    let listed = listed["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed.iter().filter(|session| session["this"] == true).count(), 1);
    let others = listed.iter().find(|session| session["this"] == false).unwrap()["id"].as_str().unwrap();
    browse(&app, Method::DELETE, &format!("/api/v1/sessions/{others}"), &mine, None).await.is(200);
    me(&app, &other).await.is(401);
    browse(&app, Method::DELETE, &format!("/api/v1/sessions/{others}"), &mine, None).await.is(404);

    let token = csrf(&app, &mine).await.unwrap();
    let out = |csrf: &str| {
        let request = app.client.post(format!("{}/auth/sign-out", app.url())).header(COOKIE, &mine);
        read_form(request.header(ORIGIN, app.url()).body(format!("csrf={csrf}")))
    };
    out("").await.is(403);
    out("forged").await.is(403);
    me(&app, &mine).await.is(200);
    let reply = out(&token).await.is(303);
    assert!(reply.header("set-cookie").unwrap().contains("Max-Age=0"));
    me(&app, &mine).await.is(401);
    let records = app.records().await;
    for act in ["setup_link", "session_ended", "sign_out"] {
        assert!(
            records.iter().any(|record| record.sections.get("act").is_some_and(|of| of["act"] == act)),
            "{act}"
        );
    }
    app.finish().await;
}

async fn read_form(request: reqwest::RequestBuilder) -> Reply {
    read(request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_session_carries_origin_and_token() {
    let app = TestApp::start().await;
    let cookie = owner(&app, "").await;
    let token = csrf(&app, &cookie).await.unwrap();
    assert!(!cookie.contains(&token), "the one is not the other");
    let change = |origin: Option<&str>, csrf: Option<&str>, kind: &str| {
        let mut request = app.client.post(format!("{}/api/v1/keys", app.url())).header(COOKIE, &cookie);
        for (name, value) in [("origin", origin), ("x-csrf-token", csrf)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let body = json!({ "scope": "/acme/research", "name": "by session" }).to_string();
        let request = request.header("content-type", kind).body(body);
        async { read(request.send().await.unwrap()).await }
    };
    let (own, json) = (Some(app.url()), "application/json");
    for (origin, given, kind, code) in [
        (Some("https://evil.example"), Some(token.as_str()), json, "cross_origin"),
        (None, Some(token.as_str()), json, "cross_origin"),
        (own, None, json, "csrf"),
        (own, Some(""), json, "csrf"),
        (own, Some("forged"), json, "csrf"),
        (own, None, "application/x-www-form-urlencoded", "csrf"),
        (own, None, "text/plain", "csrf"),
    ] {
        let reply = change(origin, given, kind).await.is(403);
        assert_eq!(reply.json()["code"], code, "{origin:?} {given:?} {kind}");
    }
    change(own, Some(&token), json).await.is(201);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dangerous_needs_a_recent_sign_in() {
    let app = TestApp::start().await;
    let cookie = owner(&app, "").await;
    let new = json!({ "name": "ci", "roles": ["viewer"] });
    let create = || browse(&app, Method::POST, "/api/v1/service-tokens", &cookie, Some(&new));
    create().await.is(201);
    age(&app, "authenticated_ms", 1).await;
    let refused = create().await.is(403).json();
    assert_eq!(refused["code"], "step_up_required", "{refused}");
    browse(&app, Method::GET, "/api/v1/service-tokens", &cookie, None).await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_token_is_made_used_replaced_and_revoked() {
    let app = TestApp::start().await;
    let path = "/api/v1/service-tokens";
    let post = |token: &str, path: &str, body: Value| {
        let request = app.client.post(format!("{}{path}", app.url())).bearer_auth(token).json(&body);
        async { read(request.send().await.unwrap()).await }
    };
    let new = |scope: &str, roles: &[&str]| json!({ "name": "ci", "scope": scope, "roles": roles });
    let made = post(app.token(), path, new("/acme/clinic", &["admin"])).await.is(201).json();
    let (id, clinic) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    app.get("/api/v1/keys", clinic).await.is(200);

    // Nobody gives what they do not have.
    post(clinic, path, new("/acme/clinic", &["viewer"])).await.is(201);
    post(clinic, path, new("/acme/clinic", &["owner"])).await.is(403);
    post(clinic, path, new("/acme/research", &["viewer"])).await.is(404);
    post(clinic, path, new("/", &["viewer"])).await.is(403);
    for (body, says) in [
        (json!({ "name": " ", "roles": ["viewer"] }), "name"),
        (json!({ "name": "x", "roles": [] }), "roles"),
        (json!({ "name": "x", "roles": ["viewr"] }), "viewer"),
        (json!({ "name": "x", "roles": ["viewer"], "expires": "2001-01-01T00:00:00Z" }), "past"),
        (json!({ "name": "x", "roles": ["viewer"], "expires": "2101-01-01T00:00:00Z" }), "365"),
        (json!({ "name": "x", "roles": ["viewer"], "scope": "acme" }), "scope"),
        (json!({ "name": "x", "roles": ["viewer"], "more": 1 }), "more"),
    ] {
        let reply = post(app.token(), path, body.clone()).await.is(400);
        assert!(reply.text().contains(says), "{body}: {}", reply.text());
    }

    // The old one works on for the overlap, and no longer.
    let next =
        post(clinic, &format!("{path}/{id}/rotate"), json!({ "overlap_hours": 1 })).await.is(200).json();
    let next_token = next["token"].as_str().unwrap();
    app.get("/api/v1/keys", clinic).await.is(200);
    app.get("/api/v1/keys", next_token).await.is(200);
    post(next_token, &format!("{path}/{id}/rotate"), json!({})).await.is(409);
    crate::acts::sql(&app.data(), &format!("UPDATE service_tokens SET expires_ms = 1 WHERE id = '{id}'"))
        .await;
    app.get("/api/v1/keys", clinic).await.is(401);
    let next_id = next["id"].as_str().unwrap();
    post(app.token(), &format!("{path}/{next_id}/revoke"), json!({})).await.is(200);
    app.get("/api/v1/keys", next_token).await.is(401);
    let listed = app.get(path, app.token()).await.is(200).json();
    let listed = listed["service_tokens"].as_array().unwrap();
    let state = |id: &str| listed.iter().find(|token| token["id"] == id).unwrap()["state"].clone();
    assert_eq!((state(id), state(next_id)), (json!("expired"), json!("revoked")));
    let records = app.records().await;
    for act in ["service_token_created", "service_token_rotated", "service_token_revoked"] {
        assert!(
            records.iter().any(|record| record.sections.get("act").is_some_and(|of| of["act"] == act)),
            "{act}"
        );
    }
    let secrets: Vec<String> =
        [clinic, next_token].map(|token| token.rsplit('_').next().unwrap().to_owned()).to_vec();
    let folder = app.finish().await;
    for secret in secrets {
        assert!(!logs().contains(&secret));
        assert_eq!(stored(folder.path(), &secret).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_names_the_lines_and_routes_behind_it() {
    let app = TestApp::start().await;
    let ask = |question: &'static str| {
        let (app, path) = (&app, format!("/api/v1/roles/explain?{question}"));
        async move { app.get(&path, app.token()).await }
    };
    let said = ask("subject=role:developer&action=console:keys/read").await.is(200).json();
    assert_eq!((&said["allowed"], &said["where"]), (&json!(true), &json!(["/"])), "{said}");
    assert!(said["grants"][0]["line"].as_u64().is_some_and(|line| line > 5), "{said}");
    assert!(said["routes"].as_array().unwrap().contains(&json!("GET /api/v1/keys")), "{said}");
    let said = ask("subject=role:auditor&action=console:keys/create&scope=/acme").await.is(200).json();
    assert_eq!((&said["allowed"], &said["where"]), (&json!(false), &json!([])), "{said}");
    let cookie = owner(&app, "").await;
    let person = me(&app, &cookie).await.json()["subject"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/roles/explain?subject={person}&action=console:tokens/create");
    assert_eq!(app.get(&path, app.token()).await.is(200).json()["allowed"], true);
    // Who may not sign in may do nothing, from now on.
    let id = person.strip_prefix("user:").unwrap();
    let why = json!({ "reason": "gone" });
    app.admin(Method::POST, &format!("/api/v1/people/{id}/disable"), Some(&why)).await.is(200);
    me(&app, &cookie).await.is(401);
    assert_eq!(app.get(&path, app.token()).await.is(200).json()["allowed"], false);
    app.admin(Method::POST, &format!("/api/v1/people/{id}/enable"), None).await.is(200);
    me(&app, &cookie).await.is(401);
    assert_eq!(app.get(&path, app.token()).await.is(200).json()["allowed"], true);
    ask("subject=nobody@acme.example&action=console:keys/read").await.is(404);
    ask("subject=role:x&action=keys").await.is(400);
    ask("subject=planet:x&action=a/b").await.is(400);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_break_glass_account_is_off_until_configured_and_loud() {
    const PASSWORD: &str = "open-sesame-only-in-need";
    let post = |app: &TestApp, password: &str, origin: Option<String>| {
        let mut request = app.client.post(format!("{}/auth/break-glass", app.url()));
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        read_form(request.body(format!("password={password}")))
    };
    let app = TestApp::start().await;
    let own = Some(app.url().to_owned());
    post(&app, PASSWORD, own).await.is(404);
    app.finish().await;

    let hash = hash_password(PASSWORD).unwrap();
    let shown = hash.clone();
    let app = TestApp::with(move |config| {
        config.identity.break_glass = Some(bailiwick::identity::BreakGlassConfig { password_hash: hash });
    })
    .await;
    let own = || Some(app.url().to_owned());
    post(&app, PASSWORD, None).await.is(403);
    post(&app, PASSWORD, Some(String::from("https://evil.example"))).await.is(403);
    let began = std::time::Instant::now();
    let wrong = post(&app, "guess", own()).await.is(403);
    assert!(session_cookie(&wrong).is_none());
    assert!(began.elapsed() >= Duration::from_millis(900), "a guess takes its time");
    let entered = post(&app, PASSWORD, own()).await.is(303);
    let cookie = session_cookie(&entered).unwrap();
    assert_eq!(me(&app, &cookie).await.is(200).json()["subject"], "user:break_glass");
    let sessions = browse(&app, Method::GET, "/api/v1/sessions", &cookie, None).await.is(200).json();
    let session = &sessions["sessions"][0];
    let lasts = session["expires_ms"].as_i64().unwrap() - session["created_ms"].as_i64().unwrap();
    assert_eq!(lasts, 3_600_000);
    let records = app.records().await;
    let broken =
        records.iter().find(|record| record.sections.get("act").is_some_and(|of| of["act"] == "break_glass"));
    assert_eq!(broken.unwrap().header.kind, "sign_in");
    assert!(logs().contains("BREAK-GLASS: the break-glass account has been used"));
    assert!(metrics().contains("bailiwick_break_glass_total{result=\"used\"}"));
    // What is refused is counted, and told once a minute or at the end.
    app.app().gateway.flush_refused().await.unwrap();
    let records = app.records().await;
    let refused = records.iter().rfind(|record| record.header.kind == "refused_authentication").unwrap();
    assert_eq!(refused.sections["refused"]["sign_ins"]["break_glass/wrong_password"], 1);
    let folder = app.finish().await;
    for secret in [PASSWORD, &shown] {
        assert!(!logs().contains(secret));
        assert_eq!(stored(folder.path(), secret).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_guesses_does_not_keep_the_right_password_out() {
    const PASSWORD: &str = "open-sesame-only-in-need";
    let hash = hash_password(PASSWORD).unwrap();
    let app = TestApp::with(move |config| {
        config.identity.break_glass = Some(bailiwick::identity::BreakGlassConfig { password_hash: hash });
        config.trusted_proxies = vec![String::from("127.0.0.1/32")].try_into().unwrap();
    })
    .await;
    let post = |from: String, password: &str| {
        let request = app.client.post(format!("{}/auth/break-glass", app.url())).header(ORIGIN, app.url());
        read_form(request.header("x-forwarded-for", from).body(format!("password={password}")))
    };
    // Of two guesses from one place at once, one is looked at.
    let (one, other) = tokio::join!(post("192.0.2.1".into(), "guess"), post("192.0.2.1".into(), "guess"));
    let codes = [one, other].map(|reply| reply.text().contains("wrong_password"));
    assert_eq!(codes.iter().filter(|wrong| **wrong).count(), 1, "{codes:?}");
    let flood = async {
        let guesses = (0..20).map(|from| {
            let post = &post;
            async move {
                loop {
                    post(format!("198.51.100.{from}"), "guess").await;
                }
            }
        });
        futures::future::join_all(guesses).await
    };
    let right = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut took = Vec::new();
        for from in 1..4 {
            let began = std::time::Instant::now();
            post(format!("203.0.113.{from}"), PASSWORD).await.is(303);
            took.push(began.elapsed());
        }
        took
    };
    let took = tokio::select! {
        took = right => took,
        _ = flood => panic!("a flood has no end"),
    };
    assert!(took.iter().all(|took| *took < Duration::from_secs(30)), "{took:?}");
    let records = app.records().await;
    let from: Vec<Value> = records
        .iter()
        .filter(|record| record.sections.get("act").is_some_and(|act| act["act"] == "break_glass"))
        .map(|record| record.sections["network"]["client"].clone())
        .collect();
    assert_eq!(from, ["203.0.113.1", "203.0.113.2", "203.0.113.3"], "where each came from");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_count_for_their_own_provider_and_while_it_is_configured() {
    let app = TestApp::start().await;
    let store = &app.app().store;
    let now_ms = app.app().gateway.clock.now_ms();
    let person = store::people::Person {
        id: String::from("p1"),
        subject: None,
        email: Some(String::from("ada@acme.example")),
        display_name: Some(String::from("Ada")),
        roles: json!([]),
        created_ms: now_ms,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    };
    let identity = store::identities::Identity {
        provider: String::from("gone"),
        subject: String::from("s"),
        person: String::from("p1"),
        groups: json!(["admins"]),
        claims: None,
        seen_ms: now_ms,
    };
    store::identities::note(store, person, identity).await.unwrap();
    let people = app.admin(Method::GET, "/api/v1/people", None).await.is(200).json();
    let ada =
        people["people"].as_array().unwrap().iter().find(|person| person["id"] == "p1").unwrap().clone();
    assert_eq!(ada["identities"][0]["groups"], json!(["admins"]));
    assert_eq!(ada["roles"], json!([]), "its provider is not configured: {ada}");
    app.finish().await;
}
