//! Which leaves of a body are media: bytes in which there is no text to look for.
//!
//! A leaf counts as media only where all of it can be accounted for: it is base64 and nothing else, the type that it is
//! declared to have is on the list below, and its first bytes are what files of that type begin with. A `data:` URL with
//! a parameter, an unknown type, or bytes that are something else is text, which a recognizer reads. Blind spot: text in
//! the bytes of what does begin like an image; that is what makes a body with media opaque.
//!
//! Of a PDF the text is read as far as it can be had (`pdf.rs`); nothing in it can be redacted, and it stays opaque. Bytes in
//! base64 that stand where no text of a conversation does, and that are none of these, are read by nobody, so they make a body
//! opaque too, whatever they are. A file of a type that is text, and whose bytes are (`text/csv`, `application/json`, …), is read,
//! in a `data:` URL and in a part of Anthropic's: its text is scanned and redacted within the base64.

use std::borrow::Cow;

use base64::Engine as _;

use bailiwick_wire::openai_responses::{SEALED, SIGNED};

use super::document::{Document, Kind, NodeId};
use super::spans::within;

/// What a leaf is to the scan.
pub enum Media {
    /// An image in the body itself: not text, not scanned, and charged by the image rather than by its bytes.
    Image,
    /// Other bytes in the body itself: not text, not scanned.
    Bytes,
    /// What a model thought, signed or encrypted by its provider, which alone can read it: not text, not scanned. What it
    /// may hold is for `sealed.rs` to say.
    Sealed,
    /// A PDF with the text that could be had of it. It holds more than that.
    Pdf(String),
    /// A file that is text.
    File(TextFile),
    /// Text.
    None,
}

/// What a file of some type begins with.
type Magic = fn(&[u8]) -> bool;

/// The image types, after `image/`. An SVG is text.
const IMAGES: &[(&str, Magic)] = &[
    // https://www.w3.org/TR/png-3/#5PNG-file-signature
    ("png", |head| head.starts_with(b"\x89PNG\r\n\x1a\n")),
    // ISO/IEC 10918-1, annex B.1.1.3: a start of image, then a marker
    ("jpeg", is_jpeg),
    ("jpg", is_jpeg),
    // https://www.w3.org/Graphics/GIF/spec-gif89a.txt, section 17
    ("gif", |head| head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a")),
    // RFC 9649, section 2.4
    ("webp", |head| is_riff(head, b"WEBP")),
    ("bmp", |head| head.starts_with(b"BM")),
    // TIFF 6.0, section 2
    ("tiff", |head| head.starts_with(b"II*\0") || head.starts_with(b"MM\0*")),
    // ISO/IEC 14496-12, section 4.3
    ("heic", is_iso_media),
    ("heif", is_iso_media),
    ("avif", is_iso_media),
];

/// The audio formats, as `format` names them and after `audio/`.
const SOUNDS: &[(&str, Magic)] = &[
    ("wav", |head| is_riff(head, b"WAVE")),
    // https://id3.org/id3v2.4.0-structure, section 3.1; ISO/IEC 11172-3, section 2.4.1.3: a sync word
    ("mp3", is_mpeg),
    ("mpeg", is_mpeg),
    // RFC 9639, section 6
    ("flac", |head| head.starts_with(b"fLaC")),
    // RFC 3533, section 6
    ("ogg", |head| head.starts_with(b"OggS")),
    ("opus", |head| head.starts_with(b"OggS")),
    ("aac", is_mpeg),
    ("m4a", is_iso_media),
    ("mp4", is_iso_media),
    // RFC 8794, section 11.2.1
    ("webm", |head| head.starts_with(b"\x1a\x45\xdf\xa3")),
];

/// The document types.
const DOCUMENTS: &[(&str, Magic)] = &[
    // ISO 32000-2, section 7.5.2
    ("application/pdf", |head| head.starts_with(b"%PDF-")),
    ("application/zip", is_zip),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", is_zip),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", is_zip),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", is_zip),
    ("application/vnd.oasis.opendocument.text", is_zip),
    ("application/vnd.oasis.opendocument.spreadsheet", is_zip),
    ("application/vnd.oasis.opendocument.presentation", is_zip),
    // [MS-CFB], section 2.2
    ("application/msword", is_compound),
    ("application/vnd.ms-excel", is_compound),
    ("application/vnd.ms-powerpoint", is_compound),
];

