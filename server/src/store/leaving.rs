//! Somebody who may not sign in any more: what ends with them, in the transaction that says so. And the names by which
//! keys know people: they only grow, because a key bears the name that its owner had when it was made.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, sea_query::OnConflict,
};
use serde::Serialize;

use super::entities::person_names::{self, Column as Name};
use super::entities::{people, scim_users};
use super::{StoreError, keys, requests, service_tokens, sessions};

/// Why it ends, and what goes on nevertheless.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Why keys are disabled, service tokens suspended and requests withdrawn.
    pub because: String,
    /// The service token that says so: what would end with it is the line by which anybody's leaving is told.
    pub spared: Option<String>,
}

/// What ended with somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Keys that were disabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys_disabled: Vec<String>,
    /// Service tokens that were suspended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_tokens_suspended: Vec<String>,
    /// The one that goes on although it would have been suspended, because it is what says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_token_spared: Option<String>,
    /// Requests that were withdrawn, and grants to read content that ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests_ended: Vec<String>,
}

impl Left {
    /// For the record of the act; null where nothing ended.
    #[must_use]
    pub fn told(&self) -> serde_json::Value {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(left)) if !left.is_empty() => left.into(),
            _ => serde_json::Value::Null,
        }
    }
}

/// The person and everybody who is the same one: whom they turned out to be, and who turned out to be one of these.
pub(super) async fn same(db: &impl ConnectionTrait, person: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut found = BTreeSet::from([person.to_owned()]);
    let mut open = vec![person.to_owned()];
    while !open.is_empty() {
        let joined = people::Column::JoinedInto;
        let mut near: Vec<String> = Vec::new();
        for row in people::Entity::find().filter(people::Column::Id.is_in(&open)).all(db).await? {
            near.extend(row.joined_into);
        }
        for row in people::Entity::find().filter(joined.is_in(&open)).all(db).await? {
            near.push(row.id);
        }
        open = near.into_iter().filter(|person| found.insert(person.clone())).collect();
    }
    Ok(found)
}

/// What a provisioned user is called.
pub(super) fn names_of(user: &scim_users::Model) -> BTreeSet<String> {
    let emails = user.attributes.get("emails").and_then(serde_json::Value::as_array);
    let emails = emails.into_iter().flatten().filter_map(|email| email.get("value")?.as_str());
    let others = [Some(&user.user_name), user.external_id.as_ref(), user.email.as_ref()];
    others.into_iter().flatten().map(String::as_str).chain(emails).map(str::to_lowercase).collect()
}

/// Puts down that somebody was called so.
pub(super) async fn note_names(
    transaction: &DatabaseTransaction,
    person: &str,
    names: impl IntoIterator<Item = String>,
) -> Result<(), StoreError> {
    let names = names.into_iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    let names: BTreeSet<String> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    let rows = names.into_iter().map(|name| person_names::Model { person: person.to_owned(), name });
    let known = OnConflict::columns([Name::Person, Name::Name]).do_nothing().to_owned();
    let added = person_names::Entity::insert_many(rows.map(|row| row.into_active_model()))
        .on_conflict(known)
        .exec_without_returning(transaction)
        .await;
    match added {
        Ok(_) | Err(DbErr::RecordNotInserted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Ends what somebody had: sessions, keys by every name that they have or had, service tokens that they answer for,
/// requests. Whoever calls this has locked the person's row.
pub(super) async fn leave(
    transaction: &DatabaseTransaction,
    person: &str,
    ending: &Ending,
    now_ms: i64,
) -> Result<Left, StoreError> {
    let people = same(transaction, person).await?;
    let mut names = BTreeSet::new();
    let had = person_names::Entity::find().filter(Name::Person.is_in(&people));
    names.extend(had.all(transaction).await?.into_iter().map(|row| row.name));
    for person in &people {
        sessions::end_all_of(transaction, person, now_ms).await?;
        names.extend([person.to_lowercase(), format!("user:{person}").to_lowercase()]);
    }
    let principals: BTreeSet<String> = people.iter().map(|person| format!("user:{person}")).collect();
    let keys_disabled = keys::disable_owned(transaction, &names, &ending.because, now_ms).await?;
    let (service_tokens_suspended, service_token_spared) =
        service_tokens::suspend_of(transaction, &principals, ending, now_ms).await?;
    let requests_ended = requests::end_of(transaction, &principals, &ending.because, now_ms).await?;
    Ok(Left { keys_disabled, service_tokens_suspended, service_token_spared, requests_ended })
}

/// Erases every name that somebody had, also where a key says whose it is: it says the id instead. Every id of theirs.
pub(super) async fn forget_names(
    transaction: &DatabaseTransaction,
    person: &str,
) -> Result<BTreeSet<String>, StoreError> {
    let people = same(transaction, person).await?;
    let had = person_names::Entity::find().filter(Name::Person.is_in(&people)).all(transaction).await?;
    let names: BTreeSet<String> = had.into_iter().map(|row| row.name).collect();
    keys::rename_owner(transaction, &names, &format!("user:{person}")).await?;
    person_names::Entity::delete_many().filter(Name::Person.is_in(&people)).exec(transaction).await?;
    Ok(people)
}
