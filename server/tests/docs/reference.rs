//! The reference pages against the program, both ways: what exists is listed, what is listed exists.

use std::collections::BTreeSet;
use std::process::Command;

use bailiwick::app::Config;
use bailiwick::gateway::{Code, api::ROUTES};

use super::demo::Demo;
use super::page::{blocks, read, root};

const CLI: &str = "docs/reference/cli.md";
const HTTP: &str = "docs/reference/http-api.md";
const CONFIGURATION: &str = "docs/reference/configuration.md";

/// Options of every command, or of every command that asks a server; told once at the top of the page.
const COMMON: [&str; 5] = ["--json", "--help", "--version", "--server", "--token"];

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bailiwick"))
        .args(command)
        .arg("--help")
        .env("COLUMNS", "100")
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The names below a heading of a help text.
fn listed<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let below = help.lines().skip_while(|line| *line != heading).skip(1);
    below.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect()
}

/// Words of a text that begin with two hyphens.
fn options(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// A page's parts under headings of the third level, by heading.
fn sections(page: &str) -> Vec<(&str, &str)> {
    page.split("\n### ").skip(1).filter_map(|part| part.split_once('\n')).collect()
}

fn leaves(command: &[String], found: &mut Vec<String>) {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let text = help(&words);
    let below: Vec<&str> = listed(&text, "Commands:").into_iter().filter(|name| *name != "help").collect();
    if below.is_empty() {
        found.push(command.join(" "));
    }
    for name in below {
        leaves(&[command, &[name.to_owned()]].concat(), found);
    }
}

#[test]
fn every_command_and_option_is_told() {
    let page = read(CLI);
    let sections = sections(&page);
    let mut commands = Vec::new();
    leaves(&[], &mut commands);
    let mut told: Vec<String> =
        sections.iter().map(|(title, _)| title.trim_matches('`').to_owned()).collect();
    told.sort();
    commands.sort();
    assert_eq!(told, commands, "the headings of {CLI} and the commands");
    for (title, text) in sections {
        let command: Vec<&str> = title.trim_matches('`').split(' ').collect();
        let own = |found: BTreeSet<String>| -> BTreeSet<String> {
            found.into_iter().filter(|option| !COMMON.contains(&option.as_str())).collect()
        };
        let help = help(&command);
        let real = help.split("Options:").nth(1).unwrap();
        // A section ends where a heading of a higher level begins.
        let text = text.split("\n## ").next().unwrap();
        assert_eq!(own(options(text)), own(options(real)), "the options of `{title}` in {CLI}");
    }
}

/// The first cells of a page's table rows that are code.
fn rows(page: &str) -> Vec<(String, String)> {
    page.lines()
        .filter_map(|line| {
            let (code, rest) = line.strip_prefix("| `")?.split_once('`')?;
            Some((code.to_owned(), rest.trim_start_matches(" | ").to_owned()))
        })
        .collect()
}

#[test]
fn every_route_is_told_and_served() {
    let page = read(HTTP);
    let told: BTreeSet<String> = rows(&page)
        .into_iter()
        .map(|(code, _)| code)
        .filter(|code| ["GET /", "POST /", "PUT /", "DELETE /"].iter().any(|method| code.starts_with(method)))
        .collect();
    for (method, path, _) in ROUTES {
        assert!(told.contains(&format!("{method} {path}")), "{method} {path} is not in {HTTP}");
    }
    let demo = Demo::start();
    let curl = |method: &str, path: &str| {
        let output = Command::new("curl")
            .args(["-s", "-m", "2", "-X", method, "-H"])
            .arg(format!("Authorization: Bearer {}", demo.text("/admin_token")))
            .arg(format!("{}{path}", demo.text("/url")))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let openapi: serde_json::Value = serde_json::from_str(&curl("GET", "/api/openapi.json")).unwrap();
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let route = format!("{} {path}", method.to_uppercase());
            assert!(told.contains(&route), "{route} is not in {HTTP}");
        }
    }
    for route in &told {
        let (method, path) = route.split_once(' ').unwrap();
        let answer = curl(method, &path.replace("{id}", "none"));
        let missing = [
            "There is no such path",
            "this path is not served",
            "This path is served with another method",
            "this path is served with another method",
            "not found\n",
        ];
        assert!(
            !missing.iter().any(|text| answer.contains(text)),
            "{route} is told and not served: {answer}"
        );
    }
}

