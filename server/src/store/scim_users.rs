//! People as the identity provider provisions them (SCIM 2.0). A change goes by the version that it was made of: of two
//! at once, one is done.

use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};

use super::entities::people::{self, Model as Person};
pub use super::entities::scim_users::Model as ScimUser;
use super::entities::scim_users::{Column, Entity};
use super::entities::{identities, scim_groups, scim_members};
use super::leaving::{self, Ending, Left};
use super::{Store, StoreError};

/// People that one statement asks for.
const AT_ONCE: usize = 500;

/// The one with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, person: &str) -> Result<ScimUser, StoreError> {
    find(store, person).await?.ok_or(StoreError::NotFound("user"))
}

/// The one with this id, if there is one.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn find(store: &Store, person: &str) -> Result<Option<ScimUser>, StoreError> {
    Ok(Entity::find_by_id(person.to_owned()).one(&store.read).await?)
}

/// Those of these people who are provisioned.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn among(store: &Store, people: &[&str]) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for people in people.chunks(AT_ONCE) {
        let some =
            Entity::find().filter(Column::Person.is_in(people.iter().copied())).all(&store.read).await?;
        found.extend(some.into_iter().map(|user| user.person));
    }
    Ok(found)
}

/// Those whose `column` is this: one at most, but for e-mail addresses.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn by(store: &Store, column: Known, value: &str) -> Result<Vec<ScimUser>, StoreError> {
    let is = match column {
        Known::UserName => Column::UserName.eq(value.to_lowercase()),
        Known::ExternalId => Column::ExternalId.eq(value),
        Known::Email => Column::Email.eq(value.to_lowercase()),
    };
    Ok(Entity::find().filter(is).order_by_asc(Column::Person).all(&store.read).await?)
}

/// What users are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// `userName`.
    UserName,
    /// `externalId`.
    ExternalId,
    /// The e-mail address that counts.
    Email,
}

/// Some of them, in the order in which they were made.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(store: &Store, from: u64, limit: u64) -> Result<Vec<ScimUser>, StoreError> {
    let all = Entity::find().order_by_asc(Column::CreatedMs).order_by_asc(Column::Person);
    Ok(all.offset(from).limit(limit).all(&store.read).await?)
}

/// How many there are.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn count(store: &Store) -> Result<u64, StoreError> {
    Ok(Entity::find().count(&store.read).await?)
}

/// People whom the provider has signed in, who have this e-mail address and are not provisioned: whom a new user may be.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn people_by_email(store: &Store, provider: &str, email: &str) -> Result<Vec<Person>, StoreError> {
    let address = Expr::expr(sea_orm::sea_query::Func::lower(Expr::col(people::Column::Email)));
    let found = people::Entity::find().filter(address.eq(email.to_lowercase())).all(&store.read).await?;
    let mut wanted = Vec::new();
    for person in found {
        let known = identities::Entity::find()
            .filter(identities::Column::Person.eq(&person.id))
            .filter(identities::Column::Provider.eq(provider));
        if known.one(&store.read).await?.is_some() && find(store, &person.id).await?.is_none() {
            wanted.push(person);
        }
    }
    Ok(wanted)
}

/// Adds one, and the person where they are new. Of a person who is there, names and addresses are as the provider says
/// now. With `ending` they may not sign in; what ended with that.
///
/// # Errors
/// [`StoreError::Conflict`] where the names are taken, [`StoreError::Unavailable`].
pub async fn create(
    store: &Store,
    user: ScimUser,
    person: Person,
    ending: Option<Ending>,
) -> Result<Left, StoreError> {
    store
        .transaction(|transaction| {
            let (user, person, ending) = (user.clone(), person.clone(), ending.clone());
            Box::pin(async move {
                names_are_free(transaction, &user).await?;
                let now_ms = user.modified_ms;
                if people::Entity::find_by_id(&person.id).one(transaction).await?.is_none() {
                    people::Entity::insert(person.clone().into_active_model())
                        .exec_without_returning(transaction)
                        .await?;
                }
                let id = user.person.clone();
                leaving::note_names(transaction, &id, leaving::names_of(&user)).await?;
                Entity::insert(user.into_active_model()).exec_without_returning(transaction).await?;
                settle(transaction, &id, Some(&person), ending.as_ref(), now_ms).await
            })
        })
        .await
}

