//! The words of a simulated answer: built from the prompt, cut into pieces that stand for tokens.

use serde_json::Value;

/// Characters of the prompt that are said back.
const MAX_ECHO_CHARS: usize = 4_000;

/// What a request's messages hold, as far as the answer speaks of it.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    pub(super) messages: usize,
    pub(super) images: usize,
    pub(super) last_user: String,
    /// Content of the last message, where that is a tool's result.
    pub(super) tool_result: Option<String>,
    /// All text, for counting.
    pub(super) tokens: u64,
}

impl Prompt {
    pub(super) fn read(messages: &[Value]) -> Self {
        let mut prompt = Self { messages: messages.len(), ..Self::default() };
        for message in messages {
            let (text, images) = content(message.get("content").unwrap_or(&Value::Null));
            // Three tokens frame a message in OpenAI's chat format; a small image costs 85.
            prompt.tokens += 3 + count(&text) + 85 * images as u64;
            prompt.images += images;
            if let Some(calls) = message.get("tool_calls") {
                prompt.tokens += count(&calls.to_string());
            }
            match message.get("role").and_then(Value::as_str) {
                Some("user") => {
                    prompt.last_user = text;
                    prompt.tool_result = None;
                }
                Some("tool") => prompt.tool_result = Some(text),
                _ => {}
            }
        }
        prompt
    }

    /// The sentence that answers it. `secret` is said too, where a test wants that.
    pub(super) fn answer(&self, name: &str, secret: Option<&str>) -> String {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let mut text =
            format!("Simulated {name}: I received {} message{}", self.messages, plural(self.messages));
        if self.images > 0 {
            text.push_str(&format!(" with {} image{}", self.images, plural(self.images)));
        }
        text.push('.');
        if let Some(result) = &self.tool_result {
            text.push_str(&format!(" The tool answered: {}", bounded(result)));
        } else {
            text.push_str(&format!(" You wrote: {}", bounded(&self.last_user)));
        }
        if let Some(secret) = secret {
            text.push_str(&format!(" Your credential is {secret}"));
        }
        text
    }

    /// Words of the last user message that look like somebody's data: placeholders, addresses, numbers.
    pub(super) fn entities(&self) -> Vec<String> {
        let edge = |c: char| matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '"' | '\'');
        let words = self.last_user.split_whitespace().map(|word| word.trim_matches(edge));
        words
            .filter(|word| {
                let placeholder = word.starts_with('<') && word.ends_with('>');
                placeholder || word.contains('@') || word.chars().filter(char::is_ascii_digit).count() >= 4
            })
            .map(str::to_owned)
            .collect()
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_ECHO_CHARS).collect()
}

/// The text of a `content`, parts joined by spaces, and the number of its images.
fn content(content: &Value) -> (String, usize) {
    match content {
        Value::String(text) => (text.clone(), 0),
        Value::Array(parts) => {
            let texts: Vec<&str> =
                parts.iter().filter_map(|p| p.get("text").and_then(Value::as_str)).collect();
            let images = parts.iter().filter(|p| p.get("image_url").is_some()).count();
            (texts.join(" "), images)
        }
        _ => (String::new(), 0),
    }
}

/// Cuts text into pieces of at most four characters that begin at a space where there is one. Joined they are
/// the text. Whatever is longer than a piece is therefore split over several events of a stream.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::with_capacity(text.len() / 4 + 1);
    let mut piece = String::new();
    for c in text.chars() {
        if !piece.is_empty() && (c == ' ' || piece.chars().count() == 4) {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// How many tokens a text counts for.
pub(super) fn count(text: &str) -> u64 {
    pieces(text).len() as u64
}
