//! What of an answer the protocol itself says, and is not looked at.

use crate::gateway::document::{Document, Kind, NodeId};

/// The longest number that the protocol itself says.
const PLAIN_NUMBER: usize = 10;

/// Whether a string or number was looked at as part of a message or delta, or is what the protocol itself says.
pub(super) fn is_of_protocol(document: &Document, holder: &str, id: NodeId) -> bool {
    let Some(parent) = document.parent(id) else { return false };
    let key = document.key(id);
    let key = key.as_deref().unwrap_or_default();
    if parent == document.root() {
        return matches!(key, "id" | "object" | "created" | "model" | "system_fingerprint" | "service_tier");
    }
    let is_choice =
        |at: NodeId| document.parent(at).is_some_and(|choices| document.member("choices") == Some(choices));
    if is_choice(parent) {
        return key == "index";
    }
    let looked_at = document.kind(id) == Kind::String;
    // The bytes of a vector in base64.
    if key == "embedding" && looked_at {
        return is_base64(document.raw(id).trim_matches('"'));
    }
    let mut enclosing = std::iter::successors(Some(id), |at| document.parent(*at));
    enclosing.any(|at| {
        let key = document.key(at);
        let of_choice = || document.parent(at).is_some_and(is_choice);
        match key.as_deref() {
            Some(key) if key == holder => looked_at && of_choice(),
            // Left out where a rule redacts answers.
            Some("logprobs") => of_choice(),
            Some("usage") => document.parent(at) == Some(document.root()) && !looked_at,
            _ => false,
        }
    })
}

/// Whether a number is what the protocol says and short, or a member of a vector and small.
pub(super) fn is_plain_number(document: &Document, holder: &str, id: NodeId) -> bool {
    let raw = document.raw(id);
    let of_vector =
        document.parent(id).and_then(|parent| document.key(parent)).is_some_and(|key| key == "embedding");
    if of_vector {
        return raw.parse::<f64>().is_ok_and(|number| number.abs() < 1e6);
    }
    raw.len() <= PLAIN_NUMBER && is_of_protocol(document, holder, id)
}

/// Whether a text can be nothing but bytes: what could be read is shorter.
fn is_base64(text: &str) -> bool {
    let of_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    text.len() >= 64 && text.len().is_multiple_of(4) && text.trim_end_matches('=').bytes().all(of_base64)
}
