//! What is said in a turn, as it goes out.

use std::collections::HashMap;

use super::{Of, SIGNED, of_part};
use crate::form::{Content, Input, Part, Source};
use crate::json::Json;
use crate::loss::{Losses, Refused, UNKNOWN};
use crate::place::Place;

/// The images that this wire takes: <https://ai.google.dev/gemini-api/docs/image-understanding>.
const IMAGES: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"];

/// Where a part has the signature of a thought.
pub(super) const SIGNATURE: &str = "thoughtSignature";

const OTHER: &str = "the other API has no such content";

/// What the calls of a conversation were called, by their ids.
pub(super) type Names = HashMap<String, String>;

/// Writes the parts of a turn.
pub(super) fn write_parts(
    parts: Vec<Part>,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<Vec<Json>, Refused> {
    let mut out: Vec<Json> = Vec::with_capacity(parts.len());
    // The signature of the call that follows.
    let mut next: Option<(Place, String)> = None;
    for mut part in parts {
        let place = part.at;
        note(&mut part, losses)?;
        match part.content {
            // An empty text says nothing anywhere.
            Content::Text(text) | Content::Refusal(text) => {
                out.extend(Some(text).filter(|text| !text.is_empty()).map(text_part));
            }
            Content::Thinking { text, signature } => {
                // Nobody signed it, or another model did, which alone could check it.
                let Some(signature) = signature.as_deref().and_then(|seal| seal.strip_prefix(SIGNED)) else {
                    losses.add(place.to_string());
                    continue;
                };
                let mut thought = text_part(text);
                thought.set("thought", true);
                thought.set(SIGNATURE, signature);
                out.push(thought);
            }
            Content::Encrypted(seal) => match of_part(&seal) {
                Some((Of::Call, signature)) => next = Some((place, signature.to_owned())),
                Some((Of::Text, signature)) => match out.last_mut().filter(|last| is_unsigned_text(last)) {
                    Some(last) => last.set(SIGNATURE, signature),
                    None => {
                        let mut bare = text_part(String::new());
                        bare.set(SIGNATURE, signature);
                        out.push(bare);
                    }
                },
                None => losses.add(place.to_string()),
            },
            Content::Call(call) => {
                let Input::Json(input) = call.input else {
                    let why = "the arguments of the call are not the JSON of an object";
                    return Err(Refused::new(place, why));
                };
                names.insert(call.id.clone(), call.name.clone());
                let call =
                    Json::object([("id", call.id.into()), ("name", call.name.into()), ("args", input)]);
                let mut call = Json::object([("functionCall", call)]);
                call.set_some(SIGNATURE, next.take().map(|(_, signature)| signature));
                out.push(call);
            }
            Content::Result { id, parts, failed } => {
                let Some(name) = names.get(&id) else {
                    let why =
                        "the other API asks for the name of the function, and no call before has this id";
                    return Err(Refused::new(place, why));
                };
                let result = write_result((id, name.as_str()), parts, failed, losses)?;
                out.push(Json::object([("functionResponse", result)]));
            }
            content => out.push(write_media(content, place, losses)?),
        }
    }
    // The call that it was of is not there.
    if let Some((place, _)) = next {
        losses.add(place.to_string());
    }
    Ok(out)
}

fn note(part: &mut Part, losses: &mut Losses) -> Result<(), Refused> {
    losses.judge(part.at, &part.own)?;
    if part.cache.take().is_some() {
        losses.add("cache_control");
    }
    Ok(())
}

fn text_part(text: String) -> Json {
    Json::object([("text", text.into())])
}

/// Whether a part is a text without the signature of a thought.
pub(super) fn is_unsigned_text(part: &Json) -> bool {
    part.get("text").is_some() && part.get("thought").is_none() && part.get(SIGNATURE).is_none()
}

/// An image or a document.
fn write_media(content: Content, place: Place, losses: &mut Losses) -> Result<Json, Refused> {
    let (media_type, data) = match content {
        Content::Image { source: Source::Base64 { media_type, data }, detail } => {
            if detail.is_some_and(|detail| detail != "auto") {
                losses.add(format!("{place}.image_url.detail"));
            }
            if !IMAGES.contains(&media_type.as_str()) {
                let why = "the other API takes images as PNG, JPEG, WebP, HEIC or HEIF";
                return Err(Refused::new(place, why));
            }
            (media_type, data)
        }
        Content::Image { .. } => {
            return Err(Refused::new(place, "the other API takes images only as base64"));
        }
        Content::Document { source, title } => {
            if title.is_some() {
                losses.add(format!("{place}.file.filename"));
            }
            match source {
                Source::Base64 { media_type, data }
                    if media_type == "application/pdf" || media_type.starts_with("text/") =>
                {
                    (media_type, data)
                }
                Source::Text(text) => (String::from("text/plain"), base64(text.as_bytes())),
                Source::Base64 { .. } => {
                    return Err(Refused::new(place, "the other API takes documents as PDF or text"));
                }
                Source::Url(_) => {
                    return Err(Refused::new(place, "the other API takes documents only in the request"));
                }
            }
        }
        Content::Other { known: None, .. } => return Err(Refused::new(place, UNKNOWN)),
        _ => return Err(Refused::new(place, OTHER)),
    };
    let blob = Json::object([("mimeType", media_type.into()), ("data", data.into())]);
    Ok(Json::object([("inlineData", blob)]))
}

/// What a tool answered: its text under the name that this API has for it, what it shows beside it.
fn write_result(
    (id, name): (String, &str),
    parts: Vec<Part>,
    failed: Option<bool>,
    losses: &mut Losses,
) -> Result<Json, Refused> {
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for mut part in parts {
        note(&mut part, losses)?;
        match part.content {
            Content::Text(text) => texts.push(text),
            content @ (Content::Image { .. } | Content::Document { .. }) => {
                media.push(write_media(content, part.at, losses)?);
            }
            Content::Other { known: None, .. } => return Err(Refused::new(part.at, UNKNOWN)),
            _ => return Err(Refused::new(part.at, OTHER)),
        }
    }
    let response = write_response(texts, failed == Some(true));
    let mut out = Json::object([("id", id.into()), ("name", name.into()), ("response", response)]);
    if !media.is_empty() {
        out.set("parts", media);
    }
    Ok(out)
}

/// The names under which a response tells what came of a call: what has neither is told whole.
const OUTPUT: &str = "output";
const ERROR: &str = "error";

fn write_response(texts: Vec<String>, failed: bool) -> Json {
    let text = match <[String; 1]>::try_from(texts) {
        Ok([text]) => text,
        Err(texts) => {
            let texts: Vec<Json> = texts.into_iter().map(Json::from).collect();
            let told = if texts.is_empty() { Json::from("") } else { texts.into() };
            return Json::object([(if failed { ERROR } else { OUTPUT }, told)]);
        }
    };
    match Json::parse(text.as_bytes()) {
        Ok(object @ Json::Object(_))
            if !failed && object.get(OUTPUT).is_none() && object.get(ERROR).is_none() =>
        {
            object
        }
        _ => Json::object([(if failed { ERROR } else { OUTPUT }, text.into())]),
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = (0..3).fold(0_u32, |all, at| (all << 8) | chunk.get(at).copied().map_or(0, u32::from));
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from((three >> shift) & 63).ok().and_then(|at| DIGITS.get(at));
            let there = place <= chunk.len();
            out.push(digit.filter(|_| there).map_or('=', |digit| char::from(*digit)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_base64() {
        for (text, written) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("ü€", "w7zigqw="),
        ] {
            assert_eq!(base64(text.as_bytes()), written, "{text}");
        }
    }

    #[test]
    fn what_a_tool_answered_is_told_whole_or_under_a_name() {
        let told = |texts: &[&str], failed| {
            write_response(texts.iter().map(|text| (*text).to_owned()).collect(), failed).write()
        };
        assert_eq!(told(&["4"], false), r#"{"output":"4"}"#);
        assert_eq!(told(&[r#"{"b":1.0,"a":2}"#], false), r#"{"b":1.0,"a":2}"#);
        assert_eq!(told(&[r#"{"error":1}"#], false), r#"{"output":"{\"error\":1}"}"#);
        assert_eq!(told(&[r#"{"b":1}"#], true), r#"{"error":"{\"b\":1}"}"#);
        assert_eq!(told(&["a", "b"], false), r#"{"output":["a","b"]}"#);
        assert_eq!(told(&[], true), r#"{"error":""}"#);
    }
}
