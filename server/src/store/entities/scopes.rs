//! Table `scopes`.

use sea_orm::entity::prelude::*;

/// A node of the organisation's tree.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scopes")]
pub struct Model {
    /// Path such as `/acme/retail`; `/` is the root.
    #[sea_orm(primary_key, auto_increment = false)]
    pub path: String,
    /// The scope above; null at the root.
    pub parent: Option<String>,
    /// Declared properties that hold for all below.
    pub settings: Json,
    /// When it was created.
    pub created_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
