//! Table `budget_spend`.

use sea_orm::entity::prelude::*;

/// What was settled on a budget in one window.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_spend")]
pub struct Model {
    /// The budget.
    #[sea_orm(primary_key, auto_increment = false)]
    pub budget_id: i64,
    /// Start of the window.
    #[sea_orm(primary_key, auto_increment = false)]
    pub window_start_ms: i64,
    /// The settled spend in nano-dollars.
    pub settled_nano: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
