//! Whom a sign-in is of, where the provider pushes people too: the user whose attribute a claim of the ID token says
//! again.

use bailiwick_ledger::Kind;
use serde_json::{Value, json};

use super::Refused;
use super::flow::{Told, new_person};
use crate::app::{Act, App};
use crate::identity::sign_in::Fault;
use crate::identity::{ProviderConfig, ScimAttribute};
use crate::store;
use crate::store::identities::Identity;
use crate::store::people::Person;
use crate::store::scim_users::{Known, ScimUser};

/// The person who signs in: whom they were before, whom the provider pushes, or somebody new.
pub(super) async fn person(
    app: &App,
    provider: &ProviderConfig,
    before: Option<&Identity>,
    told: &Told,
    now_ms: i64,
) -> Result<Person, Refused> {
    let known = match before {
        Some(identity) => Some(store::people::get(&app.store, &identity.person).await?),
        None => None,
    };
    let Some(scim) = &provider.scim else { return known.map_or_else(|| new_person(now_ms), Ok) };
    if let Some(known) = &known
        && store::scim_users::find(&app.store, &known.id).await?.is_some()
    {
        return Ok(known.clone());
    }
    let user = match &told.known_by {
        Some(value) => user(app, scim.attribute, value).await?,
        None => None,
    };
    let Some(user) = user else {
        return match known {
            _ if scim.required => Err(Refused::Because("not_provisioned")),
            Some(known) => Ok(known),
            None => new_person(now_ms),
        };
    };
    // An address or a name that changed hands must not hand over the person.
    let others = store::identities::of(&app.store, &user.person).await?;
    if others.iter().any(|other| other.provider == provider.id && other.subject != told.subject) {
        return Err(Refused::Because("somebody_else"));
    }
    // Who was shut out here does not get in under another id.
    if known.as_ref().is_some_and(|known| known.disabled_ms.is_some()) {
        return Err(Refused::Because("disabled"));
    }
    if let Some(known) = known {
        join(app, provider, &known.id, &user.person, &told.subject, now_ms).await?;
    }
    Ok(store::people::get(&app.store, &user.person).await?)
}

async fn user(app: &App, attribute: ScimAttribute, value: &str) -> Result<Option<ScimUser>, Refused> {
    let column = match attribute {
        ScimAttribute::ExternalId => Known::ExternalId,
        ScimAttribute::UserName => Known::UserName,
        ScimAttribute::Email => Known::Email,
    };
    let mut found = store::scim_users::by(&app.store, column, value).await?;
    if found.len() > 1 {
        return Err(Refused::Because("ambiguous_user"));
    }
    Ok(found.pop())
}

/// Who signed in before they were pushed is from now on the user that is pushed.
async fn join(
    app: &App,
    provider: &ProviderConfig,
    from: &str,
    to: &str,
    subject: &str,
    now_ms: i64,
) -> Result<(), Refused> {
    let principal = format!("user:{to}");
    let what = json!({ "person": to, "before": from, "provider": provider.id });
    let act =
        Act { kind: Kind::Admin, principal: &principal, scope: Some("/"), name: "identity_joined", what };
    let joined = async {
        store::identities::join(&app.store, &provider.id, subject, to, now_ms).await.map_err(Fault::from)
    };
    app.act_aside(act, |()| Value::Null, joined).await?;
    Ok(())
}
