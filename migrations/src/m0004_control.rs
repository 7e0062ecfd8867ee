//! What reaches every server at once: the revision of the configuration, and kill switches.

use sea_orm_migration::prelude::*;

use crate::table::{int, int_null, one_of, text, text_null};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that requests are decided by, as they are in memory. Each change of one raises the revision, in the same
/// transaction and whoever makes it.
const CONFIGURATION: [&str; 7] =
    ["scopes", "endpoints", "virtual_keys", "model_groups", "budgets", "budget_top_ups", "kill_switches"];

const RAISE: &str = "UPDATE revision SET value = value + 1";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    // SQLite's default would leave half a migration behind.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("kill_switches")
                    .col(text("id").primary_key())
                    .col(text("kind"))
                    .col(text("target"))
                    // No reference: what was stopped once stays in the list when its scope is gone.
                    .col(text("scope"))
                    .col(text("reason"))
                    .col(text("principal"))
                    .col(int("created_ms"))
                    .col(int("expires_ms"))
                    // When the log was told that it has expired and that somebody has to say what now.
                    .col(int_null("asked_ms"))
                    .col(int_null("lifted_ms"))
                    .col(text_null("lifted_by"))
                    .col(text_null("lifted_because"))
                    .check(one_of("kind", &["endpoint", "model", "provider", "transfer_mechanism"]))
                    .check(Expr::col("expires_ms").gt(Expr::col("created_ms")))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("revision")
                    .col(int("id").primary_key())
                    .col(int("value"))
                    .check(Expr::col("id").eq(1))
                    .take(),
            )
            .await?;
        manager
            .execute(
                Query::insert()
                    .into_table("revision")
                    .columns(["id", "value"])
                    .values_panic([1.into(), 1.into()])
                    .take(),
            )
            .await?;
        for statement in triggers(manager.get_database_backend()) {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// The function of the triggers where they need one, and the triggers of the first tables.
fn triggers(backend: sea_orm::DbBackend) -> Vec<String> {
    let function = (backend == sea_orm::DbBackend::Postgres).then(|| {
        format!(
            "CREATE FUNCTION raise_revision() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN {RAISE}; RETURN NULL; END $$"
        )
    });
    function.into_iter().chain(CONFIGURATION.into_iter().flat_map(|table| raise_on(table, backend))).collect()
}

/// Has each change of `table` raise the revision: the one thing that the two databases do not say in the same words.
pub(crate) fn raise_on(table: &str, backend: sea_orm::DbBackend) -> Vec<String> {
    if backend == sea_orm::DbBackend::Postgres {
        return vec![format!(
            "CREATE TRIGGER {table}_revision AFTER INSERT OR UPDATE OR DELETE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION raise_revision()"
        )];
    }
    let on = |change: &str| {
        format!("CREATE TRIGGER {table}_{change}_revision AFTER {change} ON {table} BEGIN {RAISE}; END")
    };
    ["insert", "update", "delete"].map(on).to_vec()
}
