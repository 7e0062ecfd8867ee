//! Tokens of jobs and pods, exchanged for short-lived keys: which are believed, and which are not.

use std::time::Duration;

use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, logs};
use crate::idp::{Idp, SECRET, Signature};
use crate::reply::{Reply, read};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const AUDIENCE: &str = "https://bailiwick.example";

fn now_s(app: &TestApp) -> i64 {
    app.app().gateway.clock.now_ms() / 1_000
}

/// A job's claims.
fn claims(app: &TestApp, idp: &Idp) -> Value {
    let now_s = now_s(app);
    json!({
        "iss": idp.url, "aud": AUDIENCE, "sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app",
        "ref": "refs/heads/main", "iat": now_s, "nbf": now_s, "exp": now_s + 300, "jti": uuid(),
    })
}

fn uuid() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn signed(idp: &Idp, claims: &Value) -> String {
    idp.sign(&Signature::Key(String::from("k1")), "JWT", claims)
}

async fn exchange(app: &TestApp, form: &[(&str, &str)]) -> Reply {
    let form = reqwest::Url::parse_with_params("http://form", form).unwrap();
    let request = app.client.post(format!("{}/auth/token", app.url())).body(form.query().unwrap().to_owned());
    read(request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()).await
}

async fn give(app: &TestApp, token: &str) -> Reply {
    exchange(app, &[("grant_type", GRANT), ("subject_token", token), ("subject_token_type", JWT)]).await
}

