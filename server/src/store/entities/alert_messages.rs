//! Table `alert_messages`.

use sea_orm::entity::prelude::*;

/// A message that tells of alerts, to one channel and one address of it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_messages")]
pub struct Model {
    /// `msg_` and its time. Whoever gets it twice knows it by this.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Through what.
    pub channel: String,
    /// To whom; empty where the channel has one address.
    pub target: String,
    /// Ids of what it tells of.
    pub alerts: Json,
    /// `waiting`, `sent` or `given_up`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next; while it is being sent, when another server may.
    pub next_ms: i64,
    /// Until when it takes up further alerts.
    pub collects_until_ms: Option<i64>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was sent or given up.
    pub ended_ms: Option<i64>,
    /// Why it was not sent.
    pub error: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
