//! Alerts, the messages that tell of them, and how far the log was read for them.

use sea_orm_migration::prelude::*;

use crate::table::{index, int, int_null, json, one_of, text, text_null};

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const ALERTS: &str = "alerts";
const MESSAGES: &str = "alert_messages";

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
                    .table(ALERTS)
                    // Begins with its time.
                    .col(text("id").primary_key())
                    .col(text("kind"))
                    .col(text("severity"))
                    // No reference: what was told of a scope stays when the scope is gone.
                    .col(text("scope"))
                    // What is told of once.
                    .col(text("subject"))
                    .col(json("facts"))
                    .col(int("raised_ms"))
                    // The last time that it happened again, how often it did, and when that was told last.
                    .col(int("last_ms"))
                    .col(int("repeats"))
                    .col(int("told_ms"))
                    .col(int_null("acknowledged_ms"))
                    .col(text_null("acknowledged_by"))
                    .col(text_null("note"))
                    // From when the same is another alert.
                    .col(int_null("closed_ms"))
                    .check(one_of("severity", &["info", "warning", "critical"]))
                    .take(),
            )
            .await?;
        manager.create_index(index("alerts_subject", ALERTS, &["subject", "id"])).await?;
        manager
            .create_table(
                Table::create()
                    .table(MESSAGES)
                    .col(text("id").primary_key())
                    .col(text("channel"))
                    // An address of the channel's, where it has several.
                    .col(text("target"))
                    // Ids of what it tells of.
                    .col(json("alerts"))
                    .col(text("state"))
                    .col(int("attempts"))
                    // When it is tried next; while it is being sent, when another server may.
                    .col(int("next_ms"))
                    // Until when it takes up further alerts.
                    .col(int_null("collects_until_ms"))
                    .col(int("created_ms"))
                    .col(int_null("ended_ms"))
                    .col(text_null("error"))
                    .check(one_of("state", &["waiting", "sent", "given_up"]))
                    .take(),
            )
            .await?;
        manager.create_index(index("alert_messages_next", MESSAGES, &["state", "next_ms"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("alerts_read")
                    .col(text("log").primary_key())
                    // The first leaf that was not read yet.
                    .col(int("leaf"))
                    // Acts that were begun before it and not ended.
                    .col(json("begun"))
                    .take(),
            )
            .await
    }
}
