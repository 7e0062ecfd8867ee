//! Signing in with an identity provider: what is believed, and what is not.

use std::collections::HashMap;
use std::time::Duration;

use bailiwick::identity::{IdentityConfig, ProviderConfig};
use http::header::{COOKIE, SET_COOKIE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::identity::{age, browse, me, session_cookie};
use crate::idp::{CLIENT, Idp, SECRET, Signature};
use crate::reply::{Reply, read};

/// Lines that give the provider's groups roles, after those of the starter bundle.
const LINES: &str = "\n\
    g, group:corp:admins, role:admin, /\n\
    g, group:corp:clinic, role:viewer, /acme/clinic\n\
    g, claim:corp:department=Finance, role:finance, /acme\n\
    g, group:corp:bosses, role:owner, /\n\
    g, group-id:corp:the-owners, role:owner, /\n\
    g, group:partner:admins, role:viewer, /acme/research\n";

fn starter_with(lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in bailiwick_policy::BundleSource::starter().files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = if path.ends_with("rbac/policy.csv") { format!("{text}{lines}") } else { text };
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn provider(id: &str, issuer: &str, more: &str, secret: &std::path::Path) -> ProviderConfig {
    let written = format!(
        "id = '{id}'\nissuer = '{issuer}'\nclient_id = '{CLIENT}'\nclient_secret_file = '{}'\n\
         attribute_claims = ['department']\n{more}",
        secret.display()
    );
    toml_of(&written)
}

fn toml_of(written: &str) -> ProviderConfig {
    let config: IdentityConfig = toml::from_str(&format!("[[provider]]\n{written}")).unwrap();
    config.check().unwrap();
    config.provider.into_iter().next().unwrap()
}

/// A server with providers.
pub(crate) struct Setup {
    pub(crate) app: TestApp,
    _folder: tempfile::TempDir,
}

pub(crate) async fn serve(providers: &[(&str, &Idp, &str)]) -> Setup {
    let folder = starter_with(LINES);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let providers: Vec<ProviderConfig> =
        providers.iter().map(|(id, idp, more)| provider(id, &idp.url, more, &secret)).collect();
    std::fs::remove_file(folder.path().join("secret")).unwrap();
    let bundle = folder.path().to_owned();
    let app = TestApp::with(move |config| {
        config.bundle = Some(bundle);
        config.identity.provider = providers;
        let file = config.data_dir.parent().unwrap().join("client.secret");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        for provider in &mut config.identity.provider {
            provider.client_secret_file = Some(file.clone());
        }
    })
    .await;
    Setup { app, _folder: folder }
}

/// A sign-in that the browser has been sent away with.
struct Begun {
    cookie: String,
    asked: HashMap<String, String>,
}

async fn follow(app: &TestApp, path: &str, cookie: &str) -> Reply {
    let request = app.client.get(format!("{}{path}", app.url())).header(COOKIE, cookie);
    read(request.header("accept", "text/html").send().await.unwrap()).await
}

async fn begin(app: &TestApp, path: &str, session: &str) -> Begun {
    let reply = follow(app, path, session).await.is(303);
    let address = url_of(reply.header("location").unwrap());
    let set = reply.headers.get_all(SET_COOKIE).iter().find_map(|value| {
        let value = value.to_str().unwrap();
        for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(value.contains(part), "{value}");
        }
        value.starts_with("__Host-bailiwick-sign-in=").then(|| value.split(';').next().unwrap().to_owned())
    });
    Begun { cookie: set.unwrap(), asked: address }
}

/// The query of an address.
fn url_of(address: &str) -> HashMap<String, String> {
    let url = reqwest::Url::parse(address).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// What an honest provider says.
fn honest(idp: &Idp, begun: &Begun) -> Value {
    json!({
        "iss": idp.url, "aud": CLIENT, "sub": "ada", "iat": now(), "exp": now() + 300,
        "nonce": begun.asked["nonce"], "groups": ["admins"], "email": "ada@acme.example",
        "email_verified": true, "name": "Ada", "sid": "idp-session-1", "auth_time": now(),
    })
}

fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn signed(kid: &str) -> Signature {
    Signature::Key(kid.to_owned())
}

fn encoded(text: &str) -> String {
    reqwest::Url::parse_with_params("http://x", [("x", text)]).unwrap().query().unwrap()[2..].to_owned()
}

/// The browser comes back with a code for this token.
async fn come_back(app: &TestApp, idp: &Idp, begun: &Begun, token: String, session: &str) -> Reply {
    come_back_of(app, ("corp", idp), begun, token, session).await
}

async fn come_back_of(
    app: &TestApp,
    (id, idp): (&str, &Idp),
    begun: &Begun,
    token: String,
    session: &str,
) -> Reply {
    let code = idp.code(&begun.asked["code_challenge"], token);
    let path =
        format!("/auth/callback/{id}?code={code}&state={}&iss={}", begun.asked["state"], encoded(&idp.url));
    follow(app, &path, &format!("{}; {session}", begun.cookie)).await
}

/// Signs in with changed claims.
pub(crate) async fn sign_in(app: &TestApp, idp: &Idp, changes: Value) -> Reply {
    let begun = begin(app, "/auth/start?provider=corp", "").await;
    let token = idp.sign(&signed("k1"), "JWT", &with(honest(idp, &begun), &changes));
    come_back(app, idp, &begun, token, "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_and_has_the_roles_of_their_groups() {
    let idp = Idp::start().await;
    let Setup { app, _folder } = serve(&[("corp", &idp, "title = 'Acme <Staff>'")]).await;
    let page = follow(&app, "/auth/sign-in", "").await.is(200);
    assert!(page.text().contains("Acme &lt;Staff") && page.text().contains("/auth/start?provider=corp"));
    let begun = begin(&app, "/auth/start?provider=corp&back=/decisions?q=1", "").await;
    let asked = &begun.asked;
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(asked["scope"], "openid email profile");
    assert_eq!(asked["redirect_uri"], format!("{}/auth/callback/corp", app.url()));
    let token = idp.sign(&signed("k1"), "JWT", &honest(&idp, &begun));
    let reply = come_back(&app, &idp, &begun, token, "").await.is(303);
    assert_eq!(reply.header("location"), Some("/decisions?q=1"));
    let cookie = session_cookie(&reply).unwrap();
    let told = me(&app, &cookie).await.is(200).json();
    assert_eq!(told["name"], "Ada");
    assert_eq!((&told["groups"], &told["claims"]), (&json!(["corp:admins"]), &json!([])));
    assert!(told["roles"].as_array().unwrap().contains(&json!({ "role": "admin", "scope": "/" })), "{told}");
    browse(&app, Method::GET, "/api/v1/people", &cookie, None).await.is(200);

    // Other groups at the next sign-in: other rights, for the session that is open too, and a record of it.
    let changes = json!({ "groups": "clinic", "department": ["Finance"], "sid": "idp-session-2" });
    let next = session_cookie(&sign_in(&app, &idp, changes).await.is(303)).unwrap();
    for cookie in [&cookie, &next] {
        let told = me(&app, cookie).await.is(200).json();
        assert_eq!(told["groups"], json!(["corp:clinic"]));
        assert_eq!(told["claims"], json!(["corp:department=Finance"]));
        browse(&app, Method::GET, "/api/v1/people", cookie, None).await.is(403);
    }
    let person = me(&app, &next).await.json()["subject"].as_str().unwrap().to_owned();
    let records = app.records().await;
    let act = |name: &str| {
        let of =
            records.iter().filter(|record| record.sections.get("act").is_some_and(|of| of["act"] == name));
        of.map(|record| (record.id("principal").unwrap().to_owned(), record.sections["act"]["what"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(act("signed_in").len(), 2);
    let changed = act("roles_changed");
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert_eq!((&changed[0].0, &changed[0].1["before"]), (&person, &json!([])));
    assert!(changed[1].1["before"].as_array().unwrap().contains(&json!("admin /")), "{changed:?}");
    assert_eq!(changed[1].1["after"], json!(["finance /acme", "viewer /acme/clinic"]), "{changed:?}");
    // The log knows nobody's name.
    let export = app.export().await;
    assert!(!String::from_utf8_lossy(&export).contains("ada@acme.example"));
    // Whoever is disabled is out, and stays out.
    let id = person.strip_prefix("user:").unwrap();
    let why = json!({ "reason": "left" });
    app.admin(Method::POST, &format!("/api/v1/people/{id}/disable"), Some(&why)).await.is(200);
    me(&app, &next).await.is(401);
    let refused = sign_in(&app, &idp, json!({})).await.is(403);
    assert!(refused.text().contains("disabled") && session_cookie(&refused).is_none());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_is_believed() {
    let idp = Idp::start().await;
    let more = "email_domains = ['acme.example']";
    let Setup { app, _folder } = serve(&[("corp", &idp, more)]).await;
    sign_in(&app, &idp, json!({})).await.is(303);
    let lies = [
        (json!({ "aud": "another" }), "wrong_audience"),
        (json!({ "aud": [CLIENT, "another"] }), "wrong_audience"),
        (json!({ "azp": "another" }), "wrong_audience"),
        (json!({ "iss": "https://evil.example" }), "wrong_issuer"),
        (json!({ "exp": now() - 120 }), "expired"),
        (json!({ "iat": now() - 3_600 }), "expired"),
        (json!({ "iat": now() + 3_600, "exp": now() + 7_200 }), "expired"),
        (json!({ "nonce": "another" }), "wrong_nonce"),
        (json!({ "nonce": null }), "wrong_nonce"),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "wrong_access_token"),
        (json!({ "email": "ada@evil.example" }), "wrong_domain"),
        (json!({ "email": "ada@acme.example.evil" }), "wrong_domain"),
        (json!({ "email": null }), "wrong_domain"),
        (json!({ "email_verified": false }), "email_not_verified"),
        (json!({ "email_verified": null }), "email_not_verified"),
        (json!({ "groups": null, "_claim_names": { "groups": "src1" } }), "group_overage"),
        (json!({ "groups": null, "hasgroups": true }), "group_overage"),
        (json!({ "groups": { "a": 1 } }), "bad_groups"),
        (json!({ "groups": null }), "no_role"),
        (json!({ "groups": ["nobody wrote a line for it"] }), "no_role"),
        // Of another provider's name, and of a role's.
        (json!({ "groups": ["corp:admins", "role:admin", "other:admins"] }), "no_role"),
    ];
    let lost = "no role has been given";
    for (lie, code) in lies {
        let reply = sign_in(&app, &idp, lie.clone()).await;
        assert_eq!(reply.status, 403, "{lie}");
        let says = if code == "no_role" { lost } else { code };
        assert!(reply.text().contains(says), "{lie}: {code} is not on the page");
        assert!(session_cookie(&reply).is_none(), "{lie}");
    }
    idp.hide("hidden");
    for (signature, code) in [
        (Signature::None, "not_signed"),
        (Signature::Hmac, "wrong_algorithm"),
        (Signature::Forged(String::from("k1")), "wrong_signature"),
        (signed("hidden"), "unknown_key"),
    ] {
        let begun = begin(&app, "/auth/start?provider=corp", "").await;
        let token = idp.sign(&signature, "JWT", &honest(&idp, &begun));
        let reply = come_back(&app, &idp, &begun, token, "").await;
        let refused = reply.status == 403 && session_cookie(&reply).is_none();
        let named = ["not_signed", "wrong_algorithm"].contains(&code)
            && ["not_signed", "wrong_algorithm"].iter().any(|code| reply.text().contains(code));
        assert!(refused && (named || reply.text().contains(code)), "{signature:?}: {}", reply.text());
    }
    app.app().gateway.flush_refused().await.unwrap();
    let records = app.records().await;
    let refused = records.iter().rfind(|record| record.header.kind == "refused_authentication").unwrap();
    let counted = &refused.sections["refused"]["sign_ins"];
    assert_eq!(counted["corp/wrong_audience"], 3, "{counted}");
    assert_eq!(counted["corp/no_role"], 3, "{counted}");
    let people = app.admin(Method::GET, "/api/v1/people", None).await.json();
    assert_eq!(people["people"].as_array().unwrap().len(), 1, "nobody was made who was refused");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_once_for_one_browser_and_from_who_was_asked() {
    let (idp, other) = (Idp::start().await, Idp::start().await);
    let Setup { app, _folder } = serve(&[("corp", &idp, ""), ("other", &other, "")]).await;
    let answer = |begun: &Begun, id: &str, more: &str, idp: &Idp| {
        let token = idp.sign(&signed("k1"), "JWT", &honest(idp, begun));
        let code = idp.code(&begun.asked["code_challenge"], token);
        format!("/auth/callback/{id}?code={code}&state={}{more}", begun.asked["state"])
    };
    let iss = format!("&iss={}", encoded(&idp.url));
    let start_again = "Begin again";
    let start = || begin(&app, "/auth/start?provider=corp", "");

    // Another browser, or none.
    let (begun, mine) = (start().await, start().await);
    let path = answer(&begun, "corp", &iss, &idp);
    for cookie in ["", mine.cookie.as_str()] {
        let reply = follow(&app, &path, cookie).await.is(403);
        assert!(reply.text().contains(start_again) && session_cookie(&reply).is_none());
    }
    // It was taken out by the wrong browser, so the right one begins anew.
    follow(&app, &path, &begun.cookie).await.is(403);

    // Twice, even where the provider takes a code twice.
    idp.lax();
    let begun = start().await;
    let path = answer(&begun, "corp", &iss, &idp);
    follow(&app, &path, &begun.cookie).await.is(303);
    assert!(session_cookie(&follow(&app, &path, &begun.cookie).await.is(403)).is_none(), "replayed");
    let begun = start().await;
    let made_up = path.replace(path.split("state=").nth(1).unwrap().split('&').next().unwrap(), "made-up");
    follow(&app, &made_up, &begun.cookie).await.is(403);

    // Mixed up: another provider's callback, another's name, or none where it is promised.
    let begun = start().await;
    let reply = follow(&app, &answer(&begun, "other", "", &other), &begun.cookie).await.is(403);
    assert!(reply.text().contains("mixed_up"));
    for more in [format!("&iss={}", encoded(&other.url)), String::new()] {
        let begun = start().await;
        let reply = follow(&app, &answer(&begun, "corp", &more, &idp), &begun.cookie).await.is(403);
        assert!(reply.text().contains("mixed_up"), "{more}");
    }
    // The provider says no, or nothing.
    for (query, code) in
        [("error=access_denied", "provider_refused"), ("x=1", "no_code"), ("code=", "no_code")]
    {
        let begun = start().await;
        let path = format!("/auth/callback/corp?{query}&state={}{iss}", begun.asked["state"]);
        let reply = follow(&app, &path, &begun.cookie).await.is(403);
        assert!(reply.text().contains(code), "{query}");
    }
    // A code of somebody else's request does not fit our verifier.
    let begun = start().await;
    let token = idp.sign(&signed("k1"), "JWT", &honest(&idp, &begun));
    let code = idp.code("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", token);
    let path = format!("/auth/callback/corp?code={code}&state={}{iss}", begun.asked["state"]);
    assert!(follow(&app, &path, &begun.cookie).await.is(403).text().contains("code_refused"));
    // The same groups of another provider are other groups.
    let begun = begin(&app, "/auth/start?provider=other", "").await;
    let path = answer(&begun, "other", &format!("&iss={}", encoded(&other.url)), &other);
    assert!(follow(&app, &path, &begun.cookie).await.is(403).text().contains("no role has been given"));
    follow(&app, "/auth/start?provider=none", "").await.is(403);
    follow(&app, "/auth/callback/none?state=x", "").await.is(403);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_sent_elsewhere_afterwards() {
    let idp = Idp::start().await;
    let Setup { app, _folder } = serve(&[("corp", &idp, "email_domains = ['acme.example']")]).await;
    for back in
        ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/x", ""]
    {
        let begun = begin(&app, &format!("/auth/start?provider=corp&back={}", encoded(back)), "").await;
        let token = idp.sign(&signed("k1"), "JWT", &honest(&idp, &begun));
        let reply = come_back(&app, &idp, &begun, token, "").await.is(303);
        assert_eq!(reply.header("location"), Some("/"), "{back:?}");
    }
    let found = follow(&app, "/auth/start?email=ada@ACME.example", "").await.is(200);
    assert_eq!(found.header("refresh"), Some("0; url=/auth/start?provider=corp"));
    let back = "/auth/start?email=ada@acme.example&back=/decisions?q=1%26r";
    let found = follow(&app, back, "").await.is(200);
    let on = "0; url=/auth/start?provider=corp&back=%2Fdecisions%3Fq%3D1%26r";
    assert_eq!(found.header("refresh"), Some(on), "where the person wanted to go");
    for email in ["ada@evil.example", "ada", "ada@acme.example@evil.example", "a@b;url=https://evil.example"]
    {
        let reply = follow(&app, &format!("/auth/start?email={}", encoded(email)), "").await.is(403);
        assert!(reply.header("refresh").is_none(), "{email}");
    }
    app.finish().await;
}

/// Two providers, each for the addresses of its own domains: whoever holds one of them says nothing of the other's people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_address_is_for_the_provider_of_its_domain_alone() {
    let (ours, theirs) = (Idp::start().await, Idp::start().await);
    let Setup { app, _folder } = serve(&[
        ("corp", &ours, "email_domains = ['a.example']"),
        ("partner", &theirs, "email_domains = ['b.example', 'b2.example']"),
    ])
    .await;
    for (email, id, idp) in [
        ("ada@a.example", "corp", &ours),
        ("bo@b.example", "partner", &theirs),
        ("bo@B2.Example", "partner", &theirs),
    ] {
        let found = follow(&app, &format!("/auth/start?email={email}"), "").await.is(200);
        let on = format!("/auth/start?provider={id}");
        assert_eq!(found.header("refresh"), Some(format!("0; url={on}").as_str()), "{email}");
        let sent = follow(&app, &on, "").await.is(303);
        assert!(sent.header("location").unwrap().starts_with(&idp.url), "{email}");
    }
    follow(&app, "/auth/start?email=eve@c.example", "").await.is(403);

    let enter = async |id: &str, idp: &Idp, email: Value| {
        let begun = begin(&app, &format!("/auth/start?provider={id}"), "").await;
        let changes = json!({ "email": email, "sub": format!("{id}-somebody") });
        let token = idp.sign(&signed("k1"), "JWT", &with(honest(idp, &begun), &changes));
        come_back_of(&app, (id, idp), &begun, token, "").await
    };
    for (id, idp, own, group) in [
        ("corp", &ours, "ada@a.example", "corp:admins"),
        ("partner", &theirs, "bo@b2.example", "partner:admins"),
    ] {
        let cookie = session_cookie(&enter(id, idp, json!(own)).await.is(303)).unwrap();
        assert_eq!(me(&app, &cookie).await.is(200).json()["groups"], json!([group]));
        // It vouches for an address of the other's, or of nobody's, or for none.
        let others = if id == "corp" { "ada@b.example" } else { "bo@a.example" };
        for email in [json!(others), json!("x@c.example"), json!("x@sub.a.example"), Value::Null] {
            let refused = enter(id, idp, email.clone()).await.is(403);
            assert!(refused.text().contains("wrong_domain"), "{id} {email}: {}", refused.text());
            assert!(session_cookie(&refused).is_none());
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_change_and_providers_go_down() {
    let idp = Idp::start().await;
    idp.down(true);
    // It is down when the server starts.
    let Setup { app, _folder } = serve(&[("corp", &idp, "")]).await;
    let down = follow(&app, "/auth/start?provider=corp", "").await.is(503);
    assert!(down.text().contains("does not answer"));
    idp.down(false);
    let cookie = session_cookie(&sign_in(&app, &idp, json!({})).await.is(303)).unwrap();
    // Sessions do not ask it.
    idp.down(true);
    me(&app, &cookie).await.is(200);
    browse(&app, Method::GET, "/decisions", &cookie, None).await.is(200);
    app.ask("research", "assistant", "x").await.is(200);
    let reply = sign_in(&app, &idp, json!({})).await.is(503);
    assert!(session_cookie(&reply).is_none());
    idp.down(false);
    // A new key is asked for when it is first seen, and unknown ones do not make it be asked each time.
    tokio::time::sleep(Duration::from_secs(6)).await;
    idp.rotate("k2");
    let begun = begin(&app, "/auth/start?provider=corp", "").await;
    let token = idp.sign(&signed("k2"), "JWT", &honest(&idp, &begun));
    come_back(&app, &idp, &begun, token, "").await.is(303);
    let asked = idp.asked_for_keys();
    for _ in 0..5 {
        assert_eq!(sign_in(&app, &idp, json!({})).await.status, 403, "by the key that is gone");
    }
    assert_eq!(idp.asked_for_keys(), asked);
    app.finish().await;
    // A provider whose document names plain http elsewhere, or somebody else's issuer, is not asked anything.
    for lie in [
        json!({ "token_endpoint": "http://evil.example/token" }),
        json!({ "jwks_uri": "http://evil.example/jwks" }),
        json!({ "issuer": "https://evil.example" }),
    ] {
        let idp = Idp::start().await;
        idp.metadata(lie.clone());
        let Setup { app, _folder } = serve(&[("corp", &idp, "")]).await;
        assert_eq!(follow(&app, "/auth/start?provider=corp", "").await.status, 503, "{lie}");
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_in_shows_it_once_more_before_something_dangerous() {
    let idp = Idp::start().await;
    let Setup { app, _folder } = serve(&[("corp", &idp, "step_up_acr = ['mfa']")]).await;
    let new = json!({ "name": "ci", "roles": ["viewer"] });
    // Signed in a moment ago, but not strongly enough.
    let weak = session_cookie(&sign_in(&app, &idp, json!({})).await.is(303)).unwrap();
    let refused =
        browse(&app, Method::POST, "/api/v1/service-tokens", &weak, Some(&new)).await.is(403).json();
    assert_eq!(refused["code"], "step_up_required");
    let step_up = || begin(&app, "/auth/step-up?back=/decisions", &weak);
    let begun = step_up().await;
    let asked = &begun.asked;
    assert_eq!(
        (asked["prompt"].as_str(), asked["max_age"].as_str(), asked["acr_values"].as_str()),
        ("login", "0", "mfa")
    );
    for (changes, code) in [
        (json!({ "acr": "mfa", "auth_time": now() - 3_600 }), "not_shown_again"),
        (json!({ "acr": "mfa", "auth_time": null }), "not_shown_again"),
        (json!({ "acr": "password" }), "too_weak"),
        (json!({}), "too_weak"),
        (json!({ "acr": "mfa", "sub": "eve" }), "somebody_else"),
    ] {
        let begun = step_up().await;
        let token = idp.sign(&signed("k1"), "JWT", &with(honest(&idp, &begun), &changes));
        let reply = come_back(&app, &idp, &begun, token, &weak).await.is(403);
        assert!(reply.text().contains(code), "{changes}: {}", reply.text());
    }
    // Without the session that began it, it is no sign-in.
    let begun = step_up().await;
    let token = idp.sign(&signed("k1"), "JWT", &with(honest(&idp, &begun), &json!({ "acr": "mfa" })));
    come_back(&app, &idp, &begun, token, "").await.is(403);
    let begun = step_up().await;
    let token = idp.sign(&signed("k1"), "JWT", &with(honest(&idp, &begun), &json!({ "acr": "mfa" })));
    let reply = come_back(&app, &idp, &begun, token, &weak).await.is(303);
    assert_eq!(reply.header("location"), Some("/decisions"));
    let strong = session_cookie(&reply).unwrap();
    me(&app, &weak).await.is(401);
    browse(&app, Method::POST, "/api/v1/service-tokens", &strong, Some(&new)).await.is(201);
    age(&app, "authenticated_ms", 1).await;
    browse(&app, Method::POST, "/api/v1/service-tokens", &strong, Some(&new)).await.is(403);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_here_leads_to_the_provider_and_there_ends_sessions_here() {
    let idp = Idp::start().await;
    let Setup { app, _folder } = serve(&[("corp", &idp, "")]).await;
    let enter = |sid: &'static str, sub: &'static str| {
        let (app, idp) = (&app, &idp);
        async move {
            let reply = sign_in(app, idp, json!({ "sid": sid, "sub": sub })).await.is(303);
            session_cookie(&reply).unwrap()
        }
    };
    let cookie = enter("s0", "ada").await;
    let csrf = me(&app, &cookie).await.json()["session"]["csrf"].as_str().unwrap().to_owned();
    let out = app.client.post(format!("{}/auth/sign-out", app.url())).header(COOKIE, &cookie);
    let out = out.header("origin", app.url()).header("content-type", "application/x-www-form-urlencoded");
    let out = read(out.body(format!("csrf={csrf}")).send().await.unwrap()).await.is(200);
    let address = out.header("refresh").unwrap().strip_prefix("0; url=").unwrap();
    assert!(address.starts_with(&format!("{}/logout?", idp.url)), "{address}");
    let asked = url_of(address);
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["post_logout_redirect_uri"], format!("{}/auth/sign-in", app.url()));
    assert!(!asked.contains_key("id_token_hint"), "no token is kept");
    me(&app, &cookie).await.is(401);

    let (one, two, eve) = (enter("s1", "ada").await, enter("s2", "ada").await, enter("s3", "eve").await);
    let logout = |changes: Value| {
        with(
            json!({
                "iss": idp.url, "aud": CLIENT, "iat": now(), "exp": now() + 120,
                "jti": format!("{changes}"), "sub": "ada",
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            }),
            &changes,
        )
    };
    let post = |token: String| {
        let address = format!("{}/auth/back-channel-logout/corp", app.url());
        let request = app.client.post(address).header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(format!("logout_token={token}"));
        async { read(request.send().await.unwrap()).await }
    };
    for (changes, code) in [
        (json!({ "aud": "another" }), "wrong_audience"),
        (json!({ "iss": "https://evil.example" }), "wrong_issuer"),
        (json!({ "exp": now() - 1 }), "expired"),
        (json!({ "iat": now() - 3_600 }), "expired"),
        (json!({ "events": {} }), "no_logout_event"),
        (json!({ "nonce": "n" }), "has_nonce"),
        (json!({ "sub": null }), "names_nobody"),
        (json!({ "events": null }), "not_understood"),
        (json!({ "jti": "" }), "no_jti"),
    ] {
        let reply = post(idp.sign(&signed("k1"), "logout+jwt", &logout(changes.clone()))).await.is(400);
        assert_eq!(reply.json()["error_description"], code, "{changes}");
    }
    let good = logout(json!({ "sid": "s1" }));
    for (signature, typ, code) in [
        (Signature::None, "logout+jwt", "wrong_algorithm"),
        (Signature::Hmac, "logout+jwt", "wrong_algorithm"),
        (Signature::Forged(String::from("k1")), "logout+jwt", "wrong_signature"),
        (signed("k1"), "at+jwt", "wrong_type"),
    ] {
        let reply = post(idp.sign(&signature, typ, &good)).await.is(400);
        assert_eq!(reply.json()["error_description"], code, "{signature:?}");
    }
    post(String::from("x")).await.is(400);
    for cookie in [&one, &two, &eve] {
        me(&app, cookie).await.is(200);
    }
    // One session, by its name.
    let token = idp.sign(&signed("k1"), "logout+jwt", &good);
    let reply = post(token.clone()).await.is(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    me(&app, &one).await.is(401);
    me(&app, &two).await.is(200);
    assert_eq!(post(token).await.is(400).json()["error_description"], "replayed");
    // All of a person.
    post(idp.sign(&signed("k1"), "logout+jwt", &logout(json!({})))).await.is(200);
    me(&app, &two).await.is(401);
    me(&app, &eve).await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_id_token_lacks_is_asked_for_where_configured() {
    let idp = Idp::start().await;
    let Setup { app, _folder } = serve(&[("corp", &idp, "userinfo = true")]).await;
    idp.userinfo(json!({ "sub": "ada", "groups": ["clinic"], "name": "Ada L.", "email_verified": true }));
    let cookie =
        session_cookie(&sign_in(&app, &idp, json!({ "groups": null, "name": null })).await.is(303)).unwrap();
    let told = me(&app, &cookie).await.json();
    assert_eq!((&told["groups"], &told["name"]), (&json!(["corp:clinic"]), &json!("Ada L.")));
    // What the signed token says stands.
    let cookie = session_cookie(&sign_in(&app, &idp, json!({})).await.is(303)).unwrap();
    assert_eq!(me(&app, &cookie).await.json()["groups"], json!(["corp:admins"]));
    idp.userinfo(json!({ "sub": "eve", "groups": ["admins"] }));
    assert!(sign_in(&app, &idp, json!({})).await.is(403).text().contains("wrong_subject"));
    idp.says_issuer(false);
    app.finish().await;
}
