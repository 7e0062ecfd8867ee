//! Credentials of providers: where they are to be had, or sealed. Nothing here can open one.

use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::Value;

pub use super::entities::credentials::Model as Credential;
use super::entities::credentials::{Column, Entity};
use super::entities::replicas;
use super::replicas::{ReplicaNumber, State};
use super::{Store, StoreError};

/// Every credential, by name.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Credential>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Name).all(&store.read).await?)
}

/// The credential of this name.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, name: &str) -> Result<Credential, StoreError> {
    let found = Entity::find().filter(Column::Name.eq(name)).one(&store.read).await?;
    found.ok_or(StoreError::NotFound("credential"))
}

/// Adds a credential.
///
/// # Errors
/// [`StoreError::Conflict`] where the name is taken or the scope does not exist, [`StoreError::Unavailable`].
pub async fn create(store: &Store, credential: Credential) -> Result<(), StoreError> {
    Entity::insert(credential.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// Replaces a credential that is still at the version before `to.version`; its scope stays.
///
/// # Errors
/// [`StoreError::Conflict`] where somebody else has changed it meanwhile, [`StoreError::Unavailable`].
pub async fn replace(store: &Store, to: &Credential) -> Result<(), StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::Source, Expr::value(to.source.clone()))
        .col_expr(Column::Sealed, Expr::value(to.sealed.clone()))
        .col_expr(Column::Version, Expr::value(to.version))
        .col_expr(Column::Fingerprint, Expr::value(to.fingerprint.clone()))
        .col_expr(Column::UpdatedMs, Expr::value(to.updated_ms))
        .col_expr(Column::UpdatedBy, Expr::value(to.updated_by.clone()))
        .filter(Column::Id.eq(&to.id))
        .filter(Column::Version.eq(to.version - 1))
        .exec(&store.write)
        .await?;
    if updated.rows_affected == 1 {
        return Ok(());
    }
    Err(StoreError::Conflict("somebody else has changed the credential meanwhile".into()))
}

/// Puts another envelope around the same credential; whether it was still in the one `before`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn reseal(store: &Store, id: &str, before: &str, sealed: &str) -> Result<bool, StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::Sealed, Expr::value(sealed))
        .filter(Column::Id.eq(id))
        .filter(Column::Sealed.eq(before))
        .exec(&store.write)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Deletes the credential of this name, where that is still the one that was `seen`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Changed`], [`StoreError::Unavailable`].
pub async fn delete(store: &Store, name: &str, seen: Option<&Credential>) -> Result<(), StoreError> {
    let mut query = Entity::delete_many().filter(Column::Name.eq(name));
    if let Some(seen) = seen {
        query = query
            .filter(Column::Id.eq(&seen.id))
            .filter(Column::Version.eq(seen.version))
            .filter(Column::Scope.eq(&seen.scope));
    }
    let deleted = query.exec(&store.write).await?;
    match (deleted.rows_affected, seen) {
        (0, None) => Err(StoreError::NotFound("credential")),
        (0, Some(_)) => Err(StoreError::Changed),
        _ => Ok(()),
    }
}

/// Tells the others which master keys this server has.
pub(crate) async fn tell_keys(store: &Store, me: ReplicaNumber, ids: &[String]) -> Result<(), StoreError> {
    replicas::Entity::update_many()
        .col_expr(replicas::Column::MasterKeys, Expr::value(ids.join(",")))
        .filter(replicas::Column::Number.eq(me.get()))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// The names of the other servers that write to the log: those that say that they have the master key `id`, and those
/// that do not.
pub(crate) async fn holders(
    store: &Store,
    me: ReplicaNumber,
    id: &str,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let others: Vec<(String, Option<String>)> = replicas::Entity::find()
        .select_only()
        .columns([replicas::Column::Name, replicas::Column::MasterKeys])
        .filter(replicas::Column::State.eq(State::Live))
        .filter(replicas::Column::Number.ne(me.get()))
        .order_by_asc(replicas::Column::Number)
        .into_tuple()
        .all(&store.read)
        .await?;
    let has = |keys: &Option<String>| keys.as_ref().is_some_and(|keys| keys.split(',').any(|key| key == id));
    let (have, lack): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, keys)| has(keys));
    let names = |others: Vec<(String, Option<String>)>| others.into_iter().map(|(name, _)| name).collect();
    Ok((names(have), names(lack)))
}

/// The master key that credentials are sealed with, by the first that asks: `first`.
pub(crate) async fn sealing_key(store: &Store, first: &str, now_ms: i64) -> Result<String, StoreError> {
    let kept = super::settings::keep_first(store, SEALING_KEY, first.into(), now_ms).await?;
    kept.as_str()
        .map(str::to_owned)
        .ok_or_else(|| StoreError::Corrupt(format!("the setting `{SEALING_KEY}`")))
}

/// Seals what is to be sealed from now on with another master key.
pub(crate) async fn seal_with(store: &Store, id: &str, now_ms: i64) -> Result<(), StoreError> {
    super::settings::put(store, SEALING_KEY, Value::from(id), now_ms).await
}

const SEALING_KEY: &str = "credentials/sealing_key";

/// Gives a credential to another scope. What is sealed stays as it is.
///
/// # Errors
/// [`StoreError::Conflict`] where the scope does not exist, [`StoreError::Unavailable`].
pub async fn set_scope(store: &Store, id: &str, scope: &str, now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Scope, Expr::value(scope))
        .col_expr(Column::UpdatedMs, Expr::value(now_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    Ok(())
}
