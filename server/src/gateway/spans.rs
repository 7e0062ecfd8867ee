//! The text of a body: every leaf and every key, unless its position is on the allow-list.
//!
//! The allow-list is of positions *and* values: `/messages/0/role` is exempt only while it holds a role, `temperature`
//! only while it is a short number. Anything else at such a position is text and is scanned. Binary media (an image in
//! a `data:` URL, audio, a file) cannot be read here; it is left out of the scan. Any part of a message that is not known
//! to be text, scanned or not, and bytes in base64 wherever else a service would decode them, make the body *opaque*,
//! which turns every data class that nobody declared into an unknown one.
//!
//! All spans are laid into one buffer so that one scan serves the whole body. A key stands right before its value, so
//! that `"ssn": "…"` gives the recognizers their context. A finding that crosses from one span into the next is cut at
//! the border and counts for both. A string that is itself JSON (the arguments of a tool call, and whatever begins with
//! `{` or `[`) is scanned as its reader understands it: with the escapes of its strings decoded, and of JSON in those,
//! four levels in all. A file of text is scanned behind its base64.
//!
//! Blind spots: a value that the client splits over several spans, two content parts for example, is seen as its pieces;
//! JSON in a string that begins with anything else is seen with its escapes.

use std::ops::Range;

use bailiwick_pii::Embedded;

use super::document::{Document, Kind, NodeId};
use super::media::{Media, TextFile, is_unread_bytes, is_unread_part, media};

/// Stands between two spans. The bar is in no recognizer's alphabet, so that nothing matches across it that would not
/// match at an end of text. (A control character would be left out, as one that is not shown.)
const BORDER: &str = "\n|\n";

/// Longest number that a schema position may hold unscanned: shorter than any that is checked by its digits.
const PLAIN_NUMBER: usize = 10;

/// One scanned leaf or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The value that it is, or whose key it is.
    pub node: NodeId,
    /// Whether it is the key.
    pub key: bool,
    /// Where it lies in [`Text::buffer`].
    pub range: Range<usize>,
}

/// Everything of a body that is scanned.
#[derive(Debug, Default)]
pub struct Text {
    /// The decoded texts with borders between them.
    pub buffer: String,
    /// The spans in the buffer's order.
    pub spans: Vec<Span>,
    /// Those that are JSON with escapes, by index, in order.
    embedded: Vec<(usize, Embedded)>,
    /// Those that are files, by index, in order.
    files: Vec<(usize, TextFile)>,
    /// Those in which nothing can be replaced, by index, in order.
    unchangeable: Vec<usize>,
    /// Signatures of thoughts, and encrypted ones, which are not scanned.
    pub seals: Vec<NodeId>,
    /// Whether the body holds media or parts that could not be read.
    pub opaque: bool,
    /// Bytes of the body that are images, which are charged by the image.
    pub image_bytes: usize,
}

