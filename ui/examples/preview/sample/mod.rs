//! Example data: two dozen decisions of an invented organisation.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "example data, shared by the preview and the tests, neither of which needs all of it"
)]

pub(crate) mod api;
mod endpoints;
mod ledger;
mod policy;
mod views;

use async_trait::async_trait;
use bailiwick_ui::api::{Call, Caller, Problem};
use bailiwick_ui::console::{Console, ConsoleError};
use bailiwick_ui::view::{
    ActivityBucket, Count, DecisionFilter, DecisionPage, DecisionRow, DecisionView, Outcome, Overview, Range,
    Right, Traffic, Viewer,
};
use serde_json::Value;

use ledger::Log;

/// 2026-11-22 17:40:12.123 UTC.
pub(crate) const NOW: i64 = 1_795_369_212_123;

/// Who looks.
pub(crate) fn viewer() -> Viewer {
    Viewer {
        name: "Ada Example".to_owned(),
        roles: vec!["auditor".to_owned()],
        scope: "/acme".to_owned(),
        rights: rights(),
        csrf: "c5rf".to_owned(),
        ..Viewer::default()
    }
}

/// Every right that pages ask about, at `/acme`.
fn rights() -> Vec<Right> {
    [
        ("decisions", &["read"][..]),
        ("keys", &["read", "create", "rotate", "revoke"]),
        ("budgets", &["read", "top_up"]),
        ("requests", &["read", "ask", "approve"]),
        ("endpoints", &["read"]),
        ("kill-switches", &["read", "throw", "lift"]),
        ("policy", &["read"]),
        ("audit", &["read", "export"]),
        ("people", &["read", "disable", "enable"]),
        ("sessions", &["read"]),
    ]
    .into_iter()
    .flat_map(|(object, actions)| {
        actions.iter().map(move |action| Right {
            object: format!("console:{object}"),
            action: (*action).to_owned(),
            scopes: vec!["/acme".to_owned()],
        })
    })
    .collect()
}

/// The console's data, in memory.
pub(crate) struct Sample {
    overview: Overview,
    rows: Vec<DecisionRow>,
    log: Log,
}

impl Sample {
    pub(crate) fn new(base_url: &str) -> Self {
        let rows = rows();
        let log = Log::of(&rows);
        let overview = Overview {
            organisation: "acme".to_owned(),
            log_size: log.size(),
            bundle_digest: DIGEST.to_owned(),
            simulated: true,
            base_url: base_url.to_owned(),
            now_ms: NOW,
            example_model: Some("gpt-4o-mini".to_owned()),
        };
        Self { overview, rows, log }
    }

    /// A console that no request has reached yet.
    pub(crate) fn unused(base_url: &str) -> Self {
        Self { rows: Vec::new(), ..Self::new(base_url) }
    }

    pub(crate) fn receipt(&self, id: &str) -> Option<Vec<u8>> {
        self.log.receipt(id)
    }

    /// The row at one step of the live stream: each decision runs for one step and has ended at the next.
    pub(crate) fn live(&self, step: u64) -> DecisionRow {
        let rows = rows();
        let mut row = rows[usize::try_from(step / 2).unwrap_or(0) % rows.len()].clone();
        row.id = format!("dec_live{:06}", step / 2);
        row.time_ms = NOW + i64::try_from(step / 2).unwrap_or(0) * 2000;
        if step.is_multiple_of(2) && row.outcome == Outcome::Allowed {
            row.outcome = Outcome::Running;
            row.cost_nanos = None;
            row.overhead_micros = None;
        }
        row
    }
}

#[async_trait]
impl Console for Sample {
    async fn overview(&self, _: &Viewer) -> Result<Overview, ConsoleError> {
        Ok(self.overview.clone())
    }

