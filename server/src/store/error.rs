//! What can go wrong in the store, by what the caller does about it.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// A failure of the store. Its text names tables and conditions, never the values of a row.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked, read-only or full: nothing was changed, and it may work later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The change contradicts what is there: the name is taken, or something still refers to the row.
    #[error("conflict: {0}")]
    Conflict(String),
    /// There is no such row.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// What the database holds cannot be right; it needs a person.
    #[error("the database holds something impossible: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether trying the same again later can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<DbErr> for StoreError {
    fn from(err: DbErr) -> Self {
        match err {
            DbErr::Conn(RuntimeErr::SqlxError(err))
            | DbErr::Exec(RuntimeErr::SqlxError(err))
            | DbErr::Query(RuntimeErr::SqlxError(err)) => from_driver(&err),
            DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => Self::NotFound("row"),
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } | DbErr::ConvertFromU64(_) => {
                Self::Corrupt(err.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(err: sqlx::Error) -> Self {
        from_driver(&err)
    }
}

fn from_driver(err: &sqlx::Error) -> StoreError {
    match err {
        sqlx::Error::Database(db) if is_constraint(db.code().as_deref()) => StoreError::Conflict(
            if db.is_unique_violation() {
                "it exists already"
            } else if db.is_check_violation() {
                "a value is not one that the column takes"
            } else {
                "it names something that does not exist, or something still names it"
            }
            .into(),
        ),
        // SQLite's own codes for a damaged file (SQLITE_CORRUPT) and one that is no database (SQLITE_NOTADB).
        sqlx::Error::Database(db) if matches!(primary(db.code().as_deref()), Some(11 | 26)) => {
            StoreError::Corrupt(db.message().to_owned())
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt(err.to_string())
        }
        _ => StoreError::Unavailable(err.to_string()),
    }
}

/// SQLITE_CONSTRAINT in all its kinds, or SQLSTATE class 23.
fn is_constraint(code: Option<&str>) -> bool {
    primary(code) == Some(19) || code.is_some_and(|code| code.len() == 5 && code.starts_with("23"))
}

/// SQLite's primary result code is the low byte of the extended one.
fn primary(code: Option<&str>) -> Option<u32> {
    let code = code.filter(|code| code.len() < 5)?;
    Some(code.parse::<u32>().ok()? & 0xff)
}
