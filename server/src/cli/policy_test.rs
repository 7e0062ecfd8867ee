//! `bailiwick policy test`: runs the tests of a bundle, or writes one from a recorded decision.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bailiwick_policy::{Endpoint, TestResult, run_tests};
use clap::Args;

use super::facts::FactsArgs;
use super::policy::{load, report};
use super::{Failed, Output, Server};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The bundle's folder
    dir: PathBuf,
    #[command(flatten)]
    facts: FactsArgs,
    /// Write the results as JUnit XML to a file, too
    #[arg(long, value_name = "FILE", conflicts_with = "from_decision")]
    junit: Option<PathBuf>,
    /// Write a test from this recorded decision into the bundle, and run none
    #[arg(long, value_name = "ID", requires_all = ["server", "token"])]
    from_decision: Option<String>,
    /// The address of the server that has the decision
    #[arg(long, env = "BAILIWICK_SERVER", value_name = "URL")]
    server: Option<String>,
    /// A service token; needed with `--from-decision`
    #[arg(long, env = "BAILIWICK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

pub(super) async fn run(args: TestArgs, output: Output) -> Result<(), Failed> {
    match (args.from_decision, args.server, args.token) {
        (Some(decision), Some(server), Some(token)) => {
            let remote = super::Remote { server: Server { server }, token };
            write_test(&args.dir, &args.facts, &remote, &decision, output).await
        }
        _ => run_all(&args.dir, &args.facts, args.junit.as_deref(), output),
    }
}

fn run_all(dir: &Path, facts: &FactsArgs, junit: Option<&Path>, output: Output) -> Result<(), Failed> {
    let (bundle, database) = load(dir, facts, output)?;
    let began = Instant::now();
    let results = match run_tests(&bundle, &database, &bundle.test_endpoints) {
        Ok(results) => results,
        Err(problems) => return report(&problems, output, String::new),
    };
    let took = began.elapsed();
    if let Some(path) = junit {
        std::fs::write(path, as_junit(&bundle.name, &results, took)).map_err(Failed::file(path))?;
    }
    let failed = results.iter().filter(|result| !result.passed()).count();
    output.result(&results, || {
        let mut text = String::new();
        for result in &results {
            let state = if result.passed() { "ok    " } else { "FAILED" };
            text.push_str(&format!("{state} {} ({})\n", result.name, result.file));
            for failure in &result.failures {
                text.push_str(&format!("       {failure}\n"));
            }
        }
        format!("{text}{} passed, {failed} failed", results.len() - failed)
    });
    if results.is_empty() {
        output.note("the bundle has no tests: add some under tests/");
    }
    if failed == 0 { Ok(()) } else { Err(Failed::Told) }
}

