//! From facts to the value of one attribute of one endpoint.
//!
//! Facts take part in three ways. A fact that *may* apply *contributes*: its value is joined. Of those, a fact is a
//! *basis* if it certainly applies, needs no feature, its agreements are in force, and verified evidence younger
//! than the limit says so. And a contributing fact can *spoil* the answer: its evidence is too old, or the request
//! uses a feature that it does not cover and that no other fact covers as certainly as a basis would. The value is
//! known if there is a basis and nothing spoils it.
//!
//! Adding a feature to a request only adds contributions, and only takes bases away or spoils, so it never makes
//! an answer better. (One exception is checked when files are loaded: a default that an agreement lifts comes back
//! when the agreement excludes a feature, so the fact that holds under the agreement must stand beside it.)

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::{
    Attestation, AttestationKind, AttestationKindSet, Attribute, Confidence, CountrySet, Database,
    EndpointProfile, Fact, FactId, FactScope, FactValue, FeatureSet, Locations, Missing, Pattern, Resolved,
    Value, answer::Answer, attestation::first_instant,
};

/// What a resolution depends on beside the endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time of the decision.
    pub now: DateTime<Utc>,
    /// Evidence last seen more than this many days ago counts as none.
    pub max_evidence_age_days: u32,
    /// The attestations that hold for the part of the organisation that asks
    /// ([`Attestation::applies_to`]); those not in force or not about the endpoint are left out here.
    pub attestations: &'a [Attestation],
    /// What the request uses.
    pub features: FeatureSet,
}

/// Whether a fact's scope takes in an endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    /// The scope asks for something that is unknown about the endpoint.
    Maybe,
    No,
}

impl FactScope {
    /// What each field asks for, its name, and what the endpoint has there.
    fn fields<'a>(
        &'a self,
        endpoint: &'a EndpointProfile,
    ) -> impl Iterator<Item = (&'static str, &'a [Pattern], Option<&'a str>)> {
        let none = Some("none");
        let fields: [(&'static str, &[Pattern], Option<&str>); 9] = [
            ("developer", &self.developer, endpoint.developer.as_deref()),
            ("operator", &self.operator, Some(&endpoint.operator)),
            ("service", &self.service, Some(&endpoint.service)),
            ("hosting_option", &self.hosting_option, endpoint.hosting_option.as_deref()),
            ("model", &self.model, Some(&endpoint.model)),
            ("version", &self.version, endpoint.version.as_deref()),
            ("profile", &self.profile, endpoint.profile.as_deref().or(none)),
            ("source_region", &self.source_region, endpoint.source_region.as_deref()),
            ("tier", &self.tier, endpoint.tier.as_deref()),
        ];
        fields.into_iter().filter(|(_, patterns, _)| !patterns.is_empty())
    }

    /// Compares each field given; `No` in one decides, then `Maybe` in one.
    pub(crate) fn matches(&self, endpoint: &EndpointProfile) -> Match {
        self.fields(endpoint).fold(Match::Yes, |so_far, (_, patterns, is)| match (so_far, is) {
            (Match::No, _) => Match::No,
            (_, None) => Match::Maybe,
            (_, Some(is)) if !patterns.iter().any(|pattern| pattern.matches(is)) => Match::No,
            (so_far, Some(_)) => so_far,
        })
    }

    /// The first field that the scope asks for and the endpoint does not state.
    pub(crate) fn unstated(&self, endpoint: &EndpointProfile) -> Option<&'static str> {
        self.fields(endpoint).find(|(_, _, is)| is.is_none()).map(|(field, _, _)| field)
    }
}

/// The kinds of attestation that stand behind an endpoint.
struct Attested {
    /// In force for this request.
    now: AttestationKindSet,
    /// In force, were it not for a feature of the request.
    but_for_features: AttestationKindSet,
}

impl Attested {
    fn of<'a>(covering: impl Iterator<Item = &'a Attestation>, ctx: &Context<'_>) -> Self {
        let mut attested =
            Self { now: AttestationKindSet::EMPTY, but_for_features: AttestationKindSet::EMPTY };
        for attestation in covering.filter(|attestation| attestation.in_force(ctx.now)) {
            attested.but_for_features.insert(attestation.kind);
            if !attestation.excluded_features.intersects(ctx.features) {
                attested.now.insert(attestation.kind);
            }
        }
        attested
    }
}

