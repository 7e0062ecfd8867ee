//! From which address a sign-in was begun, so that all servers together count how many one address begins.

use sea_orm_migration::prelude::*;

use crate::table::{index, text_null};

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
        // A pseudonym. Null: a server of the release before began it, or somebody who is signed in.
        let column = text_null("client");
        manager.alter_table(Table::alter().table("sign_ins").add_column(column).take()).await?;
        manager.create_index(index("sign_ins_client", "sign_ins", &["client", "expires_ms"])).await
    }
}
