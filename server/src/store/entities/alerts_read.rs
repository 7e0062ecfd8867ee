//! Table `alerts_read`.

use sea_orm::entity::prelude::*;

/// How far a log was read for alerts.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alerts_read")]
pub struct Model {
    /// The log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub log: String,
    /// The first leaf that was not read yet.
    pub leaf: i64,
    /// Acts that were begun before it and not ended: their leaves, by id.
    pub begun: Json,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
