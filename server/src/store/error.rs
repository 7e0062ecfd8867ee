//! What can go wrong in the store, by what the caller does about it.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// A failure of the store. Its text names tables and conditions, never the values of a row.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked, read-only or full: nothing was changed, and it may work later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database undid the change because of another one at the same time. Nothing was changed, and the same
    /// again, at once, is likely to succeed.
    #[error("the database is busy with another change: {0}")]
    Contended(String),
    /// The database says of itself that it must not be served.
    #[error("this database must not be served: {0}")]
    OutOfService(String),
    /// `database_url` is none.
    #[error("database_url {0}")]
    Address(String),
    /// The change contradicts what is there: the name is taken, or something still refers to the row.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The row is not as the caller saw it. Nothing was changed.
    #[error("it was changed meanwhile")]
    Changed,
    /// There is no such row.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// What the database holds cannot be right; it needs a person.
    #[error("the database holds something impossible: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// The same with the file that the database is in, where its text does not tell it, and the way out of a damaged one.
    #[must_use]
    pub(crate) fn in_file(self, file: &std::path::Path) -> Self {
        let file = file.display().to_string();
        match self {
            Self::Unavailable(why) if !why.contains(&file) => Self::Unavailable(format!("{file}: {why}")),
            Self::Corrupt(why) if !why.contains(&file) => Self::Corrupt(format!(
                "{file}: {why}; keep the file and what stands beside it for whoever looks into it, and put back a backup \
                 (`bailiwick restore`) into a new data directory"
            )),
            other => other,
        }
    }

    /// Whether trying the same again later can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended(_))
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
            DbErr::Migration(why) => Self::OutOfService(why),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(err: sqlx::Error) -> Self {
        from_driver(&err)
    }
}

/// Whether the database undid the statement because of another one at the same time.
pub(super) fn is_contended(err: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(err))
    | DbErr::Exec(RuntimeErr::SqlxError(err))
    | DbErr::Query(RuntimeErr::SqlxError(err))) = err
    else {
        return false;
    };
    matches!(from_driver(err), StoreError::Contended(_))
}

fn from_driver(err: &sqlx::Error) -> StoreError {
    match err {
        sqlx::Error::Database(db) => {
            let code = db.code();
            let code = code.as_deref().unwrap_or_default();
            match kind(code) {
                Kind::Constraint => StoreError::Conflict(constraint(db.as_ref()).into()),
                Kind::Contended => StoreError::Contended(db.message().to_owned()),
                Kind::Damaged => StoreError::Corrupt(db.message().to_owned()),
                Kind::Other => StoreError::Unavailable(err.to_string()),
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt(err.to_string())
        }
        _ => StoreError::Unavailable(err.to_string()),
    }
}

/// The database's own words may hold a value; these do not.
fn constraint(db: &dyn sqlx::error::DatabaseError) -> &'static str {
    if db.is_unique_violation() {
        "it exists already"
    } else if db.is_foreign_key_violation() {
        "it names something that does not exist, or something still names it"
    } else {
        "a value is not one that the column takes"
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Constraint,
    Contended,
    Damaged,
    Other,
}

/// What a code of the database means: a number of SQLite, or an SQLSTATE, which has five characters.
fn kind(code: &str) -> Kind {
    if code.len() == 5 {
        return match code {
            // A text that is no text, a number out of range (class 22); a constraint (class 23).
            _ if code.starts_with("22") || code.starts_with("23") => Kind::Constraint,
            // serialization_failure, deadlock_detected.
            "40001" | "40P01" => Kind::Contended,
            // data_corrupted, index_corrupted.
            "XX001" | "XX002" => Kind::Damaged,
            _ => Kind::Other,
        };
    }
    match primary(code) {
        // SQLITE_CONSTRAINT in all its kinds.
        Some(19) => Kind::Constraint,
        // A damaged file (SQLITE_CORRUPT) and one that is no database (SQLITE_NOTADB).
        Some(11 | 26) => Kind::Damaged,
        _ => Kind::Other,
    }
}

/// SQLite's primary result code is the low byte of the extended one.
fn primary(code: &str) -> Option<u32> {
    Some(code.parse::<u32>().ok()? & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_what_the_caller_can_do() {
        for (code, expected) in [
            ("19", Kind::Constraint),
            ("1555", Kind::Constraint),
            ("787", Kind::Constraint),
            ("5", Kind::Other),
            ("13", Kind::Other),
            ("11", Kind::Damaged),
            ("26", Kind::Damaged),
            ("23505", Kind::Constraint),
            ("22021", Kind::Constraint),
            ("40001", Kind::Contended),
            ("40P01", Kind::Contended),
            ("55P03", Kind::Other),
            ("53100", Kind::Other),
            ("57P01", Kind::Other),
            ("XX001", Kind::Damaged),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }
}
