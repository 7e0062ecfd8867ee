//! One place to send to, compiled once from an endpoint's configuration.
//!
//! Everything that a request would otherwise compute again (addresses, the credential's header value) is made
//! here, and whatever would make a request unsafe is refused here: a URL with a user name or a query in it, a
//! credential over plain HTTP to another machine, an extra header that the gateway must set itself.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::aws::{self, AwsCredential, Keys};
use super::{identity::ClientIdentity, openai::Dialect, presets::Preset, secret::Secret, wire::Operation};

/// How a credential is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthStyle {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `api-key: …`, Azure's header for resource keys.
    ApiKeyHeader,
    /// `x-api-key: …`, Anthropic's.
    XApiKeyHeader,
    /// AWS's: a signature by an access key, or an Amazon Bedrock API key as a bearer token.
    Aws,
    /// No credential.
    None,
}

/// Limits of one attempt. A limit of zero is refused, not "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From handing over the request to the first byte of the answer's **body**, connecting included.
    pub first_byte: Duration,
    /// Between two chunks of the body.
    pub idle: Duration,
    /// From handing over the request to the end of the answer.
    pub total: Duration,
    /// Bytes of the body of a successful answer.
    pub max_body_bytes: u64,
    /// Bytes of one event of a stream.
    pub max_event_bytes: usize,
    /// Bytes that are read of the body of an error answer; the rest is dropped.
    pub max_error_bytes: usize,
}

impl Default for Limits {
    /// 60 s to the first byte, 60 s between chunks, 15 minutes in all; 64 MiB, 4 MiB an event, 64 KiB of an error.
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(15 * 60),
            max_body_bytes: 64 * 1024 * 1024,
            max_event_bytes: 4 * 1024 * 1024,
            max_error_bytes: 64 * 1024,
        }
    }
}

impl Limits {
    /// Bytes of one event of a stream of an operation. The last event of a response tells all of the answer once more, be it a
    /// picture, so it may be as long as an answer.
    #[must_use]
    pub fn event_bytes(&self, operation: Operation) -> usize {
        match operation {
            Operation::Responses => {
                self.max_event_bytes.max(usize::try_from(self.max_body_bytes).unwrap_or(usize::MAX))
            }
            Operation::ChatCompletions
            | Operation::Embeddings
            | Operation::Messages
            | Operation::CountTokens => self.max_event_bytes,
        }
    }
}

/// What an endpoint's configuration says about its wire.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// Which dialect the service speaks.
    pub dialect: Dialect,
    /// Scheme, host, port, and an optional path that comes before `path_prefix`; empty for the preset's own.
    pub base_url: String,
    /// Which service it is, where its own ways are known.
    pub preset: Option<Preset>,
    /// Whether the service has `/responses` itself; of one that speaks OpenAI's API only.
    pub responses: bool,
    /// `None` for the dialect's own prefix (`/v1`, `/openai/v1`).
    pub path_prefix: Option<String>,
    /// The certificate that is presented to a service that asks for mutual TLS.
    pub identity: Option<ClientIdentity>,
    /// The credential; needed unless `auth` is [`AuthStyle::None`].
    pub credential: Option<Secret>,
    /// `None` for the dialect's own style.
    pub auth: Option<AuthStyle>,
    /// The model, deployment or profile as the service names it.
    pub upstream_model: String,
    /// The Region that requests are sent to, where it is declared.
    pub region: Option<String>,
    /// Limits of an attempt.
    pub limits: Limits,
    /// Headers that are sent with every request.
    pub extra_headers: HeaderMap,
    /// The client's headers that may be sent on. Empty unless an operator says otherwise.
    pub forward_headers: Vec<HeaderName>,
    /// Allows `http://` with a credential to a host that is not this machine.
    pub allow_plain_http: bool,
}

