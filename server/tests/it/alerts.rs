//! Alerts: what is recorded is told, through real mail and real webhooks, once, and not lost.

use std::time::{Duration, Instant};

use bailiwick::alerts::AlertsConfig;
use bailiwick::app::Config;
use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, stored};
use crate::hook::{Answer, Hook};
use crate::mail::{MailServer, PASSWORD, USER};

const PATIENCE: Duration = Duration::from_secs(40);

/// `[alerts]` as a file would have it.
fn written(text: &str) -> AlertsConfig {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A channel to a receiver, with this route's settings.
fn hooked(hook: &Hook, folder: &std::path::Path, route: &str) -> AlertsConfig {
    let (url, secret) = (hook.url(), Hook::secret(folder));
    written(&format!(
        "[[webhook]]\nname = 'hook'\nurl = '{url}'\nsecret_file = '{}'\n[[route]]\nchannels = ['hook']\n{route}",
        secret.display()
    ))
}

async fn throw(app: &TestApp, target: &str, scope: &str) -> String {
    let expires =
        chrono::DateTime::from_timestamp_millis(app.app().gateway.clock.now_ms() + 3_600_000).unwrap();
    let switch = json!({
        "kind": "transfer_mechanism", "target": target, "scope": scope, "reason": "Incident 7 <b>seen</b>",
        "expires": expires.to_rfc3339(),
    });
    let thrown = app.admin(Method::POST, "/api/v1/kill-switches", Some(&switch)).await.is(201).json();
    thrown["id"].as_str().unwrap().to_owned()
}

async fn listed(app: &TestApp, query: &str) -> Vec<Value> {
    let answer = app.admin(Method::GET, &format!("/api/v1/alerts{query}"), None).await.is(200).json();
    answer["alerts"].as_array().unwrap().clone()
}

/// The alerts of a query, as soon as there are as many.
pub(crate) async fn until_listed(app: &TestApp, query: &str, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let found = listed(app, query).await;
        if found.len() >= count {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{query}: {found:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The messages of an alert, as soon as they are as they should be.
async fn until_told(app: &TestApp, alert: &str, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let one = app.admin(Method::GET, &format!("/api/v1/alerts/{alert}"), None).await.is(200).json();
        let messages = one["messages"].as_array().unwrap().clone();
        if so(&messages) {
            return messages;
        }
        assert!(began.elapsed() < PATIENCE, "{messages:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn id(alert: &Value) -> String {
    alert["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_is_told_once_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let alerts = hooked(&hook, folder.path(), "severity = 'info'");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    let switch = throw(&app, "bcr", "/acme/clinic").await;
    hook.until("the switch", |heard| heard.iter().any(|one| one.kinds().contains(&"kill_switch_thrown")))
        .await;
    let lift = json!({ "reason": "mended" });
    app.admin(Method::DELETE, &format!("/api/v1/kill-switches/{switch}"), Some(&lift)).await.is(200);
    hook.until("its end", |heard| heard.iter().any(|one| one.kinds().contains(&"kill_switch_lifted"))).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for kind in ["kill_switch_thrown", "kill_switch_lifted"] {
        let taken = hook.taken(kind);
        assert_eq!(taken.len(), 1, "{taken:#?}");
        assert!(taken[0].signed && taken[0].body["type"] == "alert.raised", "{taken:#?}");
        assert!(taken[0].id.starts_with("msg_"));
    }
    let told = &hook.taken("kill_switch_thrown")[0].body["data"]["alerts"][0];
    assert_eq!(told["scope"], "/acme/clinic");
    assert_eq!(told["facts"]["reason"], "Incident 7 <b>seen</b>");
    assert_eq!(told["severity"], "critical");
    let known = listed(&app, "?kind=kill_switch_thrown").await;
    assert_eq!((known.len(), &known[0]["id"]), (1, &told["id"]));
    let messages = until_told(&app, &id(&known[0]), |messages| messages[0]["state"] == "sent").await;
    assert_eq!((messages.len(), &messages[0]["attempts"]), (1, &json!(1)));
    app.finish().await;
}

/// What failed is no alert: nothing was stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_came_to_nothing_is_no_alert() {
    let app = TestApp::start().await;
    let switch = throw(&app, "bcr", "/").await;
    let lift = json!({ "reason": "mended" });
    let path = format!("/api/v1/kill-switches/{switch}");
    app.admin(Method::DELETE, &path, Some(&lift)).await.is(200);
    app.admin(Method::DELETE, &path, Some(&lift)).await.is(409);
    until_listed(&app, "?kind=kill_switch_lifted", 1).await;
    throw(&app, "scc", "/").await;
    until_listed(&app, "?kind=kill_switch_thrown", 2).await;
    assert_eq!(listed(&app, "?kind=kill_switch_lifted").await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_spent_is_told_to_whom_it_concerns() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let alerts = hooked(&hook, folder.path(), "scope = '/acme/research'");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    for scope in ["/acme/research", "/acme/clinic"] {
        let budget = json!({
            "scope": scope, "window": "week", "limit_usd": "0.0000001", "hard": false,
            "thresholds": [50, 100],
        });
        app.apply(json!({ "budgets": [budget] })).await;
    }
    app.ask("research", "gpt-4.1-mini", "How are you?").await.is(200);
    app.ask("clinic", "assistant", "How are you?").await.is(200);
    app.settled().await;
    until_listed(&app, "?kind=budget_exhausted", 2).await;
    until_listed(&app, "?kind=budget_threshold", 2).await;
    hook.until("both", |heard| heard.len() >= 2).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let heard = hook.heard();
    assert_eq!(heard.len(), 2, "{heard:#?}");
    for one in &heard {
        let alert = &one.body["data"]["alerts"][0];
        assert_eq!((&alert["scope"], &alert["severity"]), (&json!("/acme/research"), &json!("warning")));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_fails_is_called_again_under_the_same_id_and_led_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, inside) = (Hook::start().await, Hook::start().await);
    let alerts = hooked(&hook, folder.path(), "");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    hook.answer([Answer::Status(500), Answer::To(inside.url())]);
    throw(&app, "bcr", "/").await;
    let alert = until_listed(&app, "?kind=kill_switch_thrown", 1).await.remove(0);
    let refused =
        |messages: &[Value]| messages[0]["error"].as_str().is_some_and(|why| why.contains("redirect"));
    let messages = until_told(&app, &id(&alert), refused).await;
    assert_eq!((&messages[0]["state"], &messages[0]["attempts"]), (&json!("waiting"), &json!(2)));
    hook.until("the third try", |heard| heard.len() == 3).await;
    let heard = hook.heard();
    assert_eq!(heard.iter().map(|one| one.status).collect::<Vec<_>>(), [500, 302, 204]);
    assert!(heard.iter().all(|one| one.id == heard[0].id && one.signed && one.body == heard[0].body));
    assert!(inside.heard().is_empty(), "a redirect is not followed");
    until_told(&app, &id(&alert), |messages| messages[0]["state"] == "sent").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_no_more_gets_no_more_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let alerts = hooked(&hook, folder.path(), "");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    hook.answer([Answer::Status(410)]);
    throw(&app, "bcr", "/").await;
    let alert = until_listed(&app, "?kind=kill_switch_thrown", 1).await.remove(0);
    let messages = until_told(&app, &id(&alert), |messages| messages[0]["state"] == "given_up").await;
    assert_eq!(messages[0]["error"], "it answers 410");
    let records = app.records().await;
    let given_up = records
        .iter()
        .filter_map(|record| record.sections.get("act"))
        .find(|act| act["act"] == "alert_message_given_up");
    assert_eq!(given_up.unwrap()["what"]["alerts"], json!([alert["id"]]));
    assert_eq!(hook.heard().len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_knows_of_is_told_to_nobody_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let alerts = hooked(&hook, folder.path(), "");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    hook.answer([Answer::Status(500)]);
    throw(&app, "bcr", "/").await;
    let alert = until_listed(&app, "?kind=kill_switch_thrown", 1).await.remove(0);
    hook.until("the first try", |heard| heard.len() == 1).await;
    app.admin(Method::POST, &format!("/api/v1/alerts/{}/acknowledge", id(&alert)), None).await.is(200);
    let messages = until_told(&app, &id(&alert), |messages| messages[0]["state"] != "waiting").await;
    assert_eq!(messages[0]["state"], "given_up");
    assert_eq!(messages[0]["error"], "all that it tells of is acknowledged or over");
    assert_eq!(hook.heard().len(), 1, "it is not tried again");
    // Nothing went wrong that anybody would have to look at.
    let records = app.records().await;
    let acts = records.iter().filter_map(|record| record.sections.get("act"));
    assert_eq!(acts.filter(|act| act["act"] == "alert_message_given_up").count(), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_within_the_time_of_a_digest_is_one_message_and_what_is_critical_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let alerts = hooked(&hook, folder.path(), "digest_minutes = 1");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    for target in ["bcr", "scc"] {
        let switch = throw(&app, target, "/").await;
        let lift = json!({ "reason": "mended" });
        app.admin(Method::DELETE, &format!("/api/v1/kill-switches/{switch}"), Some(&lift)).await.is(200);
    }
    let lifted = until_listed(&app, "?kind=kill_switch_lifted", 2).await;
    hook.until("what is critical", |heard| heard.len() == 2).await;
    assert!(hook.heard().iter().all(|one| one.kinds() == ["kill_switch_thrown"]));
    let messages = until_told(&app, &id(&lifted[0]), |messages| messages.len() == 1).await;
    let other = until_told(&app, &id(&lifted[1]), |messages| messages.len() == 1).await;
    assert_eq!((&messages[0]["id"], &messages[0]["state"]), (&other[0]["id"], &json!("waiting")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_knows_of_an_alert_says_so_once() {
    let app = TestApp::start().await;
    throw(&app, "bcr", "/acme/clinic").await;
    let alert = until_listed(&app, "?state=open&severity=critical", 1).await.remove(0);
    let path = format!("/api/v1/alerts/{}", id(&alert));
    let note = json!({ "note": " on it " });
    let known = app.admin(Method::POST, &format!("{path}/acknowledge"), Some(&note)).await.is(200).json();
    assert_eq!((&known["state"], &known["note"]), (&json!("acknowledged"), &json!("on it")));
    app.admin(Method::POST, &format!("{path}/acknowledge"), None).await.is(409);
    assert!(listed(&app, "?state=open&kind=kill_switch_thrown").await.is_empty());
    assert_eq!(listed(&app, "?state=acknowledged&scope=/acme").await.len(), 1);
    assert!(listed(&app, "?scope=/acme/research").await.is_empty());
    for wrong in ["?state=x", "?severity=fatal", "?kind=kill_switch_thrwn", "?scope=acme", "?limit=0"] {
        app.admin(Method::GET, &format!("/api/v1/alerts{wrong}"), None).await.is(400);
    }
    let long = json!({ "note": "x".repeat(501) });
    throw(&app, "scc", "/").await;
    let other = until_listed(&app, "?state=open&kind=kill_switch_thrown", 1).await.remove(0);
    let path = format!("/api/v1/alerts/{}/acknowledge", id(&other));
    app.admin(Method::POST, &path, Some(&long)).await.is(400);
    app.admin(Method::POST, "/api/v1/alerts/al_none/acknowledge", None).await.is(404);
    // Page by page, nothing twice.
    let first = app.admin(Method::GET, "/api/v1/alerts?limit=1", None).await.is(200).json();
    let next = first["next"].as_str().unwrap();
    let second =
        app.admin(Method::GET, &format!("/api/v1/alerts?limit=1&cursor={next}"), None).await.is(200).json();
    assert_ne!(first["alerts"][0]["id"], second["alerts"][0]["id"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_tokens_that_expire_soon_are_told() {
    const DAY_MS: i64 = 86_400_000;
    let app = TestApp::start().await;
    let now_ms = app.app().gateway.clock.now_ms();
    let store = &app.app().store;
    let (old, _) = app.create_key(json!({ "scope": "/acme/clinic", "name": "old" })).await;
    let mut key = store::keys::get(store, &old).await.unwrap();
    for (id, created_days, left_days) in [("soon", 300, 6), ("later", 300, 40), ("short", 5, 6)] {
        key.id = format!("k{id}");
        key.name = id.to_owned();
        key.created_ms = now_ms - created_days * DAY_MS;
        key.expires_ms = Some(now_ms + left_days * DAY_MS);
        if id == "short" {
            key.created_ms = now_ms;
        }
        store::keys::create(store, key.clone()).await.unwrap();
    }
    let found = until_listed(&app, "?kind=key_expires", 1).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0]["facts"]["name"], &found[0]["severity"]), (&json!("soon"), &json!("warning")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_can_be_tried_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let mut alerts = hooked(&hook, folder.path(), "");
    let secret = alerts.webhook[0].secret_file.clone();
    let chat = folder.path().join("chat");
    std::fs::write(&chat, format!("http://{}/services/canary-chat-5e1f", hook.address)).unwrap();
    let more = written(&format!(
        "[[webhook]]\nname = 'private'\nurl = 'https://10.1.2.3/'\nsecret_file = '{}'\n\
         [[webhook]]\nname = 'unsigned'\nurl = '{}'\nsecret_file = '{}'\n\
         [[slack]]\nname = 'slack'\nurl_file = '{chat}'\n[[teams]]\nname = 'teams'\nurl_file = '{chat}'\n\
         [[mail]]\nname = 'down'\nserver = '127.0.0.1'\nport = 1\ntls = 'none'\nfrom = 'b@example.com'\nto = ['o@example.com']\n",
        secret.display(),
        hook.url(),
        folder.path().join("none").display(),
        chat = chat.display(),
    ));
    alerts.webhook.extend(more.webhook);
    (alerts.slack, alerts.teams, alerts.mail) = (more.slack, more.teams, more.mail);
    let app = TestApp::with(|config| config.alerts = alerts).await;
    let test = async |channel: &str, status: u16| {
        let body = json!({ "channel": channel });
        app.admin(Method::POST, "/api/v1/alerts:test", Some(&body)).await.is(status).json()
    };
    assert_eq!(test("hook", 200).await["sent"], 1);
    assert!(hook.heard()[0].signed && hook.heard()[0].kinds() == ["test"]);
    for (channel, why) in
        [("private", "not public"), ("unsigned", "its `secret_file`"), ("down", "no connection")]
    {
        let answer = test(channel, 502).await;
        assert!(answer["detail"].as_str().unwrap().contains(why), "{channel}: {answer}");
        assert!(!answer.to_string().contains(&folder.path().display().to_string()), "no path: {answer}");
    }
    assert!(test("hok", 400).await.to_string().contains("did you mean `hook`"));
    for (channel, member) in [("slack", "blocks"), ("teams", "attachments")] {
        test(channel, 200).await;
        let heard = hook.heard().pop().unwrap();
        assert!(heard.body[member].is_array() && heard.id.is_empty(), "{heard:?}");
    }
    hook.answer([Answer::Status(403)]);
    let refused = test("slack", 502).await.to_string();
    assert!(refused.contains("403") && !refused.contains("canary-chat"), "{refused}");
    let logged = crate::app::logs();
    assert!(!logged.contains("canary-chat-5e1f") && !logged.contains("whsec_"));
    let folder = app.finish().await;
    assert!(stored(folder.path(), "canary-chat-5e1f").await.is_empty());
}

/// A mail channel to a real server.
fn mail_to(server: &MailServer, name: &str, way: &str, to: &str) -> String {
    let tls = match way {
        "plain" => "none",
        way => way,
    };
    let who = match way {
        "plain" => String::new(),
        _ => format!("user = '{USER}'\npassword_file = '{}'\n", server.password_file().display()),
    };
    format!(
        "[[mail]]\nname = '{name}'\nserver = 'localhost'\nport = {}\ntls = '{tls}'\n{who}\
         from = 'Bailiwick <bailiwick@example.com>'\nto = [{to}]\n",
        server.port(way)
    )
}

async fn with_mail(server: &MailServer, alerts: &str) -> TestApp {
    let alerts = written(alerts);
    TestApp::with(|config: &mut Config| {
        config.alerts = alerts;
        config.upstream.ca_bundle = Some(server.certificate());
        config.public_url = Some(String::from("https://bailiwick.example"));
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_arrives_encrypted_and_signed_in_with_text_and_html() {
    let Some(server) = MailServer::start() else { return };
    let channels = [
        mail_to(&server, "one", "starttls", "'Ops Team <ops@example.com>', 'second@example.com'"),
        mail_to(&server, "two", "implicit", "'implicit@example.com'"),
        mail_to(&server, "three", "plain", "'plain@example.com'"),
        String::from("[[route]]\nchannels = ['one', 'two', 'three']\n"),
    ];
    let app = with_mail(&server, &channels.concat()).await;
    throw(&app, "bcr", "/acme/clinic").await;
    let mail = server.until("each", |mail| mail.len() == 4).await;
    let mut ids = std::collections::BTreeSet::new();
    for one in &mail {
        let headers = &one["headers"];
        assert_eq!(headers["subject"], "[critical] A kill switch stops transfer_mechanism bcr");
        assert_eq!(headers["auto-submitted"], "auto-generated");
        assert!(headers["from"].as_str().unwrap().contains("bailiwick@example.com"));
        let id = headers["message-id"].as_str().unwrap();
        assert!(
            id.starts_with("<msg_") && id.ends_with("@example.com>") && ids.insert(id.to_owned()),
            "{id}"
        );
        let (text, html) = (one["text"].as_str().unwrap(), one["html"].as_str().unwrap());
        assert!(text.contains("reason: Incident 7 <b>seen</b>") && text.contains("bailiwick alerts ack al_"));
        assert!(html.contains("Incident 7 &lt;b&gt;seen&lt;/b&gt;") && !html.contains("<b>seen"));
        assert!(html.contains("/acme/clinic") && html.contains("https://bailiwick.example"));
        let plain = one["to"][0] == "plain@example.com";
        assert_eq!((&one["encrypted"], one["user"] == USER), (&json!(!plain), !plain), "{one}");
    }
    assert!(!crate::app::logs().contains(PASSWORD));
    let folder = app.finish().await;
    assert!(stored(folder.path(), PASSWORD).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_is_put_off_comes_later_what_is_refused_is_given_up_and_nobody_waits_for_the_slow() {
    let Some(server) = MailServer::start() else { return };
    let to = "'slow@example.com', 'greylisted@example.com', 'gone@example.com', 'fine@example.com'";
    let channels = [mail_to(&server, "ops", "starttls", to), String::from("[[route]]\nchannels = ['ops']\n")];
    let app = with_mail(&server, &channels.concat()).await;
    throw(&app, "bcr", "/").await;
    let alert = until_listed(&app, "?kind=kill_switch_thrown", 1).await.remove(0);
    server.until("the one that nothing is wrong with", |mail| mail.len() == 1).await;
    assert_eq!(server.to("fine@example.com").len(), 1);
    let refused = |messages: &[Value]| messages.iter().any(|one| one["state"] == "given_up");
    let messages = until_told(&app, &id(&alert), refused).await;
    let gone = messages.iter().find(|one| one["state"] == "given_up").unwrap();
    assert_eq!(gone["error"], "the mail server refuses it: it answers 550 5.1.1");
    assert_eq!(gone["attempts"], 1);
    server.until("the one that was put off", |mail| mail.len() == 2).await;
    let late = server.to("greylisted@example.com").remove(0);
    let both = |messages: &[Value]| messages.iter().filter(|one| one["state"] == "sent").count() == 2;
    let messages = until_told(&app, &id(&alert), both).await;
    let put_off = messages.iter().find(|one| one["attempts"] == 3).unwrap();
    let id = format!("<{}@example.com>", put_off["id"].as_str().unwrap());
    assert_eq!(late["headers"]["message-id"], id.as_str(), "the id that it was tried with first");
    assert!(messages.iter().any(|one| one["state"] == "waiting"), "the slow one is not given up");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_sent_though_the_log_cannot_be_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let alerts = hooked(&hook, folder.path(), "");
    let app = TestApp::with(|config| config.alerts = alerts).await;
    hook.answer([Answer::Status(500)]);
    throw(&app, "bcr", "/").await;
    hook.until("the first try", |heard| heard.len() == 1).await;
    crate::acts::sql(&app.data(), "UPDATE alerts_read SET begun = '[]'").await;
    hook.until("the second try", |heard| heard.len() == 2).await;
    assert_eq!(hook.heard()[1].status, 204);
    app.finish().await;
}

/// A mail server that answers nothing, and more addresses than would be tried at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_says_nothing_holds_up_no_other_channel() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, silent) = (Hook::start().await, tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let to: Vec<String> = (0..20).map(|number| format!("'{number}@example.com'")).collect();
    let mut alerts = hooked(&hook, folder.path(), "");
    // By its name it is the first one to be sent through.
    let mail = written(&format!(
        "[[mail]]\nname = 'a'\nserver = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'b@example.com'\nto = [{}]\n\
         [[route]]\nchannels = ['a']\n",
        silent.local_addr().unwrap().port(),
        to.join(", ")
    ));
    alerts.mail = mail.mail;
    alerts.route.extend(mail.route);
    let app = TestApp::with(|config| config.alerts = alerts).await;
    throw(&app, "bcr", "/").await;
    let alert = until_listed(&app, "?kind=kill_switch_thrown", 1).await.remove(0);
    // A try of the mail server takes 45 seconds.
    let began = Instant::now();
    hook.until("the switch", |heard| heard.len() == 1).await;
    assert!(began.elapsed() < Duration::from_secs(15));
    let of_mail = |one: &&Value| one["channel"] == "a" && one["attempts"] == 1;
    let messages =
        until_told(&app, &id(&alert), |messages| messages.iter().filter(of_mail).count() >= 2).await;
    assert_eq!(messages.iter().filter(of_mail).count(), 2, "two at once through one channel");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_to_no_server_that_is_not_trusted_and_without_encryption_to_none() {
    let Some(server) = MailServer::start() else { return };
    let plain = mail_to(&server, "downgraded", "starttls", "'a@example.com'")
        .replace(&server.port("starttls").to_string(), &server.port("plain").to_string());
    let channels = [plain, mail_to(&server, "fine", "implicit", "'b@example.com'")].concat();
    let app = with_mail(&server, &channels).await;
    let test = async |channel: &str| {
        let body = json!({ "channel": channel });
        app.admin(Method::POST, "/api/v1/alerts:test", Some(&body)).await.json()
    };
    let downgraded = test("downgraded").await;
    assert!(downgraded["detail"].as_str().unwrap().contains("STARTTLS"), "{downgraded}");
    assert_eq!(test("fine").await["sent"], 1);
    std::fs::write(server.password_file(), "wrong").unwrap();
    let refused = test("fine").await;
    assert_eq!(refused["detail"], "the sign-in is refused: it answers 535");
    assert_eq!(server.mail().len(), 1);
    app.finish().await;
    // Without its certificate among those that are believed.
    let alerts = written(&channels);
    let app = TestApp::with(|config| config.alerts = alerts).await;
    let body = json!({ "channel": "fine" });
    let stranger = app.admin(Method::POST, "/api/v1/alerts:test", Some(&body)).await.is(502).json();
    assert!(stranger["detail"].as_str().unwrap().contains("certificate"), "{stranger}");
    app.finish().await;
}
