//! Table `budget_spend`.

use sea_orm::entity::prelude::*;

/// What one replica may spend, and has spent, of a budget in one bucket of its window.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_spend")]
pub struct Model {
    /// The budget.
    #[sea_orm(primary_key, auto_increment = false)]
    pub budget_id: i64,
    /// Start of the bucket.
    #[sea_orm(primary_key, auto_increment = false)]
    pub window_start_ms: i64,
    /// The number of the replica.
    #[sea_orm(primary_key, auto_increment = false)]
    pub replica: i64,
    /// What it may spend in all, nano-dollars.
    pub granted_nano: i64,
    /// What it has spent, nano-dollars.
    pub settled_nano: i64,
    /// What it needs and did not get, nano-dollars.
    pub short_nano: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
