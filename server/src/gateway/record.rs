//! The records of a request: what is durable before anything leaves, and what came of it.
//!
//! A record says who asked, what the request held by kind and count, what was decided and where it went. It holds no
//! prompt and no value of a finding in one; the names that a client gives to people and conversations in its
//! `x-bailiwick-` headers are recorded as pseudonyms.

use std::net::IpAddr;

use bailiwick_compliance_db::CountrySet;
use bailiwick_ledger::{Draft, Kind, Section};
use bailiwick_pii::EntityCounts;
use bailiwick_policy::{Decision, RequestFacts};
use rand::Rng as _;
use serde::Serialize;

use super::classify::Said;
use super::decide::Decided;
use super::fund::Funded;
use super::refusal::Refusal;
use super::timeline::{Mark, Stage};
use super::{Gateway, Named};
use crate::audit::{AuditUnavailable, Entry, IndexUpdate, RETAIN_DAYS};
use crate::organisation::Ceiling;
use crate::router::Candidate;
use crate::snapshot::Snapshot;

/// Where a request came from and what was called.
#[derive(Debug, Clone, Serialize)]
pub struct Network {
    /// The client's address, as far as it is known.
    pub client: Option<IpAddr>,
    /// `POST /v1/chat/completions`.
    pub route: &'static str,
    /// Bytes of the body.
    pub body_bytes: usize,
}

/// One try at one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    /// The decision.
    pub decided: &'a Decided,
    /// What was redacted, by kind.
    pub redactions: &'a EntityCounts,
    /// From 1.
    pub number: u32,
    /// The endpoint.
    pub candidate: Candidate<'a>,
    /// What the attempts before this one cost, where that is known.
    pub spent_nano: Option<i64>,
}

/// An attempt that the audit log knows of: the only thing that `forward` takes.
#[derive(Debug)]
pub struct Recorded {
    _sealed: (),
}

/// The outcome in the list of a dry run that would be allowed.
const DRY_ALLOWED: &str = "dry_allowed";
/// The outcome in the list of a dry run that would be refused.
const DRY_DENIED: &str = "dry_denied";

/// The section `decision`.
#[derive(Debug, Serialize)]
struct DecisionSection<'a> {
    outcome: &'static str,
    candidates: Vec<&'a str>,
    eligible: Vec<&'a str>,
    order: &'a [String],
    rules: Vec<&'a str>,
    waived: Vec<WaivedRule<'a>>,
    shadow: Vec<ShadowRule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kill_switches: Vec<&'a str>,
    redactions: &'a EntityCounts,
    obligations: bailiwick_policy::Obligations,
    class_sources: &'a [Said],
    region_names: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    declared_regions: Option<CountrySet>,
    spans: usize,
}

/// A rule in shadow mode, and what enforcing it would have changed.
#[derive(Debug, Serialize)]
struct ShadowRule<'a> {
    rule: &'a str,
    would_deny: bool,
    would_exclude: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    would_change: Vec<&'static str>,
}

/// A rule that an exception waived, and which.
#[derive(Debug, Serialize)]
struct WaivedRule<'a> {
    rule: &'a str,
    exception: &'a str,
}

/// The section `principal`.
#[derive(Debug, Serialize)]
struct PrincipalSection<'a> {
    key: &'a str,
    name: &'a str,
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ceiling: Option<&'a Ceiling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

/// The section `attempt`.
#[derive(Debug, Serialize)]
struct AttemptSection<'a> {
    number: u32,
    endpoint: &'a str,
    model: &'a str,
    countries: &'a [String],
    simulated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_nano: Option<i64>,
    holds: Vec<Hold>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<LimitHold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_limit: Option<u64>,
    lowered: bool,
}

/// What a crash between attempt and outcome books.
#[derive(Debug, Clone, Copy, Serialize, serde::Deserialize)]
pub struct Hold {
    /// The budget.
    pub budget: i64,
    /// Start of its window, Unix milliseconds.
    pub window_start_ms: i64,
    /// Nano-dollars.
    pub amount_nano: i64,
}

/// What a crash between attempt and outcome books on a limit that counts something else than money.
#[derive(Debug, Clone, Copy, Serialize, serde::Deserialize)]
pub struct LimitHold {
    /// The limit.
    pub limit: i64,
    /// Start of its bucket, Unix milliseconds.
    pub window_start_ms: i64,
    /// Requests or tokens.
    pub amount: i64,
}

/// Nothing could be recorded, so nothing may happen.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The log.
    #[error(transparent)]
    Audit(#[from] AuditUnavailable),
    /// The record could not be made.
    #[error("the record could not be made: {0}")]
    Record(String),
}

