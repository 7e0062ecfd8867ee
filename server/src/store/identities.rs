//! What identity providers call people, and the groups that they name.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};

pub use super::entities::identities::Model as Identity;
use super::entities::identities::{Column, Entity};
use super::entities::people;
use super::{Store, StoreError, leaving, requests, sessions};

/// Every identity, by provider and subject.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Identity>, StoreError> {
    let all = Entity::find().order_by_asc(Column::Provider).order_by_asc(Column::Subject);
    Ok(all.all(&store.read).await?)
}

/// The identities of these people.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn of_all(store: &Store, people: &[&str]) -> Result<Vec<Identity>, StoreError> {
    let of = Entity::find().filter(Column::Person.is_in(people.iter().copied()));
    let ordered = of.order_by_asc(Column::Provider).order_by_asc(Column::Subject);
    Ok(ordered.all(&store.read).await?)
}

/// The identities of a person.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn of(store: &Store, person: &str) -> Result<Vec<Identity>, StoreError> {
    Ok(Entity::find().filter(Column::Person.eq(person)).all(&store.read).await?)
}

/// Whom the provider calls `subject`, as far as anybody of that name has signed in.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn find(store: &Store, provider: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
    let key = (provider.to_owned(), subject.to_owned());
    Ok(Entity::find_by_id(key).one(&store.read).await?)
}

/// Puts down what a provider said of a person at a sign-in, and makes the person where it is a new one. Of two first
/// sign-ins at once, one gets in.
///
/// # Errors
/// [`StoreError::Conflict`], [`StoreError::Unavailable`].
pub async fn note(store: &Store, person: people::Model, identity: Identity) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (person, identity) = (person.clone(), identity.clone());
            Box::pin(async move {
                if !told_again(transaction, &person).await? {
                    people::Entity::insert(person.clone().into_active_model())
                        .exec_without_returning(transaction)
                        .await?;
                }
                leaving::note_names(transaction, &person.id, person.email).await?;
                let mut known = OnConflict::columns([Column::Provider, Column::Subject]);
                known.update_columns([Column::Groups, Column::Claims, Column::SeenMs]);
                Entity::insert(identity.into_active_model())
                    .on_conflict(known)
                    .exec_without_returning(transaction)
                    .await?;
                Ok(())
            })
        })
        .await
}

/// Whether the person is there already; then the name and the address are as the provider says now.
async fn told_again(db: &impl ConnectionTrait, person: &people::Model) -> Result<bool, StoreError> {
    let updated = people::Entity::update_many()
        .col_expr(people::Column::Email, Expr::value(person.email.clone()))
        .col_expr(people::Column::DisplayName, Expr::value(person.display_name.clone()))
        .filter(people::Column::Id.eq(&person.id))
        .exec(db)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Gives an identity to another person, who is from now on the same as the one before: that one may not sign in any more
/// under the id it had, its sessions end, and what it has asked for is the other's.
///
/// # Errors
/// [`StoreError::Conflict`] where there is no such person, [`StoreError::Unavailable`].
pub async fn join(
    store: &Store,
    provider: &str,
    subject: &str,
    person: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (provider, subject, person) = (provider.to_owned(), subject.to_owned(), person.to_owned());
            Box::pin(async move {
                let known = Entity::find_by_id((provider.clone(), subject.clone())).one(transaction).await?;
                let Some(known) = known else { return Ok(()) };
                Entity::update_many()
                    .col_expr(Column::Person, Expr::value(&person))
                    .filter(Column::Provider.eq(&provider))
                    .filter(Column::Subject.eq(&subject))
                    .exec(transaction)
                    .await?;
                if known.person == person {
                    return Ok(());
                }
                people::Entity::update_many()
                    .col_expr(people::Column::JoinedInto, Expr::value(&person))
                    .col_expr(
                        people::Column::DisabledMs,
                        Expr::col(people::Column::DisabledMs).if_null(now_ms),
                    )
                    .filter(people::Column::Id.eq(&known.person))
                    .exec(transaction)
                    .await?;
                let (from, to) = (format!("user:{}", known.person), format!("user:{person}"));
                requests::hand_over(transaction, &from, &to).await?;
                sessions::end_all_of(transaction, &known.person, now_ms).await
            })
        })
        .await
}
