//! An answer in events.
//!
//! This wire tells a text three times after it has said it in pieces: at the end of its part, of its item and of the answer.
//! So a writer keeps what was said, up to [`MOST`] bytes; an answer that says more is an error by name.

use super::{
    SEALED, SIGNED, function_call, head, item_id, message, output_text, reasoning, refusal, status,
    summary_text, write_end,
};
use crate::form::{Piece, Stop, Usage};
use crate::json::Json;
use crate::loss::Broken;

/// Bytes of text of one answer.
const MOST: usize = 8 * 1024 * 1024;

/// Writes events.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    created: u64,
    /// Events so far.
    events: u64,
    /// Items that have ended.
    items: Vec<Json>,
    open: Option<Open>,
    /// Bytes that are kept.
    kept: usize,
    stop: Option<Stop>,
    usage: Option<Usage>,
}

/// The item that is open; it is the last one that began.
#[derive(Debug)]
enum Open {
    Message {
        id: String,
        /// The parts that have ended.
        content: Vec<Json>,
        /// The part that is open.
        part: Option<(Said, String)>,
    },
    Thought {
        id: String,
        text: String,
        seal: Option<String>,
    },
    /// A call, by its number.
    Call {
        number: u64,
        id: String,
        call: String,
        name: String,
        arguments: String,
    },
}

/// What a part of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Text,
    Refusal,
}

impl Said {
    fn part(self, text: &str) -> Json {
        match self {
            Self::Text => output_text(text),
            Self::Refusal => refusal(text),
        }
    }

    /// What its events are called, and the member of the last that has its text.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Text => ("response.output_text.delta", "response.output_text.done", "text"),
            Self::Refusal => ("response.refusal.delta", "response.refusal.done", "refusal"),
        }
    }
}