/// Makes an attempt durable; the first one together with the decision.
///
/// # Errors
/// [`RecordError`]; nothing may leave then.
pub async fn attempt(
    gateway: &Gateway,
    attempted: Attempted<'_>,
    funded: &Funded,
    order: &[String],
    network: &Network,
    now_ms: i64,
) -> Result<Recorded, RecordError> {
    let Attempted { decided, redactions, number, candidate, .. } = attempted;
    let kind = if number == 1 { Kind::Decision } else { Kind::Attempt };
    let mut draft = head(kind, decided, now_ms).id("attempt", number.to_string());
    let mut salts = Salts::new(5);
    if number == 1 {
        draft = draft
            .section(section("facts", &decided.facts, &mut salts)?)
            .section(section("decision", &decision(decided, "allow", order, redactions), &mut salts)?)
            .section(section("principal", &principal(gateway, decided), &mut salts)?)
            .section(section("network", network, &mut salts)?);
    }
    let holds = funded.reservation.as_ref().map(|held| held.worst_case()).unwrap_or_default();
    let attempt = AttemptSection {
        number,
        endpoint: &candidate.place.name,
        model: candidate.route.target.upstream_model(),
        countries: &candidate.place.countries,
        simulated: candidate.place.simulated,
        reserved_nano: funded.worst_case_nano,
        holds: holds
            .iter()
            .filter(|hold| hold.unit.is_money())
            .map(|hold| Hold {
                budget: hold.budget,
                window_start_ms: hold.window_start_ms,
                amount_nano: hold.cost_nano,
            })
            .collect(),
        limits: holds
            .iter()
            .filter(|hold| !hold.unit.is_money())
            .map(|hold| LimitHold {
                limit: hold.budget,
                window_start_ms: hold.window_start_ms,
                amount: hold.cost_nano,
            })
            .collect(),
        output_limit: funded.output_limit,
        lowered: funded.lowered,
    };
    draft = draft.section(section("attempt", &attempt, &mut salts)?);
    let mut row = row(decided, "running", redactions);
    row.endpoint = Some(candidate.place.name.clone());
    row.cost_nano = attempted.spent_nano;
    let mut entry = Entry::new(draft);
    entry.index = Some(row);
    gateway.audit.append_for_sure(entry).await?;
    Ok(Recorded { _sealed: () })
}

/// The section `analysis`.
#[derive(Debug, Serialize)]
struct AnalysisSection<'a> {
    detector: &'a str,
    endpoint: &'a str,
    countries: &'a [String],
    eligible: Vec<&'a str>,
    rules: Vec<&'a str>,
}

/// A detector that is about to read a request, and the decision by which it may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Analysis<'a> {
    /// What it is asked for as.
    pub(super) detector: &'a str,
    /// What was known of the request.
    pub(super) facts: &'a RequestFacts,
    /// Which endpoints may be asked.
    pub(super) decision: &'a Decision,
    /// Which one is.
    pub(super) candidate: &'a Candidate<'a>,
}

/// Makes it durable that a detector is about to read the request: whose, on which facts, and from where it came.
///
/// # Errors
/// [`RecordError`]; it must not be shown anything then.
pub(super) async fn analysis(
    gateway: &Gateway,
    decided: &Decided,
    analysis: &Analysis<'_>,
    network: &Network,
) -> Result<(), RecordError> {
    let Analysis { detector, facts, decision, candidate } = *analysis;
    let policy = &decided.classified.read.auth.snapshot.policy;
    let asking = decided.decision.analyzed_by.iter().filter_map(|index| policy.rule(*index));
    let section_of = AnalysisSection {
        detector,
        endpoint: &candidate.place.name,
        countries: &candidate.place.countries,
        eligible: policy.names(&decision.eligible).collect(),
        rules: asking.map(|rule| rule.id.as_str()).collect(),
    };
    let mut salts = Salts::new(4);
    let draft = head(Kind::Analysis, decided, gateway.clock.now_ms())
        .section(section("facts", facts, &mut salts)?)
        .section(section("analysis", &section_of, &mut salts)?)
        .section(section("principal", &principal(gateway, decided), &mut salts)?)
        .section(section("network", network, &mut salts)?);
    gateway.audit.append(Entry::new(draft)).await?;
    Ok(())
}