impl Text {
    /// Collects the spans of a body.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let mut text = Self { buffer: String::with_capacity(document.bytes().len() + 64), ..Self::default() };
        for id in document.ids() {
            if let Some(key) = document.key(id)
                && !is_schema_name(&key)
            {
                text.push(id, true, &key);
            }
            text.opaque |= is_unread_part(document, id);
            match media(document, id) {
                Media::Image => {
                    text.opaque = true;
                    text.image_bytes = text.image_bytes.saturating_add(document.raw(id).len());
                    continue;
                }
                Media::Bytes => {
                    text.opaque = true;
                    continue;
                }
                Media::Sealed => {
                    text.seals.push(id);
                    continue;
                }
                Media::Pdf(read) => {
                    text.opaque = true;
                    if text.push(id, false, &read) {
                        text.unchangeable.push(text.spans.len().saturating_sub(1));
                    }
                    continue;
                }
                Media::File(file) => {
                    if text.leaf(id, &file.text, false) {
                        text.files.push((text.spans.len().saturating_sub(1), file));
                    }
                    continue;
                }
                Media::None => {}
            }
            if let Some(leaf) = document.text(id)
                && !is_exempt(document, id, &leaf)
            {
                text.opaque |= is_unread_bytes(document, id, &leaf);
                text.leaf(id, &leaf, is_arguments(document, id));
            }
        }
        text
    }

    /// Adds a leaf, as its reader understands it; whether there was anything to add.
    fn leaf(&mut self, id: NodeId, leaf: &str, is_arguments: bool) -> bool {
        // Without a backslash there is nothing to decode, which is what most strings are.
        let embedded = memchr::memchr(b'\\', leaf.as_bytes()).and_then(|_| Embedded::of(leaf, is_arguments));
        match embedded {
            Some(embedded) => {
                if !self.push(id, false, embedded.text()) {
                    return false;
                }
                self.embedded.push((self.spans.len().saturating_sub(1), embedded));
                true
            }
            None => self.push(id, false, leaf),
        }
    }

    /// Whether there is any span in which nothing can be replaced.
    #[must_use]
    pub fn has_unchangeable(&self) -> bool {
        !self.unchangeable.is_empty()
    }

    /// Whether nothing in the span with this index can be replaced: it was read out of a file that cannot be written again.
    #[must_use]
    pub fn is_unchangeable(&self, span: usize) -> bool {
        self.unchangeable.binary_search(&span).is_ok()
    }

    /// The file that the span with this index is, if it is one.
    #[must_use]
    pub fn file(&self, span: usize) -> Option<&TextFile> {
        let at = self.files.binary_search_by_key(&span, |(span, _)| *span).ok()?;
        self.files.get(at).map(|(_, file)| file)
    }

    /// The JSON with escapes that the span with this index is, if it is.
    #[must_use]
    pub fn embedded(&self, span: usize) -> Option<&Embedded> {
        let at = self.embedded.binary_search_by_key(&span, |(span, _)| *span).ok()?;
        self.embedded.get(at).map(|(_, embedded)| embedded)
    }

    /// The scanned text of a span.
    #[must_use]
    pub fn span_text(&self, span: &Span) -> &str {
        self.buffer.get(span.range.clone()).unwrap_or_default()
    }

    fn push(&mut self, node: NodeId, key: bool, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        let start = self.buffer.len();
        self.buffer.push_str(text);
        self.spans.push(Span { node, key, range: start..self.buffer.len() });
        self.buffer.push_str(BORDER);
        true
    }
}

/// Whether a string is the arguments of a tool call, which are JSON themselves and must stay JSON.
#[must_use]
pub fn is_arguments(document: &Document, id: NodeId) -> bool {
    let Some(call) = document.parent(id).filter(|_| document.key(id).is_some_and(|key| key == "arguments"))
    else {
        return false;
    };
    let kind = || document.get(call, "type").and_then(|kind| document.string(kind));
    document.key(call).is_some_and(|key| matches!(&*key, "function" | "function_call"))
        // An item of a response, or of the input for one.
        || kind().is_some_and(|kind| matches!(&*kind, "function_call" | "mcp_call" | "mcp_approval_request"))
}

