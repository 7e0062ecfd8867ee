//! Table `person_names`.

use sea_orm::entity::prelude::*;

/// What somebody called a person at some time.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "person_names")]
pub struct Model {
    /// The person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub person: String,
    /// In small letters.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
