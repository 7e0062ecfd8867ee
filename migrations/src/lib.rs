//! The database schema, one file a migration.
//!
//! Rules that hold in every file: money is `BIGINT` nano-dollars, a time is `BIGINT` Unix milliseconds in a
//! column ending in `_ms`, an enumeration is text with a `CHECK`, foreign keys stand in `CREATE TABLE` (SQLite
//! cannot add them later), and nothing is said that only one of SQLite and PostgreSQL understands but where a file
//! says both.
//! A released migration is never edited: a change is a new file, first widening, later narrowing.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`MigrationTrait` hides the lifetime of `SchemaManager`, and an implementation must hide it too"
)]

use sea_orm_migration::prelude::*;

mod collation;
mod m0001_organisation;
mod m0002_identity;
mod m0003_audit;
mod m0004_control;
mod m0005_virtual_keys;
mod m0006_limits;
mod m0007_spools;
mod m0008_policy;
mod m0009_protocol;
mod m0010_identity;
mod m0011_provisioning;
mod m0012_credentials;
mod m0013_once;
mod m0014_leaving;
mod m0015_sealed_thoughts;
mod m0016_alerts;
mod m0017_sign_ins;
mod m0018_traffic;
mod table;

/// Applies the migrations in order; `Migrator::up(db, None)` brings a database to this binary's schema.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_organisation::Migration),
            Box::new(m0002_identity::Migration),
            Box::new(m0003_audit::Migration),
            Box::new(m0004_control::Migration),
            Box::new(m0005_virtual_keys::Migration),
            Box::new(m0006_limits::Migration),
            Box::new(m0007_spools::Migration),
            Box::new(m0008_policy::Migration),
            Box::new(m0009_protocol::Migration),
            Box::new(m0010_identity::Migration),
            Box::new(m0011_provisioning::Migration),
            Box::new(m0012_credentials::Migration),
            Box::new(m0013_once::Migration),
            Box::new(m0014_leaving::Migration),
            Box::new(m0015_sealed_thoughts::Migration),
            Box::new(m0016_alerts::Migration),
            Box::new(m0017_sign_ins::Migration),
            Box::new(m0018_traffic::Migration),
        ]
    }
}

/// Brings the database to this binary's schema; does nothing where it is there already.
///
/// # Errors
/// What the database said; a migration that fails leaves nothing of itself behind. [`DbErr::Migration`] where a later
/// version has brought it further.
pub async fn up(db: &sea_orm::DatabaseConnection) -> Result<(), DbErr> {
    apply(db, None).await
}

/// Applies so many of the migrations that the database has not had, and no more: what an older version leaves.
///
/// # Errors
/// As [`up`].
pub async fn up_by(db: &sea_orm::DatabaseConnection, steps: u32) -> Result<(), DbErr> {
    apply(db, Some(steps)).await
}

async fn apply(db: &sea_orm::DatabaseConnection, steps: Option<u32>) -> Result<(), DbErr> {
    if let Err(error) = Migrator::up(db, steps).await {
        let known = names();
        // Where it cannot be asked for that either, the first trouble is the one to tell of.
        let applied = applied(db).await.unwrap_or_default();
        return Err(match applied.into_iter().find(|version| !known.contains(version)) {
            Some(newer) => DbErr::Migration(format!(
                "its schema is that of a later version of Bailiwick, which knows the migration {newer}: start that \
                 version"
            )),
            None => error,
        });
    }
    collation::by_bytes(db).await
}

/// The names of the migrations, in order: two databases that had the same have one schema.
#[must_use]
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// Whether the database has this binary's schema. Changes nothing.
///
/// # Errors
/// What the database said; there may be no table to ask.
pub async fn is_current(db: &sea_orm::DatabaseConnection) -> Result<bool, DbErr> {
    let mut expected = names();
    expected.sort();
    Ok(applied(db).await? == expected)
}

/// The migrations that the database has had, sorted.
async fn applied(db: &sea_orm::DatabaseConnection) -> Result<Vec<String>, DbErr> {
    use sea_orm::ConnectionTrait as _;
    let mut applied = Query::select();
    applied.column("version").from("seaql_migrations").order_by("version", Order::Asc);
    let rows = db.query_all(&applied).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

#[cfg(test)]
mod tests {
    /// What takes something away from a server of the release before, which may still run.
    const NARROWING: [&str; 8] = [
        "drop_table",
        "drop_column",
        "rename_table",
        "rename_column",
        "modify_column",
        "truncate_table",
        "DROP ",
        "RENAME ",
    ];
    /// What a line says that may: since which release nothing uses it any more.
    const MARK: &str = "// unused since ";

    /// A migration widens. What is not used any more goes in a later release, and says so. What it adds to a table that
    /// was there is looked at in the databases themselves: see `server/src/store/tests/upgrade.rs`.
    #[test]
    fn a_migration_takes_nothing_away_that_is_still_used() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut looked_at = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with('m') || name == "mod.rs" {
                continue;
            }
            looked_at += 1;
            for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
                let narrows = NARROWING.iter().any(|word| line.contains(word));
                assert!(!narrows || line.contains(MARK), "{name}, line {}: {line}", number + 1);
            }
        }
        assert_eq!(looked_at, super::names().len());
    }
}
