//! Traffic by the hour: how many requests ended how, what they cost and what was redacted, counted once an hour is over, so
//! that nobody who asks for a month has to wait for its decisions to be read.

use sea_orm_migration::prelude::*;

use crate::table::int;
use crate::table::text;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

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
                    .table("traffic_hours")
                    // When the hour begins.
                    .col(int("start_ms").primary_key().take())
                    // When its decisions were counted.
                    .col(int("counted_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("traffic_counts")
                    .col(int("start_ms"))
                    .col(text("scope"))
                    // An outcome, or `redacted:` and a kind of entity.
                    .col(text("what"))
                    .col(int("count"))
                    .col(int("cost_nano"))
                    .primary_key(Index::create().col("start_ms").col("scope").col("what"))
                    .take(),
            )
            .await
    }
}
