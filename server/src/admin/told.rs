//! What records of acts tell of things as they were and as they are: all that can be decided of them, and no secret, digest of
//! one or person's name.

use serde_json::{Value, json};

use crate::gateway::{Named, PseudonymKey};
use crate::store::credentials::Credential;
use crate::store::keys::VirtualKey;
use crate::store::kill_switches::KillSwitch;
use crate::store::people::Person;
use crate::store::service_tokens::ServiceToken;

/// A key.
pub(crate) fn key(row: &VirtualKey, pseudonyms: &PseudonymKey) -> Value {
    let mut settings = row.settings.clone();
    if let Some(owner) = settings.get_mut("owner")
        && let Some(name) = owner.as_str()
    {
        *owner = Value::String(pseudonyms.of(Named::User, name));
    }
    json!({
        "scope": row.scope, "name": row.name, "settings": settings, "expires_ms": row.expires_ms,
        "disabled_ms": row.disabled_ms, "revoked_ms": row.revoked_ms, "rotated_to": row.rotated_to,
        "overlap_until_ms": row.overlap_until_ms,
    })
}

/// A service token.
pub(crate) fn token(row: &ServiceToken) -> Value {
    json!({
        "name": row.name, "scope": row.scope, "roles": row.roles, "expires_ms": row.expires_ms,
        "revoked_ms": row.revoked_ms, "rotated_to": row.rotated_to,
    })
}

/// A credential.
pub(crate) fn credential(row: &Credential) -> Value {
    json!({
        "scope": row.scope, "source": row.source, "version": row.version, "fingerprint": row.fingerprint,
    })
}

/// A kill switch.
pub(crate) fn switch(row: &KillSwitch) -> Value {
    json!({
        "kind": row.kind, "target": row.target, "scope": row.scope, "reason": row.reason,
        "expires_ms": row.expires_ms, "lifted_ms": row.lifted_ms,
    })
}

/// A person, as far as whether they may sign in.
pub(crate) fn person(row: &Person) -> Value {
    json!({ "disabled_ms": row.disabled_ms, "deprovisioned_ms": row.deprovisioned_ms, "roles": row.roles })
}

/// The same with some of it other than it was.
pub(crate) fn with(before: &Value, other: Value) -> Value {
    let mut after = before.clone();
    if let (Some(after), Value::Object(other)) = (after.as_object_mut(), other) {
        after.extend(other);
    }
    after
}
