//! Copies between real databases.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::row::Row;
use super::*;
use crate::store::standing::{self, Standing};
use crate::store::{Store, StoreError};

/// A database of the kind that the run is on.
async fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open_in(folder.path()).await.unwrap();
    (folder, store)
}

/// A database in a file.
async fn file() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open_file(&folder.path().join("db")).await.unwrap();
    (folder, store)
}

async fn strings(store: &Store, sql: String) -> Vec<Vec<String>> {
    let backend = store.read.get_database_backend();
    let rows = store.read.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    rows.iter()
        .map(|row| (0..row.column_names().len()).map(|at| row.try_get_by_index(at).unwrap()).collect())
        .collect()
}

/// The columns of each table that the migrations made.
async fn schema(store: &Store) -> BTreeMap<String, BTreeSet<String>> {
    let sql = match store.read.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
    };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in strings(store, sql.into()).await {
        found.entry(row[0].clone()).or_default().insert(row[1].clone());
    }
    // What the migrations themselves remember; opening a database makes it.
    found.remove("seaql_migrations").expect("migrations ran");
    found
}

/// A table or a column that is added and not copied is lost with the next backup.
#[tokio::test]
async fn every_table_and_column_is_copied() {
    let (_folder, store) = store().await;
    let copied: BTreeMap<String, BTreeSet<String>> = tables()
        .unwrap()
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|column| column.name.to_owned()).collect();
            (table.name.to_owned(), columns)
        })
        .collect();
    assert_eq!(copied, schema(&store).await, "store/copy/table.rs and the migrations");
    assert_eq!(copied.len(), tables().unwrap().len(), "no table twice");
}

#[tokio::test]
async fn tables_come_after_those_that_they_refer_to() {
    let (_folder, store) = file().await;
    let tables = tables().unwrap();
    for (place, table) in tables.iter().enumerate() {
        assert!(!table.key.is_empty(), "{} has no key", table.name);
        let sql = format!("SELECT \"from\", \"table\" FROM pragma_foreign_key_list('{}')", table.name);
        for reference in strings(&store, sql).await {
            let [column, to] = reference.as_slice() else { panic!("{reference:?}") };
            let before = tables.iter().take(place).any(|table| table.name == to);
            let later = table.later.map(|place| table.columns[place].name);
            // A scope's parent is a part of its own path, and so comes before it in the order of the key.
            let own = to == table.name && (later == Some(column) || table.name == "scopes");
            assert!(before || own, "{}.{column} refers to {to}, which is filled later", table.name);
        }
    }
}

fn find<'t>(tables: &'t [Table], name: &str) -> &'t Table {
    tables.iter().find(|table| table.name == name).unwrap()
}

/// A row of `table` with these values, and none elsewhere.
fn row(table: &Table, values: &Value) -> Row {
    for name in values.as_object().unwrap().keys() {
        assert!(table.columns.iter().any(|column| column.name == name), "{} has no {name}", table.name);
    }
    let values = table.columns.iter().map(|column| values.get(column.name).cloned().unwrap_or_default());
    values.collect()
}

fn unfinished() -> Standing {
    Standing::Unfinished { command: "restore".into(), from: "a backup".into() }
}