/// The results as JUnit XML, which every CI system shows: one suite a file. The tests are decided together, so the time is that
/// of all.
fn as_junit(bundle: &str, results: &[TestResult], took: Duration) -> String {
    let failed = |of: &[&TestResult]| of.iter().filter(|result| !result.passed()).count();
    let all: Vec<&TestResult> = results.iter().collect();
    let mut files: Vec<&str> = results.iter().map(|result| result.file.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{}.{:03}\">\n",
        escaped(bundle),
        all.len(),
        failed(&all),
        took.as_secs(),
        took.subsec_millis()
    );
    for file in files {
        let of: Vec<&TestResult> = results.iter().filter(|result| result.file == file).collect();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
            escaped(file),
            of.len(),
            failed(&of)
        ));
        for result in of {
            out.push_str(&format!(
                "    <testcase classname=\"{}\" name=\"{}\">",
                escaped(file),
                escaped(&result.name)
            ));
            // Most readers take one failure of a test.
            if !result.passed() {
                let whole = result.failures.join("; ");
                let lines: Vec<String> = result.failures.iter().map(|failure| escaped(failure)).collect();
                let (message, lines) = (escaped(&whole), lines.join("\n"));
                out.push_str(&format!("<failure message=\"{message}\">{lines}</failure>"));
            }
            out.push_str("</testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text for an attribute (XML 1.0, 2.2 and 2.4): characters that XML does not have are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

fn yaml(value: &impl serde::Serialize) -> Result<String, Failed> {
    serde_norway::to_string(value).map_err(|error| Failed::Said(error.to_string()))
}

/// Writes `tests/<decision>.yaml`, and adds to `tests/endpoints.yaml` the endpoints that it needs and does not have.
async fn write_test(
    dir: &Path,
    facts: &FactsArgs,
    remote: &super::Remote,
    decision: &str,
    output: Output,
) -> Result<(), Failed> {
    let (bundle, _) = load(dir, facts, output)?;
    let explained = super::explain::of(remote, decision).await?;
    let tests = dir.join("tests");
    std::fs::create_dir_all(&tests).map_err(Failed::file(&tests))?;
    let path = tests.join(format!("{decision}.yaml"));
    if path.exists() {
        return Err(Failed::Said(format!("{} is there already", path.display())));
    }
    let known = |endpoint: &Endpoint| bundle.test_endpoints.iter().any(|one| one.name == endpoint.name);
    let others = explained.endpoints.iter().filter(|endpoint| {
        bundle.test_endpoints.iter().any(|one| one.name == endpoint.name && one != *endpoint)
    });
    // Before anything is written: whoever reads it may want to stop.
    for endpoint in others {
        output.note(&format!(
            "tests/endpoints.yaml has another `{}` than the decision had: the test may come out otherwise",
            endpoint.name
        ));
    }
    let missing: Vec<&Endpoint> = explained.endpoints.iter().filter(|endpoint| !known(endpoint)).collect();
    if !missing.is_empty() {
        let endpoints = tests.join("endpoints.yaml");
        let mut text = match std::fs::read_to_string(&endpoints) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failed::file(&endpoints)(error)),
        };
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "---\n" } else { "\n---\n" });
        }
        text.push_str(&yaml(&missing)?);
        std::fs::write(&endpoints, text).map_err(Failed::file(&endpoints))?;
    }
    std::fs::write(&path, yaml(&explained.test)?).map_err(Failed::file(&path))?;
    output.result(&path.display().to_string(), || {
        format!("{}: {}", path.display(), explained.explanation.summary)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, file: &str, failures: &[&str]) -> TestResult {
        let failures = failures.iter().map(|failure| (*failure).to_owned()).collect();
        TestResult { name: name.into(), file: file.into(), failures }
    }

    #[test]
    fn junit_counts_by_file_and_lets_no_text_end_an_attribute() {
        let results = [
            result("goes through", "tests/a.yaml", &[]),
            result("a \"name\" & <more>\u{1}", "tests/a.yaml", &["expected\nallow", "and <deny>"]),
            result("other", "tests/b.yaml", &["no"]),
        ];
        let told = as_junit("acme <policy>", &results, Duration::from_millis(1_042));
        let lines: Vec<&str> = told.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                r#"<?xml version="1.0" encoding="UTF-8"?>"#,
                r#"<testsuites name="acme &lt;policy&gt;" tests="3" failures="2" time="1.042">"#,
                r#"<testsuite name="tests/a.yaml" tests="2" failures="1">"#,
                r#"<testcase classname="tests/a.yaml" name="goes through"></testcase>"#,
                r#"<testcase classname="tests/a.yaml" name="a &quot;name&quot; &amp; &lt;more&gt;"><failure message="expected allow; and &lt;deny&gt;">expected allow"#,
                r#"and &lt;deny&gt;</failure></testcase>"#,
                "</testsuite>",
                r#"<testsuite name="tests/b.yaml" tests="1" failures="1">"#,
                r#"<testcase classname="tests/b.yaml" name="other"><failure message="no">no</failure></testcase>"#,
                "</testsuite>",
                "</testsuites>",
            ]
        );
    }

    #[test]
    fn tests_of_one_file_stand_in_one_suite_wherever_they_come() {
        let results = [result("1", "a", &[]), result("2", "b", &[]), result("3", "a", &["x"])];
        let told = as_junit("acme", &results, Duration::ZERO);
        assert_eq!(told.matches("<testsuite name=\"a\"").count(), 1, "{told}");
        assert_eq!(told.matches("<testcase").count(), 3, "{told}");
    }
}
