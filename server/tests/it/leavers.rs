//! Who leaves, and who turns out to be somebody else: what ends with them, and what others may not take for theirs.

use bailiwick::identity::create_token;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::identity::{browse, me, session_cookie};
use crate::idp::Idp;
use crate::oidc::{serve, sign_in};
use crate::reply::read;
use crate::scim::{Pushed, subject};

/// The roles of a session.
async fn roles(app: &TestApp, cookie: &str) -> Vec<String> {
    let told = me(app, cookie).await.is(200).json();
    told["roles"].as_array().unwrap().iter().map(|held| held["role"].as_str().unwrap().to_owned()).collect()
}

/// What came of the last act of this name.
async fn made(app: &TestApp, name: &str) -> Value {
    let records = app.records().await;
    let begun =
        records.iter().rfind(|record| record.sections.get("act").is_some_and(|act| act["act"] == name));
    let begun = begun.unwrap_or_else(|| panic!("no {name}"));
    let ended = records
        .iter()
        .find(|record| record.id("act") == begun.id("act") && record.id("phase") == Some("ended"))
        .unwrap();
    ended.sections["result"]["made"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_called_as_anothers_id_is_not_that_one() {
    let idp = Idp::start().await;
    let scim = Pushed::start(&idp, "scim = {}").await;
    let app = scim.app();
    let (ada, eve) = (scim.user("ada").await, scim.user("eve").await);
    let group = async |name: &str, id: Option<&str>, member: &str| {
        let mut group = json!({ "displayName": name, "members": [{ "value": member }] });
        if let Some(id) = id {
            group["externalId"] = json!(id);
        }
        scim.post("/Groups", group).await.is(201);
    };
    // The policy names the owners by their id, administrators by name, and Finance as an attribute.
    group("Owners", Some("the-owners"), &ada).await;
    group("the-owners", None, &eve).await;
    group("harmless", Some("admins"), &eve).await;
    group("department=Finance", Some("department=Finance"), &eve).await;
    group("clinic", None, &eve).await;
    let session = async |sub: &str| {
        let claims = json!({ "sub": sub, "email": format!("{sub}@acme.example"), "groups": [] });
        session_cookie(&sign_in(app, &idp, claims).await.is(303)).unwrap()
    };
    let (owner, other) = (session("ada").await, session("eve").await);
    assert!(roles(app, &owner).await.contains(&String::from("owner")));
    assert_eq!(roles(app, &other).await, ["viewer"]);
    let told = me(app, &owner).await.json();
    assert_eq!((&told["groups"], &told["group_ids"]), (&json!(["corp:Owners"]), &json!(["corp:the-owners"])));
    scim.setup.app.finish().await;

    // What an ID token says of groups is no attribute either.
    let idp = Idp::start().await;
    let setup = serve(&[("corp", &idp, "")]).await;
    let app = &setup.app;
    let claims = json!({ "groups": ["department=Finance", "the-owners", "clinic"] });
    let cookie = session_cookie(&sign_in(app, &idp, claims).await.is(303)).unwrap();
    assert_eq!(roles(app, &cookie).await, ["viewer"]);
    // Put down before the two stood apart, what could be an attribute is one, and no group.
    let before = r#"UPDATE identities SET claims = NULL, groups = '["department=Finance","clinic"]'"#;
    crate::acts::sql(&app.data(), before).await;
    let told = me(app, &cookie).await.json();
    assert_eq!(
        (&told["groups"], &told["claims"]),
        (&json!(["corp:clinic"]), &json!(["corp:department=Finance"]))
    );
    setup.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_ends_with_its_owner_by_a_name_of_long_ago() {
    let idp = Idp::start().await;
    let scim = Pushed::start(&idp, "scim = {}").await;
    let app = scim.app();
    let ada = scim.user("ada").await;
    scim.group("admins", &[&ada]).await;
    // The address that she signs in with is another one than any that is pushed.
    sign_in(app, &idp, json!({ "email": "private@acme.example" })).await.is(303);
    let owners = ["ada@acme.example", "Married@acme.example", "second@acme.example", "private@acme.example"];
    let mut keys = Vec::new();
    for owner in owners {
        let key = json!({ "scope": "/acme/research", "name": owner, "owner": owner });
        keys.push(app.create_key(key).await.1);
    }
    let path = format!("/Users/{ada}");
    for name in ["married@acme.example", "third@acme.example"] {
        let emails = json!([{ "value": name, "primary": true }, { "value": "Second@acme.example" }]);
        let changes = json!([
            { "op": "replace", "path": "emails", "value": emails },
            { "op": "replace", "path": "userName", "value": name },
        ]);
        scim.patch(&path, changes).await.is(200);
    }
    scim.patch(&path, json!([{ "op": "remove", "path": "emails" }])).await.is(200);
    for key in &keys {
        assert_eq!(app.get("/v1/models", key).await.status, 200);
    }
    scim.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).await.is(200);
    for (key, owner) in keys.iter().zip(owners) {
        assert_eq!(app.get("/v1/models", key).await.status, 401, "{owner}");
    }
    scim.setup.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_leaver_made_waits_for_somebody_who_answers_for_it() {
    const TOKENS: &str = "/api/v1/service-tokens";
    let idp = Idp::start().await;
    let scim = Pushed::start(&idp, "scim = {}").await;
    let app = scim.app();
    let ada = scim.user("ada").await;
    scim.group("admins", &[&ada]).await;
    let cookie = session_cookie(&sign_in(app, &idp, json!({})).await.is(303)).unwrap();
    let new = |name: &str, role: &str| json!({ "name": name, "roles": [role] });
    let first = browse(app, Method::POST, TOKENS, &cookie, Some(&new("hers", "admin"))).await.is(201).json();
    let (id, secret) = (first["id"].as_str().unwrap(), first["token"].as_str().unwrap());
    let request = app.client.post(format!("{}{TOKENS}", app.url())).bearer_auth(secret);
    let second = read(request.json(&new("of hers", "viewer")).send().await.unwrap()).await.is(201).json();
    let other = app.admin(Method::POST, TOKENS, Some(&new("somebody else's", "viewer"))).await.is(201).json();
    let works = async |token: &Value| app.get("/api/v1/me", token["token"].as_str().unwrap()).await.status;
    // The provider's own token is hers as well.
    let made_by = format!("UPDATE service_tokens SET created_by = 'user:{ada}' WHERE name = 'provider'");
    crate::acts::sql(&app.data(), &made_by).await;
    let ask = json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/research", "name": "x" } });
    let asked = browse(app, Method::POST, "/api/v1/requests", &cookie, Some(&ask)).await.is(201).json();

    scim.patch(&format!("/Users/{ada}"), json!([{ "op": "replace", "path": "active", "value": false }]))
        .await
        .is(200);
    assert_eq!([works(&first).await, works(&second).await, works(&other).await], [401, 401, 200]);
    scim.user("bo").await;
    let told = made(app, "scim_user_changed").await;
    let mut suspended = vec![id, second["id"].as_str().unwrap()];
    suspended.sort_unstable();
    assert_eq!(told["service_tokens_suspended"], json!(suspended), "{told}");
    assert!(told["service_token_spared"].is_string(), "{told}");
    assert_eq!(told["requests_ended"], json!([asked["id"]]), "{told}");
    let listed = app.admin(Method::GET, &format!("{TOKENS}?state=suspended"), None).await.is(200).json();
    assert_eq!(listed["service_tokens"].as_array().unwrap().len(), 2, "{listed}");
    assert!(listed["service_tokens"][0]["suspended_because"].is_string(), "{listed}");
    let withdrawn = app.admin(Method::GET, "/api/v1/requests?state=withdrawn", None).await.is(200).json();
    assert_eq!(withdrawn["requests"][0]["id"], asked["id"], "{withdrawn}");

    // Back again they stay suspended, until somebody claims them who could give their roles.
    scim.patch(&format!("/Users/{ada}"), json!([{ "op": "replace", "path": "active", "value": true }]))
        .await
        .is(200);
    assert_eq!(works(&first).await, 401);
    app.admin(Method::POST, &format!("{TOKENS}/{id}/rotate"), Some(&json!({}))).await.is(409);
    let now_ms = app.app().gateway.clock.now_ms();
    let weak = create_token(&app.app().store, "weak", "/acme", &["admin"], now_ms).await.unwrap().reveal();
    let claim = |by: &str| {
        let request = app.client.post(format!("{}{TOKENS}/{id}/claim", app.url())).bearer_auth(by);
        async { read(request.send().await.unwrap()).await }
    };
    claim(&weak).await.is(403);
    let claimed = claim(app.token()).await.is(200).json();
    assert!(claimed["state"] == "valid" && claimed["claimed_by"].is_string(), "{claimed}");
    assert_eq!([works(&first).await, works(&second).await], [200, 401], "each by itself");

    // Somebody who is not active from the beginning leaves with what they had.
    let early = json!({ "sub": "early", "email": "early@acme.example" });
    let cookie = session_cookie(&sign_in(app, &idp, early).await.is(303)).unwrap();
    let token =
        browse(app, Method::POST, TOKENS, &cookie, Some(&new("early's", "viewer"))).await.is(201).json();
    scim.post("/Users", json!({ "userName": "early", "externalId": "early", "active": false })).await.is(201);
    assert_eq!(works(&token).await, 401);
    assert_eq!(made(app, "scim_user_created").await["service_tokens_suspended"], json!([token["id"]]));
    scim.setup.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_under_two_ids_is_one() {
    let idp = Idp::start().await;
    let scim = Pushed::start(&idp, "scim = { attribute = 'userName', claim = 'preferred_username' }").await;
    let app = scim.app();
    let late = json!({ "sub": "late", "preferred_username": "late", "groups": ["bosses"] });
    let enter = async || session_cookie(&sign_in(app, &idp, late.clone()).await.is(303)).unwrap();
    let before = enter().await;
    let old = subject(app, &before).await;
    let ask = |name: &str| json!({ "kind": "key", "reason": "x", "wanted": { "scope": "/acme/research", "name": name } });
    let requests = "/api/v1/requests";
    let asked = browse(app, Method::POST, requests, &before, Some(&ask("one"))).await.is(201).json();
    let token = json!({ "name": "hers", "roles": ["owner"] });
    let token =
        browse(app, Method::POST, "/api/v1/service-tokens", &before, Some(&token)).await.is(201).json();
    let (_, key) = app.create_key(json!({ "scope": "/acme/research", "name": "hers", "owner": old })).await;

    // Pushed as another person, and joined by the next sign-in.
    let new = scim.post("/Users", json!({ "userName": "late" })).await.is(201).json();
    let new = new["id"].as_str().unwrap();
    scim.group("bosses", &[new]).await;
    let after = enter().await;
    assert_eq!(subject(app, &after).await, format!("user:{new}"));
    assert_ne!(old, format!("user:{new}"));
    me(app, &before).await.is(401);
    let approve = format!("{requests}/{}/approve", asked["id"].as_str().unwrap());
    let own = browse(app, Method::POST, &approve, &after, None).await.is(403).json();
    assert_eq!(own["code"], "own_request");
    let secret = token["token"].as_str().unwrap();
    let asked = browse(app, Method::POST, requests, &after, Some(&ask("two"))).await.is(201).json();
    let approve = format!("{}{requests}/{}/approve", app.url(), asked["id"].as_str().unwrap());
    let own = read(app.client.post(approve).bearer_auth(secret).send().await.unwrap()).await.is(403).json();
    assert_eq!(own["code"], "own_request", "nor by a token that the id of before made");
    let listed =
        browse(app, Method::GET, &format!("{requests}?state=open"), &after, None).await.is(200).json();
    let by: Vec<&Value> = listed["requests"].as_array().unwrap().iter().map(|it| &it["asked_by"]).collect();
    assert_eq!(by, [&json!(format!("user:{new}")); 2], "both are their own: {listed}");
    let id = old.strip_prefix("user:").unwrap();
    let person = app.admin(Method::GET, &format!("/api/v1/people/{id}"), None).await.is(200).json();
    assert_eq!(person["joined_into"], new, "{person}");
    app.admin(Method::POST, &format!("/api/v1/people/{id}/enable"), None).await.is(409);

    assert_eq!(app.get("/v1/models", &key).await.status, 200);
    app.get("/api/v1/me", secret).await.is(200);
    scim.send(Method::DELETE, &format!("/Users/{new}"), None, None).await.is(204);
    assert_eq!(app.get("/v1/models", &key).await.status, 401, "what the other id had ends too");
    app.get("/api/v1/me", secret).await.is(401);
    scim.setup.app.finish().await;
}
