//! People who sign in. Records know a person only by a random id; what names the person stands here and can
//! be erased.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};

use super::entities::identities;
pub use super::entities::people::Model as Person;
use super::entities::people::{ActiveModel, Column, Entity};
use super::{Store, StoreError, seen::unchanged, sessions};

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
        let column = Column::DisabledMs;
        query = query.filter(if disabled { column.is_not_null() } else { column.is_null() });
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

/// Forbids a person to sign in and ends every session.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn disable(store: &Store, id: &str, now_ms: i64, seen: Option<&Person>) -> Result<(), StoreError> {
    let person = get(store, id).await?;
    let change = ActiveModel {
        id: Set(id.to_owned()),
        disabled_ms: Set(Some(person.disabled_ms.unwrap_or(now_ms))),
        ..Default::default()
    };
    change_and_end_sessions(store, change, now_ms, seen).await
}

/// Lets a person sign in again.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn enable(store: &Store, id: &str, seen: Option<&Person>) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::DisabledMs, Expr::value(None::<i64>))
        .filter(Column::Id.eq(id))
        .filter(Column::ErasedMs.is_null());
    let updated = store.transaction(|transaction| {
        let (id, seen, update) = (id.to_owned(), seen.cloned(), update.clone());
        Box::pin(async move {
            unchanged(transaction, Entity::find_by_id(id), seen.as_ref()).await?;
            Ok(update.exec(transaction).await?)
        })
    });
    if updated.await?.rows_affected == 0 { Err(StoreError::NotFound("person")) } else { Ok(()) }
}

/// Erases what names a person, forbids to sign in and ends every session. The id stays, so that records go on
/// to tell one person from another.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn erase(store: &Store, id: &str, now_ms: i64) -> Result<(), StoreError> {
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
    change_and_end_sessions(store, change, now_ms, None).await
}

async fn change_and_end_sessions(
    store: &Store,
    change: ActiveModel,
    now_ms: i64,
    seen: Option<&Person>,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (change, seen) = (change.clone(), seen.cloned());
            Box::pin(async move {
                let id = seen.as_ref().map(|seen| seen.id.clone()).unwrap_or_default();
                unchanged(transaction, Entity::find_by_id(id), seen.as_ref()).await?;
                let person = change.update(transaction).await?;
                if person.erased_ms.is_some() {
                    let of_person = identities::Column::Person.eq(&person.id);
                    identities::Entity::delete_many().filter(of_person).exec(transaction).await?;
                }
                sessions::end_all_of(transaction, &person.id, now_ms).await
            })
        })
        .await
}
