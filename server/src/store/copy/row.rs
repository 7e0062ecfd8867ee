//! The written form of a row: a JSON array with a value for each column.
//!
//! Bytes are base64, and JSON is a text, so that a column without a value and one that holds `null` differ.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sea_orm::{DbErr, QueryResult, Value as Bound};
use serde_json::Value;

use super::table::{Column, Kind, Table};
use crate::store::StoreError;

/// A row in the order of its table's columns.
pub(crate) type Row = Vec<Value>;

/// The written form.
pub(crate) fn line(row: &Row) -> String {
    serde_json::to_string(row).unwrap_or_default()
}

/// What the database holds in `columns`.
pub(super) fn read(row: &QueryResult, columns: &[Column]) -> Result<Row, StoreError> {
    let cell = |(index, column): (usize, &Column)| cell(row, index, column.kind);
    let cells: Result<Row, DbErr> = columns.iter().enumerate().map(cell).collect();
    Ok(cells?)
}

fn cell(row: &QueryResult, index: usize, kind: Kind) -> Result<Value, DbErr> {
    Ok(match kind {
        Kind::Int => row.try_get_by_index::<Option<i64>>(index)?.into(),
        Kind::Text => row.try_get_by_index::<Option<String>>(index)?.into(),
        Kind::Bool => row.try_get_by_index::<Option<bool>>(index)?.into(),
        Kind::Bytes => {
            row.try_get_by_index::<Option<Vec<u8>>>(index)?.map(|bytes| BASE64.encode(bytes)).into()
        }
        Kind::Json => row.try_get_by_index::<Option<Value>>(index)?.map(|value| value.to_string()).into(),
    })
}

/// The values of `row` as the database takes them.
pub(super) fn bind(table: &Table, row: &Row) -> Result<Vec<Bound>, StoreError> {
    if row.len() != table.columns.len() {
        return Err(wrong(table, "the number of its columns"));
    }
    row.iter().zip(&table.columns).map(|(cell, column)| bound(table, column, cell)).collect()
}

/// One of them.
pub(super) fn bound(table: &Table, column: &Column, cell: &Value) -> Result<Bound, StoreError> {
    let wrong = || wrong(table, column.name);
    let text = || match cell {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(wrong()),
    };
    Ok(match column.kind {
        Kind::Int => match cell {
            Value::Null => None::<i64>.into(),
            cell => Some(cell.as_i64().ok_or_else(wrong)?).into(),
        },
        Kind::Bool => match cell {
            Value::Null => None::<bool>.into(),
            cell => Some(cell.as_bool().ok_or_else(wrong)?).into(),
        },
        Kind::Text => text()?.into(),
        Kind::Bytes => text()?.map(|text| BASE64.decode(text)).transpose().map_err(|_| wrong())?.into(),
        Kind::Json => {
            let text = text()?;
            if let Some(text) = &text {
                serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| wrong())?;
            }
            text.into()
        }
    })
}

fn wrong(table: &Table, what: &str) -> StoreError {
    StoreError::Corrupt(format!("a row of `{}` does not fit its table: {what}", table.name))
}
