//! Credentials for automation against the control plane, hashed at rest. Somebody answers for each: who made it, or who
//! has claimed it since.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, LockType},
};

use super::entities::people;
pub use super::entities::service_tokens::Model as ServiceToken;
use super::entities::service_tokens::{Column, Entity};
use super::leaving::Ending;
use super::{Store, StoreError, within::within};

/// Every token, revoked and expired ones included, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<ServiceToken>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// Tokens in use that expire in `from_ms..to_ms`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn expiring(store: &Store, from_ms: i64, to_ms: i64) -> Result<Vec<ServiceToken>, StoreError> {
    let found = Entity::find()
        .filter(Column::ExpiresMs.gte(from_ms))
        .filter(Column::ExpiresMs.lt(to_ms))
        .filter(Column::RevokedMs.is_null())
        .filter(Column::RotatedTo.is_null())
        .order_by_asc(Column::Id);
    Ok(found.all(&store.read).await?)
}

/// Up to `limit` tokens of these scopes and those below, by id, with ids above `after`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    scopes: &[String],
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<ServiceToken>, StoreError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(within) = within(Column::Scope, scopes) {
        query = query.filter(within);
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    Ok(query.all(&store.read).await?)
}

/// The token with this id, unless it has expired, was revoked or is suspended.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn live(store: &Store, id: &str, now_ms: i64) -> Result<Option<ServiceToken>, StoreError> {
    Ok(Entity::find_by_id(id.to_owned())
        .filter(Column::RevokedMs.is_null())
        .filter(Column::SuspendedMs.is_null())
        .filter(Column::ExpiresMs.is_null().or(Column::ExpiresMs.gt(now_ms)))
        .one(&store.read)
        .await?)
}

/// The token with this id, whatever its state.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<ServiceToken, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("service token"))
}

/// Notes that a token was used.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn touch(store: &Store, id: &str, now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastUsedMs, Expr::value(now_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Puts `successor` in the place of `id`, which works on until `until_ms` or its own earlier end.
///
/// # Errors
/// [`StoreError::Conflict`] where it is revoked, suspended or replaced already, or where who makes the successor may not
/// do anything any more; [`StoreError::Unavailable`].
pub async fn rotate(
    store: &Store,
    id: &str,
    successor: ServiceToken,
    until_ms: i64,
    seen: Option<&ServiceToken>,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (id, successor, seen) = (id.to_owned(), successor.clone(), seen.cloned());
            Box::pin(async move {
                maker_is_there(transaction, &successor).await?;
                still(transaction, &id, seen).await?;
                let earlier = Expr::col(Column::ExpiresMs).lt(until_ms);
                let updated = Entity::update_many()
                    .col_expr(Column::RotatedTo, Expr::value(successor.id.clone()))
                    .col_expr(
                        Column::ExpiresMs,
                        Expr::case(earlier, Expr::col(Column::ExpiresMs)).finally(until_ms).into(),
                    )
                    .filter(Column::Id.eq(&id))
                    .filter(Column::RevokedMs.is_null())
                    .filter(Column::SuspendedMs.is_null())
                    .filter(Column::RotatedTo.is_null())
                    .exec(transaction)
                    .await?;
                if updated.rows_affected == 0 {
                    let what = "the token is revoked, suspended or replaced already";
                    return Err(StoreError::Conflict(what.into()));
                }
                Entity::insert(successor.into_active_model()).exec_without_returning(transaction).await?;
                Ok(())
            })
        })
        .await
}

/// Adds a token.
///
/// # Errors
/// [`StoreError::Conflict`] where the id is taken, the scope does not exist, or who makes it may not do anything any more;
/// [`StoreError::Unavailable`].
pub async fn create(store: &Store, token: ServiceToken) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let token = token.clone();
            Box::pin(async move {
                maker_is_there(transaction, &token).await?;
                Entity::insert(token.into_active_model()).exec_without_returning(transaction).await?;
                Ok(())
            })
        })
        .await
}

/// Of a token that is made while its maker is shut out one of two things is so: it is not made, or it is there when what
/// they made is suspended.
async fn maker_is_there(transaction: &DatabaseTransaction, token: &ServiceToken) -> Result<(), StoreError> {
    let there = match token.created_by.as_deref().and_then(|by| by.split_once(':')) {
        Some(("user", id)) => {
            let maker = people::Entity::find_by_id(id).lock(LockType::Share).one(transaction).await?;
            maker.is_some_and(|it| it.disabled_ms.is_none() && it.deprovisioned_ms.is_none())
        }
        Some(("token", id)) => {
            let maker = Entity::find_by_id(id).lock(LockType::Share).one(transaction).await?;
            maker.is_some_and(|it| it.revoked_ms.is_none() && it.suspended_ms.is_none())
        }
        _ => true,
    };
    match there {
        true => Ok(()),
        false => Err(StoreError::Conflict("who makes the token may not do anything any more".into())),
    }
}