fn is_jpeg(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xd8\xff")
}

fn is_riff(head: &[u8], form: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(form)
}

fn is_iso_media(head: &[u8]) -> bool {
    head.get(4..8) == Some(b"ftyp".as_slice())
}

fn is_mpeg(head: &[u8]) -> bool {
    head.starts_with(b"ID3") || matches!(head, [0xff, second, ..] if *second >= 0xe0)
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04")
}

fn is_compound(head: &[u8]) -> bool {
    head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
}

/// What a leaf is. Media stand only in a part of a message's content, where the part's `type` says so.
#[must_use]
pub fn media(document: &Document, id: NodeId) -> Media {
    if is_sealed(document, id) {
        return Media::Sealed;
    }
    if let Some(found) = of_response(document, id) {
        return found;
    }
    let Some((key, holder, part)) = part_of(document, id) else { return Media::None };
    let part_kind = document.get(part, "type").and_then(|kind| document.string(kind));
    let is = |test: &dyn Fn(&str) -> bool| document.string(id).is_some_and(|text| test(&text));
    match (part_kind.as_deref(), &*holder, &*key) {
        (Some("image_url"), "image_url", "url") if is(&is_image) => Media::Image,
        (Some("input_audio"), "input_audio", "data") => {
            let format = document.parent(id).and_then(|holder| document.get(holder, "format"));
            let format = format.and_then(|format| document.string(format)).unwrap_or_default();
            if is(&|text| is_of(SOUNDS, &format, text)) { Media::Bytes } else { Media::None }
        }
        (Some("file"), "file", "file_data") if is(&is_document) => {
            document.string(id).and_then(|text| pdf_text(&text)).map_or(Media::Bytes, Media::Pdf)
        }
        (Some("file"), "file", "file_data") => {
            document.string(id).and_then(|text| TextFile::of(&text)).map_or(Media::None, Media::File)
        }
        (Some("image" | "document"), "source", "data") => {
            let of = |name: &str| {
                let holder = document.parent(id)?;
                document.get(holder, name).and_then(|found| document.string(found))
            };
            let (encoding, kind) = (of("type").unwrap_or_default(), of("media_type").unwrap_or_default());
            let image = kind.strip_prefix("image/").unwrap_or_default();
            let part_is_document = part_kind.as_deref() == Some("document");
            match &*encoding {
                "base64" if is(&|text| is_of(IMAGES, image, text)) => Media::Image,
                "base64" if is(&|text| is_of(DOCUMENTS, &kind, text)) => {
                    document.string(id).and_then(|text| pdf_text(&text)).map_or(Media::Bytes, Media::Pdf)
                }
                "base64" if part_is_document => document
                    .string(id)
                    .and_then(|text| TextFile::decoded(&kind, &text, ""))
                    .map_or(Media::None, Media::File),
                _ => Media::None,
            }
        }
        _ => Media::None,
    }
}

/// What a member of a part of a response's input is: there the bytes stand in the part itself.
fn of_response(document: &Document, id: NodeId) -> Option<Media> {
    let part = document.parent(id)?;
    if is_picture_of_a_tool(document, part, id) == Some(true) {
        return Some(Media::Image);
    }
    let list = document.parent(part).filter(|list| is_content(document, *list))?;
    if document.kind(list) != Kind::Array {
        return None;
    }
    let kind = document.get(part, "type").and_then(|kind| document.string(kind))?;
    let key = document.key(id)?;
    let text = document.string(id)?;
    match (&*kind, &*key) {
        ("input_image", "image_url") if is_image(&text) => Some(Media::Image),
        ("input_file", "file_data") if is_document(&text) => {
            Some(pdf_text(&text).map_or(Media::Bytes, Media::Pdf))
        }
        ("input_file", "file_data") => TextFile::of(&text).map(Media::File),
        _ => None,
    }
}

