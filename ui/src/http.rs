//! The console's routes, and how a page becomes a response.
//!
//! Every page is rendered whole before its first byte leaves, so that its status is true. It carries a content security policy
//! that allows one nonce's scripts, the console's own style sheet, and nothing from anywhere else.

mod audit;
mod budgets;
mod endpoints;
mod keys;
mod overview;
mod people;
mod policies;
mod reached;
mod requests;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use leptos::nonce::Nonce;
use leptos::prelude::*;
use serde::Deserialize;

use crate::assets::Assets;
use crate::console::{Console, ConsoleError};
use crate::pages::errors::{self, PageError};
use crate::pages::sign_in::{self, SignInNotice, SignInWays};
use crate::pages::{decision, list};
use crate::parts::shell::{Frame, document};
use crate::preferences::{LANG_COOKIE, Preferences, THEME_COOKIE, Theme};
use crate::text::Lang;
use crate::view::{DecisionFilter, Outcome, Viewer};

/// How often the page of a request that is under way asks again.
const REFRESH_SECONDS: &str = "2";

/// Where a person without a session is sent.
pub const SIGN_IN_PATH: &str = "/auth/sign-in";

/// The way to the sign-in, and from there back to where somebody wanted to go: the path and query of a page. What is no page of this
/// server is left out.
#[must_use]
pub fn sign_in_for(here: &str) -> String {
    match is_local(here) && here != "/" && here.len() <= LONGEST_BACK {
        true => format!("{SIGN_IN_PATH}?back={}", crate::api::escaped(here)),
        false => SIGN_IN_PATH.to_owned(),
    }
}

/// Bytes of an address that somebody is led back to.
const LONGEST_BACK: usize = 2_000;

#[derive(Clone)]
struct Pages {
    console: Arc<dyn Console>,
    assets: Arc<Assets>,
    ways: Arc<SignInWays>,
}

/// The console's pages: overview, decisions, keys, budgets, requests, endpoints, kill switches, `/auth/sign-in`, and `/preferences` for theme and language.
///
/// The server puts the signed-in [`Viewer`] into the request's extensions; without one, pages send the person to
/// [`SIGN_IN_PATH`]. The server itself serves the assets, `/auth/setup`, `/auth/sign-out`, the receipts and
/// [`STREAM_PATH`](crate::pages::list::STREAM_PATH).
pub fn router(console: Arc<dyn Console>, assets: Assets, ways: SignInWays) -> Router {
    Router::new()
        .route("/", get(overview::page))
        .route("/decisions", get(decisions))
        .route("/decisions/{id}", get(one_decision))
        .route("/keys", get(keys::list))
        .route("/keys/new", get(keys::blank).post(keys::create))
        .route("/keys/{id}", get(keys::one))
        .route("/keys/{id}/rotate", post(keys::rotate))
        .route("/keys/{id}/disable", post(keys::disable))
        .route("/keys/{id}/enable", post(keys::enable))
        .route("/keys/{id}/revoke", post(keys::revoke))
        .route("/budgets", get(budgets::list))
        .route("/budgets/{id}", get(budgets::one))
        .route("/budgets/{id}/top-ups", post(budgets::top_up))
        .route("/requests", get(requests::list))
        .route("/requests/new", get(requests::blank).post(requests::ask))
        .route("/requests/{id}/approve", post(requests::approve))
        .route("/requests/{id}/refuse", post(requests::refuse))
        .route("/requests/{id}/withdraw", post(requests::withdraw))
        .route("/endpoints", get(endpoints::list))
        .route("/endpoints/{name}", get(endpoints::one))
        .route("/reached", get(reached::page))
        .route("/people", get(people::list))
        .route("/people/{id}/disable", post(people::disable))
        .route("/people/{id}/enable", post(people::enable))
        .route("/sessions", get(people::sessions))
        .route("/sessions/{id}/end", post(people::end))
        .route("/policies", get(policies::page))
        .route("/audit", get(audit::page))
        .route("/audit/export", get(audit::export))
        .route("/audit/verify", get(audit::verify))
        .route("/kill-switches", get(endpoints::stopped).post(endpoints::throw))
        .route("/kill-switches/{id}/lift", post(endpoints::lift))
        .route(SIGN_IN_PATH, get(sign_in))
        .route("/preferences", post(preferences))
        .with_state(Pages { console, assets: Arc::new(assets), ways: Arc::new(ways) })
}

