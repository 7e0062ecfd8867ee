//! Facts of the compliance database that grow old: from a day on nobody may rely on them, and endpoints lose whatever rests
//! on them. Only those count that are about a service which has an endpoint here.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use bailiwick_compliance_db::{Database, Doubt, EndpointProfile, Fact, Pattern};
use chrono::{DateTime, Days, NaiveDate};
use serde_json::json;

use super::event::{Event, Often};
use super::kind::{Kind, Severity};
use crate::snapshot::Snapshot;

/// Days before the day from which they count no more.
const SOON_DAYS: u64 = 30;
/// Facts that are named.
const NAMED: usize = 10;

/// What was found last: it is the same all day.
#[derive(Debug, Default)]
pub(super) struct Aged(Mutex<Option<(Of, Vec<Event>)>>);

/// What it depends on.
#[derive(Debug, PartialEq, Eq)]
struct Of {
    digest: String,
    days: u32,
    today: NaiveDate,
    /// Developer, operator and service of each endpoint.
    served: BTreeSet<Served>,
}

/// Developer, operator and service of an endpoint.
type Served = (Option<String>, String, String);

impl Aged {
    /// What there is to tell of the facts that a snapshot is decided by.
    pub(super) fn look(&self, snapshot: &Snapshot, now_ms: i64) -> Vec<Event> {
        let policy = &snapshot.policy;
        let now_ms = snapshot.decide_at_ms.unwrap_or(now_ms);
        let Some(now) = DateTime::from_timestamp_millis(now_ms) else { return Vec::new() };
        let of = Of {
            digest: policy.database().digest().to_owned(),
            days: policy.bundle().settings.max_evidence_age_days,
            today: now.date_naive(),
            served: policy.endpoints().iter().map(|endpoint| served(&endpoint.profile)).collect(),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, events)) = known.as_ref().filter(|(before, _)| *before == of) {
            return events.clone();
        }
        let events = events(policy.database(), &of);
        *known = Some((of, events.clone()));
        events
    }
}

fn served(profile: &EndpointProfile) -> Served {
    (profile.developer.clone(), profile.operator.clone(), profile.service.clone())
}

fn events(database: &Database, of: &Of) -> Vec<Event> {
    let old = |day: NaiveDate| -> BTreeSet<String> {
        let doubts = database.lint(day, of.days).into_iter();
        doubts.filter(|doubt| doubt.doubt == Doubt::OverAge).map(|doubt| doubt.of).collect()
    };
    let soon = of.today.checked_add_days(Days::new(SOON_DAYS)).unwrap_or(of.today);
    let (too_old, later) = (old(of.today), old(soon));
    let (mut too_old_here, mut soon_here) = (Vec::new(), Vec::new());
    for fact in database.facts().filter(|fact| of.served.iter().any(|served| is_about(fact, served))) {
        let id = fact.id.to_string();
        if too_old.contains(&id) {
            too_old_here.push(id);
        } else if later.contains(&id) {
            soon_here.push(id);
        }
    }
    let event = |kind: Kind, severity, facts: &[String]| Event {
        kind,
        severity,
        scope: String::from("/"),
        subject: kind.to_string(),
        facts: json!({
            "count": facts.len(), "facts": facts.iter().take(NAMED).collect::<Vec<_>>(),
            "database": database.version(), "counts_for_days": of.days,
        }),
        often: Often::WhileOpen,
    };
    let both = [
        (Kind::FactsTooOld, Severity::Warning, too_old_here),
        (Kind::FactsAgeSoon, Severity::Info, soon_here),
    ];
    let some = both.into_iter().filter(|(.., facts)| !facts.is_empty());
    some.map(|(kind, severity, facts)| event(kind, severity, &facts)).collect()
}

/// Whether a fact may be about an endpoint. What an endpoint does not say may be anything.
fn is_about(fact: &Fact, (developer, operator, service): &Served) -> bool {
    let of = |patterns: &[Pattern], text: &str| {
        patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(text))
    };
    let scope = &fact.scope;
    of(&scope.service, service)
        && of(&scope.operator, operator)
        && developer.as_ref().is_none_or(|developer| of(&scope.developer, developer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_what_is_served_here_are_told_a_month_before_they_count_no_more_and_when_they_do() {
        let database = Database::load(Database::embedded_files()).unwrap();
        let bedrock = (None, String::from("aws"), String::from("amazon-bedrock"));
        let far = NaiveDate::from_ymd_opt(2100, 1, 1).unwrap();
        let old = database.lint(far, 365).into_iter().filter(|doubt| doubt.doubt == Doubt::OverAge);
        let old: BTreeSet<String> = old.map(|doubt| doubt.of).collect();
        let about =
            database.facts().filter(|fact| is_about(fact, &bedrock) && old.contains(&fact.id.to_string()));
        let seen: Vec<NaiveDate> = about.filter_map(Fact::observed_to).collect();
        let (first, last) = (*seen.iter().min().unwrap(), *seen.iter().max().unwrap());
        let looked = |served: &Served, day: NaiveDate| -> Vec<(Kind, u64)> {
            let of = Of { digest: String::new(), days: 365, today: day, served: [served.clone()].into() };
            let told = events(&database, &of).into_iter();
            told.map(|event| (event.kind, event.facts["count"].as_u64().unwrap())).collect()
        };
        let day = |of: NaiveDate, days: u64| of.checked_add_days(Days::new(days)).unwrap();
        assert!(looked(&bedrock, day(first, 335)).is_empty(), "a month and a day before the first");
        let soon = looked(&bedrock, day(first, 336));
        assert!(matches!(soon[..], [(Kind::FactsAgeSoon, 1..)]), "{soon:?}");
        let over = looked(&bedrock, day(last, 366));
        assert!(matches!(over[..], [(Kind::FactsTooOld, 20..)]), "{over:?}");
        let nobody = (Some(String::from("nobody")), String::from("nobody"), String::from("nobody"));
        assert!(looked(&nobody, day(last, 366)).is_empty(), "what nobody uses");
    }
}
