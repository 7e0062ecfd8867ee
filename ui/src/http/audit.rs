//! `/audit`: handlers.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::Value;

use super::visit::{Visit, either};
use super::{Pages, redirect};
use crate::api::{Problem, Typed, WrongField};
use crate::pages::audit::{self, AuditPage};
use crate::pages::errors::PageError;
use crate::pages::times;
use crate::parts::shell::Frame;
use crate::preferences::Preferences;
use crate::view::Viewer;

/// `GET /audit`.
pub(super) async fn page(visit: Visit) -> Response {
    either(drawn(&visit, &Typed::default(), None).await)
}

async fn drawn(visit: &Visit, typed: &Typed, problem: Option<&Problem>) -> Result<Response, Response> {
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let shown = AuditPage {
        // The head is told at the root alone; who may export a scope only does without.
        note: text(visit.perhaps("/api/v1/audit/checkpoint").await?),
        key: text(visit.perhaps("/api/v1/audit/public-key").await?),
        scopes: visit.scopes("console:audit", "export").await?,
    };
    let title = visit.lang().text().audit_pages.title;
    let draw = || audit::page(&visit.frame, &shown, typed, problem);
    Ok(match problem {
        Some(problem) => visit.again(problem, title, draw),
        None => visit.show(title, draw),
    })
}

/// `GET /audit/export`: what a form asks for, as the API understands it.
pub(super) async fn export(
    visit: Visit,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let Ok(Query(pairs)) = query else { return super::refuse(&visit.frame, PageError::BadRequest) };
    let typed = Typed::new(pairs);
    let scopes = match visit.scopes("console:audit", "export").await {
        Ok(scopes) => scopes,
        Err(response) => return response,
    };
    match target(&typed, &visit, &scopes) {
        Ok(target) => redirect(&target),
        Err(errors) => {
            let problem = Problem { status: 400, errors: errors.into(), ..Problem::default() };
            either(drawn(&visit, &typed, Some(&problem)).await)
        }
    }
}

fn target(typed: &Typed, visit: &Visit, scopes: &[String]) -> Result<String, Vec<WrongField>> {
    let t = &visit.lang().text().audit_pages;
    let mut wrong = Vec::new();
    let mut says = |name: &str, detail: &str| {
        wrong.push(WrongField { parameter: Some(name.to_owned()), detail: detail.to_owned(), pointer: None });
    };
    let mut time = |name: &str| {
        let text = typed.text(name)?;
        let at = times::read(&text);
        if at.is_none() {
            says(name, t.wrong_time);
        }
        at
    };
    let (from, to) = (time("from"), time("to"));
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        says("to", t.order);
    }
    // Said here: what the API says of a scope would take the place of the page.
    let scope = typed.text("scope");
    if !visit.viewer.may_at("console:audit", "export", scope.as_deref().unwrap_or("/"))
        || scope.as_ref().is_some_and(|scope| scope != "/" && !scopes.contains(scope))
    {
        says("scope", t.no_scope);
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let pairs = [("from", from.map(times::rfc3339)), ("to", to.map(times::rfc3339)), ("scope", scope)];
    Ok(crate::pages::address("/api/v1/audit/export", pairs))
}

/// `GET /audit/verify`: for everybody, with or without an account.
pub(super) async fn verify(
    State(pages): State<Pages>,
    headers: HeaderMap,
    viewer: Option<Extension<Viewer>>,
    uri: Uri,
) -> Response {
    let frame = match viewer {
        Some(viewer) => match super::frame(&pages, &headers, Some(viewer), &uri).await {
            Ok((frame, _)) => frame,
            Err(response) => return response,
        },
        None => Frame {
            preferences: Preferences::of(&headers),
            assets: (*pages.assets).clone(),
            viewer: None,
            overview: None,
            here: uri.path().to_owned(),
        },
    };
    let title = frame.lang().text().verify_file.title;
    super::respond(axum::http::StatusCode::OK, &frame, title, || audit::verify(&frame))
}
