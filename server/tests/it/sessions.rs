//! The authorisation matrix for browsers: where a request comes from, what it knows of the session, how long ago somebody
//! showed who they are; and what is one's own.

use bailiwick::identity::{Needs, ROUTES, Route};
use reqwest::Method;
use serde_json::json;

use crate::app::TestApp;
use crate::identity::{age, browse, me, person};
use crate::matrix::{Probe, probe, things};

/// A request of a browser, with what it says of itself.
async fn by_session(
    app: &TestApp,
    route: &Route,
    probe: &Probe,
    cookie: &str,
    origin: Option<&str>,
    csrf: Option<&str>,
) -> (u16, String) {
    let method = Method::from_bytes(route.method.as_bytes()).unwrap();
    let mut request =
        app.client.request(method, format!("{}{}", app.url(), probe.path)).header("cookie", cookie);
    for (name, value) in [("origin", origin), ("x-csrf-token", csrf)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    if let Some(body) = &probe.body {
        request = request.json(body);
    }
    if probe.path.starts_with("/scim/") {
        request = request.header("if-match", "W/\"0\"");
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    // A stream has no end.
    let text = if status < 400 { String::new() } else { answer.text().await.unwrap() };
    (status, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_by_session_needs_origin_token_and_where_dangerous_a_fresh_sign_in() {
    let app = TestApp::with(|config| {
        config.metrics = bailiwick::app::MetricsAccess::Token;
        let provider = "[[provider]]\nid = 'corp'\nissuer = 'https://id.example'\nclient_id = 'b'\nscim = {}";
        config.identity = toml::from_str(provider).unwrap();
    })
    .await;
    let things = things(&app).await;
    let cookie = person(&app, "somebody", &["owner"]).await;
    let csrf = me(&app, &cookie).await.json()["session"]["csrf"].as_str().unwrap().to_owned();
    let (own, token) = (Some(app.url().to_owned()), Some(csrf.as_str()));
    let own = own.as_deref();
    let evil = Some("https://evil.example");
    let mut wrong = Vec::new();
    let (mut changes, mut dangerous) = (0, 0);
    for aged in [false, true] {
        if aged {
            age(&app, "authenticated_ms", 48).await;
        }
        for route in ROUTES.iter().filter(|route| !matches!(route.needs, Needs::Nothing | Needs::Guest)) {
            // A form of the console carries its token in its body: `tests/console/forms.rs`.
            let is_page = matches!(route.needs, Needs::Page(..) | Needs::KnownPage);
            if is_page && !["GET", "HEAD"].contains(&route.method) {
                continue;
            }
            let probe = probe(route, &things).unwrap();
            let mut look = |case: &str, (status, text): (u16, String), refused: Option<&str>| {
                let is = match refused {
                    // SCIM has an error of its own shape.
                    Some(code) => status == 403 && (route.path.starts_with("/scim/") || text.contains(code)),
                    None => ![401, 403].contains(&status) && status < 500,
                };
                if !is {
                    wrong.push(format!("{} {} {case}: {status} {text}", route.method, route.path));
                }
            };
            if ["GET", "HEAD"].contains(&route.method) {
                if !aged {
                    let from_there = by_session(&app, route, &probe, &cookie, None, None).await;
                    look("read", from_there, None);
                }
                continue;
            }
            if aged {
                dangerous += usize::from(route.fresh);
                let late = by_session(&app, route, &probe, &cookie, own, token).await;
                if route.fresh {
                    look("long after the sign-in", late, Some("step_up_required"));
                } else if late.0 == 403 && late.1.contains("step_up_required") {
                    look("long after the sign-in", late, None);
                }
                continue;
            }
            changes += 1;
            for origin in [None, evil] {
                let from_there = by_session(&app, route, &probe, &cookie, origin, token).await;
                look("from elsewhere", from_there, Some("cross_origin"));
            }
            for csrf in [None, Some("forged")] {
                let without = by_session(&app, route, &probe, &cookie, own, csrf).await;
                look("without the token", without, Some("csrf"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(changes > 30 && dangerous > 8, "{changes} {dangerous}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ones_own_is_nobody_elses() {
    let app = TestApp::start().await;
    // The least that may ask for anything, and somebody like them.
    let (ada, bo) = (person(&app, "ada", &["finance"]).await, person(&app, "bo", &["finance"]).await);
    let own: Vec<&str> =
        ROUTES.iter().filter(|route| matches!(route.needs, Needs::Own(..))).map(|route| route.path).collect();
    assert_eq!(
        own,
        [
            "/api/v1/sessions",
            "/api/v1/sessions/{id}",
            "/api/v1/requests",
            "/api/v1/requests/{id}",
            "/api/v1/requests/{id}/withdraw"
        ],
        "each is tried below"
    );
    let budgets = app.admin(Method::GET, "/api/v1/budgets", None).await.is(200).json();
    let budget =
        budgets["budgets"].as_array().unwrap().iter().find(|it| it["scope"] == "/acme/clinic").unwrap();
    let ask = json!({ "kind": "budget_raise", "reason": "x", "wanted": { "budget": budget["id"], "amount_usd": "1" } });
    let asked = browse(&app, Method::POST, "/api/v1/requests", &ada, Some(&ask)).await.is(201).json();
    let list = async |cookie: &str, what: &str| {
        let path = format!("/api/v1/{what}");
        browse(&app, Method::GET, &path, cookie, None).await.is(200).json()[what].as_array().unwrap().clone()
    };
    for (cookie, id, requests) in [(&ada, "ada", 1), (&bo, "bo", 0)] {
        let sessions = list(cookie, "sessions").await;
        assert!(
            !sessions.is_empty() && sessions.iter().all(|session| session["person"] == id),
            "{sessions:?}"
        );
        assert_eq!(list(cookie, "requests").await.len(), requests, "{id}");
    }
    // Another's is as one that is not there, word for word.
    let foreign = browse(&app, Method::GET, "/api/v1/sessions?person=ada", &bo, None).await;
    assert!(!foreign.text().contains("cs_ada"), "{}", foreign.text());
    let id = asked["id"].as_str().unwrap();
    let tried = async |path: String, method: Method| {
        browse(&app, method, &path, &bo, None).await.is(404).text().to_owned()
    };
    let withdraw = |id: &str| format!("/api/v1/requests/{id}/withdraw");
    assert_eq!(tried(withdraw(id), Method::POST).await, tried(withdraw("req_none"), Method::POST).await);
    let one = |id: &str| format!("/api/v1/requests/{id}");
    assert_eq!(tried(one(id), Method::GET).await, tried(one("req_none"), Method::GET).await);
    let own = browse(&app, Method::GET, &one(id), &ada, None).await.is(200);
    assert!(own.header("etag").is_some() && own.json()["reason"] == "x", "{}", own.text());
    let end = |id: &str| format!("/api/v1/sessions/{id}");
    assert_eq!(tried(end("cs_ada"), Method::DELETE).await, tried(end("cs_none"), Method::DELETE).await);
    assert_eq!(me(&app, &ada).await.status, 200, "it goes on");
    browse(&app, Method::POST, &withdraw(id), &ada, None).await.is(200);
    browse(&app, Method::DELETE, &end("cs_ada"), &ada, None).await.is(200);
    me(&app, &ada).await.is(401);
    app.finish().await;
}
