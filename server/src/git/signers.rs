//! The allowed-signers file (`ssh-keygen(1)`, "ALLOWED SIGNERS"): who may sign what.
//!
//! A line is read as `ssh-keygen` reads it, with two exceptions, both refused by their line: a principal with a wildcard
//! names nobody who could be told from an approver, and certificates of an authority are not supported. Times of validity
//! are held against the server's clock and not against the date of a commit, which its author chooses.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime, Utc};
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey};

/// Somebody who signed: everybody that the file calls by this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The principals of the key's lines.
    pub principals: BTreeSet<String>,
    /// `SHA256:…` of the key.
    pub key: String,
}

impl Signer {
    /// Whether this may be the same person as `other`: they share a principal or a key.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self.key == other.key || !self.principals.is_disjoint(&other.principals)
    }

    /// The principals.
    #[must_use]
    pub fn name(&self) -> String {
        self.principals.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.key)
    }
}

/// A line of the file.
#[derive(Debug)]
struct Allowed {
    principals: BTreeSet<String>,
    /// The namespaces that it may sign in; any where absent.
    namespaces: Option<Vec<String>>,
    after_ms: Option<i64>,
    before_ms: Option<i64>,
    key: KeyData,
}

/// The file.
#[derive(Debug, Default)]
pub struct AllowedSigners(Vec<Allowed>);

impl AllowedSigners {
    /// Reads it.
    ///
    /// # Errors
    /// Why it cannot be read, or what is wrong in which line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the allowed signers in {} cannot be read: {error}", path.display()))?;
        Self::parse(&text).map_err(|(line, why)| format!("{}, line {line}: {why}", path.display()))
    }

    /// Reads its text.
    ///
    /// # Errors
    /// The line, from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut allowed = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            allowed.push(parse_line(line).map_err(|why| (at.saturating_add(1), why))?);
        }
        Ok(Self(allowed))
    }

    /// Who signed with `key`, if that may be in `namespace` at `now_ms`.
    ///
    /// # Errors
    /// Why nobody did.
    pub(crate) fn signer(&self, key: &KeyData, namespace: &str, now_ms: i64) -> Result<Signer, String> {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let known: Vec<&Allowed> = self.0.iter().filter(|line| line.key == *key).collect();
        if known.is_empty() {
            return Err(format!("it is signed with the key {fingerprint}, which is no allowed signer's"));
        }
        let in_time = |line: &&&Allowed| {
            line.after_ms.is_none_or(|after| after <= now_ms)
                && line.before_ms.is_none_or(|before| now_ms < before)
        };
        let valid: Vec<&&Allowed> = known.iter().filter(in_time).collect();
        if valid.is_empty() {
            return Err(format!("the key {fingerprint} that it is signed with is not valid now"));
        }
        let may = valid.iter().any(|line| {
            line.namespaces.as_ref().is_none_or(|names| names.iter().any(|name| name == namespace))
        });
        if !may {
            return Err(format!("the key {fingerprint} may not sign in the namespace `{namespace}`"));
        }
        // Of every line, the others too: who has two names is still one person.
        let principals = known.iter().flat_map(|line| line.principals.iter().cloned()).collect();
        Ok(Signer { principals, key: fingerprint })
    }
}

fn parse_line(line: &str) -> Result<Allowed, String> {
    let (principals, rest) = word(line).ok_or("principals, and after them a key, are expected")?;
    let mut allowed = Allowed {
        principals: BTreeSet::new(),
        namespaces: None,
        after_ms: None,
        before_ms: None,
        // Replaced below.
        key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
    };
    for principal in principals.split(',') {
        if principal.is_empty() {
            return Err(String::from("a principal is empty"));
        }
        if principal.contains(['*', '?', '!']) {
            return Err(format!(
                "the principal `{principal}` is a pattern: write whose key it is, such as an address of mail"
            ));
        }
        allowed.principals.insert(principal.to_owned());
    }
    let rest = rest.trim_start();
    let key = if is_key(rest) {
        rest
    } else {
        let (written, rest) = word(rest).ok_or("a key is expected after the principals")?;
        for option in options(&written) {
            read_option(option.trim(), &mut allowed)?;
        }
        rest.trim_start()
    };
    allowed.key = PublicKey::from_openssh(key)
        .map_err(|error| format!("the key is none that is understood ({error}): write `ssh-ed25519 AAAA…`"))?
        .key_data()
        .clone();
    if matches!(allowed.key, KeyData::Other(_)) {
        return Err(String::from("keys of this type are not supported"));
    }
    Ok(allowed)
}

/// Whether a text begins with the type of a key.
fn is_key(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|kind| text.starts_with(kind))
}

/// The first word, which may be quoted or hold what is, without blanks around it; and the rest.
fn word(text: &str) -> Option<(String, &str)> {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let (word, rest) = text.split_at_checked(at)?;
                let bare = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                return Some((bare.unwrap_or(word).to_owned(), rest));
            }
            _ => {}
        }
    }
    None
}