impl TargetSpec {
    /// A target with the dialect's own settings and default limits.
    pub fn new(
        dialect: Dialect,
        base_url: impl Into<String>,
        credential: Option<Secret>,
        upstream_model: impl Into<String>,
    ) -> Self {
        Self {
            dialect,
            base_url: base_url.into(),
            preset: None,
            responses: false,
            path_prefix: None,
            identity: None,
            auth: credential.is_none().then_some(AuthStyle::None),
            credential,
            upstream_model: upstream_model.into(),
            region: None,
            limits: Limits::default(),
            extra_headers: HeaderMap::new(),
            forward_headers: Vec::new(),
            allow_plain_http: false,
        }
    }
}

/// A compiled target: cheap to use for every request, impossible to make unsafe.
#[derive(Debug, Clone)]
pub struct Target {
    dialect: Dialect,
    preset: Option<Preset>,
    chat: Uri,
    /// Where the service has it.
    responses: Option<Uri>,
    embeddings: Uri,
    messages: Uri,
    count_tokens: Uri,
    models: Uri,
    /// Of Bedrock's own API: a whole answer, one in events, a count of tokens.
    converse: [Uri; 3],
    auth: Option<(HeaderName, HeaderValue)>,
    /// What requests are signed with, and for which Region.
    aws: Option<(Keys, String)>,
    identity: Option<ClientIdentity>,
    credential: Option<Secret>,
    upstream_model: String,
    limits: Limits,
    extra_headers: HeaderMap,
    forward_headers: Vec<HeaderName>,
}

/// Why an endpoint's configuration makes no target. Holds no part of the URL's user info or of the credential.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an absolute `http` or `https` URL.
    #[error("base_url must be an absolute http or https URL, such as https://api.openai.com")]
    BaseUrl,
    /// A preset of a service that speaks another API.
    #[error("a preset is of a service that speaks OpenAI's API: set `dialect: openai`")]
    Preset,
    /// The URL holds a user name or password.
    #[error("base_url must not hold a user name or password: put the credential into `credential`")]
    UserInfo,
    /// The URL holds a query.
    #[error("base_url must not hold a query")]
    Query,
    /// A credential would travel in clear.
    #[error(
        "base_url is plain http to another machine, which would send the credential in clear: use https, or set allow_plain_http"
    )]
    PlainHttp,
    /// The auth style needs a credential and there is none.
    #[error("this endpoint needs a credential, or `auth: none`")]
    MissingCredential,
    /// The credential has characters that no header can hold.
    #[error("the credential holds characters that an HTTP header cannot carry (a line break?)")]
    CredentialCharacters,
    /// A header that the gateway sets itself, or that must not cross a hop.
    #[error("header `{0}` is set by the gateway itself or belongs to one hop: remove it from the endpoint")]
    Header(HeaderName),
    /// A credential of AWS that is none.
    #[error(
        "the credential is no access key of AWS: it is `AKID:SECRET` or `AKID:SECRET:TOKEN`, or the JSON with `AccessKeyId` and `SecretAccessKey` that AWS's tools print; or an Amazon Bedrock API key"
    )]
    AwsKeys,
    /// No Region to sign for.
    #[error(
        "a request is signed for a Region: declare it as the profile's `source_region`, or use a host that names it, such as https://bedrock-runtime.eu-central-1.amazonaws.com"
    )]
    NoRegion,
    /// A Region other than the host's.
    #[error("base_url is a host of the Region {host}, and the profile's `source_region` is another")]
    OtherRegion {
        /// The host's.
        host: String,
    },
    /// A limit is zero.
    #[error("limits must be greater than zero")]
    ZeroLimit,
    /// A time limit beyond what a whole answer may take.
    #[error("a time limit must not be longer than a whole answer may take, {} seconds", .0.as_secs())]
    LongLimit(std::time::Duration),
    /// No model name.
    #[error("upstream_model must not be empty")]
    Model,
}

