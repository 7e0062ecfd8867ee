//! Table `checkpoints`.

use sea_orm::entity::prelude::*;

/// A signed tree head.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "checkpoints")]
pub struct Model {
    /// The log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub log: String,
    /// The tree size that it signs.
    #[sea_orm(primary_key, auto_increment = false)]
    pub size: i64,
    /// The signed note, C2SP `tlog-checkpoint`.
    pub note: String,
    /// When it was signed.
    pub time_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
