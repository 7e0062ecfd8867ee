//! Users and groups in the store: found, and changed with the records that such an act leaves.
//!
//! A user is a person. Whoever may not sign in any more loses sessions and keys in the transaction that says so, and what
//! they made or asked for waits for somebody else (`store/leaving.rs`).

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_ledger::Kind;
use bailiwick_policy::Held;
use serde_json::{Value, json};

use super::Turns;
use super::error::ScimError;
use super::filter::Filter;
use super::resource::{self, Resource, emails, is_active, members, text};
use super::schema::{Attributes, ResourceType};
use crate::app::{Act, App};
use crate::identity::{Permit, ProviderConfig, ScimAttribute, group_id, group_name, written};
use crate::keys::secret;
use crate::store::leaving::{Ending, Left};
use crate::store::people::Person;
use crate::store::scim_groups::ScimGroup;
use crate::store::scim_users::{Known, ScimUser};
use crate::store::{self, StoreError};

/// Rows that are read at once.
const AT_ONCE: u64 = 500;
/// Members that a record names.
const NAMED: usize = 500;
/// Why what somebody had ends.
const BECAUSE: &str = "their owner may not sign in any more: the identity provider says so";

/// Where changes are made, and for whom.
pub(super) struct Directory<'a> {
    pub(super) app: &'a App,
    pub(super) permit: &'a Permit,
    pub(super) provider: &'a ProviderConfig,
    pub(super) turns: &'a Turns,
}

/// Of a change: what the store says of names that are taken and of versions that have passed.
fn of_store(error: StoreError) -> ScimError {
    match error {
        StoreError::NotFound("version") => ScimError::changed(),
        StoreError::NotFound("member") => ScimError::value("a member is no user here"),
        other => other.into(),
    }
}

