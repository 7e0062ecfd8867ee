//! Whom an alert is told, and when.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::config::{AlertsConfig, QuietConfig, RouteConfig};
use super::event::Event;
use super::kind::Severity;
use crate::store::alerts::NewMessage;

const MINUTE_MS: i64 = 60_000;

/// The messages of an event: one for each channel and address that a route leads to, at the earliest time that one says.
pub(super) fn messages(config: &AlertsConfig, event: &Event, now_ms: i64) -> Vec<NewMessage> {
    let mut times: BTreeMap<(&str, &str), (i64, bool)> = BTreeMap::new();
    for route in config.route.iter().filter(|route| matches(route, event)) {
        let time = time(route, event.severity, now_ms);
        for channel in &route.channels {
            for target in targets(config, channel) {
                let known = times.entry((channel.as_str(), target)).or_insert(time);
                *known = (*known).min(time);
            }
        }
    }
    let message = |((channel, target), (next_ms, collects)): ((&str, &str), (i64, bool))| NewMessage {
        id: id("msg"),
        channel: channel.to_owned(),
        target: target.to_owned(),
        next_ms,
        collects_until_ms: collects.then_some(next_ms),
    };
    times.into_iter().map(message).collect()
}

/// A name that nothing else has, and that sorts by its time.
pub(super) fn id(of: &str) -> String {
    format!("{of}_{}", uuid::Uuid::now_v7().simple())
}

fn matches(route: &RouteConfig, event: &Event) -> bool {
    let covers = bailiwick_policy::scope::covers;
    let concerns = covers(&route.scope, &event.scope)
        || event.kind.concerns_below() && covers(&event.scope, &route.scope);
    concerns
        && event.severity >= route.severity
        && (route.kinds.is_empty() || route.kinds.contains(&event.kind))
}

/// The addresses of a channel, or nothing in the place of its one.
fn targets<'a>(config: &'a AlertsConfig, channel: &str) -> Vec<&'a str> {
    match config.mail.iter().find(|mail| mail.name == channel) {
        Some(mail) => mail.to.iter().map(String::as_str).collect(),
        None => vec![""],
    }
}

/// When a route tells of it, and whether in one message with others.
fn time(route: &RouteConfig, severity: Severity, now_ms: i64) -> (i64, bool) {
    if severity == Severity::Critical {
        return (now_ms, false);
    }
    let gathered = now_ms.saturating_add(i64::from(route.digest_minutes).saturating_mul(MINUTE_MS));
    // Quiet is when it would be told, which is later than when it happens.
    let at = route.quiet.as_ref().and_then(|quiet| quiet_until(quiet, gathered)).unwrap_or(gathered);
    (at, at > now_ms)
}

/// The end of the quiet hours that an instant lies in.
fn quiet_until(quiet: &QuietConfig, now_ms: i64) -> Option<i64> {
    let now: DateTime<Utc> = DateTime::from_timestamp_millis(now_ms)?;
    let here = now.with_timezone(&quiet.zone.0);
    let (time, today) = (here.time(), here.date_naive());
    let (from, to) = (quiet.from.0, quiet.to.0);
    let over_midnight = to <= from;
    let ends = match over_midnight {
        false => (from <= time && time < to).then_some(today),
        true if time >= from => today.checked_add_days(Days::new(1)),
        true => (time < to).then_some(today),
    }?;
    Some(instant(ends, to, quiet.zone.0)?.max(now_ms.saturating_add(1)))
}

