//! The tables, in the order in which they can be filled.

use sea_orm::sea_query::{ColumnType, Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{
    ColumnTrait as _, EntityName, EntityTrait, IdenStatic as _, Iterable as _, PrimaryKeyToColumn as _,
};

use super::row::{self, Row};
use crate::store::entities::{
    alert_messages, alerts, alerts_read, budget_spend, budget_thresholds, budget_top_ups, budgets,
    checkpoints, credentials, decisions, done_once, endpoints, identities, key_use, kill_switches,
    logout_tokens, model_groups, people, person_names, policy_versions, records, replicas, requests,
    revision, scim_groups, scim_members, scim_users, scopes, sealed_thoughts, service_tokens, sessions,
    settings, setup_links, sign_ins, subject_tokens, traffic_counts, traffic_hours, tree_head, tree_runs,
    tree_tiles, virtual_keys, workloads,
};
use crate::store::{StoreError, standing};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bool,
    Bytes,
    Json,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(super) kind: Kind,
}

/// What a table belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The audit log, and what follows from it.
    Log,
    /// Anything else.
    Other,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Column>,
    /// The columns of its key, by their place among all.
    pub(super) key: Vec<usize>,
    /// A column that refers to the table itself, whatever the order of its key.
    pub(super) later: Option<usize>,
    /// Whether a migration puts a row into it.
    pub(super) seeded: bool,
    pub(crate) part: Part,
}

/// Every table, those first that others refer to.
///
/// # Errors
/// [`StoreError::Corrupt`] where a column is of a kind that has no written form.
pub(crate) fn tables() -> Result<Vec<Table>, StoreError> {
    use Part::{Log, Other};
    Ok(vec![
        of(settings::Entity, Other)?,
        of(scopes::Entity, Other)?,
        of(endpoints::Entity, Other)?,
        of(credentials::Entity, Other)?,
        of(workloads::Entity, Other)?,
        of(subject_tokens::Entity, Other)?,
        of(model_groups::Entity, Other)?,
        of(virtual_keys::Entity, Other)?.later(virtual_keys::Column::RotatedTo.as_str()),
        of(key_use::Entity, Other)?,
        of(budgets::Entity, Other)?,
        of(budget_top_ups::Entity, Other)?,
        of(budget_thresholds::Entity, Other)?,
        of(budget_spend::Entity, Other)?,
        of(people::Entity, Other)?,
        of(person_names::Entity, Other)?,
        of(identities::Entity, Other)?,
        of(scim_users::Entity, Other)?,
        of(scim_groups::Entity, Other)?,
        of(scim_members::Entity, Other)?,
        of(requests::Entity, Other)?,
        of(sessions::Entity, Other)?,
        of(sign_ins::Entity, Other)?,
        of(logout_tokens::Entity, Other)?,
        of(setup_links::Entity, Other)?,
        of(service_tokens::Entity, Other)?,
        of(done_once::Entity, Other)?,
        of(sealed_thoughts::Entity, Other)?,
        of(kill_switches::Entity, Other)?,
        of(policy_versions::Entity, Other)?,
        of(alerts::Entity, Other)?,
        of(alert_messages::Entity, Other)?,
        of(alerts_read::Entity, Log)?,
        of(replicas::Entity, Log)?,
        of(records::Entity, Log)?,
        of(tree_runs::Entity, Log)?,
        of(tree_tiles::Entity, Log)?,
        of(tree_head::Entity, Log)?,
        of(checkpoints::Entity, Log)?,
        of(decisions::Entity, Log)?,
        of(traffic_hours::Entity, Log)?,
        of(traffic_counts::Entity, Log)?,
        Table { seeded: true, ..of(revision::Entity, Other)? },
    ])
}

fn of<E: EntityTrait>(entity: E, part: Part) -> Result<Table, StoreError> {
    let name = entity_name(&entity);
    let mut columns = Vec::new();
    for column in E::Column::iter() {
        let kind = match column.def().get_column_type() {
            ColumnType::BigInteger => Kind::Int,
            ColumnType::Text | ColumnType::String(_) => Kind::Text,
            ColumnType::Boolean => Kind::Bool,
            ColumnType::Blob | ColumnType::VarBinary(_) | ColumnType::Binary(_) => Kind::Bytes,
            ColumnType::Json => Kind::Json,
            other => {
                let column = column.as_str();
                return Err(StoreError::Corrupt(format!("nobody can copy {name}.{column}: {other:?}")));
            }
        };
        columns.push(Column { name: column.as_str(), kind });
    }
    let place = |key: E::PrimaryKey| {
        let name = key.into_column().as_str();
        columns.iter().position(|column| column.name == name)
    };
    let key = E::PrimaryKey::iter().filter_map(place).collect();
    Ok(Table { name, columns, key, later: None, seeded: false, part })
}

fn entity_name<E: EntityName>(entity: &E) -> &'static str {
    entity.table_name()
}

impl Table {
    fn later(self, column: &str) -> Self {
        let later = self.columns.iter().position(|own| own.name == column);
        Self { later, ..self }
    }

    /// Up to `limit` rows after `last`, in the order of the key.
    pub(super) fn page(&self, last: Option<&Row>, limit: u64) -> Result<SelectStatement, StoreError> {
        let mut query = Query::select();
        query.columns(self.columns.iter().map(|column| column.name)).from(self.name).limit(limit);
        let key: Vec<&Column> = self.key.iter().filter_map(|place| self.columns.get(*place)).collect();
        for column in &key {
            query.order_by(column.name, Order::Asc);
        }
        if let Some(last) = last {
            let values: Result<Vec<Expr>, StoreError> = self
                .key
                .iter()
                .zip(&key)
                .filter_map(|(place, column)| Some((column, last.get(*place)?)))
                .map(|(column, cell)| Ok(Expr::value(row::bound(self, column, cell)?)))
                .collect();
            let names = key.iter().map(|column| Expr::col(column.name));
            query.and_where(Expr::tuple(names).gt(Expr::tuple(values?)));
        }
        if self.name == entity_name(&settings::Entity) {
            // Of the database itself, not of what it holds.
            query.and_where(Expr::col(settings::Column::Key.as_str()).ne(standing::SETTING));
        }
        Ok(query)
    }
}
