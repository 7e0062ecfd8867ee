//! Table `scim_groups`.

use sea_orm::entity::prelude::*;

/// A group as the identity provider provisions it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_groups")]
pub struct Model {
    /// The resource's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What lines of the policy know it by.
    pub display_name: String,
    /// The same in small letters.
    pub name: String,
    /// The provider's own name of the resource.
    pub external_id: Option<String>,
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
