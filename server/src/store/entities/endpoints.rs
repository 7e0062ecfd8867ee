//! Table `endpoints`.

use sea_orm::entity::prelude::*;

/// A place that can serve a model.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoints")]
pub struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The scope that it belongs to.
    pub scope: String,
    /// Provider, service, model, region, credential reference and the rest.
    pub definition: Json,
    /// When it was created.
    pub created_ms: i64,
    /// When its definition last changed.
    pub updated_ms: i64,
}

/// No relation is followed in code.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
