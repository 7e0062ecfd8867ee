//! What ends with somebody, on each kind of database.

use std::collections::BTreeSet;

use super::*;
use crate::store::leaving::Ending;
use crate::store::service_tokens::ServiceToken;

fn person(id: &str) -> people::Person {
    people::Person {
        id: id.into(),
        subject: None,
        email: None,
        display_name: None,
        roles: json!([]),
        created_ms: 1,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    }
}

fn identity(person: &str, subject: &str) -> identities::Identity {
    identities::Identity {
        provider: "corp".into(),
        subject: subject.into(),
        person: person.into(),
        groups: json!([]),
        claims: Some(json!([])),
        seen_ms: 1,
    }
}

fn token(id: &str, by: &str) -> ServiceToken {
    ServiceToken {
        id: id.into(),
        secret_hash: vec![1; 32],
        name: id.into(),
        scope: "/acme".into(),
        roles: json!(["viewer"]),
        created_ms: 1,
        expires_ms: None,
        revoked_ms: None,
        created_by: Some(by.into()),
        rotated_to: None,
        last_used_ms: None,
        suspended_ms: None,
        suspended_because: None,
        claimed_by: None,
    }
}

fn request(id: &str, by: &str, kind: &str) -> requests::Request {
    requests::Request {
        id: id.into(),
        kind: kind.into(),
        scope: "/acme".into(),
        principal: by.into(),
        reason: "r".into(),
        wanted: json!({}),
        created_ms: 1,
        expires_ms: 100,
        until_ms: None,
        state: "open".into(),
        decided_by: None,
        decided_because: None,
        decided_ms: None,
        made: json!(null),
    }
}

