//! Everything that can go wrong between the gateway and a provider, by name.
//!
//! A failure carries no URL, header or credential, so that it can be shown, logged and counted as it is. Three
//! questions are answered here for every variant, exhaustively: may another endpoint be tried
//! ([`UpstreamFailure::may_fall_back`]), may tokens have been used ([`UpstreamFailure::may_have_cost`]), and what
//! does the client get ([`UpstreamFailure::client_status`], [`UpstreamFailure::code`], `Display`).

use std::time::Duration;

use http::StatusCode;

use crate::outbound::ConnectError;

/// One failed attempt at one endpoint. `Display` is the external message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamFailure {
    /// No connection: name not found, refused, unreachable.
    #[error("the provider could not be reached")]
    Connect,
    /// Its address is one that the server may not reach.
    #[error("the provider's address is not one that this server may reach")]
    Forbidden,
    /// No connection within the connect limit.
    #[error("the provider did not accept a connection in time")]
    ConnectTimeout,
    /// The TLS handshake failed; most often a certificate that the configured roots do not vouch for.
    #[error("no trusted TLS connection to the provider could be made")]
    Tls,
    /// Connected, but no byte of an answer came within the limit.
    #[error("the provider did not begin to answer in time")]
    FirstByteTimeout,
    /// The answer stopped for longer than the limit between two chunks.
    #[error("the provider stopped sending in the middle of its answer")]
    IdleTimeout,
    /// The whole answer took longer than the limit.
    #[error("the provider took longer than the limit for a whole answer")]
    TotalTimeout,
    /// The connection broke after the request was handed over and before the answer began.
    #[error("the provider closed the connection without an answer")]
    Closed,
    /// The connection broke after the answer began, or ended before its stated length.
    #[error("the provider's answer broke off")]
    DiedMidStream,
    /// The answer, or one event of it, was larger than the limit.
    #[error("the provider's answer was larger than the limit")]
    TooLarge,
    /// The answer was not what the protocol says: not HTTP, not JSON, no event stream, wrong content type or encoding.
    #[error("the provider's answer was malformed: {0}")]
    Malformed(Malformed),
    /// The provider reported an error inside a stream that had begun with success.
    #[error("the provider reported an error in the middle of its answer")]
    ErrorInStream,
    /// The provider answered with a status other than success.
    #[error("{0}")]
    Status(Refusal),
    /// The answer held the gateway's own credential and was withheld.
    #[error("the provider's answer held a credential and was withheld")]
    CredentialEcho,
}

/// What about an answer was malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes that are not an HTTP response.
    #[error("it was not HTTP")]
    Http,
    /// A body or event that is not the JSON of the protocol.
    #[error("it was not the expected JSON")]
    Json,
    /// A stream that is not one of events, or damaged, or that ended without its last event.
    #[error("it was not a whole event stream")]
    EventStream,
    /// An answer that the client's own API has no words for.
    #[error("it held something that cannot be said in the API that was called")]
    Untranslatable,
    /// A content type other than the one asked for.
    #[error("it had an unexpected content type")]
    ContentType,
    /// A content encoding that was not asked for, so that the content could not be inspected.
    #[error("it had an unexpected content encoding")]
    ContentEncoding,
}

/// A provider's answer with a status other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status as the provider sent it.
    pub status: StatusCode,
    /// How long to wait, where the provider said so.
    pub retry_after: Option<Duration>,
    /// The provider's own words, only where they concern the client's request (400, 413, 422): credentials
    /// removed, length bounded. Words about our account, model deployments or outages are not passed on.
    pub message: Option<String>,
    /// The provider's error type or code, bounded to identifier characters.
    pub kind: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status.as_u16();
        match (&self.message, status) {
            (Some(message), _) => write!(f, "the provider refused the request ({status}): {message}"),
            (None, 401 | 403) => {
                write!(f, "the provider refused the gateway's credential for this endpoint ({status})")
            }
            (None, 404) => write!(f, "the provider does not know the model of this endpoint (404)"),
            (None, 429) => write!(f, "the provider limits the rate of this endpoint (429)"),
            (None, 300..=399) => write!(f, "the provider sent a redirect, which is not followed ({status})"),
            (None, 424 | 500..) => write!(f, "the provider failed ({status})"),
            (None, _) => write!(f, "the provider refused the request ({status})"),
        }
    }
}

