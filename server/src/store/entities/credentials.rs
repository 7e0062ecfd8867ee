//! Table `credentials`.

use sea_orm::entity::prelude::*;

/// A credential that a provider takes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    /// Random, and never another credential's.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What endpoints call it.
    #[sea_orm(unique)]
    pub name: String,
    /// Endpoints of this scope and below may use it.
    pub scope: String,
    /// Where it is to be had; never the credential.
    pub source: Json,
    /// The envelope, where it is kept here and was set.
    pub sealed: Option<String>,
    /// Raised with each change.
    pub version: i64,
    /// Tells one from another and nothing about it.
    pub fingerprint: Option<String>,
    /// When it was created.
    pub created_ms: i64,
    /// When it last changed.
    pub updated_ms: i64,
    /// Who changed it last.
    pub updated_by: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
