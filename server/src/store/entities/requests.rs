//! Table `requests`.

use sea_orm::entity::prelude::*;

/// What one person asked for and another has to approve.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub struct Model {
    /// `req_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// `exception`, `budget_raise`, `content_access` or `key`.
    pub kind: String,
    /// Where.
    pub scope: String,
    /// Who asks.
    pub principal: String,
    /// Why.
    pub reason: String,
    /// What, by kind.
    pub wanted: Json,
    /// When it was asked.
    pub created_ms: i64,
    /// From when it can't be approved any more.
    pub expires_ms: i64,
    /// Until when what was granted holds.
    pub until_ms: Option<i64>,
    /// `open`, `approved`, `refused` or `withdrawn`.
    pub state: String,
    /// Who approved or refused.
    pub decided_by: Option<String>,
    /// Why.
    pub decided_because: Option<String>,
    /// When.
    pub decided_ms: Option<i64>,
    /// What came of it.
    pub made: Json,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
