//! Errors.

/// A name that is not one of a closed list. It does not repeat the name that was given: that is input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind}; use one of: {known}")]
pub struct UnknownName {
    kind: &'static str,
    known: String,
}

impl UnknownName {
    pub(crate) fn new<const N: usize>(kind: &'static str, known: [&'static str; N]) -> Self {
        Self { kind, known: known.join(", ") }
    }
}
