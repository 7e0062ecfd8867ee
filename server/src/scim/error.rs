//! Errors in SCIM's shape (RFC 7644, 3.12).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::admin::Problem;
use crate::gateway::record::RecordError;
use crate::snapshot::BuildError;
use crate::store::StoreError;

/// The media type of everything here (RFC 7644, 8.1).
pub(super) const MEDIA_TYPE: &str = "application/scim+json";
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScimError {
    pub(super) status: StatusCode,
    /// The standard's word for it, where it has one.
    pub(super) kind: Option<&'static str>,
    pub(super) detail: String,
}

/// What the standard has a word for, with status 400.
macro_rules! bad {
    ($($name:ident $word:literal;)*) => {
        $(pub(super) fn $name(detail: impl Into<String>) -> Self {
            Self { status: StatusCode::BAD_REQUEST, kind: Some($word), detail: detail.into() }
        })*
    };
}

impl ScimError {
    bad! {
        filter "invalidFilter";
        path "invalidPath";
        value "invalidValue";
        syntax "invalidSyntax";
        no_target "noTarget";
        mutability "mutability";
    }

    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into() }
    }

    pub(super) fn taken(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, kind: Some("uniqueness"), detail: detail.into() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    pub(super) fn changed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "the resource has another version by now: read it again")
    }

    /// Its body.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({ "schemas": [SCHEMA], "status": self.status.as_str(), "detail": self.detail });
        if let (Some(kind), Some(body)) = (self.kind, body.as_object_mut()) {
            body.insert(String::from("scimType"), json!(kind));
        }
        body
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        answer(self.status, &self.body())
    }
}

/// An answer with a body.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<Problem> for ScimError {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status(), problem.words())
    }
}

impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(what) => Self::taken(what),
            other => Problem::from(other).into(),
        }
    }
}

impl From<RecordError> for ScimError {
    fn from(error: RecordError) -> Self {
        Problem::from(error).into()
    }
}

impl From<BuildError> for ScimError {
    fn from(error: BuildError) -> Self {
        Problem::from(error).into()
    }
}
