//! JSON Schemas of a bundle's files, for editors.

use crate::bundle::Manifest;
use crate::endpoint::Endpoint;
use crate::exception::Exception;
use crate::pack::PackManifest;
use crate::policy_test::PolicyTest;
use crate::rule::Rule;
use bailiwick_compliance_db::Attestation;
use schemars::{JsonSchema, generate::SchemaSettings};

/// The JSON Schemas (draft 2020-12) of a bundle's files, each under the name `<name>.schema.json`:
/// `bundle`, `pack`, `rule`, `exception`, `attestation`, `compliance`, `test` and `test-endpoints`.
#[must_use]
pub fn schemas() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("bundle", schema::<Manifest>()),
        ("pack", schema::<PackManifest>()),
        ("rule", schema::<Rule>()),
        ("exception", schema::<Exception>()),
        ("attestation", schema::<Attestation>()),
        ("compliance", bailiwick_compliance_db::Database::own_schema()),
        ("test", schema::<PolicyTest>()),
        ("test-endpoints", schema::<Vec<Endpoint>>()),
    ]
}

fn schema<T: JsonSchema>() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
