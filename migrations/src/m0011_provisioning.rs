//! People and groups that an identity provider pushes (SCIM 2.0), and what one person asks for and another approves.

use sea_orm_migration::prelude::*;

use crate::table::{index, int, int_null, json, one_of, reference, text, text_null};

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
        // Since when the provider says that the person may not sign in; `disabled_ms` is what somebody here said.
        manager
            .alter_table(Table::alter().table("people").add_column(int_null("deprovisioned_ms")).take())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("scim_users")
                    // The resource's id is the person's.
                    .col(text("person").primary_key())
                    // In small letters: case does not count.
                    .col(text("user_name").unique_key())
                    .col(text_null("external_id").unique_key())
                    .col(text_null("email"))
                    .col(json("attributes"))
                    .col(int("version"))
                    .col(int("created_ms"))
                    .col(int("modified_ms"))
                    .foreign_key(&mut reference("person", "people", "id"))
                    .take(),
            )
            .await?;
        manager.create_index(index("scim_users_email", "scim_users", &["email"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("scim_groups")
                    .col(text("id").primary_key())
                    .col(text("display_name"))
                    // In small letters: case does not count.
                    .col(text("name").unique_key())
                    .col(text_null("external_id").unique_key())
                    .col(int("version"))
                    .col(int("created_ms"))
                    .col(int("modified_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("scim_members")
                    .col(text("group_id"))
                    .col(text("person"))
                    .primary_key(Index::create().col("group_id").col("person"))
                    .foreign_key(&mut reference("group_id", "scim_groups", "id"))
                    .foreign_key(&mut reference("person", "scim_users", "person"))
                    .take(),
            )
            .await?;
        manager.create_index(index("scim_members_person", "scim_members", &["person"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("requests")
                    .col(text("id").primary_key())
                    .col(text("kind"))
                    // No reference: what was asked for once stays in the list when its scope is gone.
                    .col(text("scope"))
                    .col(text("principal"))
                    .col(text("reason"))
                    .col(json("wanted"))
                    .col(int("created_ms"))
                    // From when it can't be approved any more.
                    .col(int("expires_ms"))
                    // Until when what was granted holds; null where it has no end of its own.
                    .col(int_null("until_ms"))
                    .col(text("state"))
                    .col(text_null("decided_by"))
                    .col(text_null("decided_because"))
                    .col(int_null("decided_ms"))
                    // What came of it: the id of a key or a top-up.
                    .col(json("made"))
                    .check(one_of("kind", &["exception", "budget_raise", "content_access", "key"]))
                    .check(one_of("state", &["open", "approved", "refused", "withdrawn"]))
                    .take(),
            )
            .await?;
        manager.create_index(index("requests_created", "requests", &["created_ms", "id"])).await?;
        manager.create_index(index("requests_principal", "requests", &["principal", "kind"])).await
    }
}
