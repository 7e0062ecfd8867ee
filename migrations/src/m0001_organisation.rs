//! Settings, scopes, endpoints, virtual keys, budgets and what was spent of them.

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
                    .table("settings")
                    .col(text("key").primary_key())
                    .col(json("value"))
                    .col(int("updated_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("scopes")
                    .col(text("path").primary_key())
                    .col(text_null("parent"))
                    .col(json("settings"))
                    .col(int("created_ms"))
                    .foreign_key(&mut reference("parent", "scopes", "path"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("endpoints")
                    .col(text("name").primary_key())
                    .col(text("scope"))
                    .col(json("definition"))
                    .col(int("created_ms"))
                    .col(int("updated_ms"))
                    .foreign_key(&mut reference("scope", "scopes", "path"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("virtual_keys")
                    .col(text("id").primary_key())
                    .col(text("scope"))
                    .col(text("name"))
                    .col(blob("secret_hash"))
                    .col(json("settings"))
                    .col(int("created_ms"))
                    .col(int_null("expires_ms"))
                    .col(int_null("revoked_ms"))
                    .col(text_null("rotated_to"))
                    .col(int_null("overlap_until_ms"))
                    .foreign_key(&mut reference("scope", "scopes", "path"))
                    .foreign_key(&mut reference("rotated_to", "virtual_keys", "id"))
                    .take(),
            )
            .await?;
        manager.create_index(index("virtual_keys_scope", "virtual_keys", &["scope"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("model_groups")
                    .col(text("name").primary_key())
                    .col(json("models"))
                    .col(int("created_ms"))
                    .col(int("updated_ms"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("budgets")
                    .col(int("id").primary_key())
                    .col(text_null("scope"))
                    .col(text_null("key_id"))
                    .col(text_null("owner"))
                    .col(text_null("model_group"))
                    .col(text("window"))
                    .col(int("limit_nano"))
                    .col(ColumnDef::new("hard").boolean().not_null())
                    .col(json("thresholds"))
                    .col(json("settings"))
                    .col(int("created_ms"))
                    .foreign_key(&mut reference("scope", "scopes", "path"))
                    .foreign_key(&mut reference("key_id", "virtual_keys", "id"))
                    .foreign_key(&mut reference("model_group", "model_groups", "name"))
                    .check(Expr::col("limit_nano").gte(0))
                    // A budget holds for a scope, for one key or for one user's keys: for exactly one of them.
                    .check(only("scope").or(only("key_id")).or(only("owner")))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("budget_top_ups")
                    .col(text("id").primary_key())
                    .col(int("budget_id"))
                    .col(int("amount_nano"))
                    .col(int("from_ms"))
                    .col(int_null("until_ms"))
                    .col(text("reason"))
                    .col(text("principal"))
                    .col(int("created_ms"))
                    .foreign_key(&mut reference("budget_id", "budgets", "id"))
                    .check(Expr::col("amount_nano").gt(0))
                    .take(),
            )
            .await?;
        manager.create_index(index("budget_top_ups_budget", "budget_top_ups", &["budget_id"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("budget_thresholds")
                    .col(int("budget_id"))
                    .col(int("window_start_ms"))
                    .col(int("percent"))
                    .col(int("reached_ms"))
                    .primary_key(Index::create().col("budget_id").col("window_start_ms").col("percent"))
                    .foreign_key(&mut reference("budget_id", "budgets", "id"))
                    .take(),
            )
            .await?;
        // A row for each replica, so that no two of them write to the same one. What a replica may spend is granted
        // to it before it spends it, what it has spent is settled by the commit that records it, and of the two the
        // greater counts against the limit. `short_nano` is what it asked for and did not get.
        manager
            .create_table(
                Table::create()
                    .table("budget_spend")
                    .col(int("budget_id"))
                    .col(int("window_start_ms"))
                    .col(int("replica"))
                    .col(int("granted_nano").default(0))
                    .col(int("settled_nano").default(0))
                    .col(int("short_nano").default(0))
                    .primary_key(Index::create().col("budget_id").col("window_start_ms").col("replica"))
                    .foreign_key(&mut reference("budget_id", "budgets", "id"))
                    .take(),
            )
            .await?;
        // Few rows at any time: who is short.
        manager
            .create_index(
                index("budget_spend_short", "budget_spend", &["budget_id"])
                    .and_where(Expr::col("short_nano").gt(0))
                    .take(),
            )
            .await
    }
}

/// Of a budget's three holders this one is set and the others are not.
fn only(holder: &'static str) -> SimpleExpr {
    ["scope", "key_id", "owner"].into_iter().fold(Expr::col(holder).is_not_null(), |all, other| {
        if other == holder { all } else { all.and(Expr::col(other).is_null()) }
    })
}