/// Whether a string is a picture that a tool made or took: the `result` of a call, in bare base64, or the screen that a call
/// answered with, in a `data:` URL.
fn is_picture_of_a_tool(document: &Document, holder: NodeId, id: NodeId) -> Option<bool> {
    let of_kind = |item: NodeId, wanted: &str| {
        let kind = document.get(item, "type").and_then(|kind| document.string(kind));
        within(document, item, "input") && kind.is_some_and(|kind| kind == wanted)
    };
    match &*document.key(id)? {
        "result" if of_kind(holder, "image_generation_call") => {
            let text = document.string(id)?;
            let head = base64::engine::general_purpose::STANDARD.decode(text.get(..32)?).ok()?;
            Some(IMAGES.iter().any(|(_, magic)| magic(&head)) && is_base64(&text))
        }
        "image_url" if document.key(holder)? == "output" => {
            Some(of_kind(document.parent(holder)?, "computer_call_output") && is_image(&document.string(id)?))
        }
        _ => None,
    }
}

/// Whether a part is what a shell said, of which all is text.
#[must_use]
pub fn is_said_by_shell(document: &Document, part: NodeId) -> bool {
    let named = |id: NodeId, names: &[&str]| document.key(id).is_some_and(|key| names.contains(&&*key));
    let item = document
        .parent(part)
        .filter(|list| named(*list, &["output"]))
        .and_then(|list| document.parent(list))
        .filter(|item| within(document, *item, "input"));
    let kind = item.and_then(|item| document.get(item, "type")).and_then(|kind| document.string(kind));
    kind.is_some_and(|kind| kind == "shell_call_output")
        && document.kind(part) == Kind::Object
        && document.children(part).all(|member| match document.kind(member) {
            Kind::Object => {
                named(member, &["outcome"])
                    && document.children(member).all(|member| named(member, &["exit_code", "type"]))
            }
            Kind::Array => false,
            _ => named(member, &["created_by", "stderr", "stdout"]),
        })
}

/// So many digits in a row are a number rather than bytes: there are fewer than one in ten million places of random ones.
const READABLE_DIGITS: usize = 10;

/// Whether a string is the signature of a thought of the model's, or an encrypted one: `/messages/*/content/*/<key>` of a
/// turn of the assistant, or `/input/*/encrypted_content`, and nothing that could be read, decoded neither.
fn is_sealed(document: &Document, id: NodeId) -> bool {
    let of_response = || {
        let item = document.parent(id).filter(|item| within(document, *item, "input"))?;
        let kind = document.get(item, "type").and_then(|kind| document.string(kind))?;
        let named = document.key(id)? == "encrypted_content" && matches!(&*kind, "reasoning" | "compaction");
        let text = document.string(id).filter(|_| named)?;
        let bare = [SIGNED, SEALED].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(&text);
        // Some services write it in the alphabet of section 5, which is that of section 4 with two other digits.
        let plain = bare.replace('-', "+").replace('_', "/");
        let padding = "=".repeat(plain.len().wrapping_neg() % 4);
        Some(is_unreadable(&format!("{plain}{padding}")))
    };
    if of_response() == Some(true) {
        return true;
    }
    let sealed = || {
        let part = document.parent(id)?;
        let kind = document.get(part, "type").and_then(|kind| document.string(kind))?;
        let key = document.key(id)?;
        let named = matches!((&*kind, &*key), ("thinking", "signature") | ("redacted_thinking", "data"));
        let content = document.parent(part).filter(|content| is_content(document, *content))?;
        let message = document.parent(content)?;
        let role = document.get(message, "role").and_then(|role| document.string(role))?;
        if !named || role != "assistant" {
            return None;
        }
        let text = document.string(id)?;
        Some(is_unreadable(&text))
    };
    sealed().unwrap_or(false)
}

