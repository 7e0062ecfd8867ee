//! Table `alerts`.

use sea_orm::entity::prelude::*;

/// Something that somebody has to know of.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alerts")]
pub struct Model {
    /// `al_` and its time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What it is.
    pub kind: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// Where.
    pub scope: String,
    /// What is told of once.
    pub subject: String,
    /// What is known of it.
    pub facts: Json,
    /// When it was raised.
    pub raised_ms: i64,
    /// When it happened last.
    pub last_ms: i64,
    /// How often it has happened since it was raised.
    pub repeats: i64,
    /// When it was told of last.
    pub told_ms: i64,
    /// When somebody said that they know.
    pub acknowledged_ms: Option<i64>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
    /// From when the same is another alert.
    pub closed_ms: Option<i64>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
