//! What is said in a turn, as it comes in.

use super::read::{inner, members, off};
use super::seal::{Sealed, unseal};
use super::{OF_CALL, OF_TEXT, SIGNED};
use crate::form::{Call, Content, Input, Part, Source};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Table, own};
use crate::place::{Name, Place};

/// Kinds of parts that only this wire has.
const KINDS: &[&str] = &["codeExecutionResult", "executableCode", "fileData", "toolCall", "toolResponse"];

/// What only this wire has in a part.
const PART: Table = &[
    ("audioTranscription", |_| Fate::Refuse("the other API takes no audio")),
    ("mediaProcessing", |_| Fate::Warn),
    ("mediaResolution", |_| Fate::Warn),
    ("partMetadata", |_| Fate::Warn),
    ("speechMetadata", |_| Fate::Refuse("the other API takes no audio")),
    ("videoMetadata", |_| Fate::Refuse("the other API takes no video")),
];

const BLOB: Table = &[("displayName", |_| Fate::Warn)];

const CALL: Table = &[
    ("partialArgs", |_| Fate::Refuse("the other API has no calls in pieces")),
    ("willContinue", |value| off(value, "the other API has no calls in pieces")),
];

const RESULT: Table = &[
    ("scheduling", |_| Fate::Refuse("the other API waits for every call")),
    ("willContinue", |value| off(value, "the other API waits for every call")),
];

/// Calls so far: here a call need not have an id, and an answer is of the first of its name that has none yet.
#[derive(Debug, Default)]
pub(super) struct Calls {
    number: u64,
    /// Those without an answer, by name and id.
    open: Vec<(String, String)>,
}

impl Calls {
    fn call(&mut self, name: &str, id: Option<String>) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}", self.number));
        self.number += 1;
        self.open.push((name.to_owned(), id.clone()));
        id
    }

    fn answer(&mut self, name: &str, id: Option<String>) -> Result<String, Broken> {
        let id = id.filter(|id| !id.is_empty());
        let is_of = |(called, of): &(String, String)| match &id {
            Some(id) => id == of,
            None => called == name,
        };
        match (self.open.iter().position(is_of), id) {
            (Some(at), _) => Ok(self.open.remove(at).1),
            // Whoever names a call means it.
            (None, Some(id)) => Ok(id),
            (None, None) => Err(Broken::Content("an answer to a call that is not there")),
        }
    }
}

/// Reads a part: what it says, with its signature as a part of its own before a call and after a text.
pub(super) fn read_part(part: Json, at: Place, calls: &mut Calls, out: &mut Vec<Part>) -> Result<(), Broken> {
    let mut part = members(part, "parts")?;
    let sealed = part.text("thoughtSignature")?.and_then(unseal);
    let is_thought = part.flag("thought")?.unwrap_or(false);
    let text = part.text("text")?;
    let (call, result) = (inner(&mut part, "functionCall")?, inner(&mut part, "functionResponse")?);
    let blob = inner(&mut part, "inlineData")?;
    let kinds = [text.is_some(), call.is_some(), result.is_some(), blob.is_some()];
    if kinds.iter().filter(|there| **there).count() > 1 {
        return Err(Broken::Content("two kinds in one part"));
    }
    let on = at.member(Name::ThoughtSignature);
    let mine = |word: &str| match &sealed {
        Some(Sealed::Own(signature)) => Some(format!("{word}{signature}")),
        _ => None,
    };
    let content = if let Some(call) = call {
        out.extend(mine(OF_CALL).map(|seal| Part::at(Content::Encrypted(seal), on)));
        let (call, rest) = read_call(call, calls)?;
        let own_of_part = own(part.rest(), PART).into_iter().chain(own(rest, CALL)).collect();
        out.push(Part { content: Content::Call(call), cache: None, at, own: own_of_part });
        return Ok(());
    } else if let Some(result) = result {
        let (content, rest) = read_result(result, at, calls)?;
        let own_of_part = own(part.rest(), PART).into_iter().chain(own(rest, RESULT)).collect();
        out.push(Part { content, cache: None, at, own: own_of_part });
        return Ok(());
    } else if let Some(blob) = blob {
        let (content, rest) = read_blob(blob)?;
        let own_of_part = own(part.rest(), PART).into_iter().chain(own(rest, BLOB)).collect();
        out.push(Part { content, cache: None, at, own: own_of_part });
        return Ok(());
    } else if is_thought {
        match &sealed {
            Some(Sealed::Encrypted(data)) => Content::Encrypted(data.clone()),
            Some(Sealed::Signed(signature)) => {
                let text = unsigned_before(out) + &text.unwrap_or_default();
                Content::Thinking { text, signature: Some(signature.clone()) }
            }
            _ => Content::Thinking { text: text.unwrap_or_default(), signature: mine(SIGNED) },
        }
    } else if let Some(text) = text {
        let own_of_part = own(part.rest(), PART);
        if !text.is_empty() || !own_of_part.is_empty() {
            out.push(Part { content: Content::Text(text), cache: None, at, own: own_of_part });
        }
        out.extend(mine(OF_TEXT).map(|seal| Part::at(Content::Encrypted(seal), on)));
        return Ok(());
    } else if let Some(seal) = mine(OF_TEXT).filter(|_| part.is_spent()) {
        Content::Encrypted(seal)
    } else {
        let rest = part.rest();
        let known = KINDS.iter().find(|kind| rest.iter().any(|(name, _)| name == *kind)).copied();
        out.push(Part::at(Content::Other { known, value: Json::Object(rest) }, at));
        return Ok(());
    };
    out.push(Part { content, cache: None, at, own: own(part.rest(), PART) });
    Ok(())
}

