//! What people do by forms: with the rights that the API asks for, once, and only from our own pages.

use bailiwick::identity::create_token;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, ORIGIN};
use serde_json::{Value, json};

use super::server::{Reply, Server, read};

const FORM: &str = "application/x-www-form-urlencoded";
/// A model that is served at a price only: one that costs nothing is never over a budget.
const PRICED: &str = "gpt-4.1-mini";
const SCRIPT: &str = "<script>alert(1)</script>";

/// Fields as a browser sends them.
fn encoded(fields: &[(String, String)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// A person at the console.
struct Person<'a> {
    server: &'a Server,
    cookie: String,
}

/// The hidden fields of the form that leads to `action`.
fn hidden(page: &Reply, action: &str) -> Vec<(String, String)> {
    let form = page.body.split("<form").find(|form| form.contains(&format!("action=\"{action}\"")));
    let form = form.unwrap_or_else(|| panic!("no form to {action}: {}", page.body));
    let form = form.split("</form>").next().unwrap();
    let fields = form.split("<input type=\"hidden\" name=\"").skip(1).map(|field| {
        let (name, rest) = field.split_once('"').unwrap();
        let value = rest.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        (name.to_owned(), value.to_owned())
    });
    fields.collect()
}

impl Person<'_> {
    async fn sees(&self, path: &str) -> Reply {
        self.server.page(path, COOKIE, &self.cookie).await
    }

    async fn sends(&self, action: &str, fields: &[(String, String)]) -> Reply {
        let request = self.server.http.post(self.server.url(action)).header(COOKIE, &self.cookie);
        let request = request.header(ORIGIN, self.server.url("")).header(CONTENT_TYPE, FORM);
        read(request.body(encoded(fields))).await
    }

    /// Opens a page, fills its form and sends it; also what was sent.
    async fn fills(
        &self,
        path: &str,
        action: &str,
        typed: &[(&str, &str)],
    ) -> (Reply, Vec<(String, String)>) {
        let page = self.sees(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let mut fields = hidden(&page, action);
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        (self.sends(action, &fields).await, fields)
    }
}

fn secret(page: &Reply) -> String {
    let start = page.body.find("bwk_").unwrap_or_else(|| panic!("no key: {}", page.body));
    page.body[start..]
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .next()
        .unwrap()
        .to_owned()
}

/// What a key gets: the status of a request with it, and the error's code.
async fn asks(server: &Server, key: &str) -> (u16, String) {
    asks_for(server, key, "assistant").await
}

/// The same of one model.
async fn asks_for(server: &Server, key: &str, model: &str) -> (u16, String) {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
    let request = server.http.post(server.url("/v1/chat/completions")).bearer_auth(key).json(&body);
    let reply = read(request).await;
    let told: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    (reply.status, told["error"]["code"].as_str().unwrap_or_default().to_owned())
}

async fn keys(server: &Server) -> Vec<Value> {
    let token = format!("Bearer {}", server.demo.announcement.admin_token);
    let list = server.page("/api/v1/keys?limit=1000", AUTHORIZATION, &token).await;
    serde_json::from_str::<Value>(&list.body).unwrap()["keys"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_once_used_replaced_and_revoked() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let person = Person { server: &server, cookie };
    let typed = [("scope", "/acme/research"), ("name", SCRIPT), ("models", "assistant"), ("tags", "a, b")];
    let (made, fields) = person.fills("/keys/new", "/keys/new", &typed).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(made.header("cache-control"), "no-store");
    let key = secret(&made);
    assert_eq!(asks(&server, &key).await.0, 200, "it works as it is shown");
    // A reload of the answer sends the form again, and shows the same key.
    let again = person.sends("/keys/new", &fields).await;
    assert_eq!((again.status, secret(&again)), (200, key.clone()));
    let row = |keys: Vec<Value>| keys.into_iter().filter(|key| key["name"] == SCRIPT).collect::<Vec<_>>();
    let rows = row(keys(&server).await);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["settings"]["tags"], json!(["a", "b"]));
    let id = rows[0]["id"].as_str().unwrap().to_owned();
    for path in ["/keys", &format!("/keys/{id}")] {
        let page = person.sees(path).await;
        assert!(!page.body.contains(&key) && !page.body.contains(SCRIPT), "{path}");
        assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path}");
    }
    // The same name again is refused, with what was typed.
    let (twin, _) = person.fills("/keys/new", "/keys/new", &typed).await;
    assert_eq!(twin.status, 409, "{}", twin.body);
    assert!(twin.body.contains("value=\"a, b\""), "{}", twin.body);

    let path = format!("/keys/{id}");
    let (rotated, _) = person.fills(&path, &format!("{path}/rotate"), &[("overlap_hours", "24")]).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let successor = secret(&rotated);
    assert_eq!((asks(&server, &key).await.0, asks(&server, &successor).await.0), (200, 200));
    let rows = row(keys(&server).await);
    let new = rows.iter().find(|key| key["id"] != id.as_str()).unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/keys/{new}");
    let page = person.sees(&path).await;
    assert!(page.body.contains(&format!("<code>{id}</code>")), "what ends with it is named: {}", page.body);
    let (off, _) = person.fills(&path, &format!("{path}/disable"), &[("reason", "Looks odd")]).await;
    assert_eq!((off.status, off.header("location")), (303, path.as_str()), "{}", off.body);
    assert_eq!(asks(&server, &successor).await.0, 401);
    let (on, _) = person.fills(&path, &format!("{path}/enable"), &[]).await;
    assert_eq!(on.status, 303, "{}", on.body);
    assert_eq!(asks(&server, &successor).await.0, 200);
    let (ended, _) = person.fills(&path, &format!("{path}/revoke"), &[("reason", "Done")]).await;
    assert_eq!(ended.status, 303, "{}", ended.body);
    assert_eq!((asks(&server, &key).await.0, asks(&server, &successor).await.0), (401, 401), "both end");
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_counts_only_from_a_page_of_the_session() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let before = keys(&server).await.len();
    let origin = server.url("");
    let body = |csrf: &str| format!("csrf={csrf}&scope=%2Facme%2Fresearch&name=forged");
    let csrf = hidden(&server.page("/keys/new", COOKIE, &cookie).await, "/keys/new");
    let csrf = &csrf.iter().find(|(name, _)| name == "csrf").unwrap().1;
    for (headers, csrf, why) in [
        (
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            csrf.as_str(),
            "another site",
        ),
        (&[("sec-fetch-site", "same-site")], csrf, "a neighbour"),
        (&[], csrf, "nobody says where from"),
        (&[("origin", &origin)], "", "no token"),
        (&[("origin", &origin)], "wrong", "another token"),
        // What the API takes from a script, it does not take from a page's request.
        (&[("origin", &origin), ("x-csrf-token", csrf.as_str())], "", "the token in a header"),
    ] {
        let mut request = server.http.post(server.url("/keys/new")).header(COOKIE, &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = read(request.header("content-type", FORM).body(body(csrf))).await;
        assert_eq!(reply.status, 403, "{why}: {}", reply.body);
        assert!(reply.header("content-security-policy").contains("default-src 'none'"), "{why}");
    }
    let reply = server.http.post(server.url("/keys/new")).header("content-type", FORM).body(body(csrf));
    assert_eq!(read(reply).await.header("location"), "/auth/sign-in", "nobody is signed in");
    assert_eq!(keys(&server).await.len(), before, "no key was made");
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_no_way_around_a_right() {
    let server = Server::start().await;
    let app = &server.demo.app;
    let now_ms = app.gateway.clock.now_ms();
    let token = async |scope: &'static str, role: &'static str| {
        let token = create_token(&app.store, "t", scope, &[role], now_ms).await.unwrap();
        format!("Bearer {}", token.reveal())
    };
    let (auditor, admin) = (token("/acme/research", "auditor").await, token("/acme/research", "admin").await);
    let page = server.page("/keys", AUTHORIZATION, &auditor).await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("/acme/research") && !page.body.contains("/acme/clinic"),
        "the list ends at the scope"
    );
    assert!(!page.body.contains("href=\"/keys/new\""), "what they may not do is not offered");
    assert!(!page.body.contains("data-go=\"x\"") && page.body.contains("href=\"/budgets\""));
    let others = keys(&server).await;
    let clinic =
        others.iter().find(|key| key["name"] == "clinic").unwrap()["id"].as_str().unwrap().to_owned();
    let before = others.len();
    let post = |path: &str, who: &str, body: &str| {
        let request = server.http.post(server.url(path)).header(AUTHORIZATION, who);
        read(request.header("content-type", FORM).body(body.to_owned()))
    };
    for (who, path, body, statuses) in [
        (&auditor, "/keys/new", "scope=/acme/research&name=x", &[403][..]),
        (&auditor, &*format!("/keys/{clinic}/revoke"), "", &[403]),
        (
            &auditor,
            "/kill-switches",
            "kind=endpoint&target=openai-us&scope=/acme/research&reason=x&hours=1",
            &[403],
        ),
        (&admin, "/keys/new", "scope=/acme/clinic&name=x", &[403, 404]),
        (&admin, &*format!("/keys/{clinic}/revoke"), "", &[404]),
        (&admin, &*format!("/keys/{clinic}/rotate"), "", &[404]),
        (&admin, "/kill-switches", "kind=endpoint&target=openai-us&scope=/&reason=x&hours=1", &[403]),
    ] {
        let reply = post(path, who, body).await;
        assert!(statuses.contains(&reply.status), "{path} {body}: {} {}", reply.status, reply.body);
    }
    for path in [&*format!("/keys/{clinic}"), "/budgets/999999", "/endpoints/none"] {
        assert_eq!(server.page(path, AUTHORIZATION, &admin).await.status, 404, "{path}");
    }
    assert_eq!(keys(&server).await.len(), before);
    let application = token("/acme", "application").await;
    for path in ["/keys", "/budgets", "/endpoints", "/kill-switches", "/requests/new"] {
        assert_eq!(server.page(path, AUTHORIZATION, &application).await.status, 403, "{path}");
    }
    assert_eq!(server.page("/requests", AUTHORIZATION, &application).await.status, 200, "one's own");
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_refuses_and_is_topped_up() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let person = Person { server: &server, cookie };
    let typed = [("scope", "/acme/research"), ("name", "poor"), ("budget_usd", "0.000001")];
    let (made, _) = person.fills("/keys/new", "/keys/new", &typed).await;
    let key = secret(&made);
    assert_eq!(asks_for(&server, &key, PRICED).await, (429, String::from("budget_exceeded")));
    let id = keys(&server).await.iter().find(|key| key["name"] == "poor").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = person.sees(&format!("/keys/{id}")).await;
    let budget = page.body.split("href=\"/budgets/").nth(1).and_then(|rest| rest.split('"').next());
    let path = format!("/budgets/{}", budget.unwrap_or_else(|| panic!("{}", page.body)));
    let action = format!("{path}/top-ups");
    let (wrong, _) = person.fills(&path, &action, &[("amount_usd", "much"), ("reason", "It is poor")]).await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    assert!(wrong.body.contains("value=\"much\"") && wrong.body.contains("It is poor"), "{}", wrong.body);
    let (done, _) = person.fills(&path, &action, &[("amount_usd", "5"), ("reason", "It is poor")]).await;
    assert_eq!((done.status, done.header("location")), (303, path.as_str()), "{}", done.body);
    assert_eq!(asks_for(&server, &key, PRICED).await.0, 200);
    let all = person.sees("/budgets").await;
    assert!(all.body.contains(&format!("href=\"{path}\"")), "{}", all.body);
    assert!(person.sees(&path).await.body.contains("It is poor"));
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_thrown_and_lifted() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let person = Person { server: &server, cookie };
    let typed = [
        ("kind", "provider"),
        ("target", "*"),
        ("scope", "/acme/research"),
        ("hours", "4"),
        ("reason", SCRIPT),
    ];
    let (thrown, _) = person.fills("/kill-switches", "/kill-switches", &typed).await;
    assert_eq!((thrown.status, thrown.header("location")), (303, "/kill-switches"), "{}", thrown.body);
    assert_eq!(server.chat("research", "assistant", "Hello", &[]).await.status, 403);
    let page = person.sees("/kill-switches").await;
    assert!(!page.body.contains(SCRIPT) && page.body.contains("In force"), "{}", page.body);
    let action = page
        .body
        .split("action=\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|it| it.ends_with("/lift"));
    let action = action.unwrap_or_else(|| panic!("{}", page.body)).to_owned();
    let (unsaid, _) = person.fills("/kill-switches", &action, &[("reason", " ")]).await;
    assert_eq!(unsaid.status, 400, "{}", unsaid.body);
    let (lifted, _) = person.fills("/kill-switches", &action, &[("reason", "It was a drill")]).await;
    assert_eq!(lifted.status, 303, "{}", lifted.body);
    assert_eq!(server.chat("research", "assistant", "Hello", &[]).await.status, 200);
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_asks_and_another_approves() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let person = Person { server: &server, cookie };
    let typed = [("scope", "/acme/research"), ("name", "asked"), ("reason", "For the new model")];
    let (asked, _) = person.fills("/requests/new?kind=key", "/requests/new", &typed).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    let key = secret(&asked);
    assert_eq!(asks(&server, &key).await.0, 401, "not before somebody else agrees");
    let page = person.sees("/requests").await;
    assert!(page.body.contains("For the new model") && !page.body.contains(&key));
    // Nobody said when it ends; who approves sees it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the server's process has its own clock, which is the system's"
    )]
    let usual = (chrono::Utc::now() + chrono::TimeDelta::days(90)).format("%Y-%m-%d").to_string();
    assert!(page.body.contains(&usual), "{}", page.body);
    let id = page.body.split("id=\"req_").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let approve = format!("/requests/req_{id}/approve");
    assert!(!page.body.contains(&approve), "nobody is offered to decide what they asked for");
    let csrf = hidden(&person.sees("/requests/new").await, "/requests/new");
    let own = person.sends(&approve, &csrf).await;
    assert_eq!(own.status, 403, "{}", own.body);

    let app = &server.demo.app;
    let token =
        create_token(&app.store, "t", "/acme", &["approver"], app.gateway.clock.now_ms()).await.unwrap();
    let approver = format!("Bearer {}", token.reveal());
    let page = server.page("/requests?state=open", AUTHORIZATION, &approver).await;
    assert!(page.body.contains(&format!("action=\"{approve}\"")), "{}", page.body);
    let request = server.http.post(server.url(&approve)).header(AUTHORIZATION, &approver);
    let done = read(request.header("content-type", FORM).body("reason=Agreed")).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert_eq!(asks(&server, &key).await.0, 200);
    server.demo.stop().await;
}
