use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};

use crate::providers::{
    Dialect, OpenAiWire, Secret, Target, TargetSpec, UpstreamFailure, Wire, failure::Refusal,
};

fn read(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Refusal {
    let key = Some(Secret::new("sk-distinctive".into()));
    let target = Target::new(TargetSpec::new(Dialect::OpenAi, "https://host", key, "m")).unwrap();
    let headers: HeaderMap =
        headers.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
    let status = StatusCode::from_u16(status).unwrap();
    match OpenAiWire.refusal(&target, status, &headers, body.as_bytes()) {
        UpstreamFailure::Status(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_about_the_request_are_passed_on_in_every_shape() {
    for (body, expected) in [
        (r#"{"error":{"message":"Too long.","type":"t","code":"context_length_exceeded"}}"#, "Too long."),
        (r#"{"error":"Too long."}"#, "Too long."),
        (r#"{"object":"error","message":"Too long.","type":"t"}"#, "Too long."),
        (r#"{"Message":"Too long."}"#, "Too long."),
        (r#"{"detail":"Too long."}"#, "Too long."),
        (
            r#"{"message":{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"x"],"msg":"No.","input":"DISTINCTIVE"}]}}"#,
            "body > messages > 0 > x: No.",
        ),
    ] {
        assert_eq!(read(400, &[], body).message.as_deref(), Some(expected), "{body}");
    }
}

#[test]
fn words_about_us_are_not() {
    for status in [401, 403, 404, 429, 500, 503] {
        let refusal = read(status, &[], r#"{"error":{"message":"Account org-acme owes $5","code":"c"}}"#);
        assert_eq!(refusal.message, None, "{status}");
        assert!(!refusal.to_string().contains("org-acme"));
    }
}

#[test]
fn a_credential_in_the_words_withholds_them() {
    let refusal =
        read(400, &[], r#"{"error":{"message":"Bad key sk-distinctive.","code":"sk-distinctive"}}"#);
    assert_eq!((refusal.message.clone(), refusal.kind.clone()), (None, None));
    assert!(!format!("{refusal:?}{refusal}").contains("distinctive"));
}

#[test]
fn anything_may_be_in_the_body() {
    for body in ["", "null", "[]", "<html>", "{\"error\":7}", "{\"error\":{\"message\":[1]}}", "\u{0}"] {
        let refusal = read(400, &[], body);
        assert!(
            refusal.to_string().starts_with("the provider refused the request (400)"),
            "{body}: {refusal}"
        );
    }
    let long = format!(r#"{{"error":{{"message":"{}\u0007"}}}}"#, "ü".repeat(5_000));
    assert_eq!(read(400, &[], &long).message.unwrap().chars().count(), 1_000);
    assert_eq!(read(400, &[], r#"{"error":{"message":"m","code":"two words"}}"#).kind, None);
}

#[test]
fn waits_are_read_and_bounded() {
    let wait = |name, value| read(429, &[(name, value)], "{}").retry_after;
    assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(wait("retry-after-ms", "250"), Some(Duration::from_millis(250)));
    assert_eq!(wait("retry-after", "99999999"), Some(Duration::from_secs(3_600)));
    for odd in ["-1", "1.5", "Sun, 22 Nov 2026 10:00:00 GMT", ""] {
        assert_eq!(wait("retry-after", odd), None, "{odd}");
    }
}

#[test]
fn what_follows_from_a_status() {
    let failure = |status| UpstreamFailure::Status(read(status, &[], "{}"));
    for (status, fall_back, cost, client, code) in [
        (400, false, false, 400, "upstream_refused"),
        (401, true, false, 502, "upstream_credential_refused"),
        (404, true, false, 502, "upstream_model_unknown"),
        (422, false, false, 422, "upstream_refused"),
        (429, true, false, 429, "upstream_rate_limited"),
        (307, true, false, 502, "upstream_redirect"),
        (500, true, true, 502, "upstream_failed"),
        (529, true, true, 502, "upstream_failed"),
    ] {
        let failure = failure(status);
        assert_eq!(failure.may_fall_back(false), fall_back, "{status}");
        assert!(!failure.may_fall_back(true));
        assert_eq!(failure.may_have_cost(), cost, "{status}");
        assert_eq!(failure.client_status().as_u16(), client, "{status}");
        assert_eq!(failure.code(), code, "{status}");
    }
}
