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
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
