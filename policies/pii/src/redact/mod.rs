//! Redaction: replaces the values of findings, and remembers in a [`Vault`] what may be put back.

mod key;
mod placeholder;
mod plan;
mod surrogate;
mod vault;

pub use key::TokenKey;
pub use plan::{How, Redaction, RedactionPlan};
pub(crate) use vault::Around;
pub use vault::Vault;

use key::Purpose;

use crate::json::StringTracker;
use crate::{EntityCounts, Finding};

/// What stands for a masked value. Its length tells nothing.
const MASK: &str = "****";

/// What kind of text a string is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Plain text: a message's content.
    #[default]
    Text,
    /// A JSON text, as carried (unescaped once) by the string of a tool call's arguments. Values are
    /// JSON-escaped when they are put back, and a number that is replaced becomes a string.
    JsonString,
}

/// Replaces the values of `findings` in `text` as `plan` says and counts what it replaced. `None` if nothing
/// was. `findings` are those of a scan of this very `text`: sorted, not overlapping.
///
/// A token or a surrogate is the same for the same value, kind and `key`, unless `text` holds it already or
/// it stands for another value in `vault`.
pub fn redact(
    text: &str,
    findings: &[Finding],
    plan: &RedactionPlan,
    key: &TokenKey,
    vault: &mut Vault,
    counts: &mut EntityCounts,
) -> Option<String> {
    redact_as(Mode::Text, text, findings, plan, key, vault, counts)
}

/// Like [`redact`], for a text of the given mode: with [`Mode::JsonString`] a JSON text stays one.
pub fn redact_as(
    mode: Mode,
    text: &str,
    findings: &[Finding],
    plan: &RedactionPlan,
    key: &TokenKey,
    vault: &mut Vault,
    counts: &mut EntityCounts,
) -> Option<String> {
    if plan.is_empty() {
        return None;
    }
    let around = Around::new(text);
    let mut out = String::new();
    let (mut done, mut tracked) = (0, 0);
    let mut strings = StringTracker::default();
    for finding in findings {
        let Some(redaction) = plan.applies_to(finding) else { continue };
        if finding.start < done {
            continue;
        }
        let (mut start, mut end, mut quote) = (finding.start, finding.end, "");
        if mode == Mode::JsonString {
            strings.advance(text.get(tracked..start).unwrap_or_default());
            tracked = start;
            if strings.in_string() {
                start += strings.escape_left(text.get(start..).unwrap_or_default());
            }
        }
        let Some(value) = text.get(start..end).filter(|value| !value.is_empty()) else { continue };
        if mode == Mode::JsonString && !strings.in_string() {
            (start, end) = crate::json::number_around(text, start.max(done), end, done);
            quote = "\"";
        }
        out.push_str(text.get(done..start).unwrap_or_default());
        out.push_str(quote);
        out.push_str(&replacement(finding, value, redaction, key, vault, &around));
        out.push_str(quote);
        counts.add(finding.entity);
        done = end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

/// What to write instead of `value`.
pub(crate) fn replacement(
    finding: &Finding,
    value: &str,
    redaction: Redaction,
    key: &TokenKey,
    vault: &mut Vault,
    around: &Around<'_>,
) -> String {
    match redaction.how {
        How::Surrogate | How::Token => vault
            .placeholder(finding.entity, value, redaction, key, around)
            .unwrap_or_else(|| MASK.to_owned()),
        How::Hash => placeholder::hash(finding.entity, &key.digest(Purpose::Hash, finding.entity, value)),
        How::Mask => MASK.to_owned(),
        How::Drop => String::new(),
    }
}
