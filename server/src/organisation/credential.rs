//! Credentials as declared. What is kept here itself is not in a declaration: it is set by its own command.

use bailiwick_policy::{did_you_mean, scope};

use super::apply::not_json;
use super::{ApplyError, CredentialRef, EndpointDefinition, Organisation};
use crate::credentials::CredentialDefinition;
use crate::fault::Fault;
use crate::keys::secret;
use crate::store::credentials::Credential;
use crate::store::{self, Store, StoreError};

impl Organisation {
    /// The same with each endpoint's own credential among the credentials, and by name at the endpoint.
    #[must_use]
    pub fn with_own_credentials(&self) -> Self {
        let mut whole = self.clone();
        for endpoint in &mut whole.endpoints {
            let Some(CredentialRef::Own(source)) = &endpoint.credential else { continue };
            whole.credentials.push(CredentialDefinition {
                name: endpoint.name.clone(),
                scope: endpoint.scope.clone(),
                source: source.clone(),
            });
            endpoint.credential = Some(CredentialRef::Named(endpoint.name.clone()));
        }
        whole
    }
}

/// Credentials that endpoints of the declaration name and may not use, or that nobody declares; `alone` only what it
/// declares itself counts.
pub(super) async fn unknown(
    store: &Store,
    organisation: &Organisation,
    alone: bool,
) -> Result<Vec<Fault>, StoreError> {
    let mut known: Vec<(String, String)> =
        organisation.credentials.iter().map(|own| (own.name.clone(), own.scope.clone())).collect();
    let stored = if alone { Vec::new() } else { store::credentials::list(store).await? };
    for row in stored {
        if known.iter().all(|(name, _)| *name != row.name) {
            known.push((row.name, row.scope));
        }
    }
    let mut problems = Vec::new();
    for (at, endpoint) in organisation.endpoints.iter().enumerate() {
        let Some(wanted) = endpoint.credential_name() else { continue };
        let name = &endpoint.name;
        let mut wrong = |told| problems.push(Fault::at(format!("/endpoints/{at}/credential"), told));
        match known.iter().find(|(known, _)| known == wanted) {
            Some((_, of)) if scope::covers(of, &endpoint.scope) => {}
            Some((_, of)) => wrong(format!(
                "endpoint `{name}`: its credential `{wanted}` is of {of}, which does not cover {}",
                endpoint.scope
            )),
            None => {
                let near = did_you_mean(wanted, known.iter().map(|(known, _)| known.as_str()));
                let fix = near.map_or_else(
                    || {
                        String::from(
                            "declare it under `credentials`, or set it with `bailiwick credentials set`",
                        )
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                wrong(format!("endpoint `{name}`: there is no credential `{wanted}`; {fix}"));
            }
        }
    }
    Ok(problems)
}

/// References of endpoints that would take the place of a credential which is kept here: nobody could bring that back.
pub(super) async fn replaced(store: &Store, organisation: &Organisation) -> Result<Vec<Fault>, StoreError> {
    let own = |(at, endpoint): (usize, &EndpointDefinition)| match &endpoint.credential {
        Some(CredentialRef::Own(_)) => Some((at, endpoint.name.clone())),
        _ => None,
    };
    let own: Vec<(usize, String)> = organisation.endpoints.iter().enumerate().filter_map(own).collect();
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = store::credentials::list(store).await?.into_iter().filter(|row| row.sealed.is_some());
    let sealed: Vec<String> = sealed.map(|row| row.name).collect();
    let wrong = own.into_iter().filter(|(_, name)| sealed.contains(name)).map(|(at, name)| {
        let told = format!(
            "endpoint `{name}`: the credential `{name}` is kept here, sealed, and a reference in its place would destroy it: \
             write `credential: {name}` to use it, or declare the reference under `credentials` to replace it"
        );
        Fault::at(format!("/endpoints/{at}/credential"), told)
    });
    Ok(wrong.collect())
}

/// Stores the credentials of a declaration that was checked. One that is kept here and stays so keeps what it is.
pub(super) async fn store_all(
    store: &Store,
    organisation: &Organisation,
    now_ms: i64,
) -> Result<usize, ApplyError> {
    let existing = store::credentials::list(store).await?;
    for definition in &organisation.credentials {
        let source = serde_json::to_value(&definition.source).map_err(not_json)?;
        match existing.iter().find(|row| row.name == definition.name) {
            Some(row) if row.source == source => {}
            Some(row) => {
                let row = Credential {
                    source,
                    sealed: None,
                    version: row.version.saturating_add(1),
                    fingerprint: None,
                    updated_ms: now_ms,
                    updated_by: None,
                    ..row.clone()
                };
                store::credentials::replace(store, &row).await?;
            }
            None => store::credentials::create(store, new_row(definition, source, now_ms)?).await?,
        }
        if let Some(row) = existing.iter().find(|row| row.name == definition.name)
            && row.scope != definition.scope
        {
            store::credentials::set_scope(store, &row.id, &definition.scope, now_ms).await?;
        }
    }
    Ok(organisation.credentials.len())
}

/// The row of a new credential, of which nothing is sealed yet.
pub(crate) fn new_row(
    definition: &CredentialDefinition,
    source: serde_json::Value,
    now_ms: i64,
) -> Result<Credential, ApplyError> {
    Ok(Credential {
        id: format!("cr_{}", hex::encode(secret::random::<8>()?)),
        name: definition.name.clone(),
        scope: definition.scope.clone(),
        source,
        sealed: None,
        version: 1,
        fingerprint: None,
        created_ms: now_ms,
        updated_ms: now_ms,
        updated_by: None,
    })
}
