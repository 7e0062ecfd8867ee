//! A sign-in from its beginning to its session.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::Response;
use bailiwick_ledger::Kind;
use bailiwick_policy::Held;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthenticationContextClass, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::claims::Claims;
use super::discovery::{HttpError, Known, MOST_BEGUN};
use super::verify::{self, SKEW_MS, TokenClaims, Unbelieved};
use super::{Answer, Refused, pushed};
use crate::app::{Act, App};
use crate::identity::routes::{Auth, redirect};
use crate::identity::sign_in::{self, Fault, session_id, signed, written};
use crate::identity::{NewSession, Permit, ProviderConfig, SessionCookie, actor};
use crate::keys::secret;
use crate::store;
use crate::store::identities::Identity;
use crate::store::sign_ins::SignIn;

/// How long a sign-in may take at the provider.
const WITHIN_MS: i64 = 600_000;
const MINUTE_MS: i64 = 60_000;
/// Sign-ins that may be open at once.
const MOST_OPEN: u64 = 20_000;
/// The cookie of a browser that has begun one.
const COOKIE: &str = "__Host-bailiwick-sign-in";

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Oidc = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The secret of a browser that has begun a sign-in, and what follows from it.
struct Browser(String);

impl Browser {
    fn of(headers: &HeaderMap) -> Option<Self> {
        SessionCookie::named(headers, COOKIE).map(Self)
    }

    fn derived(&self, what: &str) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{what}:{}", self.0)))
    }

    fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.derived("pkce"))
    }

    fn nonce(&self) -> Nonce {
        Nonce::new(self.derived("nonce"))
    }
}

/// `set-cookie` that takes the browser's secret away.
pub(super) fn clear() -> HeaderValue {
    HeaderValue::from_static("__Host-bailiwick-sign-in=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// The client that the provider knows us as.
async fn client(auth: &Auth, provider: &ProviderConfig, known: &Known) -> Result<Oidc, Refused> {
    // Read each time, so that a secret can be replaced while the server runs.
    let secret = match &provider.client_secret_file {
        Some(file) => {
            let text = tokio::fs::read_to_string(file).await;
            let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
            Some(ClientSecret::new(text.trim().to_owned()))
        }
        None => None,
    };
    let methods = known.metadata.token_endpoint_auth_methods_supported();
    let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let redirect_url = RedirectUrl::new(format!("{}/auth/callback/{}", auth.base_url, provider.id))?;
    let id = ClientId::new(provider.client_id.clone());
    Ok(Oidc::from_provider_metadata(known.metadata.clone(), id, secret)
        .set_redirect_uri(redirect_url)
        .set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody }))
}

/// Who begins a sign-in.
pub(super) enum Who<'w> {
    /// Somebody, from the address of this pseudonym.
    From(String),
    /// The person of a session, who shows once more that it is them.
    Again(&'w str),
}

/// Sends the browser to the provider.
pub(super) async fn begin(
    auth: &Auth,
    provider: &ProviderConfig,
    back: &str,
    who: Who<'_>,
) -> Result<Response, Refused> {
    let app = &auth.app;
    let now_ms = app.gateway.clock.now_ms();
    let (client_name, person) = match who {
        Who::From(client) => (Some(client), None),
        Who::Again(person) => (None, Some(person)),
    };
    if let Some(client) = &client_name {
        // Servers of the same database count together what each counts by itself, too.
        let of_this_minute = now_ms + WITHIN_MS - MINUTE_MS;
        let begun = store::sign_ins::begun_by(&app.store, client, of_this_minute).await?;
        if begun >= u64::from(MOST_BEGUN) {
            return Err(Refused::TooMany);
        }
    }
    let known = app.providers.get(provider).await?;
    let client = client(auth, provider, &known).await?;
    let browser = Browser(secret::base62(&secret::random::<32>()?, 43));
    let state = secret::base62(&secret::random::<32>()?, 43);
    let (nonce, verifier) = (browser.nonce(), browser.verifier());
    let csrf = CsrfToken::new(state.clone());
    let mut request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || csrf, || nonce)
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scopes(provider.scopes.iter().cloned().map(Scope::new));
    if person.is_some() {
        request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        for acr in &provider.step_up_acr {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
    }
    let (address, _, _) = request.url();
    let row = SignIn {
        state_hash: secret::digest(&state).to_vec(),
        browser_hash: secret::digest(&browser.0).to_vec(),
        provider: provider.id.clone(),
        back: back.to_owned(),
        person: person.map(str::to_owned),
        expires_ms: now_ms + WITHIN_MS,
        client: client_name,
    };
    if !store::sign_ins::begin(&app.store, row, MOST_OPEN, now_ms).await? {
        return Err(Refused::StartAgain("too_many"));
    }
    let mut response = redirect(address.as_str());
    let cookie = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}",
        browser.0,
        WITHIN_MS / 1_000
    );
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_str(&cookie)?);
    Ok(response)
}