#[test]
fn every_error_code_is_told_with_its_status() {
    let codes = [
        Code::InvalidApiKey,
        Code::InvalidRequest,
        Code::NotTranslatable,
        Code::RequestTooLarge,
        Code::RequestTimeout,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::ModelNotFound,
        Code::PolicyDenied,
        Code::NoEligibleEndpoint,
        Code::Forbidden,
        Code::NetworkNotAllowed,
        Code::BudgetExceeded,
        Code::RateLimited,
        Code::AuditUnavailable,
        Code::ClientGone,
        Code::Unavailable,
    ];
    for code in codes {
        // A new code does not compile until it is in the list above.
        match code {
            Code::InvalidApiKey
            | Code::InvalidRequest
            | Code::NotTranslatable
            | Code::RequestTooLarge
            | Code::RequestTimeout
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::ModelNotFound
            | Code::PolicyDenied
            | Code::NoEligibleEndpoint
            | Code::Forbidden
            | Code::NetworkNotAllowed
            | Code::BudgetExceeded
            | Code::RateLimited
            | Code::AuditUnavailable
            | Code::ClientGone
            | Code::Unavailable
            | Code::Upstream(..) => {}
        }
    }
    let page = read(HTTP);
    let errors = page.split("\n## Errors").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = rows(errors);
    for code in codes {
        let row = rows.iter().find(|(told, _)| told == code.as_str());
        let (_, rest) = row.unwrap_or_else(|| panic!("{} is not in {HTTP}", code.as_str()));
        assert!(rest.starts_with(code.status().as_str()), "{}: {rest}", code.as_str());
    }
    let upstream = words("server/src/providers/failure.rs", "\"upstream_");
    let told: BTreeSet<String> =
        rows.into_iter().map(|(code, _)| code).filter(|code| code.starts_with("upstream_")).collect();
    assert_eq!(told, upstream, "the codes of providers' failures");
}

/// String literals of a source file that begin so.
fn words(file: &str, beginning: &str) -> BTreeSet<String> {
    let text = read(file);
    let begins = text.match_indices(beginning).map(|(at, _)| &text[at + 1..]);
    begins.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn every_header_and_metric_is_told() {
    let page = read(HTTP);
    let mut sources = BTreeSet::new();
    let folders = ["server/src/gateway", "server/src/budgets"];
    for entry in folders.into_iter().flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_file() {
            sources.insert(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
    let find = |beginning: &str| -> BTreeSet<String> {
        let found = sources.iter().flat_map(|file| words(file, beginning));
        found.filter(|word| !word.ends_with(['-', '_']) && !word.contains(['`', '{', ' '])).collect()
    };
    let told = |beginning: &str| -> BTreeSet<String> {
        rows(&page).into_iter().map(|(code, _)| code).filter(|code| code.starts_with(beginning)).collect()
    };
    assert_eq!(told("x-bailiwick-"), find("\"x-bailiwick-"));
    assert_eq!(told("bailiwick_"), find("\"bailiwick_"));
}

#[test]
fn the_configuration_shows_the_defaults() {
    let page = blocks(&read(CONFIGURATION));
    let named = |name: &str| page.iter().find(|block| block.word("file") == Some(name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bailiwick.toml");

    std::fs::write(&path, &named("bailiwick.toml").text).unwrap();
    let mut shown = Config::read(&path).unwrap();
    shown.data_dir = shown.data_dir.strip_prefix(folder.path()).unwrap().to_path_buf();
    shown.file = None;
    assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));

    // Everything set: a key that is not in this example is not told at all.
    let everything = [named("everything.toml"), named("git.toml"), named("provider.toml")]
        .map(|block| block.text.as_str());
    std::fs::write(&path, everything.join("\n")).unwrap();
    let everything = Config::read(&path).unwrap();
    assert!(!format!("{everything:?}").contains("None"), "{everything:?}");
}

/// The tests that a text names as links: `[\`name\`](file)`; each is there.
fn named_tests(text: &str, up: &str) -> usize {
    let links = text.split("[`").skip(1).filter_map(|link| link.split_once(&format!("`]({up}")));
    let named: Vec<(&str, &str)> =
        links.map(|(name, rest)| (name, rest.split_once(')').unwrap().0)).collect();
    for (name, file) in &named {
        let text = read(file);
        assert!(text.contains(&format!("fn {name}(")), "{file} has no test {name}");
    }
    named.len()
}

#[test]
fn the_tests_that_hold_the_invariants_exist() {
    let page = read("docs/ARCHITECTURE.md");
    let invariants = page.split("\n## Invariants").nth(1).unwrap().split("\n## ").next().unwrap();
    assert!(named_tests(invariants, "../") > 10);
}

#[test]
fn every_threat_has_a_test_that_exists() {
    let page = read("docs/explanation/threat-model.md");
    let (threats, _) = page.split_once("\n## What is not defended against").unwrap();
    let flows: Vec<&str> = threats.split("\n## ").skip(1).collect();
    assert!(flows.len() > 5, "{flows:?}");
    for flow in flows {
        let name = flow.lines().next().unwrap();
        let rows: Vec<&str> = flow.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let rows: Vec<&str> = rows.into_iter().filter(|row| !row.starts_with("| ---")).collect();
        for row in &rows {
            assert!(named_tests(row, "../../") > 0, "{name}: no test of ours holds this: {row}");
        }
        let kinds: BTreeSet<char> = rows.iter().filter_map(|row| row.chars().nth(2)).collect();
        assert!(kinds.iter().all(|kind| "stride".contains(*kind)), "{name}: {kinds:?}");
        // Each kind was thought of for each flow.
        assert_eq!(kinds.len(), "stride".len(), "{name} has only {kinds:?}");
    }
}
