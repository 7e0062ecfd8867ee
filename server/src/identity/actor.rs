//! Who acts on the control plane, and by which names.

use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_policy::{Held, Rbac};
use http::{HeaderMap, header};

use super::{ServiceTokenText, SessionCookie};
use crate::admin::Problem;
use crate::app::App;
use crate::snapshot::Snapshot;
use crate::store;
use crate::store::identities::Identity;

/// A use is written down once in so long.
const NOTED_EVERY_MS: i64 = 60_000;

/// Somebody who acts on the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `token:<id>` or `user:<id>`.
    pub subject: String,
    /// For people.
    pub name: String,
    /// The names that policy lines may know it by.
    pub held: Vec<Held>,
    /// The session, where it is a person in a browser.
    pub session: Option<ActorSession>,
}

/// What the session of a request tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorSession {
    /// What lists and records call it.
    pub id: String,
    /// The person.
    pub person: String,
    /// The identity provider that it began with.
    pub provider: Option<String>,
    /// From when it is refused, however much it is used.
    pub expires_ms: i64,
    /// When the person last showed who they are.
    pub authenticated_ms: i64,
    /// How well, in the provider's words.
    pub acr: Option<String>,
    /// What a form of this session carries: see [`SessionCookie::csrf`].
    pub csrf: String,
}

impl Actor {
    /// Whether it may do `action` to `object` in `scope`.
    #[must_use]
    pub fn may(&self, app: &App, scope: &str, object: &str, action: &str) -> bool {
        self.rbac(&app.gateway.snapshot.load()).allows(&self.held, scope, object, action)
    }

