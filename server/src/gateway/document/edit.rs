//! Changes to a [`Document`] as a list of byte ranges and what stands there instead.

use std::ops::Range;

use bytes::Bytes;

use super::{Document, Kind, NodeId};

/// Collected changes. Ranges must not overlap; of two changes to the same range the later one counts.
#[derive(Debug, Default, Clone)]
pub struct Edits {
    changes: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Puts the JSON string of `text` in place of the value.
    pub fn set_string(&mut self, document: &Document, id: NodeId, text: &str) {
        self.set_raw(document, id, quote(text));
    }

    /// Puts `json`, which must be one JSON value, in place of the value.
    pub fn set_raw(&mut self, document: &Document, id: NodeId, json: String) {
        self.push(document.range(id), json);
    }

    /// Renames a member of an object.
    pub fn set_key(&mut self, document: &Document, id: NodeId, key: &str) {
        if let Some(range) = document.key_range(id) {
            let quoted = quote(key);
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
            self.push(range, inner);
        }
    }

    /// Adds a member at the end of an object. `json` must be one JSON value.
    pub fn insert(&mut self, document: &Document, object: NodeId, key: &str, json: &str) {
        let range = document.range(object);
        let at = range.end.saturating_sub(1);
        let comma = if document.children(object).next().is_some() { "," } else { "" };
        self.changes.push((at..at, format!("{comma}{}:{json}", quote(key))));
    }

    /// Sets a member of an object, whether or not it is there.
    pub fn upsert(&mut self, document: &Document, object: NodeId, key: &str, json: &str) {
        match document.get(object, key) {
            Some(member) => self.set_raw(document, member, json.to_owned()),
            None if document.kind(object) == Kind::Object => self.insert(document, object, key, json),
            None => {}
        }
    }

    /// Takes a member out of an object, with the comma that belongs to it.
    pub fn remove(&mut self, document: &Document, id: NodeId) {
        let (Some(parent), Some(key)) = (document.parent(id), document.key_range(id)) else { return };
        let source = document.bytes();
        let mut start = key.start.saturating_sub(1);
        let mut end = document.range(id).end;
        let before = source.get(..start).unwrap_or_default();
        let after = source.get(end..).unwrap_or_default();
        if document.children(parent).next() == Some(id) {
            // The first member: the comma after it goes, if there is one.
            let gap = after.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if after.get(gap) == Some(&b',') {
                end += gap + 1;
            }
        } else {
            let gap = before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
            start = start.saturating_sub(gap + 1);
        }
        self.push(start..end, String::new());
    }

    /// Takes out every item of an array that comes after this one.
    pub fn cut_after(&mut self, document: &Document, id: NodeId) {
        let last = document.parent(id).and_then(|array| document.children(array).last());
        let end = last.map_or(0, |last| document.range(last).end);
        let start = document.range(id).end;
        if start < end {
            self.push(start..end, String::new());
        }
    }

    /// Adds all of another list's changes after this one's.
    pub fn extend(&mut self, other: &Self) {
        self.changes.extend(other.changes.iter().cloned());
    }

    fn push(&mut self, range: Range<usize>, text: String) {
        self.changes.push((range, text));
    }

    /// The body with all changes made.
    #[must_use]
    pub fn apply(&self, document: &Document) -> Bytes {
        if self.changes.is_empty() {
            return document.bytes().clone();
        }
        let mut changes: Vec<&(Range<usize>, String)> = self.changes.iter().collect();
        changes.sort_by_key(|(range, _)| (range.start, range.end));
        // The sort is stable, so that of several changes to one range the last one made stands last.
        let same = |one: &Range<usize>, other: &Range<usize>| !one.is_empty() && one == other;
        let superseded: Vec<bool> = changes
            .iter()
            .zip(changes.iter().skip(1).map(Some).chain([None]))
            .map(|((range, _), next)| next.is_some_and(|(next, _)| same(range, next)))
            .collect();
        let source = document.bytes();
        let added: usize = changes.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(source.len() + added);
        let mut at = 0;
        let mut inserted_at = None;
        for ((range, text), superseded) in changes.into_iter().zip(superseded) {
            if superseded {
                continue;
            }
            if range.start < at {
                // Two neighbours that are both taken out share the comma between them; where nothing stands before them,
                // the comma after them goes as well.
                if text.is_empty() && range.end > at {
                    at = range.end;
                    let rest = source.get(at..).unwrap_or_default();
                    let gap = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    if out.trim_ascii_end().last() == Some(&b'{') && rest.get(gap) == Some(&b',') {
                        at += gap + 1;
                    }
                }
                continue;
            }
            out.extend_from_slice(source.get(at..range.start).unwrap_or_default());
            // Two members put at the end of one empty object need a comma between them.
            if range.is_empty() && inserted_at == Some(range.start) && !text.starts_with(',') {
                out.push(b',');
            }
            out.extend_from_slice(text.as_bytes());
            inserted_at = range.is_empty().then_some(range.start);
            at = range.end;
        }
        out.extend_from_slice(source.get(at..).unwrap_or_default());
        Bytes::from(out)
    }
}

/// `text` as a JSON string, quotes included.
fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\""))
}
