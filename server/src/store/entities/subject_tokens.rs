//! Table `subject_tokens`.

use sea_orm::entity::prelude::*;

/// A token that was exchanged for a key, until it has expired.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subject_tokens")]
pub struct Model {
    /// Hash of its issuer and id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id_hash: Vec<u8>,
    /// From when nobody could take it any more.
    pub expires_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
