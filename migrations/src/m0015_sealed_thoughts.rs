//! What models thought and their providers signed or sealed: by digest, with the classes of what they were told.

use sea_orm_migration::prelude::*;

use crate::table::{index, int, text};

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
                    .table("sealed_thoughts")
                    // Keyed, of the signature or of what is sealed.
                    .col(text("digest"))
                    .col(text("decision"))
                    // Data classes that the request held, and those of which nobody knows whether it did.
                    .col(text("classes"))
                    .col(text("unknown"))
                    // Whether its client got only a part of its text.
                    .col(ColumnDef::new("cut").boolean().not_null())
                    .col(int("seen_ms"))
                    .primary_key(Index::create().col("digest").col("decision"))
                    .take(),
            )
            .await?;
        manager.create_index(index("sealed_thoughts_seen", "sealed_thoughts", &["seen_ms"])).await
    }
}
