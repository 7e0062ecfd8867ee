//! Logout at the provider, and by it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreJsonWebKey;
use openidconnect::{ClientId, JsonWebKey as _, JsonWebKeyId, LogoutRequest, PostLogoutRedirectUrl};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Refused;
use super::discovery::Known;
use super::verify::is_recent;
use crate::identity::routes::Auth;
use crate::identity::sign_in::{Fault, signed};
use crate::identity::{ProviderConfig, SigningAlgorithm};
use crate::keys::secret;
use crate::store;

/// Who signs out waits for a provider that is down no longer than this: our own session is over.
const PATIENCE: Duration = Duration::from_secs(3);
/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The address where the provider ends its own session, if it has one
/// (<https://openid.net/specs/openid-connect-rpinitiated-1_0.html>). No ID token goes with it: none is kept.
pub(crate) async fn end_session(auth: &Auth, id: &str) -> Option<String> {
    let provider = auth.app.config.identity.provider(id)?;
    let known = tokio::time::timeout(PATIENCE, auth.app.providers.get(provider)).await.ok()?.ok()?;
    let endpoint = known.metadata.additional_metadata().end_session_endpoint.clone()?;
    let back = PostLogoutRedirectUrl::new(format!("{}{}", auth.base_url, bailiwick_ui::SIGN_IN_PATH)).ok()?;
    let request = LogoutRequest::from(openidconnect::EndSessionUrl::new(endpoint).ok()?)
        .set_client_id(ClientId::new(provider.client_id.clone()))
        .set_post_logout_redirect_uri(back);
    Some(request.http_get_url().to_string())
}

#[derive(Deserialize)]
struct Header {
    alg: SigningAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct LogoutClaims {
    iss: String,
    aud: Audience,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    sid: Option<String>,
    events: Map<String, Value>,
    #[serde(default)]
    nonce: Option<Value>,
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// The claims of a logout token that one of the provider's keys has signed.
fn signed_claims(token: &str, provider: &ProviderConfig, known: &Known) -> Result<LogoutClaims, Refused> {
    let not_understood = || Refused::Because("not_understood");
    let (message, signature) = token.rsplit_once('.').ok_or_else(not_understood)?;
    let (header, claims) = message.split_once('.').ok_or_else(not_understood)?;
    // An algorithm that is none of ours does not parse: `none` and `HS256` end here.
    let header: Header = part(header).ok_or(Refused::Because("wrong_algorithm"))?;
    if !provider.algorithms.contains(&header.alg) {
        return Err(Refused::Because("wrong_algorithm"));
    }
    // An ID token is of the same key, and no logout token.
    if header.typ.is_some_and(|typ| !["logout+jwt", "jwt"].contains(&typ.to_ascii_lowercase().as_str())) {
        return Err(Refused::Because("wrong_type"));
    }
    let kid = header.kid.map(JsonWebKeyId::new);
    let fits = |key: &&CoreJsonWebKey| kid.is_none() || key.key_id() == kid.as_ref();
    let mut keys = known.metadata.jwks().keys().iter().filter(fits).peekable();
    if keys.peek().is_none() {
        return Err(Refused::Because("unknown_key"));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| not_understood())?;
    let algorithm = header.alg.core();
    if !keys.any(|key| key.verify_signature(&algorithm, message.as_bytes(), &signature).is_ok()) {
        return Err(Refused::Because("wrong_signature"));
    }
    part(claims).ok_or_else(not_understood)
}

/// Takes a logout token, once, and ends the sessions that it names.
pub(super) async fn take(auth: &Auth, provider: &ProviderConfig, token: &str) -> Result<(), Refused> {
    let app = &auth.app;
    let known = app.providers.get(provider).await?;
    let claims = match signed_claims(token, provider, &known) {
        Err(Refused::Because("unknown_key")) => {
            let known = app.providers.with_new_keys(provider, &known).await?;
            signed_claims(token, provider, &known)?
        }
        claims => claims?,
    };
    let now_ms = app.gateway.clock.now_ms();
    check(&claims, provider, known.metadata.issuer().as_str(), now_ms).map_err(Refused::Because)?;
    let jti = secret::digest(&format!("{}\n{}", provider.id, claims.jti));
    let until_ms = claims.exp.saturating_mul(1_000).min(now_ms + 86_400_000);
    if store::sign_ins::has_logged_out(&app.store, &jti).await? {
        return Err(Refused::Because("replayed"));
    }
    let principal = format!("provider:{}", provider.id);
    let ended = async {
        let (session, subject) = (claims.sid.as_deref(), claims.sub.as_deref());
        let ended =
            store::sessions::end_of_provider(&app.store, &provider.id, session, subject, now_ms).await?;
        Ok::<_, Fault>(ended)
    };
    let what = json!({ "provider": provider.id, "one_session": claims.sid.is_some() });
    let act = signed(&principal, "provider_ended_sessions", what);
    app.act_aside(act, |ended| json!({ "sessions": ended }), ended).await?;
    // Only what was carried out counts as taken: where it failed, the provider comes again with the same token. Of two at
    // once, both end the same sessions.
    store::sign_ins::note_logout(&app.store, &jti, until_ms, now_ms).await?;
    Ok(())
}

/// <https://openid.net/specs/openid-connect-backchannel-1_0.html>, 2.6.
fn check(
    claims: &LogoutClaims,
    provider: &ProviderConfig,
    issuer: &str,
    now_ms: i64,
) -> Result<(), &'static str> {
    let ours = match &claims.aud {
        Audience::One(one) => *one == provider.client_id,
        Audience::Several(several) => several.contains(&provider.client_id),
    };
    let wrong = [
        (claims.iss != issuer, "wrong_issuer"),
        (!ours, "wrong_audience"),
        (!is_recent(claims.iat.saturating_mul(1_000), now_ms), "expired"),
        (claims.exp.saturating_mul(1_000) <= now_ms, "expired"),
        (!claims.events.get(EVENT).is_some_and(Value::is_object), "no_logout_event"),
        (claims.nonce.is_some(), "has_nonce"),
        (claims.sub.is_none() && claims.sid.is_none(), "names_nobody"),
        (claims.jti.is_empty(), "no_jti"),
    ];
    wrong.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, why)| Err(why))
}