impl Writer {
    /// For an answer of this time, in seconds.
    #[must_use]
    pub const fn new(created: u64) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            created,
            events: 0,
            items: Vec::new(),
            open: None,
            kept: 0,
            stop: None,
            usage: None,
        }
    }

    /// Writes the events that a piece becomes.
    ///
    /// # Errors
    /// [`Broken::Order`] where pieces of two calls alternate: here one item follows the other. [`Broken::TooMuch`].
    pub fn piece(&mut self, piece: Piece, out: &mut Vec<String>) -> Result<(), Broken> {
        match piece {
            Piece::Start { id, model } => {
                (self.id, self.model) = (id, model);
                for kind in ["response.created", "response.in_progress"] {
                    let response = self.response("in_progress", &[]);
                    self.event(kind, [("response", response)], out);
                }
            }
            Piece::Text(text) => self.say(Said::Text, &text, out)?,
            Piece::Refusal(text) => self.say(Said::Refusal, &text, out)?,
            Piece::Thinking(text) => self.think(&text, out)?,
            Piece::Signature(signature) => {
                self.keep(&signature)?;
                self.thought(out);
                if let Some(Open::Thought { seal, .. }) = &mut self.open {
                    seal.get_or_insert_with(|| String::from(SIGNED)).push_str(&signature);
                }
            }
            Piece::Encrypted(data) => {
                self.keep(&data)?;
                self.end_item(out);
                self.thought(out);
                if let Some(Open::Thought { seal, .. }) = &mut self.open {
                    *seal = Some(format!("{SEALED}{data}"));
                }
                self.end_item(out);
            }
            Piece::Call { number, id, name } => {
                self.end_item(out);
                let item = item_id("fc", self.items.len(), &self.id);
                let opened = function_call(&item, "in_progress", (&id, &name), "");
                self.begin(opened, out);
                self.open = Some(Open::Call { number, id: item, call: id, name, arguments: String::new() });
            }
            Piece::Input { number, text } => self.input(number, &text, out)?,
            // Whoever holds the stream says so.
            Piece::Logprobs(_) | Piece::Own(_) => {}
            Piece::Stop(stop) => self.stop = Some(stop),
            Piece::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().and(usage)),
            Piece::End => self.end(out),
        }
        Ok(())
    }

    fn keep(&mut self, text: &str) -> Result<(), Broken> {
        self.kept = self.kept.saturating_add(text.len());
        if self.kept > MOST { Err(Broken::TooMuch("text")) } else { Ok(()) }
    }

    /// Says more of a message.
    fn say(&mut self, said: Said, more: &str, out: &mut Vec<String>) -> Result<(), Broken> {
        self.keep(more)?;
        if !matches!(self.open, Some(Open::Message { .. })) {
            self.end_item(out);
            let id = item_id("msg", self.items.len(), &self.id);
            self.begin(message(&id, "in_progress", Vec::new()), out);
            self.open = Some(Open::Message { id, content: Vec::new(), part: None });
        }
        if !matches!(&self.open, Some(Open::Message { part: Some((open, _)), .. }) if *open == said) {
            self.end_part(out);
            if let Some(Open::Message { id, content, part }) = &mut self.open {
                *part = Some((said, String::new()));
                let at = whole(content.len());
                let members = [
                    ("item_id", id.as_str().into()),
                    ("output_index", whole(self.items.len())),
                    ("content_index", at),
                    ("part", said.part("")),
                ];
                self.event("response.content_part.added", members, out);
            }
        }
        let index = whole(self.items.len());
        if let Some(Open::Message { id, content, part: Some((_, text)) }) = &mut self.open {
            text.push_str(more);
            let (delta, ..) = said.names();
            let mut members = vec![
                ("item_id", Json::from(id.as_str())),
                ("output_index", index),
                ("content_index", whole(content.len())),
                ("delta", more.into()),
            ];
            if said == Said::Text {
                members.push(("logprobs", Vec::<Json>::new().into()));
            }
            self.event(delta, members, out);
        }
        Ok(())
    }

    /// Opens a thought, where none is open.
    fn thought(&mut self, out: &mut Vec<String>) {
        if matches!(self.open, Some(Open::Thought { .. })) {
            return;
        }
        self.end_item(out);
        let id = item_id("rs", self.items.len(), &self.id);
        self.begin(reasoning(&id, "", None), out);
        self.open = Some(Open::Thought { id, text: String::new(), seal: None });
    }

    fn think(&mut self, more: &str, out: &mut Vec<String>) -> Result<(), Broken> {
        self.keep(more)?;
        // What comes after a signature is another thought.
        if matches!(&self.open, Some(Open::Thought { seal: Some(_), .. })) {
            self.end_item(out);
        }
        self.thought(out);
        let Some(Open::Thought { id, text, .. }) = &mut self.open else { return Ok(()) };
        let (id, first) = (id.clone(), text.is_empty());
        text.push_str(more);
        let at = || {
            [
                ("item_id", Json::from(id.as_str())),
                ("output_index", whole(self.items.len())),
                (SUMMARY, whole(0)),
            ]
        };
        let (opened, said) = (at(), at());
        if first {
            let part = [("part", summary_text(""))];
            self.event("response.reasoning_summary_part.added", opened.into_iter().chain(part), out);
        }
        let delta = [("delta", Json::from(more))];
        self.event("response.reasoning_summary_text.delta", said.into_iter().chain(delta), out);
        Ok(())
    }

    fn input(&mut self, of: u64, more: &str, out: &mut Vec<String>) -> Result<(), Broken> {
        self.keep(more)?;
        let index = whole(self.items.len());
        match &mut self.open {
            Some(Open::Call { number, id, arguments, .. }) if *number == of => {
                arguments.push_str(more);
                let members =
                    [("item_id", id.as_str().into()), ("output_index", index), ("delta", more.into())];
                self.event("response.function_call_arguments.delta", members, out);
                Ok(())
            }
            _ => Err(Broken::Order("pieces of two calls alternate")),
        }
    }

    fn begin(&mut self, item: Json, out: &mut Vec<String>) {
        let index = whole(self.items.len());
        self.event("response.output_item.added", [("output_index", index), ("item", item)], out);
    }

    /// Ends the part of a message that is open.
    fn end_part(&mut self, out: &mut Vec<String>) {
        let index = whole(self.items.len());
        let Some(Open::Message { id, content, part }) = &mut self.open else { return };
        let Some((said, text)) = part.take() else { return };
        let whole_part = said.part(&text);
        let at = || {
            [
                ("item_id", Json::from(id.as_str())),
                ("output_index", index.clone()),
                ("content_index", whole(content.len())),
            ]
        };
        let (of_text, of_part) = (at(), at());
        content.push(whole_part.clone());
        let (_, done, member) = said.names();
        let mut told = vec![(member, Json::from(text))];
        if said == Said::Text {
            told.push(("logprobs", Vec::<Json>::new().into()));
        }
        self.event(done, of_text.into_iter().chain(told), out);
        let part = [("part", whole_part)];
        self.event("response.content_part.done", of_part.into_iter().chain(part), out);
    }

    /// Ends the item that is open.
    fn end_item(&mut self, out: &mut Vec<String>) {
        self.end_item_as("completed", out);
    }

    fn end_item_as(&mut self, status: &str, out: &mut Vec<String>) {
        self.end_part(out);
        let index = whole(self.items.len());
        let item = match self.open.take() {
            None => return,
            Some(Open::Message { id, content, .. }) => message(&id, status, content),
            Some(Open::Thought { id, text, seal }) => {
                if !text.is_empty() {
                    let at = || {
                        [
                            ("item_id", Json::from(id.as_str())),
                            ("output_index", index.clone()),
                            (SUMMARY, whole(0)),
                        ]
                    };
                    let told = [("text", Json::from(text.as_str()))];
                    self.event("response.reasoning_summary_text.done", at().into_iter().chain(told), out);
                    let part = [("part", summary_text(&text))];
                    self.event("response.reasoning_summary_part.done", at().into_iter().chain(part), out);
                }
                reasoning(&id, &text, seal.as_deref())
            }
            Some(Open::Call { id, call, name, mut arguments, .. }) => {
                let at = || [("item_id", Json::from(id.as_str())), ("output_index", index.clone())];
                // A tool that is called with nothing is called with the empty object.
                if arguments.is_empty() {
                    arguments.push_str("{}");
                    let delta = [("delta", Json::from("{}"))];
                    self.event("response.function_call_arguments.delta", at().into_iter().chain(delta), out);
                }
                let told =
                    [("name", Json::from(name.as_str())), ("arguments", Json::from(arguments.as_str()))];
                self.event("response.function_call_arguments.done", at().into_iter().chain(told), out);
                function_call(&id, status, (&call, &name), &arguments)
            }
        };
        let told = [("output_index", index), ("item", item.clone())];
        self.event("response.output_item.done", told, out);
        self.items.push(item);
    }

    fn end(&mut self, out: &mut Vec<String>) {
        let stop = self.stop.take();
        let status = status(stop.as_ref());
        self.end_item_as(status, out);
        let items = std::mem::take(&mut self.items);
        let mut response = self.response(status, &items);
        write_end(stop.as_ref(), self.usage.as_ref(), &mut response);
        self.event(&format!("response.{status}"), [("response", response)], out);
    }

    fn response(&self, status: &str, items: &[Json]) -> Json {
        let mut response = head(&self.id, &self.model, self.created, status);
        response.set("output", items.to_vec());
        if items.is_empty() && status == "in_progress" {
            write_end(None, None, &mut response);
        }
        response
    }

    fn event<'a>(
        &mut self,
        kind: &str,
        members: impl IntoIterator<Item = (&'a str, Json)>,
        out: &mut Vec<String>,
    ) {
        let mut event = Json::object([("type", kind.into()), ("sequence_number", self.events.into())]);
        self.events += 1;
        for (name, value) in members {
            event.set(name, value);
        }
        out.push(event.write());
    }
}

/// Which of the texts of a thought.
const SUMMARY: &str = "summary_index";

/// A position.
fn whole(at: usize) -> Json {
    u64::try_from(at).unwrap_or(u64::MAX).into()
}
