//! Table `budget_thresholds`.

use sea_orm::entity::prelude::*;

/// A share of a budget's limit that was reached in one window, and that somebody was told of.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budget_thresholds")]
pub struct Model {
    /// The budget.
    #[sea_orm(primary_key, auto_increment = false)]
    pub budget_id: i64,
    /// Start of the window's last bucket.
    #[sea_orm(primary_key, auto_increment = false)]
    pub window_start_ms: i64,
    /// The share in per cent.
    #[sea_orm(primary_key, auto_increment = false)]
    pub percent: i64,
    /// When it was noticed.
    pub reached_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
