//! Every administrative act has its record, with what was before it and what is after it, and without any secret.

use std::collections::BTreeSet;

use bailiwick::identity::{ROUTES, create_token};
use bailiwick::store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::books::Record;
use crate::hook::Hook;
use crate::idp::{CLIENT, Idp, Signature};

/// Routes that take no `GET` and change nothing, or nothing that is anybody else's.
const OF_PAGES: [&str; 6] = [
    "POST /keys/",
    "POST /budgets/",
    "POST /requests/",
    "POST /kill-switches",
    "POST /people/",
    "POST /sessions/",
];
const NO_ACT: [(&str, &str); 13] = [
    ("POST /api/v1/policy:notify", "the policy is looked at as it is in any case"),
    ("POST /api/v1/policy:plan", "decides once more what was decided, and keeps nothing"),
    ("POST /api/v1/compliance:impact", "tells what another database would say, and keeps nothing"),
    ("POST /scim/v2/Users/.search", "a list"),
    ("POST /scim/v2/Groups/.search", "a list"),
    ("POST /scim/v2/.search", "a list"),
    ("POST /preferences", "a cookie of the browser"),
    ("HEAD /auth/setup", "a look"),
    ("POST /auth/break-glass", "begins the caller's own session"),
    ("POST /auth/sign-out", "ends the caller's own session"),
    ("POST /auth/token", "a workload gets a key of its own"),
    // Needs a server that has died with a spool: `tests/replicas/spool.rs` looks at its record.
    ("POST /api/v1/replicas/{number}/lost", "elsewhere"),
    // What is pushed in one is recorded as what is pushed alone.
    ("POST /scim/v2/Bulk", "each of its operations is an act"),
];

struct Walk {
    app: TestApp,
    walked: BTreeSet<String>,
    wrong: Vec<String>,
    secrets: Vec<String>,
}

impl Walk {
    /// Does it as the owner, and looks at the record of it.
    async fn does(&mut self, method: Method, route: &str, at: &str, body: Option<Value>, act: &str) -> Value {
        let token = self.app.token().to_owned();
        self.does_as(&token, method, route, at, body, act).await
    }

    async fn does_as(
        &mut self,
        token: &str,
        method: Method,
        route: &str,
        at: &str,
        body: Option<Value>,
        act: &str,
    ) -> Value {
        let known = self.acts(act).await.len();
        // What comes without a token is done by what it presents.
        let by = match (&body, token) {
            (Some(body), "") => format!("key:{}", id_in(body["key"].as_str().unwrap())),
            (_, token) => format!("token:{}", id_in(token)),
        };
        let text = self.sends(token, &method, at, body).await;
        let acts = self.acts(act).await;
        let route = format!("{method} {route}");
        if acts.len() > known + 1 {
            self.wrong.push(format!("{route}: `{act}` was done {} times", acts.len() - known));
        }
        match acts.get(known) {
            None => self.wrong.push(format!("{route}: no `{act}` was recorded")),
            Some(told) => {
                self.wrong.extend(told.wrong(&route, act, &by));
                let (what, made) = (&told.what, &told.made);
                for phase in ["before", "after"] {
                    let of_each = what["keys"].as_array().is_some_and(|keys| {
                        !keys.is_empty() && keys.iter().all(|key| key.get(phase).is_some())
                    });
                    // Before and after by field, as a dry run tells them.
                    let of_changes = what["changes"].as_array().is_some_and(|changes| {
                        let both = |it: &Value| it.as_array().is_some_and(|both| both.len() == 2);
                        !changes.is_empty()
                            && changes
                                .iter()
                                .all(|it| it["fields"].as_object().is_some_and(|of| of.values().all(both)))
                    });
                    if what.get(phase).is_none() && made.get(phase).is_none() && !of_each && !of_changes {
                        self.wrong.push(format!("{route}: `{act}` does not tell what was {phase}: {what}"));
                    }
                }
                let same = what.get("before") == what.get("after") && what.get("before").is_some();
                if same {
                    self.wrong.push(format!("{route}: `{act}` tells no difference: {what}"));
                }
            }
        }
        self.walked.insert(route);
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        for secret in ["/key", "/token", "/keys/0/key", "/keys/1/key"] {
            let secret = answer.pointer(secret).and_then(Value::as_str).filter(|text| text.starts_with("bw"));
            self.secrets.extend(secret.map(str::to_owned));
        }
        answer
    }

