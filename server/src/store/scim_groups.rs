//! Groups as the identity provider provisions them (SCIM 2.0), and who is in them. A change goes by the version that it
//! was made of: of two at once, one is done.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};

pub use super::entities::scim_groups::Model as ScimGroup;
use super::entities::scim_groups::{Column, Entity};
use super::entities::scim_members::{self, Column as Member};
use super::entities::scim_users;
use super::{Store, StoreError};

/// Members that one statement takes in or out.
const AT_ONCE: usize = 500;

/// The one with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<ScimGroup, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("group"))
}

/// The one with this name, whatever the case of its letters; or with this name of the provider's own.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn by_name(store: &Store, name: &str, external: bool) -> Result<Option<ScimGroup>, StoreError> {
    let is = if external { Column::ExternalId.eq(name) } else { Column::Name.eq(name.to_lowercase()) };
    Ok(Entity::find().filter(is).one(&store.read).await?)
}

/// Some of them, in the order in which they were made.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(store: &Store, from: u64, limit: u64) -> Result<Vec<ScimGroup>, StoreError> {
    let all = Entity::find().order_by_asc(Column::CreatedMs).order_by_asc(Column::Id);
    Ok(all.offset(from).limit(limit).all(&store.read).await?)
}

/// How many there are.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn count(store: &Store) -> Result<u64, StoreError> {
    Ok(Entity::find().count(&store.read).await?)
}

/// Who is in these groups, by group.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn members(store: &Store, groups: &[String]) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for groups in groups.chunks(AT_ONCE) {
        let rows = scim_members::Entity::find()
            .filter(Member::GroupId.is_in(groups))
            .order_by_asc(Member::GroupId)
            .order_by_asc(Member::Person)
            .all(&store.read)
            .await?;
        for row in rows {
            found.entry(row.group_id).or_default().push(row.person);
        }
    }
    Ok(found)
}

/// The groups that these people are in, by person.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn of_people(
    store: &Store,
    people: &[String],
) -> Result<BTreeMap<String, Vec<ScimGroup>>, StoreError> {
    let mut found: BTreeMap<String, Vec<ScimGroup>> = BTreeMap::new();
    for people in people.chunks(AT_ONCE) {
        let rows = scim_members::Entity::find()
            .filter(Member::Person.is_in(people))
            .order_by_asc(Member::GroupId)
            .all(&store.read)
            .await?;
        let mut ids: Vec<&String> = rows.iter().map(|row| &row.group_id).collect();
        ids.dedup();
        let mut groups = BTreeMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let some = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(&store.read).await?;
            groups.extend(some.into_iter().map(|group| (group.id.clone(), group)));
        }
        for row in rows {
            if let Some(group) = groups.get(&row.group_id) {
                found.entry(row.person).or_default().push(group.clone());
            }
        }
    }
    Ok(found)
}

/// Adds one with its members.
///
/// # Errors
/// [`StoreError::Conflict`] where the names are taken, [`StoreError::NotFound`] where a member is nobody,
/// [`StoreError::Unavailable`].
pub async fn create(store: &Store, group: ScimGroup, members: Vec<String>) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (group, members) = (group.clone(), members.clone());
            Box::pin(async move {
                names_are_free(transaction, &group).await?;
                let id = group.id.clone();
                Entity::insert(group.into_active_model()).exec_without_returning(transaction).await?;
                take_in(transaction, &id, &members).await
            })
        })
        .await
}

/// Replaces the one that has the version before that of `group`, takes in some people and others out.
///
/// # Errors
/// As [`create`], and [`StoreError::NotFound`] where it has another version by now.
pub async fn change(
    store: &Store,
    group: ScimGroup,
    come: Vec<String>,
    gone: Vec<String>,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (group, come, gone) = (group.clone(), come.clone(), gone.clone());
            Box::pin(async move {
                names_are_free(transaction, &group).await?;
                let updated = Entity::update_many()
                    .col_expr(Column::DisplayName, Expr::value(group.display_name))
                    .col_expr(Column::Name, Expr::value(group.name))
                    .col_expr(Column::ExternalId, Expr::value(group.external_id))
                    .col_expr(Column::Version, Expr::value(group.version))
                    .col_expr(Column::ModifiedMs, Expr::value(group.modified_ms))
                    .filter(Column::Id.eq(&group.id))
                    .filter(Column::Version.eq(group.version - 1))
                    .exec(transaction)
                    .await?;
                if updated.rows_affected == 0 {
                    return Err(StoreError::NotFound("version"));
                }
                for gone in gone.chunks(AT_ONCE) {
                    scim_members::Entity::delete_many()
                        .filter(Member::GroupId.eq(&group.id))
                        .filter(Member::Person.is_in(gone))
                        .exec(transaction)
                        .await?;
                }
                take_in(transaction, &group.id, &come).await
            })
        })
        .await
}

/// Deletes the one that has this version.
///
/// # Errors
/// [`StoreError::NotFound`] where it has another one by now, [`StoreError::Unavailable`].
pub async fn delete(store: &Store, id: &str, version: i64) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let id = id.to_owned();
            Box::pin(async move {
                scim_members::Entity::delete_many().filter(Member::GroupId.eq(&id)).exec(transaction).await?;
                let deleted = Entity::delete_many()
                    .filter(Column::Id.eq(&id))
                    .filter(Column::Version.eq(version))
                    .exec(transaction)
                    .await?;
                if deleted.rows_affected == 0 { Err(StoreError::NotFound("version")) } else { Ok(()) }
            })
        })
        .await
}

async fn take_in(
    transaction: &DatabaseTransaction,
    group: &str,
    members: &[String],
) -> Result<(), StoreError> {
    for members in members.chunks(AT_ONCE) {
        let there = scim_users::Entity::find()
            .filter(scim_users::Column::Person.is_in(members))
            .count(transaction)
            .await?;
        if usize::try_from(there).ok() != Some(members.len()) {
            return Err(StoreError::NotFound("member"));
        }
        let rows = members
            .iter()
            .map(|person| scim_members::Model { group_id: group.to_owned(), person: person.clone() })
            .map(|row| row.into_active_model());
        scim_members::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// The words of a conflict are for the client that asked.
async fn names_are_free(transaction: &DatabaseTransaction, group: &ScimGroup) -> Result<(), StoreError> {
    let other = || Entity::find().filter(Column::Id.ne(&group.id));
    if other().filter(Column::Name.eq(&group.name)).one(transaction).await?.is_some() {
        return Err(StoreError::Conflict("another group has this displayName".into()));
    }
    if let Some(external_id) = &group.external_id
        && other().filter(Column::ExternalId.eq(external_id)).one(transaction).await?.is_some()
    {
        return Err(StoreError::Conflict("another group has this externalId".into()));
    }
    Ok(())
}