/// Takes the thought back out that the parts before say: of an answer in events a client keeps the pieces, and the signature of
/// all of them comes last.
fn unsigned_before(out: &mut Vec<Part>) -> String {
    let is_unsigned = |part: &Part| matches!(part.content, Content::Thinking { signature: None, .. });
    let begins = out.iter().rposition(|part| !is_unsigned(part)).map_or(0, |at| at + 1);
    let pieces = out.drain(begins..).map(|part| match part.content {
        Content::Thinking { text, .. } => text,
        _ => String::new(),
    });
    pieces.collect()
}

fn read_call(mut call: Members, calls: &mut Calls) -> Result<(Call, Vec<(String, Json)>), Broken> {
    let name = call.text("name")?.filter(|name| !name.is_empty()).ok_or(Broken::Shape("name"))?;
    let input = match call.take("args") {
        None => Json::Object(Vec::new()),
        Some(args @ Json::Object(_)) => args,
        Some(_) => return Err(Broken::Shape("args")),
    };
    let id = calls.call(&name, call.text("id")?);
    Ok((Call { id, name, input: Input::Json(input) }, call.rest()))
}

fn read_result(
    mut result: Members,
    at: Place,
    calls: &mut Calls,
) -> Result<(Content, Vec<(String, Json)>), Broken> {
    let name = result.needed("name")?;
    let id = calls.answer(&name, result.text("id")?)?;
    let (texts, failed) = match result.take("response") {
        None => (Vec::new(), None),
        Some(response @ Json::Object(_)) => read_response(&response),
        Some(_) => return Err(Broken::Shape("response")),
    };
    let mut parts: Vec<Part> = texts.into_iter().map(|text| Part::at(Content::Text(text), at)).collect();
    for (number, part) in result.list("parts")?.into_iter().enumerate() {
        let mut part = members(part, "parts")?;
        let at = at.then(Name::Parts, number);
        let Some(blob) = inner(&mut part, "inlineData")? else {
            let value = Json::Object(part.rest());
            parts.push(Part::at(Content::Other { known: Some("fileData"), value }, at));
            continue;
        };
        let (content, rest) = read_blob(blob)?;
        let own = own(part.rest(), &[]).into_iter().chain(own(rest, BLOB)).collect();
        parts.push(Part { content, cache: None, at, own });
    }
    Ok((Content::Result { id, parts, failed }, result.rest()))
}

/// What a function gave back: a text under one of the two names that the API has for it, or the whole as text.
fn read_response(response: &Json) -> (Vec<String>, Option<bool>) {
    if let Json::Object(members) = response
        && let [(name, value)] = members.as_slice()
        && (name == "error" || name == "output")
    {
        let failed = (name == "error").then_some(true);
        match value {
            Json::Text(text) => return (vec![text.clone()], failed),
            Json::Array(texts) if texts.len() > 1 => {
                let texts: Option<Vec<String>> =
                    texts.iter().map(|text| text.text().map(str::to_owned)).collect();
                if let Some(texts) = texts {
                    return (texts, failed);
                }
            }
            _ => {}
        }
    }
    (vec![response.write()], None)
}

/// What is in the request as base64.
fn read_blob(mut blob: Members) -> Result<(Content, Vec<(String, Json)>), Broken> {
    let (media_type, data) = (blob.needed("mimeType")?, blob.needed("data")?);
    let source = Source::Base64 { media_type: media_type.clone(), data };
    let content = if media_type.starts_with("image/") {
        Content::Image { source, detail: None }
    } else if media_type == "application/pdf" || media_type.starts_with("text/") {
        Content::Document { source, title: None }
    } else {
        Content::Other { known: Some("inlineData"), value: Json::Null }
    };
    Ok((content, blob.rest()))
}
