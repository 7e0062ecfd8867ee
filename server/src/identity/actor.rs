//! Who acts on the control plane, and by which names.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_policy::{Held, Rbac};
use http::{HeaderMap, header};

use super::{ProviderConfig, ServiceTokenText, SessionCookie};
use crate::admin::Problem;
use crate::app::App;
use crate::snapshot::Snapshot;
use crate::store;
use crate::store::identities::Identity;

/// A use is written down once in so long.
const NOTED_EVERY_MS: i64 = 60_000;
/// How often a service token has been replaced, at most, where somebody looks for the last one.
const MOST_SUCCESSORS: usize = 200;

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
        Ok(Some(Self::of_token_row(row)))
    }

    fn of_token_row(row: store::service_tokens::ServiceToken) -> Self {
        let subject = format!("token:{}", row.id);
        let mut held = vec![Held::new(&subject, &row.scope)];
        held.extend(direct_roles(&row.roles).map(|role| Held::new(role, &row.scope)));
        Self { subject, name: row.name, held, session: None }
    }

    /// Whom records called so, as far as they may do anything today: a person, or a service token or what has replaced it.
    ///
    /// # Errors
    /// A [`Problem`] where the database does not answer.
    pub async fn of_principal(app: &App, principal: &str) -> Result<Option<Self>, Problem> {
        match principal.split_once(':') {
            Some(("user", id)) => Self::of_person(app, id).await,
            Some(("token", id)) => {
                let mut id = id.to_owned();
                for _ in 0..MOST_SUCCESSORS {
                    let row = match store::service_tokens::get(&app.store, &id).await {
                        Ok(row) => row,
                        Err(store::StoreError::NotFound(_)) => return Ok(None),
                        Err(error) => return Err(error.into()),
                    };
                    match row.rotated_to {
                        Some(next) => id = next,
                        None => {
                            let now_ms = app.gateway.clock.now_ms();
                            let live = store::service_tokens::live(&app.store, &id, now_ms).await?;
                            return Ok(live.map(Self::of_token_row));
                        }
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
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
        let identities = store::identities::of(&app.store, id).await?;
        let pushed = pushed_groups(app, &[id]).await?;
        Ok(Self::of_row(app, person, &identities, pushed.as_ref()))
    }

    /// The same for who has read the rows already.
    #[must_use]
    pub(crate) fn of_row(
        app: &App,
        person: store::people::Person,
        identities: &[Identity],
        pushed: Option<&PushedGroups<'_>>,
    ) -> Option<Self> {
        if person.disabled_ms.is_some() || person.erased_ms.is_some() || person.deprovisioned_ms.is_some() {
            return None;
        }
        let subject = format!("user:{}", person.id);
        let mut held = vec![Held::new(&subject, "/")];
        held.extend(direct_roles(&person.roles).map(|role| Held::new(role, "/")));
        let by_provider = pushed.and_then(|pushed| Some((pushed.provider, pushed.of(&person.id)?)));
        if let Some((_, groups)) = by_provider {
            held.extend_from_slice(groups);
        }
        for identity in identities {
            if let Some(provider) = app.config.identity.provider(&identity.provider) {
                let pushed = by_provider.is_some_and(|(by, _)| by == provider.id);
                held.extend(told_names(provider, identity, pushed));
            }
        }
        held.sort();
        held.dedup();
        let name = person.display_name.or(person.email).unwrap_or_else(|| person.id.clone());
        Some(Self { subject, name, held, session: None })
    }
}

/// The groups of people whom a provider pushes with their groups. Then those of the last sign-in do not count: who is
/// taken out of a group is out at once.
#[derive(Debug)]
pub(crate) struct PushedGroups<'a> {
    pub(super) provider: &'a str,
    /// By person.
    groups: BTreeMap<String, Vec<Held>>,
}

impl PushedGroups<'_> {
    /// Of one of them; none who is not pushed.
    pub(super) fn of(&self, person: &str) -> Option<&[Held]> {
        self.groups.get(person).map(Vec::as_slice)
    }
}

/// Of these people; none where no provider pushes groups.
pub(crate) async fn pushed_groups<'a>(
    app: &'a App,
    people: &[&str],
) -> Result<Option<PushedGroups<'a>>, store::StoreError> {
    let provider = app.config.identity.provisioned();
    let pushes = provider.filter(|provider| {
        provider.scim.as_ref().is_some_and(|scim| scim.groups == super::GroupSource::Scim)
    });
    let Some(provider) = pushes else { return Ok(None) };
    let pushed = store::scim_users::among(&app.store, people).await?;
    let mut of = store::scim_groups::of_people(&app.store, &pushed).await?;
    let groups = pushed.into_iter().map(|person| {
        let groups = of.remove(&person).unwrap_or_default();
        let names = groups.iter().flat_map(|group| crate::scim::group_names(&provider.id, group));
        (person, names.collect())
    });
    Ok(Some(PushedGroups { provider: &provider.id, groups: groups.collect() }))
}

/// What policy lines call what a provider said of somebody at a sign-in: groups, unless it pushes them, and the attributes
/// that count.
pub(super) fn told_names(provider: &ProviderConfig, identity: &Identity, pushed: bool) -> Vec<Held> {
    let texts = |json: &serde_json::Value| -> Vec<String> {
        let texts = json.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let (groups, claims) = match &identity.claims {
        Some(claims) => (texts(&identity.groups), texts(claims)),
        // From before the two stood apart: what could be an attribute is one.
        None => texts(&identity.groups).into_iter().partition(|text| !could_be_claim(provider, text)),
    };
    let groups = groups.iter().filter(|_| !pushed).map(|group| group_name(&provider.id, group));
    groups.chain(claims.iter().map(|claim| claim_name(&provider.id, claim))).collect()
}

fn could_be_claim(provider: &ProviderConfig, text: &str) -> bool {
    let mut names = provider.attribute_claims.iter();
    names.any(|name| text.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('=')))
}

/// A group by its name. The provider is a part of it, so that none can name another's.
pub(crate) fn group_name(provider: &str, name: &str) -> Held {
    Held::new(format!("group:{provider}:{name}"), "/")
}

/// A group by the provider's own id of it, as it is pushed.
pub(crate) fn group_id(provider: &str, id: &str) -> Held {
    Held::new(format!("group-id:{provider}:{id}"), "/")
}

/// An attribute of ID tokens: `department=Finance`.
fn claim_name(provider: &str, claim: &str) -> Held {
    Held::new(format!("claim:{provider}:{claim}"), "/")
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
            Some(scope) if bailiwick_policy::scope::validate(&scope).is_ok() => {
                self.at(&scope, "scope").map(|()| scope)
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
