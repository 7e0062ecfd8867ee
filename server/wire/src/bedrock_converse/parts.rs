//! What is said in a turn, as it goes out.

use std::collections::HashSet;

use super::write::cache_point;
use crate::form::{Content, Input, Part, Source};
use crate::gemini::is_geminis;
use crate::json::Json;
use crate::loss::{Losses, Refused, UNKNOWN};
use crate::place::Place;

/// Formats of images by their media type.
const IMAGES: &[(&str, &str)] =
    &[("image/png", "png"), ("image/jpeg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];

/// Formats of documents by their media type (<https://www.iana.org/assignments/media-types/>).
const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

/// The longest name of a document.
const LONGEST_NAME: usize = 200;
/// The longest id of a call.
const LONGEST_ID: usize = 64;

/// Names of documents that a request has so far: here no two may be alike.
#[derive(Debug, Default)]
pub(super) struct Documents(HashSet<String>);

impl Documents {
    /// A name as this wire takes it: letters, digits, single spaces, hyphens, parentheses and square brackets; everything
    /// else becomes a hyphen.
    fn name(&mut self, title: Option<&str>) -> String {
        let mut name = String::new();
        for character in title.unwrap_or_default().chars().take(LONGEST_NAME - 10) {
            match character {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => name.push(character),
                ' ' if name.ends_with(' ') => {}
                ' ' => name.push(' '),
                _ => name.push('-'),
            }
        }
        let mut name = name.trim().to_owned();
        if !name.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            name = String::from("document");
        }
        let plain = name.clone();
        let mut number = 1;
        while !self.0.insert(name.to_ascii_lowercase()) {
            number += 1;
            name = format!("{plain} {number}");
        }
        name
    }
}

/// Writes the blocks of a turn, each with the cache point that follows it.
pub(super) fn write_parts(
    parts: Vec<Part>,
    documents: &mut Documents,
    losses: &mut Losses,
) -> Result<Vec<Json>, Refused> {
    let mut out = Vec::with_capacity(parts.len());
    for mut part in parts {
        let cache = part.cache.take();
        let block = write_part(part, documents, losses)?;
        if block.is_some() {
            out.extend(block);
            out.extend(cache.and_then(|cache| cache_point(&cache, losses)));
        }
    }
    Ok(out)
}

fn write_part(part: Part, documents: &mut Documents, losses: &mut Losses) -> Result<Option<Json>, Refused> {
    let place = part.at;
    losses.judge(place, &part.own)?;
    if part.cache.is_some() {
        losses.add("cache_control");
    }
    let (kind, value) = match part.content {
        Content::Text(text) | Content::Refusal(text) => {
            // An empty text is refused here and means nothing anywhere.
            if text.is_empty() {
                return Ok(None);
            }
            ("text", text.into())
        }
        Content::Image { source, detail } => {
            if detail.is_some_and(|detail| detail != "auto") {
                losses.add(format!("{place}.image_url.detail"));
            }
            ("image", write_image(source, place)?)
        }
        Content::Document { source, title } => {
            ("document", write_document(source, title.as_deref(), place, documents)?)
        }
        // Signed by another model, which alone can check it.
        Content::Thinking { signature: Some(seal), .. } | Content::Encrypted(seal) if is_geminis(&seal) => {
            losses.add(place.to_string());
            return Ok(None);
        }
        Content::Thinking { text, signature: Some(signature) } => {
            let thought = Json::object([("text", text.into()), ("signature", signature.into())]);
            ("reasoningContent", Json::object([("reasoningText", thought)]))
        }
        Content::Encrypted(data) if is_base64(&data) => {
            ("reasoningContent", Json::object([("redactedContent", data.into())]))
        }
        // Nobody signed it, or nobody here can have sealed it: the other side could not believe it.
        Content::Thinking { signature: None, .. } | Content::Encrypted(_) => {
            losses.add(place.to_string());
            return Ok(None);
        }
        Content::Call(call) => {
            let Input::Json(input) = call.input else {
                return Err(Refused::new(place, "the arguments of the call are not the JSON of an object"));
            };
            let call = Json::object([
                ("toolUseId", id(call.id, place)?),
                ("name", call.name.into()),
                ("input", input),
            ]);
            ("toolUse", call)
        }
        Content::Result { id: of, parts, failed } => {
            let mut content = Vec::with_capacity(parts.len());
            for part in parts {
                let fits = matches!(
                    part.content,
                    Content::Text(_) | Content::Image { .. } | Content::Document { .. }
                );
                if !fits {
                    return Err(Refused::new(part.at, OTHER));
                }
                content.extend(write_part(part, documents, losses)?);
            }
            let mut result = Json::object([("toolUseId", id(of, place)?), ("content", content.into())]);
            // That it did not fail is what it means without.
            result.set_some("status", failed.filter(|failed| *failed).map(|_| "error"));
            ("toolResult", result)
        }
        Content::Other { known, .. } => {
            return Err(Refused::new(place, if known.is_some() { OTHER } else { UNKNOWN }));
        }
    };
    Ok(Some(Json::object([(kind, value)])))
}

const OTHER: &str = "the other API has no such content";

fn write_image(source: Source, place: Place) -> Result<Json, Refused> {
    let Source::Base64 { media_type, data } = source else {
        return Err(Refused::new(place, "the other API takes images only as base64"));
    };
    let Some((_, format)) = IMAGES.iter().find(|(known, _)| *known == media_type) else {
        return Err(Refused::new(place, "the other API takes images as JPEG, PNG, GIF or WebP"));
    };
    Ok(Json::object([("format", (*format).into()), ("source", Json::object([("bytes", data.into())]))]))
}

fn write_document(
    source: Source,
    title: Option<&str>,
    place: Place,
    documents: &mut Documents,
) -> Result<Json, Refused> {
    let (format, source) = match source {
        Source::Url(_) => {
            return Err(Refused::new(place, "the other API takes documents only in the request"));
        }
        Source::Text(text) => ("txt", Json::object([("text", text.into())])),
        Source::Base64 { media_type, data } => {
            let Some((_, format)) = DOCUMENTS.iter().find(|(known, _)| *known == media_type) else {
                return Err(Refused::new(place, "the other API takes no documents of this type"));
            };
            (*format, Json::object([("bytes", data.into())]))
        }
    };
    Ok(Json::object([("format", format.into()), ("name", documents.name(title).into()), ("source", source)]))
}

/// Ids of calls have letters, digits and `_.:-` here, and no more than 64 of them.
fn id(id: String, place: Place) -> Result<Json, Refused> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(known) {
        Ok(id.into())
    } else {
        Err(Refused::new(place, "the id of a call has characters that the other API does not take"))
    }
}

/// Whether it can be what this wire calls bytes (RFC 4648, section 4).
fn is_base64(data: &str) -> bool {
    let digits = data.trim_end_matches('=');
    data.len().is_multiple_of(4)
        && data.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_documents_are_ones_that_are_taken_and_differ() {
        let mut documents = Documents::default();
        let mut name = |title| documents.name(title);
        assert_eq!(name(Some("Bericht (3).pdf")), "Bericht (3)-pdf");
        assert_eq!(name(Some("bericht (3).PDF")), "bericht (3)-PDF 2");
        assert_eq!(name(Some("a  b\t_ü")), "a b---");
        assert_eq!(name(None), "document");
        assert_eq!(name(Some("報告")), "document 2");
        let long = "x".repeat(500);
        assert!(name(Some(&long)).len() <= LONGEST_NAME);
        assert!(name(Some(&long)).len() <= LONGEST_NAME);
    }

    #[test]
    fn bytes_are_base64() {
        for (data, is) in [("", true), ("QQ==", true), ("QUI=", true), ("QUJD", true), ("QQ", false)] {
            assert_eq!(is_base64(data), is, "{data}");
        }
        assert!(!is_base64("Q-_=") && !is_base64("Q===") && !is_base64("="));
    }
}