/// Replaces the one that has the version before that of `user`.
///
/// # Errors
/// [`StoreError::NotFound`] where it has another one by now, [`StoreError::Conflict`] where the names are taken,
/// [`StoreError::Unavailable`].
pub async fn change(
    store: &Store,
    user: ScimUser,
    person: Person,
    ending: Option<Ending>,
) -> Result<Left, StoreError> {
    store
        .transaction(|transaction| {
            let (user, person, ending) = (user.clone(), person.clone(), ending.clone());
            Box::pin(async move {
                names_are_free(transaction, &user).await?;
                let now_ms = user.modified_ms;
                leaving::note_names(transaction, &user.person, leaving::names_of(&user)).await?;
                let updated = Entity::update_many()
                    .col_expr(Column::UserName, Expr::value(user.user_name))
                    .col_expr(Column::ExternalId, Expr::value(user.external_id))
                    .col_expr(Column::Email, Expr::value(user.email))
                    .col_expr(Column::Attributes, Expr::value(user.attributes))
                    .col_expr(Column::Version, Expr::value(user.version))
                    .col_expr(Column::ModifiedMs, Expr::value(now_ms))
                    .filter(Column::Person.eq(&user.person))
                    .filter(Column::Version.eq(user.version - 1))
                    .exec(transaction)
                    .await?;
                if updated.rows_affected == 0 {
                    return Err(StoreError::NotFound("version"));
                }
                settle(transaction, &user.person, Some(&person), ending.as_ref(), now_ms).await
            })
        })
        .await
}

/// Deletes the one that has this version; the person stays, and may not sign in.
///
/// # Errors
/// [`StoreError::NotFound`] where it has another one by now, [`StoreError::Unavailable`].
pub async fn delete(
    store: &Store,
    person: &str,
    version: i64,
    ending: Ending,
    now_ms: i64,
) -> Result<Left, StoreError> {
    store
        .transaction(|transaction| {
            let (person, ending) = (person.to_owned(), ending.clone());
            Box::pin(async move {
                let member = scim_members::Column::Person.eq(&person);
                let groups: Vec<String> = scim_members::Entity::find()
                    .filter(member.clone())
                    .all(transaction)
                    .await?
                    .into_iter()
                    .map(|row| row.group_id)
                    .collect();
                scim_members::Entity::delete_many().filter(member).exec(transaction).await?;
                scim_groups::Entity::update_many()
                    .col_expr(scim_groups::Column::Version, Expr::col(scim_groups::Column::Version).add(1))
                    .col_expr(scim_groups::Column::ModifiedMs, Expr::value(now_ms))
                    .filter(scim_groups::Column::Id.is_in(groups))
                    .exec(transaction)
                    .await?;
                let deleted = Entity::delete_many()
                    .filter(Column::Person.eq(&person))
                    .filter(Column::Version.eq(version))
                    .exec(transaction)
                    .await?;
                if deleted.rows_affected == 0 {
                    return Err(StoreError::NotFound("version"));
                }
                settle(transaction, &person, None, Some(&ending), now_ms).await
            })
        })
        .await
}

/// The words of a conflict are for the client that asked.
async fn names_are_free(transaction: &DatabaseTransaction, user: &ScimUser) -> Result<(), StoreError> {
    let other = || Entity::find().filter(Column::Person.ne(&user.person));
    if other().filter(Column::UserName.eq(&user.user_name)).one(transaction).await?.is_some() {
        return Err(StoreError::Conflict("another user has this userName".into()));
    }
    if let Some(external_id) = &user.external_id
        && other().filter(Column::ExternalId.eq(external_id)).one(transaction).await?.is_some()
    {
        return Err(StoreError::Conflict("another user has this externalId".into()));
    }
    Ok(())
}

/// What follows for the person: what they are called, and whether they may sign in. Ends sessions and disables keys where
/// not; what.
async fn settle(
    transaction: &DatabaseTransaction,
    id: &str,
    names: Option<&Person>,
    ending: Option<&Ending>,
    now_ms: i64,
) -> Result<Left, StoreError> {
    let person =
        people::Entity::find_by_id(id).one(transaction).await?.ok_or(StoreError::NotFound("person"))?;
    let since = person.deprovisioned_ms;
    let mut row = people::ActiveModel { id: Set(id.to_owned()), ..Default::default() };
    row.deprovisioned_ms = Set(ending.map(|_| since.unwrap_or(now_ms)));
    if let Some(names) = names {
        row.email = Set(names.email.clone());
        row.display_name = Set(names.display_name.clone());
    }
    row.update(transaction).await?;
    match ending {
        Some(ending) => leaving::leave(transaction, id, ending, now_ms).await,
        None => Ok(Left::default()),
    }
}
