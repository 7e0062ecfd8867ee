//! An older server runs on while a newer one brings the schema further: what a migration may do to a table that was there
//! before it, and what becomes of rows that are still written in the old way.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use super::*;

/// A table, as a server of the version before relies on it.
#[derive(Debug, Clone, Default)]
struct Table {
    columns: BTreeMap<String, Column>,
    /// What the database holds its rows to, with the columns that it is about.
    rules: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    kind: String,
    /// Whether it may not be null.
    required: bool,
    /// Empty where it has none.
    default: String,
}

type Schema = BTreeMap<String, Table>;

/// What raises the revision of the configuration is the one trigger that a table may get: it refuses nothing.
const RAISES: &str = "_revision";

/// What `after` has that a server which knows `before` would stumble over.
fn narrowed(before: &Schema, after: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (name, old) in before {
        let Some(new) = after.get(name) else {
            found.push(format!("the table {name} is gone"));
            continue;
        };
        for (column, was) in &old.columns {
            match new.columns.get(column) {
                Some(is) if is == was => {}
                Some(is) => found.push(format!("{name}.{column} was {was:?} and is {is:?}")),
                None => found.push(format!("{name}.{column} is gone")),
            }
        }
        let added: BTreeSet<&String> =
            new.columns.keys().filter(|column| !old.columns.contains_key(*column)).collect();
        for column in &added {
            if new.columns[*column].required && new.columns[*column].default.is_empty() {
                found.push(format!("{name}.{column} has no default and may not be null"));
            }
        }
        for (rule, about) in new.rules.iter().filter(|(rule, _)| !old.rules.contains_key(*rule)) {
            // An older server leaves the new columns alone, so what is about nothing else holds for its rows.
            let of_new_columns = !about.is_empty() && about.iter().all(|column| added.contains(column));
            if !(of_new_columns || rule.starts_with("trigger ") && rule.ends_with(RAISES)) {
                found.push(format!("{name} has a new rule: {rule}"));
            }
        }
    }
    found
}

async fn strings(db: &DatabaseConnection, sql: &str) -> Vec<Vec<String>> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter()
        .map(|row| (0..row.column_names().len()).map(|at| row.try_get_by_index(at).unwrap()).collect())
        .collect()
}

/// Table, column, kind, whether it may not be null, default.
fn columns_of(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, \
               COALESCE(column_default::text, '') \
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name, c.name, c.type, CASE c.\"notnull\" WHEN 0 THEN 'YES' ELSE 'NO' END, \
               COALESCE(c.dflt_value, '') \
             FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
    }
}

/// Table, rule, and the columns that it is about, with commas between.
fn rules_of(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT t.relname::text, 'constraint ' || c.conname || ' ' || pg_get_constraintdef(c.oid), \
               array_to_string(ARRAY(SELECT a.attname::text FROM pg_attribute a \
                 WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)), ',') \
             FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
               JOIN pg_namespace n ON n.oid = t.relnamespace \
             WHERE n.nspname = current_schema() AND c.contype <> 'n' \
             UNION ALL \
             SELECT t.relname::text, pg_get_indexdef(i.indexrelid), \
               array_to_string(ARRAY(SELECT a.attname::text FROM pg_attribute a \
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)), ',') \
             FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
             WHERE n.nspname = current_schema() AND i.indisunique \
             UNION ALL \
             SELECT t.relname::text, 'trigger ' || g.tgname, '' \
             FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
             WHERE n.nspname = current_schema() AND NOT g.tgisinternal"
        }
        // What a table itself checks can only be changed there by making it anew.
        _ => {
            "SELECT m.name, 'unique index ' || i.name, \
               COALESCE((SELECT group_concat(c.name) FROM pragma_index_info(i.name) c), '') \
             FROM sqlite_master m JOIN pragma_index_list(m.name) i \
             WHERE m.type = 'table' AND i.\"unique\" = 1 \
             UNION ALL \
             SELECT m.name, 'reference of ' || f.\"from\" || ' to ' || f.\"table\", f.\"from\" \
             FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' \
             UNION ALL \
             SELECT m.tbl_name, 'trigger ' || m.name, '' FROM sqlite_master m WHERE m.type = 'trigger'"
        }
    }
}

