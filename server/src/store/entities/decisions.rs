//! Table `decisions`.

use sea_orm::entity::prelude::*;

/// What the list of decisions shows of one decision.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "decisions")]
pub struct Model {
    /// The decision.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The id of the last record that changed this row.
    pub record: i64,
    /// When it was decided.
    pub time_ms: i64,
    /// The scope that asked.
    pub scope: String,
    /// The virtual key that asked.
    pub key_id: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// How it ended so far.
    pub outcome: String,
    /// The endpoint that answered.
    pub endpoint: Option<String>,
    /// Redactions by kind, such as `EMAIL=2,IBAN=1`.
    pub redactions: Option<String>,
    /// Data classes, comma-separated.
    pub classes: Option<String>,
    /// Its cost in nano-dollars.
    pub cost_nano: Option<i64>,
    /// The time that the gateway added, in microseconds.
    pub overhead_us: Option<i64>,
    /// The HTTP status that the client got.
    pub status: Option<i64>,
    /// The code of the error that the client got.
    pub code: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
