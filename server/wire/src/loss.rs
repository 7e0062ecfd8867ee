//! What can go wrong between two wires, by name.
//!
//! The rule for what one wire has and another has not:
//!
//! * What would change what the model is asked or what comes back is refused ([`Refused`]).
//! * What only tunes how (a seed, a tier of service, a cache marker, attribution) is left out, and said to be
//!   ([`Losses`]).
//! * What changes nothing at the value that it has (`"n": 1`, `"store": false`) is left out.
//! * What is not known is refused: nobody can say which of these it is.
//!
//! Neither holds a word of the client's: names are those of the published APIs, and what has another name is called a
//! member that is not known.

use std::fmt::Display;

use crate::Json;

/// What becomes of something that only one wire has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It changes nothing.
    Nothing,
    /// It is left out, and said to be.
    Warn,
    /// It is refused, for this reason.
    Refuse(&'static str),
}

/// Probabilities of tokens, where the client's wire has no place for them.
pub(crate) const LOGPROBS: &str = "answer.logprobs";

/// Something that only the wire has that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its name, where it is one of the published API's.
    pub known: Option<&'static str>,
    /// Its name as it came.
    pub name: String,
    /// Its value.
    pub value: Json,
    /// What becomes of it on another wire.
    pub fate: Fate,
}

/// A table of what only one wire has: the name, and what becomes of a value.
pub type Table = &'static [(&'static str, fn(&Json) -> Fate)];

/// Why something that nobody knows is refused.
pub(crate) const UNKNOWN: &str = "it is not known here, so nobody can say what leaving it out would change";

/// What is left of an object, by a table.
pub(crate) fn own(rest: Vec<(String, Json)>, table: Table) -> Vec<Own> {
    rest.into_iter()
        .filter(|(_, value)| *value != Json::Null)
        .map(|(name, value)| {
            let row = table.iter().find(|(known, _)| *known == name);
            let fate = row.map_or(Fate::Refuse(UNKNOWN), |(_, fate)| fate(&value));
            Own { known: row.map(|(known, _)| *known), name, value, fate }
        })
        .collect()
}

/// What an answer says that the other wire has no place for, by a table of what is known: what is not known is left out,
/// too, since the answer is there and nobody can be asked for another.
///
/// # Errors
/// [`Broken::Content`] for what the table refuses: without it the answer would say something else.
pub(crate) fn own_of_answer(
    rest: Vec<(String, Json)>,
    table: Table,
    out: &mut Vec<Own>,
) -> Result<(), Broken> {
    for (name, value) in rest.into_iter().filter(|(_, value)| *value != Json::Null) {
        let row = table.iter().find(|(known, _)| *known == name);
        match row.map_or(Fate::Warn, |(_, fate)| fate(&value)) {
            Fate::Nothing => {}
            Fate::Refuse(why) => return Err(Broken::Content(why)),
            fate @ Fate::Warn => out.push(Own { known: row.map(|(known, _)| *known), name, value, fate }),
        }
    }
    Ok(())
}

/// A list without anything in it, or not.
pub(crate) fn unless_empty(value: &Json) -> Fate {
    match value {
        Json::Array(items) if items.is_empty() => Fate::Nothing,
        _ => Fate::Warn,
    }
}

/// A request that the other wire cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {why}")]
pub struct Refused {
    /// Where in what the client sent, as a path of published names and positions: `messages.2.content.0`.
    pub place: String,
    /// Why, in words.
    pub why: &'static str,
}

impl Refused {
    pub(crate) fn new(place: impl Display, why: &'static str) -> Self {
        Self { place: place.to_string(), why }
    }
}

/// How many places are named.
const MOST: usize = 20;

/// What was left out of a request or of an answer, because the other wire has no place for it or because it would have told
/// what is redacted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses(Vec<String>);

impl Losses {
    /// Each place once, in the order in which they came up.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a place. The first twenty are named, the others told of: whoever reads them needs a kind, and a header has an end.
    pub fn add(&mut self, place: impl Into<String>) {
        let place = place.into();
        match self.0.len() {
            MOST if !self.0.contains(&place) => self.0.push(String::from("and others")),
            0..MOST if !self.0.contains(&place) => self.0.push(place),
            _ => {}
        }
    }

    /// The same in other words.
    pub(crate) fn renamed(&self, named: fn(&str) -> String) -> Self {
        let mut renamed = Self::default();
        self.places().for_each(|place| renamed.add(named(place)));
        renamed
    }

    /// Adds those of another list.
    pub fn merge(&mut self, other: &Self) {
        other.places().for_each(|place| self.add(place));
    }

    /// Adds what only the wire has that an answer came from.
    pub(crate) fn of_answer(&mut self, own: &Own) {
        match own.known {
            Some(name) => self.add(format!("answer.{name}")),
            None => self.add("a member of the answer"),
        }
    }

    /// Judges what only the other wire has at `place` (empty for the top).
    pub(crate) fn judge(&mut self, place: impl Display, own: &[Own]) -> Result<(), Refused> {
        for own in own {
            let place = place.to_string();
            let at = match (own.known, place.as_str()) {
                (Some(name), "") => name.to_owned(),
                (Some(name), place) => format!("{place}.{name}"),
                (None, "") => String::from("a member"),
                (None, place) => place.to_owned(),
            };
            match own.fate {
                Fate::Nothing => {}
                Fate::Warn => self.add(at),
                Fate::Refuse(why) => return Err(Refused::new(at, why)),
            }
        }
        Ok(())
    }
}

/// Bytes that are not what a wire says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not JSON.
    #[error("it is not JSON")]
    Json,
    /// A member is missing or of another type.
    #[error("`{0}` is missing or not of the type that the API says")]
    Shape(&'static str),
    /// A kind of content that is not known.
    #[error("it holds content of a kind that is not known: {0}")]
    Content(&'static str),
    /// Events in an order that the protocol does not have.
    #[error("its events are out of order: {0}")]
    Order(&'static str),
    /// The provider reports an error in place of an answer.
    #[error("it is an error in the middle of an answer")]
    Error,
    /// More than an answer may hold.
    #[error("it holds more {0} than an answer may")]
    TooMuch(&'static str),
}