impl Refusal {
    /// Whether the provider objects to the request itself, so that any other endpoint would too.
    pub fn is_about_the_request(&self) -> bool {
        matches!(self.status.as_u16(), 400 | 413 | 415 | 422)
    }
}

impl UpstreamFailure {
    /// Whether another eligible endpoint may be tried. Never once a byte of the answer went to the client.
    pub fn may_fall_back(&self, client_has_bytes: bool) -> bool {
        !client_has_bytes
            && match self {
                Self::Status(refusal) => !refusal.is_about_the_request(),
                Self::Connect
                | Self::Forbidden
                | Self::ConnectTimeout
                | Self::Tls
                | Self::FirstByteTimeout
                | Self::IdleTimeout
                | Self::Closed
                | Self::DiedMidStream
                | Self::TooLarge
                | Self::Malformed(_)
                | Self::ErrorInStream
                | Self::CredentialEcho => true,
                // The client's time is used up; a second endpoint has none left.
                Self::TotalTimeout => false,
            }
    }

    /// Whether the provider may have used tokens. `false` only where that is certain; settlement keeps the whole
    /// reservation otherwise.
    pub fn may_have_cost(&self) -> bool {
        match self {
            Self::Connect | Self::Forbidden | Self::ConnectTimeout | Self::Tls => false,
            // A 4xx or a redirect is decided before a model runs; a 5xx may be a gateway in front of one that did.
            // 408 and 424 are Bedrock's, where a model ran too long or failed.
            Self::Status(refusal) => {
                refusal.status.is_server_error() || matches!(refusal.status.as_u16(), 408 | 424)
            }
            Self::FirstByteTimeout
            | Self::IdleTimeout
            | Self::TotalTimeout
            | Self::Closed
            | Self::DiedMidStream
            | Self::TooLarge
            | Self::Malformed(_)
            | Self::ErrorInStream
            | Self::CredentialEcho => true,
        }
    }

    /// Whether the endpoint, not the request, is at fault: what its health is lowered by.
    pub fn blames_endpoint(&self) -> bool {
        !matches!(self, Self::Status(refusal) if refusal.is_about_the_request())
    }

    /// The status that the client gets: 504 for time, the provider's own where it concerns the request or a rate,
    /// 502 for the rest.
    pub fn client_status(&self) -> StatusCode {
        match self {
            Self::ConnectTimeout | Self::FirstByteTimeout | Self::IdleTimeout | Self::TotalTimeout => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Status(refusal) if refusal.is_about_the_request() => refusal.status,
            Self::Status(refusal) if refusal.status == StatusCode::TOO_MANY_REQUESTS => refusal.status,
            Self::Connect
            | Self::Forbidden
            | Self::Tls
            | Self::Closed
            | Self::DiedMidStream
            | Self::TooLarge
            | Self::Malformed(_)
            | Self::ErrorInStream
            | Self::Status(_)
            | Self::CredentialEcho => StatusCode::BAD_GATEWAY,
        }
    }

    /// The error code of the external contract and the label in metrics: a small fixed set.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect => "upstream_unreachable",
            Self::Forbidden => "upstream_address_forbidden",
            Self::ConnectTimeout => "upstream_connect_timeout",
            Self::Tls => "upstream_tls",
            Self::FirstByteTimeout => "upstream_timeout",
            Self::IdleTimeout => "upstream_stalled",
            Self::TotalTimeout => "upstream_total_timeout",
            Self::Closed => "upstream_closed",
            Self::DiedMidStream => "upstream_broke_off",
            Self::TooLarge => "upstream_too_large",
            Self::Malformed(_) => "upstream_malformed",
            Self::ErrorInStream => "upstream_error_in_stream",
            Self::CredentialEcho => "upstream_credential_echo",
            Self::Status(refusal) => match refusal.status.as_u16() {
                401 | 403 => "upstream_credential_refused",
                404 => "upstream_model_unknown",
                429 => "upstream_rate_limited",
                300..=399 => "upstream_redirect",
                424 | 500.. => "upstream_failed",
                _ => "upstream_refused",
            },
        }
    }

    /// How long to wait before trying this endpoint again, where the provider said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status(refusal) => refusal.retry_after,
            _ => None,
        }
    }
}

impl From<ConnectError> for UpstreamFailure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Timeout => Self::ConnectTimeout,
            ConnectError::Tls => Self::Tls,
            ConnectError::Unreachable => Self::Connect,
            ConnectError::Forbidden(_) => Self::Forbidden,
        }
    }
}
