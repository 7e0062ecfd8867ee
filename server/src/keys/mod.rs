//! Virtual keys: what an application holds instead of a provider's key.
//!
//! `bwk_<id>_<secret><crc>`: a prefix that secret scanners can look for, an id that may be shown and logged, 256 random
//! bits, and a CRC-32 that tells a mistyped key from an unknown one without a look-up. At rest there is only the
//! SHA-256 of the secret; a secret of full entropy needs no slow hash (NIST SP 800-63B, 5.1.1.2 speaks of memorised
//! secrets, which this is not).

mod format;
mod forwarded;
mod networks;
pub mod secret;

pub use format::{KeyError, VirtualKey};
pub use forwarded::{ForwardedHeader, TrustedProxies, came_by_https, client_address};
pub use networks::Networks;
