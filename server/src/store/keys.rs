//! Virtual keys: hashed at rest, with expiry, revocation, a switch, and rotation with an overlap.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany,
    sea_query::{Expr, ExprTrait, LockType, OnConflict},
};

pub use super::entities::virtual_keys::Model as VirtualKey;
use super::entities::virtual_keys::{Column, Entity};
use super::entities::{key_use, scopes, virtual_keys};
use super::{Store, StoreError, budgets, seen::unchanged, within::within};

/// Every key, revoked and expired ones included, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<VirtualKey>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// Keys in use that expire in `from_ms..to_ms`, without those that workloads were given.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn expiring(store: &Store, from_ms: i64, to_ms: i64) -> Result<Vec<VirtualKey>, StoreError> {
    let found = Entity::find()
        .filter(Column::ExpiresMs.gte(from_ms))
        .filter(Column::ExpiresMs.lt(to_ms))
        .filter(Column::RevokedMs.is_null())
        .filter(Column::DisabledMs.is_null())
        .filter(Column::RotatedTo.is_null())
        .filter(Column::Workload.is_null())
        .order_by_asc(Column::Id);
    Ok(found.all(&store.read).await?)
}

/// Up to `limit` keys of these scopes and those below, by id, with ids above `after`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    scopes: &[String],
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<VirtualKey>, StoreError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(within) = within(Column::Scope, scopes) {
        query = query.filter(within);
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    Ok(query.all(&store.read).await?)
}

/// The key with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<VirtualKey, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("virtual key"))
}

/// Adds a key.
///
/// # Errors
/// [`StoreError::Conflict`] where the id is taken or the scope does not exist, [`StoreError::Unavailable`].
pub async fn create(store: &Store, key: VirtualKey) -> Result<(), StoreError> {
    create_all(store, vec![(key, Vec::new())]).await
}

/// Adds keys, each with the budgets and limits of its own; all of them or none.
///
/// # Errors
/// As [`create`].
pub async fn create_all(
    store: &Store,
    keys: Vec<(VirtualKey, Vec<budgets::Budget>)>,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let keys = keys.clone();
            Box::pin(async move {
                for (key, own) in keys {
                    create_in(transaction, key, own).await?;
                }
                Ok(())
            })
        })
        .await
}

/// One of [`create_all`], as a part of something larger.
pub(super) async fn create_in(
    transaction: &DatabaseTransaction,
    key: VirtualKey,
    own: Vec<budgets::Budget>,
) -> Result<(), StoreError> {
    name_is_free(transaction, &key).await?;
    Entity::insert(key.into_active_model()).exec_without_returning(transaction).await?;
    for budget in own {
        budgets::create_in(transaction, budget).await?;
    }
    Ok(())
}

/// Two valid keys of one scope have two names. The scope's row is locked, so that of several at once only one gets it.
async fn name_is_free(transaction: &DatabaseTransaction, key: &VirtualKey) -> Result<(), StoreError> {
    scopes::Entity::find_by_id(&key.scope).lock(LockType::NoKeyUpdate).one(transaction).await?;
    let same = Entity::find()
        .filter(Column::Scope.eq(&key.scope))
        .filter(Column::Name.eq(&key.name))
        .filter(Column::RevokedMs.is_null())
        .filter(Column::RotatedTo.is_null())
        .filter(Column::ExpiresMs.is_null().or(Column::ExpiresMs.gt(key.created_ms)));
    match same.one(transaction).await? {
        None => Ok(()),
        Some(_) => Err(StoreError::Conflict("the scope has a valid key of that name".into())),
    }
}

/// Gives a key other settings and another expiry; its secret stays.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn change(
    store: &Store,
    id: &str,
    settings: serde_json::Value,
    expires_ms: Option<i64>,
) -> Result<(), StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::Settings, Expr::value(settings))
        .col_expr(Column::ExpiresMs, Expr::value(expires_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    if updated.rows_affected == 0 { Err(StoreError::NotFound("virtual key")) } else { Ok(()) }
}

/// Revokes keys from `now_ms` on, all or none; of one that was revoked before, that and its reason stand.
///
/// # Errors
/// [`StoreError::NotFound`] where there is none of them, [`StoreError::Changed`] where one is not as it was `seen`, [`StoreError::Unavailable`].
pub async fn revoke(
    store: &Store,
    ids: &[&str],
    because: Option<&str>,
    now_ms: i64,
    seen: Option<&VirtualKey>,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::value(now_ms))
        .col_expr(Column::RevokedBecause, Expr::value(because.map(str::to_owned)))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::RevokedMs.is_null());
    if write(store, seen, update).await? == 0 { there(store, ids).await.map(|_| ()) } else { Ok(()) }
}

