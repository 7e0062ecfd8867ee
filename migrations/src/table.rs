//! Short words for the column shapes that every table uses.

use sea_orm_migration::prelude::*;

/// A `TEXT` column that must be set.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// A `TEXT` column that may be null.
pub(crate) fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().null().take()
}

/// A JSON column that must be set (kept as text: no key order or number is lost).
pub(crate) fn json(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json().not_null().take()
}

/// A 64-bit integer that must be set: a time, an amount, a position.
pub(crate) fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

/// A 64-bit integer that may be null.
pub(crate) fn int_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

/// Bytes that must be set.
pub(crate) fn blob(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().not_null().take()
}

/// Bytes that may be null.
pub(crate) fn blob_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).blob().null().take()
}

/// `column` must be a row of `table`.
pub(crate) fn reference(
    column: &'static str,
    table: &'static str,
    key: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(column)
        .to(table, key)
        .on_delete(ForeignKeyAction::Restrict)
        .on_update(ForeignKeyAction::Restrict)
        .take()
}

/// An index on `columns` of `table`.
pub(crate) fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// What makes a table one tree in the order of its primary key, where the database would make two of it. For
/// small rows only.
pub(crate) fn clustered(manager: &SchemaManager) -> &'static str {
    match manager.get_database_backend() {
        sea_orm::DbBackend::Sqlite => "WITHOUT ROWID",
        _ => "",
    }
}

/// `CHECK (column IN (values))`.
pub(crate) fn one_of(column: &'static str, values: &[&'static str]) -> SimpleExpr {
    Expr::col(column).is_in(values.iter().copied())
}
