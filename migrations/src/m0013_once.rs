//! Requests that are done once however often they are sent, and indexes that lists are read in the order of.

use sea_orm_migration::prelude::*;

use crate::table::{blob, blob_null, index, int};

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
                    .table("done_once")
                    // Of who asked and the key that they chose.
                    .col(blob("id_hash").primary_key())
                    .col(blob("request_hash"))
                    .col(int("expires_ms"))
                    // Sealed under the key that was chosen, which stands nowhere; null while nobody knows it.
                    .col(blob_null("answer"))
                    .take(),
            )
            .await?;
        manager.create_index(index("done_once_expires", "done_once", &["expires_ms"])).await?;
        manager.create_index(index("sessions_created", "sessions", &["created_ms", "public_id"])).await?;
        manager.create_index(index("virtual_keys_scope_id", "virtual_keys", &["scope", "id"])).await
    }
}
