//! Who signs in through an identity provider: identities with their groups, sign-ins that are under way, sessions that can
//! be listed and ended one by one, and service tokens that are replaced.

use sea_orm_migration::prelude::*;

use crate::table::{blob, index, int, int_null, json, reference, text, text_null};

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
                    .table("identities")
                    .col(text("provider"))
                    .col(text("subject"))
                    .col(text("person"))
                    // As the provider said at the last sign-in.
                    .col(json("groups"))
                    .col(int("seen_ms"))
                    .primary_key(Index::create().col("provider").col("subject"))
                    .foreign_key(&mut reference("person", "people", "id"))
                    .take(),
            )
            .await?;
        manager.create_index(index("identities_person", "identities", &["person"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("sign_ins")
                    .col(blob("state_hash").primary_key())
                    // Of the browser that began it.
                    .col(blob("browser_hash"))
                    .col(text("provider"))
                    .col(text("back"))
                    // Who shows once more that it is them; null where somebody signs in.
                    .col(text_null("person"))
                    .col(int("expires_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("logout_tokens")
                    // Seen once, and not to be taken twice.
                    .col(blob("id_hash").primary_key())
                    .col(int("expires_ms"))
                    .take(),
            )
            .await?;
        // One column a statement: SQLite adds no more.
        for column in [
            // What lists and records call it.
            text_null("public_id"),
            text_null("provider"),
            // The provider's own name of its session, and of the person.
            text_null("provider_session"),
            text_null("provider_subject"),
            // When the person last showed who they are, and how well.
            int_null("authenticated_ms"),
            text_null("acr"),
        ] {
            manager.alter_table(Table::alter().table("sessions").add_column(column).take()).await?;
        }
        for column in [text_null("created_by"), text_null("rotated_to"), int_null("last_used_ms")] {
            manager.alter_table(Table::alter().table("service_tokens").add_column(column).take()).await?;
        }
        Ok(())
    }
}