/// A time of a day in a zone. One that a clock leaps over is the first that there is after it.
fn instant(day: NaiveDate, time: chrono::NaiveTime, zone: Tz) -> Option<i64> {
    let mut local = day.and_time(time);
    // No clock leaps by more than a day.
    for _ in 0..96 {
        if let Some(found) = zone.from_local_datetime(&local).earliest() {
            return Some(found.timestamp_millis());
        }
        local = local.checked_add_signed(TimeDelta::minutes(15))?;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alerts::event::Often;
    use crate::alerts::kind::Kind;

    fn config(routes: &str) -> AlertsConfig {
        let text = format!(
            "[[mail]]\nname = 'ops'\nserver = 'm.example'\nfrom = 'b@example.com'\nto = ['a@example.com', 'b@example.com']\n\
             [[slack]]\nname = 'chat'\nurl_file = 'u'\n{routes}"
        );
        let config: AlertsConfig = toml::from_str(&text).unwrap();
        config.check().unwrap();
        config
    }

    fn told(
        config: &AlertsConfig,
        severity: Severity,
        scope: &str,
        now: &str,
    ) -> Vec<(String, String, bool)> {
        told_of(config, Kind::BudgetThreshold, severity, scope, now)
    }

    fn told_of(
        config: &AlertsConfig,
        kind: Kind,
        severity: Severity,
        scope: &str,
        now: &str,
    ) -> Vec<(String, String, bool)> {
        let event = Event {
            kind,
            severity,
            scope: scope.to_owned(),
            subject: String::from("s"),
            facts: json!({}),
            often: Often::Once,
        };
        let now_ms = DateTime::parse_from_rfc3339(now).unwrap().timestamp_millis();
        let told = messages(config, &event, now_ms).into_iter().map(|message| {
            let at = DateTime::from_timestamp_millis(message.next_ms).unwrap().to_rfc3339();
            (format!("{} {}", message.channel, message.target), at, message.collects_until_ms.is_some())
        });
        told.collect()
    }

    const NOON: &str = "2026-11-23T12:00:00+00:00";

    #[test]
    fn a_route_is_by_scope_severity_and_kind() {
        let all = config("[[route]]\nscope = '/acme/clinic'\nchannels = ['ops']\n");
        assert_eq!(told(&all, Severity::Warning, "/acme/clinic/ward", NOON).len(), 2, "each address");
        assert!(told(&all, Severity::Warning, "/acme/retail", NOON).is_empty());
        assert!(told(&all, Severity::Warning, "/acme/clinical", NOON).is_empty());
        assert!(told(&all, Severity::Info, "/acme/clinic", NOON).is_empty());
        let kinds = config("[[route]]\nkinds = ['break_glass']\nchannels = ['ops']\n");
        assert!(told(&kinds, Severity::Critical, "/", NOON).is_empty());
        assert!(told(&config(""), Severity::Critical, "/", NOON).is_empty());
    }

    #[test]
    fn what_is_above_is_told_below_only_where_it_concerns_them() {
        let clinic = config("[[route]]\nscope = '/acme/clinic'\nchannels = ['chat']\nseverity = 'info'\n");
        let hears = |kind, scope: &str| !told_of(&clinic, kind, Severity::Critical, scope, NOON).is_empty();
        for kind in [Kind::PolicyRefused, Kind::ComplianceChanged, Kind::KillSwitchThrown, Kind::LogBehind] {
            assert!(hears(kind, "/") && hears(kind, "/acme"), "{kind}");
            assert!(!hears(kind, "/acme/research"), "{kind}");
        }
        for kind in [
            Kind::BudgetExhausted,
            Kind::UnusualSpend,
            Kind::KeyExpires,
            Kind::TokenExpires,
            Kind::BreakGlass,
            Kind::RefusedFlood,
            Kind::EndpointDown,
        ] {
            assert!(!hears(kind, "/") && !hears(kind, "/acme"), "{kind}");
            assert!(hears(kind, "/acme/clinic") && hears(kind, "/acme/clinic/ward"), "{kind}");
        }
    }

    #[test]
    fn of_two_routes_to_one_place_the_earlier_tells() {
        let both = config(
            "[[route]]\nchannels = ['chat']\ndigest_minutes = 30\n[[route]]\nchannels = ['chat']\nseverity = 'info'\n",
        );
        assert_eq!(told(&both, Severity::Warning, "/", NOON), [("chat ".into(), NOON.into(), false)]);
    }

    #[test]
    fn quiet_hours_and_digests_hold_up_what_is_not_critical() {
        let quiet = config(
            "[[route]]\nchannels = ['chat']\nquiet = { from = '22:00', to = '07:00', zone = 'Europe/Berlin' }\n",
        );
        let at = |now: &str, severity| told(&quiet, severity, "/", now).remove(0);
        // 23:30 in Berlin, where it is an hour later than UTC in winter.
        let night = "2026-11-23T22:30:00+00:00";
        assert_eq!(at(night, Severity::Warning).1, "2026-11-24T06:00:00+00:00");
        assert!(at(night, Severity::Warning).2, "with others of the night");
        assert_eq!(at(night, Severity::Critical), ("chat ".into(), night.into(), false));
        assert_eq!(at("2026-11-24T05:59:00+00:00", Severity::Warning).1, "2026-11-24T06:00:00+00:00");
        assert_eq!(at("2026-11-24T06:00:00+00:00", Severity::Warning).1, "2026-11-24T06:00:00+00:00");
        assert_eq!(at(NOON, Severity::Warning), ("chat ".into(), NOON.into(), false));
        let digest = config("[[route]]\nchannels = ['chat']\ndigest_minutes = 15\n");
        let told = told(&digest, Severity::Warning, "/", NOON).remove(0);
        assert_eq!(told, ("chat ".into(), "2026-11-23T12:15:00+00:00".into(), true));
    }

    #[test]
    fn a_digest_that_would_come_in_quiet_hours_waits_for_their_end() {
        let both = config(
            "[[route]]\nchannels = ['chat']\ndigest_minutes = 60\nquiet = { from = '22:00', to = '07:00' }\n",
        );
        for (now, told_at) in [
            ("2026-11-23T20:59:00+00:00", "2026-11-23T21:59:00+00:00"),
            ("2026-11-23T21:30:00+00:00", "2026-11-24T07:00:00+00:00"),
            ("2026-11-23T23:00:00+00:00", "2026-11-24T07:00:00+00:00"),
            ("2026-11-24T06:30:00+00:00", "2026-11-24T07:30:00+00:00"),
            (NOON, "2026-11-23T13:00:00+00:00"),
        ] {
            let (_, at, gathered) = told(&both, Severity::Warning, "/", now).remove(0);
            assert_eq!((at.as_str(), gathered), (told_at, true), "{now}");
            assert_eq!(
                told(&both, Severity::Critical, "/", now)[0].1,
                now,
                "what is critical waits for neither"
            );
        }
    }

    #[test]
    fn quiet_hours_end_though_the_clock_leaps_over_their_end() {
        let leap = config(
            "[[route]]\nchannels = ['chat']\nquiet = { from = '22:00', to = '02:30', zone = 'Europe/Berlin' }\n",
        );
        // On 2027-03-28 it is 03:00 in Berlin right after 01:59, which is 01:00 UTC.
        let at = told(&leap, Severity::Warning, "/", "2027-03-28T00:30:00+00:00").remove(0).1;
        assert_eq!(at, "2027-03-28T01:00:00+00:00");
        // On 2026-10-25 it is 02:30 twice: the first ends them.
        let at = told(&leap, Severity::Warning, "/", "2026-10-24T23:00:00+00:00").remove(0).1;
        assert_eq!(at, "2026-10-25T00:30:00+00:00");
    }
}