impl Database {
    /// The value of `attribute` for `endpoint`: all facts that apply, joined.
    #[must_use]
    pub fn resolve(&self, endpoint: &EndpointProfile, attribute: Attribute, ctx: &Context<'_>) -> Resolved {
        let covering: Vec<&Attestation> =
            ctx.attestations.iter().filter(|attestation| attestation.covers(endpoint)).collect();
        let attested = Attested::of(covering.iter().copied(), ctx);
        let mut answer = Answer::new(attribute);

        let in_scope: Vec<(&Fact, Match)> = self
            .facts_about(attribute)
            .map(|fact| (fact, fact.scope.matches(endpoint)))
            .filter(|(_, matched)| *matched != Match::No)
            .collect();

        let mut contributing: Vec<Candidate<'_>> = Vec::new();
        for (fact, matched) in in_scope {
            if fact.when.mentions_attestations() {
                answer.until_attestations_change(fact, &covering, ctx.now);
            }
            if fact.when.without_attestations.intersects(attested.now) {
                continue;
            }
            let lacking = fact.when.attestations.difference(attested.now);
            if !fact.when.attestations.is_subset(attested.but_for_features) {
                if matched == Match::Yes && fact.when.with_features.is_empty() {
                    answer.lacks_attestations(fact, lacking, endpoint, &covering);
                }
                continue;
            }
            let needs = fact.when.with_features;
            if !needs.is_empty() && !needs.intersects(ctx.features) {
                continue;
            }
            if !lacking.is_empty() {
                answer.lacks_attestations(fact, lacking, endpoint, &covering);
            }
            if let Some(field) = fact.scope.unstated(endpoint) {
                answer.lacks_declaration(fact, field);
            }
            contributing.push(Candidate { fact, certain: matched == Match::Yes && lacking.is_empty() });
        }

        for candidate in &contributing {
            self.weigh(candidate, &contributing, endpoint, ctx, &mut answer);
        }
        answer.conflicts = conflicts(&contributing);
        answer.finish(endpoint)
    }

    /// The features on which the value of `attribute` for `endpoint` can depend: two requests that differ in
    /// other features only resolve alike.
    #[must_use]
    pub fn features_that_matter(
        &self,
        endpoint: &EndpointProfile,
        attribute: Attribute,
        attestations: &[Attestation],
    ) -> FeatureSet {
        let of_facts = self
            .facts_about(attribute)
            .filter(|fact| fact.scope.matches(endpoint) != Match::No)
            .map(|fact| fact.when.with_features.union(fact.when.without_features));
        let of_attestations = attestations
            .iter()
            .filter(|attestation| attestation.covers(endpoint))
            .map(|attestation| attestation.excluded_features);
        of_facts.chain(of_attestations).fold(FeatureSet::EMPTY, FeatureSet::union)
    }

    /// Joins one contributing fact's value and decides whether it is a basis or spoils the answer.
    fn weigh(
        &self,
        candidate: &Candidate<'_>,
        contributing: &[Candidate<'_>],
        endpoint: &EndpointProfile,
        ctx: &Context<'_>,
        answer: &mut Answer,
    ) {
        let fact = candidate.fact;
        match self.value_of(fact, endpoint) {
            Ok(value) => answer.join(fact, value),
            Err(field) => {
                answer.facts.push(fact.id.clone());
                answer.spoil(Missing::Declaration { fact: fact.id.clone(), field });
                return;
            }
        }

        // What only may apply, or what nobody read or looked at lately, counts against the endpoint and covers nothing.
        let covered = contributing
            .iter()
            .filter(|other| other.is_certain_and_fresh(self, ctx))
            .fold(FeatureSet::EMPTY, |covered, other| covered.union(other.fact.when.with_features));
        let uncovered = fact.when.without_features.intersection(ctx.features).difference(covered);
        if !uncovered.is_empty() {
            answer.spoil(Missing::Feature { fact: fact.id.clone(), features: uncovered });
        }

        let age = self.age(fact, ctx);
        if let Age::Fresh { until: Some(until) } = age {
            answer.until(until);
        }
        if let Some(known) = own_days(fact).filter_map(day_begins).filter(|begins| *begins > ctx.now).min() {
            answer.until(known);
        }
        // A certain and fresh fact about the same thing stands in for one whose page is no longer looked at, but
        // cannot say what a set that may grow has grown to.
        if age == Age::Stale {
            let replaced = !fact.value.may_grow()
                && contributing
                    .iter()
                    .any(|other| contradict(fact, other.fact) && other.is_certain_and_fresh(self, ctx));
            if !replaced {
                answer.spoil(Missing::Evidence {
                    fact: fact.id.clone(),
                    url: fact.evidence.first().map(|evidence| evidence.url.clone()).unwrap_or_default(),
                    limit_days: ctx.max_evidence_age_days,
                });
            }
        }
        if age == Age::Unverified {
            answer.unverified.push(Missing::Verification {
                fact: fact.id.clone(),
                url: fact.evidence.first().map(|evidence| evidence.url.clone()).unwrap_or_default(),
            });
        }

        if candidate.is_certain_and_fresh(self, ctx) && fact.when.with_features.is_empty() {
            answer.has_basis = true;
        }
    }

    /// The value that a fact gives this endpoint, or the field of the endpoint that it would need.
    fn value_of(&self, fact: &Fact, endpoint: &EndpointProfile) -> Result<Value, &'static str> {
        match fact.value {
            FactValue::Fixed(value) => Ok(value),
            FactValue::WithSourceRegion(places) => {
                let region = endpoint.source_region.as_deref().ok_or("source_region")?;
                let country = self.region(&endpoint.operator, region).ok_or("source_region")?;
                Ok(Value::Locations(places.union(Locations::of(CountrySet::from_iter([country])))))
            }
            FactValue::Declared => declared(fact.attribute, endpoint),
        }
    }
}

