//! Table `budget_top_ups`.

use sea_orm::entity::prelude::*;

/// An amount that was added to a budget's limit for a time.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_top_ups")]
pub struct Model {
    /// Its random id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The budget.
    pub budget_id: i64,
    /// Nano-dollars, above zero.
    pub amount_nano: i64,
    /// From when it counts.
    pub from_ms: i64,
    /// Until when; null counts for good.
    pub until_ms: Option<i64>,
    /// Why.
    pub reason: String,
    /// Who added it: `token:<id>`, a person's id.
    pub principal: String,
    /// When it was added.
    pub created_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
