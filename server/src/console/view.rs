//! The decision page's data, put together from the records of a decision and, for the reasons, from deciding again.
//!
//! A record holds what was decided; why an endpoint was excluded follows from the facts, and from the bundle, catalog and
//! endpoints that the record names by digest and the archive keeps. The decision is derived again from them and explained.

use bailiwick_compliance_db::CountrySet;
use bailiwick_policy::{RequestFacts, Rule};
use bailiwick_ui::view as ui;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::audit::StoredRecord;
use crate::gateway::settle::{self, OutcomeSection, UsageSection};
use crate::gateway::timeline::{Mark, Stage};
use crate::snapshot::{Archive, Snapshot};
use crate::store::decisions::DecisionRow as Stored;

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DecisionSection {
    candidates: Vec<String>,
    order: Vec<String>,
    eligible: Vec<String>,
    rules: Vec<String>,
    class_sources: Vec<Said>,
    region_names: Vec<String>,
    declared_regions: Option<CountrySet>,
    spans: u32,
    obligations: Obligations,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Obligations {
    cache_denied: bool,
    log_content_denied: bool,
    max_output_tokens: Option<u32>,
    retain_days: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Said {
    value: String,
    source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkSection {
    route: String,
    body_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PrincipalSection {
    user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AttemptSection {
    number: u32,
    endpoint: String,
    reserved_nano: Option<i64>,
    holds: Vec<crate::gateway::record::Hold>,
}

#[derive(Debug, Deserialize)]
struct RefusalSection {
    code: String,
    status: u16,
    message: String,
    #[serde(default)]
    fix: Option<String>,
}

/// The page's data.
pub(super) async fn decision(app: &App, row: &Stored) -> Result<ui::DecisionView, Fault> {
    let records = app.gateway.audit.decision(&row.id).await?;
    let checkpoint = app.gateway.audit.checkpoint().await?;
    let snapshot = app.gateway.snapshot.load_full();
    let first = StoredRecord::deciding(&records).ok_or("a decision without records")?;
    let facts: Option<RequestFacts> = section(first, "facts");
    let decided: DecisionSection = section(first, "decision").unwrap_or_default();
    let network: NetworkSection = section(first, "network").unwrap_or_default();
    let principal: PrincipalSection = section(first, "principal").unwrap_or_default();
    let refusal: Option<RefusalSection> = records.iter().find_map(|record| section(record, "refusal"));
    let outcomes: Vec<OutcomeSection> =
        records.iter().filter_map(|record| section(record, "outcome")).collect();
    let marks: Vec<Mark> =
        records.iter().rev().find_map(|record| section(record, "timing")).unwrap_or_default();
    let recalled = match &facts {
        Some(facts) if !made_by(first, &snapshot) => {
            let digests = first.header().map(|header| header.digests).unwrap_or_default();
            Archive::recall(&app.store, &digests, facts.time_ms).await?
        }
        _ => None,
    };
    let policy = recalled.as_ref().or_else(|| made_by(first, &snapshot).then_some(&snapshot.policy));
    let explained = facts.as_ref().zip(policy).map(|(facts, policy)| {
        let decision = policy.decide(facts);
        (policy.explain(facts, &decision), decision)
    });
    let total_micros = marks.iter().map(|mark| mark.start_us + mark.us).max();
    let provider_micros: u64 =
        marks.iter().filter(|mark| mark.stage == Stage::Forward).map(|mark| mark.us).sum();
    let stream = facts.as_ref().is_some_and(|facts| facts.stream);
    let attempts = attempts(&records, &outcomes, &marks, stream);
    let checkpoint = checkpoint.unverified();
    let signed_ms = app.gateway.audit.checkpoint_ms().await?;
    Ok(ui::DecisionView {
        row: super::rows::view(row, &snapshot),
        route: network.route.clone(),
        stream,
        refusal: refusal.map(|refusal| ui::Refusal {
            code: refusal.code,
            status: refusal.status,
            message: refusal.message,
            fix: refusal.fix,
        }),
        stages: marks
            .iter()
            .map(|mark| ui::StageTiming {
                stage: mark.stage.as_str().to_owned(),
                start_micros: mark.start_us,
                micros: mark.us,
                provider: mark.stage == Stage::Forward,
            })
            .collect(),
        total_micros,
        provider_micros: (!marks.is_empty()).then_some(provider_micros),
        request: request(facts.as_ref(), &decided, &network, &principal, &outcomes),
        redactions: redactions(row, &snapshot, explained.as_ref().map(|(_, decision)| decision)),
        obligations: obligations(&decided, &snapshot),
        rules: rules(&decided, &snapshot),
        endpoints: endpoints(
            &decided,
            row.model.as_deref(),
            &snapshot,
            explained.as_ref().map(|(explanation, _)| explanation),
        ),
        attempts,
        money: money(app, &records),
        inputs: inputs(first),
        records: records.iter().map(record).collect(),
        checkpoint: Some(ui::CheckpointView {
            origin: checkpoint.origin.to_string(),
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            time_ms: signed_ms.unwrap_or(row.time_ms),
        }),
        receipt_url: Some(format!("/v1/decisions/{}", row.id)),
        verifier_key: Some(app.gateway.audit.public_key().to_string()),
    })
}

/// A section that still exists and is what was written.
fn section<T: DeserializeOwned>(record: &StoredRecord, name: &str) -> Option<T> {
    serde_json::from_slice(&record.section(name)?.bytes).ok()
}

/// Whether what a record was decided with is what is in force.
fn made_by(record: &StoredRecord, snapshot: &Snapshot) -> bool {
    record.header().is_ok_and(|header| {
        header.digests.len() == snapshot.digests.len()
            && snapshot.digests.iter().all(|(name, digest)| header.digests.get(*name) == Some(digest))
    })
}

fn request(
    facts: Option<&RequestFacts>,
    decided: &DecisionSection,
    network: &NetworkSection,
    principal: &PrincipalSection,
    outcomes: &[OutcomeSection],
) -> ui::RequestView {
    let counts = |counts: &bailiwick_pii::EntityCounts| -> Vec<ui::Count> {
        counts.iter().map(|(entity, count)| ui::Count { kind: entity.to_string(), count }).collect()
    };
    let mut data_classes: Vec<ui::Declared> = decided
        .class_sources
        .iter()
        .map(|said| ui::Declared { value: said.value.clone(), source: source(&said.source) })
        .collect();
    data_classes.dedup();
    // A header adds regions to those that key and scope declare. Records of before that was told apart hold only both.
    let by_scope = decided.declared_regions.unwrap_or_else(|| {
        let by_header =
            CountrySet::from_names(decided.region_names.iter().map(String::as_str)).unwrap_or_default();
        facts.and_then(|facts| facts.subject_regions).unwrap_or_default().difference(by_header)
    });
    let declared = |value: String, source: &str| ui::Declared { value, source: source.to_owned() };
    ui::RequestView {
        body_bytes: network.body_bytes,
        spans: decided.spans,
        findings: facts.map(|facts| counts(&facts.entities)).unwrap_or_default(),
        response_findings: outcomes
            .last()
            .map(|outcome| counts(&outcome.response_findings))
            .unwrap_or_default(),
        data_classes,
        sensitivity: facts.map(|facts| facts.sensitivity.to_string()).unwrap_or_default(),
        subject_regions: by_scope
            .iter()
            .map(|country| declared(country.code().to_owned(), "scope"))
            .chain(decided.region_names.iter().map(|name| declared(name.clone(), "header")))
            .collect(),
        purpose: facts.and_then(|facts| facts.purpose.clone()),
        user: principal.user.clone(),
    }
}

fn source(source: &str) -> String {
    if source == "declared" { String::from("scope") } else { source.to_owned() }
}

fn redactions(
    row: &Stored,
    snapshot: &Snapshot,
    decision: Option<&bailiwick_policy::Decision>,
) -> Vec<ui::RedactionView> {
    let counts = row.redactions.as_deref().map(super::rows::counts).unwrap_or_default();
    counts
        .into_iter()
        .map(|count| {
            let entity = count.kind.parse::<bailiwick_pii::EntityType>().ok();
            let how = entity
                .zip(decision)
                .and_then(|(entity, decision)| decision.request_redactions.get(entity))
                .map_or("", |redaction| redaction.how.as_str());
            let rule = entity
                .zip(decision)
                .and_then(|(entity, decision)| {
                    let rules = decision.rules.iter().filter_map(|index| snapshot.policy.rule(*index));
                    rules
                        .filter(|rule| {
                            rule.redact.as_ref().is_some_and(|redact| {
                                redact.entities.contains(entity) && redact.how.as_str() == how
                            })
                        })
                        .map(|rule| rule.id.clone())
                        .next()
                })
                .unwrap_or_default();
            ui::RedactionView { entity: count.kind, count: count.count, how: how.to_owned(), rule }
        })
        .collect()
}

fn obligations(decided: &DecisionSection, snapshot: &Snapshot) -> Vec<ui::ObligationView> {
    let held = &decided.obligations;
    // The first of the rules that applied and asks for it, as the bundle in force has them.
    let by = |asks: fn(&Rule) -> bool| {
        let rules = decided.rules.iter().filter_map(|id| snapshot.policy.bundle().rule(id));
        rules.filter(|rule| asks(rule)).map(|rule| rule.id.clone()).next().unwrap_or_default()
    };
    let one =
        |name: &str, value: String, asks| ui::ObligationView { name: name.to_owned(), value, rule: by(asks) };
    [
        held.cache_denied
            .then(|| one("cache", String::from("deny"), |rule| rule.obligations.cache.is_some())),
        held.log_content_denied
            .then(|| one("log content", String::from("deny"), |rule| rule.obligations.log_content.is_some())),
        held.max_output_tokens.map(|tokens| {
            one("output tokens", format!("at most {tokens}"), |rule| rule.limit_output_tokens.is_some())
        }),
        held.retain_days
            .map(|days| one("retain", format!("{days} days"), |rule| rule.obligations.retain_days.is_some())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn rules(decided: &DecisionSection, snapshot: &Snapshot) -> Vec<ui::RuleView> {
    decided
        .rules
        .iter()
        .map(|id| match snapshot.policy.bundle().rule(id) {
            Some(rule) => ui::RuleView {
                id: id.clone(),
                title: rule.title.clone(),
                because: rule.because.clone(),
                mode: String::from(match rule.mode {
                    bailiwick_policy::Mode::Enforce => "enforce",
                    bailiwick_policy::Mode::Shadow => "shadow",
                    bailiwick_policy::Mode::Off => "off",
                }),
                scope: rule.scope.clone(),
            },
            None => ui::RuleView {
                id: id.clone(),
                title: id.clone(),
                because: Vec::new(),
                mode: String::from("enforce"),
                scope: String::new(),
            },
        })
        .collect()
}

fn endpoints(
    decided: &DecisionSection,
    asked: Option<&str>,
    snapshot: &Snapshot,
    explanation: Option<&bailiwick_policy::Explanation>,
) -> Vec<ui::EndpointView> {
    let mut views: Vec<ui::EndpointView> = decided
        .candidates
        .iter()
        .map(|name| {
            let at = snapshot.places.iter().position(|place| place.name == *name);
            let place = at.and_then(|at| snapshot.places.get(at));
            let model = at
                .and_then(|at| snapshot.policy.endpoints().get(at))
                .and_then(|endpoint| {
                    let named = endpoint.models.iter().find(|model| asked == Some(model.alias.as_str()));
                    named.or_else(|| endpoint.models.first())
                })
                .map(|model| model.upstream.clone());
            let rank = decided
                .order
                .iter()
                .position(|ordered| ordered == name)
                .and_then(|at| u32::try_from(at + 1).ok());
            let eligible = decided.eligible.contains(name);
            let reasons = explanation
                .and_then(|explanation| explanation.endpoints.iter().find(|endpoint| endpoint.name == *name))
                .filter(|_| !eligible)
                .map(|endpoint| endpoint.reasons.iter().map(exclusion).collect())
                .unwrap_or_default();
            ui::EndpointView {
                name: name.clone(),
                provider: place.map(|place| place.operator.clone()).unwrap_or_default(),
                model: model.unwrap_or_default(),
                region: place.and_then(|place| place.region.clone()),
                countries: place.map(|place| place.countries.clone()).unwrap_or_default(),
                simulated: place.is_some_and(|place| place.simulated),
                eligible,
                rank,
                exclusions: reasons,
            }
        })
        .collect();
    views.sort_by_key(|view| (!view.eligible, view.rank.unwrap_or(u32::MAX)));
    views
}

fn exclusion(reason: &bailiwick_policy::Reason) -> ui::Exclusion {
    ui::Exclusion {
        rule: Some(reason.rule.clone()),
        reason: reason.text.clone(),
        attribute: reason.attribute.map(|attribute| attribute.to_string()),
        required: Some(reason.required.clone()).filter(|text| !text.is_empty()),
        actual: Some(reason.actual.clone()).filter(|text| !text.is_empty() && text != "unknown"),
        evidence: reason
            .facts
            .iter()
            .flat_map(|fact| &fact.evidence)
            .map(|page| ui::EvidenceView {
                url: page.url.clone(),
                says: page.says.clone(),
                observed: page.observed_to.clone(),
            })
            .collect(),
        fix: reason.missing.clone(),
    }
}

fn attempts(
    records: &[StoredRecord],
    outcomes: &[OutcomeSection],
    marks: &[Mark],
    stream: bool,
) -> Vec<ui::AttemptView> {
    let end_us = marks.iter().map(|mark| mark.start_us + mark.us).max().unwrap_or(0);
    let forwards: Vec<&Mark> = marks.iter().filter(|mark| mark.stage == Stage::Forward).collect();
    records
        .iter()
        .filter_map(|record| section::<AttemptSection>(record, "attempt"))
        .enumerate()
        .map(|(at, attempt)| {
            let outcome = outcomes.get(at);
            let forward = forwards.get(at);
            // Of a stream the first stretch of waiting ends with its first event, and others follow; a whole answer
            // is waited for as a whole, and nobody saw its first byte.
            let streamed = forward.filter(|_| stream && forwards.len() > at + 1 && outcomes.len() == at + 1);
            ui::AttemptView {
                number: attempt.number,
                endpoint: attempt.endpoint,
                outcome: outcome.map_or_else(|| String::from("running"), |outcome| outcome.result.clone()),
                ok: outcome.is_some_and(|outcome| outcome.ok),
                status: outcome.and_then(|outcome| outcome.status),
                first_byte_micros: streamed.map(|mark| mark.us),
                micros: match streamed {
                    Some(mark) => Some(end_us.saturating_sub(mark.start_us)),
                    None => forward.map(|mark| mark.us),
                },
            }
        })
        .collect()
}

fn money(app: &App, records: &[StoredRecord]) -> Option<ui::MoneyView> {
    let attempt: AttemptSection = records.iter().rev().find_map(|record| section(record, "attempt"))?;
    let usages: Vec<UsageSection> = records.iter().filter_map(|record| section(record, "usage")).collect();
    let usage = usages.last();
    let settled_nanos = usages.iter().fold(None, |sum, usage| settle::total(sum, usage.cost_nano));
    let standings = app.gateway.budgets.standings(app.gateway.clock.now_ms());
    let reported = usage.is_some_and(|usage| usage.source == "reported");
    Some(ui::MoneyView {
        reserved_nanos: attempt.reserved_nano?,
        settled_nanos,
        input_tokens: usage.map(|usage| usage.input_tokens),
        output_tokens: usage.map(|usage| usage.output_tokens),
        reported,
        budgets: attempt
            .holds
            .iter()
            .filter_map(|hold| standings.iter().find(|standing| standing.budget.id == hold.budget))
            .map(|standing| ui::BudgetView {
                holder: standing.budget.name.clone(),
                window: standing.budget.window.to_string(),
                spent_nanos: standing.settled_nano,
                limit_nanos: standing.limit_nano,
            })
            .collect(),
    })
}

fn inputs(record: &StoredRecord) -> Vec<ui::InputView> {
    let digests = record.header().map(|header| header.digests).unwrap_or_default();
    digests.into_iter().map(|(name, value)| ui::InputView { name, value }).collect()
}

fn record(record: &StoredRecord) -> ui::RecordView {
    let commitments = record.header().map(|header| header.commitments).unwrap_or_default();
    ui::RecordView {
        kind: record.kind.clone(),
        time_ms: record.time_ms,
        leaf_index: record.leaf,
        leaf_hash: record.leaf_hash.to_string(),
        sections: commitments
            .into_iter()
            .map(|(name, commitment)| ui::SectionView {
                disclosed: record.section(&name).is_some(),
                name: name.to_string(),
                commitment: commitment.to_string(),
            })
            .collect(),
    }
}
