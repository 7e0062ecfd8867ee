//! The database of a test: a file in the test's folder, or, where the run is one on PostgreSQL, a database of its
//! own in the cluster that the run has started.

#![allow(dead_code, reason = "each of the test binaries uses a part of this")]

use std::path::Path;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection, query_as, query_scalar,
};

/// The URL of the cluster, with a user who may create databases.
const CLUSTER: &str = "BAILIWICK_TEST_POSTGRES";
/// Where a folder's database is kept, so that a test that opens its folder again finds what it left.
const FILE: &str = "database_url";

/// Whether this run is one on PostgreSQL.
pub(crate) fn on_postgres() -> bool {
    cluster().is_some()
}

fn cluster() -> Option<String> {
    std::env::var(CLUSTER).ok().filter(|url| !url.is_empty())
}

/// The URL of the folder's PostgreSQL database, which is created empty the first time; none where the run is on SQLite.
pub(crate) async fn postgres_in(folder: &Path) -> Option<String> {
    postgres_from(folder, None).await
}

/// As [`postgres_in`], but a database that is created has the schema already, which takes a tenth of the time of making it.
pub(crate) async fn migrated_in(folder: &Path) -> Option<String> {
    let cluster = cluster()?;
    if folder.join(FILE).exists() {
        return postgres_in(folder).await;
    }
    postgres_from(folder, Some(&template(&cluster).await)).await
}

async fn postgres_from(folder: &Path, template: Option<&str>) -> Option<String> {
    let cluster = cluster()?;
    let file = folder.join(FILE);
    if let Ok(url) = std::fs::read_to_string(&file) {
        return Some(url);
    }
    let name = format!("t{}", hex::encode(random()));
    std::fs::create_dir_all(folder).unwrap();
    create(&name, template.unwrap_or("template0"), folder).await;
    let url = with_database(&cluster, &name);
    std::fs::write(&file, &url).unwrap();
    Some(url)
}

/// The key of the lock of who makes the template.
const TEMPLATES: i64 = 0x6261_696c_746d_706c;

