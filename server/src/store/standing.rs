//! Whether a database may be served: it says so itself where it may not.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _, sea_query::OnConflict};
use serde::{Deserialize, Serialize};

use super::entities::settings::{ActiveModel, Column, Entity};
use super::{Store, StoreError, settings};

/// The setting.
pub(super) const SETTING: &str = "standing";

/// Why a database may not be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Standing {
    /// It is being filled, or was until that failed.
    Unfinished {
        /// The command that fills it.
        command: String,
        /// What from.
        from: String,
    },
    /// What it held is elsewhere, and goes on there.
    Moved {
        /// Where.
        to: String,
    },
}

impl Standing {
    fn refusal(&self) -> StoreError {
        StoreError::OutOfService(match self {
            Self::Unfinished { command, from } => format!(
                "it holds the beginning of a copy of {from} that did not come to its end. The original is as it was. \
                 Drop this database, or delete its file and those beside it, make an empty one, and run \
                 `bailiwick {command}` again"
            ),
            Self::Moved { to } => format!(
                "it was moved to {to}, where its log goes on. Serve that one. To come back, stop it, back it up with \
                 `bailiwick backup` and restore that into a new data directory"
            ),
        })
    }
}

/// Refuses a database that may not be served.
///
/// # Errors
/// [`StoreError::OutOfService`] with the way out.
pub(crate) async fn check(store: &Store) -> Result<(), StoreError> {
    check_in(&store.write).await
}

/// As [`check`], but a database that was moved to `to` may be moved there once more: the copy may not have come to its end.
pub(crate) async fn check_moved(store: &Store, to: &str) -> Result<(), StoreError> {
    let standing = settings::get_in(&store.write, SETTING).await?;
    match standing.and_then(|value| serde_json::from_value::<Standing>(value).ok()) {
        Some(Standing::Moved { to: there }) if there == to => Ok(()),
        _ => check(store).await,
    }
}

pub(super) async fn check_in(db: &impl ConnectionTrait) -> Result<(), StoreError> {
    match settings::get_in(db, SETTING).await? {
        None => Ok(()),
        Some(value) => Err(match serde_json::from_value::<Standing>(value) {
            Ok(standing) => standing.refusal(),
            Err(_) => StoreError::OutOfService(
                "it says so in words that this version does not know; use the version that wrote them".into(),
            ),
        }),
    }
}

/// Takes `store` out of service.
pub(crate) async fn set(store: &Store, standing: &Standing, now_ms: i64) -> Result<(), StoreError> {
    set_in(&store.write, standing, now_ms).await
}

pub(super) async fn set_in(
    db: &impl ConnectionTrait,
    standing: &Standing,
    now_ms: i64,
) -> Result<(), StoreError> {
    let value = serde_json::to_value(standing).map_err(|err| StoreError::Corrupt(err.to_string()))?;
    let row = ActiveModel { key: Set(SETTING.to_owned()), value: Set(value), updated_ms: Set(now_ms) };
    Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::Key).update_columns([Column::Value, Column::UpdatedMs]).to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Puts it into service again.
pub(super) async fn clear(store: &Store) -> Result<(), StoreError> {
    Entity::delete_by_id(SETTING.to_owned()).exec(&store.write).await?;
    Ok(())
}
