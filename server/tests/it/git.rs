//! The policy follows a Git repository: what is signed, approved and good comes into force at once, everything else
//! leaves the policy as it is and is told.

use std::time::{Duration, Instant};

use bailiwick::app::{App, Config};
use bailiwick::git::GitConfig;
use bailiwick::snapshot::Archive;
use reqwest::Method;
use serde_json::{Value, json};

use crate::alerts::until_listed;
use crate::app::{TestApp, logs, metrics};
use crate::repository::{Repository, STRANGER, rule};

/// Within which a new head has to be in force after it was noticed.
const TWO_SECONDS: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);
const MODEL: &str = "gpt-4.1-mini";

/// A server that follows a repository.
pub(crate) async fn following(git: GitConfig) -> TestApp {
    TestApp::with(|config| config.policy.git = Some(git)).await
}

pub(crate) async fn status(app: &TestApp) -> Value {
    app.admin(Method::GET, "/api/v1/policy", None).await.is(200).json()
}

/// Tells the server, and waits until `done`; how long that took.
pub(crate) async fn look(app: &TestApp, what: &str, done: impl Fn(&Value) -> bool) -> Duration {
    let began = Instant::now();
    assert!(app.app().policy_changed());
    loop {
        let told = status(app).await;
        if done(&told) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{what}: {told:#}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a commit is in force.
pub(crate) async fn follows(app: &TestApp, commit: &str) -> Duration {
    look(app, "it is not followed", |told| told["commit"]["commit"] == commit && told["refused"].is_null())
        .await
}

/// Waits until a head is refused, and holds the policy in force against what it was.
async fn refuses(app: &TestApp, commit: &str, stage: &str, said: &[&str]) {
    let before = status(app).await;
    look(app, &format!("it is not refused with {said:?}"), |told| {
        let refused = &told["refused"];
        let why = refused.to_string();
        refused["commit"] == commit && refused["stage"] == stage && said.iter().all(|part| why.contains(part))
    })
    .await;
    let told = status(app).await;
    assert_eq!(told["commit"], before["commit"], "{stage}");
    assert_eq!(told["digest"], before["digest"]);
    app.ask("research", MODEL, "Hello").await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_commit_is_in_force_within_two_seconds_and_decisions_name_it() {
    let repository = Repository::new();
    let first = repository.head();
    let app = following(repository.config()).await;
    let told = status(&app).await;
    assert_eq!((&told["source"], &told["commit"]["commit"]), (&json!("git"), &json!(first)));
    assert!(told["commit"]["author"].as_str().unwrap().starts_with("ada@acme.example (SHA256:"), "{told}");
    let before = app.ask("research", MODEL, "Hello").await.is(200);
    let digest = before.header("x-bailiwick-policy").unwrap().to_owned();

    repository.write("rules/stop.yaml", &rule("stop-mini", MODEL));
    let second = repository.commit("bo", "Stop it");
    let took = follows(&app, &second).await;
    assert!(took < TWO_SECONDS, "{took:?}");
    let after = app.ask("research", MODEL, "Hello").await.refused(403, "policy_denied");
    assert_eq!(after.json()["bailiwick"]["rules"], json!(["stop-mini"]));

    // Going back is a commit like any other, of the same bundle as the first one.
    repository.git(&["revert", "--no-edit", "--no-commit", "HEAD"]);
    let third = repository.commit("ada", "Use it again");
    follows(&app, &third).await;
    let again = app.ask("research", MODEL, "Hello").await.is(200);
    assert_eq!(again.header("x-bailiwick-policy").unwrap(), digest);

    let body = crate::app::message("assistant", "Hello").to_string();
    let told = app.post("research", "/v1/decisions:explain", &[], body).await.is(200).json();
    assert_eq!(told["decision"]["made_from"]["commit"], json!(format!("git:{third}")));

    let mut named = Vec::new();
    for reply in [&before, &after, &again] {
        let record = app.records_of(&reply.decision()).await.swap_remove(0);
        named.push(record.header.digests["commit"].clone());
        // What decided then still decides.
        let at_ms = app.app().gateway.clock.now_ms();
        let recalled =
            Archive::recall(&app.app().store, &record.header.digests, at_ms).await.unwrap().unwrap();
        assert_eq!(recalled.bundle().rule("stop-mini").is_some(), reply.status == 403);
    }
    assert_eq!(named, [&first, &second, &third].map(|commit| format!("git:{commit}")));
    let acts: Vec<Value> = app
        .records()
        .await
        .iter()
        .filter(|record| record.header.kind == "policy" && record.id("phase") == Some("begun"))
        .map(|record| record.sections["act"]["what"]["commit"].clone())
        .collect();
    assert_eq!(acts, [json!(second), json!(third)]);
    let history: Vec<Value> =
        status(&app).await["history"].as_array().unwrap().iter().map(|one| one["commit"].clone()).collect();
    assert_eq!(history, [json!(third), json!(second), json!(first)]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_may_sign_is_refused() {
    let repository = Repository::new();
    let good = repository.head();
    let app = following(repository.config()).await;
    repository.write("rules/stop.yaml", &rule("stop-mini", MODEL));

    let head = repository.commit_unsigned("Not signed, under ada's name");
    refuses(&app, &head, "signature", &["not signed", "git config"]).await;
    repository.reset(&good);
    repository.write("rules/stop.yaml", &rule("stop-mini", MODEL));
    let head = repository.commit(STRANGER, "A stranger's, under ada's name");
    refuses(&app, &head, "signature", &["no allowed signer's", "SHA256:"]).await;

    // Ada's commit, with another tree under her signature.
    repository.reset(&good);
    let text = repository.git(&["cat-file", "commit", "HEAD"]) + "\n";
    repository.write("rules/stop.yaml", &rule("stop-mini", MODEL));
    repository.git(&["add", "--all"]);
    let tree = repository.git(&["write-tree"]);
    let (_, rest) = text.split_once('\n').unwrap();
    let head = repository.commit_raw(&format!("tree {tree}\nparent {good}\n{rest}"));
    refuses(&app, &head, "signature", &["not of what it holds"]).await;

    // Signatures that are ada's, of the very commit, but for something else than commits; and none of SSH at all.
    let unsigned =
        format!("tree {tree}\nparent {good}\nauthor Ada <a@x> 0 +0000\ncommitter Ada <a@x> 0 +0000\n\nx\n");
    let signed = |armored: &str| {
        let header = armored.trim().replace('\n', "\n ");
        unsigned.replacen("\n\n", &format!("\ngpgsig {header}\n\n"), 1)
    };
    let armored = repository.sign("ada", "file", &unsigned);
    let head = repository.commit_raw(&signed(&armored));
    refuses(&app, &head, "signature", &["namespace `file`"]).await;
    let head =
        repository.commit_raw(&signed("-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----"));
    refuses(&app, &head, "signature", &["OpenPGP", "gpg.format ssh"]).await;
    let head =
        repository.commit_raw(&signed("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"));
    refuses(&app, &head, "signature", &["none of SSH"]).await;

    // A certificate of an authority, and a key whose time is over.
    repository.key("authority", &["-t", "ed25519"]);
    let (authority, key) = (repository.key_file("authority"), repository.key_file("ada"));
    let mut certify = std::process::Command::new("ssh-keygen");
    certify.args(["-q", "-s"]).arg(authority).args(["-I", "ada", "-n", "ada@acme.example"]);
    crate::repository::run(certify.arg(key.with_extension("key.pub")), "");
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-Y", "sign", "-n", "git", "-f"]).arg(key.with_extension("key-cert.pub"));
    let armored = crate::repository::run(&mut sign, &unsigned);
    let head = repository.commit_raw(&signed(&armored));
    refuses(&app, &head, "signature", &["not supported"]).await;
    let allowed = std::fs::read_to_string(repository.signers()).unwrap();
    let over = format!("bo@acme.example valid-before=\"20200101\" {}", repository.public("bo"));
    repository.allow(&over);
    repository.reset(&good);
    let head = repository.commit("bo", "Too late");
    refuses(&app, &head, "signature", &["not valid now"]).await;
    repository.allow(&format!("{allowed}bo@acme.example nonsense\n"));
    look(&app, "signers", |told| told["refused"]["why"].as_str().is_some_and(|why| why.contains("line 3")))
        .await;

    // Each kind of key that is supported signs; the one that is not is named.
    repository.allow(&allowed);
    for (who, kind, works) in [
        ("rsa", &["-t", "rsa", "-b", "2048"][..], true),
        ("p256", &["-t", "ecdsa", "-b", "256"], true),
        ("p384", &["-t", "ecdsa", "-b", "384"], true),
        ("p521", &["-t", "ecdsa", "-b", "521"], false),
    ] {
        repository.key(who, kind);
        repository.allow(&format!("{who}@acme.example namespaces=\"git\" {}", repository.public(who)));
        let head = repository.commit(who, "Signed otherwise");
        if works {
            follows(&app, &head).await;
        } else {
            refuses(&app, &head, "signature", &["ecdsa-sha2-nistp521"]).await;
        }
    }

    // Every refusal is in the log once, under its stage, and the last one among the metrics.
    let refused: Vec<Value> = app
        .records()
        .await
        .iter()
        .filter(|record| record.header.kind == "policy")
        .filter_map(|record| record.sections.get("refused").cloned())
        .collect();
    let stages: Vec<&Value> = refused.iter().map(|refused| &refused["stage"]).collect();
    assert_eq!(stages, vec!["signature"; 10]);
    // Each is an alert that says of which commit and why, and that is critical: nobody else would look.
    let mut commits: Vec<&str> = refused.iter().map(|refused| refused["commit"].as_str().unwrap()).collect();
    commits.sort_unstable();
    commits.dedup();
    let raised = until_listed(&app, "?kind=policy_refused", commits.len()).await;
    assert_eq!(raised.len(), commits.len(), "{raised:#?}");
    for alert in &raised {
        assert_eq!((&alert["severity"], &alert["scope"]), (&json!("critical"), &json!("/")), "{alert}");
        assert_eq!(alert["facts"]["stage"], "signature", "{alert}");
        let of = refused.iter().find(|refused| refused["commit"] == alert["facts"]["commit"]);
        let of = of.unwrap_or_else(|| panic!("{alert} is of none of {commits:?}"));
        assert!(of["why"].is_string(), "{of}");
        let same =
            refused.iter().any(|one| one["commit"] == of["commit"] && one["why"] == alert["facts"]["why"]);
        assert!(same, "{alert}");
    }
    assert!(metrics().contains("bailiwick_policy_refused{stage=\"signature\"} 1"), "{}", metrics());
    assert!(logs().contains("the policy in force stays"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_in_a_bundle_is_named_by_file_and_line_and_leaves_the_policy() {
    let repository = Repository::new();
    let good = repository.head();
    let app = following(repository.config()).await;
    let eu = std::fs::read_to_string(repository.path().join("policy/rules/eu-personal-data.yaml")).unwrap();
    let policy = std::fs::read_to_string(repository.path().join("policy/rbac/policy.csv")).unwrap();
    let bomb = {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let below = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", ")));
        }
        text
    };
    let cases: Vec<(&str, String, &str, Vec<&str>)> = vec![
        (
            "rules/new.yaml",
            rule("new", MODEL).replace("deny:", "denny:"),
            "bundle",
            vec!["rules/new.yaml:", "denny", "deny"],
        ),
        (
            "rules/new.yaml",
            rule("new", MODEL).replace("deny: true", "deny: [1]"),
            "bundle",
            vec!["rules/new.yaml:7"],
        ),
        ("rules/twice.yaml", eu, "bundle", vec!["rules/twice.yaml", "eu-personal-data"]),
        ("rules/bomb.yaml", bomb, "bundle", vec!["rules/bomb.yaml"]),
        (
            "rbac/policy.csv",
            format!("{policy}\ng, role:a, role:b, /\ng, role:b, role:a, /\n"),
            "bundle",
            vec!["rbac/policy.csv:"],
        ),
        (
            "tests/new.yaml",
            String::from(
                "name: research may\nat: 2026-11-22\nfacts: { scope: /acme/research, model: assistant }\n\
                 expect: { outcome: policy_denied }\n",
            ),
            "tests",
            vec!["tests/new.yaml", "research may"],
        ),
        ("rules/big.yaml", "# x\n".repeat(13 << 20), "tree", vec!["rules/big.yaml", "54525952 bytes"]),
        ("extra.yaml", String::from("a: 1\n"), "bundle", vec!["extra.yaml", "no such file"]),
    ];
    for (name, text, stage, said) in cases {
        repository.write(name, &text);
        let head = repository.commit("ada", name);
        let began = Instant::now();
        refuses(&app, &head, stage, &said).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{name}: {:?}", began.elapsed());
        repository.reset(&good);
    }
    // What leads out of the tree, and what is no text.
    let policy = repository.path().join("policy");
    std::os::unix::fs::symlink("/etc/passwd", policy.join("rules/link.yaml")).unwrap();
    let head = repository.commit("ada", "A link");
    refuses(&app, &head, "tree", &["rules/link.yaml", "symbolic link"]).await;
    repository.reset(&good);
    let entry = format!("160000,{good},policy/rules/module");
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    let key = format!("user.signingKey={}", repository.key_file("ada").display());
    repository.git(&["-c", &key, "commit", "--quiet", "-S", "-m", "A submodule"]);
    refuses(&app, &repository.head(), "tree", &["rules/module", "submodule"]).await;
    repository.reset(&good);
    std::fs::write(policy.join("picture.png"), [0xff, 0xfe]).unwrap();
    let head = repository.commit("ada", "A picture");
    refuses(&app, &head, "tree", &["picture.png", "UTF-8"]).await;
    repository.reset(&good);
    // What is hidden is no part of the bundle.
    std::fs::create_dir_all(policy.join(".ci")).unwrap();
    std::fs::write(policy.join(".ci/picture.png"), [0xff, 0xfe]).unwrap();
    let head = repository.commit("ada", "A hidden picture");
    follows(&app, &head).await;

    // A history that was rewritten is not followed, unless that is meant.
    repository.reset(&good);
    let head = repository.commit("ada", "Another history");
    refuses(&app, &head, "history", &["git revert", "allow_rewind"]).await;
    repository.reset(&good);
    refuses(&app, &good, "history", &["git revert"]).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_there_is_not_is_named_or_refused() {
    let repository = Repository::new();
    let good = repository.head();
    // Before there is an organisation it cannot be asked for.
    let app = following(repository.config()).await;
    repository
        .write("rules/stop.yaml", &rule("stop-other", "other").replace("/acme/research", "/acme/reserch"));
    let head = repository.commit("ada", "A scope that is misspelt");
    refuses(&app, &head, "bundle", &["rules/stop.yaml:1", "/acme/reserch", "did you mean `/acme/research`?"])
        .await;
    repository.reset(&good);
    repository.write("rules/stop.yaml", &rule("stop-other", "other"));
    let head = repository.commit("ada", "As it is spelt");
    follows(&app, &head).await;
    app.finish().await;

    let git = GitConfig { require_known_scopes: false, ..repository.config() };
    let app = following(git).await;
    repository
        .write("rules/stop.yaml", &rule("stop-other", "other").replace("/acme/research", "/acme/reserch"));
    let head = repository.commit("ada", "A scope that is misspelt");
    follows(&app, &head).await;
    assert!(logs().contains("the organisation has no scope /acme/reserch"));
    // Whoever looks at what is in force sees it, beside what the lint says of the bundle alone.
    repository.write("rules/again.yaml", &rule("stop-again", "other"));
    repository.write("rules/stop.yaml", &rule("stop-other", "other"));
    let head = repository.commit("ada", "The same twice");
    follows(&app, &head).await;
    let doubts = status(&app).await["doubts"].to_string();
    assert!(doubts.contains("rules/stop.yaml:1: warning") && doubts.contains("stop-again"), "{doubts}");
    assert!(!doubts.contains("reserch"), "{doubts}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_has_to_approve() {
    let repository = Repository::new();
    repository.approve("bo", &repository.head());
    let first = repository.head();
    let git = GitConfig { require_approval: true, ..repository.config() };
    let app = following(git).await;
    let told = status(&app).await;
    assert!(told["commit"]["approver"].as_str().unwrap().starts_with("bo@acme.example"), "{told}");

    // By a note: of oneself, of a stranger, for another commit, for another purpose, and then of another.
    repository.write("rules/stop.yaml", &rule("stop-other", "other"));
    let head = repository.commit("ada", "A change");
    refuses(&app, &head, "approval", &["nobody else has approved", "refs/notes/approvals"]).await;
    repository.approve("ada", &head);
    refuses(&app, &head, "approval", &["cannot approve it too"]).await;
    repository.approve(STRANGER, &head);
    look(&app, "a stranger", |told| told["refused"]["why"].to_string().contains("no allowed signer's")).await;
    let elsewhere = repository.sign("bo", bailiwick::git::APPROVAL, &format!("{first}\n"));
    repository.git_with(&["notes", "--ref=approvals", "add", "-f", "--file=-", &head], &elsewhere);
    refuses(&app, &head, "approval", &["not of what it holds"]).await;
    let other = repository.sign("bo", "git", &format!("{head}\n"));
    repository.git_with(&["notes", "--ref=approvals", "add", "-f", "--file=-", &head], &other);
    refuses(&app, &head, "approval", &["namespace `git`"]).await;
    repository.approve("bo", &head);
    let took = follows(&app, &head).await;
    assert!(took < TWO_SECONDS, "{took:?}");

    // By a commit that changes nothing of the bundle, and says so: not of oneself, not under another's name, not with a
    // change.
    repository.write("rules/stop.yaml", &rule("stop-another", "other"));
    let changed = repository.commit("bo", "Another change");
    let head = repository.commit("bo", "Mine\n\nApproved-by: bo@acme.example");
    refuses(&app, &head, "approval", &["signed the commit", "too"]).await;
    repository.reset(&changed);
    let head = repository.commit("bo", "Theirs\n\nApproved-by: ada@acme.example");
    refuses(&app, &head, "approval", &["nobody else has approved"]).await;
    repository.reset(&changed);
    repository.write("rules/more.yaml", &rule("stop-more", "more"));
    let head = repository.commit("ada", "With more\n\nApproved-by: ada@acme.example");
    refuses(&app, &head, "approval", &["changes the bundle"]).await;
    repository.reset(&changed);
    std::fs::write(repository.path().join("README.md"), "Read.\n").unwrap();
    let head = repository.commit("ada", "Approve it\n\nI have read it.\n\nApproved-by: ada@acme.example");
    follows(&app, &head).await;
    let told = status(&app).await;
    assert!(told["commit"]["author"].as_str().unwrap().starts_with("bo@acme.example"), "{told}");
    assert!(told["commit"]["approver"].as_str().unwrap().starts_with("ada@acme.example"), "{told}");

    // By a merge that brings what another one wrote, and nothing else.
    repository.git(&["switch", "--quiet", "--create", "change"]);
    repository.write("rules/stop.yaml", &rule("stop-merged", "other"));
    repository.commit("ada", "On a branch");
    repository.git(&["switch", "--quiet", "main"]);
    let key = format!("user.signingKey={}", repository.key_file("bo").display());
    let message = "Merge the change\n\nApproved-by: bo@acme.example";
    repository.git(&["-c", &key, "merge", "--quiet", "--no-ff", "-S", "-m", message, "change"]);
    follows(&app, &repository.head()).await;

    // By a merge with what was in force before: nobody has signed for going back now.
    let merged = repository.head();
    let message = "Go back\n\nApproved-by: bo@acme.example";
    let key = format!("user.signingKey={}", repository.key_file("bo").display());
    let old_tree = format!("{first}^{{tree}}");
    let back = repository.git(&[
        "-c",
        &key,
        "commit-tree",
        &old_tree,
        "-p",
        &merged,
        "-p",
        &first,
        "-S",
        "-m",
        message,
    ]);
    repository.git(&["reset", "--quiet", "--hard", back.trim()]);
    refuses(&app, &repository.head(), "approval", &["does not descend from the one in force"]).await;
    repository.reset(&merged);

    // Who has two keys is one person all the same.
    repository.key("ada2", &["-t", "ed25519"]);
    let allowed = std::fs::read_to_string(repository.signers()).unwrap();
    repository.allow(&format!("{allowed}ada@acme.example {}", repository.public("ada2")));
    let head = repository.commit("ada", "With two keys");
    repository.approve("ada2", &head);
    refuses(&app, &head, "approval", &["cannot approve it too"]).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_disappears_leaves_the_last_good_policy_also_for_a_start() {
    let repository = Repository::new();
    let (git, first) = (repository.config(), repository.head());
    let app = following(git.clone()).await;
    repository.write("rules/stop.yaml", &rule("stop-other", "other"));
    let head = repository.commit("ada", "A change");
    follows(&app, &head).await;
    let away = repository.path().join("away");
    std::fs::rename(repository.path().join(".git"), &away).unwrap();
    look(&app, "gone", |told| told["refused"]["stage"] == "repository").await;
    let told = status(&app).await;
    assert_eq!((&told["commit"]["commit"], &told["refused"]["commit"]), (&json!(head), &Value::Null));
    app.ask("research", MODEL, "Hello").await.is(200);

    let folder = app.finish().await;
    let url = crate::support::database::postgres_in(folder.path()).await;
    let config = |data: &str| {
        let mut config = Config::at("127.0.0.1:0".parse().unwrap(), folder.path().join(data));
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        config.policy.git = Some(git.clone());
        config
    };
    let mut again = config("data");
    again.database_url = url.map(Into::into);
    let app = App::open(again, None).await.unwrap();
    let version = app.gateway.snapshot.load().version.clone().unwrap();
    assert_eq!(version.commit_id, head);
    app.close(Duration::from_secs(5)).await;
    // Without one there is nothing to decide by.
    let refused = App::open(config("fresh"), None).await.unwrap_err().to_string();
    assert!(refused.contains("no policy has come out of") && refused.contains("cannot be read"), "{refused}");
    std::fs::rename(&away, repository.path().join(".git")).unwrap();
    // Nor with one that does not descend: what is in force decides that, not what a server remembers.
    repository.reset(&first);
    repository.commit_unsigned("Not signed");
    let refused = App::open(config("fresh"), None).await.unwrap_err().to_string();
    assert!(refused.contains("not signed"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detector_that_nobody_serves_is_refused() {
    let repository = Repository::new();
    let app = following(repository.config()).await;
    let asking = "id: ask\ntitle: T\nbecause: [B]\nscope: /acme/research\nanalyze: nams\n";
    repository.write("rules/ask.yaml", asking);
    let head = repository.commit("ada", "Another detector");
    let why = ["rules/ask.yaml:1", "no endpoint serves the detector `nams`", "operations: [analyze]"];
    refuses(&app, &head, "endpoints", &why).await;
    app.finish().await;
}
