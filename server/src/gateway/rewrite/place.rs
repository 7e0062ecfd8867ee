//! The strings of an answer: what each is, and where on a stream its next piece is to be looked for.

use crate::gateway::document::{Document, Kind, NodeId};

/// What a string is, which says what may happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Text for the client.
    Text,
    /// The arguments of a tool call: JSON within a string.
    Arguments,
    /// What the provider called a tool of its own with: JSON into which nothing is put back.
    ProviderArguments,
    /// What else goes to a tool: the input of a custom tool, or a string of arguments that are not within a string.
    Input,
    /// A name, which comes whole.
    Name,
    /// Anything else of a message.
    Other,
}

/// The strings of a message or delta that are looked at, with their places, in order.
pub(super) fn strings(document: &Document, holder: NodeId) -> Vec<(NodeId, Place)> {
    let mut found = Vec::new();
    collect(document, holder, holder, &mut found);
    found
}

fn collect(document: &Document, holder: NodeId, id: NodeId, found: &mut Vec<(NodeId, Place)>) {
    for child in document.children(id) {
        match document.kind(child) {
            Kind::Object | Kind::Array => collect(document, holder, child, found),
            Kind::String => found.extend(place(document, holder, child).map(|place| (child, place))),
            _ => {}
        }
    }
}

/// `None` for what the protocol itself says.
fn place(document: &Document, holder: NodeId, id: NodeId) -> Option<Place> {
    let key = document.key(id);
    let key = key.as_deref().unwrap_or_default();
    let parent = document.parent(id)?;
    if parent == holder {
        return match key {
            "role" | "id" | "type" => None,
            "content" | "refusal" | "reasoning_content" | "reasoning" => Some(Place::Text),
            "name" => Some(Place::Name),
            _ => Some(Place::Other),
        };
    }
    let (mut top, mut within_input, mut signed) = (id, false, false);
    for at in ancestors(document, holder, parent) {
        within_input |= document.key(at).is_some_and(|key| matches!(&*key, "arguments" | "input"));
        signed |= document.get(at, "signature").is_some();
        top = at;
    }
    // What a tool is called with, whatever it is called with and wherever the call stands.
    if within_input {
        return Some(Place::Input);
    }
    let holds = document.key(parent);
    Some(match (document.key(top).as_deref(), key) {
        (_, "role" | "id" | "type") => return None,
        // A tool's name is sent by the client itself.
        (Some("tool_calls" | "function_call"), "name") => return None,
        (Some("tool_calls" | "function_call"), "arguments")
            if matches!(holds.as_deref(), Some("function" | "function_call")) =>
        {
            Place::Arguments
        }
        (_, "arguments" | "input") => Place::Input,
        (_, "name") => Place::Name,
        // A part that is signed would no longer be what was signed.
        (Some("content"), _) if !signed && is_text_of_part(document, top, id) => Place::Text,
        _ => Place::Other,
    })
}

/// Whether a string is what a part of `content` says: the member of the part that has the name of the part's type, or
/// the text of a part within `thinking`. Nothing else of a part is text for the client, a tool call among them.
fn is_text_of_part(document: &Document, content: NodeId, id: NodeId) -> bool {
    let says = |part: NodeId, of: &[&str]| {
        let kind = document.get(part, "type").and_then(|kind| document.string(kind));
        kind.is_some_and(|kind| of.contains(&&*kind) && document.get(part, &kind) == Some(id))
    };
    let Some(part) = document.parent(id) else { return false };
    let Some(list) = document.parent(part) else { return false };
    if list == content {
        return document.kind(content) == Kind::Array && says(part, &["text", "refusal", "thinking"]);
    }
    let Some(outer) = document.parent(list) else { return false };
    document.kind(list) == Kind::Array
        && document.get(outer, "thinking") == Some(list)
        && document.parent(outer) == Some(content)
        && document.kind(content) == Kind::Array
        && says(part, &["text"])
}

/// A value and what encloses it, up to but without `holder`.
fn ancestors(document: &Document, holder: NodeId, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    std::iter::successors(Some(id), |at| document.parent(*at)).take_while(move |at| *at != holder)
}

/// One step of the way to a string.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Item { index: Option<u64>, id: Option<String>, kind: Option<String> },
}