/// Somebody is signed in.
pub(super) struct Entered {
    pub(super) cookie: SessionCookie,
    pub(super) back: String,
}

/// What the provider sent the browser back with becomes a session, or is refused.
pub(super) async fn finish(
    auth: &Auth,
    provider: &ProviderConfig,
    answer: Answer,
    permit: Option<&Permit>,
    headers: &HeaderMap,
) -> Result<Entered, Refused> {
    let app = &auth.app;
    let now_ms = app.gateway.clock.now_ms();
    let browser = Browser::of(headers).ok_or(Refused::StartAgain("no_cookie"))?;
    // Taken out before anything else is looked at: an answer counts once.
    let state = secret::digest(&answer.state);
    let begun = store::sign_ins::take(&app.store, &state, now_ms).await?;
    let begun = begun.ok_or(Refused::StartAgain("unknown_state"))?;
    if !secret::matches(&browser.0, &begun.browser_hash) {
        return Err(Refused::StartAgain("another_browser"));
    }
    if begun.provider != provider.id {
        return Err(Refused::Because("mixed_up"));
    }
    let known = app.providers.get(provider).await?;
    // RFC 9207: who answers says who it is.
    let says = known.metadata.additional_metadata().authorization_response_iss_parameter_supported;
    let is = answer.iss.as_deref().map(|iss| iss == known.metadata.issuer().as_str());
    if is == Some(false) || (says && is.is_none()) {
        return Err(Refused::Because("mixed_up"));
    }
    if answer.error.is_some() {
        return Err(Refused::Because("provider_refused"));
    }
    let code = answer.code.filter(|code| !code.is_empty()).ok_or(Refused::Because("no_code"))?;
    let client = client(auth, provider, &known).await?;
    let request = client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|_| Refused::Because("no_token_endpoint"))?
        .set_pkce_verifier(browser.verifier())
        .set_redirect_uri(Cow::Owned(RedirectUrl::new(format!(
            "{}/auth/callback/{}",
            auth.base_url, provider.id
        ))?));
    let tokens =
        request.request_async(app.providers.http()).await.map_err(|error| exchange(provider, &error))?;
    let claims = believed(app, provider, known, &tokens, &browser.nonce(), now_ms).await?;
    let told = told(app, provider, &tokens, claims).await?;
    match &begun.person {
        Some(person) => stepped_up(app, provider, person, &told, permit, headers, begun.back, now_ms).await,
        None => signed_in(app, provider, told, headers, begun.back, now_ms).await,
    }
}

