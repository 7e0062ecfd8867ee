//! Which crate may use which: arrows point down, and nothing imports the server.

use serde_json::Value;

use crate::Result;

/// Every crate of the workspace, with the ones of ours that it may depend on (for tests too).
const ARROWS: [(&str, &[&str]); 9] = [
    (
        "bailiwick",
        &[
            "bailiwick-ui",
            "bailiwick-policy",
            "bailiwick-pii",
            "bailiwick-ledger",
            "bailiwick-compliance-db",
            "bailiwick-migrations",
            "bailiwick-wire",
        ],
    ),
    ("bailiwick-ui", &["bailiwick-ledger"]),
    ("bailiwick-policy", &["bailiwick-pii", "bailiwick-compliance-db"]),
    ("bailiwick-pii", &[]),
    ("bailiwick-ledger", &[]),
    ("bailiwick-wire", &[]),
    ("bailiwick-compliance-db", &[]),
    ("bailiwick-migrations", &[]),
    ("xtask", &[]),
];

/// Crates that know a database; no other may depend on one's driver.
const DATABASE: [&str; 2] = ["bailiwick", "bailiwick-migrations"];

/// Crates without input, output, concurrency or clock, and what they may therefore not depend on outside tests.
pub(super) const PURE: [(&str, &str); 5] = [
    ("bailiwick-policy", "policies/engine/src/"),
    ("bailiwick-pii", "policies/pii/src/"),
    ("bailiwick-ledger", "server/ledger/src/"),
    ("bailiwick-wire", "server/wire/src/"),
    ("bailiwick-compliance-db", "compliance-db/src/"),
];
const IMPURE: [&str; 9] = [
    "async-std",
    "axum",
    "getrandom",
    "hyper",
    "hyper-util",
    "rand",
    "reqwest",
    "tokio",
    "tracing-subscriber",
];
const DRIVERS: [&str; 6] = ["diesel", "rusqlite", "sea-orm", "sea-orm-migration", "sqlx", "tokio-postgres"];

/// Reads `cargo metadata --no-deps`.
pub(super) fn check(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or("cargo metadata lists no packages")?;
    let mut problems = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            problems.push(format!("{name}: not in the table of arrows in xtask/src/tidy/arrows.rs"));
            continue;
        };
        let none = Vec::new();
        for dependency in package.get("dependencies").and_then(Value::as_array).unwrap_or(&none) {
            let on = text(dependency, "name");
            let for_tests = text(dependency, "kind") == "dev";
            let ours = ARROWS.iter().any(|(crate_name, _)| *crate_name == on);
            if ours && !allowed.contains(&on) {
                problems.push(format!("{name} may not depend on {on}: arrows point down"));
            }
            if DRIVERS.contains(&on) && !DATABASE.contains(&name) {
                problems
                    .push(format!("{name} may not depend on {on}: only the server's store knows a database"));
            }
            if IMPURE.contains(&on) && !for_tests && PURE.iter().any(|(pure, _)| *pure == name) {
                problems.push(format!("{name} may not depend on {on}: it is pure"));
            }
        }
    }
    Ok(problems)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(package: &str, dependency: &str, kind: Option<&str>) -> Vec<String> {
        let dependencies = json!([{ "name": dependency, "kind": kind }]);
        check(&json!({ "packages": [{ "name": package, "dependencies": dependencies }] })).unwrap()
    }

    #[test]
    fn an_arrow_that_points_up_is_a_problem() {
        assert!(problems("bailiwick", "bailiwick-ledger", None).is_empty());
        assert_eq!(problems("bailiwick-ledger", "bailiwick", None).len(), 1);
        assert_eq!(problems("bailiwick-ui", "bailiwick-policy", Some("dev")).len(), 1);
    }

    #[test]
    fn a_pure_crate_may_use_a_runtime_in_tests_only() {
        assert_eq!(problems("bailiwick-pii", "tokio", None).len(), 1);
        assert!(problems("bailiwick-pii", "tokio", Some("dev")).is_empty());
    }

    #[test]
    fn a_database_driver_is_the_servers_alone() {
        assert_eq!(problems("bailiwick-ui", "sea-orm", None).len(), 1);
        assert!(problems("bailiwick-migrations", "sea-orm-migration", None).is_empty());
    }

    #[test]
    fn a_crate_that_nobody_placed_is_a_problem() {
        assert_eq!(problems("bailiwick-new", "serde", None).len(), 1);
    }
}
