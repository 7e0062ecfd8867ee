//! People who sign in. Records know a person only by a random id; what names the person stands here and can
//! be erased.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

pub use super::entities::people::Model as Person;
use super::entities::people::{ActiveModel, Column, Entity};
use super::entities::{identities, scim_members, scim_users};
use super::leaving::{self, Ending, Left};
use super::{Store, StoreError, seen::unchanged};

/// Every person, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Person>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// Up to `limit` people, by id, with ids above `after`; those alone that may or may not sign in, where asked for.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    disabled: Option<bool>,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<Person>, StoreError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(disabled) = disabled {
        let (here, provider) = (Column::DisabledMs, Column::DeprovisionedMs);
        query = query.filter(match disabled {
            true => here.is_not_null().or(provider.is_not_null()),
            false => here.is_null().and(provider.is_null()),
        });
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    Ok(query.all(&store.read).await?)
}

/// The person with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<Person, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("person"))
}

/// The person whom the identity provider calls `subject`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn by_subject(store: &Store, subject: &str) -> Result<Option<Person>, StoreError> {
    Ok(Entity::find().filter(Column::Subject.eq(subject)).one(&store.read).await?)
}

/// Adds a person.
///
/// # Errors
/// [`StoreError::Conflict`] where the id or the subject is taken, [`StoreError::Unavailable`].
pub async fn create(store: &Store, person: Person) -> Result<(), StoreError> {
    Entity::insert(person.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// The person and everybody who is the same one.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn same(store: &Store, id: &str) -> Result<BTreeSet<String>, StoreError> {
    leaving::same(&store.read, id).await
}

/// Forbids a person to sign in, and ends what ends with them.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn disable(
    store: &Store,
    id: &str,
    ending: &Ending,
    now_ms: i64,
    seen: Option<&Person>,
) -> Result<Left, StoreError> {
    let person = get(store, id).await?;
    let change = ActiveModel {
        id: Set(id.to_owned()),
        disabled_ms: Set(Some(person.disabled_ms.unwrap_or(now_ms))),
        ..Default::default()
    };
    change_and_leave(store, change, ending, now_ms, seen).await
}

/// Lets a person sign in again.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn enable(store: &Store, id: &str, seen: Option<&Person>) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::DisabledMs, Expr::value(None::<i64>))
        .filter(Column::Id.eq(id))
        .filter(Column::ErasedMs.is_null())
        .filter(Column::JoinedInto.is_null());
    let updated = store.transaction(|transaction| {
        let (id, seen, update) = (id.to_owned(), seen.cloned(), update.clone());
        Box::pin(async move {
            unchanged(transaction, Entity::find_by_id(id), seen.as_ref()).await?;
            Ok(update.exec(transaction).await?)
        })
    });
    if updated.await?.rows_affected == 0 { Err(StoreError::NotFound("person")) } else { Ok(()) }
}

/// Erases what names a person, forbids to sign in and ends what ends with them. The id stays, so that records go on
/// to tell one person from another.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn erase(
    store: &Store,
    id: &str,
    ending: &Ending,
    now_ms: i64,
    seen: Option<&Person>,
) -> Result<Left, StoreError> {
    let person = get(store, id).await?;
    let change = ActiveModel {
        id: Set(id.to_owned()),
        subject: Set(None),
        email: Set(None),
        display_name: Set(None),
        disabled_ms: Set(Some(person.disabled_ms.unwrap_or(now_ms))),
        erased_ms: Set(Some(person.erased_ms.unwrap_or(now_ms))),
        ..Default::default()
    };
    change_and_leave(store, change, ending, now_ms, seen).await
}

async fn change_and_leave(
    store: &Store,
    change: ActiveModel,
    ending: &Ending,
    now_ms: i64,
    seen: Option<&Person>,
) -> Result<Left, StoreError> {
    store
        .transaction(|transaction| {
            let (change, ending, seen) = (change.clone(), ending.clone(), seen.cloned());
            Box::pin(async move {
                let id = seen.as_ref().map(|seen| seen.id.clone()).unwrap_or_default();
                unchanged(transaction, Entity::find_by_id(id), seen.as_ref()).await?;
                let person = change.update(transaction).await?;
                let left = leaving::leave(transaction, &person.id, &ending, now_ms).await?;
                if person.erased_ms.is_some() {
                    let ids = leaving::forget_names(transaction, &person.id).await?;
                    erase_rows(transaction, &ids, now_ms).await?;
                }
                Ok(left)
            })
        })
        .await
}

/// Erases what names these, who are one, wherever it stands but in the log, which never knew it.
async fn erase_rows(
    transaction: &DatabaseTransaction,
    ids: &BTreeSet<String>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let none = || Expr::value(None::<String>);
    Entity::update_many()
        .col_expr(Column::Subject, none())
        .col_expr(Column::Email, none())
        .col_expr(Column::DisplayName, none())
        .col_expr(Column::DisabledMs, Expr::col(Column::DisabledMs).if_null(now_ms))
        .col_expr(Column::ErasedMs, Expr::col(Column::ErasedMs).if_null(now_ms))
        .filter(Column::Id.is_in(ids))
        .exec(transaction)
        .await?;
    let of_person = identities::Column::Person.is_in(ids);
    identities::Entity::delete_many().filter(of_person).exec(transaction).await?;
    let member = scim_members::Column::Person.is_in(ids);
    scim_members::Entity::delete_many().filter(member).exec(transaction).await?;
    let user = scim_users::Column::Person.is_in(ids);
    scim_users::Entity::delete_many().filter(user).exec(transaction).await?;
    Ok(())
}
