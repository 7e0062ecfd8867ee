//! Table `people`.

use sea_orm::entity::prelude::*;

/// A person who signs in. The id stays; what names the person can be erased.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "people")]
pub struct Model {
    /// Random id; the only thing of a person that records hold.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The identity provider's name for the person.
    pub subject: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Name to show.
    pub display_name: Option<String>,
    /// Roles given directly, each with its scope.
    pub roles: Json,
    /// When the person was first seen.
    pub created_ms: i64,
    /// From when the person may not sign in.
    pub disabled_ms: Option<i64>,
    /// When what names the person was erased.
    pub erased_ms: Option<i64>,
    /// Since when the identity provider that provisions them says that they may not sign in.
    pub deprovisioned_ms: Option<i64>,
    /// The person who this one turned out to be: they are one.
    pub joined_into: Option<String>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
