//! The audit log: records, the Merkle tree over them, checkpoints, and the index that the console lists from.

use sea_orm_migration::prelude::*;

use crate::table::{blob, blob_null, clustered, index, int, int_null, one_of, text, text_null};

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
        // The replicas that write to the log. The number is the upper part of the ids of a replica's records. Each
        // commit of a replica checks its epoch: who raises the epoch of another has stopped it for good. Then it is
        // `fenced`, and `gone` once what it left open is booked and in the tree. `seen_ms` is the database's time.
        // Sequences below `indexed_to` are in the list of decisions; below `settled_to` no attempt is without an
        // outcome.
        manager
            .create_table(
                Table::create()
                    .table("replicas")
                    .col(int("number").primary_key())
                    .col(text("name").unique_key())
                    .col(int("epoch"))
                    .col(text("state"))
                    .col(int("seen_ms"))
                    .col(int("heartbeat_ms"))
                    .col(int("indexed_to"))
                    .col(int("settled_to"))
                    .check(one_of("state", &["live", "fenced", "gone"]))
                    .take(),
            )
            .await?;
        // The id says which replica wrote a record and where among its own: one integer, so that the rows stand in
        // its order and need no further index for it. `leaf_bytes` are the exact bytes that were hashed. `sections`
        // packs the salted sections of one record (a row each would triple the inserts of the hot path); destroying
        // one rewrites the pack without it. Times have no index here: the tiles tell where to look.
        manager
            .create_table(
                Table::create()
                    .table("records")
                    .col(int("id").primary_key())
                    .col(int("time_ms"))
                    .col(text("kind"))
                    .col(text_null("scope"))
                    .col(text_null("decision"))
                    .col(blob("leaf_bytes"))
                    .col(blob("leaf_hash"))
                    .col(blob("sections"))
                    .col(blob_null("index_update"))
                    .take(),
            )
            .await?;
        // The order of the tree: from `leaf` on stand the records from `record` on, one after the other, up to
        // the leaf of the next run. A record that no run covers is not in the tree yet. One replica alone is one
        // run, however many records it writes.
        manager
            .create_table(
                Table::create()
                    .table("tree_runs")
                    .col(int("leaf").primary_key())
                    .col(int("record").unique_key())
                    .take(),
            )
            .await?;
        manager.create_index(index("records_decision", "records", &["decision"])).await?;
        // A complete tile of 256 hashes of one level, the hash of the subtree that it spans, and on level 0 the
        // earliest and latest time of its records.
        manager
            .create_table(
                Table::create()
                    .table("tree_tiles")
                    .col(int("level"))
                    .col(int("position"))
                    .col(int_null("first_ms"))
                    .col(int_null("last_ms"))
                    .col(blob("hashes"))
                    .col(blob("root"))
                    .primary_key(Index::create().col("level").col("position"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("tree_head")
                    .col(text("log").primary_key())
                    .col(int("size"))
                    .col(blob("frontier"))
                    .col(int("time_ms"))
                    .check(Expr::col("size").gte(0))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("checkpoints")
                    .col(text("log"))
                    .col(int("size"))
                    .col(text("note"))
                    .col(int("time_ms"))
                    .primary_key(Index::create().col("log").col("size"))
                    .take(),
            )
            .await?;
        manager.create_index(index("tree_tiles_time", "tree_tiles", &["level", "last_ms"])).await?;
        // What the console's list shows; it follows the log and can be rebuilt from it. Ids begin with their
        // time, so that the primary key is the order of the list.
        manager
            .create_table(
                Table::create()
                    .table("decisions")
                    .col(text("id").primary_key())
                    .col(int("record"))
                    .col(int("time_ms"))
                    .col(text("scope"))
                    .col(text_null("key_id"))
                    .col(text_null("model"))
                    .col(text("outcome"))
                    .col(text_null("endpoint"))
                    .col(text_null("redactions"))
                    .col(text_null("classes"))
                    .col(int_null("cost_nano"))
                    .col(int_null("overhead_us"))
                    .col(int_null("status"))
                    .col(text_null("code"))
                    .extra(clustered(manager))
                    .take(),
            )
            .await?;
        manager.create_index(index("decisions_scope", "decisions", &["scope", "id"])).await
    }
}