fn exchange(
    provider: &ProviderConfig,
    error: &RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>,
) -> Refused {
    match error {
        RequestTokenError::Request(error) => {
            tracing::warn!(provider = provider.id, %error, "an identity provider does not answer");
            Refused::Down
        }
        RequestTokenError::ServerResponse(error) => {
            tracing::warn!(provider = provider.id, error = ?error.error(), "an identity provider refuses a code");
            Refused::Because("code_refused")
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Refused::Because("not_understood"),
    }
}

/// The claims of the ID token. Where its key is not known, the provider is asked for its keys once more.
async fn believed(
    app: &App,
    provider: &ProviderConfig,
    known: std::sync::Arc<Known>,
    tokens: &Tokens,
    nonce: &Nonce,
    now_ms: i64,
) -> Result<TokenClaims, Refused> {
    let token = tokens.id_token().ok_or(Refused::Because("no_id_token"))?;
    let access = tokens.access_token();
    let because = |unbelieved| match unbelieved {
        Unbelieved::UnknownKey => Refused::Because("unknown_key"),
        Unbelieved::Because(reason) => Refused::Because(reason),
    };
    match verify::id_token(token, access, nonce, provider, &known, now_ms) {
        Err(Unbelieved::UnknownKey) => {
            let known = app.providers.with_new_keys(provider, &known).await?;
            verify::id_token(token, access, nonce, provider, &known, now_ms).map_err(because)
        }
        believed => believed.map_err(because),
    }
}

/// What a provider told of a person.
pub(super) struct Told {
    pub(super) subject: String,
    session: Option<String>,
    email: Option<String>,
    name: Option<String>,
    groups: Vec<String>,
    /// Attributes that count, as `department=Finance`.
    claims: Vec<String>,
    authenticated_ms: Option<i64>,
    acr: Option<String>,
    /// What says which of the users that the provider pushes it is.
    pub(super) known_by: Option<String>,
}

async fn told(
    app: &App,
    provider: &ProviderConfig,
    tokens: &Tokens,
    claims: TokenClaims,
) -> Result<Told, Refused> {
    let mut more = claims.additional_claims().clone();
    let mut email = claims.email().map(|email| email.as_str().to_owned());
    let mut verified = claims.email_verified();
    let mut name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned());
    let subject = claims.subject().as_str().to_owned();
    if provider.userinfo {
        let known = app.providers.get(provider).await?;
        let place = known.metadata.userinfo_endpoint().ok_or(Refused::Because("no_userinfo"))?;
        let asked = app.providers.http().get_json(place.as_str(), tokens.access_token().secret()).await;
        let Ok(Value::Object(info)) = asked else { return Err(Refused::Because("no_userinfo")) };
        // OpenID Connect Core, 5.3.2: of somebody else it must not be used.
        if info.get("sub").and_then(Value::as_str) != Some(&subject) {
            return Err(Refused::Because("wrong_subject"));
        }
        let text = |name: &str| info.get(name).and_then(Value::as_str).map(str::to_owned);
        if email.is_none() {
            email = text("email");
            verified = info.get("email_verified").and_then(Value::as_bool);
        }
        name = name.or_else(|| text("name"));
        for (name, value) in info {
            more.all.entry(name).or_insert(value);
        }
    }
    if verified == Some(false) || (verified.is_none() && !provider.trust_email) {
        if !provider.email_domains.is_empty() {
            return Err(Refused::Because("email_not_verified"));
        }
        email = None;
    }
    if !provider.email_domains.is_empty() && !email.as_deref().is_some_and(|email| provider.is_for(email)) {
        return Err(Refused::Because("wrong_domain"));
    }
    let (groups, attributes) = more.groups(provider).map_err(Refused::Because)?;
    let known_by = provider.scim.as_ref().and_then(|scim| match scim.claim() {
        "sub" => Some(subject.clone()),
        "email" => email.clone(),
        "preferred_username" => claims
            .preferred_username()
            .map(|name| name.as_str().to_owned())
            .or_else(|| more.text("preferred_username")),
        other => more.text(other),
    });
    Ok(Told {
        known_by,
        subject,
        session: more.text("sid"),
        email,
        name,
        groups: groups.into_iter().collect(),
        claims: attributes.into_iter().collect(),
        authenticated_ms: claims.auth_time().map(|at| at.timestamp_millis()),
        acr: claims.auth_context_ref().map(|acr| acr.as_str().to_owned()),
    })
}

