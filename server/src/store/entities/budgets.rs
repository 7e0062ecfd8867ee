//! Table `budgets`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// How long a budget counts before it starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A clock hour.
    Hour,
    /// A calendar day.
    Day,
    /// An ISO week.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
    /// For ever: it never starts again.
    Total,
}

/// A limit on spending for a scope or for a key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "budgets")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The scope it holds for; null where it holds for a key.
    pub scope: Option<String>,
    /// The key it holds for; null where it holds for a scope.
    pub key_id: Option<String>,
    /// The model group it counts; null counts all.
    pub model_group: Option<String>,
    /// How long it counts before it starts again.
    pub window: Window,
    /// The limit in nano-dollars.
    pub limit_nano: i64,
    /// Whether a request that would pass it is refused (or only shown).
    pub hard: bool,
    /// Shares of the limit at which somebody is told.
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
