//! Table `kill_switches`.

use sea_orm::entity::prelude::*;

/// An order that nothing goes somewhere, until it is lifted or expires.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "kill_switches")]
pub struct Model {
    /// `ks_` and random.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What `target` names: `endpoint`, `model`, `provider` or `transfer_mechanism`.
    pub kind: String,
    /// What is stopped.
    pub target: String,
    /// For whose requests: those of this scope and below.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who threw it.
    pub principal: String,
    /// When.
    pub created_ms: i64,
    /// From when it stops nothing any more.
    pub expires_ms: i64,
    /// When the log was told that it has expired.
    pub asked_ms: Option<i64>,
    /// When it was lifted.
    pub lifted_ms: Option<i64>,
    /// By whom.
    pub lifted_by: Option<String>,
    /// Why.
    pub lifted_because: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
