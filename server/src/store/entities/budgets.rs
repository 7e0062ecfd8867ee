//! Table `budgets`.

use sea_orm::entity::prelude::*;

/// A budget or limit for a scope, for a key, or for a user's keys.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budgets")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The scope it holds for. Of this and the next two exactly one is set.
    pub scope: Option<String>,
    /// The key it holds for.
    pub key_id: Option<String>,
    /// The user for whose keys it holds.
    pub owner: Option<String>,
    /// The model group it counts; null counts all.
    pub model_group: Option<String>,
    /// When it starts again, in the words of `budgets::Window`.
    pub window: String,
    /// What it counts, in the words of `budgets::Unit`.
    pub unit: String,
    /// The limit: in nano-dollars, where it counts those.
    pub limit_nano: i64,
    /// Whether a request that would pass it is refused (or only shown).
    pub hard: bool,
    /// Shares of the limit, in per cent, at which somebody is told.
    pub thresholds: Json,
    /// What else was declared, such as lowering output caps to fit.
    pub settings: Json,
    /// When it was created.
    pub created_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
