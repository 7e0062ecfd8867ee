//! Table `tree_tiles`.

use sea_orm::entity::prelude::*;

/// A complete tile of 256 hashes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tree_tiles")]
pub struct Model {
    /// Tile level; 0 holds leaf hashes, each level spans 256 times more leaves.
    #[sea_orm(primary_key, auto_increment = false)]
    pub level: i64,
    /// Which tile of the level, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// On level 0: the earliest time of its records.
    pub first_ms: Option<i64>,
    /// On level 0: the latest time of its records.
    pub last_ms: Option<i64>,
    /// 256 hashes of 32 bytes.
    pub hashes: Vec<u8>,
    /// Hash of the subtree that the tile spans.
    pub root: Vec<u8>,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
