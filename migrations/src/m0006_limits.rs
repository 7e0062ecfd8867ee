//! What a budget counts: nano-dollars, or requests, tokens, spend or concurrency as the limit of a rate.

use sea_orm_migration::prelude::*;

use crate::table::{one_of, text};

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
        // The columns of amounts keep their names, and hold counts where the unit is one.
        let unit = text("unit")
            .default("usd")
            .check(one_of("unit", &["usd", "spend", "requests", "tokens", "concurrent"]))
            .take();
        manager.alter_table(Table::alter().table("budgets").add_column(unit).take()).await
    }
}
