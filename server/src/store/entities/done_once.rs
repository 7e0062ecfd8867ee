//! Table `done_once`.

use sea_orm::entity::prelude::*;

/// A request that is done once however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "done_once")]
pub struct Model {
    /// Hash of who asked and the key that they chose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id_hash: Vec<u8>,
    /// Hash of the request.
    pub request_hash: Vec<u8>,
    /// From when it is forgotten.
    pub expires_ms: i64,
    /// What was answered, sealed; null while nobody knows it.
    pub answer: Option<Vec<u8>>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
