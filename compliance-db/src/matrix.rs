//! An endpoint against what regulations ask of it: yes, no, only if, unknown.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Attestation, AttestationKind, AttestationKindSet, Attribute, Context, CountrySet, Database,
    EndpointProfile, FactId, Missing, Resolved, Value, expand,
};

/// What is asked of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regulation {
    /// Prompts and responses are processed and kept, logs against abuse included, in the EU or the rest of the EEA.
    EuResidency,
    /// There is a ground for each transfer out of the EEA, or there is none (GDPR Chapter V).
    TransferMechanism,
    /// Protected health information may be sent (HIPAA, 45 CFR 164.502(e)).
    Hipaa,
    /// Nothing is kept.
    ZeroDataRetention,
    /// Nothing trains a model.
    NoTraining,
    /// Its attestation under PCI DSS names the service.
    PciDss,
    /// The model's developer signed the EU's general-purpose AI code of practice.
    GpaiCode,
    /// A SOC 2 Type II report covers the service.
    #[serde(rename = "soc_2")]
    Soc2,
    /// A certificate under ISO/IEC 27001 covers the service.
    #[serde(rename = "iso_27001")]
    Iso27001,
    /// A certificate under ISO/IEC 42001 covers the service.
    #[serde(rename = "iso_42001")]
    Iso42001,
    /// An attestation under the BSI's C5 covers the service.
    BsiC5,
}

/// Whether an endpoint does what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It does.
    Yes,
    /// It would, if what is named were attested or declared.
    OnlyIf,
    /// It does not.
    No,
    /// Nobody knows, which counts as no.
    Unknown,
}

/// The answer, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What is asked.
    pub regulation: Regulation,
    /// The answer.
    pub answer: Answer,
    /// In a few words: where, on which grounds, or what is missing.
    pub because: String,
    /// The facts behind it.
    pub facts: Vec<FactId>,
}

impl Regulation {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::EuResidency,
        Self::TransferMechanism,
        Self::Hipaa,
        Self::ZeroDataRetention,
        Self::NoTraining,
        Self::PciDss,
        Self::GpaiCode,
        Self::Soc2,
        Self::Iso27001,
        Self::Iso42001,
        Self::BsiC5,
    ];

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EuResidency => "eu_residency",
            Self::TransferMechanism => "transfer_mechanism",
            Self::Hipaa => "hipaa",
            Self::ZeroDataRetention => "zero_data_retention",
            Self::NoTraining => "no_training",
            Self::PciDss => "pci_dss",
            Self::GpaiCode => "gpai_code",
            Self::Soc2 => "soc_2",
            Self::Iso27001 => "iso_27001",
            Self::Iso42001 => "iso_42001",
            Self::BsiC5 => "bsi_c5",
        }
    }

    /// The attributes that decide it: all have to.
    fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::EuResidency => {
                &[Attribute::ProcessingCountries, Attribute::StorageCountries, Attribute::AbuseLogCountries]
            }
            Self::TransferMechanism => &[Attribute::TransferMechanism],
            Self::Hipaa => &[Attribute::HipaaEligible],
            Self::ZeroDataRetention => &[Attribute::ZeroDataRetention],
            Self::NoTraining => &[Attribute::TrainsOnInputs],
            Self::PciDss => &[Attribute::PciDss],
            Self::GpaiCode => &[Attribute::GpaiCode],
            Self::Soc2 => &[Attribute::Soc2],
            Self::Iso27001 => &[Attribute::Iso27001],
            Self::Iso42001 => &[Attribute::Iso42001],
            Self::BsiC5 => &[Attribute::BsiC5],
        }
    }

    fn met_by(self, resolved: &Resolved) -> bool {
        match self {
            Self::EuResidency => resolved.within(eea()),
            Self::TransferMechanism => resolved.is_known(),
            Self::NoTraining => resolved.is(false),
            _ => resolved.is(true),
        }
    }
}

fn eea() -> CountrySet {
    expand("EEA").unwrap_or_default()
}

impl Answer {
    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::OnlyIf => "only if",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.answer.name())?;
        match (self.answer, self.because.as_str()) {
            (_, "") | (Answer::Unknown, _) => Ok(()),
            (Answer::OnlyIf, because) => write!(f, " {because}"),
            (_, because) => write!(f, " ({because})"),
        }
    }
}