async fn schema(db: &DatabaseConnection) -> Schema {
    let backend = db.get_database_backend();
    let mut found = Schema::new();
    for row in strings(db, columns_of(backend)).await {
        let column = Column { kind: row[2].clone(), required: row[3] == "NO", default: row[4].clone() };
        found.entry(row[0].clone()).or_default().columns.insert(row[1].clone(), column);
    }
    for row in strings(db, rules_of(backend)).await {
        let about = row[2].split(',').filter(|column| !column.is_empty()).map(str::to_owned).collect();
        found.entry(row[0].clone()).or_default().rules.insert(row[1].clone(), about);
    }
    found
}

/// A database without any schema.
async fn empty(folder: &TempDir) -> (DatabaseConnection, String) {
    let url = match database::postgres_in(folder.path()).await {
        Some(url) => url,
        None => format!("sqlite://{}?mode=rwc", folder.path().join("database").display()),
    };
    (Database::connect(&url).await.unwrap(), url)
}

#[tokio::test]
async fn no_migration_is_in_the_way_of_an_older_server() {
    let folder = TempDir::new().unwrap();
    let (db, _) = empty(&folder).await;
    let mut before = Schema::new();
    for name in bailiwick_migrations::names() {
        bailiwick_migrations::up_by(&db, 1).await.unwrap();
        let after = schema(&db).await;
        assert_eq!(narrowed(&before, &after), Vec::<String>::new(), "{name}");
        before = after;
    }
    assert!(bailiwick_migrations::is_current(&db).await.unwrap());
    // Every table with every column was looked at, and the rules were found.
    assert!(before.len() > 30, "{:?}", before.keys());
    let protocol = &before["replicas"].columns["protocol"];
    assert!(protocol.required && !protocol.default.is_empty(), "{protocol:?}");
    assert!(before["credentials"].rules.values().any(|about| about.iter().eq(["name"])), "{before:#?}");
    assert!(before["scopes"].rules.keys().any(|rule| rule.ends_with(RAISES)), "{before:#?}");
    db.close().await.unwrap();
}

/// Each statement on a table of its own, in place of `$t`.
const IN_THE_WAY: [&str; 7] = [
    "DROP TABLE $t",
    "ALTER TABLE $t RENAME TO $t_new",
    "ALTER TABLE $t DROP COLUMN note",
    "ALTER TABLE $t RENAME COLUMN note TO remark",
    "CREATE UNIQUE INDEX $t_name ON $t (name)",
    "ALTER TABLE $t ADD COLUMN kind BIGINT NULL; CREATE UNIQUE INDEX $t_kind ON $t (name, kind)",
    "ALTER TABLE $t ADD COLUMN sum BIGINT NULL; CREATE UNIQUE INDEX $t_sum ON $t (lower(name))",
];
/// What SQLite has no words for.
const IN_THE_WAY_ON_POSTGRES: [&str; 7] = [
    "ALTER TABLE $t ADD COLUMN must BIGINT NOT NULL",
    "ALTER TABLE $t ALTER COLUMN note SET NOT NULL",
    "ALTER TABLE $t ALTER COLUMN count DROP DEFAULT",
    "ALTER TABLE $t ALTER COLUMN note TYPE VARCHAR(8)",
    "ALTER TABLE $t ADD CHECK (name <> '')",
    "ALTER TABLE $t ADD FOREIGN KEY (note) REFERENCES $t (id)",
    "CREATE FUNCTION $t_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
     CREATE TRIGGER $t_refuse BEFORE INSERT ON $t FOR EACH ROW EXECUTE FUNCTION $t_refuse()",
];
const WIDENING: [&str; 6] = [
    "CREATE TABLE $t_more (id TEXT NOT NULL PRIMARY KEY, of_thing TEXT NOT NULL UNIQUE REFERENCES $t (id))",
    "ALTER TABLE $t ADD COLUMN remark TEXT NULL",
    "ALTER TABLE $t ADD COLUMN sum BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE $t ADD COLUMN kind TEXT NOT NULL DEFAULT 'a' CHECK (kind IN ('a', 'b'))",
    "ALTER TABLE $t ADD COLUMN other TEXT NULL REFERENCES $t (id)",
    "CREATE INDEX $t_note ON $t (note)",
];

/// What is found of what `statements` do to a table.
async fn found(db: &DatabaseConnection, at: usize, statements: &str) -> Vec<String> {
    let table = format!("things_{at}");
    let made = format!(
        "CREATE TABLE {table} (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, note TEXT NULL, \
         count BIGINT NOT NULL DEFAULT 0)"
    );
    db.execute_unprepared(&made).await.unwrap();
    let before = schema(db).await;
    db.execute_unprepared(&statements.replace("$t", &table)).await.unwrap();
    narrowed(&before, &schema(db).await)
}

