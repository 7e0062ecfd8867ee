//! Table `service_tokens`.

use sea_orm::entity::prelude::*;

/// A credential for automation against the control plane.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service_tokens")]
pub struct Model {
    /// The public part of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Hash of the secret part.
    pub secret_hash: Vec<u8>,
    /// Its name, for people.
    pub name: String,
    /// The scope that its roles hold for.
    pub scope: String,
    /// Names of its roles.
    pub roles: Json,
    /// When it was created.
    pub created_ms: i64,
    /// From when it is refused.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// Who made it.
    pub created_by: Option<String>,
    /// The token that replaced it.
    pub rotated_to: Option<String>,
    /// When it was last used, to the minute.
    pub last_used_ms: Option<i64>,
    /// Since when it is refused, because who answered for it has left.
    pub suspended_ms: Option<i64>,
    /// Why.
    pub suspended_because: Option<String>,
    /// Who answers for it since, where that is not who made it.
    pub claimed_by: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