/// Names that the served APIs give to members; an application cannot put anybody's data into them.
#[must_use]
pub fn is_schema_name(key: &str) -> bool {
    matches!(
        key,
        "additionalProperties"
            | "arguments"
            | "audio"
            | "background"
            | "background_options"
            | "budget_tokens"
            | "cache_control"
            | "call_id"
            | "citations"
            | "content"
            | "context"
            | "context_management"
            | "conversation"
            | "data"
            | "description"
            | "detail"
            | "dimensions"
            | "disable_parallel_tool_use"
            | "effort"
            | "encoding_format"
            | "encrypted_content"
            | "enum"
            | "file"
            | "file_data"
            | "file_id"
            | "file_url"
            | "filename"
            | "format"
            | "frequency_penalty"
            | "function"
            | "function_call"
            | "generate_summary"
            | "id"
            | "image"
            | "image_url"
            | "include"
            | "include_obfuscation"
            | "include_usage"
            | "input"
            | "input_audio"
            | "input_schema"
            | "instructions"
            | "is_error"
            | "items"
            | "json_schema"
            | "logit_bias"
            | "logprobs"
            | "max_completion_tokens"
            | "max_output_tokens"
            | "max_tokens"
            | "max_tool_calls"
            | "media_type"
            | "messages"
            | "metadata"
            | "mode"
            | "model"
            | "moderation"
            | "n"
            | "name"
            | "output"
            | "output_config"
            | "parallel_tool_calls"
            | "parameters"
            | "phase"
            | "presence_penalty"
            | "previous_response_id"
            | "prompt"
            | "prompt_cache_breakpoint"
            | "prompt_cache_key"
            | "prompt_cache_options"
            | "prompt_cache_retention"
            | "properties"
            | "reasoning"
            | "reasoning_effort"
            | "refusal"
            | "required"
            | "response_format"
            | "role"
            | "safety_identifier"
            | "schema"
            | "seed"
            | "service_tier"
            | "signature"
            | "source"
            | "status"
            | "stop"
            | "stop_sequences"
            | "store"
            | "stream"
            | "stream_options"
            | "strict"
            | "summary"
            | "system"
            | "temperature"
            | "text"
            | "thinking"
            | "title"
            | "tool_call_id"
            | "tool_calls"
            | "tool_choice"
            | "tool_use_id"
            | "tools"
            | "top_k"
            | "top_logprobs"
            | "top_p"
            | "truncation"
            | "ttl"
            | "type"
            | "url"
            | "user"
            | "user_id"
            | "verbosity"
    )
}