#[tokio::test]
async fn what_would_be_in_the_way_of_an_older_server_is_found() {
    let folder = TempDir::new().unwrap();
    let (db, _) = empty(&folder).await;
    let postgres = IN_THE_WAY_ON_POSTGRES.into_iter().filter(|_| database::on_postgres());
    let mut at = 0;
    for statements in IN_THE_WAY.into_iter().chain(postgres) {
        at += 1;
        let found = found(&db, at, statements).await;
        assert_eq!(found.len(), 1, "{statements}: {found:?}");
    }
    for statements in WIDENING {
        at += 1;
        assert_eq!(found(&db, at, statements).await, Vec::<String>::new(), "{statements}");
    }
    db.close().await.unwrap();
}

/// As a server of the first release writes it: of what came later it says nothing.
const BEFORE: [&str; 6] = [
    "INSERT INTO scopes (path, parent, settings, created_ms) VALUES ('/$n', NULL, '{}', 1)",
    "INSERT INTO virtual_keys (id, scope, name, secret_hash, settings, created_ms) \
     VALUES ('k$n', '/$n', 'app', $blob, '{}', 1)",
    "INSERT INTO budgets (id, scope, \"window\", limit_nano, hard, thresholds, settings, created_ms) \
     VALUES ($n, '/$n', 'total', 5, true, '[]', '{}', 1)",
    "INSERT INTO people (id, roles, created_ms) VALUES ('p$n', '[]', 1)",
    "INSERT INTO service_tokens (id, secret_hash, name, scope, roles, created_ms) \
     VALUES ('t$n', $blob, 'ci', '/$n', '[]', 1)",
    "INSERT INTO replicas (number, name, epoch, state, seen_ms, heartbeat_ms, indexed_to, settled_to) \
     VALUES ($n, 'older.$n', 1, 'live', 1, 1, 0, 0)",
];

async fn write_as_before(db: &DatabaseConnection, number: usize) {
    let blob = if database::on_postgres() { "'\\x07'" } else { "x'07'" };
    for statement in BEFORE {
        let statement = statement.replace("$n", &number.to_string()).replace("$blob", blob);
        db.execute_unprepared(&statement).await.unwrap();
    }
}

#[tokio::test]
async fn what_an_older_server_writes_before_and_after_the_schema_is_brought_further_is_read() {
    let folder = TempDir::new().unwrap();
    let (older, url) = empty(&folder).await;
    // The first release: nothing but its organisation, its people and its log.
    bailiwick_migrations::up_by(&older, 3).await.unwrap();
    write_as_before(&older, 7).await;
    let store = Store::open(&url).await.unwrap();
    // On the connection that it had, with what it knows of the schema.
    write_as_before(&older, 8).await;
    for number in [7, 8] {
        let key = keys::get(&store, &format!("k{number}")).await.unwrap();
        assert_eq!((key.name.as_str(), key.secret_hash.as_slice()), ("app", [7].as_slice()));
        assert_eq!((key.disabled_ms, key.revoked_because, key.workload), (None, None, None));
        let budgets = budgets::list(&store).await.unwrap();
        let budget = budgets.iter().find(|budget| budget.id == number).unwrap();
        assert_eq!((budget.unit.as_str(), budget.limit_nano, budget.hard), ("usd", 5, true));
        let people = people::list(&store).await.unwrap();
        let person = people.iter().find(|person| person.id == format!("p{number}")).unwrap();
        assert_eq!((person.deprovisioned_ms, person.joined_into.as_deref()), (None, None));
        let tokens = service_tokens::list(&store).await.unwrap();
        let token = tokens.iter().find(|token| token.id == format!("t{number}")).unwrap();
        assert_eq!((token.last_used_ms, token.suspended_ms), (None, None));
        let peers = replicas::peers(&store).await.unwrap();
        let peer = peers.iter().find(|peer| peer.number.get() == number).unwrap();
        assert_eq!((peer.state, peer.spools, peer.protocol), (replicas::State::Live, false, 0));
    }
    older.close().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_not_opened() {
    let (folder, store) = store().await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    store.sql(newer).await;
    store.close().await;
    let opened = match database::postgres_in(folder.path()).await {
        Some(url) => Store::open(&url).await,
        None => Store::open_file(&folder.path().join(FILE)).await,
    };
    let refused = opened.map(|_| ()).unwrap_err();
    assert!(
        matches!(&refused, StoreError::OutOfService(why) if why.contains("m9999_later") && why.contains("later version")),
        "{refused}"
    );
}