impl Directory<'_> {
    /// The resource with this id.
    pub(super) async fn get(&self, kind: &ResourceType, id: &str) -> Result<Resource, ScimError> {
        let found = match kind.name {
            "User" => self.users(vec![store::scim_users::get(&self.app.store, id).await?]).await?,
            _ => self.groups(vec![store::scim_groups::get(&self.app.store, id).await?], true).await?,
        };
        found.into_iter().next().ok_or_else(|| ScimError::not_found("resource"))
    }

    async fn users(&self, rows: Vec<ScimUser>) -> Result<Vec<Resource>, ScimError> {
        let ids: Vec<String> = rows.iter().map(|row| row.person.clone()).collect();
        let mut groups = store::scim_groups::of_people(&self.app.store, &ids).await?;
        let of = |row: ScimUser| {
            let groups = groups.remove(&row.person).unwrap_or_default();
            Resource::user(row, groups)
        };
        Ok(rows.into_iter().map(of).collect())
    }

    async fn groups(&self, rows: Vec<ScimGroup>, with_members: bool) -> Result<Vec<Resource>, ScimError> {
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let mut members: BTreeMap<String, Vec<String>> = match with_members {
            true => store::scim_groups::members(&self.app.store, &ids).await?,
            false => BTreeMap::new(),
        };
        let of = |row: ScimGroup| {
            let members = members.remove(&row.id).unwrap_or_default();
            Resource::group(row, members)
        };
        Ok(rows.into_iter().map(of).collect())
    }

    /// How many there are.
    pub(super) async fn count(&self, kind: &ResourceType) -> Result<usize, ScimError> {
        let count = match kind.name {
            "User" => store::scim_users::count(&self.app.store).await?,
            _ => store::scim_groups::count(&self.app.store).await?,
        };
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Some of them, in the order in which they were made.
    pub(super) async fn page(
        &self,
        kind: &ResourceType,
        from: u64,
        limit: u64,
        with_members: bool,
    ) -> Result<Vec<Resource>, ScimError> {
        match kind.name {
            "User" => self.users(store::scim_users::page(&self.app.store, from, limit).await?).await,
            _ => {
                let rows = store::scim_groups::page(&self.app.store, from, limit).await?;
                self.groups(rows, with_members).await
            }
        }
    }

    /// All of them for which a filter may hold: what an index finds, else everything.
    pub(super) async fn candidates(
        &self,
        kind: &ResourceType,
        filter: Option<&Filter>,
    ) -> Result<Vec<Resource>, ScimError> {
        let one = |name: &str| filter.and_then(|filter| filter.is_one(kind, name)).map(str::to_owned);
        let store = &self.app.store;
        if let Some(id) = one("id") {
            return match self.get(kind, &id).await {
                Ok(found) => Ok(vec![found]),
                Err(error) if error.status == http::StatusCode::NOT_FOUND => Ok(Vec::new()),
                Err(error) => Err(error),
            };
        }
        if kind.name == "User" {
            for (name, known) in [("userName", Known::UserName), ("externalId", Known::ExternalId)] {
                if let Some(value) = one(name) {
                    return self.users(store::scim_users::by(store, known, &value).await?).await;
                }
            }
        } else {
            for (name, external) in [("displayName", false), ("externalId", true)] {
                if let Some(value) = one(name) {
                    let found = store::scim_groups::by_name(store, &value, external).await?;
                    return self.groups(found.into_iter().collect(), true).await;
                }
            }
        }
        let mut all = Vec::new();
        loop {
            let from = u64::try_from(all.len()).unwrap_or(u64::MAX);
            let some = self.page(kind, from, AT_ONCE, true).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    /// Makes one.
    pub(super) async fn create(
        &self,
        kind: &ResourceType,
        attributes: Attributes,
    ) -> Result<Resource, ScimError> {
        let id = match kind.name {
            "User" => self.create_user(attributes).await?,
            _ => self.create_group(&attributes).await?,
        };
        self.get(kind, &id).await
    }

    /// Gives one other attributes. Nothing happens, and nothing is recorded, where they are the same.
    pub(super) async fn change(
        &self,
        before: Resource,
        attributes: Attributes,
    ) -> Result<Resource, ScimError> {
        let is_same = match before.kind.name {
            "User" => before.attributes == attributes,
            _ => {
                let same = |name| text(&before.attributes, name) == text(&attributes, name);
                same("displayName")
                    && same("externalId")
                    && members(&before.attributes) == members(&attributes)
            }
        };
        if is_same {
            return Ok(before);
        }
        match before.kind.name {
            "User" => self.change_user(&before, attributes).await?,
            _ => self.change_group(&before, &attributes).await?,
        }
        self.get(before.kind, &before.id).await
    }

    /// Deletes one.
    pub(super) async fn delete(&self, before: &Resource) -> Result<(), ScimError> {
        if before.kind.name == "User" {
            self.delete_user(before).await
        } else {
            self.delete_group(before).await
        }
    }

    fn now_ms(&self) -> i64 {
        self.app.gateway.clock.now_ms()
    }

    fn act(&self, name: &'static str, what: Value) -> Act<'_> {
        Act { kind: Kind::Admin, principal: self.permit.subject(), scope: Some("/"), name, what }
    }

    /// The person of a new user: somebody who has signed in already, or somebody new.
    async fn person(&self, attributes: &Attributes, now_ms: i64) -> Result<(Person, bool), ScimError> {
        let store = &self.app.store;
        let scim = self.provider.scim.as_ref();
        let mut found = Vec::new();
        match scim.map(|scim| (scim.attribute, scim.claim())) {
            // `sub` is all that is kept of a sign-in beside the address.
            Some((ScimAttribute::ExternalId, "sub")) => {
                if let Some(external_id) = text(attributes, "externalId")
                    && let Some(identity) =
                        store::identities::find(store, &self.provider.id, external_id).await?
                    && store::scim_users::find(store, &identity.person).await?.is_none()
                {
                    found.push(store::people::get(store, &identity.person).await?);
                }
            }
            Some((ScimAttribute::Email, "email")) => {
                if let Some(email) = emails(attributes).first() {
                    found = store::scim_users::people_by_email(store, &self.provider.id, email).await?;
                }
            }
            _ => {}
        }
        found.retain(|person| person.erased_ms.is_none() && person.joined_into.is_none());
        // Of several nobody knows which is meant: the sign-in will tell.
        if let ([_], Some(person)) = (found.as_slice(), found.first().cloned()) {
            return Ok((person, true));
        }
        let id = secret::random::<16>().map(hex::encode).map_err(crate::organisation::ApplyError::from);
        let person = Person {
            id: id.map_err(crate::admin::Problem::from)?,
            subject: None,
            email: None,
            display_name: None,
            roles: json!([]),
            created_ms: now_ms,
            disabled_ms: None,
            erased_ms: None,
            deprovisioned_ms: None,
            joined_into: None,
        };
        Ok((person, false))
    }

    async fn create_user(&self, mut attributes: Attributes) -> Result<String, ScimError> {
        let now_ms = self.now_ms();
        attributes.entry("active").or_insert(Value::Bool(true));
        let (person, joined) = self.person(&attributes, now_ms).await?;
        let person = called(person, &attributes);
        let active = is_active(&attributes);
        let ending = (!active).then(|| self.ending());
        let user = user_row(&person.id, 1, now_ms, now_ms, attributes);
        let what = json!({
            "person": person.id, "provider": self.provider.id, "joined": joined, "active": active,
            "before": null, "after": { "active": active },
        });
        let id = person.id.clone();
        let change = async {
            store::scim_users::create(&self.app.store, user, person, ending).await.map_err(of_store)
        };
        self.done(self.act("scim_user_created", what), !active, change).await?;
        Ok(id)
    }

    async fn change_user(&self, before: &Resource, attributes: Attributes) -> Result<(), ScimError> {
        let now_ms = self.now_ms();
        let person = called(store::people::get(&self.app.store, &before.id).await?, &attributes);
        let active = is_active(&attributes);
        let was_active = is_active(&before.attributes);
        let ending = (!active).then(|| self.ending());
        let what = json!({
            "person": before.id, "provider": self.provider.id, "version": before.version + 1,
            "changed": changed(&before.attributes, &attributes),
            "before": { "active": was_active }, "after": { "active": active },
        });
        let user = user_row(&before.id, before.version + 1, before.created_ms, now_ms, attributes);
        let change = async {
            store::scim_users::change(&self.app.store, user, person, ending).await.map_err(of_store)
        };
        self.done(self.act("scim_user_changed", what), !active, change).await
    }

    async fn delete_user(&self, before: &Resource) -> Result<(), ScimError> {
        let now_ms = self.now_ms();
        let ending = self.ending();
        let what = json!({
            "person": before.id, "provider": self.provider.id,
            "before": { "active": is_active(&before.attributes) }, "after": null,
        });
        let change = async {
            let store = &self.app.store;
            let done = store::scim_users::delete(store, &before.id, before.version, ending, now_ms).await;
            done.map_err(of_store)
        };
        self.done(self.act("scim_user_deleted", what), true, change).await
    }

    /// Carries out a change of a user. Keys are what requests are decided by: where they may be disabled, the change is
    /// in force when this returns.
    async fn done(
        &self,
        act: Act<'_>,
        ends: bool,
        change: impl Future<Output = Result<Left, ScimError>> + Send,
    ) -> Result<(), ScimError> {
        let left = if ends {
            self.app.act(act, Left::told, change).await?
        } else {
            self.app.act_aside(act, Left::told, change).await?
        };
        if !left.service_tokens_suspended.is_empty() || left.service_token_spared.is_some() {
            tracing::warn!(
                suspended = ?left.service_tokens_suspended, goes_on = ?left.service_token_spared,
                "somebody has left who answered for service tokens: somebody else has to claim them"
            );
        }
        Ok(())
    }

    /// The token that pushes goes on, whoever made it: without it nobody else's leaving would be told.
    fn ending(&self) -> Ending {
        let spared = self.permit.subject().strip_prefix("token:").map(str::to_owned);
        Ending { because: String::from(BECAUSE), spared }
    }

    async fn create_group(&self, attributes: &Attributes) -> Result<String, ScimError> {
        let id = secret::random::<16>().map(hex::encode).map_err(crate::organisation::ApplyError::from);
        let id = id.map_err(crate::admin::Problem::from)?;
        let now_ms = self.now_ms();
        let group = group_row(&id, 1, now_ms, now_ms, attributes);
        let members: Vec<String> = members(attributes).into_iter().collect();
        let mut what = self.group_told(&group);
        tell(&mut what, "come", named(&members));
        tell(&mut what, "before", Value::Null);
        tell(&mut what, "after", json!({ "members": members.len() }));
        let change =
            async { store::scim_groups::create(&self.app.store, group, members).await.map_err(of_store) };
        self.app.act_aside(self.act("scim_group_created", what), |()| Value::Null, change).await?;
        Ok(id)
    }

    async fn change_group(&self, before: &Resource, attributes: &Attributes) -> Result<(), ScimError> {
        let (was, is) = (members(&before.attributes), members(attributes));
        let come: Vec<String> = is.difference(&was).cloned().collect();
        let gone: Vec<String> = was.difference(&is).cloned().collect();
        let version = before.version + 1;
        let group = group_row(&before.id, version, before.created_ms, self.now_ms(), attributes);
        let mut what = self.group_told(&group);
        let old = group_row(&before.id, version, before.created_ms, 0, &before.attributes);
        let sizes = [(&old, &was, "before"), (&group, &is, "after")];
        for (group, members, phase) in sizes {
            let mut told = self.group_told(group);
            tell(&mut told, "members", members.len());
            tell(&mut what, phase, told);
        }
        tell(&mut what, "come", named(&come));
        tell(&mut what, "gone", named(&gone));
        let change =
            async { store::scim_groups::change(&self.app.store, group, come, gone).await.map_err(of_store) };
        self.app.act_aside(self.act("scim_group_changed", what), |()| Value::Null, change).await?;
        Ok(())
    }

    async fn delete_group(&self, before: &Resource) -> Result<(), ScimError> {
        let group = group_row(&before.id, before.version, before.created_ms, 0, &before.attributes);
        let mut what = self.group_told(&group);
        let gone: Vec<String> = members(&before.attributes).into_iter().collect();
        tell(&mut what, "gone", named(&gone));
        tell(&mut what, "before", json!({ "members": gone.len() }));
        tell(&mut what, "after", Value::Null);
        let change = async {
            store::scim_groups::delete(&self.app.store, &before.id, before.version).await.map_err(of_store)
        };
        self.app.act_aside(self.act("scim_group_deleted", what), |()| Value::Null, change).await?;
        Ok(())
    }

    /// A group in records, with the roles that lines of the policy in force give it.
    fn group_told(&self, group: &ScimGroup) -> Value {
        let held = group_names(&self.provider.id, group);
        let names: Vec<&str> = held.iter().map(|held| held.subject.as_str()).collect();
        let snapshot = self.app.gateway.snapshot.load();
        let roles = written(&snapshot.policy.bundle().rbac.roles_held(&held));
        json!({ "group": group.id, "provider": self.provider.id, "names": names, "roles": roles })
    }
}

/// What lines of the policy call a group: its name, and the provider's own name of it, each by a word of its own. So a
/// group that somebody calls as another one's id is not that one.
pub(crate) fn group_names(provider: &str, group: &ScimGroup) -> Vec<Held> {
    let name = group_name(provider, &group.display_name);
    std::iter::once(name).chain(group.external_id.as_ref().map(|id| group_id(provider, id))).collect()
}

fn tell(what: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(what) = what.as_object_mut() {
        what.insert(name.to_owned(), value.into());
    }
}

/// Some of many.
fn named(people: &[String]) -> Value {
    json!({ "count": people.len(), "people": people.iter().take(NAMED).collect::<Vec<_>>() })
}

/// The names of attributes that are other than before. Their values are somebody's, and no record's.
fn changed<'a>(before: &'a Attributes, after: &'a Attributes) -> BTreeSet<&'a str> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect()
}

/// A person, called as the provider says.
fn called(person: Person, attributes: &Attributes) -> Person {
    Person {
        email: emails(attributes).first().map(|email| (*email).to_owned()),
        display_name: resource::shown_name(attributes),
        ..person
    }
}

fn user_row(id: &str, version: i64, created_ms: i64, now_ms: i64, attributes: Attributes) -> ScimUser {
    ScimUser {
        person: id.to_owned(),
        user_name: text(&attributes, "userName").unwrap_or_default().to_lowercase(),
        external_id: text(&attributes, "externalId").map(str::to_owned),
        email: emails(&attributes).first().map(|email| email.to_lowercase()),
        attributes: Value::Object(attributes),
        version,
        created_ms,
        modified_ms: now_ms,
    }
}

fn group_row(id: &str, version: i64, created_ms: i64, now_ms: i64, attributes: &Attributes) -> ScimGroup {
    let name = text(attributes, "displayName").unwrap_or_default();
    ScimGroup {
        id: id.to_owned(),
        display_name: name.to_owned(),
        name: name.to_lowercase(),
        external_id: text(attributes, "externalId").map(str::to_owned),
        version,
        created_ms,
        modified_ms: now_ms,
    }
}
