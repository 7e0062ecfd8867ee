//! The resources against a real database.

mod left;
mod undone;
mod upgrade;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::testing::database;

/// A path with characters that mean something in a URL.
const FILE: &str = "a b?c%20#.db";

/// The database of `folder`, of the kind that this run is on.
async fn open(folder: &TempDir) -> Store {
    match database::migrated_in(folder.path()).await {
        Some(url) => Store::open(&url).await.unwrap(),
        None => Store::open_file(&folder.path().join(FILE)).await.unwrap(),
    }
}

async fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = open(&folder).await;
    assert_eq!(folder.path().join(FILE).exists(), !database::on_postgres());
    for path in ["/", "/acme", "/acme/retail"] {
        scopes::put(&store, path, json!({"of": path}), 1).await.unwrap();
    }
    (folder, store)
}

fn key(id: &str, scope: &str) -> keys::VirtualKey {
    keys::VirtualKey {
        id: id.into(),
        scope: scope.into(),
        name: format!("app {id}"),
        secret_hash: vec![7; 32],
        settings: json!({"models": ["a"]}),
        created_ms: 1,
        expires_ms: Some(1_000),
        revoked_ms: None,
        rotated_to: None,
        overlap_until_ms: None,
        disabled_ms: None,
        disabled_because: None,
        revoked_because: None,
        workload: None,
    }
}

#[tokio::test]
async fn scopes_form_a_tree() {
    let (_folder, store) = store().await;
    let paths: Vec<_> = scopes::list(&store).await.unwrap().into_iter().map(|s| (s.path, s.parent)).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        paths,
        [("/".to_owned(), None), ("/acme".to_owned(), some("/")), ("/acme/retail".to_owned(), some("/acme"))]
    );
    let orphan = scopes::put(&store, "/nobody/here", json!({}), 1).await;
    assert!(matches!(orphan, Err(StoreError::Conflict(_))), "{orphan:?}");
    assert!(matches!(scopes::delete(&store, "/acme").await, Err(StoreError::Conflict(_))), "it has a child");
    scopes::delete(&store, "/acme/retail").await.unwrap();
    assert!(matches!(scopes::get(&store, "/acme/retail").await, Err(StoreError::NotFound(_))));
    scopes::put(&store, "/acme", json!({"new": 1}), 9).await.unwrap();
    let acme = scopes::get(&store, "/acme").await.unwrap();
    assert_eq!((acme.settings, acme.created_ms), (json!({"new": 1}), 1));
}

