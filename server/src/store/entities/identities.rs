//! Table `identities`.

use sea_orm::entity::prelude::*;

/// What an identity provider calls a person.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identities")]
pub struct Model {
    /// The provider's id in the configuration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider: String,
    /// Its own name for the person: `sub`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The person.
    pub person: String,
    /// The groups that it named at the last sign-in.
    pub groups: Json,
    /// The attributes that count, as `department=Finance`; absent where they stand among the groups, as they did once.
    pub claims: Option<Json>,
    /// When that was.
    pub seen_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
