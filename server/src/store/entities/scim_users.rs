//! Table `scim_users`.

use sea_orm::entity::prelude::*;

/// A person as the identity provider provisions them.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_users")]
pub struct Model {
    /// The person; the resource's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub person: String,
    /// `userName` in small letters.
    pub user_name: String,
    /// The provider's own name of the resource.
    pub external_id: Option<String>,
    /// The e-mail address that counts, in small letters.
    pub email: Option<String>,
    /// The resource's attributes.
    pub attributes: Json,
    /// Goes up with every change.
    pub version: i64,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub modified_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
