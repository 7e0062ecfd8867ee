//! What ships is built with the features that it is tested with: a crate that a test's dependency turns a feature on in is
//! another crate than the one that ships, and is built a second time.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::test::steps::LOAD;
use crate::{Result, cargo};

pub(super) fn check(context: &Context) -> Result<Vec<String>> {
    let shipped = built(context, &["--package", "bailiwick", "--edges", "normal,build"])?;
    let tested = built(context, &["--workspace", "--features", LOAD, "--edges", "normal,build,dev"])?;
    Ok(differences(&shipped, &tested))
}

/// Each crate that is built, with its version and its features.
fn built(context: &Context, selection: &[&str]) -> Result<BTreeSet<String>> {
    let arguments = ["tree", "--prefix", "none", "--format", "{p} {f}"];
    let text = cargo::output(cargo::command(&context.root, &arguments).args(selection))?;
    Ok(text.lines().map(|line| line.trim_end_matches("(*)").trim_end().to_owned()).collect())
}

fn differences(shipped: &BTreeSet<String>, tested: &BTreeSet<String>) -> Vec<String> {
    let name = |line: &str| line.split(" v").next().map(str::to_owned);
    let of = |wanted: &str| {
        let same = |line: &&String| name(line).as_deref() == Some(wanted);
        tested.iter().filter(same).map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", ")
    };
    shipped
        .difference(tested)
        .map(|line| {
            let wanted = name(line).unwrap_or_default();
            format!("server/Cargo.toml: ships with `{line}` and is tested with {}", of(&wanted))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_with_other_features_than_it_is_tested_with_is_a_problem() {
        let set = |lines: &[&str]| lines.iter().map(|line| String::from(*line)).collect::<BTreeSet<_>>();
        let tested = set(&["a v1.0.0 std", "b v1.0.0 more,std", "c v2.0.0"]);
        assert!(differences(&set(&["a v1.0.0 std"]), &tested).is_empty());
        let told = differences(&set(&["a v1.0.0 std", "b v1.0.0 std"]), &tested);
        assert_eq!(
            told,
            ["server/Cargo.toml: ships with `b v1.0.0 std` and is tested with `b v1.0.0 more,std`"]
        );
    }
}
