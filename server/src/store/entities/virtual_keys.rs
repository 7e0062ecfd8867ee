//! Table `virtual_keys`.

use sea_orm::entity::prelude::*;

/// What an application holds instead of a provider key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "virtual_keys")]
pub struct Model {
    /// The public part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The scope that it belongs to.
    pub scope: String,
    /// Its name, for people.
    pub name: String,
    /// Hash of the secret part; the secret itself is kept nowhere.
    pub secret_hash: Vec<u8>,
    /// Allowed models, purposes, declared classes and the rest.
    pub settings: Json,
    /// When it was created.
    pub created_ms: i64,
    /// From when it is refused.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// The key that replaces it.
    pub rotated_to: Option<String>,
    /// Until when it still works beside its replacement.
    pub overlap_until_ms: Option<i64>,
    /// Since when it is refused, until it is enabled again.
    pub disabled_ms: Option<i64>,
    /// Why it was disabled.
    pub disabled_because: Option<String>,
    /// Why it was revoked.
    pub revoked_because: Option<String>,
    /// The workload that it was made for in exchange for a token.
    pub workload: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