/// An error as RFC 6749 has it.
#[track_caller]
fn refused(reply: Reply, status: u16, error: &str) {
    let reply = reply.is(status);
    let body = reply.json();
    assert_eq!(body["error"], error, "{body}");
    assert!(body["error_description"].is_string(), "{body}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

/// A server with one workload.
async fn serve(idp: &Idp, more: Value) -> TestApp {
    let app = TestApp::start().await;
    let mut workload = json!({
        "name": "ci", "scope": "/acme/research", "issuer": idp.url, "audience": AUDIENCE,
        "claims": { "repository": "acme/*", "ref": ["refs/heads/main", "refs/tags/*"] },
        "lifetime_s": 60, "key": { "models": ["assistant"], "environment": "ci", "owner": "u-ci" },
    });
    for (name, value) in more.as_object().unwrap() {
        workload[name] = value.clone();
    }
    app.apply(json!({ "workloads": [workload] })).await;
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_gets_a_key_that_does_what_is_declared_and_ends() {
    let idp = Idp::start().await;
    let app = serve(&idp, json!({})).await;
    let given = give(&app, &signed(&idp, &claims(&app, &idp))).await.is(200);
    assert_eq!(given.header("cache-control"), Some("no-store"));
    let body = given.json();
    let fields = ["token_type", "expires_in", "issued_token_type"].map(|name| body[name].clone());
    assert_eq!(fields, [json!("Bearer"), json!(60), json!("urn:ietf:params:oauth:token-type:access_token")]);
    let key = body["access_token"].as_str().unwrap().to_owned();
    app.ask(&key, "assistant", "Tell me about rivers").await.is(200);
    app.ask(&key, "gpt-4.1-mini", "Tell me about rivers").await.is(404);
    let all = app.admin(Method::GET, "/api/v1/keys", None).await.is(200).json();
    let listed =
        all["keys"].as_array().unwrap().iter().find(|it| it["settings"]["environment"] == "ci").unwrap();
    let id = listed["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["scope"], "/acme/research");
    app.admin(Method::POST, &format!("/api/v1/keys/{id}/rotate"), None).await.is(409);
    // It is no declared thing.
    assert!(!app.admin(Method::GET, "/api/v1/organisation", None).await.is(200).text().contains(&id));
    let record = app.records().await;
    let act =
        record.iter().filter_map(|it| it.sections.get("act")).find(|it| it["act"] == "workload_key_created");
    let act = act.expect("its record");
    assert_eq!((&act["what"]["key"], &act["what"]["workload"]), (&json!(id), &json!("ci")));
    assert_eq!(act["what"]["subject"], "repo:acme/app:ref:refs/heads/main");

    // It ends, and some time later nothing of it is left but the log.
    let mut row = store::keys::get(&app.app().store, &id).await.unwrap();
    let now_ms = app.app().gateway.clock.now_ms();
    assert!(row.expires_ms.unwrap() <= now_ms + 60_000);
    row.expires_ms = Some(now_ms - 1);
    store::keys::change(&app.app().store, &id, row.settings.clone(), row.expires_ms).await.unwrap();
    app.app().reload().await.unwrap();
    app.ask(&key, "assistant", "Tell me about rivers").await.is(401);
    store::keys::note_use(&app.app().store, &[(id.clone(), now_ms)]).await.unwrap();
    assert_eq!(store::workloads::sweep(&app.app().store, now_ms - 1).await.unwrap(), 0);
    assert_eq!(store::workloads::sweep(&app.app().store, now_ms + 1).await.unwrap(), 1);
    assert!(store::keys::get(&app.app().store, &id).await.is_err());
    let keys = store::keys::list(&app.app().store).await.unwrap();
    assert_eq!(keys.len(), 3, "the demo's own stay");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_believed_gets_nothing() {
    let (idp, other) = (Idp::start().await, Idp::start().await);
    let app = serve(&idp, json!({})).await;
    let now_s = now_s(&app);
    let with = |name: &str, value: Value| {
        let mut claims = claims(&app, &idp);
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims(&app, &idp);
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let wrong = [
        ("wrong aud", with("aud", json!("https://other.example"))),
        ("no aud", without("aud")),
        ("aud that only begins so", with("aud", json!(format!("{AUDIENCE}.evil")))),
        ("expired", with("exp", json!(now_s - 120))),
        ("no exp", without("exp")),
        ("exp as text", with("exp", json!("never"))),
        ("good for a year", with("exp", json!(now_s + 31_536_000))),
        (
            "ends before it begins",
            with("iat", json!(now_s + 30))
                .as_object()
                .cloned()
                .map(|mut it| {
                    it.insert("exp".into(), json!(now_s + 10));
                    Value::Object(it)
                })
                .unwrap(),
        ),
        ("not yet", with("nbf", json!(now_s + 600))),
        ("made tomorrow", with("iat", json!(now_s + 600))),
        ("another repository", with("repository", json!("evil/app"))),
        ("a repository below", with("repository", json!("acme/app/x"))),
        ("an owner that begins so", with("repository", json!("acmecorp/app"))),
        ("another branch", with("ref", json!("refs/heads/feature"))),
        ("no repository", without("repository")),
        ("a repository that is none", with("repository", json!({ "acme/app": true }))),
        ("an unknown issuer", with("iss", json!("https://unknown.example"))),
        ("no issuer", without("iss")),
    ];
    for (what, claims) in wrong {
        let reply = give(&app, &signed(&idp, &claims)).await;
        assert_eq!(reply.status, 400, "{what}: {}", reply.text());
        refused(reply, 400, "invalid_request");
    }
    let good = claims(&app, &idp);
    idp.hide("hidden");
    let forged = [
        ("alg none", idp.sign(&Signature::None, "JWT", &good)),
        ("HS256 with a secret", idp.sign(&Signature::Hmac, "JWT", &good)),
        ("another's signature", idp.sign(&Signature::Forged(String::from("k1")), "JWT", &good)),
        ("an unknown key", idp.sign(&Signature::Key(String::from("hidden")), "JWT", &good)),
        ("another issuer's key of the same name", signed(&other, &good)),
        ("a logout token", idp.sign(&Signature::Key(String::from("k1")), "logout+jwt", &good)),
        ("HS256 with the public key", with_public_key(&idp, &good).await),
        ("no token", String::from("a.b.c")),
        ("two parts", signed(&idp, &good).rsplit_once('.').unwrap().0.to_owned()),
        ("an empty signature", format!("{}.", signed(&idp, &good).rsplit_once('.').unwrap().0)),
    ];
    for (what, token) in forged {
        let reply = give(&app, &token).await;
        assert_eq!(reply.status, 400, "{what}: {}", reply.text());
        refused(reply, 400, "invalid_request");
    }
    // A mix-up: the other issuer's token, in which everything else is right.
    let mut foreign = good.clone();
    foreign["iss"] = json!(other.url);
    refused(give(&app, &signed(&other, &foreign)).await, 400, "invalid_request");

    let token = signed(&idp, &good);
    let form = |changes: &[(&'static str, &'static str)]| {
        let mut form =
            vec![("grant_type", GRANT), ("subject_token", token.as_str()), ("subject_token_type", JWT)];
        for change in changes {
            form.retain(|(name, _)| *name != change.0 || change.1 == "twice");
            form.push(*change);
        }
        form
    };
    for (changes, error) in [
        (&[("grant_type", "authorization_code")][..], "unsupported_grant_type"),
        (&[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")], "invalid_request"),
        (&[("subject_token", "")], "invalid_request"),
        (&[("subject_token", "twice")], "invalid_request"),
        (&[("actor_token", "x")], "invalid_request"),
        (&[("requested_token_type", JWT)], "invalid_request"),
        (&[("scope", "admin")], "invalid_scope"),
        (&[("resource", "https://elsewhere.example")], "invalid_target"),
        (&[("audience", "https://elsewhere.example")], "invalid_target"),
        (&[("workload", "another")], "invalid_request"),
    ] {
        refused(exchange(&app, &form(changes)).await, 400, error);
    }
    assert_eq!(store::keys::list(&app.app().store).await.unwrap().len(), 3, "nobody got a key");
    give(&app, &token).await.is(200);
    // Neither a token nor a secret is told anywhere.
    let logs = logs();
    for secret in [token.as_str(), token.rsplit('.').next().unwrap(), SECRET] {
        assert!(!logs.contains(secret), "{secret}");
    }
    assert!(logs.contains("wrong_audience") && logs.contains("no_workload"));
    app.finish().await;
}

/// The classic: the public key's text taken for a secret.
async fn with_public_key(idp: &Idp, claims: &Value) -> String {
    use base64::Engine as _;
    let keys = reqwest::get(format!("{}/jwks", idp.url)).await.unwrap().text().await.unwrap();
    let encode = |text: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = json!({ "alg": "HS256", "kid": "k1", "typ": "JWT" }).to_string();
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, keys.as_bytes());
    let signature = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", encode(signature.as_ref()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_worth_one_key_unless_it_is_declared_otherwise() {
    let idp = Idp::start().await;
    let app = serve(&idp, json!({ "most_keys": 4 })).await;
    let token = signed(&idp, &claims(&app, &idp));
    let several = futures::future::join_all((0..5).map(|_| give(&app, &token))).await;
    let statuses: Vec<u16> = several.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    // Without an id it is known by what it says.
    let mut nameless = claims(&app, &idp);
    nameless.as_object_mut().unwrap().remove("jti");
    give(&app, &signed(&idp, &nameless)).await.is(200);
    refused(give(&app, &signed(&idp, &nameless)).await, 400, "invalid_request");
    // As many as are declared.
    for _ in 0..2 {
        give(&app, &signed(&idp, &claims(&app, &idp))).await.is(200);
    }
    refused(give(&app, &signed(&idp, &claims(&app, &idp))).await, 429, "temporarily_unavailable");
    let mut workload =
        app.admin(Method::GET, "/api/v1/organisation", None).await.is(200).json()["workloads"][0].clone();
    (workload["reusable"], workload["most_keys"]) = (json!(true), json!(100));
    app.apply(json!({ "workloads": [workload] })).await;
    for _ in 0..3 {
        give(&app, &token).await.is(200);
    }
    // Two that it could be for: it is said which.
    workload["name"] = json!("ci-too");
    app.apply(json!({ "workloads": [workload] })).await;
    refused(give(&app, &token).await, 400, "invalid_request");
    let form = [
        ("grant_type", GRANT),
        ("subject_token", &token),
        ("subject_token_type", JWT),
        ("workload", "ci-too"),
    ];
    exchange(&app, &form).await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_an_issuer_change_and_it_may_be_away() {
    let idp = Idp::start().await;
    let app = serve(&idp, json!({})).await;
    idp.down(true);
    refused(give(&app, &signed(&idp, &claims(&app, &idp))).await, 503, "temporarily_unavailable");
    idp.down(false);
    // Not asked again at once.
    refused(give(&app, &signed(&idp, &claims(&app, &idp))).await, 503, "temporarily_unavailable");
    assert_eq!(idp.asked_for_keys(), 0);
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    give(&app, &signed(&idp, &claims(&app, &idp))).await.is(200);
    assert_eq!(idp.asked_for_keys(), 1);
    idp.rotate("k2");
    let second = |claims: &Value| idp.sign(&Signature::Key(String::from("k2")), "JWT", claims);
    // A flood of unknown keys does not become a flood at the issuer.
    for _ in 0..5 {
        refused(give(&app, &second(&claims(&app, &idp))).await, 400, "invalid_request");
    }
    assert_eq!(idp.asked_for_keys(), 1);
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    give(&app, &second(&claims(&app, &idp))).await.is(200);
    assert_eq!(idp.asked_for_keys(), 2);
    // The one before is not published any more.
    refused(give(&app, &signed(&idp, &claims(&app, &idp))).await, 400, "invalid_request");
    idp.down(true);
    give(&app, &second(&claims(&app, &idp))).await.is(200);

    // An issuer that sends one elsewhere for its keys, or is another one, is not asked there.
    for metadata in
        [json!({ "issuer": "https://other.example" }), json!({ "jwks_uri": "http://169.254.169.254/keys" })]
    {
        let liar = Idp::start().await;
        liar.metadata(metadata);
        let workload = json!({ "name": "liar", "scope": "/acme", "issuer": liar.url, "audience": AUDIENCE, "claims": { "sub": "**" } });
        app.apply(json!({ "workloads": [workload] })).await;
        refused(give(&app, &signed(&liar, &claims(&app, &liar))).await, 503, "temporarily_unavailable");
        assert_eq!(liar.asked_for_keys(), 0);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_hangs_is_in_the_way_of_nobody_whose_key_is_known() {
    let idp = Idp::start().await;
    let app = serve(&idp, json!({})).await;
    give(&app, &signed(&idp, &claims(&app, &idp))).await.is(200);
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    // Somebody names a key that there is not; nothing has to be signed for that.
    idp.hangs(Duration::from_secs(8));
    idp.hide("k9");
    let unknown = idp.sign(&Signature::Key(String::from("k9")), "JWT", &claims(&app, &idp));
    let good = [(); 3].map(|()| signed(&idp, &claims(&app, &idp)));
    let began = std::time::Instant::now();
    let waits = async {
        give(&app, &unknown).await;
        began.elapsed()
    };
    let goes_on = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for token in &good {
            give(&app, token).await.is(200);
        }
        began.elapsed()
    };
    let (waited, went_on) = tokio::join!(waits, goes_on);
    assert!(waited > Duration::from_secs(7), "it was asked: {waited:?}");
    assert!(went_on < Duration::from_secs(5), "{went_on:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_token_is_remembered_for_as_long_as_it_is_believed() {
    let idp = Idp::start().await;
    let app = serve(&idp, json!({})).await;
    let mut claims = claims(&app, &idp);
    let until_s = claims["iat"].as_i64().unwrap() + 86_400;
    claims["exp"] = json!(until_s);
    let token = signed(&idp, &claims);
    give(&app, &token).await.is(200);
    // Clocks may differ by a minute, so it is believed for half a minute after its end.
    let swept = format!("DELETE FROM subject_tokens WHERE expires_ms < {}", (until_s + 30) * 1_000);
    crate::acts::sql(&app.data(), &swept).await;
    refused(give(&app, &token).await, 400, "invalid_request");
    app.finish().await;
}
