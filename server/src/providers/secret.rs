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
    /// Blind to a credential that is encoded (base64, percent) or spread over two calls; [`EchoScan`] sees the latter.
    pub fn occurs_in(&self, bytes: &[u8]) -> bool {
        !self.0.is_empty() && memchr::memmem::find(bytes, self.0.as_bytes()).is_some()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Looks for a credential in text that comes in pieces, as a model's answer does.
///
/// Feed it the decoded text of one place (one choice's content, one call's arguments), piece by piece. The window is
/// the credential's length: whatever could still turn out to be its beginning is told as held, and a caller that
/// holds the events of those bytes back lets no part of a credential out. Blind to encoded credentials.
pub struct EchoScan {
    secret: Secret,
    /// For each length of a match, the length of the longest shorter match that ends alike (Knuth-Morris-Pratt).
    shorter: Vec<usize>,
    matched: usize,
}

impl std::fmt::Debug for EchoScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EchoScan(…)")
    }
}

/// What a piece of text held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The credential ends in this piece. Nothing that was held may go out.
    Found,
    /// The last so many bytes could be its beginning; all before them are clear.
    Held(usize),
}

impl EchoScan {
    /// A scan for this credential. An empty one is never found.
    pub fn new(secret: Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        let mut shorter = vec![0; bytes.len()];
        let mut matched = 0;
        for (at, byte) in bytes.iter().enumerate().skip(1) {
            matched = step(bytes, &shorter, matched, *byte);
            if let Some(slot) = shorter.get_mut(at) {
                *slot = matched;
            }
        }
        Self { secret, shorter, matched: 0 }
    }

    /// Takes the next piece.
    pub fn push(&mut self, text: &[u8]) -> Echo {
        let bytes = self.secret.expose().as_bytes();
        if bytes.is_empty() {
            return Echo::Held(0);
        }
        for byte in text {
            self.matched = step(bytes, &self.shorter, self.matched, *byte);
            if self.matched == bytes.len() {
                self.matched = 0;
                return Echo::Found;
            }
        }
        Echo::Held(self.matched)
    }
}

/// The length of the match after one more byte.
fn step(secret: &[u8], shorter: &[usize], mut matched: usize, byte: u8) -> usize {
    while secret.get(matched) != Some(&byte) {
        if matched == 0 {
            return 0;
        }
        matched = shorter.get(matched - 1).copied().unwrap_or(0);
    }
    matched + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_echo_is_found_in_any_pieces_and_nothing_of_it_is_clear(
            secret in "[ab]{1,6}",
            text in "[abc]{0,40}",
            size in 1_usize..5,
        ) {
            let mut scan = EchoScan::new(Secret::new(secret.clone()));
            let mut fed = 0;
            let mut found = false;
            for piece in text.as_bytes().chunks(size) {
                fed += piece.len();
                match scan.push(piece) {
                    Echo::Found => {
                        found = true;
                        break;
                    }
                    Echo::Held(held) => {
                        // Held is exactly the longest end of the text that is a beginning of the credential.
                        let so_far = &text.as_bytes()[..fed];
                        let longest = (0..secret.len()).rev().find(|n| so_far.ends_with(&secret.as_bytes()[..*n]));
                        prop_assert_eq!(Some(held), longest);
                    }
                }
            }
            prop_assert_eq!(found, text.contains(&secret));
        }
    }

    #[test]
    fn an_empty_credential_is_never_found() {
        assert_eq!(EchoScan::new(Secret::new(String::new())).push(b"anything"), Echo::Held(0));
    }

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
