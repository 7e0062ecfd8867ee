//! The error answers of each service, in the service's own shape.
//!
//! Seen in the open: Mistral's `detail` and `extra_forbidden`
//! (<https://github.com/nextcloud/integration_openai/issues/332>, <https://github.com/editor-code-assistant/eca/issues/231>),
//! Bedrock's `Message` (<https://github.com/ai4s-research/open-science/issues/53>), Azure's `DeploymentNotFound`
//! (<https://github.com/chatboxai/chatbox/issues/646>), vLLM's `NotFoundError`
//! (<https://github.com/vllm-project/vllm/issues/3485>, nested in `error` since 0.10), OpenAI's from
//! <https://platform.openai.com/docs/guides/error-codes>.

use http::StatusCode;
use serde_json::{Value, json};

use crate::providers::Dialect;

/// A refusal before it takes a service's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault<'a> {
    /// No credential.
    NoCredential,
    /// A wrong credential.
    WrongCredential,
    /// A signature that is not that of the request.
    WrongSignature,
    /// A model that is not served.
    UnknownModel(&'a str),
    /// The body is not JSON, or breaks a rule of the API.
    Invalid(&'a str),
    /// Fields that the service does not know (Mistral is strict about them).
    UnknownFields(&'a [String]),
    /// No such path.
    NoRoute,
    /// Any other status, as a test asked for.
    Other(StatusCode),
}

impl Fault<'_> {
    pub(super) fn status(self, dialect: Dialect) -> StatusCode {
        match (self, dialect) {
            (
                Self::NoCredential | Self::WrongCredential | Self::WrongSignature,
                Dialect::Bedrock | Dialect::BedrockConverse,
            ) => StatusCode::FORBIDDEN,
            (Self::NoCredential | Self::WrongCredential | Self::WrongSignature, _) => {
                StatusCode::UNAUTHORIZED
            }
            (Self::UnknownModel(_), Dialect::Mistral | Dialect::Bedrock | Dialect::BedrockConverse)
            | (Self::Invalid(_), _) => StatusCode::BAD_REQUEST,
            (Self::UnknownModel(_) | Self::NoRoute, _) => StatusCode::NOT_FOUND,
            (Self::UnknownFields(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
            (Self::Other(status), _) => status,
        }
    }

    pub(super) fn body(self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::OpenAi | Dialect::Ollama => self.openai(),
            Dialect::Azure => self.azure(),
            Dialect::Bedrock => self.bedrock(),
            Dialect::Mistral => self.mistral(),
            Dialect::Vllm => self.vllm(),
            Dialect::Anthropic => self.anthropic(),
            Dialect::BedrockConverse => json!({ "message": self.converse().1 }),
        }
    }

    fn text(self) -> String {
        match self {
            Self::NoCredential => "You didn't provide an API key.".into(),
            Self::WrongCredential | Self::WrongSignature => "Incorrect API key provided.".into(),
            Self::UnknownModel(model) => format!("The model `{model}` does not exist."),
            Self::Invalid(text) => text.to_owned(),
            Self::UnknownFields(fields) => format!("Unrecognized request arguments: {}", fields.join(", ")),
            Self::NoRoute => "Not Found".into(),
            Self::Other(status) => match status {
                StatusCode::TOO_MANY_REQUESTS => "Rate limit reached for requests".into(),
                status => status.canonical_reason().unwrap_or("Simulated failure").to_owned(),
            },
        }
    }

    fn openai(self) -> Value {
        let (kind, code) = match self {
            Self::NoCredential => ("invalid_request_error", Value::Null),
            Self::WrongCredential => ("invalid_request_error", json!("invalid_api_key")),
            Self::UnknownModel(_) => ("invalid_request_error", json!("model_not_found")),
            Self::Other(StatusCode::TOO_MANY_REQUESTS) => ("requests", json!("rate_limit_exceeded")),
            Self::Other(status) if status.is_server_error() => ("server_error", Value::Null),
            _ => ("invalid_request_error", Value::Null),
        };
        json!({"error": {"message": self.text(), "type": kind, "param": null, "code": code}})
    }

    fn azure(self) -> Value {
        let (code, message) = match self {
            Self::NoCredential | Self::WrongCredential => (
                "401".to_owned(),
                "Access denied due to invalid subscription key or wrong API endpoint.".to_owned(),
            ),
            Self::UnknownModel(_) => (
                "DeploymentNotFound".to_owned(),
                "The API deployment for this resource does not exist.".to_owned(),
            ),
            Self::NoRoute => ("404".to_owned(), "Resource not found".to_owned()),
            other => (other.status(Dialect::Azure).as_u16().to_string(), other.text()),
        };
        json!({"error": {"code": code, "message": message}})
    }

    fn bedrock(self) -> Value {
        match self {
            Self::NoCredential | Self::WrongCredential => {
                json!({"Message": "Authentication failed: Please make sure your API Key is valid."})
            }
            Self::UnknownModel(_) => json!({"error": {
                "message": "The provided model identifier is invalid.",
                "type": "invalid_request_error", "param": null, "code": "validation_error",
            }}),
            other => other.openai(),
        }
    }

    /// The name and the words of an error of Bedrock's own API:
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>.
    pub(super) fn converse(self) -> (&'static str, String) {
        let text = match self {
            Self::NoCredential => String::from("Missing Authentication Token"),
            Self::WrongCredential => String::from("The security token included in the request is invalid."),
            Self::WrongSignature => String::from(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            ),
            Self::UnknownModel(_) => String::from("The provided model identifier is invalid."),
            other => other.text(),
        };
        let name = match self {
            Self::NoCredential => "MissingAuthenticationTokenException",
            Self::WrongCredential => "UnrecognizedClientException",
            Self::WrongSignature => "InvalidSignatureException",
            Self::UnknownModel(_) | Self::Invalid(_) | Self::UnknownFields(_) => "ValidationException",
            Self::NoRoute => "UnknownOperationException",
            Self::Other(status) => match status.as_u16() {
                403 => "AccessDeniedException",
                404 => "ResourceNotFoundException",
                408 => "ModelTimeoutException",
                424 => "ModelErrorException",
                429 => "ThrottlingException",
                503 => "ServiceUnavailableException",
                500.. => "InternalServerException",
                _ => "ValidationException",
            },
        };
        (name, text)
    }

    fn mistral(self) -> Value {
        match self {
            Self::NoCredential | Self::WrongCredential => json!({"detail": "Unauthorized"}),
            Self::NoRoute => json!({"detail": "Not Found"}),
            Self::UnknownModel(model) => json!({
                "object": "error", "message": format!("Invalid model: {model}"),
                "type": "invalid_model", "param": null, "code": "1500",
            }),
            Self::UnknownFields(fields) => {
                let detail: Vec<Value> = fields
                    .iter()
                    .map(|field| {
                        json!({"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted"})
                    })
                    .collect();
                json!({
                    "object": "error", "message": {"detail": detail},
                    "type": "invalid_request_error", "param": null, "code": null,
                })
            }
            other => json!({
                "object": "error", "message": other.text(),
                "type": "invalid_request_error", "param": null, "code": null,
            }),
        }
    }

    fn anthropic(self) -> Value {
        let kind = match self {
            Self::NoCredential | Self::WrongCredential => "authentication_error",
            Self::UnknownModel(_) | Self::NoRoute => "not_found_error",
            Self::Other(StatusCode::TOO_MANY_REQUESTS) => "rate_limit_error",
            Self::Other(status) if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        let message = match self {
            Self::NoCredential => String::from("x-api-key header is required"),
            Self::WrongCredential => String::from("invalid x-api-key"),
            Self::UnknownModel(model) => format!("model: {model}"),
            other => other.text(),
        };
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"})
    }

    fn vllm(self) -> Value {
        if let Self::NoCredential | Self::WrongCredential = self {
            return json!({"error": "Unauthorized"});
        }
        if self == Self::NoRoute {
            return json!({"detail": "Not Found"});
        }
        let (kind, param) = match self {
            Self::UnknownModel(_) => ("NotFoundError", json!("model")),
            Self::Other(status) if status.is_server_error() => ("InternalServerError", Value::Null),
            _ => ("BadRequestError", Value::Null),
        };
        let code = self.status(Dialect::Vllm).as_u16();
        json!({"error": {"message": self.text(), "type": kind, "param": param, "code": code}})
    }
}