/// The name of a database with this program's schema, made by whoever needs it first.
async fn template(cluster: &str) -> String {
    let program =
        std::env::current_exe().and_then(std::fs::metadata).and_then(|file| file.modified()).unwrap();
    let built = program.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let name = format!("template_{built:x}");
    let mut connection = PgConnection::connect(cluster).await.unwrap();
    let known = |connection| {
        query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(connection)
    };
    connection.execute(AssertSqlSafe(format!("SELECT pg_advisory_lock({TEMPLATES})"))).await.unwrap();
    let made: bool = known(&mut connection).await.unwrap();
    if !made {
        // Under another name until it is whole: who makes it may be killed.
        for statement in [
            format!("DROP DATABASE IF EXISTS {name}_new WITH (FORCE)"),
            format!("CREATE DATABASE {name}_new TEMPLATE template0"),
        ] {
            connection.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        let db = sea_orm::Database::connect(with_database(cluster, &format!("{name}_new"))).await.unwrap();
        bailiwick_migrations::up(&db).await.unwrap();
        db.close().await.unwrap();
        let rename = format!("ALTER DATABASE {name}_new RENAME TO {name}");
        connection.execute(AssertSqlSafe(rename)).await.unwrap();
    }
    // The connection's end releases the lock.
    connection.close().await.unwrap();
    name
}

/// Creates a database that is as `template`, and goes when `folder` has gone.
pub(crate) async fn create(name: &str, template: &str, folder: &Path) {
    let mut connection = PgConnection::connect(&cluster().expect("a run on PostgreSQL")).await.unwrap();
    drop_orphans(&mut connection).await;
    let folder = std::path::absolute(folder).unwrap();
    let of = format!("{} {}", boot(), folder.display()).replace('\'', "''");
    let statements = [
        format!("CREATE DATABASE {name} TEMPLATE {template}"),
        format!("COMMENT ON DATABASE {name} IS '{of}'"),
    ];
    for statement in statements {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// How many databases of tests that have ended there may be.
const ORPHANS: usize = 24;
/// The key of the lock of who drops them.
const DROPS: i64 = 0x6261_696c_7465_7374;

/// Drops the databases of tests that have ended, whose folders are gone, when there are many: the first of them makes the
/// cluster write all of its pages, and the others cost little then.
async fn drop_orphans(connection: &mut PgConnection) {
    let locked: bool = query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(DROPS)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    if !locked {
        return;
    }
    let all: Vec<(String, String)> = query_as(
        "SELECT datname::text, shobj_description(oid, 'pg_database') FROM pg_database \
         WHERE shobj_description(oid, 'pg_database') LIKE $1 || ' /%'",
    )
    .bind(boot())
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let ended = |of: &str| of.split_once(' ').is_some_and(|(_, folder)| !Path::new(folder).exists());
    let orphans: Vec<String> = all.into_iter().filter(|(_, of)| ended(of)).map(|(name, _)| name).collect();
    if orphans.len() >= ORPHANS {
        for name in orphans {
            let dropped = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            connection.execute(AssertSqlSafe(dropped)).await.unwrap();
        }
    }
    let _: bool =
        query_scalar("SELECT pg_advisory_unlock($1)").bind(DROPS).fetch_one(&mut *connection).await.unwrap();
}

/// This machine since it was started: folders of another one say nothing here.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Runs a statement in the cluster, outside of any test's database.
pub(crate) async fn administer(statement: &str) {
    run(&cluster().expect("a run on PostgreSQL"), statement).await;
}

/// Nobody is connected to the database, and nobody can be, until it is let in again.
pub(crate) async fn shut(name: &str) {
    administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    let ended =
        format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
    administer(&ended).await;
}

/// Ends what [`shut`] began.
pub(crate) async fn let_in(name: &str) {
    administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
}

/// Runs statements in the database at `url`, on a connection of their own.
pub(crate) async fn run(url: &str, statements: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(statements.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// Runs statements in the SQLite file, beside who has it open.
pub(crate) async fn run_in_file(path: &Path, statements: &str) {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(std::time::Duration::from_secs(60));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(AssertSqlSafe(statements.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// What a question is answered with in the database at `url`.
pub(crate) async fn number(url: &str, question: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let answer = query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}

/// As [`number`], where the answer is a text.
pub(crate) async fn text(url: &str, question: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let answer = query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}

/// How many connections to its database the one has that is called `replica-…`, for each that has any.
pub(crate) async fn connections(connection: &mut PgConnection) -> Vec<(String, i64)> {
    query_as(
        "SELECT application_name, count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE 'replica-%' GROUP BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

/// Begins a transaction with this statement in the database at `url`; it ends with what is returned.
pub(crate) async fn hold(url: &str, statement: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(format!("BEGIN; {statement}"))).await.unwrap();
    connection
}

/// Ends what [`hold`] began, so that it has happened.
pub(crate) async fn commit(mut held: PgConnection) {
    held.execute("COMMIT").await.unwrap();
    held.close().await.unwrap();
}

/// The tables of the database at `url` in which a row holds `needle`, be it in a text or in bytes.
pub(crate) async fn tables_with(url: &str, needle: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let tables: Vec<String> =
        query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {table} AS r WHERE position($1 IN r::text) > 0 OR position($2 IN r::text) > 0)"
        );
        let holds: bool = query_scalar(AssertSqlSafe(sql))
            .bind(needle)
            .bind(hex::encode(needle))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        found.extend(holds.then_some(table));
    }
    connection.close().await.unwrap();
    found
}

/// The password in `url`.
pub(crate) fn password_of(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split_once('@')?.0.split_once(':').map(|(_, password)| password)
}

/// The name of the database in `url`.
pub(crate) fn name_of(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

/// `url` with another database.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
