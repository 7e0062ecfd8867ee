//! Where something stood in the request that was read.
//!
//! A form has turns that no message was: answers of tools become one turn, instructions leave the conversation. What is
//! refused is told by its place in what the client sent, so everything that can be refused knows it.

use std::fmt;

/// A path of published names and positions: `messages.2.content.0`. It says nothing of what stands there, so two are always
/// equal, and two forms that say the same are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place([Step; 3]);

/// A name, and which of the values under it.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    name: Option<Name>,
    at: Option<u32>,
}

/// A member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The conversation.
    Messages,
    /// What precedes it.
    System,
    /// The parts of a message, or of what a tool answered.
    Content,
    /// The calls of a message.
    ToolCalls,
    /// The thought of a message.
    ReasoningContent,
    /// The conversation of a response.
    Input,
    /// What precedes it.
    Instructions,
    /// The parts of what a tool answered.
    Output,
    /// The conversation, in Gemini's words.
    Contents,
    /// The parts of a turn.
    Parts,
    /// What precedes the conversation.
    SystemInstruction,
    /// The signature of the thought that a part followed from.
    ThoughtSignature,
    /// What Google's service says of a message or a call besides.
    ExtraContent,
}

impl Name {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::System => "system",
            Self::Content => "content",
            Self::ToolCalls => "tool_calls",
            Self::ReasoningContent => "reasoning_content",
            Self::Input => "input",
            Self::Instructions => "instructions",
            Self::Output => "output",
            Self::Contents => "contents",
            Self::Parts => "parts",
            Self::SystemInstruction => "systemInstruction",
            Self::ThoughtSignature => "thoughtSignature",
            Self::ExtraContent => "extra_content",
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Place {
    /// The request itself.
    pub const REQUEST: Self = Self([Step { name: None, at: None }; 3]);

    /// The value at a position of a list of the request.
    #[must_use]
    pub fn of(name: Name, at: usize) -> Self {
        Self::REQUEST.then(name, at)
    }

    /// The value at a position of a list within this one. Deeper than three lists nothing is told apart.
    #[must_use]
    pub fn then(self, name: Name, at: usize) -> Self {
        self.step(Step { name: Some(name), at: u32::try_from(at).ok() })
    }

    /// A member of the value here.
    #[must_use]
    pub fn member(self, name: Name) -> Self {
        self.step(Step { name: Some(name), at: None })
    }

    fn step(mut self, step: Step) -> Self {
        if let Some(free) = self.0.iter_mut().find(|step| step.name.is_none()) {
            *free = step;
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            let Some(name) = step.name else { break };
            if depth > 0 {
                f.write_str(".")?;
            }
            f.write_str(name.as_str())?;
            if let Some(at) = step.at {
                write!(f, ".{at}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_a_path() {
        let part = Place::of(Name::Messages, 2).then(Name::Content, 0);
        assert_eq!(part.to_string(), "messages.2.content.0");
        assert_eq!(
            part.then(Name::Content, 7).then(Name::Content, 1).to_string(),
            "messages.2.content.0.content.7"
        );
        assert_eq!(Place::REQUEST.member(Name::System).to_string(), "system");
        assert_eq!(Place::REQUEST.to_string(), "");
    }
}
