//! Table `sealed_thoughts`.

use sea_orm::entity::prelude::*;

/// A thought that its provider signed or sealed, as one answer told it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_thoughts")]
pub struct Model {
    /// A keyed digest of its signature, or of what is sealed.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub digest: String,
    /// The decision whose answer told it.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub decision: String,
    /// The data classes of the request, with commas between them.
    #[sea_orm(column_type = "Text")]
    pub classes: String,
    /// Those of which nobody knew whether it held them.
    #[sea_orm(column_type = "Text")]
    pub unknown: String,
    /// Whether the client got only a part of its text.
    pub cut: bool,
    /// When.
    pub seen_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