/// Options are separated by commas, but for those in quotes.
fn options(text: &str) -> Vec<String> {
    let (mut all, mut quoted) = (vec![String::new()], false);
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            _ => {
                if let Some(last) = all.last_mut() {
                    last.push(character);
                }
            }
        }
    }
    all
}

fn read_option(option: &str, allowed: &mut Allowed) -> Result<(), String> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    match name.to_ascii_lowercase().as_str() {
        "namespaces" => {
            let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
            if names.iter().any(|name| name.is_empty() || name.contains(['*', '?', '!'])) {
                return Err(String::from("`namespaces` lists names, such as \"git\", without patterns"));
            }
            allowed.namespaces = Some(names);
        }
        "valid-after" => allowed.after_ms = Some(time(value)?),
        "valid-before" => allowed.before_ms = Some(time(value)?),
        "cert-authority" => {
            return Err(String::from(
                "certificates are not supported: name each signer's own key instead of an authority's",
            ));
        }
        _ => return Err(format!("the option `{name}` is not known")),
    }
    Ok(())
}

/// `YYYYMMDD`, `YYYYMMDDHHMM[SS]`, with a `Z` or without: UTC. `ssh-keygen` takes times without a `Z` in its own zone; a
/// server's zone is nobody's intention.
fn time(text: &str) -> Result<i64, String> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let at = match digits.len() {
        8 => NaiveDate::parse_from_str(digits, "%Y%m%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0)),
        12 => NaiveDateTime::parse_from_str(&format!("{digits}00"), "%Y%m%d%H%M%S").ok(),
        14 => NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok(),
        _ => None,
    };
    let at = at.ok_or_else(|| format!("`{text}` is no time: write YYYYMMDD or YYYYMMDDHHMMSSZ, in UTC"))?;
    Ok(at.and_local_timezone(Utc).single().map_or(0, |at| at.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJgUbIHqGgnOlHZYwwsIyZGYJSvbPjWnKJ4TAlfgTXjL";

    fn key(text: &str) -> KeyData {
        PublicKey::from_openssh(text).unwrap().key_data().clone()
    }

    #[test]
    fn a_key_signs_where_and_when_its_line_says() {
        let text = format!(
            "# who may\n\nada@x,ada@y {KEY} laptop\n\
             \"bo@x\" namespaces=\"git,bailiwick-approval\",valid-after=\"20260101\",valid-before=20270101Z {OTHER}\n"
        );
        let signers = AllowedSigners::parse(&text).unwrap();
        let ada = signers.signer(&key(KEY), "git", 0).unwrap();
        assert_eq!(ada.name(), "ada@x,ada@y");
        assert!(ada.key.starts_with("SHA256:"));
        let at = |day: &str| time(day).unwrap();
        let bo = |namespace, now| signers.signer(&key(OTHER), namespace, now);
        assert!(bo("git", at("20260101")).unwrap().principals.contains("bo@x"));
        assert!(bo("bailiwick-approval", at("20261231")).is_ok());
        assert!(bo("file", at("20261231")).unwrap_err().contains("`file`"));
        assert!(bo("git", at("20260101") - 1).unwrap_err().contains("not valid now"));
        assert!(bo("git", at("20270101")).unwrap_err().contains("not valid now"));
        assert!(
            AllowedSigners::default()
                .signer(&key(KEY), "git", 0)
                .unwrap_err()
                .contains("no allowed signer's")
        );
    }

    #[test]
    fn one_key_or_one_name_is_one_person() {
        let text = format!("ada@x {KEY}\nadmin@x {KEY}\nadmin@x {OTHER}\n");
        let signers = AllowedSigners::parse(&text).unwrap();
        let (one, two) =
            (signers.signer(&key(KEY), "git", 0).unwrap(), signers.signer(&key(OTHER), "git", 0).unwrap());
        assert_eq!(one.name(), "ada@x,admin@x");
        assert!(one.may_be(&two) && two.may_be(&one));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (line, said) in [
            ("ada@x", "a key"),
            ("ada@x nonsense", "a key"),
            ("ada@x ssh-ed25519 AAAA", "none that is understood"),
            (&format!("*@x {KEY}"), "is a pattern"),
            (&format!(",ada@x {KEY}"), "empty"),
            (&format!("ada@x cert-authority {KEY}"), "certificates are not supported"),
            (&format!("ada@x no-such-option {KEY}"), "`no-such-option`"),
            (&format!("ada@x namespaces=\"*\" {KEY}"), "without patterns"),
            (&format!("ada@x valid-after=soon {KEY}"), "`soon`"),
        ] {
            let (at, why) = AllowedSigners::parse(&format!("# first\n{line}\n")).unwrap_err();
            assert!(at == 2 && why.contains(said), "{line}: {at} {why}");
        }
    }
}
