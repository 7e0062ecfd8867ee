//! Which policy is in force where the bundle comes from a Git repository: one row for each commit that came into force.

use sea_orm_migration::prelude::*;

use crate::table::{int, text, text_null};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "policy_versions";

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
                    .table(TABLE)
                    // 1, 2, 3, …: the highest is in force, and of two that follow one only the first gets in.
                    .col(int("id").primary_key())
                    // The repository, its branch and the folder.
                    .col(text("source"))
                    .col(text("commit_id"))
                    // Of the bundle, whose files are kept under it.
                    .col(text("digest"))
                    .col(text_null("author"))
                    .col(text_null("approver"))
                    .col(int("since_ms"))
                    .check(Expr::col("id").gt(0))
                    .take(),
            )
            .await?;
        // A new version reaches every server as any change of the configuration does.
        for statement in crate::m0004_control::raise_on(TABLE, manager.get_database_backend()) {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}
