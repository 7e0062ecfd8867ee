//! Table `sessions`.

use sea_orm::entity::prelude::*;

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Hash of the session id; the id itself is only in the cookie.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id_hash: Vec<u8>,
    /// Who signed in.
    pub person: String,
    /// How: `setup_link`, `oidc`, `break_glass`.
    pub method: String,
    /// When it began.
    pub created_ms: i64,
    /// When it was last used.
    pub seen_ms: i64,
    /// From when it is refused.
    pub expires_ms: i64,
    /// When it was ended.
    pub revoked_ms: Option<i64>,
    /// What lists and records call it.
    pub public_id: Option<String>,
    /// The identity provider that it began with.
    pub provider: Option<String>,
    /// The provider's own name of its session: `sid`.
    pub provider_session: Option<String>,
    /// The provider's own name of the person: `sub`.
    pub provider_subject: Option<String>,
    /// When the person last showed who they are.
    pub authenticated_ms: Option<i64>,
    /// How well, in the provider's words.
    pub acr: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
