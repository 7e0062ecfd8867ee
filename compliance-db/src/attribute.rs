//! The attributes of an endpoint that rules can ask about.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Value;

/// What is asked about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// Where prompts are processed to make the response.
    ProcessingCountries,
    /// Where prompts, responses and state are kept at rest, logs against abuse apart.
    StorageCountries,
    /// Where prompts and responses are kept to detect abuse.
    AbuseLogCountries,
    /// Where the people are who may read prompts and responses.
    HumanReviewCountries,
    /// Whose law reaches the operator, wherever its machines stand.
    OperatorCountries,
    /// Whether prompts or responses train models.
    TrainsOnInputs,
    /// Whether protected health information may be sent (HIPAA, 45 CFR 164.502(e)).
    HipaaEligible,
    /// Whether nothing of prompt and response is kept once the response is made.
    ZeroDataRetention,
    /// Whether people of the provider may read prompts or responses.
    HumanReview,
    /// For how many days anything of prompt or response is kept at most.
    RetentionDays,
    /// On whose machines the model runs.
    Hosting,
    /// On what grounds personal data under the GDPR goes there.
    TransferMechanism,
    /// Whether a SOC 2 Type II report covers the service.
    #[serde(rename = "soc_2")]
    Soc2,
    /// Whether a certificate under ISO/IEC 27001 (information security) covers the service.
    #[serde(rename = "iso_27001")]
    Iso27001,
    /// Whether a certificate under ISO/IEC 42001 (management of AI) covers the service.
    #[serde(rename = "iso_42001")]
    Iso42001,
    /// Whether an attestation of compliance as a service provider under PCI DSS names the service.
    PciDss,
    /// Whether an attestation under the German BSI's C5 catalogue covers the service.
    BsiC5,
    /// Whether the model's developer has signed the whole of the EU's general-purpose AI code of practice (Regulation
    /// (EU) 2024/1689 Art. 56).
    GpaiCode,
}

/// Which variant of [`Value`] an attribute has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// [`Value::Locations`].
    Locations,
    /// [`Value::Bool`].
    Bool,
    /// [`Value::Days`].
    Days,
    /// [`Value::Hosting`].
    Hosting,
    /// [`Value::Mechanisms`].
    Mechanisms,
}

/// How the values of several facts become one. Every join is commutative, associative and idempotent, and moves
/// only towards the worst case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Join {
    /// All places, all grounds.
    Union,
    /// The longest time, the least separation.
    Maximum,
    /// Yes only if all say yes: for what is good.
    And,
    /// Yes if one says yes: for what is bad.
    Or,
}

impl Attribute {
    /// Every attribute.
    pub const ALL: [Self; 18] = [
        Self::ProcessingCountries,
        Self::StorageCountries,
        Self::AbuseLogCountries,
        Self::HumanReviewCountries,
        Self::OperatorCountries,
        Self::TrainsOnInputs,
        Self::HipaaEligible,
        Self::ZeroDataRetention,
        Self::HumanReview,
        Self::RetentionDays,
        Self::Hosting,
        Self::TransferMechanism,
        Self::Soc2,
        Self::Iso27001,
        Self::Iso42001,
        Self::PciDss,
        Self::BsiC5,
        Self::GpaiCode,
    ];

    /// Its name in files and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessingCountries => "processing_countries",
            Self::StorageCountries => "storage_countries",
            Self::AbuseLogCountries => "abuse_log_countries",
            Self::HumanReviewCountries => "human_review_countries",
            Self::OperatorCountries => "operator_countries",
            Self::TrainsOnInputs => "trains_on_inputs",
            Self::HipaaEligible => "hipaa_eligible",
            Self::ZeroDataRetention => "zero_data_retention",
            Self::HumanReview => "human_review",
            Self::RetentionDays => "retention_days",
            Self::Hosting => "hosting",
            Self::TransferMechanism => "transfer_mechanism",
            Self::Soc2 => "soc_2",
            Self::Iso27001 => "iso_27001",
            Self::Iso42001 => "iso_42001",
            Self::PciDss => "pci_dss",
            Self::BsiC5 => "bsi_c5",
            Self::GpaiCode => "gpai_code",
        }
    }

    /// Whether it is a matter of who made the model and not of who serves it.
    #[must_use]
    pub fn is_the_developers(self) -> bool {
        self == Self::GpaiCode
    }

    /// The variant of its values.
    #[must_use]
    pub fn kind(self) -> ValueKind {
        match self {
            Self::ProcessingCountries
            | Self::StorageCountries
            | Self::AbuseLogCountries
            | Self::HumanReviewCountries
            | Self::OperatorCountries => ValueKind::Locations,
            Self::TrainsOnInputs
            | Self::HipaaEligible
            | Self::ZeroDataRetention
            | Self::HumanReview
            | Self::Soc2
            | Self::Iso27001
            | Self::Iso42001
            | Self::PciDss
            | Self::BsiC5
            | Self::GpaiCode => ValueKind::Bool,
            Self::RetentionDays => ValueKind::Days,
            Self::Hosting => ValueKind::Hosting,
            Self::TransferMechanism => ValueKind::Mechanisms,
        }
    }

    /// How its values join.
    #[must_use]
    pub fn join_rule(self) -> Join {
        match self {
            Self::ProcessingCountries
            | Self::StorageCountries
            | Self::AbuseLogCountries
            | Self::HumanReviewCountries
            | Self::OperatorCountries
            | Self::TransferMechanism => Join::Union,
            Self::RetentionDays | Self::Hosting => Join::Maximum,
            Self::HipaaEligible
            | Self::ZeroDataRetention
            | Self::Soc2
            | Self::Iso27001
            | Self::Iso42001
            | Self::PciDss
            | Self::BsiC5
            | Self::GpaiCode => Join::And,
            Self::TrainsOnInputs | Self::HumanReview => Join::Or,
        }
    }

    /// Joins two values. `None` where one of them is not of this attribute's [kind](Self::kind).
    #[must_use]
    pub fn join(self, a: Value, b: Value) -> Option<Value> {
        if a.kind() != self.kind() || b.kind() != self.kind() {
            return None;
        }
        match (a, b, self.join_rule()) {
            (Value::Locations(a), Value::Locations(b), _) => Some(Value::Locations(a.union(b))),
            (Value::Bool(a), Value::Bool(b), Join::And) => Some(Value::Bool(a && b)),
            (Value::Bool(a), Value::Bool(b), _) => Some(Value::Bool(a || b)),
            (Value::Days(a), Value::Days(b), _) => Some(Value::Days(a.max(b))),
            (Value::Hosting(a), Value::Hosting(b), _) => Some(Value::Hosting(a.max(b))),
            (Value::Mechanisms(a), Value::Mechanisms(b), _) => Some(Value::Mechanisms(a.union(b))),
            _ => None,
        }
    }
}

impl Value {
    /// Which variant it is.
    #[must_use]
    pub fn kind(&self) -> ValueKind {
        match self {
            Self::Locations(_) => ValueKind::Locations,
            Self::Bool(_) => ValueKind::Bool,
            Self::Days(_) => ValueKind::Days,
            Self::Hosting(_) => ValueKind::Hosting,
            Self::Mechanisms(_) => ValueKind::Mechanisms,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