/// Makes a refusal durable.
///
/// # Errors
/// [`RecordError`].
pub async fn refusal(
    gateway: &Gateway,
    decided: &Decided,
    refusal: &Refusal,
    network: &Network,
    marks: &[Mark],
    now_ms: i64,
) -> Result<(), RecordError> {
    let mut salts = Salts::new(6);
    let body = RefusalSection::of(refusal);
    let none = EntityCounts::default();
    let draft = head(Kind::Refusal, decided, now_ms)
        .section(section("facts", &decided.facts, &mut salts)?)
        .section(section("decision", &decision(decided, "deny", &[], &none), &mut salts)?)
        .section(section("principal", &principal(gateway, decided), &mut salts)?)
        .section(section("network", network, &mut salts)?)
        .section(section("refusal", &body, &mut salts)?)
        .section(section("timing", &marks, &mut salts)?);
    let row = refused_row(row(decided, "denied", &none), refusal, marks);
    let mut entry = Entry::new(draft);
    entry.index = Some(row);
    gateway.audit.append(entry).await?;
    Ok(())
}

/// Makes the decision of a dry run durable: nothing is sent, and the record says so by its kind. `order` are the endpoints
/// that would be tried; `refusal` is why none would be.
///
/// # Errors
/// [`RecordError`].
pub async fn dry_run(
    gateway: &Gateway,
    decided: &Decided,
    redactions: &EntityCounts,
    order: &[String],
    refusal: Option<&Refusal>,
    network: &Network,
    marks: &[Mark],
) -> Result<(), RecordError> {
    let mut salts = Salts::new(6);
    let outcome = if refusal.is_none() { "allow" } else { "deny" };
    let mut draft = head(Kind::DryRun, decided, gateway.clock.now_ms())
        .section(section("facts", &decided.facts, &mut salts)?)
        .section(section("decision", &decision(decided, outcome, order, redactions), &mut salts)?)
        .section(section("principal", &principal(gateway, decided), &mut salts)?)
        .section(section("network", network, &mut salts)?)
        .section(section("timing", &marks, &mut salts)?);
    let mut row = match refusal {
        None => row(decided, DRY_ALLOWED, redactions),
        Some(refusal) => {
            draft = draft.section(section("refusal", &RefusalSection::of(refusal), &mut salts)?);
            refused_row(row(decided, DRY_DENIED, redactions), refusal, marks)
        }
    };
    row.endpoint = order.first().cloned();
    let mut entry = Entry::new(draft);
    entry.index = Some(row);
    gateway.audit.append(entry).await?;
    Ok(())
}

/// Makes it durable that no endpoint is left to try after attempts that were settled as to be followed by another: the
/// last word on a decision whose outcome nothing else tells. `spent_nano` is what its attempts cost.
///
/// # Errors
/// [`RecordError`].
pub async fn gave_up(
    gateway: &Gateway,
    last: Attempted<'_>,
    refusal: &Refusal,
    marks: &[Mark],
    spent_nano: Option<i64>,
    now_ms: i64,
) -> Result<(), RecordError> {
    let mut salts = Salts::new(2);
    let draft = head(Kind::Refusal, last.decided, now_ms)
        .section(section("refusal", &RefusalSection::of(refusal), &mut salts)?)
        .section(section("timing", &marks, &mut salts)?);
    let mut row = refused_row(row(last.decided, "failed", last.redactions), refusal, marks);
    row.endpoint = Some(last.candidate.place.name.clone());
    row.cost_nano = spent_nano;
    let mut entry = Entry::new(draft);
    entry.index = Some(row);
    gateway.audit.append(entry).await?;
    Ok(())
}

/// The section `refusal`.
#[derive(Serialize)]
struct RefusalSection<'a> {
    code: &'a str,
    status: u16,
    message: &'a str,
    rules: &'a [String],
    fix: &'a str,
}

impl<'a> RefusalSection<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        Self {
            code: refusal.code.as_str(),
            status: refusal.code.status().as_u16(),
            message: &refusal.message,
            rules: &refusal.rules,
            fix: &refusal.fix,
        }
    }
}

fn refused_row(mut row: IndexUpdate, refusal: &Refusal, marks: &[Mark]) -> IndexUpdate {
    let own = marks.iter().filter(|mark| mark.stage != Stage::Forward).map(|mark| mark.us);
    row.overhead_us = i64::try_from(own.sum::<u64>()).ok();
    row.status = Some(i64::from(refusal.code.status().as_u16()));
    row.code = Some(refusal.code.as_str().to_owned());
    row
}

/// A draft with what every record of a request says in the open.
pub(super) fn head(kind: Kind, decided: &Decided, now_ms: i64) -> Draft {
    let auth = &decided.classified.read.auth;
    let mut draft = Draft::new(kind, now_ms)
        .scope(auth.key.scope.clone())
        .id("decision", decided.id.clone())
        .id("key", auth.key.id.clone());
    // In the open and in every record of the request: whoever prunes must know it even where sections are gone.
    if let Some(days) = decided.decision.obligations.retain_days {
        draft = draft.id(RETAIN_DAYS, days.to_string());
    }
    if kind != Kind::Outcome {
        for (name, digest) in &auth.snapshot.digests {
            draft = draft.digest(*name, digest.clone());
        }
    }
    draft
}

