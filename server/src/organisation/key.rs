//! Keys as declared: what is wrong with a declaration, and the row that it becomes.

use bailiwick_pii::DataClass;
use bailiwick_policy::{pattern, scope};

use super::apply::not_json;
use super::{ApplyError, Ceiling, Declarations, KeyDefinition};
use crate::fault::Fault;
use crate::keys::VirtualKey;
use crate::store;

/// Characters of a name, an environment, a purpose, a tag.
const MAX_WORD: usize = 100;
/// Entries of one list of a key.
const MAX_ENTRIES: usize = 100;

/// Everything that is wrong with a key's declaration by itself.
#[must_use]
pub fn key_problems(key: &KeyDefinition) -> Vec<Fault> {
    let settings = &key.settings;
    let mut problems = settings.declarations.problems();
    if key.name.trim().is_empty() {
        problems.push(Fault::at("/name", format!("a key of {} has no name", key.scope)));
    }
    let mut words = vec![("name", key.name.as_str())];
    words.extend(settings.owner.as_deref().map(|owner| ("owner", owner)));
    words.extend(settings.environment.as_deref().map(|environment| ("environment", environment)));
    words.extend(settings.tags.iter().map(|tag| ("tags", tag.as_str())));
    words.extend(settings.purposes.iter().map(|purpose| ("purposes", purpose.as_str())));
    for (field, word) in words {
        if word.trim() != word || (word.is_empty() && field != "name") {
            let told = format!("`{field}`: write a word, without spaces around it");
            problems.push(Fault::at(format!("/{field}"), told));
        }
        if word.chars().count() > MAX_WORD || word.chars().any(|c| c.is_control() || scope::is_unseen(c)) {
            let told = format!(
                "`{field}`: at most {MAX_WORD} characters, none of which is invisible or controls anything"
            );
            problems.push(Fault::at(format!("/{field}"), told));
        }
    }
    let lists = [
        ("models", settings.models.as_ref().map_or(0, Vec::len)),
        ("endpoints", settings.endpoints.as_ref().map_or(0, Vec::len)),
        ("purposes", settings.purposes.len()),
        ("tags", settings.tags.len()),
    ];
    for (field, length) in lists {
        if length > MAX_ENTRIES {
            let told = format!("`{field}` has more than {MAX_ENTRIES} entries");
            problems.push(Fault::at(format!("/{field}"), told));
        }
    }
    for name in settings.endpoints.iter().flatten() {
        let wrong = pattern::validate(name).err().map(|what| format!("`endpoints`: {what}"));
        problems.extend(wrong.map(Fault::of_field("/endpoints")));
    }
    if settings.allowed_networks.as_ref().is_some_and(crate::keys::Networks::is_empty) {
        problems.push(Fault::at(
            "/allowed_networks",
            "`allowed_networks` is empty, so the key could be used from nowhere: name a network, leave it out, or \
             disable the key",
        ));
    }
    problems.extend(above(&settings.ceiling, &settings.declarations));
    let which = format!("key `{}`", key.name);
    problems.into_iter().map(|problem| problem.of(&which)).collect()
}

/// A key all of whose requests would be refused is a mistake.
fn above(ceiling: &Ceiling, declared: &Declarations) -> Vec<Fault> {
    let mut problems = Vec::new();
    if let Some(most) = ceiling.max_data_classes {
        let beyond: Vec<&str> =
            declared.data_classes.difference(most).iter().map(DataClass::as_str).collect();
        if !beyond.is_empty() {
            let told = format!(
                "`data_classes` says that every request holds {}, and `max_data_classes` refuses that",
                beyond.join(", ")
            );
            problems.push(Fault::at("/data_classes", told));
        }
    }
    if let (Some(most), Some(least)) = (ceiling.max_sensitivity, declared.sensitivity)
        && least > most
    {
        let told = format!(
            "`sensitivity` says that every request is at least {least}, and `max_sensitivity` refuses that"
        );
        problems.push(Fault::at("/sensitivity", told));
    }
    problems
}

impl Declarations {
    /// Everything that is wrong with them.
    pub(super) fn problems(&self) -> Vec<Fault> {
        let unknown = self
            .subject_regions
            .iter()
            .enumerate()
            .filter(|(_, name)| bailiwick_compliance_db::expand(name).is_none());
        unknown
            .map(|(at, region)| {
                let told = format!(
                    "`{region}` is neither a region ({}) nor a country code (ISO 3166-1 alpha-2)",
                    bailiwick_compliance_db::REGION_NAMES.join(", ")
                );
                Fault::at(format!("/subject_regions/{at}"), told)
            })
            .collect()
    }
}

/// The row of a key that was made.
///
/// # Errors
/// [`ApplyError::Invalid`] where its settings can't be written.
pub fn key_row(
    key: &VirtualKey,
    definition: &KeyDefinition,
    now_ms: i64,
) -> Result<store::keys::VirtualKey, ApplyError> {
    Ok(store::keys::VirtualKey {
        id: key.id().to_owned(),
        scope: definition.scope.clone(),
        name: definition.name.clone(),
        secret_hash: key.digest().to_vec(),
        settings: serde_json::to_value(&definition.settings).map_err(not_json)?,
        created_ms: now_ms,
        expires_ms: definition.expires.map(|at| at.timestamp_millis()),
        revoked_ms: None,
        rotated_to: None,
        overlap_until_ms: None,
        disabled_ms: None,
        disabled_because: None,
        revoked_because: None,
        workload: None,
    })
}
