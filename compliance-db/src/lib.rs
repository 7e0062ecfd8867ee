//! Dated, evidence-backed facts about the places that can serve a model: where they process and keep data,
//! whether people read it, what they are eligible for, and what they charge.
//!
//! A [`Fact`] is a claim about a [`FactScope`], under a [`Predicate`], with [`Evidence`]. [`Database::resolve`]
//! takes one [`EndpointProfile`] and one [`Attribute`] and joins every fact that applies; each attribute's join
//! only ever moves towards the worst case, so that knowing more can make an endpoint less eligible, never more.
//! What no fresh fact covers is unknown, and an unknown satisfies no requirement but none at all.
//!
//! The crate is pure: files come in as text (those of this repository are compiled in), time as an argument.

mod answer;
mod attestation;
mod attribute;
mod check;
mod compare;
mod country;
mod country_set;
mod coverage;
mod database;
mod embedded;
mod endpoint;
mod fact;
mod feature;
mod files;
mod lint;
mod matrix;
mod model;
mod name_set;
mod own;
mod region;
mod resolve;
mod resolved;
mod subprocessor;
mod value;

pub use attestation::{Attestation, AttestationKind, AttestationKindSet};
pub use attribute::{Attribute, Join, ValueKind};
pub use compare::{AnswerChange, Changes, Listing, SubprocessorChange};
pub use country::{Country, UnknownCountry};
pub use country_set::CountrySet;
pub use coverage::{AttributeCoverage, Coverage, Known, ServiceCoverage};
pub use database::{Database, LoadError, Problem};
pub use endpoint::{Declared, EndpointProfile};
pub use fact::{
    Confidence, Evidence, EvidenceKind, Fact, FactId, FactScope, FactValue, Pattern, Predicate, Replaces,
};
pub use feature::{Feature, FeatureSet};
pub use lint::{Doubt, Doubtful};
pub use matrix::{Answer, Judgement, Regulation};
pub use model::{
    LongContext, Modality, ModelInfo, ModelKind, NotAPrice, PerMillion, Price, PriceVariant, Unsaid,
};
pub use region::{Adequacy, REGION_NAMES, UnknownRegion, expand};
pub use resolve::Context;
pub use resolved::{Missing, Resolved};
pub use subprocessor::Subprocessor;
pub use value::{Hosting, Locations, Mechanism, MechanismSet, Value};
