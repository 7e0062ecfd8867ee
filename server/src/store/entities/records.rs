//! Table `records`.

use sea_orm::entity::prelude::*;

/// One record of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "records")]
pub struct Model {
    /// The replica that wrote it and its number among that replica's records; see `store/replicas.rs`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// When it was drafted.
    pub time_ms: i64,
    /// What it records.
    pub kind: String,
    /// The scope it concerns.
    pub scope: Option<String>,
    /// The decision it belongs to.
    pub decision: Option<String>,
    /// The exact bytes that were hashed.
    pub leaf_bytes: Vec<u8>,
    /// Their leaf hash.
    pub leaf_hash: Vec<u8>,
    /// The packed sections that still exist.
    pub sections: Vec<u8>,
    /// What it changes in the list of decisions.
    pub index_update: Option<Vec<u8>>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
