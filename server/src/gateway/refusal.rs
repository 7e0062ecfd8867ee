//! Why a request was not served, and the way out.
//!
//! Which error goes where: a stage returns a [`Refusal`]; [`crate::gateway::api`] turns it, in that one place, into the
//! shape of the API that was called. What a refusal says is for the client: it names rules, endpoints and facts, and
//! never a secret, a credential, an address of ours or a finding's value. Causes that the client can't act on are logged
//! where they happen and leave only their code here.

use http::StatusCode;
use serde::Serialize;

use crate::budgets::Rates;

/// The stable code of a refusal. The list is closed so that every place that maps it is checked by the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No key, a malformed one, an unknown, expired or revoked one.
    InvalidApiKey,
    /// The body or a header is not what the API says.
    InvalidRequest,
    /// The body is over the limit.
    RequestTooLarge,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The path or method is not served.
    NotFound,
    /// The path is served, with another method.
    MethodNotAllowed,
    /// No endpoint of this key's scope serves the model, or its roles do not reach it.
    ModelNotFound,
    /// A rule refuses.
    PolicyDenied,
    /// Endpoints serve the model and rules exclude every one of them.
    NoEligibleEndpoint,
    /// The roles of who asks do not allow it.
    Forbidden,
    /// The key may not be used from where it is used.
    NetworkNotAllowed,
    /// A hard budget has no room.
    BudgetExceeded,
    /// A limit of requests, tokens, spend or concurrency has no room.
    RateLimited,
    /// The audit log cannot make the decision durable.
    AuditUnavailable,
    /// The client left before anything was sent: nobody gets this refusal, the record tells of it.
    ClientGone,
    /// The server is stopping or has nothing to decide with.
    Unavailable,
    /// A failure at the provider; the text is the label of `providers::UpstreamFailure`.
    Upstream(&'static str, StatusCode),
}

impl Code {
    /// The code in the error body.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "invalid_api_key",
            Self::InvalidRequest => "invalid_request",
            Self::RequestTooLarge => "request_too_large",
            Self::RequestTimeout => "request_timeout",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::ModelNotFound => "model_not_found",
            Self::PolicyDenied => "policy_denied",
            Self::NoEligibleEndpoint => "no_eligible_endpoint",
            Self::Forbidden => "forbidden",
            Self::NetworkNotAllowed => "network_not_allowed",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RateLimited => "rate_limited",
            Self::AuditUnavailable => "audit_unavailable",
            Self::ClientGone => "client_gone",
            Self::Unavailable => "unavailable",
            Self::Upstream(label, _) => label,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidApiKey => StatusCode::UNAUTHORIZED,
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound | Self::ModelNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PolicyDenied | Self::NoEligibleEndpoint | Self::Forbidden | Self::NetworkNotAllowed => {
                StatusCode::FORBIDDEN
            }
            Self::BudgetExceeded | Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            // What proxies log for it; no registered status means this.
            Self::ClientGone => StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            Self::AuditUnavailable | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream(_, status) => status,
        }
    }

    /// What to do about it, where the refusal says nothing more precise.
    fn usual_fix(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "send a virtual key that is in force as `Authorization: Bearer bwk_…`",
            Self::InvalidRequest => "correct what the message names, and send it again",
            Self::RequestTooLarge => "send less in one request",
            Self::RequestTimeout => "send the whole request at once, and try again",
            Self::NotFound | Self::MethodNotAllowed => {
                "compare the base URL and the path with the list in the reference of the HTTP API"
            }
            Self::ModelNotFound => "ask `GET /v1/models` for what this key may use",
            Self::PolicyDenied | Self::NoEligibleEndpoint => {
                "ask those who own the policy; the decision's id is what they need"
            }
            Self::Forbidden => "ask those who give out roles for this scope",
            Self::NetworkNotAllowed => "use the key from a network that it allows, or have that widened",
            Self::BudgetExceeded => "wait for the budget's next window, or ask its owner to raise it",
            Self::RateLimited => "send fewer requests, or try again after the time in `retry-after`",
            Self::AuditUnavailable => "try again: nothing was sent, because it could not be recorded",
            Self::ClientGone => "wait for the answer",
            Self::Unavailable => "try again in a moment",
            Self::Upstream(_, status) if status.is_client_error() => "correct what the provider objects to",
            Self::Upstream(..) => "try again in a moment; the provider failed, not the request",
        }
    }

    /// OpenAI's `type` for it.
    #[must_use]
    pub fn openai_type(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "authentication_error",
            Self::InvalidRequest
            | Self::RequestTooLarge
            | Self::RequestTimeout
            | Self::ClientGone
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::ModelNotFound => "invalid_request_error",
            Self::PolicyDenied | Self::NoEligibleEndpoint | Self::Forbidden | Self::NetworkNotAllowed => {
                "permission_error"
            }
            Self::BudgetExceeded => "insufficient_quota",
            Self::RateLimited => "rate_limit_error",
            Self::AuditUnavailable | Self::Unavailable => "server_error",
            Self::Upstream(_, StatusCode::TOO_MANY_REQUESTS) => "rate_limit_error",
            Self::Upstream(_, status) if status.is_client_error() => "invalid_request_error",
            Self::Upstream(..) => "upstream_error",
        }
    }
}

/// An endpoint that could have served the request, and why it may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// Its name.
    pub endpoint: String,
    /// The rule's id; absent where something other than a rule stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// In words.
    pub reason: String,
}

/// Why a request was not served. Small, because every stage may return it; [`Details`] are behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Details>);

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Which kind.
    pub code: Code,
    /// For the person who reads the client's log, and for the record.
    pub message: String,
    /// What the client is told in place of `message`: it repeats a word of the client's that no record may keep.
    pub told: Option<String>,
    /// The field or header that is at fault.
    pub param: Option<String>,
    /// The decision's id, once there is one.
    pub decision: Option<String>,
    /// Ids of the rules that refused.
    pub rules: Vec<String>,
    /// Endpoints that could have served it.
    pub excluded: Vec<Excluded>,
    /// What to change, or do.
    pub fix: String,
    /// Seconds after which trying again makes sense.
    pub retry_after_s: Option<u64>,
    /// How the limits of the key stand, where they were looked at.
    pub rates: Rates,
}

impl std::ops::Deref for Refusal {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::ops::DerefMut for Refusal {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl Refusal {
    /// A refusal with only a message, and the usual way out of its kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            message: message.into(),
            told: None,
            param: None,
            decision: None,
            rules: Vec::new(),
            excluded: Vec::new(),
            fix: code.usual_fix().to_owned(),
            retry_after_s: None,
            rates: Rates::default(),
        }))
    }

    /// A body or header that is not what the API says.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        let mut refusal = Self::new(Code::InvalidRequest, message);
        refusal.param = Some(param.into());
        refusal
    }

    /// Names what to change.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Names the decision.
    #[must_use]
    pub fn decision(mut self, id: &str) -> Self {
        self.decision = Some(id.to_owned());
        self
    }

    /// Whether a client's library should try again by itself.
    #[must_use]
    pub fn should_retry(&self) -> bool {
        match self.code {
            Code::RateLimited => self.retry_after_s.is_some(),
            Code::AuditUnavailable | Code::Unavailable | Code::RequestTimeout => true,
            Code::Upstream(_, status) => status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
            _ => false,
        }
    }
}