/// Suspends every token for which one of these answers, and those that these tokens have made, inside the caller's
/// transaction. Which, and the one that is spared.
pub(super) async fn suspend_of(
    transaction: &DatabaseTransaction,
    principals: &BTreeSet<String>,
    ending: &Ending,
    now_ms: i64,
) -> Result<(Vec<String>, Option<String>), StoreError> {
    let (mut suspended, mut spared) = (Vec::new(), None);
    let mut theirs = principals.clone();
    // Once more after each change: one of them may have made another one until it was locked.
    loop {
        let all = Entity::find().order_by_asc(Column::Id).all(transaction).await?;
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let mut grows = true;
        while grows {
            grows = false;
            for token in &all {
                let answers = token.claimed_by.as_ref().or(token.created_by.as_ref());
                if answers.is_some_and(|by| theirs.contains(by)) && found.insert(&token.id) {
                    grows = theirs.insert(format!("token:{}", token.id)) || grows;
                }
            }
        }
        let holds = |token: &&ServiceToken| {
            found.contains(token.id.as_str())
                && token.revoked_ms.is_none()
                && token.suspended_ms.is_none()
                && token.expires_ms.is_none_or(|at| at > now_ms)
        };
        let is_spared = |one: &&ServiceToken| ending.spared.as_ref() == Some(&one.id);
        let (goes_on, ends): (Vec<_>, Vec<_>) = all.iter().filter(holds).partition(is_spared);
        spared = goes_on.first().map(|token| token.id.clone()).or(spared);
        if ends.is_empty() {
            return Ok((suspended, spared));
        }
        let ends: Vec<String> = ends.into_iter().map(|token| token.id.clone()).collect();
        Entity::update_many()
            .col_expr(Column::SuspendedMs, Expr::value(now_ms))
            .col_expr(Column::SuspendedBecause, Expr::value(&ending.because))
            .filter(Column::Id.is_in(&ends))
            .exec(transaction)
            .await?;
        suspended.extend(ends);
    }
}

/// Somebody answers for a token from now on: where it was suspended it works again.
///
/// # Errors
/// [`StoreError::Conflict`] where it is revoked, [`StoreError::Unavailable`].
pub async fn claim(store: &Store, id: &str, by: &str, seen: Option<&ServiceToken>) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (id, by, seen) = (id.to_owned(), by.to_owned(), seen.cloned());
            Box::pin(async move {
                still(transaction, &id, seen).await?;
                let updated = Entity::update_many()
                    .col_expr(Column::ClaimedBy, Expr::value(by))
                    .col_expr(Column::SuspendedMs, Expr::value(None::<i64>))
                    .col_expr(Column::SuspendedBecause, Expr::value(None::<String>))
                    .filter(Column::Id.eq(&id))
                    .filter(Column::RevokedMs.is_null())
                    .exec(transaction)
                    .await?;
                match updated.rows_affected {
                    0 => Err(StoreError::Conflict("the token is revoked".into())),
                    _ => Ok(()),
                }
            })
        })
        .await
}

/// Revokes a token from `now_ms` on; an earlier revocation stands.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn revoke(
    store: &Store,
    id: &str,
    now_ms: i64,
    seen: Option<&ServiceToken>,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::col(Column::RevokedMs).if_null(now_ms))
        .filter(Column::Id.eq(id));
    let updated = store.transaction(|transaction| {
        let (id, seen, update) = (id.to_owned(), seen.cloned(), update.clone());
        Box::pin(async move {
            still(transaction, &id, seen).await?;
            Ok(update.exec(transaction).await?)
        })
    });
    if updated.await?.rows_affected == 0 { Err(StoreError::NotFound("service token")) } else { Ok(()) }
}

/// Refuses where the token is another one than was seen. Its use changes nothing that anybody looks at.
async fn still(
    transaction: &DatabaseTransaction,
    id: &str,
    seen: Option<ServiceToken>,
) -> Result<(), StoreError> {
    let Some(seen) = seen else { return Ok(()) };
    let now = Entity::find_by_id(id.to_owned()).lock_exclusive().one(transaction).await?;
    let last_used_ms = seen.last_used_ms;
    let now = now.map(|now| ServiceToken { last_used_ms, ..now });
    if now == Some(seen) { Ok(()) } else { Err(StoreError::Changed) }
}