impl Target {
    /// Compiles and checks a specification.
    ///
    /// # Errors
    /// [`TargetError`] names the setting to change.
    pub fn new(spec: TargetSpec) -> Result<Self, TargetError> {
        let known = spec.preset.map(Preset::known);
        if known.is_some() && !Dialect::OPENAI_COMPATIBLE.contains(&spec.dialect) {
            return Err(TargetError::Preset);
        }
        let own = Some(spec.base_url.as_str()).filter(|url| !url.is_empty());
        let base_url = own.or(known.map(|known| known.base_url)).unwrap_or_default();
        let base: Uri = base_url.parse().map_err(|_| TargetError::BaseUrl)?;
        let authority = base.authority().ok_or(TargetError::BaseUrl)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        if base.query().is_some() || base_url.contains('#') {
            return Err(TargetError::Query);
        }
        let auth_style = spec.auth.unwrap_or(spec.dialect.auth());
        let plain = match base.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err(TargetError::BaseUrl),
        };
        if plain && auth_style != AuthStyle::None && !spec.allow_plain_http && !is_loopback(authority.host())
        {
            return Err(TargetError::PlainHttp);
        }
        if spec.upstream_model.is_empty() {
            return Err(TargetError::Model);
        }
        check_limits(&spec.limits)?;
        for name in spec.extra_headers.keys().chain(&spec.forward_headers) {
            if is_reserved(name) {
                return Err(TargetError::Header(name.clone()));
            }
        }
        let of_service = known.map_or(spec.dialect.path_prefix(), |known| known.path);
        let prefix = spec.path_prefix.as_deref().unwrap_or(of_service);
        let root = format!("{}/{}", base_url.trim_end_matches('/'), prefix.trim_matches('/'));
        let root = root.trim_end_matches('/');
        let address = |path: &str| format!("{root}/{path}").parse().map_err(|_| TargetError::BaseUrl);
        let region = region(&spec, authority.host())?;
        let mut credential = if auth_style == AuthStyle::None { None } else { spec.credential };
        let (auth, aws) = match auth_style {
            AuthStyle::Aws => {
                let given = credential.take().ok_or(TargetError::MissingCredential)?;
                match AwsCredential::read(&given).ok_or(TargetError::AwsKeys)? {
                    AwsCredential::ApiKey(key) => {
                        let auth = auth_header(AuthStyle::Bearer, Some(&key))?;
                        credential = Some(key);
                        (auth, None)
                    }
                    AwsCredential::Keys(keys) => {
                        credential = Some(keys.secret().clone());
                        (None, Some((keys, region.ok_or(TargetError::NoRegion)?)))
                    }
                }
            }
            style => (auth_header(style, credential.as_ref())?, None),
        };
        let model = percent_encoded(&spec.upstream_model);
        let converse = |path: &str| address(&format!("model/{model}/{path}"));
        Ok(Self {
            dialect: spec.dialect,
            preset: spec.preset,
            chat: address("chat/completions")?,
            responses: (spec.responses && Dialect::OPENAI_COMPATIBLE.contains(&spec.dialect))
                .then(|| address("responses"))
                .transpose()?,
            embeddings: address("embeddings")?,
            messages: address("messages")?,
            count_tokens: address("messages/count_tokens")?,
            models: address("models")?,
            converse: [converse("converse")?, converse("converse-stream")?, converse("count-tokens")?],
            auth,
            aws,
            identity: spec.identity,
            credential,
            upstream_model: spec.upstream_model,
            limits: spec.limits,
            extra_headers: spec.extra_headers,
            forward_headers: spec.forward_headers,
        })
    }

    /// Which dialect the service speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Which service it is, where its own ways are known.
    pub fn preset(&self) -> Option<Preset> {
        self.preset
    }

    /// The address of an operation.
    pub fn address(&self, operation: Operation) -> &Uri {
        match operation {
            Operation::ChatCompletions => &self.chat,
            // One that has none gets chats.
            Operation::Responses => self.responses.as_ref().unwrap_or(&self.chat),
            Operation::Embeddings => &self.embeddings,
            Operation::Messages => &self.messages,
            Operation::CountTokens => &self.count_tokens,
        }
    }

    /// Whether the service has `/responses` itself.
    pub fn has_responses(&self) -> bool {
        self.responses.is_some()
    }

    /// The address of the service's list of models.
    pub fn models(&self) -> &Uri {
        &self.models
    }

    /// Of Bedrock's own API: the address of a chat.
    pub(super) fn converse(&self, stream: bool) -> &Uri {
        let [whole, events, _] = &self.converse;
        if stream { events } else { whole }
    }

    /// Of Bedrock's own API: the address of a count of tokens.
    pub(super) fn converse_count(&self) -> &Uri {
        let [_, _, count] = &self.converse;
        count
    }

    /// What requests are signed with, and for which Region.
    pub(super) fn aws(&self) -> Option<(&Keys, &str)> {
        self.aws.as_ref().map(|(keys, region)| (keys, region.as_str()))
    }

    /// The model as the service names it.
    pub fn upstream_model(&self) -> &str {
        &self.upstream_model
    }

    /// Limits of an attempt.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The credential, to look for it in what comes back; of an access key the part that is secret.
    pub fn credential(&self) -> Option<&Secret> {
        self.credential.as_ref()
    }

    /// The certificate that is presented.
    pub fn identity(&self) -> Option<&ClientIdentity> {
        self.identity.as_ref()
    }

    /// The credential's header, marked sensitive.
    pub(super) fn auth(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.auth.as_ref()
    }

    /// Headers for every request: the endpoint's own, and those of the client's that it lists.
    pub(super) fn headers(&self, client: &HeaderMap) -> HeaderMap {
        let mut headers = self.extra_headers.clone();
        for name in &self.forward_headers {
            for value in client.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        headers
    }
}

