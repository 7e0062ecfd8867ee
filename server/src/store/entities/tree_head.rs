//! Table `tree_head`.

use sea_orm::entity::prelude::*;

/// How far the tree of a log has come.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tree_head")]
pub struct Model {
    /// The log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub log: String,
    /// Number of leaves.
    pub size: i64,
    /// Roots of the complete subtrees that make up the tree, packed.
    pub frontier: Vec<u8>,
    /// When it last moved.
    pub time_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