/// Refuses keys until they are enabled again, all or none; of one that was disabled before, that and its reason stand.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Conflict`] where the keys are revoked, [`StoreError::Unavailable`].
pub async fn disable(
    store: &Store,
    ids: &[&str],
    because: &str,
    now_ms: i64,
    seen: Option<&VirtualKey>,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::DisabledMs, Expr::value(now_ms))
        .col_expr(Column::DisabledBecause, Expr::value(because))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::RevokedMs.is_null())
        .filter(Column::DisabledMs.is_null());
    if write(store, seen, update).await? == 0 { not_revoked(store, ids).await } else { Ok(()) }
}

/// Lets disabled keys work again, all or none.
///
/// # Errors
/// As [`disable`].
pub async fn enable(store: &Store, ids: &[&str], seen: Option<&VirtualKey>) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::DisabledMs, Expr::value(None::<i64>))
        .col_expr(Column::DisabledBecause, Expr::value(None::<String>))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::RevokedMs.is_null())
        .filter(Column::DisabledMs.is_not_null());
    if write(store, seen, update).await? == 0 { not_revoked(store, ids).await } else { Ok(()) }
}

/// Makes a change, of a key as it was seen where somebody says so; of how many.
async fn write(
    store: &Store,
    seen: Option<&VirtualKey>,
    update: UpdateMany<Entity>,
) -> Result<u64, StoreError> {
    store
        .transaction(|transaction| {
            let (seen, update) = (seen.cloned(), update.clone());
            Box::pin(async move {
                let id = seen.as_ref().map(|seen| seen.id.clone()).unwrap_or_default();
                unchanged(transaction, Entity::find_by_id(id), seen.as_ref()).await?;
                Ok(update.exec(transaction).await?.rows_affected)
            })
        })
        .await
}

async fn there(store: &Store, ids: &[&str]) -> Result<Vec<VirtualKey>, StoreError> {
    let keys = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(&store.write).await?;
    if keys.is_empty() { Err(StoreError::NotFound("virtual key")) } else { Ok(keys) }
}

async fn not_revoked(store: &Store, ids: &[&str]) -> Result<(), StoreError> {
    if there(store, ids).await?.iter().all(|key| key.revoked_ms.is_some()) {
        return Err(StoreError::Conflict("the key is revoked, for good".into()));
    }
    Ok(())
}

/// Adds `replacement` and lets the key `id` work beside it until `overlap_until_ms`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Conflict`] where `id` was rotated or revoked before or is disabled,
/// [`StoreError::Unavailable`]. Nothing is changed then.
pub async fn rotate(
    store: &Store,
    id: &str,
    replacement: VirtualKey,
    overlap_until_ms: i64,
    seen: Option<&VirtualKey>,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (id, replacement, seen) = (id.to_owned(), replacement.clone(), seen.cloned());
            Box::pin(async move {
                unchanged(transaction, Entity::find_by_id(&id), seen.as_ref()).await?;
                let old = Entity::find_by_id(id)
                    .lock_exclusive()
                    .one(transaction)
                    .await?
                    .ok_or(StoreError::NotFound("virtual key"))?;
                if old.rotated_to.is_some() || old.revoked_ms.is_some() {
                    return Err(StoreError::Conflict("the key was rotated or revoked before".into()));
                }
                if old.disabled_ms.is_some() {
                    return Err(StoreError::Conflict("the key is disabled: enable it first".into()));
                }
                let new_id = replacement.id.clone();
                Entity::insert(replacement.into_active_model()).exec_without_returning(transaction).await?;
                let mut old = old.into_active_model();
                old.rotated_to = Set(Some(new_id));
                old.overlap_until_ms = Set(Some(overlap_until_ms));
                old.update(transaction).await?;
                Ok(())
            })
        })
        .await
}