/// The row of the console's list as it stands after a record.
pub(super) fn row(decided: &Decided, outcome: &str, redactions: &EntityCounts) -> IndexUpdate {
    let auth = &decided.classified.read.auth;
    let classes = decided.facts.classes.yes;
    IndexUpdate {
        id: decided.id.clone(),
        time_ms: auth.now_ms,
        scope: auth.key.scope.clone(),
        key_id: Some(auth.key.id.clone()),
        model: Some(decided.facts.model.clone()),
        outcome: outcome.to_owned(),
        endpoint: None,
        redactions: (!redactions.is_empty()).then(|| redactions.to_string()),
        classes: (!classes.is_empty())
            .then(|| classes.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(",")),
        cost_nano: None,
        overhead_us: None,
        status: None,
        code: None,
    }
}

fn decision<'a>(
    decided: &'a Decided,
    outcome: &'static str,
    order: &'a [String],
    redactions: &'a EntityCounts,
) -> DecisionSection<'a> {
    let snapshot: &Snapshot = &decided.classified.read.auth.snapshot;
    let Decision { candidates, eligible, rules, waived, shadow, obligations, .. } = &decided.decision;
    let names = |set: &bailiwick_policy::EndpointSet| -> Vec<&'a str> {
        set.iter().filter_map(|index| snapshot.place(index)).map(|place| place.name.as_str()).collect()
    };
    let rule =
        |index: bailiwick_policy::RuleIndex| snapshot.policy.rule(index).map_or("", |rule| rule.id.as_str());
    DecisionSection {
        outcome,
        candidates: names(candidates),
        eligible: names(eligible),
        order,
        rules: rules.iter().map(|index| rule(*index)).collect(),
        waived: waived
            .iter()
            .map(|waiver| WaivedRule {
                rule: rule(waiver.rule),
                exception: snapshot.policy.exception(waiver).map_or("", |exception| exception.id.as_str()),
            })
            .collect(),
        shadow: shadow
            .iter()
            .map(|shadow| ShadowRule {
                rule: rule(shadow.rule),
                would_deny: shadow.would_deny,
                would_exclude: names(&shadow.would_exclude),
                would_change: shadow.would_change.iter().map(|what| what.as_str()).collect(),
            })
            .collect(),
        kill_switches: snapshot.policy.stopping(&decided.decision).map(|switch| switch.id.as_str()).collect(),
        redactions,
        obligations: *obligations,
        class_sources: &decided.classified.class_sources,
        region_names: &decided.classified.hints.region_names,
        declared_regions: decided.classified.read.auth.key.declared.subject_regions,
        spans: decided.classified.read.text.spans.len(),
    }
}

fn principal<'a>(gateway: &Gateway, decided: &'a Decided) -> PrincipalSection<'a> {
    let pseudonym =
        |named, name: &Option<String>| name.as_deref().map(|name| gateway.pseudonyms.of(named, name));
    let hints = &decided.classified.hints;
    let key = &decided.classified.read.auth.key;
    PrincipalSection {
        key: &key.id,
        name: &key.name,
        roles: &key.roles,
        environment: key.environment.as_deref(),
        ceiling: Some(&key.ceiling).filter(|ceiling| ceiling.is_any()),
        user: pseudonym(Named::User, &hints.user),
        subject: pseudonym(Named::Subject, &hints.subject),
        session: pseudonym(Named::Session, &hints.session),
    }
}

/// Random salts for the sections of one record.
#[derive(Debug)]
pub struct Salts(Vec<u8>);

impl Salts {
    /// Salts for up to `count` sections, from a generator that the operating system seeds: asking the system
    /// itself for each record costs more than the commitments do.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut bytes = vec![0; count * 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    fn next(&mut self) -> Result<[u8; 32], RecordError> {
        let at = self.0.len().checked_sub(32);
        let tail = at.map(|at| self.0.split_off(at));
        tail.and_then(|tail| tail.try_into().ok())
            .ok_or_else(|| RecordError::Record(String::from("more sections than salts")))
    }
}

/// A section that holds `value`.
///
/// # Errors
/// [`RecordError::Record`].
pub fn section<T: Serialize + ?Sized>(
    name: &'static str,
    value: &T,
    salts: &mut Salts,
) -> Result<Section, RecordError> {
    Section::new(name, value, salts.next()?).map_err(|error| RecordError::Record(error.to_string()))
}

/// The facts of a recorded decision, read back.
///
/// # Errors
/// Where the section is not what [`attempt`] wrote.
pub fn read_facts(bytes: &[u8]) -> Result<RequestFacts, serde_json::Error> {
    serde_json::from_slice(bytes)
}
