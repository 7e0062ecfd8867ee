//! A provider credential in memory: wiped on drop, absent from `Debug`, and findable in bytes that leave.

use zeroize::Zeroizing;

/// A credential. `Debug` prints no part of it, not even its length.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the clear text.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The clear text. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the clear text occurs in `bytes`. An empty credential occurs nowhere.
    ///
    /// Blind to a credential that is encoded (base64, percent) or spread over two calls.
    pub fn occurs_in(&self, bytes: &[u8]) -> bool {
        !self.0.is_empty() && memchr::memmem::find(bytes, self.0.as_bytes()).is_some()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("sk-distinctive".into())), "Secret(…)");
    }

    #[test]
    fn occurrence_is_exact_and_empty_never_occurs() {
        let secret = Secret::new("sk-abc".into());
        assert!(secret.occurs_in(b"Bearer sk-abc."));
        assert!(!secret.occurs_in(b"Bearer sk-ab"));
        assert!(!Secret::new(String::new()).occurs_in(b"anything"));
    }
}
