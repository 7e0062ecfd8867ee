//! The command line against a running server: what it prints, and its exit codes.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::process::{Ended, run};

const STARTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/starter");

/// Runs a command beside the server of this process.
async fn against(app: &TestApp, words: &[&str]) -> Ended {
    let (url, token) = (app.url().to_owned(), app.token().to_owned());
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(&words, Some((&url, &token)), "")
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_created_listed_rotated_and_revoked() {
    let app = TestApp::start().await;
    let create = [
        "keys",
        "create",
        "--scope",
        "/acme/research",
        "--name",
        "cli",
        "--budget-usd",
        "5",
        "--models",
        "gpt-4.1,nimbus-1",
        "--expires",
        "2099-01-01T00:00:00Z",
        "--json",
    ];
    let created = against(&app, &create).await.is(0).json();
    let fields: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["id", "key"], "the shape is a contract");
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    assert!(key.starts_with("bwk_"));
    app.ask(key, "gpt-4.1", "x").await.is(200);
    app.ask(key, "assistant", "x").await.is(404);
    let listed = against(&app, &["keys", "list", "--json"]).await.is(0);
    assert!(
        !listed.out.contains(key)
            && listed.json()["keys"].as_array().unwrap().iter().any(|one| one["id"] == id)
    );
    assert!(against(&app, &["keys", "list"]).await.is(0).out.contains("/acme/research"));
    let rotated = against(&app, &["keys", "rotate", id, "--overlap-hours", "0", "--json"]).await.is(0).json();
    let new = rotated["key"].as_str().unwrap();
    app.ask(new, "gpt-4.1", "x").await.is(200);
    app.ask(key, "gpt-4.1", "x").await.is(401);
    let revoked = against(&app, &["keys", "revoke", rotated["id"].as_str().unwrap()]).await.is(0);
    assert!(revoked.out.contains(&format!("what it replaced: {id}")), "{revoked:?}");
    app.ask(new, "gpt-4.1", "x").await.is(401);
    let failed = against(&app, &["keys", "revoke", "none"]).await.is(1);
    assert!(failed.err.contains("key") && failed.out.is_empty(), "{failed:?}");
    let failed =
        against(&app, &["keys", "create", "--scope", "/nowhere", "--name", "x", "--json"]).await.is(1);
    assert!(serde_json::from_str::<Value>(failed.err.trim()).unwrap()["error"].is_string());
    against(&app, &["keys", "create", "--name", "x"]).await.is(2);
    app.finish().await;
}

/// What an earlier demo printed on the same folder ends with the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_starts_again_ends_what_it_gave_out() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let first = bailiwick::demo::Demo::start(address, &data).await.unwrap();
    let before = first.announcement.clone();
    first.stop().await;
    let second = bailiwick::demo::Demo::start(address, &data).await.unwrap();
    let now = second.announcement.clone();
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let link = |console: &str| format!("{}/{}", now.url, console.splitn(4, '/').nth(3).unwrap());
    for (given, works) in [(&before, false), (&now, true)] {
        let keys = format!("{}/api/v1/keys", now.url);
        let status = client.get(&keys).bearer_auth(&given.admin_token).send().await.unwrap().status();
        assert_eq!(status.as_u16(), if works { 200 } else { 401 });
        let signed_in = client.get(link(&given.console)).send().await.unwrap();
        assert_eq!(signed_in.headers().contains_key("set-cookie"), works);
    }
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declarations_are_applied_or_refused_whole() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("org.yaml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "scopes: [{ path: /acme/lab, subject_regions: [EU] }]\nkeys: [{ scope: /acme/lab, name: lab }]\nbudgets: [{ scope: /acme/lab, window: day, limit_usd: '1.50' }]\n").unwrap();
    let applied = against(&app, &["apply", "-f", path, "--json"]).await.is(0).json();
    let key = applied["created_keys"][0]["key"].as_str().unwrap();
    app.ask(key, "assistant", "x").await.is(200);
    let again = against(&app, &["apply", "-f", path, "--json"]).await.is(0).json();
    assert_eq!(again["created_keys"], json!([]));
    for (text, told) in [
        ("scopes: [{ path: /acme/lab, subject_region: [EU] }]\n", "subject_region"),
        ("scopes: [{ path: acme }]\nbudgets: [{ scope: /acme/lab, window: day, limit_usd: lots }]\n", "lots"),
        ("keys: [{ scope: /acme/lab }]\n", "name"),
        ("keys: [{ scope: /acme/lab, name: x, sensitivty: public }]\n", "sensitivty"),
        ("scopes: [\n", "org.yaml"),
    ] {
        std::fs::write(&file, text).unwrap();
        let failed = against(&app, &["apply", "-f", path]).await.is(1);
        assert!(failed.err.contains(told), "{failed:?}");
    }
    let missing = against(&app, &["apply", "-f", "/nowhere/org.yaml"]).await.is(1);
    assert!(missing.err.contains("/nowhere/org.yaml"));
    app.finish().await;
}

