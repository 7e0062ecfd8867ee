//! Which replicas may hold records that the database has not got yet.

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
        // While it is set, nothing that the replica held is given to others: its own records may tell that it is spent.
        let spools = ColumnDef::new("spools").boolean().not_null().default(false).take();
        manager.alter_table(Table::alter().table("replicas").add_column(spools).take()).await
    }
}
