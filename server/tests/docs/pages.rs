//! Every page, and a test for each that has commands.

use super::page::{all, blocks, read};
use super::run::run;

/// Pages that tests of their own crates hold: `bailiwick-ledger`, `bailiwick-compliance-db`, `bailiwick-pii`,
/// `bailiwick-policy`.
const ELSEWHERE: [&str; 4] = [
    "docs/reference/audit-format.md",
    "docs/reference/compliance-db.md",
    "docs/reference/pii.md",
    "docs/reference/policy.md",
];

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        /// The pages whose commands run.
        const RUN: &[&str] = &[$($path),*];
        $(#[test] fn $name() { run($path); })*
    };
}

pages! {
    readme: "README.md",
    tutorial: "docs/tutorial/first-request.md",
    tutorial_policy: "docs/tutorial/policy-in-git.md",
    put_it_in_front: "docs/how-to/put-it-in-front-of-an-app.md",
    declare: "docs/how-to/declare-an-organisation.md",
    credentials: "docs/how-to/keep-provider-credentials.md",
    set_budgets: "docs/how-to/set-budgets.md",
    stop_something: "docs/how-to/stop-something-at-once.md",
    send_alerts: "docs/how-to/send-alerts.md",
    follow_git: "docs/how-to/follow-a-git-repository.md",
    write_a_rule: "docs/how-to/write-and-test-a-rule.md",
    include_a_pack: "docs/how-to/include-a-pack.md",
    ask_and_approve: "docs/how-to/ask-and-approve.md",
    auditor: "docs/how-to/give-an-auditor-an-export.md",
    organisation_file: "docs/reference/organisation.md",
    http_api: "docs/reference/http-api.md",
    cli: "docs/reference/cli.md",
}

#[test]
fn every_page_with_commands_is_run_and_every_block_is_of_a_kind() {
    for path in all().iter().filter(|path| !ELSEWHERE.contains(&path.as_str())) {
        for block in blocks(&read(path)) {
            let at = format!("{path}:{}", block.line);
            let text = block.text.as_str();
            match block.language.as_str() {
                "sh" | "output" => assert!(RUN.contains(&path.as_str()), "{at}: nobody runs this page"),
                "json" => assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{at}: no JSON"),
                "yaml" => {
                    assert!(serde_norway::from_str::<serde_norway::Value>(text).is_ok(), "{at}: no YAML");
                }
                "toml" => assert!(text.parse::<toml::Table>().is_ok(), "{at}: no TOML"),
                "python" => assert!(block.word("file").is_some(), "{at}: nobody runs this"),
                "text" => {}
                other => panic!("{at}: a block of an unknown kind, `{other}`"),
            }
        }
    }
}
