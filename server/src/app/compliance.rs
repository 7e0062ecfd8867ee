//! The compliance database that a server starts with: the one in the binary, or a signed release.

use std::collections::BTreeMap;

use bailiwick_compliance_db::{Context, Database, EndpointProfile, FeatureSet};
use bailiwick_policy::Compiled;
use chrono::DateTime;

use super::StartError;
use super::config::ComplianceConfig;
use crate::release::{Release, public_key};

/// The files, before the bundle adds its own.
pub(super) fn shipped(config: Option<&ComplianceConfig>) -> Result<BTreeMap<String, String>, StartError> {
    let Some(config) = config else { return Ok(Database::embedded_files().collect()) };
    let refused = |error: crate::release::ReleaseError| StartError::Compliance(error.to_string());
    let key = public_key(&config.public_key).map_err(refused)?;
    Ok(Release::open(&config.release, &key).map_err(refused)?.files)
}

/// Tells in the log what a release says otherwise than the database in the binary, and which endpoints' answers that
/// changes, before anything is served by it.
pub(super) fn report(config: Option<&ComplianceConfig>, policy: &Compiled, now_ms: i64) {
    let bundle = policy.bundle();
    let (Some(_), Ok(before)) = (config, bundle.database(Database::embedded_files())) else { return };
    let changes = before.changes(policy.database());
    tracing::info!(
        from = changes.from,
        to = changes.to,
        added = changes.added.len(),
        removed = changes.removed.len(),
        changed = changes.changed.len(),
        models = changes.models.len(),
        "a release of the compliance database is in force"
    );
    for change in &changes.subprocessors {
        tracing::warn!(%change, "a provider has changed its subprocessors");
    }
    let profiles: Vec<EndpointProfile> = policy
        .endpoints()
        .iter()
        .flat_map(|endpoint| {
            endpoint.models.iter().map(|model| EndpointProfile {
                name: endpoint.name.clone(),
                model: model.upstream.clone(),
                ..endpoint.profile.clone()
            })
        })
        .collect();
    let context = Context {
        now: DateTime::from_timestamp_millis(now_ms).unwrap_or_default(),
        max_evidence_age_days: bundle.settings.max_evidence_age_days,
        attestations: &bundle.attestations,
        features: FeatureSet::EMPTY,
    };
    for change in before.impact(policy.database(), &profiles, &context) {
        tracing::warn!(%change, "the release changes what is known of an endpoint");
    }
}