    fn rbac<'a>(&self, snapshot: &'a Snapshot) -> &'a Rbac {
        &snapshot.policy.bundle().rbac
    }

    /// Its roles and where they hold, as the policy in force says.
    #[must_use]
    pub fn roles(&self, app: &App) -> Vec<Held> {
        self.rbac(&app.gateway.snapshot.load()).roles_held(&self.held)
    }

    /// The actor of a request: by service token, or by session cookie.
    ///
    /// # Errors
    /// A [`Problem`] where the database does not answer.
    pub async fn of(app: &App, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        match headers.get(header::AUTHORIZATION) {
            Some(value) => {
                let token = value
                    .to_str()
                    .ok()
                    .and_then(|text| text.split_once(' '))
                    .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                    .and_then(|(_, token)| ServiceTokenText::parse(token.trim()));
                let Some(token) = token else { return Ok(None) };
                Self::of_token(app, &token).await
            }
            None => match SessionCookie::of(headers) {
                Some(cookie) => Self::of_session(app, &cookie).await,
                None => Ok(None),
            },
        }
    }

    async fn of_token(app: &App, token: &ServiceTokenText) -> Result<Option<Self>, Problem> {
        let now_ms = app.gateway.clock.now_ms();
        let row = store::service_tokens::live(&app.store, token.id(), now_ms).await?;
        let Some(row) = row.filter(|row| token.matches(&row.secret_hash)) else { return Ok(None) };
        if row.last_used_ms.is_none_or(|used| now_ms - used >= NOTED_EVERY_MS)
            && let Err(error) = store::service_tokens::touch(&app.store, &row.id, now_ms).await
        {
            tracing::warn!(%error, "the use of a service token could not be written down");
        }
        let subject = format!("token:{}", row.id);
        let mut held = vec![Held::new(&subject, &row.scope)];
        held.extend(direct_roles(&row.roles).map(|role| Held::new(role, &row.scope)));
        Ok(Some(Self { subject, name: row.name, held, session: None }))
    }

    async fn of_session(app: &App, cookie: &SessionCookie) -> Result<Option<Self>, Problem> {
        let now_ms = app.gateway.clock.now_ms();
        let idle_ms = app.config.identity.session.idle_ms();
        let row = store::sessions::live(&app.store, &cookie.digest(), now_ms, now_ms - idle_ms).await?;
        let Some(row) = row else { return Ok(None) };
        // What is not configured any more vouches for nobody.
        if row.provider.as_ref().is_some_and(|provider| app.config.identity.provider(provider).is_none())
            || (row.method == super::BREAK_GLASS && app.config.identity.break_glass.is_none())
        {
            return Ok(None);
        }
        let Some(mut actor) = Self::of_person(app, &row.person).await? else { return Ok(None) };
        if now_ms - row.seen_ms >= NOTED_EVERY_MS
            && let Err(error) = store::sessions::touch(&app.store, &row.id_hash, now_ms).await
        {
            tracing::warn!(%error, "the use of a session could not be written down");
        }
        actor.session = Some(ActorSession {
            id: row.public_id.unwrap_or_default(),
            person: row.person,
            provider: row.provider,
            expires_ms: row.expires_ms,
            authenticated_ms: row.authenticated_ms.unwrap_or(row.created_ms),
            acr: row.acr,
            csrf: cookie.csrf(),
        });
        Ok(Some(actor))
    }

    /// The person, with what their identity providers said at the last sign-in; none who may not sign in.
    ///
    /// # Errors
    /// A [`Problem`] where the database does not answer.
    pub async fn of_person(app: &App, id: &str) -> Result<Option<Self>, Problem> {
        let person = match store::people::get(&app.store, id).await {
            Ok(person) => person,
            Err(store::StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if person.disabled_ms.is_some() || person.erased_ms.is_some() {
            return Ok(None);
        }
        let identities = store::identities::of(&app.store, id).await?;
        Ok(Self::of_row(app, person, &identities))
    }

    /// The same for who has read the rows already.
    #[must_use]
    pub fn of_row(app: &App, person: store::people::Person, identities: &[Identity]) -> Option<Self> {
        if person.disabled_ms.is_some() || person.erased_ms.is_some() {
            return None;
        }
        let subject = format!("user:{}", person.id);
        let mut held = vec![Held::new(&subject, "/")];
        held.extend(direct_roles(&person.roles).map(|role| Held::new(role, "/")));
        for identity in identities {
            if app.config.identity.provider(&identity.provider).is_some() {
                held.extend(group_names(&identity.provider, &identity.groups));
            }
        }
        let name = person.display_name.or(person.email).unwrap_or_else(|| person.id.clone());
        Some(Self { subject, name, held, session: None })
    }
}

/// What policy lines call a provider's groups: `group:<provider>:<group>`, so that no provider can name another's.
pub(super) fn group_names(provider: &str, groups: &serde_json::Value) -> impl Iterator<Item = Held> {
    let groups = groups.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    groups.map(move |group| Held::new(format!("group:{provider}:{group}"), "/"))
}

fn direct_roles(json: &serde_json::Value) -> impl Iterator<Item = String> {
    let roles = json.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    roles.map(|role| format!("role:{role}"))
}

/// Who acts, and the right that the route asks for: what the gate found, for the handler to ask where it holds.
#[derive(Debug, Clone)]
pub struct Permit {
    app: Arc<App>,
    actor: Arc<Actor>,
    object: &'static str,
    action: &'static str,
}

impl Permit {
    pub(super) fn new(app: Arc<App>, actor: Arc<Actor>, object: &'static str, action: &'static str) -> Self {
        Self { app, actor, object, action }
    }

    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What records call it.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.actor.subject
    }

    /// The same actor with another right, for what needs two.
    #[must_use]
    pub fn and(&self, object: &'static str, action: &'static str) -> Self {
        Self { object, action, ..self.clone() }
    }

    /// Whether the right holds in the scope.
    #[must_use]
    pub fn covers(&self, scope: &str) -> bool {
        self.actor.may(&self.app, scope, self.object, self.action)
    }

    /// [`covers`](Self::covers) for many: asked once for each scope.
    pub fn covering(&self) -> impl FnMut(&str) -> bool + use<'_> {
        let mut asked: HashMap<String, bool> = HashMap::new();
        move |scope| match asked.get(scope) {
            Some(covers) => *covers,
            None => *asked.entry(scope.to_owned()).or_insert_with(|| self.covers(scope)),
        }
    }

    /// The topmost scopes where the right holds.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        let snapshot = self.app.gateway.snapshot.load();
        snapshot.policy.bundle().rbac.reach(&self.actor.held, self.object, self.action)
    }

    /// The right, in the scope of the thing that the request names. Whoever holds nothing there or above or below is not
    /// told that there is such a thing: 404. Everybody else is told what is missing: 403.
    ///
    /// # Errors
    /// A [`Problem`].
    pub fn at(&self, scope: &str, what: &str) -> Result<(), Problem> {
        if self.covers(scope) {
            return Ok(());
        }
        let near = self.actor.held.iter().chain(&self.actor.roles(&self.app)).any(|held| {
            // A person's own names count everywhere and mean nothing by themselves.
            held.subject.starts_with("role:") && bailiwick_policy::scope::overlap(&held.scope, scope)
        });
        if near { Err(self.forbidden(Some(scope))) } else { Err(Problem::not_found(what)) }
    }

    /// The right is missing.
    #[must_use]
    pub fn forbidden(&self, scope: Option<&str>) -> Problem {
        let place = scope.map_or_else(String::new, |scope| format!(" in {scope}"));
        Problem::new(http::StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(format!(
            "`{}` on `{}`{place} needs a role that {} does not hold there",
            self.action, self.object, self.actor.subject
        ))
    }

    /// The topmost scopes where the right holds, those of them alone that lie in the one that is named: it and those
    /// below. What lies further below and is denied has still to be asked for: [`covering`](Self::covering).
    #[must_use]
    pub fn scopes_within(&self, named: Option<&str>) -> Vec<String> {
        let held = self.scopes();
        let Some(named) = named else { return held };
        if held.iter().any(|scope| bailiwick_policy::scope::covers(scope, named)) {
            return vec![named.to_owned()];
        }
        held.into_iter().filter(|scope| bailiwick_policy::scope::covers(named, scope)).collect()
    }

    /// The scope that a list is asked for: the one that is named, or the topmost that the actor may see, the first of
    /// several.
    ///
    /// # Errors
    /// A [`Problem`] where it may see nothing there.
    pub fn scope(&self, named: Option<String>) -> Result<String, Problem> {
        match named {
            Some(scope) if bailiwick_policy::scope::validate(&scope).is_ok() && self.covers(&scope) => {
                Ok(scope)
            }
            Some(_) => Err(Problem::not_found("scope")),
            None => self.scopes().into_iter().next().ok_or_else(|| self.forbidden(None)),
        }
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Permit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Problem> {
        // Only the gate puts it there: a route that it does not know serves nobody.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::not_found("path"))
    }
}

impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for Permit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
