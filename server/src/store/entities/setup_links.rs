//! Table `setup_links`.

use sea_orm::entity::prelude::*;

/// A one-time link to sign in with before any identity provider is configured.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "setup_links")]
pub struct Model {
    /// Hash of the token; the token itself is only in the link.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    /// When it was made.
    pub created_ms: i64,
    /// From when it is refused.
    pub expires_ms: i64,
    /// When it was used.
    pub used_ms: Option<i64>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
