//! By which rules a replica treats the others: what is new between them begins when the last older one has left.

use sea_orm_migration::prelude::*;

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
        // A server of before, which runs on meanwhile, says nothing of it.
        let protocol = ColumnDef::new("protocol").big_integer().not_null().default(0).take();
        manager.alter_table(Table::alter().table("replicas").add_column(protocol).take()).await
    }
}