fn check_limits(limits: &Limits) -> Result<(), TargetError> {
    let zero = limits.first_byte.is_zero()
        || limits.idle.is_zero()
        || limits.total.is_zero()
        || limits.max_body_bytes == 0
        || limits.max_event_bytes == 0
        || limits.max_error_bytes == 0;
    if zero {
        return Err(TargetError::ZeroLimit);
    }
    let longest = Limits::default().total;
    if limits.first_byte.max(limits.idle).max(limits.total) > longest {
        return Err(TargetError::LongLimit(longest));
    }
    Ok(())
}

fn auth_header(
    style: AuthStyle,
    credential: Option<&Secret>,
) -> Result<Option<(HeaderName, HeaderValue)>, TargetError> {
    let (name, scheme) = match style {
        AuthStyle::None => return Ok(None),
        AuthStyle::Bearer | AuthStyle::Aws => (header::AUTHORIZATION, "Bearer "),
        AuthStyle::ApiKeyHeader => (HeaderName::from_static("api-key"), ""),
        AuthStyle::XApiKeyHeader => (HeaderName::from_static("x-api-key"), ""),
    };
    let credential = credential.filter(|c| !c.expose().is_empty()).ok_or(TargetError::MissingCredential)?;
    let text = zeroize::Zeroizing::new(format!("{scheme}{}", credential.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| TargetError::CredentialCharacters)?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

/// The Region of a target at AWS: of its host, or as declared. One that is not the host's is refused, because what is
/// known of an endpoint is known of its Region.
fn region(spec: &TargetSpec, host: &str) -> Result<Option<String>, TargetError> {
    if !matches!(spec.dialect, Dialect::Bedrock | Dialect::BedrockConverse) {
        return Ok(None);
    }
    match (aws::region_of(host), &spec.region) {
        (Some(host), Some(declared)) if host != declared => {
            Err(TargetError::OtherRegion { host: host.to_owned() })
        }
        (Some(host), _) => Ok(Some(host.to_owned())),
        (None, declared) => Ok(declared.clone()),
    }
}

/// As a segment of a path: all but RFC 3986's unreserved characters, so that a model's `:` and an ARN's `/` are encoded.
fn percent_encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Headers that the gateway sets itself, that carry a credential or identity of the client, or that belong to one
/// hop (RFC 9110 section 7.6.1).
fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: &[&str] = &[
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "api-key",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-amz-date",
        "x-amz-security-token",
        "x-api-key",
    ];
    let name = name.as_str();
    RESERVED.contains(&name) || name.starts_with("x-bailiwick-") || name.starts_with("x-forwarded-")
}