/// Values at their edges, references that come before what they refer to, and more rows than a page.
async fn fill(store: &Store) {
    let tables = tables().unwrap();
    let mut target = Target::begin(store, unfinished(), 1).await.unwrap();
    let mut rows: Vec<(&str, Vec<Value>)> = vec![
        (
            "settings",
            vec![
                json!({"key": "", "value": "null", "updated_ms": i64::MIN}),
                json!({"key": "a\u{0301}é\n\"", "value": r#"{"b":1.5e300,"a":[18446744073709551615,-0.0,"\u0000"]}"#, "updated_ms": i64::MAX}),
            ],
        ),
        (
            "scopes",
            vec![
                json!({"path": "/", "settings": "{}", "created_ms": 0}),
                json!({"path": "/a", "parent": "/", "settings": "[]", "created_ms": 0}),
                json!({"path": "/a-b", "parent": "/", "settings": "0", "created_ms": 0}),
                json!({"path": "/a/c", "parent": "/a", "settings": "{}", "created_ms": 0}),
            ],
        ),
    ];
    let key = |at: i64| {
        // Each was replaced by one that comes before it or after it.
        let rotated_to = (at % 3 != 0).then(|| format!("k{:04}", (at * 7 + 1) % 700));
        json!({
            "id": format!("k{at:04}"), "scope": "/a/c", "name": "", "secret_hash": "AAECAwQ=", "settings": "{}",
            "created_ms": at, "rotated_to": rotated_to,
        })
    };
    rows.push(("virtual_keys", (0..700).map(key).collect()));
    rows.push((
        "budgets",
        vec![
            json!({"id": 3, "scope": "/", "window": "day", "limit_nano": i64::MAX, "unit": "usd", "hard": true, "thresholds": "[]", "settings": "{}", "created_ms": 0}),
            json!({"id": 9, "key_id": "k0000", "window": "day", "limit_nano": 0, "unit": "tokens", "hard": false, "thresholds": "[80]", "settings": "{}", "created_ms": 0}),
        ],
    ));
    let spend = |at: i64| {
        let budget = if at % 2 == 0 { 3 } else { 9 };
        json!({
            "budget_id": budget, "window_start_ms": at / 20 - 10, "replica": at / 2 % 10, "granted_nano": at,
            "settled_nano": -at, "short_nano": 0,
        })
    };
    let mut spends: Vec<Value> = (0..600).map(spend).collect();
    spends.sort_by_key(|row| ["budget_id", "window_start_ms", "replica"].map(|name| row[name].as_i64()));
    rows.push(("budget_spend", spends));
    rows.push((
        "people",
        vec![json!({"id": "p", "subject": "", "email": null, "roles": "[\"\"]", "created_ms": 0})],
    ));
    rows.push((
        "sessions",
        vec![json!({"id_hash": "AP8=", "person": "p", "method": "oidc", "created_ms": 0, "seen_ms": 0, "expires_ms": 0})],
    ));
    rows.push((
        "records",
        vec![
            json!({"id": 1_i64 << 40, "time_ms": 5, "kind": "x", "leaf_bytes": "", "leaf_hash": "AA==", "sections": "AAAA"}),
            json!({"id": i64::MAX, "time_ms": 5, "kind": "x", "leaf_bytes": "AA==", "leaf_hash": "AA==", "sections": "", "index_update": ""}),
        ],
    ));
    for (name, values) in rows {
        let table = find(&tables, name);
        let rows: Vec<Row> = values.iter().map(|values| row(table, values)).collect();
        for page in rows.chunks(usize::try_from(PAGE).unwrap()) {
            target.add(table, page).await.unwrap();
        }
        target.end().await.unwrap();
    }
    target.finish().await.unwrap();
}

async fn read(store: &Store) -> BTreeMap<&'static str, Vec<Row>> {
    let snapshot = Snapshot::take(store).await.unwrap();
    let mut read = BTreeMap::new();
    for table in tables().unwrap() {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let page = snapshot.page(&table, rows.last()).await.unwrap();
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        read.insert(table.name, rows);
    }
    read
}

#[tokio::test]
async fn what_arrives_is_what_was_there() {
    let (_from, source) = file().await;
    fill(&source).await;
    let (_to, target) = store().await;
    let mut filling = Target::begin(&target, unfinished(), 1).await.unwrap();
    let tables = tables().unwrap();
    let before = read(&source).await;
    assert_eq!(before["virtual_keys"].len(), 700);
    assert_eq!(before["budget_spend"].len(), 600);
    for table in &tables {
        for page in before[table.name].chunks(100) {
            filling.add(table, page).await.unwrap();
        }
        filling.end().await.unwrap();
    }
    filling.finish().await.unwrap();
    assert_eq!(read(&target).await, before);
    for table in &tables {
        let (left, right) = (Snapshot::take(&source).await.unwrap(), Snapshot::take(&target).await.unwrap());
        assert_eq!(left.count(table).await.unwrap(), right.count(table).await.unwrap(), "{}", table.name);
    }
    // And a digest is not the same whatever is there.
    store_sql(&target, "UPDATE budgets SET limit_nano = 1 WHERE id = 9").await;
    let budgets = find(&tables, "budgets");
    let changed = Snapshot::take(&target).await.unwrap().count(budgets).await.unwrap();
    let original = Snapshot::take(&source).await.unwrap().count(budgets).await.unwrap();
    assert_eq!(changed.rows, original.rows);
    assert_ne!(changed.sha256, original.sha256);
}

async fn store_sql(store: &Store, statement: &str) {
    store.write.execute_unprepared(statement).await.unwrap();
}

#[tokio::test]
async fn only_an_empty_database_is_filled_and_nobody_serves_half_of_one() {
    let (_folder, store) = store().await;
    let target = Target::begin(&store, unfinished(), 1).await.unwrap();
    let refused = standing::check(&store).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::OutOfService(why) if why.contains("`bailiwick restore`")),
        "{refused}"
    );
    let again = Target::begin(&store, unfinished(), 1).await.map(|_| ()).unwrap_err();
    assert!(matches!(again, StoreError::OutOfService(_)), "{again}");
    target.finish().await.unwrap();
    standing::check(&store).await.unwrap();
    fill(&store).await;
    let refused = Target::begin(&store, unfinished(), 1).await.map(|_| ()).unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("settings")), "{refused}");
    standing::check(&store).await.unwrap();
    // Something that a later version says is no reason to go on.
    let later = json!({"standing": "haunted"});
    crate::store::settings::put(&store, "standing", later, 1).await.unwrap();
    assert!(matches!(standing::check(&store).await, Err(StoreError::OutOfService(_))));
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused_and_named() {
    let (_folder, store) = store().await;
    let tables = tables().unwrap();
    let mut target = Target::begin(&store, unfinished(), 1).await.unwrap();
    let settings = find(&tables, "settings");
    for wrong in [
        json!(["k", "{}"]),
        json!(["k", "{}", 1, 2]),
        json!([1, "{}", 1]),
        json!(["k", "{", 1]),
        json!(["k", {}, 1]),
        json!(["k", "{}", "1"]),
        json!(["k", "{}", 1.5]),
        json!(["k", "{}", 9_223_372_036_854_775_808_u64]),
    ] {
        let row: Row = wrong.as_array().unwrap().clone();
        let refused = target.add(settings, &[row]).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Corrupt(why) if why.contains("settings")),
            "{wrong}: {refused}"
        );
    }
    let endpoints = find(&tables, "endpoints");
    let nowhere = row(
        endpoints,
        &json!({"name": "e", "scope": "/nowhere", "definition": "{}", "created_ms": 0, "updated_ms": 0}),
    );
    let refused = target.add(endpoints, &[nowhere]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
}

/// What is committed while a snapshot is read is not in it.
#[tokio::test]
async fn a_snapshot_is_of_one_instant() {
    let (_folder, store) = store().await;
    fill(&store).await;
    let tables = tables().unwrap();
    let keys = find(&tables, "virtual_keys");
    let snapshot = Snapshot::take(&store).await.unwrap();
    let first = snapshot.page(keys, None).await.unwrap();
    store_sql(&store, "UPDATE virtual_keys SET rotated_to = NULL").await;
    store_sql(&store, "DELETE FROM virtual_keys WHERE id > 'k0500'").await;
    let mut rows = first;
    loop {
        let page = snapshot.page(keys, rows.last()).await.unwrap();
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    assert_eq!(rows.len(), 700);
    assert!(rows.iter().any(|row| row.last().unwrap().is_null()));
    let rotated = keys.columns.iter().position(|column| column.name == "rotated_to").unwrap();
    assert!(rows.iter().skip(500).any(|row| row[rotated].is_string()));
}
