//! Table `policy_versions`.

use sea_orm::entity::prelude::*;

/// A commit whose bundle came into force.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_versions")]
pub struct Model {
    /// 1, 2, 3, …; the highest is in force.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The repository, its branch and the folder.
    pub source: String,
    /// The commit, in hexadecimal.
    pub commit_id: String,
    /// The digest of its bundle.
    pub digest: String,
    /// Who signed it, where signatures were asked for.
    pub author: Option<String>,
    /// Who else approved it, where that was asked for.
    pub approver: Option<String>,
    /// Since when it is in force.
    pub since_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