impl Database {
    /// Whether `endpoint` does what `regulation` asks, of a request as `ctx` describes it.
    #[must_use]
    pub fn judge(&self, endpoint: &EndpointProfile, regulation: Regulation, ctx: &Context<'_>) -> Judgement {
        let parts: Vec<Judgement> = regulation
            .attributes()
            .iter()
            .map(|&attribute| self.judge_one(endpoint, regulation, attribute, ctx))
            .collect();
        // A `no` decides; what is unknown hides what an agreement would mend; and all of them must be a yes.
        let answer = if parts.iter().any(|part| part.answer == Answer::No) {
            Answer::No
        } else {
            parts.iter().map(|part| part.answer).max().unwrap_or(Answer::Unknown)
        };
        let mut because: Vec<String> = Vec::new();
        for part in parts.iter().filter(|part| part.answer == answer && !part.because.is_empty()) {
            if !because.contains(&part.because) {
                because.push(part.because.clone());
            }
        }
        let because = because.join("; ");
        let mut facts: Vec<FactId> = parts.into_iter().flat_map(|part| part.facts).collect();
        facts.sort();
        facts.dedup();
        Judgement { regulation, answer, because, facts }
    }

    fn judge_one(
        &self,
        endpoint: &EndpointProfile,
        regulation: Regulation,
        attribute: Attribute,
        ctx: &Context<'_>,
    ) -> Judgement {
        let resolved = self.resolve(endpoint, attribute, ctx);
        let judged =
            |answer, because| Judgement { regulation, answer, because, facts: resolved.facts.clone() };
        if regulation.met_by(&resolved) {
            return judged(Answer::Yes, shown(&resolved));
        }
        if let Some(needed) = self.would_help(endpoint, regulation, &resolved, ctx) {
            return judged(Answer::OnlyIf, needed);
        }
        if resolved.is_known() {
            return judged(Answer::No, shown(&resolved));
        }
        let declared: Vec<&str> = resolved
            .missing
            .iter()
            .filter_map(|missing| match missing {
                Missing::Declaration { field, .. } => Some(*field),
                _ => None,
            })
            .collect();
        if !declared.is_empty() && declared.len() == resolved.missing.len() {
            let mut fields = declared;
            fields.sort_unstable();
            fields.dedup();
            return judged(Answer::OnlyIf, format!("`{}` is stated", fields.join("`, `")));
        }
        let missing: Vec<String> = resolved.missing.iter().map(ToString::to_string).collect();
        judged(Answer::Unknown, missing.join("; "))
    }

    /// The agreements that would turn the answer into a yes: any one of several, or else all of them together.
    fn would_help(
        &self,
        endpoint: &EndpointProfile,
        regulation: Regulation,
        resolved: &Resolved,
        ctx: &Context<'_>,
    ) -> Option<String> {
        let lacking: AttestationKindSet = resolved
            .missing
            .iter()
            .filter_map(|missing| match missing {
                Missing::Attestation { attestation, .. } => Some(*attestation),
                _ => None,
            })
            .collect();
        let helps = |kinds: &[AttestationKind]| {
            let supposed: Vec<Attestation> = ctx
                .attestations
                .iter()
                .cloned()
                .chain(kinds.iter().map(|&kind| supposed(kind, endpoint, ctx)))
                .collect();
            let with = Context { attestations: &supposed, ..*ctx };
            regulation.met_by(&self.resolve(endpoint, resolved.attribute, &with))
        };
        let alone: Vec<&str> =
            lacking.iter().filter(|kind| helps(&[*kind])).map(AttestationKind::name).collect();
        if !alone.is_empty() {
            return Some(alone.join(" or "));
        }
        let all: Vec<AttestationKind> = lacking.iter().collect();
        (all.len() > 1 && helps(&all))
            .then(|| all.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and "))
    }
}

/// An agreement of this kind that covers the endpoint now and leaves nothing out.
fn supposed(kind: AttestationKind, endpoint: &EndpointProfile, ctx: &Context<'_>) -> Attestation {
    Attestation {
        id: String::new(),
        kind,
        operator: endpoint.operator.clone(),
        services: vec![endpoint.service.clone()],
        endpoints: None,
        source_regions: None,
        scope: None,
        excluded_features: crate::FeatureSet::EMPTY,
        parties: Vec::new(),
        document: String::new(),
        signed: None,
        valid_from: ctx.now,
        valid_to: None,
    }
}

/// What is known, where a yes or no does not say it all: the smallest group of countries that all places lie in, with
/// those outside the EEA, and the grounds of transfers.
fn shown(resolved: &Resolved) -> String {
    match resolved.value {
        Some(Value::Locations(places)) if places.worldwide => "worldwide".into(),
        Some(Value::Locations(places)) if places.countries.is_empty() => String::new(),
        Some(Value::Locations(places)) => {
            let within =
                ["EU", "EEA"].into_iter().find(|name| expand(name).is_some_and(|set| places.within(set)));
            let outside = places.countries.difference(eea());
            match within {
                Some(name) => name.into(),
                None if places.countries == outside => outside.to_string(),
                None => format!("EEA and {outside}"),
            }
        }
        Some(Value::Mechanisms(grounds)) => grounds.to_string(),
        _ => String::new(),
    }
}
