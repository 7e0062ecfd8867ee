//! Errors of the control plane (RFC 9457).
//!
//! 404 or 403: a thing outside the actor's scope is not there (404), an action that the actor's roles do not allow on a
//! thing that it may see is forbidden (403).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::audit::{AuditError, AuditUnavailable};
use crate::fault::{self, Fault};
use crate::gateway::record::RecordError;
use crate::gateway::{Code, Refusal};
use crate::organisation::ApplyError;
use crate::snapshot::BuildError;
use crate::store::StoreError;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: String,
    detail: Option<String>,
    fix: Option<String>,
    /// Apart, because most have none of it and every answer is as large as this.
    extra: Box<Extra>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Extra {
    /// What is wrong where.
    errors: Vec<Value>,
    /// A member of its own.
    more: Option<(&'static str, Value)>,
}

impl Problem {
    /// A problem with its stable code and a title for people.
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Self {
        Self { status, code, title: title.into(), detail: None, fix: None, extra: Box::default() }
    }

    /// What is wrong here.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What to change.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Where in the body: a JSON pointer (RFC 6901).
    #[must_use]
    pub fn field(mut self, pointer: &str) -> Self {
        let detail = self.detail.clone().unwrap_or_else(|| self.title.clone());
        self.extra.errors.push(json!({ "pointer": pointer, "detail": detail }));
        self
    }

    /// Says of which one of several it is.
    #[must_use]
    pub fn of(mut self, which: &str) -> Self {
        let detail = self.detail.take().unwrap_or_else(|| self.title.clone());
        self.detail = Some(format!("{which}: {detail}"));
        self
    }

    /// Says that the fields are those of a part of the body.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        for error in &mut self.extra.errors {
            if let Some(Value::String(pointer)) = error.get_mut("pointer") {
                pointer.insert_str(0, prefix);
            }
        }
        self
    }

    /// With a member of its own (RFC 9457, 3.2): what was made all the same, and is told nowhere else.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: Value) -> Self {
        self.extra.more = Some((member, value));
        self
    }

    /// Says of the fields of a part of what was read that they are those of the body.
    #[must_use]
    pub fn without(mut self, prefix: &str) -> Self {
        for error in &mut self.extra.errors {
            if let Some(Value::String(pointer)) = error.get_mut("pointer")
                && let Some(rest) = pointer.strip_prefix(prefix)
            {
                *pointer = rest.to_owned();
            }
        }
        self
    }

    /// Something that is not there, or not for this actor.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}"))
    }

    /// Something in the request.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "The request is not right").detail(detail)
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "type": format!("https://bailiwick.dev/problems/{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "fix": self.fix,
        });
        if let (false, Some(body)) = (self.extra.errors.is_empty(), body.as_object_mut()) {
            body.insert(String::from("errors"), json!(self.extra.errors));
        }
        if let (Some((member, value)), Some(body)) = (&self.extra.more, body.as_object_mut()) {
            body.insert((*member).to_owned(), value.clone());
        }
        body
    }

    /// Parts of the body that are wrong, each named; `which` says of what they are parts.
    #[must_use]
    pub fn faulty(which: &str, faults: &[Fault]) -> Self {
        let mut problem = Self::invalid(fault::words(faults));
        if !which.is_empty() {
            problem = problem.of(which);
        }
        problem.extra.errors =
            faults.iter().map(|it| json!({ "pointer": it.pointer, "detail": it.told })).collect();
        problem
    }

    /// A field of the body that is wrong: a JSON pointer (RFC 6901), and how.
    pub fn wrong_field(pointer: &str, told: &str) -> Self {
        let detail = if pointer.is_empty() { told.to_owned() } else { format!("`{pointer}`: {told}") };
        let mut problem = Self::invalid(detail);
        problem.extra.errors.push(json!({ "pointer": pointer, "detail": told }));
        problem
    }

    /// A parameter of the query, or a header, that is wrong, and how.
    pub fn wrong_parameter(name: &str, told: &str) -> Self {
        let mut problem = Self::invalid(format!("`{name}`: {told}"));
        problem.extra.errors.push(json!({ "parameter": name, "detail": told }));
        problem
    }

    /// Whether something is not as it was seen.
    pub(super) fn is_of_change(&self) -> bool {
        self.code == "changed"
    }

    /// Which status it answers with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says, in one line.
    pub(crate) fn words(&self) -> String {
        let more = [&self.detail, &self.fix].into_iter().flatten();
        more.fold(self.title.clone(), |words, more| format!("{words}: {more}"))
    }

    /// A fault of the server: the cause goes to the log, its reference to the client.
    fn fault(status: StatusCode, code: &'static str, title: &str, cause: &dyn std::fmt::Display) -> Self {
        let reference = crate::keys::secret::random::<4>().map(hex::encode).unwrap_or_default();
        tracing::error!(%cause, reference, "a request to the control plane failed");
        Self::new(status, code, title).detail(format!("the server's log has the cause under {reference}"))
    }
}

/// The same on `/v1`, where errors have the shape of the API that was called.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let code = match (problem.status, problem.code) {
            (StatusCode::UNAUTHORIZED, _) => Code::InvalidApiKey,
            (StatusCode::FORBIDDEN, _) => Code::Forbidden,
            (StatusCode::NOT_FOUND, _) => Code::NotFound,
            (_, "audit_unavailable") => Code::AuditUnavailable,
            (status, _) if status.is_client_error() => Code::InvalidRequest,
            _ => Code::Unavailable,
        };
        match (problem.detail, problem.fix) {
            (Some(detail), Some(fix)) => Self::new(code, detail).fix(fix),
            (Some(fix), None) | (None, Some(fix)) => Self::new(code, problem.title).fix(fix),
            (None, None) => Self::new(code, problem.title),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body().to_string()).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Conflict(what) => {
                Self::new(StatusCode::CONFLICT, "conflict", "It contradicts what is there").detail(what)
            }
            StoreError::Changed => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed", "It is not as you saw it any more")
                    .fix("read it again, then decide anew")
            }
            StoreError::Unavailable(_)
            | StoreError::Contended(_)
            | StoreError::Address(_)
            | StoreError::OutOfService(_)
            | StoreError::Corrupt(_) => Self::fault(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "The database does not answer",
                &error,
            ),
        }
    }
}

impl From<AuditUnavailable> for Problem {
    fn from(error: AuditUnavailable) -> Self {
        Self::fault(
            StatusCode::SERVICE_UNAVAILABLE,
            "audit_unavailable",
            "The audit log cannot write",
            &error,
        )
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        Self::fault(
            StatusCode::SERVICE_UNAVAILABLE,
            "audit_unavailable",
            "The audit log cannot write",
            &error,
        )
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::NotFound(_) => Self::not_found("decision"),
            other => Self::fault(
                StatusCode::SERVICE_UNAVAILABLE,
                "audit_unavailable",
                "The audit log cannot be read",
                &other,
            ),
        }
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Invalid(faults) => Self::faulty("nothing was changed", &faults),
            ApplyError::Store(error) => error.into(),
            ApplyError::NoRandomness(error) => Self::fault(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_randomness",
                "No secret could be made",
                &error,
            ),
        }
    }
}

impl From<BuildError> for Problem {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Store(error) => error.into(),
            BuildError::Policy(_) | BuildError::Bundle { .. } | BuildError::Row(_) => {
                Self::new(StatusCode::CONFLICT, "not_in_force", "It is stored, but cannot be put in force")
                    .detail(error.to_string())
            }
        }
    }
}