fn declared(attribute: Attribute, endpoint: &EndpointProfile) -> Result<Value, &'static str> {
    use crate::ValueKind;
    let declared = &endpoint.declared;
    match attribute.kind() {
        ValueKind::Locations => declared
            .countries
            .as_ref()
            .filter(|countries| !countries.is_empty())
            .map(|countries| Value::Locations(Locations::of(countries.iter().copied().collect())))
            .ok_or("declared.countries"),
        ValueKind::Hosting => declared.hosting.map(Value::Hosting).ok_or("declared.hosting"),
        ValueKind::Days => declared.retention_days.map(Value::Days).ok_or("declared.retention_days"),
        ValueKind::Bool | ValueKind::Mechanisms => Err("declared"),
    }
}

/// A fact that contributes.
struct Candidate<'a> {
    fact: &'a Fact,
    /// It certainly applies: nothing that its scope asks for is unknown, and its agreements are in force.
    certain: bool,
}

impl Candidate<'_> {
    /// Whether it can count for the endpoint, and not only against it.
    fn is_certain_and_fresh(&self, database: &Database, ctx: &Context<'_>) -> bool {
        self.certain && matches!(database.age(self.fact, ctx), Age::Fresh { .. })
    }
}

/// How old a fact's evidence is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Young enough until then; `None` does not age.
    Fresh {
        until: Option<DateTime<Utc>>,
    },
    Stale,
    /// Nobody has read it, or it is said to have been read on a day that is yet to come.
    Unverified,
}

/// How far ahead of UTC a day begins first (UTC+14, Kiribati: <https://www.iana.org/time-zones>, Pacific/Kiritimati).
const FIRST_TO_BEGIN: TimeDelta = TimeDelta::hours(14);

/// When a day begins where it begins first.
fn day_begins(day: NaiveDate) -> Option<DateTime<Utc>> {
    first_instant(day).checked_sub_signed(FIRST_TO_BEGIN)
}

/// The days on which an organisation's own evidence is said to have been seen. What ships is dated by who signs it, and
/// nobody signs evidence from the future.
fn own_days(fact: &Fact) -> impl Iterator<Item = NaiveDate> {
    let own = fact.is_own();
    let seen = fact.evidence.iter().filter(move |_| own);
    seen.flat_map(|evidence| [evidence.observed_from, evidence.observed_to])
}

impl Database {
    fn age(&self, fact: &Fact, ctx: &Context<'_>) -> Age {
        // The day that it is somewhere; what is only now asked of the past may have been learnt since.
        let today = ctx.now.checked_add_signed(FIRST_TO_BEGIN).unwrap_or(ctx.now).date_naive();
        let today = self.known_by.map_or(today, |day| day.max(today));
        let own = fact.is_own();
        let read = fact.evidence.iter().filter(|evidence| {
            evidence.confidence == Confidence::Sourced && !(own && evidence.observed_from > today)
        });
        if read.clone().any(|evidence| !evidence.kind.ages()) {
            return Age::Fresh { until: None };
        }
        // Who claims to have seen it on a day to come has seen it on the first one.
        let last = read.map(|evidence| {
            if own && evidence.observed_to > today { evidence.observed_from } else { evidence.observed_to }
        });
        let Some(seen) = last.max() else { return Age::Unverified };
        let last_good_day = seen.checked_add_days(chrono::Days::new(ctx.max_evidence_age_days.into()));
        match last_good_day {
            None => Age::Fresh { until: None },
            Some(day) => {
                let until = first_instant(day) + TimeDelta::days(1);
                if ctx.now < until { Age::Fresh { until: Some(until) } } else { Age::Stale }
            }
        }
    }
}

impl FactValue {
    fn may_grow(&self) -> bool {
        match self {
            Self::Fixed(Value::Locations(places)) | Self::WithSourceRegion(places) => places.may_grow,
            Self::Fixed(_) | Self::Declared => false,
        }
    }
}

fn contradict(a: &Fact, b: &Fact) -> bool {
    a.conflicts_with.contains(&b.id) || b.conflicts_with.contains(&a.id)
}

fn conflicts(contributing: &[Candidate<'_>]) -> Vec<(FactId, FactId)> {
    let mut pairs = Vec::new();
    for (at, a) in contributing.iter().enumerate() {
        for b in contributing.iter().skip(at + 1) {
            if contradict(a.fact, b.fact) {
                pairs.push((a.fact.id.clone(), b.fact.id.clone()));
            }
        }
    }
    pairs
}

impl crate::Predicate {
    fn mentions_attestations(&self) -> bool {
        !self.attestations.is_empty() || !self.without_attestations.is_empty()
    }

    /// Whether the fact holds only under an agreement of this kind.
    pub(crate) fn needs(&self, kind: AttestationKind) -> bool {
        self.attestations.contains(kind)
    }
}
