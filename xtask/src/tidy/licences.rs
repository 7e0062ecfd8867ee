//! Licences, bans and sources of what is linked, by the lists in `deny.toml`.
//!
//! A smaller reading of that file than cargo-deny's: licence expressions are evaluated (`OR`, `AND`, parentheses, the
//! old `/`), exceptions are by crate name, bans are by crate name. It needs nothing but cargo, so it runs everywhere.

use serde_json::Value;

use crate::context::Context;
use crate::{Result, cargo};

/// Where crates may come from, as cargo names it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(context: &Context) -> Result<Vec<String>> {
    let file = context.root.join("deny.toml");
    let text = std::fs::read_to_string(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let lists = Lists::parse(&text)?;
    let metadata = cargo::metadata(&context.root, &["--all-features"])?;
    let packages =
        metadata.get("packages").and_then(Value::as_array).ok_or("cargo metadata lists no packages")?;
    Ok(packages
        .iter()
        .filter(|package| !package["source"].is_null())
        .flat_map(|p| lists.problems(p))
        .collect())
}

/// What `deny.toml` says.
struct Lists {
    allowed: Vec<String>,
    /// Crate, and a licence allowed for it alone.
    exceptions: Vec<(String, String)>,
    banned: Vec<String>,
}

impl Lists {
    fn parse(text: &str) -> Result<Self> {
        let document: toml::Table = text.parse().map_err(|e| format!("deny.toml: {e}"))?;
        let list = |table: &str, name: &str| {
            let value = document.get(table).and_then(|table| table.get(name));
            value.and_then(toml::Value::as_array).cloned().unwrap_or_default()
        };
        let text = |value: &toml::Value| value.as_str().map(str::to_owned);
        let name = |value: &toml::Value| {
            value.get("crate").or(value.get("name")).unwrap_or(value).as_str().map(str::to_owned)
        };
        let mut exceptions = Vec::new();
        for entry in list("licenses", "exceptions") {
            let none = Vec::new();
            let licences = entry.get("allow").and_then(toml::Value::as_array).unwrap_or(&none);
            exceptions.extend(licences.iter().filter_map(text).filter_map(|l| Some((name(&entry)?, l))));
        }
        let allowed: Vec<String> = list("licenses", "allow").iter().filter_map(text).collect();
        if allowed.is_empty() {
            return Err("deny.toml allows no licence at all".to_owned());
        }
        Ok(Self { allowed, exceptions, banned: list("bans", "deny").iter().filter_map(name).collect() })
    }

    fn problems(&self, package: &Value) -> Vec<String> {
        let text = |name: &str| package.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, version, licence) = (text("name"), text("version"), text("license"));
        let mut problems = Vec::new();
        if self.banned.iter().any(|banned| banned == name) {
            problems.push(format!("{name} {version}: banned by deny.toml"));
        }
        if text("source") != REGISTRY {
            problems.push(format!("{name} {version}: comes from {}, not from crates.io", text("source")));
        }
        let allowed = |licence: &str| {
            self.allowed.iter().any(|known| known == licence)
                || self.exceptions.iter().any(|(package, known)| package == name && known == licence)
        };
        if !satisfied(licence, &allowed) {
            let licence = if licence.is_empty() { "no licence expression" } else { licence };
            problems.push(format!("{name} {version}: {licence}, which deny.toml does not allow"));
        }
        problems
    }
}

/// Whether an SPDX expression can be met with allowed licences alone. `AND` binds closer than `OR`.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let met = any(&mut tokens, allowed);
    met && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        met |= all(tokens, allowed);
    }
    met
}

fn all(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    match tokens.next() {
        Some("(") => {
            let met = any(tokens, allowed);
            met & tokens.next_if_eq(&")").is_some()
        }
        Some(licence) if tokens.next_if_eq(&"WITH").is_some() => {
            let exception = tokens.next().unwrap_or_default();
            allowed(licence) || allowed(&format!("{licence} WITH {exception}"))
        }
        Some(licence) => allowed(licence),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0"]
        exceptions = [{ crate = "special", allow = ["MPL-2.0"] }]
        [bans]
        deny = [{ crate = "openssl" }]
    "#;

    fn problems(name: &str, licence: &str, source: &str) -> usize {
        let package = json!({ "name": name, "version": "1.0.0", "license": licence, "source": source });
        Lists::parse(DENY).unwrap().problems(&package).len()
    }

    #[test]
    fn expressions_are_evaluated() {
        let allowed = |licence: &str| licence == "MIT" || licence == "Zlib";
        for (expression, met) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("MIT/GPL-3.0", true),
            ("MIT AND GPL-3.0", false),
            ("(GPL-3.0 OR MIT) AND Zlib", true),
            ("GPL-3.0 AND MIT OR Zlib", true),
            ("MIT WITH LLVM-exception", true),
            ("(MIT", false),
            ("MIT GPL-3.0", false),
            ("", false),
        ] {
            assert_eq!(satisfied(expression, &allowed), met, "{expression}");
        }
    }

    #[test]
    fn licences_bans_and_sources_are_told() {
        assert_eq!(problems("good", "MIT OR GPL-3.0", REGISTRY), 0);
        assert_eq!(problems("good", "MPL-2.0", REGISTRY), 1);
        assert_eq!(problems("special", "MPL-2.0", REGISTRY), 0);
        assert_eq!(problems("openssl", "MIT", REGISTRY), 1);
        assert_eq!(problems("good", "MIT", "git+https://example.org/good"), 1);
        assert_eq!(problems("good", "", REGISTRY), 1);
    }

    #[test]
    fn an_empty_list_is_refused() {
        assert!(Lists::parse("[licenses]\nallow = []").is_err());
    }
}
