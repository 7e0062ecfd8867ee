use http::{HeaderMap, HeaderName, HeaderValue};

use crate::providers::{
    AuthStyle, Dialect, Operation, Secret, Target, TargetSpec,
    target::{Limits, TargetError},
};

fn spec(base_url: &str) -> TargetSpec {
    TargetSpec::new(Dialect::OpenAi, base_url, Some(Secret::new("sk-distinctive".into())), "m")
}

fn refusal(spec: TargetSpec) -> TargetError {
    Target::new(spec).unwrap_err()
}

#[test]
fn addresses_of_every_dialect() {
    for (dialect, expected) in [
        (Dialect::OpenAi, "https://host:8443/v1/chat/completions"),
        (Dialect::Azure, "https://host:8443/openai/v1/chat/completions"),
        (Dialect::Bedrock, "https://host:8443/openai/v1/chat/completions"),
        (Dialect::Mistral, "https://host:8443/v1/chat/completions"),
        (Dialect::Vllm, "https://host:8443/v1/chat/completions"),
        (Dialect::Ollama, "https://host:8443/v1/chat/completions"),
    ] {
        let key = Some(Secret::new("k".into()));
        let target = Target::new(TargetSpec::new(dialect, "https://host:8443/", key, "m")).unwrap();
        assert_eq!(target.address(Operation::ChatCompletions), expected);
    }
    let mut own = spec("https://host/team/");
    own.path_prefix = Some(String::new());
    assert_eq!(Target::new(own).unwrap().address(Operation::Embeddings), "https://host/team/embeddings");
}

#[test]
fn unsafe_addresses_are_refused() {
    assert_eq!(refusal(spec("https://user:pw@host")), TargetError::UserInfo);
    assert_eq!(refusal(spec("https://host/?key=1")), TargetError::Query);
    assert_eq!(refusal(spec("https://host/#x")), TargetError::Query);
    for url in ["", "host", "/v1", "ftp://host", "https://", "host:443"] {
        assert_eq!(refusal(spec(url)), TargetError::BaseUrl, "{url}");
    }
}

#[test]
fn a_credential_travels_in_clear_only_on_this_machine() {
    assert_eq!(refusal(spec("http://10.0.0.1:8000")), TargetError::PlainHttp);
    assert_eq!(refusal(spec("http://localhost.example.org")), TargetError::PlainHttp);
    for url in ["http://127.0.0.1:1", "http://localhost", "http://[::1]:1"] {
        assert!(Target::new(spec(url)).is_ok(), "{url}");
    }
    let mut allowed = spec("http://10.0.0.1:8000");
    allowed.allow_plain_http = true;
    assert!(Target::new(allowed).is_ok());
    assert!(Target::new(TargetSpec::new(Dialect::Vllm, "http://10.0.0.1", None, "m")).is_ok());
}

#[test]
fn credentials_are_needed_usable_and_silent() {
    let mut missing = spec("https://host");
    missing.credential = None;
    missing.auth = Some(AuthStyle::Bearer);
    assert_eq!(refusal(missing), TargetError::MissingCredential);
    let mut broken = spec("https://host");
    broken.credential = Some(Secret::new("sk-distinctive\n".into()));
    assert_eq!(refusal(broken), TargetError::CredentialCharacters);
    let target = Target::new(spec("https://host")).unwrap();
    assert!(!format!("{target:?}").contains("distinctive"));
}

#[test]
fn headers_that_the_gateway_owns_cannot_be_configured() {
    for name in ["authorization", "host", "x-bailiwick-user", "cookie", "transfer-encoding", "x-api-key"] {
        let name = HeaderName::from_static(name);
        let mut forwarding = spec("https://host");
        forwarding.forward_headers = vec![name.clone()];
        assert_eq!(refusal(forwarding), TargetError::Header(name.clone()));
        let mut extra = spec("https://host");
        extra.extra_headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("x"))]);
        assert_eq!(refusal(extra), TargetError::Header(name));
    }
}

#[test]
fn no_limit_may_be_zero_and_no_model_empty() {
    let mut zero = spec("https://host");
    zero.limits = Limits { max_body_bytes: 0, ..Limits::default() };
    assert_eq!(refusal(zero), TargetError::ZeroLimit);
    let (total, for_ever) = (Limits::default().total, std::time::Duration::from_secs(u64::MAX));
    for limits in [
        Limits { first_byte: for_ever, ..Limits::default() },
        Limits { idle: total + std::time::Duration::from_secs(1), ..Limits::default() },
    ] {
        let mut long = spec("https://host");
        long.limits = limits;
        assert_eq!(refusal(long), TargetError::LongLimit(total));
    }
    let mut nameless = spec("https://host");
    nameless.upstream_model = String::new();
    assert_eq!(refusal(nameless), TargetError::Model);
}

#[test]
fn an_event_that_tells_all_of_an_answer_may_be_as_long_as_one() {
    let limits = Limits { max_body_bytes: 1 << 20, max_event_bytes: 1 << 16, ..Limits::default() };
    assert_eq!(limits.event_bytes(Operation::Responses), 1 << 20);
    assert_eq!(limits.event_bytes(Operation::ChatCompletions), 1 << 16);
    assert_eq!(limits.event_bytes(Operation::Messages), 1 << 16);
    let limits = Limits { max_body_bytes: 1, ..limits };
    assert_eq!(limits.event_bytes(Operation::Responses), 1 << 16);
}
