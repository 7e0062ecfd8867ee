//! An upgrade, one server after the other: an older one goes on beside a schema that a newer one has brought further, and
//! does not begin on it.

use reqwest::Method;
use serde_json::json;

use crate::fleet::{Fleet, a_call, until};

/// A migration that no server here knows.
const NEWER: &str = "m9999_newer";

/// Does what the migrations of a newer version may do: a table more, and in each table columns that may be empty or have a
/// default.
async fn bring_further(fleet: &Fleet) {
    for table in fleet.tables().await.into_iter().filter(|table| table != "seaql_migrations") {
        let added = format!(
            "ALTER TABLE {table} ADD COLUMN newer_note TEXT NULL; \
             ALTER TABLE {table} ADD COLUMN newer_count BIGINT NOT NULL DEFAULT 0"
        );
        fleet.sql(&added).await;
    }
    fleet
        .sql(&format!(
            "CREATE TABLE newer (id TEXT NOT NULL PRIMARY KEY); \
             INSERT INTO seaql_migrations (version, applied_at) VALUES ('{NEWER}', 0)"
        ))
        .await;
}

async fn status(fleet: &Fleet, at: usize, key: &str) -> u16 {
    fleet.ask(at, key, &json!({})).await.map_or(0, |(status, _)| status)
}

fn tells_of_it(said: &str) -> bool {
    said.contains(NEWER) && said.contains("a later version of Bailiwick")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_server_goes_on_beside_a_newer_schema_and_does_not_begin_on_it() {
    let mut fleet = Fleet::start(Fleet::size(), &a_call("0.01")).await;
    let purse = fleet.purse("before", "100", false).await;
    let load = fleet.load(&purse, 2);
    load.more(200, 20).await;
    bring_further(&fleet).await;
    load.more(200, 60).await;
    // Declarations, keys, acts and what is told of them, too.
    let after = fleet.purse("after", "1", false).await;
    for at in 0..fleet.replicas.len() {
        until("the new key is served", || async { status(&fleet, at, &after.key).await == 200 }).await;
    }
    let path = format!("/api/v1/keys/{}/revoke", after.id);
    assert_eq!(fleet.admin(0, Method::POST, &path, None).await.status(), 200);
    for at in 0..fleet.replicas.len() {
        until("it is revoked", || async { status(&fleet, at, &after.key).await == 401 }).await;
    }
    let statuses = load.stop().await;
    assert!(statuses.keys().all(|status| *status == 200), "{statuses:?}");
    fleet.settled().await;

    fleet.replicas[0].end();
    let said = fleet.replicas[0].refuses_to_start(&[]);
    assert!(tells_of_it(&said), "{said}");
    if fleet.replicas.len() > 1 {
        // Nor does one begin anew that was stopped for its silence: it refuses, and the others go on.
        let silent = "UPDATE replicas SET state = 'fenced', epoch = epoch + 1 \
                      WHERE state = 'live' AND name LIKE 'replica-1.%'";
        fleet.sql(silent).await;
        until("it cannot begin anew", || async {
            let said = fleet.replicas[1].said();
            said.contains("it cannot begin yet") && tells_of_it(&said)
        })
        .await;
        assert_eq!(status(&fleet, 1, &purse.key).await, 503);
        until("the other one serves", || async { status(&fleet, 2, &purse.key).await == 200 }).await;
    }
    // As one of the newer version would, these begin where they know the schema.
    fleet.sql(&format!("DELETE FROM seaql_migrations WHERE version = '{NEWER}'")).await;
    fleet.replicas[0].start();
    for at in 0..fleet.replicas.len() {
        until("it serves again", || async { status(&fleet, at, &purse.key).await == 200 }).await;
    }
    fleet.finish().await;
}
