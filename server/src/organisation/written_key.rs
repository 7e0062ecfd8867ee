//! A key as a file writes it: flat, so that an unknown field is found. serde cannot tell one through two levels of
//! `flatten`.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use bailiwick_compliance_db::Country;
use bailiwick_pii::{ClassSet, Sensitivity};
use serde::Deserialize;

use super::{Ceiling, Declarations, KeyDefinition, KeySettings, OpaqueContent};
use crate::keys::Networks;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenKey {
    scope: String,
    name: String,
    #[serde(default)]
    expires: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(default)]
    models: Option<Vec<String>>,
    #[serde(default)]
    endpoints: Option<Vec<String>>,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    requests_per_minute: Option<NonZeroU32>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    allowed_networks: Option<Networks>,
    #[serde(default)]
    max_data_classes: Option<ClassSet>,
    #[serde(default)]
    max_sensitivity: Option<Sensitivity>,
    #[serde(default)]
    controller: Option<Country>,
    #[serde(default)]
    subject_regions: Vec<String>,
    #[serde(default)]
    data_classes: ClassSet,
    #[serde(default)]
    sensitivity: Option<Sensitivity>,
    #[serde(default)]
    opaque_content: Option<OpaqueContent>,
}

impl From<WrittenKey> for KeyDefinition {
    fn from(written: WrittenKey) -> Self {
        let usual = KeySettings::default();
        Self {
            scope: written.scope,
            name: written.name,
            expires: written.expires,
            settings: KeySettings {
                models: written.models,
                endpoints: written.endpoints,
                purposes: written.purposes,
                roles: written.roles.unwrap_or(usual.roles),
                requests_per_minute: written.requests_per_minute,
                owner: written.owner,
                environment: written.environment,
                tags: written.tags,
                allowed_networks: written.allowed_networks,
                ceiling: Ceiling {
                    max_data_classes: written.max_data_classes,
                    max_sensitivity: written.max_sensitivity,
                },
                declarations: Declarations {
                    controller: written.controller,
                    subject_regions: written.subject_regions,
                    data_classes: written.data_classes,
                    sensitivity: written.sensitivity,
                    opaque_content: written.opaque_content,
                },
                line: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_sent_and_a_typo_does_not() {
        let written = r#"{"scope": "/acme", "name": "app", "models": ["m"], "roles": ["lead"], "purposes": ["support"],
            "requests_per_minute": 5, "owner": "u-7", "environment": "production", "tags": ["team:search"],
            "endpoints": ["azure-*"], "allowed_networks": ["10.0.0.0/8"], "max_data_classes": ["phi"],
            "max_sensitivity": "restricted", "subject_regions": ["EU"], "data_classes": ["phi"], "sensitivity": "restricted",
            "controller": "DE", "opaque_content": "as_declared", "expires": "2027-01-01T00:00:00Z"}"#;
        let key: KeyDefinition = serde_json::from_str(written).unwrap();
        assert_eq!(key.settings.declarations.sensitivity, Some(Sensitivity::Restricted));
        let sent = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<KeyDefinition>(&sent).unwrap(), key);

        let plain: KeyDefinition = serde_json::from_str(r#"{"scope": "/acme", "name": "app"}"#).unwrap();
        assert_eq!(plain.settings, KeySettings::default());
        let typo = r#"{"scope": "/acme", "name": "app", "model": ["m"]}"#;
        assert!(serde_json::from_str::<KeyDefinition>(typo).unwrap_err().to_string().contains("`model`"));
    }
}
