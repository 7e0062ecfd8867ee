//! Redaction: replaces the values of findings, and remembers in a [`Vault`] what may be put back.

mod key;
mod placeholder;
mod plan;
mod surrogate;
mod vault;
mod zip3;

pub use key::TokenKey;
pub use plan::{How, Redaction, RedactionPlan};
pub(crate) use vault::Around;
pub use vault::Vault;

use key::Purpose;

use crate::json::{Embedded, Follower, View, number_around, quote};
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
    /// Plain text that goes to a tool: the input of a custom tool. Like [`Mode::Text`], but values are put back
    /// only where they may be put into the arguments of tool calls.
    ToolText,
}

impl Mode {
    /// Whether what it stands for goes to a tool.
    pub const fn is_for_tools(self) -> bool {
        matches!(self, Self::JsonString | Self::ToolText)
    }
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
    redact_from(Mode::Text, Source { text, view: None }, findings, plan, key, vault, counts)
}

/// Like [`redact`], for a text that is JSON or looks like it. `findings` are those of a scan of [`Embedded::text`]; what
/// comes back is the text as it was written, with the values replaced however they were written. With
/// [`Mode::JsonString`] a JSON text stays one.
pub fn redact_embedded(
    mode: Mode,
    embedded: &Embedded,
    findings: &[Finding],
    plan: &RedactionPlan,
    key: &TokenKey,
    vault: &mut Vault,
    counts: &mut EntityCounts,
) -> Option<String> {
    let source = Source { text: embedded.text(), view: Some(embedded.view()) };
    redact_from(mode, source, findings, plan, key, vault, counts)
}

/// A text as it is understood, and how it is written where that differs.
#[derive(Clone, Copy)]
struct Source<'t> {
    text: &'t str,
    view: Option<&'t View>,
}

impl Source<'_> {
    fn written(self, start: usize, end: usize, out: &mut String) {
        match self.view {
            Some(view) => view.written(start, end, out),
            None => out.push_str(self.text.get(start..end).unwrap_or_default()),
        }
    }

    fn widen(self, start: usize, end: usize) -> (usize, usize) {
        self.view.map_or((start, end), |view| view.widen(start, end))
    }
}

fn redact_from(
    mode: Mode,
    source: Source<'_>,
    findings: &[Finding],
    plan: &RedactionPlan,
    key: &TokenKey,
    vault: &mut Vault,
    counts: &mut EntityCounts,
) -> Option<String> {
    if plan.is_empty() {
        return None;
    }
    let around = Around::new(source.text);
    let mut out = String::new();
    let mut done = 0;
    let mut place = Follower::json();
    for finding in findings {
        let Some(redaction) = plan.applies_to(finding) else { continue };
        let (mut start, mut end) = source.widen(finding.start, finding.end);
        // What is to be replaced is never passed over: a place within a character is the whole character, and of two that
        // came to overlap the second is what the first has left.
        (start, end) = (source.text.floor_char_boundary(start), source.text.ceil_char_boundary(end));
        if end <= done && done > 0 {
            continue;
        }
        start = start.max(done);
        let Some(value) = source.text.get(start..end).filter(|value| !value.is_empty()) else { continue };
        let mut mark = "";
        if mode == Mode::JsonString {
            // Up to the finding, then, where that is a number, up to the number.
            let mut before = String::new();
            source.written(done, start, &mut before);
            let mut here = place;
            here.advance(&before);
            if here.in_string() {
                place = here;
                place.skip();
            } else {
                mark = quote(here.escapes());
                (start, end) = number_around(source.text, start, end, done);
                before.clear();
                source.written(done, start, &mut before);
                place.advance(&before);
            }
            out.push_str(&before);
        } else {
            source.written(done, start, &mut out);
        }
        out.push_str(mark);
        out.push_str(&replacement(finding, value, redaction, key, vault, &around));
        out.push_str(mark);
        counts.add(finding.entity);
        done = end;
    }
    if done == 0 {
        return None;
    }
    source.written(done, source.text.len(), &mut out);
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
    if redaction.zip3
        && let Some(generalised) = zip3::generalised(value)
    {
        return generalised;
    }
    match redaction.how {
        How::Surrogate | How::Token => vault
            .placeholder(finding.entity, value, redaction, key, around)
            .unwrap_or_else(|| MASK.to_owned()),
        How::Hash => placeholder::hash(finding.entity, &key.digest(Purpose::Hash, finding.entity, value)),
        How::Mask => MASK.to_owned(),
        How::Drop => String::new(),
    }
}
