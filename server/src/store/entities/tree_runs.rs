//! Table `tree_runs`.

use sea_orm::entity::prelude::*;

/// Records of one replica that stand one after the other in the tree, up to the next run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tree_runs")]
pub struct Model {
    /// The leaf of the first.
    #[sea_orm(primary_key, auto_increment = false)]
    pub leaf: i64,
    /// The id of the first.
    #[sea_orm(unique)]
    pub record: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