    /// Does what changes nothing of ours, and is recorded all the same.
    async fn asks(&mut self, route: &str, at: &str, body: Option<Value>, act: &str) -> Told {
        let token = self.app.token().to_owned();
        self.sends(&token, &Method::POST, at, body).await;
        self.is_told(&format!("POST {route}"), act, &format!("token:{}", id_in(&token))).await
    }

    /// The one act of this name, which tells who and from where.
    async fn is_told(&mut self, route: &str, act: &str, by: &str) -> Told {
        let mut acts = self.acts(act).await;
        assert_eq!(acts.len(), 1, "{route}: {act}");
        let told = acts.remove(0);
        self.wrong.extend(told.wrong(route, act, by));
        self.walked.insert(route.to_owned());
        told
    }

    /// Sends it; what can be sent again is sent twice, and the second time it is answered and not done.
    async fn sends(&self, token: &str, method: &Method, at: &str, body: Option<Value>) -> String {
        let again = *method == Method::POST && at.starts_with("/api/v1/") && !token.is_empty();
        let key = uuid::Uuid::now_v7().to_string();
        let mut texts = Vec::new();
        for time in 0..=usize::from(again) {
            let mut request = self.app.client.request(method.clone(), format!("{}{at}", self.app.url()));
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            if again {
                request = request.header("idempotency-key", &key);
            }
            if let Some(body) = &body {
                let kind =
                    if at.starts_with("/scim/") { "application/scim+json" } else { "application/json" };
                request = request.header("content-type", kind).body(body.to_string());
            }
            let answer = request.send().await.unwrap();
            let (status, replayed) = (answer.status(), answer.headers().contains_key("idempotency-replayed"));
            let text = answer.text().await.unwrap();
            assert!(status.is_success(), "{method} {at}: {status} {text}");
            assert_eq!(replayed, time == 1, "{method} {at}: {text}");
            texts.push(text);
        }
        assert!(texts.windows(2).all(|both| both[0] == both[1]), "{method} {at}: {texts:?}");
        texts.remove(0)
    }

    /// The acts of this name, oldest first.
    async fn acts(&self, name: &str) -> Vec<Told> {
        let records = self.app.records().await;
        let begun =
            records.iter().filter(|record| record.sections.get("act").is_some_and(|it| it["act"] == name));
        begun
            .map(|record| {
                let ended = records
                    .iter()
                    .find(|other| other.id("act") == record.id("act") && other.id("phase") == Some("ended"));
                let made = ended.map(|ended| ended.sections["result"]["made"].clone()).unwrap_or_default();
                let by = |record: &Record| record.id("principal").unwrap_or_default().to_owned();
                Told {
                    what: record.sections["act"]["what"].clone(),
                    made,
                    by: by(record),
                    ended_by: ended.map(by).unwrap_or_default(),
                    from: record.sections.get("network").map(|it| it["client"].clone()).unwrap_or_default(),
                }
            })
            .collect()
    }
}

/// What is recorded of an act.
struct Told {
    /// What it says that it changes, and what came of it.
    what: Value,
    made: Value,
    /// Who did it, in the words of its two records, and from which address.
    by: String,
    ended_by: String,
    from: Value,
}

impl Told {
    /// Whether it tells who acted, and from where.
    fn wrong(&self, route: &str, act: &str, by: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if (self.by.as_str(), self.ended_by.as_str()) != (by, by) {
            wrong.push(format!("{route}: `{act}` was done by {by}, not `{}`, `{}`", self.by, self.ended_by));
        }
        if self.from != "127.0.0.1" {
            wrong.push(format!("{route}: `{act}` does not tell from where: {}", self.from));
        }
        wrong
    }
}

