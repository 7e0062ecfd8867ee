//! A page's handler, from who asks to what is answered.

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Pages, frame, redirect, refuse, respond};
use crate::api::{Call, Caller, Problem, Typed};
use crate::pages::errors::PageError;
use crate::parts::shell::Frame;
use crate::text::Lang;
use crate::view::Viewer;

/// A form, as axum reads it.
pub(super) type Sent = Result<Form<Vec<(String, String)>>, FormRejection>;

/// Somebody signed in at a page.
pub(super) struct Visit {
    pub(super) pages: Pages,
    pub(super) frame: Frame,
    pub(super) viewer: Viewer,
    caller: Caller,
}

impl FromRequestParts<Pages> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Pages) -> Result<Self, Response> {
        let viewer = parts.extensions.get::<Viewer>().cloned().map(Extension);
        let (frame, viewer) = frame(pages, &parts.headers, viewer, &parts.uri).await?;
        let caller = Caller { headers: parts.headers.clone(), extensions: parts.extensions.clone() };
        Ok(Self { pages: pages.clone(), frame, viewer, caller })
    }
}

impl Visit {
    pub(super) const fn lang(&self) -> Lang {
        self.frame.lang()
    }

    /// The server's clock.
    pub(super) fn now_ms(&self) -> i64 {
        self.frame.overview.as_ref().map_or(0, |overview| overview.now_ms)
    }

    /// The server's address, as clients call it.
    pub(super) fn base_url(&self) -> String {
        self.frame.overview.as_ref().map(|overview| overview.base_url.clone()).unwrap_or_default()
    }

    /// What the API answers, or the page that says why not.
    pub(super) async fn read<T: DeserializeOwned>(&self, target: &str) -> Result<T, Response> {
        self.ask(target).await.map_err(|problem| self.fault(&problem))
    }

    /// The same for what a page goes without where the API says that this person may not, or that it is not there.
    pub(super) async fn perhaps<T: DeserializeOwned>(&self, target: &str) -> Result<Option<T>, Response> {
        match self.ask(target).await {
            Ok(found) => Ok(Some(found)),
            Err(problem) if matches!(problem.status, 403 | 404) => Ok(None),
            Err(problem) => Err(self.fault(&problem)),
        }
    }

    /// The same for what only those ask for who may read such things somewhere.
    pub(super) async fn offered<T: DeserializeOwned>(
        &self,
        object: &str,
        target: &str,
    ) -> Result<Option<T>, Response> {
        if self.viewer.may(object, "read") { self.perhaps(target).await } else { Ok(None) }
    }

    /// What the API answers, or why not, for a page that says so beside its fields.
    pub(super) async fn ask_for<T: DeserializeOwned>(&self, target: &str) -> Result<T, Problem> {
        self.ask(target).await
    }

    async fn ask<T: DeserializeOwned>(&self, target: &str) -> Result<T, Problem> {
        let answer = self.send(Call::get(target)).await?;
        serde_json::from_value(answer).map_err(|error| Problem::unreadable(&error.to_string()))
    }

    /// Has the API do something.
    pub(super) async fn send(&self, call: Call) -> Result<Value, Problem> {
        self.pages.console.call(&self.caller, call).await
    }

    /// The scopes where this person has a right.
    pub(super) async fn scopes(&self, object: &str, action: &str) -> Result<Vec<String>, Response> {
        let scopes = self.pages.console.scopes(&self.viewer, object, action).await;
        scopes.map_err(|error| super::fault(&self.frame, error))
    }

    /// The page for what could not be read at all.
    pub(super) fn fault(&self, problem: &Problem) -> Response {
        match problem.status {
            401 => redirect(&super::sign_in_for(&self.frame.here)),
            403 => refuse(&self.frame, PageError::Forbidden),
            404 => refuse(&self.frame, PageError::NotFound),
            400 => refuse(&self.frame, PageError::BadRequest),
            // The detail of a fault ends with the reference under which the server's log has its cause.
            _ => {
                let told = problem.detail.as_deref().unwrap_or(&problem.title);
                let reference = told.rsplit(' ').next().unwrap_or_default().to_owned();
                refuse(&self.frame, PageError::Unavailable { reference })
            }
        }
    }

    /// What a form carried, or the page that says that it can't be read.
    #[expect(clippy::result_large_err, reason = "it is the answer")]
    pub(super) fn typed(&self, sent: Sent) -> Result<Typed, Response> {
        match sent {
            Ok(Form(pairs)) => Ok(Typed::new(pairs)),
            Err(_) => Err(refuse(&self.frame, PageError::BadRequest)),
        }
    }

    /// A page.
    pub(super) fn show<V: IntoView + 'static>(&self, title: &str, content: impl FnOnce() -> V) -> Response {
        respond(StatusCode::OK, &self.frame, title, content)
    }

    /// A form once more, with what the API said of it.
    pub(super) fn again<V: IntoView + 'static>(
        &self,
        problem: &Problem,
        title: &str,
        content: impl FnOnce() -> V,
    ) -> Response {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        respond(status, &self.frame, title, content)
    }
}

/// The response, whichever way it came about.
pub(super) fn either(made: Result<Response, Response>) -> Response {
    match made {
        Ok(response) | Err(response) => response,
    }
}