impl Step {
    fn of(document: &Document, id: NodeId) -> Self {
        if let Some(key) = document.key(id) {
            return Self::Key(key.into_owned());
        }
        let member =
            |key| document.get(id, key).and_then(|id| document.string(id)).map(std::borrow::Cow::into_owned);
        Self::Item { index: index(document, id), id: member("id"), kind: member("type") }
    }

    fn is(&self, document: &Document, at: NodeId) -> bool {
        let same = |key, value: &Option<String>| {
            document.get(at, key).and_then(|id| document.string(id)).as_deref() == value.as_deref()
        };
        match (self, document.key(at)) {
            (Self::Key(key), Some(found)) => found == key.as_str(),
            (Self::Item { index: Some(one), .. }, None) => index(document, at) == Some(*one),
            (Self::Item { index: None, id, kind }, None) => {
                index(document, at).is_none() && same("id", id) && same("type", kind)
            }
            _ => false,
        }
    }
}

/// What a value says is its index.
pub(super) fn index(document: &Document, id: NodeId) -> Option<u64> {
    document.get(id, "index").and_then(|index| document.unsigned(index))
}

/// Which string of a stream: the way to it below `delta`.
///
/// A member of an array that says its `index` is the same in every chunk. One that does not can only be told by its
/// `id` and `type`, and is taken to be over when another comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) choice: u64,
    path: Vec<Step>,
    /// How much of the path leads to the first array member without an index.
    item: Option<usize>,
}

impl Position {
    pub(super) fn of(document: &Document, choice: u64, holder: NodeId, id: NodeId) -> Self {
        let mut path: Vec<Step> = ancestors(document, holder, id).map(|at| Step::of(document, at)).collect();
        path.reverse();
        let item = path.iter().position(|step| matches!(step, Step::Item { index: None, .. }));
        Self { choice, path, item: item.map(|at| at + 1) }
    }

    /// Whether this is the position of a string.
    pub(super) fn is(&self, document: &Document, holder: NodeId, id: NodeId) -> bool {
        leads_to(&self.path, document, holder, id)
    }

    /// Whether it lies in an array member without an index.
    pub(super) const fn is_in_item(&self) -> bool {
        self.item.is_some()
    }

    /// Whether it lies in that array member without an index.
    pub(super) fn is_in(&self, document: &Document, holder: NodeId, item: NodeId) -> bool {
        let path = self.item.and_then(|len| self.path.get(..len)).unwrap_or_default();
        leads_to(path, document, holder, item)
    }

    /// A delta that holds nothing but `text` at this position.
    pub(super) fn delta(&self, text: String) -> serde_json::Value {
        let mut within_calls = self.path.iter().map(|step| *step == Step::Key(String::from("tool_calls")));
        let within_calls = within_calls.any(|is| is);
        self.path.iter().rev().fold(serde_json::Value::String(text), |mut value, step| match step {
            Step::Key(key) => serde_json::json!({ key.as_str(): value }),
            Step::Item { index, id, kind } => {
                if let Some(members) = value.as_object_mut() {
                    // What an accumulating client adds up must not be said twice.
                    let id = id.as_ref().filter(|_| index.is_none());
                    let kind = kind.as_ref().filter(|_| index.is_none() || !within_calls);
                    members.extend(index.map(|index| (String::from("index"), index.into())));
                    members.extend(id.map(|id| (String::from("id"), id.as_str().into())));
                    members.extend(kind.map(|kind| (String::from("type"), kind.as_str().into())));
                }
                serde_json::Value::Array(vec![value])
            }
        })
    }
}

/// The outermost array member without an index that encloses a string.
pub(super) fn item_of(document: &Document, holder: NodeId, id: NodeId) -> Option<NodeId> {
    ancestors(document, holder, id)
        .filter(|at| document.key_range(*at).is_none() && index(document, *at).is_none())
        .last()
}

fn leads_to(path: &[Step], document: &Document, holder: NodeId, id: NodeId) -> bool {
    let mut at = id;
    for step in path.iter().rev() {
        if at == holder || !step.is(document, at) {
            return false;
        }
        let Some(parent) = document.parent(at) else { return false };
        at = parent;
    }
    at == holder
}