/// Whether a text is base64 of something that is no text, and holds no number.
fn is_unreadable(text: &str) -> bool {
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok();
    let is_text = bytes.is_some_and(|bytes| std::str::from_utf8(&bytes).is_ok());
    is_base64(text) && !is_text && digits.is_none_or(|longest| longest < READABLE_DIGITS)
}

/// The text of a PDF, bare or in a `data:` URL.
fn pdf_text(text: &str) -> Option<String> {
    let body = data_url(text).map_or(text, |(_, body)| body);
    // `%PDF`
    if !body.starts_with("JVBERi") {
        return None;
    }
    super::pdf::text_of(&base64::engine::general_purpose::STANDARD.decode(body).ok()?)
}

/// A file of text in base64, in a `data:` URL or bare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// The URL up to its bytes.
    prefix: String,
    /// What its bytes say.
    pub text: String,
}

/// The types that are text. Another one is no file but a string that is read as it stands: nothing that a client writes there
/// goes out unread.
const TEXTS: [&str; 24] = [
    "text/plain",
    "text/csv",
    "text/tab-separated-values",
    "text/markdown",
    "text/x-markdown",
    "text/html",
    "text/xml",
    "text/css",
    "text/javascript",
    "text/calendar",
    "text/vcard",
    "text/rtf",
    "text/yaml",
    "text/x-yaml",
    "text/x-python",
    "application/json",
    "application/jsonl",
    "application/x-ndjson",
    "application/csv",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/sql",
];

impl TextFile {
    fn of(url: &str) -> Option<Self> {
        let (kind, body) = data_url(url)?;
        Self::decoded(kind, body, url.strip_suffix(body)?)
    }

