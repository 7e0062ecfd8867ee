//! Table `replicas`.

use sea_orm::entity::prelude::*;

/// One of the servers that write to the log.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replicas")]
pub struct Model {
    /// The upper part of the ids of its records.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Its name, which it keeps over restarts and which stands in every record of its.
    #[sea_orm(unique)]
    pub name: String,
    /// Raised at each start, and by whoever stops it for good.
    pub epoch: i64,
    /// Whether it may write.
    pub state: State,
    /// When it was last seen, by the database's clock.
    pub seen_ms: i64,
    /// When it last committed.
    pub heartbeat_ms: i64,
    /// Its records below this sequence are in the list of decisions.
    pub indexed_to: i64,
    /// No attempt below this sequence is without an outcome.
    pub settled_to: i64,
    /// Whether it may hold records in a spool of its own: then nothing of it is booked or given away until they came.
    pub spools: bool,
    /// By which rules it treats the others.
    pub protocol: i64,
    /// The ids of the master keys that it has, with commas between.
    pub master_keys: Option<String>,
}

/// The life of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// It writes.
    #[sea_orm(string_value = "live")]
    Live,
    /// It was stopped; what it left open is not booked yet.
    #[sea_orm(string_value = "fenced")]
    Fenced,
    /// It was stopped, and nothing of it is open.
    #[sea_orm(string_value = "gone")]
    Gone,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