/// Whether the position and the value together are on the allow-list.
fn is_exempt(document: &Document, id: NodeId, value: &str) -> bool {
    let Some(key) = document.key(id) else { return false };
    let Some(parent) = document.parent(id) else { return false };
    let top = parent == document.root();
    let in_messages = || within(document, parent, "messages") || within(document, parent, "input");
    match document.kind(id) {
        Kind::Number => {
            top && value.len() <= PLAIN_NUMBER
                && matches!(
                    &*key,
                    "temperature"
                        | "top_p"
                        | "n"
                        | "max_tokens"
                        | "max_completion_tokens"
                        | "max_output_tokens"
                        | "max_tool_calls"
                        | "presence_penalty"
                        | "frequency_penalty"
                        | "seed"
                        | "top_logprobs"
                        | "top_k"
                        | "dimensions"
                )
        }
        Kind::String => match &*key {
            "model" => top,
            "role" => {
                in_messages()
                    && matches!(value, "system" | "developer" | "user" | "assistant" | "tool" | "function")
            }
            "type" => matches!(
                value,
                "text"
                    | "image_url"
                    | "input_audio"
                    | "file"
                    | "refusal"
                    | "function"
                    | "json_object"
                    | "json_schema"
                    | "object"
                    | "string"
                    | "number"
                    | "integer"
                    | "boolean"
                    | "array"
                    // Anthropic's.
                    | "adaptive"
                    | "any"
                    | "base64"
                    | "custom"
                    | "disabled"
                    | "document"
                    | "enabled"
                    | "ephemeral"
                    | "image"
                    | "redacted_thinking"
                    | "thinking"
                    | "tool"
                    | "tool_result"
                    | "tool_use"
                    | "url"
                    // Those of a response.
                    | "function_call"
                    | "function_call_output"
                    | "input_file"
                    | "input_image"
                    | "input_text"
                    | "message"
                    | "output_text"
                    | "reasoning"
                    | "reasoning_text"
                    | "summary_text"
            ),
            "status" => matches!(value, "completed" | "in_progress" | "incomplete"),
            "ttl" => matches!(value, "5m" | "1h"),
            "effort" => matches!(value, "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max"),
            "detail" => matches!(value, "auto" | "low" | "high"),
            "encoding_format" => top && matches!(value, "float" | "base64"),
            "tool_choice" => top && matches!(value, "none" | "auto" | "required"),
            "service_tier" => {
                top && matches!(value, "auto" | "default" | "flex" | "scale" | "priority" | "standard_only")
            }
            "reasoning_effort" => {
                top && matches!(value, "none" | "minimal" | "low" | "medium" | "high" | "xhigh")
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether a value is a member of the array that the outermost object holds under `key`.
#[must_use]
pub fn within(document: &Document, id: NodeId, key: &str) -> bool {
    document
        .parent(id)
        .filter(|array| document.parent(*array) == Some(document.root()))
        .and_then(|array| document.key(array))
        .is_some_and(|found| found == key)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::document::Limits;
    use super::*;

    fn texts(json: &str) -> (Vec<String>, bool) {
        let document = Document::parse(Bytes::copy_from_slice(json.as_bytes()), Limits::default()).unwrap();
        let text = Text::of(&document);
        (text.spans.iter().map(|span| text.span_text(span).to_owned()).collect(), text.opaque)
    }

    #[test]
    fn every_leaf_and_key_outside_the_list() {
        let (texts, opaque) = texts(
            r#"{"model":"m","temperature":0.5,"stream":true,"messages":[
                {"role":"user","content":"hello","na\u006de":"Ann"},
                {"role":"user","content":[{"type":"text","text":"part"},{"type":"text","te xt":4111}]}],
                "tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"iban":{"type":"string","default":7}}}}}],
                "x-unknown":{"deep":[1,[null,"leaf"]]}}"#,
        );
        assert!(!opaque);
        assert_eq!(
            texts,
            [
                "hello",
                "Ann",
                "part",
                "te xt",
                "4111",
                "f",
                "iban",
                "default",
                "7",
                "x-unknown",
                "deep",
                "1",
                "leaf"
            ]
        );
    }

    #[test]
    fn a_position_exempts_only_the_values_it_is_for() {
        let (texts, _) = texts(
            r#"{"model":"m","temperature":"a@b.example","seed":4111111111111111,"tool_choice":"call +4930123456",
                "messages":[{"role":"ann@b.example","content":"x"}],"metadata":{"role":"user","model":"m"}}"#,
        );
        assert_eq!(
            texts,
            ["a@b.example", "4111111111111111", "call +4930123456", "ann@b.example", "x", "user", "m"]
        );
    }

    #[test]
    fn media_make_the_body_opaque_and_their_addresses_are_text() {
        let image = |url: &str| {
            texts(&format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}","detail":"low"}}}}]}}]}}"#
            ))
        };
        let pixels = format!("iVBORw0KGgo{}", "A".repeat(149));
        assert_eq!(image(&format!("data:image/png;base64,{pixels}")), (vec![], true));
        for text in [
            format!("data:image/png;4111111111111111;base64,{pixels}"),
            format!("data:image/png;name=anna.schmidt@example.de;base64,{pixels}"),
            format!("data:image/gif;base64,{pixels}"),
            format!("data:text/plain;base64,{pixels}"),
            format!("data:image/png;base64,{}", "A".repeat(160)),
            String::from("data:image/png;base64,4111111111111111"),
            String::from("data:image/svg+xml;base64,AAAA"),
            String::from("https://x.example/ann.png"),
        ] {
            assert_eq!(image(&text), (vec![text.clone()], true));
        }
        for elsewhere in [
            r#"{"metadata":{"url":"data:text/plain,ann@b.example"}}"#,
            r#"{"metadata":{"file":{"file_data":"AAAA"}}}"#,
            r#"{"input":"","file":{"file_data":"AAAA"}}"#,
            r#"{"tools":[{"input_audio":{"data":"AAAA"}}]}"#,
            r#"{"messages":[{"content":[{"type":"text","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#,
        ] {
            let (texts, opaque) = texts(elsewhere);
            assert_eq!((texts.len(), opaque), (1, false), "{elsewhere}");
        }
    }

    #[test]
    fn what_tools_of_a_response_made_is_an_image_and_what_they_said_is_text() {
        let pixels = format!("iVBORw0KGgo{}", "A".repeat(149));
        let made = format!(r#"{{"input":[{{"type":"image_generation_call","result":"{pixels}"}}]}}"#);
        let taken = format!(
            r#"{{"input":[{{"type":"computer_call_output","output":{{"image_url":"data:image/png;base64,{pixels}"}}}}]}}"#
        );
        for body in [&made, &taken] {
            let (texts, opaque) = texts(body);
            assert!(opaque && texts.iter().all(|text| text.len() < 30), "{texts:?}");
            let document = Document::parse(Bytes::from(body.clone()), Limits::default()).unwrap();
            assert!(Text::of(&document).image_bytes >= pixels.len(), "{body}");
        }
        // Anything else at these places is text, and so is a picture's place elsewhere.
        for body in [
            made.replace(&pixels, "Ottilie"),
            taken.replace(&pixels, "Ottilie"),
            made.replace("image_generation_call", "message"),
        ] {
            let document = Document::parse(Bytes::from(body.clone()), Limits::default()).unwrap();
            assert_eq!(Text::of(&document).image_bytes, 0, "{body}");
        }
        let said = r#"{"input":[{"type":"shell_call_output","output":[{"stdout":"Ottilie","stderr":"","outcome":{"type":"timeout"}}]}]}"#;
        let (texts, opaque) = texts(said);
        assert!(!opaque && texts.contains(&String::from("Ottilie")), "{texts:?}");
    }

    #[test]
    fn bytes_that_nobody_reads_are_opaque_wherever_a_service_would_decode_them() {
        let bytes = format!("UEsDBAoAAAAA{}", "Q29udG9zb0FH".repeat(16));
        for body in [
            r#"{"tools":[{"type":"shell","environment":{"skills":[{"source":{"data":"HERE"}}]}}]}"#,
            r#"{"tools":[{"type":"image_generation","input_image_mask":{"image_url":"data:image/png;base64,HERE"}}]}"#,
            r#"{"input":[{"type":"shell_call","action":{"commands":[]},"of_next_year":"HERE"}]}"#,
            r#"{"input":[{"role":"user","content":"x","of_next_year":{"deep":["HERE"]}}]}"#,
            r#"{"input":"x","metadata":{"a":"HERE"}}"#,
        ] {
            assert!(texts(&body.replace("HERE", &bytes)).1, "{body}");
            assert!(!texts(&body.replace("HERE", "UEsDBAoAAAAA")).1, "{body}");
        }
        // What is said is said as it stands.
        for body in [
            r#"{"input":"HERE","instructions":"HERE"}"#,
            r#"{"input":["HERE"]}"#,
            r#"{"input":[{"role":"user","content":"HERE"},{"role":"user","content":[{"type":"input_text","text":"HERE"}]}]}"#,
            r#"{"input":[{"type":"function_call_output","output":"HERE"},{"type":"function_call","arguments":"HERE"}]}"#,
            r#"{"messages":[{"role":"user","content":"HERE"}]}"#,
        ] {
            assert!(!texts(&body.replace("HERE", &bytes)).1, "{body}");
        }
    }

    #[test]
    fn a_part_that_is_not_known_to_be_text_is_opaque_and_scanned() {
        for content in [
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#,
            r#"[{"type":"image_url","image_url":"https://x.example/ann.png"}]"#,
            r#"[{"type":"input_audio","input_audio":{"data":"AAAA"}}]"#,
            r#"[{"type":"file","file":{"file_id":"AAAA"}}]"#,
            r#"[{"image_url":{"url":"AAAA"}}]"#,
            r#"[[{"type":"text","text":"AAAA"}]]"#,
            r#"[{"type":["text"],"text":""}]"#,
        ] {
            let (texts, opaque) =
                texts(&format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#));
            assert_eq!((texts.len(), opaque), (1, true), "{content}");
        }
        for content in [r#""AAAA""#, r#"[{"type":"text","text":"AAAA"}]"#, r#"{"type":"text","text":"AAAA"}"#]
        {
            let (texts, opaque) =
                texts(&format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#));
            assert_eq!((texts.len(), opaque), (1, false), "{content}");
        }
    }
}