    /// A file of a type in base64, which stands behind `prefix`.
    fn decoded(kind: &str, body: &str, prefix: &str) -> Option<Self> {
        let bare = kind.split_once(';').map_or(kind, |(bare, parameter)| {
            if parameter.eq_ignore_ascii_case("charset=utf-8") { bare } else { "" }
        });
        if !TEXTS.contains(&bare) {
            return None;
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
        Some(Self { prefix: prefix.to_owned(), text: String::from_utf8(bytes).ok()? })
    }

    /// The same file with another text.
    #[must_use]
    pub fn with(&self, text: &str) -> String {
        format!("{}{}", self.prefix, base64::engine::general_purpose::STANDARD.encode(text))
    }
}

/// Whether a content part is a file that is text, and nothing that the provider would get from elsewhere.
#[must_use]
pub fn is_read_file(document: &Document, part: NodeId) -> bool {
    if let Some(source) = document.get(part, "source") {
        return is_read_source(document, part, source);
    }
    let text = |holder: NodeId, data: &str| {
        document
            .get(holder, data)
            .and_then(|data| document.string(data))
            .is_some_and(|data| !is_document(&data) && TextFile::of(&data).is_some())
    };
    let kind = document.get(part, "type").and_then(|kind| document.string(kind));
    if kind.as_deref() == Some("input_file") {
        let elsewhere = ["file_id", "file_url", "file"].iter().any(|name| document.get(part, name).is_some());
        return !elsewhere && text(part, "file_data");
    }
    let Some(file) = document.get(part, "file") else { return false };
    document.get(file, "file_id").is_none() && text(file, "file_data")
}

/// Whether the source of a part of Anthropic's is text, or parts of text and nothing else: all of it is read.
fn is_read_source(document: &Document, part: NodeId, source: NodeId) -> bool {
    let is = |holder: NodeId, name: &str, wanted: &str| {
        document.get(holder, name).and_then(|found| document.string(found)).as_deref() == Some(wanted)
    };
    if !is(part, "type", "document") || document.get(part, "file").is_some() {
        return false;
    }
    let known = |names: &[&str]| {
        document.children(source).all(|member| document.key(member).is_some_and(|key| names.contains(&&*key)))
    };
    if is(source, "type", "text") {
        return known(&["type", "media_type", "data"]);
    }
    let text = |content: NodeId| match document.kind(content) {
        Kind::String => true,
        Kind::Array => document.children(content).all(|part| is(part, "type", "text")),
        _ => false,
    };
    is(source, "type", "content")
        && known(&["type", "content"])
        && document.get(source, "content").is_some_and(text)
}

/// Whether a value is a part of a message's content that is not known to be text, so that the provider may take it for
/// more than it says here: an image to fetch, a file that it keeps. The content may be a list of parts or, as some
/// servers allow, one part.
#[must_use]
pub fn is_unread_part(document: &Document, id: NodeId) -> bool {
    if !matches!(document.kind(id), Kind::Object | Kind::Array) {
        return false;
    }
    let Some(parent) = document.parent(id) else { return false };
    let part = if is_content(document, id) {
        document.kind(id) == Kind::Object
    } else {
        document.kind(parent) == Kind::Array && is_content(document, parent)
    };
    let is_text = || {
        let kind = document.get(id, "type").and_then(|kind| document.string(kind));
        // Of Anthropic's parts too every leaf is looked at; what a tool answered has parts of its own.
        matches!(
            kind.as_deref(),
            Some(
                "text"
                    | "input_text"
                    | "output_text"
                    | "reasoning_text"
                    | "summary_text"
                    | "refusal"
                    | "thinking"
                    | "redacted_thinking"
                    | "search_result"
                    | "tool_use"
                    | "tool_result"
            )
        )
    };
    part && !is_text() && !is_read_file(document, id) && !is_said_by_shell(document, id)
}

/// Whether a value is a message's content, or that of what a tool answered within one.
fn is_content(document: &Document, id: NodeId) -> bool {
    let outer = |id: NodeId| {
        let of_message = document.key(id).is_some_and(|key| key == "content")
            && document.parent(id).is_some_and(|message| within(document, message, "messages"));
        // What a response is asked with: messages, and what tools answered.
        let of_item = || {
            document.key(id).is_some_and(|key| matches!(&*key, "content" | "output"))
                && document.parent(id).is_some_and(|item| within(document, item, "input"))
        };
        of_message || of_item()
    };
    let inner = || {
        let part = document.parent(id)?;
        let kind = document.get(part, "type").and_then(|kind| document.string(kind))?;
        let list = document.parent(part)?;
        Some(document.key(id)? == "content" && kind == "tool_result" && outer(list))
    };
    outer(id) || inner().unwrap_or(false)
}

/// The key of a string, the key of the object that holds it, and the content part that holds that object:
/// `/messages/*/content/*/<holder>/<key>`.
fn part_of(document: &Document, id: NodeId) -> Option<(Cow<'_, str>, Cow<'_, str>, NodeId)> {
    if document.kind(id) != Kind::String {
        return None;
    }
    let object = document.parent(id)?;
    let part = document.parent(object)?;
    let content = document.parent(part)?;
    is_content(document, content).then_some((document.key(id)?, document.key(object)?, part))
}

/// Whether a string is bytes in base64 which nobody here reads: a service decodes what a member of an item or of a tool holds. Of
/// what a model reads as it stands, the text of a conversation, that is not so.
#[must_use]
pub fn is_unread_bytes(document: &Document, id: NodeId, text: &str) -> bool {
    if document.kind(id) != Kind::String || text.len() < SHORTEST_BYTES || !is_bytes(text) {
        return false;
    }
    let key = |id: NodeId| document.key(id);
    let read_by_a_model = |key: &str| {
        matches!(key, "arguments" | "content" | "input" | "instructions" | "output" | "system" | "text")
    };
    // A member of a list goes by the list's name.
    let named = std::iter::successors(Some(id), |at| document.parent(*at)).find_map(key);
    if named.is_none_or(|key| read_by_a_model(&key)) {
        return false;
    }
    let top = std::iter::successors(Some(id), |at| document.parent(*at))
        .find(|at| document.parent(*at) == Some(document.root()));
    !top.and_then(key).is_some_and(|key| matches!(&*key, "messages" | "system"))
}

/// Shorter ones hold little, and could be names.
const SHORTEST_BYTES: usize = 128;

/// Whether a text can hardly be anything but bytes in base64, of section 4 or of section 5 of RFC 4648, in a `data:` URL or bare,
/// on one line or on several. Those of a text are some, too: a recognizer reads only what is short and has no end of line.
fn is_bytes(text: &str) -> bool {
    let body = data_url(text).map_or(text, |(_, body)| body).trim_end();
    let digits = body.trim_end_matches('=');
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_\r\n".contains(&byte)) {
        return false;
    }
    let longest = body.lines().map(str::len).max().unwrap_or_default();
    let full = body.lines().filter(|line| line.len() == longest).count();
    let lines = body.lines().count();
    let even = lines == 1 || longest >= LINE && full + 1 >= lines;
    let has = |is: fn(&u8) -> bool| body.bytes().any(|byte| is(&byte));
    // Words and numbers have letters of one kind; paths and names have signs of both alphabets.
    let one_alphabet = !(has(|byte| b"+/".contains(byte)) && has(|byte| b"-_".contains(byte)));
    let of_both_kinds = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    even && one_alphabet && of_both_kinds
}