    async fn decisions(&self, _: &Viewer, filter: &DecisionFilter) -> Result<DecisionPage, ConsoleError> {
        if filter.q.as_deref() == Some("fail") {
            return Err(ConsoleError::Unavailable { reference: "e7c1".to_owned() });
        }
        let matches = |row: &&DecisionRow| {
            filter.scope.as_ref().is_none_or(|scope| row.scope.starts_with(scope.as_str()))
                && filter.outcome.is_none_or(|outcome| row.outcome == outcome)
                && filter.model.as_ref().is_none_or(|model| row.model.as_ref() == Some(model))
                && filter.endpoint.as_ref().is_none_or(|name| row.endpoint.as_ref() == Some(name))
                && filter.from_ms.is_none_or(|from| row.time_ms >= from)
                && filter.to_ms.is_none_or(|to| row.time_ms < to)
                && filter
                    .kind
                    .as_ref()
                    .is_none_or(|kind| row.redactions.iter().any(|count| count.kind == *kind))
                && filter.q.as_ref().is_none_or(|q| row.id.contains(q) || row.endpoint.as_ref() == Some(q))
        };
        let rows: Vec<_> = self.rows.iter().filter(matches).cloned().collect();
        let next = rows.last().filter(|_| filter.before.is_none()).map(|row| row.id.clone());
        Ok(DecisionPage {
            rows,
            next,
            scopes: ["/acme", "/acme/clinic", "/acme/research", "/acme/retail", "/acme/retail/support"]
                .map(str::to_owned)
                .to_vec(),
            models: ["claude-sonnet-4-5", "gpt-4o", "gpt-4o-mini", "mistral-large"]
                .map(str::to_owned)
                .to_vec(),
            keys: [("k3v9d1x7", "support"), ("c9w5r1j3", "clinic"), ("p6t4y2m8", api::HOSTILE)]
                .map(|(id, name)| (id.to_owned(), name.to_owned()))
                .to_vec(),
            endpoints: ["azure-sweden", "bedrock-eu", "mistral-eu", "openai-us"].map(str::to_owned).to_vec(),
            kinds: ["EMAIL", "IBAN", "CARD", "PHONE"].map(str::to_owned).to_vec(),
            // As of a long list in which something is rare.
            looked: (filter.key.as_deref() == Some("rare")).then_some(60_000),
            activity: if self.rows.is_empty() { Vec::new() } else { activity() },
        })
    }

    async fn traffic(&self, _: &Viewer, range: Range, scope: Option<&str>) -> Result<Traffic, ConsoleError> {
        if scope == Some("/elsewhere") {
            return Err(ConsoleError::Forbidden);
        }
        Ok(if self.rows.is_empty() { Traffic::default() } else { traffic(range) })
    }

    async fn decision(&self, _: &Viewer, id: &str) -> Result<Option<DecisionView>, ConsoleError> {
        if id == "forbidden" {
            return Err(ConsoleError::Forbidden);
        }
        let row = self.rows.iter().find(|row| row.id == id);
        Ok(row.map(|row| views::view(row.clone(), &self.log)))
    }

    async fn scopes(&self, _: &Viewer, _: &str, _: &str) -> Result<Vec<String>, ConsoleError> {
        Ok(api::SCOPES.map(str::to_owned).to_vec())
    }

    async fn call(&self, _: &Caller, call: Call) -> Result<Value, Problem> {
        api::answer(&call, self.rows.is_empty())
    }
}

pub(crate) const DIGEST: &str = "9f2d41c0be7a6e15d8a3f04c7719b2e65a80cc13e4d97f2b6a01d5c3e88f7b24";

fn activity() -> Vec<ActivityBucket> {
    (0_u32..48)
        .map(|step| {
            let wave = [14, 18, 25, 33, 41, 38, 46, 52, 44, 36, 27, 19].map(|n| n + step * 7 % 9);
            ActivityBucket {
                start_ms: NOW - i64::from(48 - step) * 1_800_000,
                allowed: wave.get(step as usize % 12).copied().unwrap_or(0),
                denied: if step % 5 == 0 { 1 + step % 4 } else { 0 },
                failed: u32::from(step % 17 == 3),
            }
        })
        .collect()
}