/// The id of a key or a token in its written form.
fn id_in(written: &str) -> &str {
    written.split('_').nth(1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_act_tells_what_was_before_and_what_is_after() {
    let (idp, hook, folder) = (Idp::start().await, Hook::start().await, tempfile::tempdir().unwrap());
    let provider =
        format!("[[provider]]\nid = 'corp'\nissuer = '{}'\nclient_id = '{CLIENT}'\nscim = {{}}", idp.url);
    let channel = format!(
        "[[webhook]]\nname = 'hook'\nurl = '{}'\nsecret_file = '{}'",
        hook.url(),
        Hook::secret(folder.path()).display()
    );
    let app = TestApp::with(|config| {
        config.identity = toml::from_str(&provider).unwrap();
        config.alerts = toml::from_str(&channel).unwrap();
    })
    .await;
    let mut walk = Walk { app, walked: BTreeSet::new(), wrong: Vec::new(), secrets: Vec::new() };
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let id_of = |answer: &Value| answer["id"].as_str().unwrap().to_owned();

    // Keys.
    let new =
        json!({ "scope": "/acme/research", "name": "one", "owner": "ada@example.org", "budget_usd": "3" });
    let one = walk.does(post.clone(), "/api/v1/keys", "/api/v1/keys", Some(new), "key_created").await;
    let many =
        json!([{ "scope": "/acme/research", "name": "two" }, { "scope": "/acme/research", "name": "three" }]);
    let many =
        walk.does(post.clone(), "/api/v1/keys:bulk", "/api/v1/keys:bulk", Some(many), "keys_created").await;
    let at = |id: &str, what: &str| format!("/api/v1/keys/{id}/{what}");
    let one = id_of(&one);
    let why = || Some(json!({ "reason": "because" }));
    walk.does(post.clone(), "/api/v1/keys/{id}/disable", &at(&one, "disable"), why(), "key_disabled").await;
    walk.does(post.clone(), "/api/v1/keys/{id}/enable", &at(&one, "enable"), None, "key_enabled").await;
    let next =
        walk.does(post.clone(), "/api/v1/keys/{id}/rotate", &at(&one, "rotate"), None, "key_rotated").await;
    let path = at(&id_of(&next), "revoke");
    walk.does(post.clone(), "/api/v1/keys/{id}/revoke", &path, why(), "key_revoked").await;
    let found = json!({ "key": many["keys"][0]["key"] });
    let path = "/api/v1/keys:revoke-presented";
    walk.does_as("", post.clone(), path, path, Some(found), "key_revoked").await;

    // Kill switches.
    let expires = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let switch = json!({
        "kind": "transfer_mechanism", "target": "bcr", "scope": "/acme/clinic", "reason": "x", "expires": expires,
    });
    let path = "/api/v1/kill-switches";
    let switch = walk.does(post.clone(), path, path, Some(switch), "kill_switch_thrown").await;
    let path = format!("/api/v1/kill-switches/{}", id_of(&switch));
    walk.does(delete.clone(), "/api/v1/kill-switches/{id}", &path, why(), "kill_switch_lifted").await;

    // The alert of one of them.
    let began = std::time::Instant::now();
    let alert = loop {
        let alerts = walk.app.admin(Method::GET, "/api/v1/alerts", None).await.is(200).json();
        if alerts["alerts"][0]["id"].is_string() {
            break id_of(&alerts["alerts"][0]);
        }
        assert!(began.elapsed().as_secs() < 20, "{alerts}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let path = format!("/api/v1/alerts/{alert}/acknowledge");
    let note = Some(json!({ "note": "on it" }));
    walk.does(post.clone(), "/api/v1/alerts/{id}/acknowledge", &path, note, "alert_acknowledged").await;

    // Declarations: something new, something else, something less.
    let mut whole = walk.app.admin(Method::GET, "/api/v1/organisation", None).await.is(200).json();
    whole["scopes"].as_array_mut().unwrap().push(json!({ "path": "/acme/new", "controller": "DE" }));
    let user = json!({ "user": "grace@example.org", "window": "month", "limit_usd": "5" });
    whole["budgets"].as_array_mut().unwrap().push(user);
    let gone = whole["endpoints"].as_array_mut().unwrap().pop().unwrap();
    whole["endpoints"][0]["first_byte_timeout_s"] = json!(7);
    walk.does(post.clone(), "/api/v1/apply", "/api/v1/apply?prune=true", Some(whole.clone()), "applied")
        .await;
    let applied = walk.acts("applied").await;
    let changes = applied[0].what["changes"].as_array().unwrap().clone();
    let of = |change: &str, kind: &str, name: &str| {
        let found =
            changes.iter().find(|it| it["change"] == change && it["kind"] == kind && it["name"] == name);
        found.unwrap_or_else(|| panic!("{change} {kind} {name}: {changes:?}"))["fields"].clone()
    };
    assert_eq!(of("create", "scope", "/acme/new")["controller"], json!([null, "DE"]));
    let first = whole["endpoints"][0]["name"].as_str().unwrap();
    assert_eq!(of("change", "endpoint", first)["first_byte_timeout_s"][1], 7);
    let deleted = of("delete", "endpoint", gone["name"].as_str().unwrap());
    assert_eq!(deleted["base_url"], json!([gone["base_url"], null]), "what it was can be read");
    let budget = changes.iter().find(|it| it["kind"] == "budget").unwrap();
    assert!(budget["name"].as_str().unwrap().starts_with("user usr_"), "{budget}");

    // One thing at a time.
    let path = "/api/v1/scopes/%2Facme%2Flater";
    let scope = json!({ "path": "/acme/later", "controller": "FR" });
    walk.does(put.clone(), "/api/v1/scopes/{path}", path, Some(scope), "applied").await;
    walk.does(delete.clone(), "/api/v1/scopes/{path}", path, None, "applied").await;
    let path = format!("/api/v1/endpoints/{}", gone["name"].as_str().unwrap());
    walk.does(put.clone(), "/api/v1/endpoints/{name}", &path, Some(gone.clone()), "applied").await;
    walk.does(delete.clone(), "/api/v1/endpoints/{name}", &path, None, "applied").await;
    let workload = json!({
        "name": "ci", "scope": "/acme", "issuer": "https://id.example", "audience": "b", "claims": { "sub": "x" },
    });
    let path = "/api/v1/workloads/ci";
    walk.does(put.clone(), "/api/v1/workloads/{name}", path, Some(workload), "applied").await;
    walk.does(delete.clone(), "/api/v1/workloads/{name}", path, None, "applied").await;
    let path = "/api/v1/model-groups/few";
    let group = json!({ "name": "few", "models": ["gpt-5*"] });
    walk.does(put.clone(), "/api/v1/model-groups/{name}", path, Some(group), "applied").await;
    walk.does(delete.clone(), "/api/v1/model-groups/{name}", path, None, "applied").await;
    let user = |limit: &str| json!({ "user": "grace@example.org", "window": "day", "limit_usd": limit });
    let rate = |many: i64| json!({ "user": "grace@example.org", "requests": many, "per": "hour" });
    for (list, new, other) in [("budgets", user("5"), user("6")), ("limits", rate(5), rate(6))] {
        let path = format!("/api/v1/{list}");
        let made = walk.does(post.clone(), &path, &path, Some(new), "applied").await;
        let (route, at) = (format!("{path}/{{id}}"), format!("{path}/{}", made["id"]));
        walk.does(put.clone(), &route, &at, Some(other), "applied").await;
        walk.does(delete.clone(), &route, &at, None, "applied").await;
    }
    let keys = walk.app.admin(Method::GET, "/api/v1/keys?scope=/acme/clinic", None).await.is(200).json();
    let path = format!("/api/v1/keys/{}", id_of(&keys["keys"][0]));
    let mut key = walk.app.admin(Method::GET, &path, None).await.is(200).json()["declared"].clone();
    key["environment"] = json!("staging");
    walk.does(put.clone(), "/api/v1/keys/{id}", &path, Some(key), "applied").await;

    // Credentials.
    let path = "/api/v1/credentials";
    let secret = json!({ "name": "own", "scope": "/acme", "value": "sk-canary-one" });
    walk.does(post.clone(), path, path, Some(secret), "credential_created").await;
    let path = "/api/v1/credentials/own/test";
    let told = walk.asks("/api/v1/credentials/{name}/test", path, None, "credential_tested").await;
    assert_eq!(told.what["credential"], "own", "{}", told.what);
    let (path, secret) = ("/api/v1/credentials/own/rotate", json!({ "value": "sk-canary-two" }));
    walk.does(post.clone(), "/api/v1/credentials/{name}/rotate", path, Some(secret), "credential_rotated")
        .await;
    let path = "/api/v1/credentials:reseal";
    walk.does(post.clone(), path, path, None, "credentials_resealed").await;
    walk.does(
        delete.clone(),
        "/api/v1/credentials/{name}",
        "/api/v1/credentials/own",
        None,
        "credential_deleted",
    )
    .await;
    walk.secrets.extend(["sk-canary-one", "sk-canary-two"].map(str::to_owned));

    // Budgets.
    let budgets = walk.app.admin(Method::GET, "/api/v1/budgets", None).await.is(200).json();
    let path = format!("/api/v1/budgets/{}/top-ups", budgets["budgets"][0]["id"]);
    let more = Some(json!({ "amount_usd": "1", "reason": "more" }));
    walk.does(post.clone(), "/api/v1/budgets/{id}/top-ups", &path, more, "budget_topped_up").await;

    // People, sessions, tokens.
    let person = store::people::Person {
        id: String::from("p1"),
        subject: None,
        email: None,
        display_name: None,
        roles: json!([]),
        created_ms: 1,
        joined_into: None,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
    };
    store::people::create(&walk.app.app().store, person).await.unwrap();
    walk.does(
        post.clone(),
        "/api/v1/people/{id}/disable",
        "/api/v1/people/p1/disable",
        why(),
        "person_disabled",
    )
    .await;
    walk.does(post.clone(), "/api/v1/people/{id}/enable", "/api/v1/people/p1/enable", None, "person_enabled")
        .await;
    walk.does(post.clone(), "/api/v1/people/{id}/erase", "/api/v1/people/p1/erase", why(), "person_erased")
        .await;
    let now_ms = walk.app.app().gateway.clock.now_ms();
    let link = bailiwick::identity::new_setup_link(&walk.app.app().store, now_ms).await.unwrap();
    let entered = walk.app.client.get(format!("{}{link}", walk.app.url())).send().await.unwrap();
    assert_eq!(entered.status(), 303);
    let sessions = walk.app.admin(Method::GET, "/api/v1/sessions", None).await.is(200).json();
    let path = format!("/api/v1/sessions/{}", id_of(&sessions["sessions"][0]));
    walk.does(delete.clone(), "/api/v1/sessions/{id}", &path, None, "session_ended").await;
    let (path, new) =
        ("/api/v1/service-tokens", json!({ "name": "ci", "scope": "/acme", "roles": ["viewer"] }));
    let token = walk.does(post.clone(), path, path, Some(new), "service_token_created").await;
    let at = |id: &str, what: &str| format!("/api/v1/service-tokens/{id}/{what}");
    let path = at(&id_of(&token), "rotate");
    let token = walk
        .does(post.clone(), "/api/v1/service-tokens/{id}/rotate", &path, None, "service_token_rotated")
        .await;
    let path = at(&id_of(&token), "claim");
    let claims =
        create_token(&walk.app.app().store, "claims", "/", &["owner"], now_ms).await.unwrap().reveal();
    walk.does_as(
        &claims,
        post.clone(),
        "/api/v1/service-tokens/{id}/claim",
        &path,
        None,
        "service_token_claimed",
    )
    .await;
    let path = at(&id_of(&token), "revoke");
    walk.does(post.clone(), "/api/v1/service-tokens/{id}/revoke", &path, None, "service_token_revoked").await;

    // What changes nothing of ours: a message, a look, and what a provider says of its own.
    let path = "/api/v1/alerts:test";
    let told = walk.asks(path, path, Some(json!({ "channel": "hook" })), "alert_channel_tested").await;
    assert_eq!((&told.what, &told.made), (&json!({ "channel": "hook" }), &json!({ "sent": 1 })));
    let path = "/api/v1/audit/pseudonym";
    let asked = json!({ "kind": "user", "name": "ada@example.org" });
    let told = walk.asks(path, path, Some(asked), "pseudonym_asked").await;
    assert!(told.what["pseudonym"].as_str().unwrap().starts_with("usr_"), "{}", told.what);
    crate::identity::person(&walk.app, "p2", &["owner"]).await;
    let of_corp = "UPDATE sessions SET provider = 'corp', provider_subject = 'ada' WHERE person = 'p2'";
    crate::acts::sql(&walk.app.data(), of_corp).await;
    let at = chrono::Utc::now().timestamp();
    let logout = idp.sign(
        &Signature::Key(String::from("k1")),
        "logout+jwt",
        &json!({
            "iss": idp.url, "aud": CLIENT, "iat": at, "exp": at + 120, "jti": "one", "sub": "ada",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        }),
    );
    let request = walk.app.client.post(format!("{}/auth/back-channel-logout/corp", walk.app.url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(format!("logout_token={logout}")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let route = "POST /auth/back-channel-logout/{provider}";
    let told = walk.is_told(route, "provider_ended_sessions", "provider:corp").await;
    assert_eq!((&told.what["provider"], &told.made), (&json!("corp"), &json!({ "sessions": 1 })));

    // Requests: somebody else decides.
    let asker =
        create_token(&walk.app.app().store, "asker", "/", &["developer"], now_ms).await.unwrap().reveal();
    let approver =
        create_token(&walk.app.app().store, "approver", "/", &["approver"], now_ms).await.unwrap().reveal();
    let path = "/api/v1/requests";
    for (name, end, act, by) in [
        ("a", "approve", "request_approved", &approver),
        ("b", "refuse", "request_refused", &approver),
        ("c", "withdraw", "request_withdrawn", &asker),
    ] {
        let expires = chrono::Utc::now() + chrono::TimeDelta::days(3);
        let wanted =
            json!({ "scope": "/acme/research", "name": format!("asked-{name}"), "expires": expires });
        let ask = json!({ "kind": "key", "reason": "x", "wanted": wanted });
        let asked = walk.does_as(&asker, post.clone(), path, path, Some(ask), "request_asked").await;
        let body = (end != "withdraw").then(|| json!({ "reason": "x" }));
        let (route, at) = (format!("{path}/{{id}}/{end}"), format!("{path}/{}/{end}", id_of(&asked)));
        walk.does_as(by, post.clone(), &route, &at, body, act).await;
    }
    let approved = walk.acts("request_approved").await;
    assert_eq!(
        approved[0].what["after"]["granted"]["name"], "asked-a",
        "what was granted can be read: {}",
        approved[0].what
    );

    // The directory.
    let path = "/scim/v2/Users";
    let user =
        walk.does(post.clone(), path, path, Some(json!({ "userName": "ada" })), "scim_user_created").await;
    let at = format!("{path}/{}", id_of(&user));
    let route = "/scim/v2/Users/{id}";
    let off = json!({ "userName": "ada", "active": false });
    walk.does(put.clone(), route, &at, Some(off), "scim_user_changed").await;
    let on = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": true }],
    });
    walk.does(patch.clone(), route, &at, Some(on), "scim_user_changed").await;
    let path = "/scim/v2/Groups";
    let group = json!({ "displayName": "g", "members": [{ "value": id_of(&user) }] });
    let group = walk.does(post.clone(), path, path, Some(group), "scim_group_created").await;
    let of_group = format!("{path}/{}", id_of(&group));
    let route_of_group = "/scim/v2/Groups/{id}";
    let other = json!({ "displayName": "h", "members": [{ "value": id_of(&user) }] });
    walk.does(put.clone(), route_of_group, &of_group, Some(other), "scim_group_changed").await;
    let gone = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "remove", "path": "members" }],
    });
    walk.does(patch.clone(), route_of_group, &of_group, Some(gone), "scim_group_changed").await;
    walk.does(delete.clone(), route_of_group, &of_group, None, "scim_group_deleted").await;
    walk.does(delete.clone(), route, &at, None, "scim_user_deleted").await;

    assert!(walk.wrong.is_empty(), "{} are wrong:\n{}", walk.wrong.len(), walk.wrong.join("\n"));
    let uncovered: Vec<String> = ROUTES
        .iter()
        .filter(|route| route.method != "GET")
        .map(|route| format!("{} {}", route.method, route.path))
        // A page of the console acts through the API: its act is the one that is walked there.
        .filter(|route| !OF_PAGES.iter().any(|page| route.starts_with(page)))
        .filter(|route| !walk.walked.contains(route) && !NO_ACT.iter().any(|(other, _)| other == route))
        .collect();
    assert!(uncovered.is_empty(), "nobody has looked at the records of {uncovered:?}");
    let acts: String = walk
        .app
        .records()
        .await
        .iter()
        .flat_map(|record| record.sections.values().map(Value::to_string).collect::<Vec<_>>())
        .collect();
    assert!(walk.secrets.len() > 8, "{} secrets", walk.secrets.len());
    for secret in walk.secrets.iter().map(String::as_str).chain(["ada@example.org", "grace@example.org"]) {
        assert!(!acts.contains(secret), "a record holds {secret}");
    }
    walk.app.finish().await;
}
