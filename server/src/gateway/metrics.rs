//! What the server measures of itself. Labels are closed sets and names that operators chose, never anything of a
//! request.

use std::sync::LazyLock;

use metrics::{
    Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::refusal::Code;
use super::timeline::{Stage, Timeline};
use crate::budgets::STATEMENTS;
use crate::providers::UpstreamFailure;

const CLOCK_BEHIND: &str = "bailiwick_clock_behind_seconds";
const CLOCK_AHEAD: &str = "bailiwick_clock_ahead_seconds";

/// Names the metrics for `/metrics`.
pub fn describe() {
    describe_histogram!(
        "bailiwick_overhead_seconds",
        Unit::Seconds,
        "Time added to a request, without waiting for the provider and without the commit wait; stage=total or one stage"
    );
    describe_histogram!(
        "bailiwick_commit_wait_seconds",
        Unit::Seconds,
        "Waiting for the durable commit of a request's records before its first attempt"
    );
    describe_histogram!("bailiwick_provider_wait_seconds", Unit::Seconds, "Waiting for the provider");
    describe_counter!("bailiwick_attempts_total", "Attempts by endpoint and result");
    describe_gauge!(
        "bailiwick_policy_refused",
        "1 where the head of the policy's branch is not followed, by what it fails at"
    );
    describe_gauge!(
        CLOCK_BEHIND,
        Unit::Seconds,
        "How far the system clock is behind the time that the server has told: more than a moment, and it was set back"
    );
    describe_gauge!(CLOCK_AHEAD, Unit::Seconds, "How far the system clock was set ahead; it is not followed");
    describe_counter!("bailiwick_refusals_total", "Refusals by code");
    describe_counter!("bailiwick_sign_ins_total", "Sign-ins of people, by way in and result");
    describe_counter!("bailiwick_break_glass_total", "Tries at the break-glass account, by result");
    describe_counter!("bailiwick_alerts_total", "Alerts that this server raised, by kind and severity");
    describe_counter!(
        "bailiwick_alert_messages_total",
        "Tries of this server to send a message about alerts, by channel and result: sent, failed, given_up"
    );
    describe_gauge!(
        "bailiwick_alert_messages_waiting",
        "Messages about alerts that are not sent yet, as the server on duty sees them"
    );
    describe_counter!(
        "bailiwick_shadow_total",
        "Requests that a rule in shadow mode would have changed, by rule and effect"
    );
    describe_counter!(
        STATEMENTS,
        "Statements about budgets: leases asked for, and looks for who is short. Next to none in steady state"
    );
}

/// The histograms of every request: looked up once, not nine times a request.
static SERVED: LazyLock<Served> = LazyLock::new(|| Served {
    total: histogram!("bailiwick_overhead_seconds", "stage" => "total"),
    stages: Stage::ALL.map(|stage| match stage {
        Stage::Record => histogram!("bailiwick_commit_wait_seconds"),
        Stage::Forward => histogram!("bailiwick_provider_wait_seconds"),
        _ => histogram!("bailiwick_overhead_seconds", "stage" => stage.as_str()),
    }),
});

struct Served {
    total: Histogram,
    /// In the order of [`Stage::ALL`].
    stages: [Histogram; Stage::ALL.len()],
}

/// A request was served: how long each stage took.
pub fn served(timeline: &Timeline) {
    let commit = timeline.of(Stage::Record);
    SERVED.total.record(seconds(timeline.overhead_us().saturating_sub(commit)));
    for (stage, histogram) in Stage::ALL.into_iter().zip(&SERVED.stages) {
        histogram.record(seconds(timeline.of(stage)));
    }
}

/// An attempt ended.
pub fn attempt(endpoint: &str, failure: Option<&UpstreamFailure>) {
    let result = failure.map_or("answered", UpstreamFailure::code);
    counter!("bailiwick_attempts_total", "endpoint" => endpoint.to_owned(), "result" => result).increment(1);
}

/// How far the system clock is behind the server's, or has jumped ahead of it, in milliseconds.
pub fn clock(behind_ms: i64, ahead_ms: i64) {
    let seconds = |ms: i64| std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64();
    gauge!(CLOCK_BEHIND).set(seconds(behind_ms));
    gauge!(CLOCK_AHEAD).set(seconds(ahead_ms));
}

/// A rule in shadow mode would have refused a request, kept it from endpoints, or changed how it is handled.
pub fn shadow(rule: &str, effect: &'static str) {
    counter!("bailiwick_shadow_total", "rule" => rule.to_owned(), "effect" => effect).increment(1);
}

/// A request was refused.
pub fn refused(code: Code) {
    counter!("bailiwick_refusals_total", "code" => code.as_str()).increment(1);
}

/// Prometheus measures in seconds.
fn seconds(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64()
}

/// Somebody tried to sign in.
pub fn sign_in(way: &str, result: &'static str) {
    counter!("bailiwick_sign_ins_total", "way" => way.to_owned(), "result" => result).increment(1);
}

/// An alert was raised.
pub fn alert(kind: &str, severity: &str) {
    counter!("bailiwick_alerts_total", "kind" => kind.to_owned(), "severity" => severity.to_owned())
        .increment(1);
}

/// It was tried to send a message about alerts.
pub fn alert_message(channel: &str, result: &'static str) {
    counter!("bailiwick_alert_messages_total", "channel" => channel.to_owned(), "result" => result)
        .increment(1);
}

/// So many messages about alerts are not sent yet.
pub fn alert_messages_waiting(count: u64) {
    gauge!("bailiwick_alert_messages_waiting").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

/// Somebody tried the break-glass account.
pub fn break_glass(result: &'static str) {
    counter!("bailiwick_break_glass_total", "result" => result).increment(1);
}
