//! What is wrong with something that somebody wrote, and where in it.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    /// What, in words that can stand alone.
    pub told: String,
}

impl Fault {
    /// At this pointer.
    #[must_use]
    pub fn at(pointer: impl Into<String>, told: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), told: told.into() }
    }

    /// Makes words a fault at this pointer.
    pub fn of_field<W: Into<String>>(pointer: &str) -> impl Fn(W) -> Self + use<'_, W> {
        move |told| Self::at(pointer, told)
    }

    /// The same, of a part at this pointer.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }

    /// The same, with words for what it is a part of in front.
    #[must_use]
    pub fn of(mut self, which: &str) -> Self {
        self.told = format!("{which}: {}", self.told);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

/// All of them on one line.
#[must_use]
pub fn words(faults: &[Fault]) -> String {
    let told: Vec<&str> = faults.iter().map(|fault| fault.told.as_str()).collect();
    told.join("; ")
}

/// A step of a pointer (RFC 6901, 3).
#[must_use]
pub fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
