//! Policy bundles as code: load, lint, compile, decide, explain and test.
//!
//! A [`Bundle`] is a folder in Git: rules, roles, attestations, exceptions and tests. [`Compiled`] joins it with the
//! compliance database and the catalog of endpoints; [`Compiled::decide`] is then a pure function of
//! [`RequestFacts`]. Rules only restrict, and what is unknown counts against the request: three-valued conditions
//! apply when unknown, requirements fail when unknown.
//!
//! The crate is pure: no I/O, no async, no clock. Times come in as Unix milliseconds.

mod bundle;
mod compiled;
mod condition;
mod decision;
mod documents;
mod endpoint;
mod endpoint_set;
mod exception;
mod facts;
mod kill_switch;
mod limits;
mod lint;
mod pack;
pub mod pattern;
mod plan;
mod policy_test;
mod problem;
mod rbac;
mod require;
mod rule;
mod run_tests;
mod schema;
pub mod scope;
mod source;
mod validate;

pub use bundle::{Bundle, Manifest, Settings};
pub use compiled::{
    Compiled, Digests, EndpointExplanation, Explanation, FactReference, PageReference, Reason,
    RuleExplanation, catalog_digest,
};
pub use condition::{AtLeast, SensitivityCondition, When};
pub use decision::{Decision, DenyCode, Handled, Obligations, Outcome, RuleIndex, Shadow, Waiver};
pub use endpoint::{Endpoint, ModelAlias};
pub use endpoint_set::EndpointSet;
pub use exception::Exception;
pub use facts::{ClassKnowledge, Operation, PrincipalFacts, RequestFacts};
pub use kill_switch::{KillSwitch, KillTarget, kill_switches_digest};
pub use limits::{MAX_FILE_BYTES, MAX_FILES, MAX_OTHERS, MAX_RULES, MAX_TOTAL_BYTES, cost as yaml_cost};
pub use lint::{lint, unknown_names, unknown_scopes};
pub use pack::{
    Include, IncludedPack, PackCopy, PackManifest, Parameter, ParameterKind, shipped_pack, shipped_packs,
};
pub use plan::{Asked, Change, Difference, FACT_NAMES, Handling, compare};
pub use policy_test::{Expectation, ExpectedOutcome, PolicyTest, TestFacts};
pub use problem::{Problem, Severity, did_you_mean};
pub use rbac::{Grant, Held, Membership, Rbac, Reasons};
pub use require::{Check, Countries, Days, OneOrMany, Require, Requirement};
pub use rule::{Direction, Forbid, Mode, Origin, Redact, Restore, Rule, RuleObligations};
pub use run_tests::{ExplainedTest, TestResult, explain_tests, run_tests};
pub use schema::schemas;
pub use source::BundleSource;