/// When each key was last used, as far as replicas have told.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn last_used(store: &Store) -> Result<HashMap<String, i64>, StoreError> {
    let rows = key_use::Entity::find().all(&store.read).await?;
    Ok(rows.into_iter().map(|row| (row.key_id, row.last_used_ms)).collect())
}

/// The same for these keys alone.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn last_used_of(store: &Store, ids: &[&str]) -> Result<HashMap<String, i64>, StoreError> {
    let rows = key_use::Entity::find()
        .filter(key_use::Column::KeyId.is_in(ids.iter().copied()))
        .all(&store.read)
        .await?;
    Ok(rows.into_iter().map(|row| (row.key_id, row.last_used_ms)).collect())
}

/// Tells when keys were last used. What another replica has told of later stays; a key that is gone is left out.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn note_use(store: &Store, used: &[(String, i64)]) -> Result<(), StoreError> {
    /// Far below what either database takes of parameters in a statement.
    const AT_ONCE: usize = 500;
    for used in used.chunks(AT_ONCE) {
        let ids = used.iter().map(|(id, _)| id.as_str());
        let there: Vec<String> = Entity::find()
            .select_only()
            .column(virtual_keys::Column::Id)
            .filter(Column::Id.is_in(ids))
            .into_tuple()
            .all(&store.read)
            .await?;
        let mut rows: Vec<key_use::ActiveModel> = used
            .iter()
            .filter(|(id, _)| there.contains(id))
            .map(|(id, at)| key_use::ActiveModel { key_id: Set(id.clone()), last_used_ms: Set(*at) })
            .collect();
        if rows.is_empty() {
            continue;
        }
        // Replicas that tell of the same keys take their rows in the same order.
        rows.sort_by(|one, other| one.key_id.as_ref().cmp(other.key_id.as_ref()));
        let later = Expr::col((key_use::Entity, key_use::Column::LastUsedMs))
            .lt(Expr::col(("excluded", key_use::Column::LastUsedMs)));
        key_use::Entity::insert_many(rows)
            .on_conflict(
                OnConflict::column(key_use::Column::KeyId)
                    .update_column(key_use::Column::LastUsedMs)
                    .action_and_where(later)
                    .to_owned(),
            )
            .exec_without_returning(&store.write)
            .await?;
    }
    Ok(())
}

/// Disables every key whose `owner` is one of these names (in small letters), inside the caller's transaction; which.
pub(super) async fn disable_owned(
    transaction: &DatabaseTransaction,
    names: &BTreeSet<String>,
    because: &str,
    now_ms: i64,
) -> Result<Vec<String>, StoreError> {
    let works = Entity::find()
        .filter(Column::RevokedMs.is_null())
        .filter(Column::DisabledMs.is_null())
        .order_by_asc(Column::Id);
    let owned: Vec<String> = works
        .all(transaction)
        .await?
        .into_iter()
        .filter(|key| {
            let owner = key.settings.get("owner").and_then(serde_json::Value::as_str);
            owner.is_some_and(|owner| names.contains(&owner.to_lowercase()))
        })
        .map(|key| key.id)
        .collect();
    if !owned.is_empty() {
        Entity::update_many()
            .col_expr(Column::DisabledMs, Expr::value(now_ms))
            .col_expr(Column::DisabledBecause, Expr::value(because))
            .filter(Column::Id.is_in(owned.iter()))
            .exec(transaction)
            .await?;
    }
    Ok(owned)
}

/// Writes another owner where it is one of these names (in small letters), of ended keys too; inside the caller's
/// transaction.
pub(super) async fn rename_owner(
    transaction: &DatabaseTransaction,
    names: &BTreeSet<String>,
    owner: &str,
) -> Result<(), StoreError> {
    for key in Entity::find().order_by_asc(Column::Id).all(transaction).await? {
        let mut settings = key.settings;
        let Some(is) = settings.get_mut("owner") else { continue };
        if !is.as_str().is_some_and(|is| names.contains(&is.to_lowercase())) {
            continue;
        }
        *is = owner.into();
        Entity::update_many()
            .col_expr(Column::Settings, Expr::value(settings))
            .filter(Column::Id.eq(key.id))
            .exec(transaction)
            .await?;
    }
    Ok(())
}