/// How long lines of base64 are at least (RFC 1421; RFC 2045 has longer ones).
const LINE: usize = 64;

/// A `data:` URL of an image (RFC 2397) without any parameter but `base64`.
fn is_image(text: &str) -> bool {
    let Some((kind, body)) = data_url(text) else { return false };
    kind.strip_prefix("image/").is_some_and(|kind| is_of(IMAGES, kind, body))
}

/// The same of a document or of audio, or the base64 of a document alone.
fn is_document(text: &str) -> bool {
    let Some((kind, body)) = data_url(text) else {
        return DOCUMENTS.iter().any(|(kind, _)| is_of(DOCUMENTS, kind, text));
    };
    match kind.split_once('/') {
        Some(("image", kind)) => is_of(IMAGES, kind, body),
        Some(("audio", kind)) => is_of(SOUNDS, kind, body),
        _ => is_of(DOCUMENTS, kind, body),
    }
}

fn data_url(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("data:")?.split_once(";base64,")
}

/// Whether `text` is the base64 of a file of the type `kind`.
fn is_of(kinds: &[(&str, Magic)], kind: &str, text: &str) -> bool {
    is_base64(text)
        && kinds.iter().find(|(name, _)| *name == kind).is_some_and(|(_, magic)| {
            let head = text.get(..32).unwrap_or_default();
            base64::engine::general_purpose::STANDARD.decode(head).is_ok_and(|head| magic(&head))
        })
}

