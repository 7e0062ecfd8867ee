//! A database that undoes the first transaction of every change (SQLSTATE 40001), as one does that runs transactions
//! beside one another: each way to write begins anew by itself.

use std::collections::BTreeSet;

use sea_orm::Statement;
use smallvec::smallvec;

use super::*;
use crate::budgets::Window;
use crate::budgets::lease::Ask;
use crate::store::commit::{Batch, NewCheckpoint, commit};
use crate::store::decisions::DecisionRow;
use crate::store::replicas::ReplicaNumber;
use crate::store::standing::Standing;

/// Each transaction that changes anything counts once, and those with an odd number are undone.
const UNDO: &str = "CREATE SEQUENCE undo_transaction MINVALUE 0; CREATE SEQUENCE undo_number MINVALUE 0; \
    CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      IF txid_current() <> (SELECT last_value FROM undo_transaction) THEN \
        PERFORM setval('undo_transaction', txid_current()); PERFORM nextval('undo_number'); END IF; \
      IF (SELECT last_value FROM undo_number) % 2 = 1 THEN \
        RAISE EXCEPTION 'undone by a test' USING ERRCODE = '40001'; END IF; \
      RETURN NULL; END $$; \
    DO $$ DECLARE name text; BEGIN FOR name IN SELECT tablename FROM pg_tables \
        WHERE schemaname = current_schema() AND tablename <> 'seaql_migrations' LOOP \
      EXECUTE format('CREATE TRIGGER undo BEFORE INSERT OR UPDATE OR DELETE ON %I \
        FOR EACH STATEMENT EXECUTE FUNCTION undo()', name); END LOOP; END $$";

/// Files of the store and what in them writes.
const SOURCES: [(&str, &str); 32] = [
    ("alert_messages", include_str!("../alert_messages.rs")),
    ("alerts", include_str!("../alerts.rs")),
    ("budgets", include_str!("../budgets.rs")),
    ("credentials", include_str!("../credentials.rs")),
    ("decisions", include_str!("../decisions.rs")),
    ("done_once", include_str!("../done_once.rs")),
    ("endpoints", include_str!("../endpoints.rs")),
    ("identities", include_str!("../identities.rs")),
    ("keys", include_str!("../keys.rs")),
    ("kill_switches", include_str!("../kill_switches.rs")),
    ("leases", include_str!("../leases.rs")),
    ("model_groups", include_str!("../model_groups.rs")),
    ("notices", include_str!("../notices.rs")),
    ("people", include_str!("../people.rs")),
    ("policy_versions", include_str!("../policy_versions.rs")),
    ("records", include_str!("../records.rs")),
    ("replicas", include_str!("../replicas.rs")),
    ("requests", include_str!("../requests.rs")),
    ("scim_groups", include_str!("../scim_groups.rs")),
    ("scim_users", include_str!("../scim_users.rs")),
    ("scopes", include_str!("../scopes.rs")),
    ("sealed_thoughts", include_str!("../sealed_thoughts.rs")),
    ("sequence", include_str!("../sequence.rs")),
    ("service_tokens", include_str!("../service_tokens.rs")),
    ("sessions", include_str!("../sessions.rs")),
    ("settings", include_str!("../settings.rs")),
    ("setup_links", include_str!("../setup_links.rs")),
    ("sign_ins", include_str!("../sign_ins.rs")),
    ("standing", include_str!("../standing.rs")),
    ("traffic", include_str!("../traffic.rs")),
    ("tree", include_str!("../tree.rs")),
    ("workloads", include_str!("../workloads.rs")),
];
/// What changes no row, and what `audit/tests/replicas.rs` tries, because a caller begins it anew.
const ASIDE: [&str; 5] = [
    "notices::tell",
    "standing::check",
    "standing::check_moved",
    "sequence::begin",
    "records::destroy_sections",
];