#[tokio::test]
async fn a_key_is_rotated_once_and_revoked_for_good() {
    let (_folder, store) = store().await;
    keys::create(&store, key("k1", "/acme")).await.unwrap();
    assert!(matches!(keys::create(&store, key("k1", "/acme")).await, Err(StoreError::Conflict(_))));
    assert!(matches!(keys::create(&store, key("k9", "/nowhere")).await, Err(StoreError::Conflict(_))));
    keys::rotate(&store, "k1", key("k2", "/acme"), 500, None).await.unwrap();
    let old = keys::get(&store, "k1").await.unwrap();
    assert_eq!((old.rotated_to.as_deref(), old.overlap_until_ms), (Some("k2"), Some(500)));
    assert!(matches!(
        keys::rotate(&store, "k1", key("k3", "/acme"), 500, None).await,
        Err(StoreError::Conflict(_))
    ));
    assert!(matches!(keys::get(&store, "k3").await, Err(StoreError::NotFound(_))), "nothing is half done");
    keys::revoke(&store, &["k2"], Some("leaked"), 10, None).await.unwrap();
    keys::revoke(&store, &["k2"], None, 20, None).await.unwrap();
    let revoked = keys::get(&store, "k2").await.unwrap();
    assert_eq!((revoked.revoked_ms, revoked.revoked_because.as_deref()), (Some(10), Some("leaked")));
    assert!(matches!(keys::revoke(&store, &["none"], None, 1, None).await, Err(StoreError::NotFound(_))));
    assert_eq!(keys::list(&store).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_is_disabled_and_enabled_until_it_is_revoked() {
    let (folder, store) = store().await;
    keys::create_all(&store, vec![(key("k1", "/acme"), vec![]), (key("k2", "/acme"), vec![])]).await.unwrap();
    keys::disable(&store, &["k1"], "first", 10, None).await.unwrap();
    keys::disable(&store, &["k1", "k2"], "second", 20, None).await.unwrap();
    let disabled = async |id: &str| {
        let key = keys::get(&store, id).await.unwrap();
        (key.disabled_ms, key.disabled_because)
    };
    assert_eq!(disabled("k1").await, (Some(10), Some(String::from("first"))));
    assert_eq!(disabled("k2").await, (Some(20), Some(String::from("second"))));
    let rotated = keys::rotate(&store, "k1", key("k3", "/acme"), 500, None).await;
    assert!(matches!(rotated, Err(StoreError::Conflict(_))));
    keys::enable(&store, &["k1"], None).await.unwrap();
    keys::enable(&store, &["k1"], None).await.unwrap();
    assert_eq!(disabled("k1").await, (None, None));
    keys::revoke(&store, &["k1"], None, 30, None).await.unwrap();
    assert!(matches!(keys::disable(&store, &["k1"], "late", 40, None).await, Err(StoreError::Conflict(_))));
    assert!(matches!(keys::enable(&store, &["k1"], None).await, Err(StoreError::Conflict(_))));
    assert!(matches!(keys::enable(&store, &["none"], None).await, Err(StoreError::NotFound(_))));
    store.close().await;
    drop(folder);
}

#[tokio::test]
async fn of_several_keys_all_are_made_or_none() {
    let (folder, store) = store().await;
    let bad = vec![(key("k1", "/acme"), vec![]), (key("k2", "/nowhere"), vec![])];
    assert!(matches!(keys::create_all(&store, bad).await, Err(StoreError::Conflict(_))));
    assert!(keys::list(&store).await.unwrap().is_empty());
    store.close().await;
    drop(folder);
}

#[tokio::test]
async fn the_latest_use_of_a_key_stays() {
    let (folder, store) = store().await;
    keys::create_all(&store, vec![(key("k1", "/acme"), vec![]), (key("k2", "/acme"), vec![])]).await.unwrap();
    let used =
        |pairs: &[(&str, i64)]| pairs.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect::<Vec<_>>();
    keys::note_use(&store, &used(&[("k2", 7), ("k1", 50), ("gone", 9)])).await.unwrap();
    keys::note_use(&store, &used(&[("k1", 40), ("k2", 8)])).await.unwrap();
    let known = keys::last_used(&store).await.unwrap();
    assert_eq!((known["k1"], known["k2"], known.len()), (50, 8, 2));
    store.close().await;
    drop(folder);
}

#[tokio::test]
async fn endpoints_and_settings_are_replaced_in_place() {
    let (_folder, store) = store().await;
    endpoints::put(&store, "e", "/acme", json!({"region": "se"}), 5).await.unwrap();
    endpoints::put(&store, "e", "/", json!({"region": "de"}), 6).await.unwrap();
    let e = endpoints::get(&store, "e").await.unwrap();
    assert_eq!((e.scope.as_str(), e.created_ms, e.updated_ms), ("/", 5, 6));
    assert_eq!(e.definition, json!({"region": "de"}));
    assert!(matches!(endpoints::put(&store, "f", "/none", json!({}), 1).await, Err(StoreError::Conflict(_))));
    endpoints::delete(&store, "e").await.unwrap();
    assert_eq!(endpoints::list(&store).await.unwrap(), []);
    assert_eq!(settings::get(&store, "x").await.unwrap(), None);
    settings::put(&store, "x", json!(1), 1).await.unwrap();
    settings::put(&store, "x", json!([2]), 2).await.unwrap();
    assert_eq!(settings::get(&store, "x").await.unwrap(), Some(json!([2])));
}

#[tokio::test]
async fn a_budget_belongs_to_a_scope_or_to_a_key() {
    let (_folder, store) = store().await;
    keys::create(&store, key("k1", "/acme")).await.unwrap();
    let budget = |scope: Option<&str>, key: Option<&str>| budgets::Budget {
        id: 99,
        scope: scope.map(Into::into),
        key_id: key.map(Into::into),
        owner: None,
        model_group: None,
        window: "month".into(),
        unit: "usd".into(),
        limit_nano: 5,
        hard: true,
        thresholds: json!([80]),
        settings: json!({}),
        created_ms: 1,
    };
    let first = budgets::create(&store, budget(Some("/acme"), None)).await.unwrap();
    let second = budgets::create(&store, budget(None, Some("k1"))).await.unwrap();
    assert_eq!((first.0, second.0), (1, 2));
    for wrong in [budget(None, None), budget(Some("/acme"), Some("k1")), budget(Some("/none"), None)] {
        let refused = budgets::create(&store, wrong).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let mut changed = budget(Some("/acme"), None);
    (changed.id, changed.limit_nano, changed.window) = (1, i64::MAX, "total".into());
    budgets::update(&store, changed.clone()).await.unwrap();
    assert_eq!(budgets::list(&store).await.unwrap()[0], changed);
    changed.id = 77;
    assert!(matches!(budgets::update(&store, changed).await, Err(StoreError::NotFound(_))));
    budgets::delete(&store, second).await.unwrap();
    assert!(matches!(budgets::delete(&store, second).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_setup_link_works_once_and_in_time() {
    let (_folder, store) = store().await;
    let link = |hash: u8| setup_links::SetupLink {
        token_hash: vec![hash; 32],
        created_ms: 0,
        expires_ms: 100,
        used_ms: None,
    };
    setup_links::create(&store, link(1)).await.unwrap();
    setup_links::create(&store, link(2)).await.unwrap();
    let tries = futures::future::join_all((0..8).map(|_| setup_links::redeem(&store, &[1; 32], 50))).await;
    assert_eq!(tries.into_iter().filter(|redeemed| *redeemed.as_ref().unwrap()).count(), 1);
    assert!(!setup_links::redeem(&store, &[2; 32], 100).await.unwrap(), "expired");
    assert!(!setup_links::redeem(&store, &[3; 32], 1).await.unwrap(), "unknown");
}

#[tokio::test]
async fn erasing_a_person_ends_the_sessions_and_keeps_the_id() {
    let (_folder, store) = store().await;
    let person = people::Person {
        id: "p1".into(),
        subject: Some("idp|1".into()),
        email: Some("ada@example.org".into()),
        display_name: Some("Ada".into()),
        roles: json!([]),
        created_ms: 1,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    };
    people::create(&store, person.clone()).await.unwrap();
    assert_eq!(people::by_subject(&store, "idp|1").await.unwrap(), Some(person.clone()));
    let session = |hash: u8, expires_ms: i64| sessions::Session {
        id_hash: vec![hash; 32],
        person: "p1".into(),
        method: "setup_link".into(),
        created_ms: 1,
        seen_ms: 1,
        expires_ms,
        revoked_ms: None,
        public_id: Some(format!("ses_{hash}")),
        provider: Some("corp".into()),
        provider_session: Some(format!("sid-{hash}")),
        provider_subject: Some("idp|1".into()),
        authenticated_ms: Some(1),
        acr: None,
    };
    sessions::create(&store, session(1, 100)).await.unwrap();
    sessions::create(&store, session(2, 10)).await.unwrap();
    sessions::touch(&store, &[1; 32], 7).await.unwrap();
    assert_eq!(sessions::live(&store, &[1; 32], 50, 6).await.unwrap().map(|s| s.seen_ms), Some(7));
    assert_eq!(sessions::live(&store, &[1; 32], 50, 7).await.unwrap(), None, "idle");
    assert_eq!(sessions::live(&store, &[2; 32], 10, 0).await.unwrap(), None, "too old");
    assert_eq!(
        sessions::page(&store, sessions::Holds { now_ms: 9, seen_after_ms: i64::MIN }, None, None, 100)
            .await
            .unwrap()
            .len(),
        2
    );
    let end = |session: Option<&'static str>, subject: Option<&'static str>| {
        sessions::end_of_provider(&store, "corp", session, subject, 8)
    };
    assert_eq!(end(None, None).await.unwrap(), 0, "whoever is not named stays");
    assert_eq!(end(Some("sid-2"), Some("idp|2")).await.unwrap(), 0, "both have to fit");
    assert_eq!(end(Some("sid-2"), None).await.unwrap(), 1);
    assert_eq!(
        sessions::page(&store, sessions::Holds { now_ms: 9, seen_after_ms: i64::MIN }, None, None, 100)
            .await
            .unwrap()
            .len(),
        1
    );
    let identity = identities::Identity {
        provider: "corp".into(),
        subject: "idp|1".into(),
        person: "p1".into(),
        groups: json!(["a"]),
        claims: Some(json!([])),
        seen_ms: 5,
    };
    let renamed = people::Person { display_name: Some("Ada L.".into()), ..person };
    identities::note(&store, renamed.clone(), identity.clone()).await.unwrap();
    let later = identities::Identity { groups: json!(["b"]), seen_ms: 6, ..identity };
    identities::note(&store, renamed.clone(), later.clone()).await.unwrap();
    assert_eq!(identities::find(&store, "corp", "idp|1").await.unwrap(), Some(later));
    assert_eq!(people::get(&store, "p1").await.unwrap(), renamed);
    let gone = leaving::Ending { because: "gone".into(), spared: None };
    people::erase(&store, "p1", &gone, 60, None).await.unwrap();
    assert_eq!(sessions::live(&store, &[1; 32], 60, 0).await.unwrap(), None);
    assert!(identities::of(&store, "p1").await.unwrap().is_empty());
    let erased = people::get(&store, "p1").await.unwrap();
    assert_eq!((erased.subject, erased.email, erased.display_name), (None, None, None));
    assert_eq!((erased.disabled_ms, erased.erased_ms), (Some(60), Some(60)));
    assert_eq!(sessions::sweep(&store, 50).await.unwrap(), 1);
    assert!(matches!(people::disable(&store, "none", &gone, 1, None).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_sign_in_is_finished_once_and_a_logout_token_taken_once() {
    let (_folder, store) = store().await;
    let sign_in = |hash: u8, expires_ms: i64| sign_ins::SignIn {
        state_hash: vec![hash; 32],
        browser_hash: vec![9; 32],
        provider: "corp".into(),
        back: "/".into(),
        person: None,
        expires_ms,
        client: Some(format!("adr_{expires_ms}")),
    };
    assert!(sign_ins::begin(&store, sign_in(1, 100), 2, 1).await.unwrap());
    assert!(sign_ins::begin(&store, sign_in(2, 10), 2, 1).await.unwrap());
    assert!(!sign_ins::begin(&store, sign_in(3, 100), 2, 1).await.unwrap(), "no more at once");
    assert!(sign_ins::begin(&store, sign_in(3, 100), 2, 10).await.unwrap(), "the old ones go");
    for (client, after, many) in [("adr_100", 99, 2), ("adr_100", 100, 0), ("adr_10", 0, 0), ("adr_1", 0, 0)]
    {
        assert_eq!(sign_ins::begun_by(&store, client, after).await.unwrap(), many, "{client} {after}");
    }
    let tries = futures::future::join_all((0..8).map(|_| sign_ins::take(&store, &[1; 32], 50))).await;
    assert_eq!(tries.into_iter().filter(|taken| taken.as_ref().unwrap().is_some()).count(), 1);
    assert_eq!(sign_ins::take(&store, &[3; 32], 100).await.unwrap(), None, "expired");
    assert_eq!(sign_ins::take(&store, &[4; 32], 1).await.unwrap(), None, "unknown");
    assert!(!sign_ins::has_logged_out(&store, &[1; 32]).await.unwrap());
    sign_ins::note_logout(&store, &[1; 32], 100, 1).await.unwrap();
    sign_ins::note_logout(&store, &[1; 32], 100, 2).await.unwrap();
    assert!(sign_ins::has_logged_out(&store, &[1; 32]).await.unwrap());
    assert!(!sign_ins::has_logged_out(&store, &[2; 32]).await.unwrap());
}

#[tokio::test]
async fn a_service_token_is_replaced_once_and_ends_no_later_than_it_would_have() {
    let (_folder, store) = store().await;
    let token = |id: &str, expires_ms| service_tokens::ServiceToken {
        id: id.into(),
        secret_hash: vec![1; 32],
        name: "ci".into(),
        scope: "/acme".into(),
        roles: json!(["viewer"]),
        created_ms: 1,
        expires_ms,
        revoked_ms: None,
        created_by: None,
        rotated_to: None,
        last_used_ms: None,
        suspended_ms: None,
        suspended_because: None,
        claimed_by: None,
    };
    for (old, new, ends, until) in [("a", "b", None, 50), ("c", "d", Some(20), 20), ("e", "f", Some(90), 50)]
    {
        service_tokens::create(&store, token(old, ends)).await.unwrap();
        service_tokens::rotate(&store, old, token(new, Some(500)), 50, None).await.unwrap();
        let row = service_tokens::get(&store, old).await.unwrap();
        assert_eq!((row.rotated_to.as_deref(), row.expires_ms), (Some(new), Some(until)), "{old}");
        let again = service_tokens::rotate(&store, old, token("x", None), 50, None).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    service_tokens::revoke(&store, "b", 5, None).await.unwrap();
    assert!(service_tokens::rotate(&store, "b", token("x", None), 50, None).await.is_err());
    assert!(matches!(service_tokens::get(&store, "x").await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_service_token_lives_until_it_expires_or_is_revoked() {
    let (_folder, store) = store().await;
    let token = |id: &str, expires_ms| service_tokens::ServiceToken {
        id: id.into(),
        secret_hash: vec![1; 32],
        name: "ci".into(),
        scope: "/acme".into(),
        roles: json!(["viewer"]),
        created_ms: 1,
        expires_ms,
        revoked_ms: None,
        created_by: None,
        rotated_to: None,
        last_used_ms: None,
        suspended_ms: None,
        suspended_because: None,
        claimed_by: None,
    };
    service_tokens::create(&store, token("t1", Some(10))).await.unwrap();
    service_tokens::create(&store, token("t2", None)).await.unwrap();
    assert!(service_tokens::live(&store, "t1", 9).await.unwrap().is_some());
    assert!(service_tokens::live(&store, "t1", 10).await.unwrap().is_none());
    service_tokens::revoke(&store, "t2", 5, None).await.unwrap();
    assert!(service_tokens::live(&store, "t2", 4).await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_disk_does_not_poison_the_writing_connection() {
    if database::on_postgres() {
        return;
    }
    let (_folder, store) = store().await;
    store.sql("PRAGMA max_page_count = 1").await;
    let big = json!("x".repeat(1_000_000));
    let full = settings::put(&store, "big", big.clone(), 1).await;
    assert!(full.as_ref().is_err_and(StoreError::is_transient), "{full:?}");
    let mut many = key("k1", "/acme");
    many.settings = big;
    keys::create(&store, key("k0", "/acme")).await.unwrap();
    let full = keys::rotate(&store, "k0", many, 1, None).await;
    assert!(full.as_ref().is_err_and(StoreError::is_transient), "{full:?}");
    store.sql("PRAGMA max_page_count = 1000000").await;
    keys::rotate(&store, "k0", key("k2", "/acme"), 1, None).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_opened() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.db");
    std::fs::write(&path, "this is not a database, it is a letter to nobody".repeat(100)).unwrap();
    let refused = Store::open_file(&path).await.map(|_| ());
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert!(matches!(Store::open("mysql://localhost/x").await, Err(StoreError::Address(_))));
}

#[tokio::test]
async fn opening_twice_migrates_once() {
    let (folder, store) = store().await;
    store.close().await;
    let again = open(&folder).await;
    again.ping().await.unwrap();
    assert_eq!(scopes::list(&again).await.unwrap().len(), 3);
}

#[tokio::test]
async fn every_change_of_the_configuration_raises_the_revision() {
    let (_folder, store) = store().await;
    let last = std::cell::Cell::new(revision::current(&store).await.unwrap());
    let moved = async || {
        let now = revision::current(&store).await.unwrap();
        now > last.replace(now)
    };
    macro_rules! raises {
        ($change:expr) => {
            $change.await.unwrap();
            assert!(moved().await, "{}", stringify!($change));
        };
    }
    raises!(scopes::put(&store, "/acme", json!({"new": 1}), 2));
    raises!(scopes::delete(&store, "/acme/retail"));
    raises!(endpoints::put(&store, "e", "/acme", json!({}), 2));
    raises!(endpoints::put(&store, "e", "/acme", json!({"new": 1}), 3));
    raises!(endpoints::delete(&store, "e"));
    raises!(model_groups::put(&store, "g", json!([]), 2));
    let credential = |version| credentials::Credential {
        id: "cr_1".into(),
        name: "c".into(),
        scope: "/acme".into(),
        source: json!({"sealed": true}),
        sealed: Some(format!("envelope {version}")),
        version,
        fingerprint: None,
        created_ms: 1,
        updated_ms: 1,
        updated_by: None,
    };
    raises!(credentials::create(&store, credential(1)));
    raises!(credentials::replace(&store, &credential(2)));
    assert!(credentials::replace(&store, &credential(2)).await.is_err(), "it is no version 1 any more");
    raises!(credentials::set_scope(&store, "cr_1", "/", 2));
    assert!(!credentials::reseal(&store, "cr_1", "envelope 1", "new").await.unwrap());
    // Another envelope came first. On PostgreSQL a statement that changes no row raises the revision too, to no harm.
    moved().await;
    raises!(credentials::reseal(&store, "cr_1", "envelope 2", "new"));
    let other = credentials::delete(&store, "c", Some(&credential(2))).await;
    assert!(matches!(other, Err(StoreError::Changed)), "it has another scope than was seen: {other:?}");
    let seen = credentials::get(&store, "c").await.unwrap();
    raises!(credentials::delete(&store, "c", Some(&seen)));
    assert!(matches!(credentials::delete(&store, "c", None).await, Err(StoreError::NotFound(_))));
    raises!(keys::create(&store, key("k1", "/acme")));
    raises!(keys::change(&store, "k1", json!({}), None));
    raises!(keys::rotate(&store, "k1", key("k2", "/acme"), 5, None));
    raises!(keys::disable(&store, &["k2"], "moved", 5, None));
    raises!(keys::enable(&store, &["k2"], None));
    raises!(keys::revoke(&store, &["k2"], None, 5, None));
    let before = revision::current(&store).await.unwrap();
    keys::note_use(&store, &[(String::from("k2"), 5)]).await.unwrap();
    assert_eq!(revision::current(&store).await.unwrap(), before, "nothing is decided by it");
    let mut of_key = budgets::Budget {
        id: 0,
        scope: None,
        key_id: Some("k1".into()),
        owner: None,
        model_group: None,
        window: "month".into(),
        unit: "usd".into(),
        limit_nano: 5,
        hard: true,
        thresholds: json!([]),
        settings: json!({}),
        created_ms: 1,
    };
    of_key.id = budgets::create(&store, of_key.clone()).await.unwrap().0;
    assert!(moved().await, "a budget");
    raises!(budgets::update(&store, of_key.clone()));
    let top_up = budgets::TopUp {
        id: "t".into(),
        budget_id: of_key.id,
        amount_nano: 1,
        from_ms: 0,
        until_ms: None,
        reason: "r".into(),
        principal: "p".into(),
        created_ms: 0,
    };
    raises!(budgets::top_up(&store, top_up));
    raises!(budgets::delete(&store, budgets::BudgetId(of_key.id)));
    let switch = kill_switches::KillSwitch {
        id: "ks_1".into(),
        kind: "endpoint".into(),
        target: "e".into(),
        scope: "/".into(),
        reason: "r".into(),
        principal: "p".into(),
        created_ms: 1,
        expires_ms: 9,
        asked_ms: None,
        lifted_ms: None,
        lifted_by: None,
        lifted_because: None,
    };
    raises!(kill_switches::throw(&store, switch));
    raises!(kill_switches::lift(&store, "ks_1", "p", "r", 5, None));
    let version = policy_versions::PolicyVersion {
        id: 1,
        source: "s".into(),
        commit_id: "c".into(),
        digest: "d".into(),
        author: None,
        approver: None,
        since_ms: 1,
    };
    raises!(policy_versions::publish(&store, version));
    settings::put(&store, "s", json!(1), 1).await.unwrap();
    assert!(!moved().await, "what is no configuration does not");

    // No table of the configuration is forgotten: these are what `snapshot/` reads.
    let read: std::collections::BTreeSet<&str> = [
        include_str!("../snapshot/build.rs"),
        include_str!("../snapshot/budgets.rs"),
        include_str!("../snapshot/bundle.rs"),
    ]
    .iter()
    .flat_map(|source| source.split("store::").skip(1))
    .filter_map(|rest| rest.split_once("::").map(|(module, _)| module))
    .filter(|module| module.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    .collect();
    let known = [
        "budgets",
        "credentials",
        "endpoints",
        "keys",
        "kill_switches",
        "model_groups",
        "policy_versions",
        "revision",
        "scopes",
    ];
    assert!(read.iter().all(|module| known.contains(module)), "{read:?}");
}
