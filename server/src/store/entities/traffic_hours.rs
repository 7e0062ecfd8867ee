//! Table `traffic_hours`.

use sea_orm::entity::prelude::*;

/// An hour whose decisions were counted.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "traffic_hours")]
pub struct Model {
    /// When it begins.
    #[sea_orm(primary_key, auto_increment = false)]
    pub start_ms: i64,
    /// When it was counted.
    pub counted_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
