//! Table `sign_ins`.

use sea_orm::entity::prelude::*;

/// A sign-in that is under way at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_ins")]
pub struct Model {
    /// Hash of the `state` that the provider gives back.
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_hash: Vec<u8>,
    /// Hash of the secret in the cookie of the browser that began it.
    pub browser_hash: Vec<u8>,
    /// The provider's id in the configuration.
    pub provider: String,
    /// The page to go to afterwards.
    pub back: String,
    /// Who shows once more that it is them; none where somebody signs in.
    pub person: Option<String>,
    /// From when it is refused.
    pub expires_ms: i64,
    /// The pseudonym of the address that began it.
    pub client: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
