//! Table `traffic_counts`.

use sea_orm::entity::prelude::*;

/// How many of one kind there were in an hour of one scope.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "traffic_counts")]
pub struct Model {
    /// When the hour begins.
    #[sea_orm(primary_key, auto_increment = false)]
    pub start_ms: i64,
    /// The scope that asked.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub scope: String,
    /// An outcome, or `redacted:` and a kind of entity.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub what: String,
    /// How many.
    pub count: i64,
    /// What those of an outcome cost, in nano-dollars.
    pub cost_nano: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