fn traffic(range: Range) -> Traffic {
    let (step, steps) = range.steps();
    let from_ms = range.from_ms(NOW);
    let waves = [14, 18, 25, 33, 41, 38, 46, 52, 44, 36, 27, 19];
    let steps: Vec<ActivityBucket> = (0..steps)
        .zip(waves.into_iter().cycle())
        .map(|(at, wave): (i64, u32)| ActivityBucket {
            start_ms: from_ms + at * step,
            allowed: wave * 7 + u32::try_from(at).unwrap_or(0) % 9,
            denied: if at % 3 == 0 { 9 + wave / 5 } else { 2 },
            failed: u32::from(at % 7 == 3),
        })
        .collect();
    let sum = |of: fn(&ActivityBucket) -> u32| steps.iter().map(|step| u64::from(of(step))).sum();
    Traffic {
        from_ms,
        to_ms: from_ms + step * i64::try_from(steps.len()).unwrap_or(0),
        allowed: sum(|step| step.allowed),
        denied: sum(|step| step.denied),
        failed: sum(|step| step.failed),
        running: 2,
        dry_runs: 14,
        cost_nanos: 38_214_870_000,
        redactions: [("EMAIL", 4_112), ("IBAN", 981), ("PHONE", 640), ("CARD", 77), ("US_SSN", 12)]
            .map(|(kind, count)| (kind.to_owned(), count))
            .to_vec(),
        uncounted_hours: if range == Range::Month { 5 } else { 0 },
        steps,
    }
}

fn count(kind: &str, count: u32) -> Count {
    Count { kind: kind.to_owned(), count }
}

/// Outcome, scope, key, model, endpoint, countries.
type Kind = (Outcome, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const KINDS: [Kind; 8] = [
    (Outcome::Allowed, "/acme/retail/support", "support", "gpt-4o", "azure-sweden", &["SE"]),
    (Outcome::Denied, "/acme/retail/support", "support", "gpt-4o-mini", "", &[]),
    (Outcome::Allowed, "/acme/clinic", "clinic", "claude-sonnet-4-5", "bedrock-us-east-1", &["US"]),
    (Outcome::Running, "/acme/research", "research", "gpt-4o", "openai-us", &["US"]),
    (Outcome::Failed, "/acme/research", "research", "mistral-large", "mistral-eu", &["FR", "SE"]),
    (Outcome::Allowed, "/acme/retail/support", "support", "mistral-large", "mistral-eu", &["FR", "SE"]),
    (Outcome::Allowed, "/acme/research", "research", "gpt-4o-mini", "openai-us", &["US"]),
    (
        Outcome::Allowed,
        "/acme/retail/support",
        "support",
        "claude-sonnet-4-5",
        "bedrock-eu",
        &["DE", "ES", "FR", "IE", "IT", "SE"],
    ),
];

fn rows() -> Vec<DecisionRow> {
    (0_u32..24)
        .map(|index| {
            let kind = KINDS[(index as usize + (index as usize / 8) * 3) % 8];
            let (outcome, scope, key, model, endpoint, countries) =
                if index < 8 { KINDS[index as usize] } else { kind };
            let sent = outcome != Outcome::Denied;
            let (classes, redactions): (&[&str], Vec<Count>) = match (scope, outcome) {
                ("/acme/clinic", _) => (&["phi", "personal"], vec![count("US_SSN", 1), count("PHONE", 1)]),
                ("/acme/retail/support", Outcome::Denied) => (&["personal"], Vec::new()),
                ("/acme/retail/support", _) if index % 3 == 0 => {
                    (&["personal", "pci"], vec![count("EMAIL", 2), count("IBAN", 1), count("CARD", 1)])
                }
                ("/acme/retail/support", _) => (&["personal"], vec![count("EMAIL", 1)]),
                _ => (&[], Vec::new()),
            };
            DecisionRow {
                id: format!("dec_01jdb8m4k{index:02}x7q2r9v5t0w3yz"),
                time_ms: NOW - i64::from(index) * 47_831,
                outcome,
                code: match outcome {
                    Outcome::Denied => Some("no_eligible_endpoint".to_owned()),
                    Outcome::Failed => Some("upstream_timeout".to_owned()),
                    _ => None,
                },
                dry_run: index == 6,
                scope: scope.to_owned(),
                key: (index != 13).then(|| key.to_owned()),
                model: Some(model.to_owned()),
                endpoint: sent.then(|| endpoint.to_owned()),
                countries: countries.iter().map(|code| (*code).to_owned()).collect(),
                simulated: sent,
                redactions,
                data_classes: classes.iter().map(|class| (*class).to_owned()).collect(),
                cost_nanos: (outcome == Outcome::Allowed && index != 6)
                    .then(|| 412_500 + i64::from(index) * 731_200),
                overhead_micros: (outcome != Outcome::Running).then(|| 391 + u64::from(index) * 7),
            }
        })
        .collect()
}