/// The functions that write, by module and name.
fn writers() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (module, source) in SOURCES {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for public in ["pub async fn ", "pub(crate) async fn "] {
            for part in source.split(public).skip(1) {
                let body = part.split("\n}").next().unwrap_or_default();
                if ["store.write", ".transaction(", "store.begin()", "write(store"]
                    .iter()
                    .any(|word| body.contains(word))
                {
                    found.insert(format!("{module}::{}", part.split('(').next().unwrap_or_default()));
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn every_change_that_the_database_undoes_is_made_again() {
    if !database::on_postgres() {
        return;
    }
    let (_folder, store) = store().await;
    store.sql(UNDO).await;
    let mut done: BTreeSet<String> = ASIDE.iter().map(|name| (*name).to_owned()).collect();
    // The next transaction that changes something is undone, and the one after it is not.
    macro_rules! undone {
        ($module:ident :: $name:ident ( $($argument:expr),* $(,)? )) => {{
            store.sql("SELECT setval('undo_number', 2)").await;
            let came = $module::$name(&store, $($argument),*).await.unwrap();
            let sql = Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT last_value FROM undo_number");
            let row = sea_orm::ConnectionTrait::query_one_raw(&store.read, sql).await.unwrap().unwrap();
            let tried: i64 = row.try_get_by_index(0).unwrap();
            let name = concat!(stringify!($module), "::", stringify!($name));
            assert!(tried >= 4 && tried % 2 == 0, "{name} was not undone, or not tried again: {tried}");
            done.insert(name.to_owned());
            came
        }};
    }
    undone!(scopes::put("/acme/other", json!({}), 1));
    undone!(scopes::delete("/acme/other"));
    undone!(endpoints::put("e", "/acme", json!({}), 1));
    undone!(endpoints::delete("e"));
    // Several as one.
    store.sql("SELECT setval('undo_number', 2)").await;
    let one: Result<(), StoreError> = store
        .as_one(|store| async move {
            scopes::put(&store, "/acme/one", json!({}), 1).await?;
            scopes::put(&store, "/acme/two", json!({}), 1).await
        })
        .await;
    one.unwrap();
    for path in ["/acme/one", "/acme/two"] {
        scopes::get(&store, path).await.unwrap();
        scopes::delete(&store, path).await.unwrap();
    }
    undone!(model_groups::put("g", json!([]), 1));
    undone!(model_groups::put("gone", json!([]), 1));
    undone!(model_groups::delete("gone"));
    let mut credential = credentials::Credential {
        id: "cr_1".into(),
        name: "c".into(),
        scope: "/acme".into(),
        source: json!({"sealed": true}),
        sealed: None,
        version: 1,
        fingerprint: None,
        created_ms: 1,
        updated_ms: 1,
        updated_by: None,
    };
    undone!(credentials::create(credential.clone()));
    (credential.version, credential.sealed) = (2, Some("envelope".into()));
    undone!(credentials::replace(&credential));
    assert!(undone!(credentials::reseal("cr_1", "envelope", "another")));
    undone!(credentials::set_scope("cr_1", "/", 2));
    undone!(credentials::delete("c", None));
    undone!(workloads::put("w", "/acme", json!({}), 1));
    undone!(workloads::delete("w"));
    assert!(undone!(workloads::take_token(&[1; 32], 9, 1)));
    assert!(!workloads::take_token(&store, &[1; 32], 9, 1).await.unwrap(), "it is taken once");
    let mut given = key("k0", "/acme");
    (given.workload, given.expires_ms) = (Some("w".into()), Some(5));
    keys::create(&store, given).await.unwrap();
    assert_eq!(undone!(workloads::sweep(6)), 1);
    undone!(keys::create_all(vec![(key("k1", "/acme"), vec![]), (key("k2", "/acme"), vec![])]));
    undone!(keys::change("k1", json!({ "models": ["b"] }), None));
    undone!(keys::disable(&["k2"], "moved", 5, None));
    undone!(keys::enable(&["k2"], None));
    undone!(keys::rotate("k1", key("k3", "/acme"), 5, None));
    undone!(keys::revoke(&["k2"], None, 5, None));
    undone!(keys::note_use(&[(String::from("k3"), 5)]));

    let mut budget = budgets::Budget {
        id: 0,
        scope: Some("/acme".into()),
        key_id: None,
        owner: None,
        model_group: None,
        window: "day".into(),
        unit: "usd".into(),
        limit_nano: 1_000,
        hard: true,
        thresholds: json!([]),
        settings: json!({}),
        created_ms: 1,
    };
    budget.id = undone!(budgets::create(budget.clone())).0;
    undone!(budgets::update(budget.clone()));
    let top_up = budgets::TopUp {
        id: "t".into(),
        budget_id: budget.id,
        amount_nano: 1,
        from_ms: 0,
        until_ms: None,
        reason: "r".into(),
        principal: "p".into(),
        created_ms: 0,
    };
    undone!(budgets::top_up(top_up.clone()));
    let later = budgets::TopUp { id: "t2".into(), created_ms: 1, ..top_up.clone() };
    undone!(budgets::top_up_as_seen(later, &budget, &[top_up], 0));
    assert!(undone!(budgets::note_threshold(budgets::BudgetId(budget.id), 0, 80, 1)));

    let (alone, _) = undone!(replicas::register("alone", 1));
    let (me, _) = undone!(replicas::join("one", 1));
    assert!(undone!(replicas::beat(me)));
    assert!(undone!(replicas::spools(me)));
    undone!(credentials::tell_keys(me.number, &[String::from("mk_1")]));
    let day = 86_400_000;
    let ask = Ask {
        budget: budget.id,
        window: "day".parse::<Window>().unwrap(),
        oldest_ms: 0,
        bucket_ms: day,
        from_ms: day,
        to_ms: day,
        first: true,
        keep: 0,
        need: 10,
        want: 10,
        older: smallvec![],
        now_ms: day + 5,
    };
    let leased = undone!(leases::lease(me.number, me.epoch, &ask));
    assert!(matches!(leased, leases::Lease::Granted(_)), "{leased:?}");
    let peer = |number: ReplicaNumber| {
        let store = store.clone();
        async move {
            replicas::peers(&store).await.unwrap().into_iter().find(|peer| peer.number == number).unwrap()
        }
    };
    undone!(replicas::stop(me.number));
    assert!(undone!(replicas::spool_ended(me.number)));
    let stopped = peer(me.number).await;
    assert!(undone!(leases::reclaim(me.number, stopped.epoch)));
    undone!(replicas::gone(me.number));
    undone!(replicas::leave(alone));
    let (silent, _) = replicas::join(&store, "two", 1).await.unwrap();
    assert!(undone!(replicas::fence(peer(silent.number).await, i64::MIN)));

    undone!(tree::create("log.example/test", Vec::new(), 1));
    let checkpoint = NewCheckpoint { size: 0, note: String::from("n"), time_ms: 1, replaces: None };
    undone!(sequence::keep("log.example/test", checkpoint));
    let row = DecisionRow {
        id: "dec_1".into(),
        time_ms: 1,
        scope: "/acme".into(),
        key_id: None,
        model: None,
        outcome: "answered".into(),
        endpoint: None,
        redactions: None,
        classes: None,
        cost_nano: None,
        overhead_us: None,
        status: None,
        code: None,
    };
    undone!(decisions::adopt(me.number, vec![(0, row)]));
    let (writing, _) = replicas::join(&store, "three", 1).await.unwrap();
    store.sql("SELECT setval('undo_number', 2)").await;
    let batch = Batch {
        replica: writing.number,
        epoch: writing.epoch,
        time_ms: 1,
        indexed_to: 0,
        settled_to: 0,
        records: Vec::new(),
        spend: Vec::new(),
        decisions: Vec::new(),
        tree: None,
    };
    commit(store.clone(), std::sync::Arc::new(batch)).await.unwrap();

    let person = people::Person {
        id: "p1".into(),
        subject: Some("idp|1".into()),
        email: None,
        display_name: None,
        roles: json!([]),
        created_ms: 1,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    };
    undone!(people::create(person.clone()));
    undone!(people::enable("p1", None));
    let identity = identities::Identity {
        provider: "idp".into(),
        subject: "1".into(),
        person: "p1".into(),
        groups: json!([]),
        claims: None,
        seen_ms: 1,
    };
    undone!(identities::note(person.clone(), identity));
    undone!(identities::join("idp", "1", "p1", 5));
    let mut user = scim_users::ScimUser {
        person: "p1".into(),
        user_name: "ada".into(),
        external_id: None,
        email: None,
        attributes: json!({}),
        version: 1,
        created_ms: 1,
        modified_ms: 1,
    };
    let ending = leaving::Ending { because: "gone".into(), spared: None };
    let gone = ending.clone();
    undone!(scim_users::create(user.clone(), person.clone(), None));
    user.version = 2;
    undone!(scim_users::change(user, person, None));
    let mut group = scim_groups::ScimGroup {
        id: "g1".into(),
        display_name: "G".into(),
        name: "g".into(),
        external_id: None,
        version: 1,
        created_ms: 1,
        modified_ms: 1,
    };
    undone!(scim_groups::create(group.clone(), vec![]));
    group.version = 2;
    undone!(scim_groups::change(group, vec!["p1".into()], vec![]));
    undone!(scim_groups::delete("g1", 2));
    undone!(scim_users::delete("p1", 2, ending, 5));
    let request = requests::Request {
        id: "req_1".into(),
        kind: "content_access".into(),
        scope: "/acme".into(),
        principal: "user:p1".into(),
        reason: "why".into(),
        wanted: json!({}),
        created_ms: 1,
        expires_ms: 9,
        until_ms: None,
        state: "open".into(),
        decided_by: None,
        decided_because: None,
        decided_ms: None,
        made: json!(null),
    };
    undone!(requests::ask(request));
    let decision = requests::Decision {
        state: "approved",
        by: "user:p2".into(),
        because: None,
        until_ms: Some(9),
        made: json!(null),
        now_ms: 2,
    };
    undone!(requests::decide("req_1", decision, requests::Effect::default(), None));
    let sign_in = sign_ins::SignIn {
        state_hash: vec![1; 32],
        browser_hash: vec![2; 32],
        provider: "idp".into(),
        back: "/".into(),
        person: None,
        expires_ms: 9,
        client: None,
    };
    assert!(undone!(sign_ins::begin(sign_in, 10, 1)));
    assert!(undone!(sign_ins::take(&[1; 32], 2)).is_some());
    undone!(sign_ins::note_logout(&[1; 32], 9, 1));
    assert!(sign_ins::has_logged_out(&store, &[1; 32]).await.unwrap());
    let session = sessions::Session {
        id_hash: vec![1; 32],
        person: "p1".into(),
        method: "setup_link".into(),
        created_ms: 1,
        seen_ms: 1,
        expires_ms: 9,
        revoked_ms: None,
        public_id: Some("ses_1".into()),
        provider: Some("idp".into()),
        provider_session: None,
        provider_subject: None,
        authenticated_ms: None,
        acr: None,
    };
    undone!(sessions::create(session));
    undone!(sessions::touch(&[1; 32], 7));
    undone!(sessions::end_of_provider("idp", None, Some("1"), 7));
    undone!(sessions::end(&[1; 32], 8));
    undone!(sessions::sweep(50));
    let once = done_once::DoneOnce {
        id_hash: vec![1; 32],
        request_hash: vec![2; 32],
        expires_ms: 100,
        answer: None,
    };
    assert!(undone!(done_once::begin(once.clone(), 1)).is_none());
    undone!(done_once::finish(&[1; 32], vec![3]));
    assert_eq!(undone!(done_once::begin(once, 2)).and_then(|row| row.answer), Some(vec![3]));
    undone!(done_once::forget(&[1; 32]));
    let thought = sealed_thoughts::SealedThought {
        digest: "tht_1".into(),
        decision: "dec_1".into(),
        classes: "phi".into(),
        unknown: String::new(),
        cut: true,
        seen_ms: 5,
    };
    undone!(sealed_thoughts::keep(vec![thought.clone()]));
    undone!(sealed_thoughts::keep(vec![thought.clone()]));
    let asked = ["tht_1".to_owned(), "tht_2".to_owned()];
    assert_eq!(sealed_thoughts::find(&store, &asked).await.unwrap(), [thought]);
    assert_eq!(undone!(sealed_thoughts::sweep(6)), 1);
    let tally =
        traffic::Tally { start_ms: 0, scope: "/acme".into(), what: "allowed".into(), count: 2, cost_nano: 3 };
    undone!(traffic::keep(0, 9, vec![tally.clone()]));
    let kept =
        traffic::kept(&store, (0, traffic::HOUR_MS), traffic::HOUR_MS, &["/".to_owned()]).await.unwrap();
    assert_eq!(kept, [tally]);
    assert_eq!(undone!(traffic::sweep(1)), 1);
    // These two write through a function that both share.
    for change in ["disable", "erase"] {
        store.sql("SELECT setval('undo_number', 2)").await;
        match change {
            "disable" => people::disable(&store, "p1", &gone, 1, None).await.unwrap(),
            _ => people::erase(&store, "p1", &gone, 1, None).await.unwrap(),
        };
    }
    let token = service_tokens::ServiceToken {
        id: "t1".into(),
        secret_hash: vec![1; 32],
        name: "ci".into(),
        scope: "/acme".into(),
        roles: json!([]),
        created_ms: 1,
        expires_ms: None,
        revoked_ms: None,
        created_by: None,
        rotated_to: None,
        last_used_ms: None,
        suspended_ms: None,
        suspended_because: None,
        claimed_by: None,
    };
    undone!(service_tokens::create(token.clone()));
    undone!(service_tokens::touch("t1", 5));
    let successor = service_tokens::ServiceToken { id: "t2".into(), secret_hash: vec![2; 32], ..token };
    undone!(service_tokens::rotate("t1", successor, 9, None));
    undone!(service_tokens::claim("t2", "user:p2", None));
    undone!(service_tokens::revoke("t1", 5, None));
    let link =
        setup_links::SetupLink { token_hash: vec![1; 32], created_ms: 0, expires_ms: 100, used_ms: None };
    undone!(setup_links::create(link));
    assert!(undone!(setup_links::redeem(&[1; 32], 50)));
    let link =
        setup_links::SetupLink { token_hash: vec![2; 32], created_ms: 0, expires_ms: 100, used_ms: None };
    setup_links::create(&store, link).await.unwrap();
    undone!(setup_links::expire(50));
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
    undone!(kill_switches::throw(switch));
    assert!(undone!(kill_switches::asked("ks_1", 10)));
    undone!(kill_switches::lift("ks_1", "p", "r", 11, None));
    undone!(alerts::begin("log"));
    let alert = alerts::Alert {
        id: "al_1".into(),
        kind: "break_glass".into(),
        severity: "critical".into(),
        scope: "/".into(),
        subject: "s".into(),
        facts: json!({}),
        raised_ms: 1,
        last_ms: 1,
        repeats: 0,
        told_ms: 1,
        acknowledged_ms: None,
        acknowledged_by: None,
        note: None,
        closed_ms: None,
    };
    let told = |id: &str| alerts::NewMessage {
        id: id.into(),
        channel: "c".into(),
        target: String::new(),
        next_ms: 1,
        collects_until_ms: None,
    };
    let raise =
        alerts::Raise { alert, again: alerts::Again::Once, messages: vec![told("msg_1"), told("msg_2")] };
    assert_eq!(undone!(alerts::raise("log", None, std::slice::from_ref(&raise), 1)).unwrap().len(), 1);
    assert_eq!(
        alerts::raise(&store, "log", None, &[raise], 1).await.unwrap().unwrap().len(),
        0,
        "it is told once"
    );
    undone!(alerts::acknowledge("al_1", "p", None, false, 2, None));
    undone!(alerts::close("s", 3));
    let due = alert_messages::due(&store, 1, &[], 9).await.unwrap();
    let taken = undone!(alert_messages::take(&due[0], 5)).unwrap();
    assert_eq!(alert_messages::take(&store, &due[0], 5).await.unwrap(), None, "one has it");
    assert!(undone!(alert_messages::put_off(&taken, 7, "e")));
    undone!(alert_messages::release(6));
    assert!(undone!(alert_messages::end(&taken, alert_messages::SENT, None, 8)));
    undone!(alerts::sweep(9));
    assert_eq!(alert_messages::waiting(&store).await.unwrap(), 1, "what waits is not swept");
    let version = policy_versions::PolicyVersion {
        id: 1,
        source: "s".into(),
        commit_id: "c".into(),
        digest: "d".into(),
        author: None,
        approver: None,
        since_ms: 1,
    };
    assert!(undone!(policy_versions::publish(version)));
    undone!(settings::keep_first("x", json!(1), 1));
    undone!(settings::put("x", json!(2), 1));
    undone!(standing::set(&Standing::Moved { to: "there".into() }, 1));
    undone!(budgets::delete(budgets::BudgetId(budget.id)));

    let left: Vec<String> = writers().difference(&done).cloned().collect();
    assert!(left.is_empty(), "these write, and nobody has tried whether they begin anew: {left:?}");
}

#[test]
fn what_writes_is_found() {
    let found = writers();
    for name in ["keys::rotate", "leases::lease", "replicas::beat", "settings::put", "budgets::create"] {
        assert!(found.contains(name), "{name} is not in {found:?}");
    }
    assert!(found.len() > 40, "{found:?}");
}
