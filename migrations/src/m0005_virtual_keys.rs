//! Virtual keys that are disabled for a while or revoked with a reason, and when each was last used.

use sea_orm_migration::prelude::*;

use crate::table::{int, int_null, reference, text, text_null};

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
        // One column a statement: SQLite adds no more.
        for column in [int_null("disabled_ms"), text_null("disabled_because"), text_null("revoked_because")] {
            manager.alter_table(Table::alter().table("virtual_keys").add_column(column).take()).await?;
        }
        // Not a column of `virtual_keys`: each change there has every server build its snapshot anew.
        manager
            .create_table(
                Table::create()
                    .table("key_use")
                    .col(text("key_id").primary_key())
                    .col(int("last_used_ms"))
                    .foreign_key(&mut reference("key_id", "virtual_keys", "id"))
                    .take(),
            )
            .await
    }
}