/// The sign-in page, for a server that has something to say on it: a used set-up link, a session that ended.
#[must_use]
pub fn sign_in_page(
    headers: &HeaderMap,
    assets: &Assets,
    ways: &SignInWays,
    notice: Option<SignInNotice>,
) -> Response {
    sign_in_back(headers, assets, ways, notice, None)
}

/// The same, with where to go once somebody is signed in.
fn sign_in_back(
    headers: &HeaderMap,
    assets: &Assets,
    ways: &SignInWays,
    notice: Option<SignInNotice>,
    back: Option<&str>,
) -> Response {
    let frame = Frame {
        preferences: Preferences::of(headers),
        assets: assets.clone(),
        viewer: None,
        overview: None,
        here: back.map_or_else(|| SIGN_IN_PATH.to_owned(), sign_in_for),
    };
    let lang = frame.lang();
    let status = match notice {
        Some(
            SignInNotice::Used
            | SignInNotice::Expired
            | SignInNotice::NoRole
            | SignInNotice::StartAgain
            | SignInNotice::Refused(_),
        ) => StatusCode::FORBIDDEN,
        Some(SignInNotice::ProviderDown) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    respond(status, &frame, lang.text().sign_in.title, || sign_in::page(ways, notice, back, lang))
}

/// An error page, for the server's own handlers and its fallback.
#[must_use]
pub fn error_page(
    headers: &HeaderMap,
    assets: &Assets,
    viewer: Option<Viewer>,
    error: PageError,
) -> Response {
    let frame = Frame {
        preferences: Preferences::of(headers),
        assets: assets.clone(),
        viewer,
        overview: None,
        here: "/".to_owned(),
    };
    refuse(&frame, error)
}

fn refuse(frame: &Frame, error: PageError) -> Response {
    let (lang, signed_in) = (frame.lang(), frame.viewer.is_some());
    respond(error.status(), frame, error.title(lang), move || errors::page(&error, signed_in, lang))
}

fn fault(frame: &Frame, error: ConsoleError) -> Response {
    refuse(
        frame,
        match error {
            ConsoleError::Forbidden => PageError::Forbidden,
            ConsoleError::NotFound => PageError::NotFound,
            ConsoleError::Unavailable { reference } => PageError::Unavailable { reference },
        },
    )
}

/// Renders and wraps a page. `content` runs with the nonce at hand.
fn respond<V: IntoView + 'static>(
    status: StatusCode,
    frame: &Frame,
    title: &str,
    content: impl FnOnce() -> V,
) -> Response {
    let nonce = Nonce::new();
    let policy = policy(&nonce);
    let context = hydration_context::SsrSharedContext::new_islands();
    let owner = Owner::new_root(Some(Arc::new(context)));
    let html = owner.with(|| {
        provide_context(nonce);
        document(frame, title, content()).to_html()
    });
    owner.unset_with_forced_cleanup();
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in FIXED_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(language) = HeaderValue::from_str(frame.lang().code()) {
        headers.insert(header::CONTENT_LANGUAGE, language);
    }
    match HeaderValue::from_str(&policy) {
        Ok(policy) => {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
        // Without its policy no page leaves. A nonce is URL-safe base64, so that this is only the compiler's worry.
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

const FIXED_HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::VARY, "cookie, accept-language"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// `strict-dynamic` lets the one inline module import the bundle; `wasm-unsafe-eval` lets that compile WebAssembly, and no more.
fn policy(nonce: &Nonce) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}

fn redirect(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(to) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The frame for a signed-in person, or the way to the sign-in.
async fn frame(
    pages: &Pages,
    headers: &HeaderMap,
    viewer: Option<Extension<Viewer>>,
    uri: &Uri,
) -> Result<(Frame, Viewer), Response> {
    let here = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let Some(Extension(viewer)) = viewer else { return Err(redirect(&sign_in_for(&here))) };
    let mut frame = Frame {
        preferences: Preferences::of(headers),
        assets: (*pages.assets).clone(),
        viewer: Some(viewer.clone()),
        overview: None,
        here,
    };
    match pages.console.overview(&viewer).await {
        Ok(overview) => frame.overview = Some(overview),
        Err(error) => return Err(fault(&frame, error)),
    }
    Ok((frame, viewer))
}

/// The filter as it stands in the address; every field is text there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FilterQuery {
    scope: Option<String>,
    outcome: Option<String>,
    model: Option<String>,
    key: Option<String>,
    endpoint: Option<String>,
    kind: Option<String>,
    from: Option<String>,
    to: Option<String>,
    q: Option<String>,
    before: Option<String>,
}

impl FilterQuery {
    /// None for an outcome or a time that does not exist: showing everything instead would mislead.
    fn filter(self) -> Option<DecisionFilter> {
        let given =
            |value: Option<String>| value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let outcome = match given(self.outcome) {
            Some(name) => Some(Outcome::from_name(&name)?),
            None => None,
        };
        let time = |value: Option<String>| match given(value) {
            Some(text) => crate::pages::times::read(&text).map(Some),
            None => Some(None),
        };
        Some(DecisionFilter {
            scope: given(self.scope),
            outcome,
            model: given(self.model),
            key: given(self.key),
            endpoint: given(self.endpoint),
            kind: given(self.kind),
            from_ms: time(self.from)?,
            to_ms: time(self.to)?,
            q: given(self.q),
            before: given(self.before),
        })
    }
}

async fn decisions(
    State(pages): State<Pages>,
    headers: HeaderMap,
    viewer: Option<Extension<Viewer>>,
    uri: Uri,
    query: Result<Query<FilterQuery>, QueryRejection>,
) -> Response {
    let (frame, viewer) = match frame(&pages, &headers, viewer, &uri).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let Some(filter) = query.ok().and_then(|Query(query)| query.filter()) else {
        return refuse(&frame, PageError::BadRequest);
    };
    match pages.console.decisions(&viewer, &filter).await {
        Ok(found) => {
            let title = frame.lang().text().list.title;
            respond(StatusCode::OK, &frame, title, || list::page(&frame, &filter, found))
        }
        Err(error) => fault(&frame, error),
    }
}

async fn one_decision(
    State(pages): State<Pages>,
    headers: HeaderMap,
    viewer: Option<Extension<Viewer>>,
    uri: Uri,
    Path(id): Path<String>,
) -> Response {
    let (frame, viewer) = match frame(&pages, &headers, viewer, &uri).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    match pages.console.decision(&viewer, &id).await {
        Ok(Some(view)) => {
            let title = format!("{} {}", frame.lang().text().decision.id, view.row.id);
            let running = view.row.outcome == Outcome::Running;
            let mut response = respond(StatusCode::OK, &frame, &title, || decision::page(&frame, &view));
            if running {
                // What is under way is shown as it goes on, with or without a script.
                response.headers_mut().insert(header::REFRESH, HeaderValue::from_static(REFRESH_SECONDS));
            }
            response
        }
        Ok(None) => refuse(&frame, PageError::NotFound),
        Err(error) => fault(&frame, error),
    }
}

async fn sign_in(
    State(pages): State<Pages>,
    headers: HeaderMap,
    viewer: Option<Extension<Viewer>>,
    query: Result<Query<BackQuery>, QueryRejection>,
) -> Response {
    let back = query.ok().and_then(|Query(query)| query.back).filter(|back| is_local(back));
    if viewer.is_some() {
        return redirect(back.as_deref().unwrap_or("/"));
    }
    sign_in_back(&headers, &pages.assets, &pages.ways, None, back.as_deref())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BackQuery {
    back: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PreferencesForm {
    theme: Option<String>,
    lang: Option<String>,
    back: Option<String>,
}

/// Keeps theme and language in cookies. They hold nothing but these choices, so they need no session.
async fn preferences(
    State(pages): State<Pages>,
    headers: HeaderMap,
    form: Result<Form<PreferencesForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return error_page(&headers, &pages.assets, None, PageError::BadRequest);
    };
    let back = form.back.filter(|path| is_local(path)).unwrap_or_else(|| "/".to_owned());
    let mut response = redirect(&back);
    let theme = form.theme.as_deref().and_then(Theme::from_name).map(|theme| (THEME_COOKIE, theme.name()));
    let lang = form.lang.as_deref().and_then(Lang::from_code).map(|lang| (LANG_COOKIE, lang.code()));
    for (name, value) in theme.into_iter().chain(lang) {
        let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// A path on this server: `//host` and `/\host` would lead elsewhere.
#[must_use]
pub fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic())
}