#[test]
fn a_damaged_database_is_named_with_its_path_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = data.join("bailiwick.db");
    std::fs::write(&file, "this is no database, and long enough to be looked at as one. ".repeat(200))
        .unwrap();
    let config = folder.path().join("bailiwick.toml");
    std::fs::write(&config, format!("listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n", data.to_str().unwrap()))
        .unwrap();
    let failed = run(&["serve", "--config", config.to_str().unwrap()], None, "").is(1);
    assert!(failed.err.contains(file.to_str().unwrap()) && failed.err.contains("restore"), "{failed:?}");
    // So is one that cannot be opened at all.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let failed = run(&["serve", "--config", config.to_str().unwrap()], None, "").is(1);
    assert!(failed.err.contains(file.to_str().unwrap()), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_listed_and_explained() {
    let app = TestApp::start().await;
    let listed = against(&app, &["endpoints", "list", "--json"]).await.is(0).json();
    assert_eq!(listed["endpoints"].as_array().unwrap().len(), 7);
    assert_eq!(listed["unusable"], json!([]));
    assert!(against(&app, &["endpoints", "list"]).await.is(0).out.contains("vllm-germany"));
    let words = ["endpoints", "explain", "azure-sweden", "--scope", "/acme/clinic"];
    let explained = against(&app, &words).await.is(0).out;
    assert!(explained.contains("hipaa_eligible") && explained.contains("https://"), "{explained}");
    against(&app, &["endpoints", "explain", "none"]).await.is(1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_exported_verified_and_proved() {
    let app = TestApp::start().await;
    let decision = app.ask("support", "assistant", "x").await.is(200).decision();
    app.settled().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (export, receipt, key) = (path("export.jsonl"), path("receipt.json"), path("key"));
    std::fs::write(&key, app.public_key().to_string()).unwrap();
    against(&app, &["audit", "export", "-o", &export]).await.is(0);
    against(&app, &["audit", "receipt", &decision, "-o", &receipt]).await.is(0);
    let verify = |file: &str| run(&["audit", "verify", file, "--public-key", &key, "--json"], None, "");
    let told = verify(&export).is(0).json();
    assert_eq!((&told["key_expected"], &told["verified"]), (&json!(true), &json!(true)));
    let ranged = ["audit", "export", "--from", "2020-01-01T00:00:00Z", "-o", &path("ranged.jsonl")];
    assert!(against(&app, &ranged).await.is(0).out.contains("from 2020-01-01T00:00:00Z"));
    against(&app, &["audit", "export", "--from", "garbage", "-o", &path("none.jsonl")]).await.is(2);
    let told = verify(&receipt).is(0).json();
    assert_eq!((&told["verified"], &told["decision"]), (&json!(true), &json!(decision)));
    let mut bytes = std::fs::read(&export).unwrap();
    bytes.pop();
    std::fs::write(&export, bytes).unwrap();
    let broken = verify(&export).is(1).json();
    assert!(!broken["problems"].as_array().unwrap().is_empty());
    assert_eq!(broken["verified"], false);
    verify("/nowhere").is(1);
    let checkpoint = against(&app, &["audit", "checkpoint", "--json"]).await.is(0).json();
    assert!(checkpoint["checkpoint"].as_str().unwrap().starts_with("bailiwick/"), "{checkpoint}");
    let failed = against(&app, &["audit", "receipt", "dec_none"]).await.is(1);
    assert!(failed.err.contains("no such decision"), "{failed:?}");
    app.finish().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn bundles_are_checked_and_tested() {
    let checked = run(&["policy", "check", STARTER, "--json"], None, "").is(0).json();
    assert!(checked.as_array().unwrap().iter().all(|problem| problem["severity"] != "error"), "{checked}");
    let tested = run(&["policy", "test", STARTER], None, "").is(0);
    assert!(tested.out.contains("passed, 0 failed") && !tested.out.starts_with("0 passed"), "{}", tested.out);

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("bundle");
    let path = dir.to_str().unwrap();
    copy(Path::new(STARTER), &dir);
    // A rule that is off fails the tests that hold to it.
    let rule = std::fs::read_to_string(dir.join("rules/phi.yaml")).unwrap();
    std::fs::write(dir.join("rules/phi.yaml"), rule.replacen("scope: /", "mode: off\nscope: /", 1)).unwrap();
    let junit = folder.path().join("results.xml");
    let junit = junit.to_str().unwrap();
    let failed = run(&["policy", "test", path, "--junit", junit], None, "").is(1);
    assert!(failed.out.contains("FAILED"), "{failed:?}");
    // Below each that failed stands what was expected of it, and what came instead.
    let lines: Vec<&str> = failed.out.lines().collect();
    let below = lines.iter().position(|line| line.starts_with("FAILED PHI of the clinic reaches")).unwrap();
    let differs: Vec<&str> =
        lines[below + 1..].iter().take_while(|line| line.starts_with(' ')).map(|line| line.trim()).collect();
    let starts = "expected the endpoints [azure-sweden, bedrock-us-east-1] to be eligible, got [";
    assert!(differs.iter().any(|line| line.starts_with(starts)), "{differs:?}");
    let ended = failed.out.lines().last().unwrap();

    // The same for machines: what passed and what failed, and why.
    let told = run(&["policy", "test", path, "--json"], None, "").is(1).json();
    let told = told.as_array().unwrap();
    let (bad, good): (Vec<&Value>, Vec<&Value>) =
        told.iter().partition(|result| !result["failures"].as_array().unwrap().is_empty());
    assert!(
        !good.is_empty() && good.iter().all(|result| result["file"].as_str().unwrap().starts_with("tests/"))
    );
    assert_eq!(ended, format!("{} passed, {} failed", good.len(), bad.len()));
    let one = bad.iter().find(|result| lines[below].contains(result["name"].as_str().unwrap())).unwrap();
    assert_eq!(one["file"], "tests/phi.yaml");
    let failures: Vec<&str> =
        one["failures"].as_array().unwrap().iter().map(|failure| failure.as_str().unwrap()).collect();
    assert_eq!(failures, differs);

    // And for a CI system, which counts what it reads.
    let xml = std::fs::read_to_string(junit).unwrap();
    let (mut suites, mut cases, mut failures) = (0, 0, 0);
    for line in xml.lines() {
        suites += usize::from(line.trim_start().starts_with("<testsuite "));
        cases += usize::from(line.trim_start().starts_with("<testcase "));
        failures += line.matches("<failure ").count();
    }
    let files: std::collections::BTreeSet<&str> =
        told.iter().map(|result| result["file"].as_str().unwrap()).collect();
    assert_eq!((suites, cases, failures), (files.len(), told.len(), bad.len()), "{xml}");
    let whole = format!("tests=\"{}\" failures=\"{}\" time=\"", told.len(), bad.len());
    let head = xml.lines().nth(1).unwrap();
    assert!(head.starts_with("<testsuites name=\"") && head.contains(&whole), "{head}");
    assert!(xml.contains(starts), "{xml}");
    std::fs::write(dir.join("rules/broken.yaml"), "id: broken\nscope: /\nrequire: { colour: blue }\n")
        .unwrap();
    let failed = run(&["policy", "check", path], None, "").is(1);
    assert!(failed.out.contains("broken.yaml") && failed.out.contains("colour"), "{failed:?}");
    run(&["policy", "check", "/nowhere"], None, "").is(1);
    run(&["policy", "check"], None, "").is(2);
}

#[test]
fn text_is_scanned_for_personal_data() {
    let text = "Grüße an ida@kunde.example\n";
    let scanned = run(&["pii", "scan"], None, text).is(0);
    let found: Value = serde_json::from_str(scanned.out.trim()).unwrap();
    let fields: Vec<&String> = found.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["end", "entity_type", "score", "start"]);
    let (start, end) = (found["start"].as_u64().unwrap() as usize, found["end"].as_u64().unwrap() as usize);
    assert_eq!((&text[start..end], &found["entity_type"]), ("ida@kunde.example", &json!("EMAIL")));
    let score = found["score"].as_f64().unwrap();
    assert!(score > 0.0 && score <= 1.0);
    assert_eq!(run(&["pii", "scan", "-"], None, "nothing here").is(0).out, "");
    run(&["pii", "scan", "/nowhere"], None, "").is(1);
    assert_eq!(run(&["pii", "scan"], None, "9876543210").is(0).out, "");
    let indian = run(&["pii", "scan", "--phone-region", "IN"], None, "9876543210").is(0);
    assert!(indian.out.contains("\"PHONE\""), "{indian:?}");
    run(&["pii", "scan", "--phone-region", "UK"], None, "").is(1);
    let doubtful = run(&["pii", "scan", "--min-confidence", "30"], None, "it is 99287100239").is(0);
    assert!(
        doubtful.out.contains("\"score\":0.30") || doubtful.out.contains("\"score\":0.3}"),
        "{doubtful:?}"
    );
    run(&["pii", "scan", "--min-confidence", "0"], None, "").is(2);
}

#[test]
fn findings_in_ordinary_text_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    std::fs::write(folder.path().join("below/a.txt"), "one two three ida@kunde.example\n").unwrap();
    std::fs::write(folder.path().join("b.bin"), b"\xff\xfe ida@kunde.example").unwrap();
    let path = folder.path().to_str().unwrap();
    let counted = run(&["pii", "eval", "--json", "--ordinary", path], None, "").is(0);
    let lines: Vec<Value> = counted.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({ "entity_type": "EMAIL", "findings": 1, "in_10000_words": 2500.0 }));
    assert_eq!(lines[1], json!({ "entity_type": "checked", "findings": 0, "in_10000_words": 0.0 }));
    assert!(run(&["pii", "eval", "--ordinary", path], None, "").is(0).out.starts_with("4 words\n"));
    run(&["pii", "eval"], None, "").is(2);
}

#[test]
fn what_is_not_a_command_is_bad_usage() {
    run(&["frobnicate"], None, "").is(2);
    run(&[], None, "").is(2);
    let told = run(&["audit", "verify", "--json"], None, "").is(2);
    let told: Value = serde_json::from_str(told.err.trim()).unwrap();
    assert!(told["error"].as_str().unwrap().contains("FILE"), "{told}");
    assert!(run(&["--help"], None, "").is(0).out.contains("audit"));
    assert!(run(&["--version"], None, "").is(0).out.starts_with("bailiwick "));
    let unreachable = run(&["keys", "list"], Some(("http://127.0.0.1:1", "bwt_x")), "").is(1);
    assert!(unreachable.err.contains("127.0.0.1:1"), "{unreachable:?}");
}