async fn signed_in(
    app: &App,
    provider: &ProviderConfig,
    told: Told,
    headers: &HeaderMap,
    back: String,
    now_ms: i64,
) -> Result<Entered, Refused> {
    let before = store::identities::find(&app.store, &provider.id, &told.subject).await?;
    let person = pushed::person(app, provider, before.as_ref(), &told, now_ms).await?;
    if person.disabled_ms.is_some() || person.erased_ms.is_some() || person.deprovisioned_ms.is_some() {
        return Err(Refused::Because("disabled"));
    }
    let principal = format!("user:{}", person.id);
    let identity = Identity {
        provider: provider.id.clone(),
        subject: told.subject.clone(),
        person: person.id.clone(),
        groups: json!(told.groups),
        claims: Some(json!(told.claims)),
        seen_ms: now_ms,
    };
    let pushed = actor::pushed_groups(app, &[person.id.as_str()]).await?;
    let pushed = pushed.as_ref().filter(|pushed| pushed.provider == provider.id);
    let pushed = pushed.and_then(|pushed| pushed.of(&person.id));
    let held = |identity: &Identity| -> Vec<Held> {
        let own = std::iter::once(Held::new(&principal, "/"));
        let direct: Vec<String> = serde_json::from_value(person.roles.clone()).unwrap_or_default();
        let direct = direct.into_iter().map(|role| Held::new(format!("role:{role}"), "/"));
        let told = actor::told_names(provider, identity, pushed.is_some());
        own.chain(direct).chain(told).chain(pushed.unwrap_or_default().iter().cloned()).collect()
    };
    let (roles, roles_before) = {
        let snapshot = app.gateway.snapshot.load();
        let rbac = &snapshot.policy.bundle().rbac;
        if !rbac.names_any(&held(&identity)) {
            return Err(Refused::NoRole);
        }
        let before = before.as_ref().map(|before| rbac.roles_held(&held(before)));
        (written(&rbac.roles_held(&held(&identity))), written(&before.unwrap_or_default()))
    };
    let note = store::people::Person { email: told.email, display_name: told.name, ..person.clone() };
    let noted = async { Ok::<_, Fault>(store::identities::note(&app.store, note, identity).await?) };
    if roles == roles_before {
        noted.await?;
    } else {
        let what = json!({
            "person": person.id, "provider": provider.id, "before": roles_before, "after": roles,
        });
        let act =
            Act { kind: Kind::Admin, principal: &principal, scope: Some("/"), name: "roles_changed", what };
        app.act_aside(act, |()| Value::Null, noted).await?;
    }
    let id = session_id()?;
    let new = NewSession {
        id: &id,
        person: &person.id,
        method: "oidc",
        expires_ms: now_ms + app.config.identity.session.absolute_ms(),
        provider: Some(provider.id.clone()),
        provider_session: told.session,
        provider_subject: Some(told.subject),
        // One that the provider kept open may be of this morning: it counts as fresh only where it says so.
        authenticated_ms: Some(told.authenticated_ms.unwrap_or(0)),
        acr: told.acr,
    };
    let what = json!({ "session": id, "provider": provider.id, "roles": roles });
    let begun = sign_in::begin(app, headers, new, now_ms);
    let cookie = app.act_aside(signed(&principal, "signed_in", what), |_| Value::Null, begun).await?;
    Ok(Entered { cookie, back })
}

pub(super) fn new_person(now_ms: i64) -> Result<store::people::Person, Refused> {
    Ok(store::people::Person {
        id: hex::encode(secret::random::<16>()?),
        subject: None,
        email: None,
        display_name: None,
        roles: json!([]),
        created_ms: now_ms,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    })
}

/// The person of this browser's session has shown once more who they are.
#[expect(clippy::too_many_arguments, reason = "each is of another kind, and there is one caller")]
async fn stepped_up(
    app: &App,
    provider: &ProviderConfig,
    person: &str,
    told: &Told,
    permit: Option<&Permit>,
    headers: &HeaderMap,
    back: String,
    now_ms: i64,
) -> Result<Entered, Refused> {
    let session = permit.and_then(|permit| permit.actor().session.as_ref());
    let session = session.filter(|session| session.person == person);
    let session = session.ok_or(Refused::StartAgain("no_session"))?;
    let identity = store::identities::find(&app.store, &provider.id, &told.subject).await?;
    if identity.is_none_or(|identity| identity.person != person) {
        return Err(Refused::Because("somebody_else"));
    }
    let identity = &app.config.identity;
    let recent = told.authenticated_ms.is_some_and(|at| at >= now_ms - WITHIN_MS && at <= now_ms + SKEW_MS);
    if !recent {
        return Err(Refused::Because("not_shown_again"));
    }
    let strong = told.acr.as_ref().is_some_and(|acr| provider.step_up_acr.contains(acr));
    if !provider.step_up_acr.is_empty() && !strong {
        return Err(Refused::Because("too_weak"));
    }
    let id = session_id()?;
    let new = NewSession {
        id: &id,
        person,
        method: "oidc",
        // What was begun with the first sign-in ends with it.
        expires_ms: session.expires_ms.min(now_ms + identity.session.absolute_ms()),
        provider: Some(provider.id.clone()),
        provider_session: told.session.clone(),
        provider_subject: Some(told.subject.clone()),
        authenticated_ms: told.authenticated_ms,
        acr: told.acr.clone(),
    };
    let principal = format!("user:{person}");
    let what = json!({ "session": id, "before": session.id, "provider": provider.id });
    let begun = sign_in::begin(app, headers, new, now_ms);
    let cookie = app.act_aside(signed(&principal, "stepped_up", what), |_| Value::Null, begun).await?;
    Ok(Entered { cookie, back })
}