/// The alphabet of RFC 4648, section 4, in a run that is longer than anything that a recognizer looks for: sixteen digits
/// are base64 too.
fn is_base64(text: &str) -> bool {
    let body = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    text.len() >= 128
        && text.len().is_multiple_of(4)
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(magic: &[u8]) -> String {
        let mut bytes = magic.to_vec();
        bytes.resize(192, 7);
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    #[test]
    fn only_a_bare_url_whose_bytes_are_of_its_type_is_an_image() {
        let png = file(b"\x89PNG\r\n\x1a\n");
        for (kind, magic) in [
            ("png", b"\x89PNG\r\n\x1a\n".as_slice()),
            ("jpeg", b"\xff\xd8\xff\xe0"),
            ("gif", b"GIF89a"),
            ("webp", b"RIFF\x10\0\0\0WEBPVP8 "),
            ("avif", b"\0\0\0\x20ftypavif"),
        ] {
            assert!(is_image(&format!("data:image/{kind};base64,{}", file(magic))), "{kind}");
            let other = if kind == "png" { "gif" } else { "png" };
            assert!(!is_image(&format!("data:image/{other};base64,{}", file(magic))), "{kind} as {other}");
        }
        for text in [
            format!("data:image/png;4111111111111111;base64,{png}"),
            format!("data:image/png;name=anna.schmidt@example.de;base64,{png}"),
            format!("data:image/png;base64,{png};base64,{png}"),
            format!("data:image/png;base64,{}", "A".repeat(256)),
            format!("data:image/png;base64,{}", "41111111".repeat(32)),
            format!("data:image/png;base64,{png}="),
            format!("data:image/png;base64,{png} 4111111111111111"),
            format!("data:image/svg+xml;base64,{}", file(b"<svg")),
            format!("data:image/4111111111111111;base64,{png}"),
            format!("data:image/png,{png}"),
            png,
        ] {
            assert!(!is_image(&text), "{text}");
        }
    }

    #[test]
    fn files_of_text_are_read_and_written_again() {
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let csv = encode("name;mail\nAnna;anna@kunde.example\n".as_bytes());
        for kind in ["text/csv", "text/plain;charset=utf-8", "application/json"] {
            let file = TextFile::of(&format!("data:{kind};base64,{csv}")).unwrap();
            assert!(file.text.ends_with("anna@kunde.example\n"));
            assert_eq!(file.with(&file.text), format!("data:{kind};base64,{csv}"));
        }
        let bare = TextFile::decoded("text/csv", &csv, "").unwrap();
        assert_eq!((bare.text.len(), bare.with("x")), (34, encode(b"x")));
        for url in [
            format!("data:text/plain;name=anna;base64,{csv}"),
            format!("data:text/anna@kunde.example;base64,{csv}"),
            format!("data:text/plain;charset=UTF-8;4111111111111111;base64,{csv}"),
            format!("data:image/png;base64,{csv}"),
            format!("data:text/csv,{csv}"),
            format!("data:text/csv;base64,{}", encode(b"\xff\xfe")),
            String::from("data:text/csv;base64,%%%"),
        ] {
            assert_eq!(TextFile::of(&url), None, "{url}");
        }
    }

    #[test]
    fn bytes_are_told_from_words() {
        let bytes: Vec<u8> = (0..=255).collect();
        let plain = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let bare = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
        let lines = |text: &str, size: usize| {
            let lines: Vec<&str> =
                text.as_bytes().chunks(size).map(|line| std::str::from_utf8(line).unwrap()).collect();
            lines.join("\r\n")
        };
        for text in [
            plain.clone(),
            bare,
            plain.trim_end_matches('=').to_owned(),
            lines(&plain, 64),
            lines(&plain, 76),
            format!("{plain}\n"),
            format!("data:application/octet-stream;base64,{plain}"),
            base64::engine::general_purpose::STANDARD.encode("Ottilie Schmidt, Hamburg. ".repeat(9)),
        ] {
            assert!(is_bytes(&text), "{text}");
        }
        for text in [
            String::from("It says nothing at all, and it says it in a great many words. ").repeat(4),
            "x".repeat(300),
            "one\nTwo\nthree\n".repeat(20),
            "0123456789abcdef".repeat(16),
            "src/gateway-of-words/Read_me/".repeat(8),
            "eyJhbGciOiJIUzI1NiJ9.".repeat(9),
        ] {
            assert!(!is_bytes(&text), "{text}");
        }
    }

    #[test]
    fn only_known_documents_and_sounds_are_bytes() {
        let (pdf, zip, wav) = (file(b"%PDF-1.7\n"), file(b"PK\x03\x04"), file(b"RIFF\x10\0\0\0WAVEfmt "));
        assert!(is_document(&pdf) && is_document(&zip));
        assert!(is_document(&format!("data:application/pdf;base64,{pdf}")));
        assert!(is_document(&format!("data:audio/wav;base64,{wav}")));
        assert!(is_of(SOUNDS, "wav", &wav) && is_of(SOUNDS, "mp3", &file(b"ID3\x04")));
        for text in [
            format!("data:application/pdf;name=anna.schmidt@example.de;base64,{pdf}"),
            format!("data:application/pdf;base64,{zip}"),
            format!("data:text/plain;base64,{pdf}"),
            format!("data:;base64,{pdf}"),
            file(b"Anna Schmidt"),
        ] {
            assert!(!is_document(&text), "{text}");
        }
        assert!(!is_of(SOUNDS, "mp3", &wav) && !is_of(SOUNDS, "", &wav));
    }
}