#[tokio::test]
async fn who_leaves_takes_along_what_is_theirs_by_every_name_and_id() {
    let (_folder, store) = store().await;
    let gone = |spared: Option<&str>| Ending { because: "gone".into(), spared: spared.map(str::to_owned) };
    // Called differently at each sign-in, and somebody else before that.
    for email in ["Maiden@acme.example", "married@acme.example"] {
        let ada = people::Person { email: Some(email.into()), ..person("ada") };
        identities::note(&store, ada, identity("ada", "1")).await.unwrap();
    }
    let old = people::Person { email: Some("first@acme.example".into()), ..person("old") };
    identities::note(&store, old, identity("old", "2")).await.unwrap();
    people::create(&store, person("bo")).await.unwrap();
    service_tokens::create(&store, token("of-old", "user:old")).await.unwrap();
    requests::ask(&store, request("req_1", "user:old", "content_access")).await.unwrap();
    identities::join(&store, "corp", "2", "ada", 5).await.unwrap();
    assert_eq!(people::same(&store, "ada").await.unwrap(), people::same(&store, "old").await.unwrap());
    let joined = people::get(&store, "old").await.unwrap();
    assert_eq!((joined.joined_into.as_deref(), joined.disabled_ms), (Some("ada"), Some(5)));
    assert!(people::enable(&store, "old", None).await.is_err(), "they are somebody else by now");
    assert_eq!(requests::get(&store, "req_1").await.unwrap().principal, "user:ada");

    let owners = ["maiden@ACME.example", "married@acme.example", "first@acme.example", "user:old", "ada"];
    for (at, owner) in owners.iter().enumerate() {
        let owned =
            keys::VirtualKey { settings: json!({ "owner": owner }), ..key(&format!("k{at}"), "/acme") };
        keys::create(&store, owned).await.unwrap();
    }
    let other = keys::VirtualKey { settings: json!({ "owner": "bo" }), ..key("k-bo", "/acme") };
    keys::create(&store, other).await.unwrap();
    // A chain of tokens, one that somebody has claimed, one that hers has claimed, and the one that tells.
    for (id, by) in
        [("t1", "user:ada"), ("t2", "token:t1"), ("t3", "token:t2"), ("t4", "token:t2"), ("t5", "user:bo")]
    {
        service_tokens::create(&store, token(id, by)).await.unwrap();
    }
    service_tokens::create(&store, token("tells", "user:ada")).await.unwrap();
    service_tokens::claim(&store, "t4", "user:bo", None).await.unwrap();
    service_tokens::claim(&store, "t5", "token:t3", None).await.unwrap();
    let granted = requests::Decision {
        state: "approved",
        by: "user:bo".into(),
        because: None,
        until_ms: Some(1_000),
        made: json!(null),
        now_ms: 6,
    };
    requests::decide(&store, "req_1", granted, requests::Effect::default(), None).await.unwrap();
    assert_eq!(requests::content_access(&store, "user:ada", 7).await.unwrap(), ["/acme"]);
    requests::ask(&store, request("req_2", "user:ada", "key")).await.unwrap();
    requests::ask(&store, request("req_3", "user:bo", "key")).await.unwrap();

    let left = people::disable(&store, "ada", &gone(Some("tells")), 10, None).await.unwrap();
    assert_eq!(left.keys_disabled, ["k0", "k1", "k2", "k3", "k4"]);
    assert_eq!(left.service_tokens_suspended, ["of-old", "t1", "t2", "t3", "t5"]);
    assert_eq!(left.service_token_spared.as_deref(), Some("tells"));
    assert_eq!(left.requests_ended, ["req_1", "req_2"]);
    assert!(requests::content_access(&store, "user:ada", 10).await.unwrap().is_empty());
    assert_eq!(requests::get(&store, "req_2").await.unwrap().state, "withdrawn");
    assert_eq!(requests::get(&store, "req_3").await.unwrap().state, "open");
    assert!(service_tokens::live(&store, "t2", 11).await.unwrap().is_none());
    for id in ["t4", "tells"] {
        assert!(service_tokens::live(&store, id, 11).await.unwrap().is_some(), "{id}");
    }
    // Once more there is nothing left but the one that told: now it was somebody else.
    let left = people::disable(&store, "ada", &gone(None), 12, None).await.unwrap();
    assert_eq!(left.service_tokens_suspended, ["tells"]);
    assert!(left.keys_disabled.is_empty() && left.requests_ended.is_empty(), "{left:?}");

    // Who is gone makes no token any more, nor does what they have made; a claimed one works, and is its claimer's.
    for by in ["user:ada", "user:nobody", "token:t1"] {
        let made = service_tokens::create(&store, token("late", by)).await;
        assert!(matches!(made, Err(StoreError::Conflict(_))), "{by}: {made:?}");
    }
    let rotated = service_tokens::rotate(&store, "t1", token("next", "user:bo"), 50, None).await;
    assert!(matches!(rotated, Err(StoreError::Conflict(_))), "nobody answers for it: {rotated:?}");
    service_tokens::claim(&store, "t1", "user:bo", None).await.unwrap();
    assert!(service_tokens::live(&store, "t1", 13).await.unwrap().is_some());
    assert!(service_tokens::live(&store, "t2", 13).await.unwrap().is_none(), "that one is claimed by itself");
    people::enable(&store, "ada", None).await.unwrap();
    people::disable(&store, "ada", &gone(None), 14, None).await.unwrap();
    assert!(service_tokens::live(&store, "t1", 15).await.unwrap().is_some(), "another one answers for it");
    // Erased, the names are gone too.
    people::erase(&store, "ada", &gone(None), 20, None).await.unwrap();
    for id in ["ada", "old"] {
        let erased = people::get(&store, id).await.unwrap();
        assert!(erased.email.is_none() && erased.erased_ms.is_some(), "{erased:?}");
    }
    let owners: BTreeSet<String> = keys::list(&store)
        .await
        .unwrap()
        .iter()
        .map(|key| key.settings["owner"].as_str().unwrap().to_owned())
        .collect();
    let ids = ["ada", "bo", "user:ada", "user:old"].map(String::from);
    assert_eq!(owners, BTreeSet::from(ids), "no key names them");
    let late =
        keys::VirtualKey { settings: json!({ "owner": "married@acme.example" }), ..key("k9", "/acme") };
    keys::create(&store, late).await.unwrap();
    assert!(people::disable(&store, "ada", &gone(None), 21, None).await.unwrap().keys_disabled.is_empty());
}
