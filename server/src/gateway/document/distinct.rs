//! Names of members that would become the same are told apart: `****`, `****_2`, … A JSON object with two members of one
//! name means something else to each reader, and to most of them less.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::{Document, Edits, Kind, Limits, Malformed, NodeId, parse};

/// How many JSON texts inside one another are looked into.
const DEPTH: usize = 4;

/// Renames members, each to the name given unless another member of its object has that name.
pub fn rename(document: &Document, renamed: Vec<(NodeId, String)>, edits: &mut Edits) {
    let mut objects: HashMap<NodeId, Vec<(NodeId, String)>> = HashMap::new();
    for (member, name) in renamed {
        if let Some(object) = document.parent(member) {
            objects.entry(object).or_default().push((member, name));
        }
    }
    for (object, members) in objects {
        let changed: HashSet<NodeId> = members.iter().map(|(member, _)| *member).collect();
        let mut names = Names::default();
        for member in document.children(object).filter(|member| !changed.contains(member)) {
            names.take(document.key(member).unwrap_or_default().into_owned());
        }
        for (member, name) in members {
            edits.set_key(document, member, &names.take(name));
        }
    }
}

/// `clean`, which was made from the JSON text `original` by replacing values in it, with members told apart that
/// `original` tells apart.
pub fn tell_apart(original: &str, clean: String) -> String {
    let limits = Limits::default();
    let parsed = |text: &str| Document::parse(Bytes::copy_from_slice(text.as_bytes()), limits);
    if matches!(parsed(original), Err(Malformed::DuplicateKey { .. })) {
        return clean;
    }
    distinct(&clean, 1).unwrap_or(clean)
}

fn distinct(text: &str, level: usize) -> Option<String> {
    let document = parse::parse_repeated(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).ok()?;
    let mut edits = Edits::new();
    for id in document.ids() {
        match document.kind(id) {
            Kind::Object => {
                let mut names = Names::default();
                for member in document.children(id) {
                    let key = document.key(member).unwrap_or_default();
                    let name = names.take(key.clone().into_owned());
                    if name != key {
                        edits.set_key(&document, member, &name);
                    }
                }
            }
            Kind::String if level < DEPTH => {
                let inner = document.string(id).unwrap_or_default();
                if matches!(inner.trim_ascii_start().as_bytes().first(), Some(b'{' | b'['))
                    && let Some(changed) = distinct(&inner, level + 1)
                {
                    edits.set_string(&document, id, &changed);
                }
            }
            _ => {}
        }
    }
    if edits.is_empty() {
        return None;
    }
    String::from_utf8(edits.apply(&document).to_vec()).ok()
}

/// The names of one object's members.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The last number given to a name.
    numbers: HashMap<String, u64>,
}

impl Names {
    /// `name`, or the next of `name_2`, `name_3`, … that is free.
    fn take(&mut self, name: String) -> String {
        if self.taken.insert(name.clone()) {
            return name;
        }
        let number = self.numbers.entry(name.clone()).or_insert(1);
        loop {
            *number += 1;
            let next = format!("{name}_{number}");
            if self.taken.insert(next.clone()) {
                return next;
            }
        }
    }
}
