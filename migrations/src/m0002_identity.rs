//! People (whose names can be erased while their random ids stay), their sessions, set-up links, service tokens.

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
                    .table("people")
                    .col(text("id").primary_key())
                    .col(text_null("subject").unique_key())
                    .col(text_null("email"))
                    .col(text_null("display_name"))
                    .col(json("roles"))
                    .col(int("created_ms"))
                    .col(int_null("disabled_ms"))
                    .col(int_null("erased_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sessions")
                    .col(blob("id_hash").primary_key())
                    .col(text("person"))
                    .col(text("method"))
                    .col(int("created_ms"))
                    .col(int("seen_ms"))
                    .col(int("expires_ms"))
                    .col(int_null("revoked_ms"))
                    .foreign_key(&mut reference("person", "people", "id"))
                    .take(),
            )
            .await?;
        manager.create_index(index("sessions_person", "sessions", &["person"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("setup_links")
                    .col(blob("token_hash").primary_key())
                    .col(int("created_ms"))
                    .col(int("expires_ms"))
                    .col(int_null("used_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("service_tokens")
                    .col(text("id").primary_key())
                    .col(blob("secret_hash"))
                    .col(text("name"))
                    .col(text("scope"))
                    .col(json("roles"))
                    .col(int("created_ms"))
                    .col(int_null("expires_ms"))
                    .col(int_null("revoked_ms"))
                    .foreign_key(&mut reference("scope", "scopes", "path"))
                    .take(),
            )
            .await
    }
}
