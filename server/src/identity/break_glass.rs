//! The account for when no identity provider can be reached: off unless it is configured, and loud when it is used.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use tokio::sync::Semaphore;

use crate::app::App;

/// How a session says that it began so, and the id of the one person that it is.
pub const BREAK_GLASS: &str = "break_glass";
/// Such a session ends after an hour at the latest.
pub(super) const SESSION_MS: i64 = 3_600_000;
/// A password is short of nothing where it is this long.
const SHORTEST: usize = 12;

/// OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// One guess is looked at at a time, in the order in which they came; a wrong one is told after a second, and until then
/// its address has no other. So whoever guesses has one guess a second, and keeps nobody else waiting for longer than all
/// places take: a flood from elsewhere does not keep the right password out.
static ONE: Semaphore = Semaphore::const_new(1);
const AT_LEAST: Duration = Duration::from_millis(1_000);
/// Addresses that may wait at once. This machine itself always may.
const MOST: usize = 128;
static WAITING: Mutex<BTreeSet<Option<IpAddr>>> = Mutex::new(BTreeSet::new());

/// The place of an address among those that wait.
struct Place(Option<IpAddr>);

impl Place {
    fn take(client: Option<IpAddr>) -> Option<Self> {
        let place = client.map(neighbourhood);
        let here = place.is_some_and(|place| place.is_loopback());
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        ((waiting.len() < MOST || here) && waiting.insert(place)).then(|| Self(place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Who has one address of IPv6 has the 64 bits behind its prefix.
fn neighbourhood(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into())
        }
        other => other,
    }
}

/// Whether a written hash is one that can be verified, and strong enough.
pub(super) fn check(hash: &str) -> Result<(), &'static str> {
    let hash = PasswordHash::new(hash)
        .map_err(|_| "is no hash: take what `bailiwick identity hash-password` prints")?;
    if hash.algorithm.as_str() != "argon2id" {
        return Err("is no Argon2id hash");
    }
    let params = Params::try_from(&hash).map_err(|_| "has parameters that cannot be used")?;
    if params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES {
        return Err("is too weak: it takes at least 19 MiB and 2 passes");
    }
    Ok(())
}

/// The hash of a password, to be written into the configuration.
///
/// # Errors
/// In words, why there is none.
pub fn hash_password(password: &str) -> Result<String, String> {
    if password.chars().count() < SHORTEST {
        return Err(format!("the password has fewer than {SHORTEST} characters"));
    }
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| error.to_string())?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon.hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

/// Whether it is the account's password. `None` where there is no such account, or a guess from there is under way, or
/// too many elsewhere.
pub(super) async fn verify(app: &App, client: Option<IpAddr>, password: String) -> Option<bool> {
    let hash = app.config.identity.break_glass.as_ref()?.password_hash.clone();
    let place = Place::take(client)?;
    let one = ONE.acquire().await.ok()?;
    let began = tokio::time::Instant::now();
    let verified = tokio::task::spawn_blocking(move || {
        Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok()
    });
    let verified = verified.await.unwrap_or(false);
    drop(one);
    if !verified {
        tokio::time::sleep_until(began + AT_LEAST).await;
    }
    drop(place);
    Some(verified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_guess_and_keeps_no_other_out() {
        let place = |text: &str| Place::take(Some(text.parse().unwrap()));
        let first = place("192.0.2.1").unwrap();
        assert!(place("192.0.2.1").is_none() && place("::ffff:192.0.2.1").is_none());
        let other = place("192.0.2.2").unwrap();
        let six = place("2001:db8::1").unwrap();
        assert!(place("2001:db8::2").is_none(), "of one prefix");
        drop(first);
        let mut many: Vec<Place> = (0..200).filter_map(|last| place(&format!("198.51.100.{last}"))).collect();
        assert_eq!(many.len() + 2, MOST);
        assert!(place("192.0.2.1").is_none());
        assert!(place("127.0.0.1").is_some(), "the machine itself is never kept out");
        many.clear();
        drop((other, six));
        assert!(place("192.0.2.1").is_some());
    }

    #[test]
    fn only_a_strong_argon2id_hash_is_taken() {
        let hash = hash_password("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(check(&hash).is_ok());
        let again = hash_password("correct horse battery").unwrap();
        assert_ne!(hash, again, "each with a salt of its own");
        assert!(Argon2::default().verify_password(b"correct horse battery", hash.as_str()).is_ok());
        assert!(Argon2::default().verify_password(b"correct horse batterz", hash.as_str()).is_err());
        assert!(hash_password("short").is_err());
        for bad in [
            "",
            "hunter2",
            &hash.replace("argon2id", "argon2i"),
            &hash.replace("m=19456", "m=8"),
            &hash.replace("t=2", "t=1"),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
