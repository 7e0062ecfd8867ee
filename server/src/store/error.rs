//! What can go wrong in the store, by what the caller does about it.

use sea_orm::DbErr;

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
        if let Some(constraint) = err.sql_err() {
            return Self::Conflict(match constraint {
                sea_orm::SqlErr::UniqueConstraintViolation(_) => "it exists already".into(),
                sea_orm::SqlErr::ForeignKeyConstraintViolation(_) => {
                    "it names something that does not exist, or something still names it".into()
                }
                _ => "the database refused the change".into(),
            });
        }
        match err {
            DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => Self::NotFound("row"),
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } | DbErr::ConvertFromU64(_) => {
                Self::Corrupt(err.to_string())
            }
            other => from_driver(&other.to_string()),
        }
    }
}

impl From<sea_orm::sqlx::Error> for StoreError {
    fn from(err: sea_orm::sqlx::Error) -> Self {
        use sea_orm::sqlx::Error;
        match &err {
            Error::Database(db) if db.is_unique_violation() => Self::Conflict("it exists already".into()),
            Error::Database(db) if db.is_foreign_key_violation() => {
                Self::Conflict("it names something that does not exist, or something still names it".into())
            }
            Error::Database(db) if db.is_check_violation() => {
                Self::Conflict("the database refused the change".into())
            }
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => {
                Self::Corrupt(err.to_string())
            }
            _ => from_driver(&err.to_string()),
        }
    }
}

/// SQLite tells a damaged file by its text only; everything else that the driver says may pass.
fn from_driver(text: &str) -> StoreError {
    if text.contains("malformed") || text.contains("not a database") {
        return StoreError::Corrupt(text.to_owned());
    }
    StoreError::Unavailable(text.to_owned())
}
