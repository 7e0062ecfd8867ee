//! The exported log of a mixed run verifies, here and in the second verifier, and fails to after any change.

use std::process::Command;

use bailiwick::demo::simulator::Behaviour;
use bailiwick_ledger::{PublicKey, Receipt, verify_export};
use serde_json::json;

use crate::app::{TestApp, message};
use crate::process::run;

async fn mixed_run(app: &TestApp) -> String {
    let reply = app.ask("support", "assistant", "Write to a@kunde.example").await.is(200);
    app.ask("support", "gpt-4.1-mini", "x").await.is(403);
    let mut body = message("gpt-4.1", "x");
    body["stream"] = json!(true);
    app.chat("research", &body).await.is(200);
    app.simulator("azure-sweden").push_behaviour(Behaviour::Close);
    app.ask("clinic", "assistant", "A cough").await.is(200);
    app.ask("bwk_nobody", "assistant", "x").await.is(401);
    let (id, _) = app.create_key(json!({ "scope": "/acme/research", "name": "extra" })).await;
    app.admin(reqwest::Method::POST, &format!("/api/v1/keys/{id}/revoke"), None).await.is(200);
    app.apply(json!({ "scopes": [{ "path": "/acme/new" }] })).await;
    reply.decision()
}

fn verifies(export: &[u8], key: &PublicKey) -> bool {
    verify_export(export, Some(key)).unwrap().verified()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_verifies_until_it_is_changed() {
    let app = TestApp::start().await;
    let decision = mixed_run(&app).await;
    let key = app.public_key();
    let export = app.export().await;
    assert!(verifies(&export, &key));

    let kinds: Vec<String> = app.records().await.into_iter().map(|record| record.header.kind).collect();
    for kind in ["decision", "attempt", "outcome", "refusal", "admin", "export"] {
        assert!(kinds.iter().any(|found| found == kind), "no {kind} among {kinds:?}");
    }

    // Any one byte, at places all over the file.
    let step = (export.len() / 400).max(1);
    for at in (0..export.len()).step_by(step) {
        for flip in [0x01, 0x20] {
            let mut changed = export.to_vec();
            changed[at] ^= flip;
            assert!(!verifies(&changed, &key), "byte {at} of {} xor {flip}", export.len());
        }
    }
    let lines: Vec<&[u8]> = export.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        assert!(!verifies(&fewer.concat(), &key), "without line {at}");
        let cut = lines[..at].concat();
        assert!(!verifies(&cut, &key), "cut before line {at}");
        if at + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert!(!verifies(&swapped.concat(), &key), "lines {at} and the next swapped");
        }
    }
    assert!(!verifies(&export[..export.len() - 1], &key));

    // A receipt is one decision's records with their proofs; the key that asked may have it.
    let receipt = app.get(&format!("/v1/decisions/{decision}"), "support").await.is(200);
    let verified = Receipt::parse(&receipt.body).unwrap().verify(Some(&key)).unwrap();
    assert_eq!(verified.decision.as_deref(), Some(decision.as_str()));
    assert_eq!(verified.records.len(), 2);
    let mut changed = receipt.body.to_vec();
    let at = memchr::memmem::find(&changed, b"vllm-germany").unwrap();
    changed[at] = b'w';
    assert!(Receipt::parse(&changed).and_then(|receipt| receipt.verify(Some(&key))).is_err());
    app.get(&format!("/v1/decisions/{decision}"), "research").await.refused(404, "not_found");
    app.get(&format!("/v1/decisions/{decision}"), "").await.refused(401, "invalid_api_key");
    let token = app.token().to_owned();
    for missing in ["dec_none", "%ff"] {
        app.get(&format!("/v1/decisions/{missing}"), &token).await.refused(404, "not_found");
    }

    second_opinion(&export, &receipt.body, &changed, &key);
    app.finish().await;
}

/// The Python script and the command line come to the same verdicts.
fn second_opinion(export: &[u8], receipt: &[u8], bad_receipt: &[u8], key: &PublicKey) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut bad = export.to_vec();
    let middle = bad.len() / 2;
    let digit = bad.iter().skip(middle).position(u8::is_ascii_digit).unwrap() + middle;
    bad[digit] = if bad[digit] == b'0' { b'1' } else { b'0' };
    std::fs::write(path("key"), key.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verify/bailiwick_verify.py");
    let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|value| value == "1");
    let python =
        Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(python || !strict, "python3 is not installed");
    if !python {
        eprintln!("SKIPPED: python3 is not installed, so the second verifier was not asked");
    }
    for (name, bytes, good) in [
        ("export", export, true),
        ("bad", &bad[..], false),
        ("receipt", receipt, true),
        ("bad-receipt", bad_receipt, false),
    ] {
        std::fs::write(path(name), bytes).unwrap();
        run(&["audit", "verify", &path(name), "--public-key", &path("key")], None, "").is(i32::from(!good));
        if python {
            let output = Command::new("python3")
                .args([script, &path(name), "--public-key", &path("key")])
                .output()
                .unwrap();
            assert_eq!(output.status.success(), good, "{name}: {output:?}");
        }
    }
}

/// A server's life is in its log: starts with what it started with, stops in good order, policies that came into force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_stops_and_policies_are_recorded() {
    let app = TestApp::start().await;
    let digest = app.app().gateway.snapshot.load().bundle_digest.clone();
    let folder = app.finish().await;
    let bundle = folder.path().join("bundle");
    for (name, text) in bailiwick_policy::BundleSource::starter().files {
        let path = bundle.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(bundle.join("README.md"), "Ours.").unwrap();
    let rules = std::fs::read_dir(bundle.join("rules")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("{text}\n# Ours.\n")).unwrap();
    let url = crate::support::database::postgres_in(folder.path()).await;
    let open = |bundle: Option<std::path::PathBuf>| {
        let mut config =
            bailiwick::app::Config::at("127.0.0.1:0".parse().unwrap(), folder.path().join("data"));
        config.database_url = url.clone().map(Into::into);
        config.limits.spool_bytes = 0;
        config.bundle = bundle;
        // As of the demo that began here.
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        bailiwick::app::App::open(config, None)
    };
    let grace = std::time::Duration::from_secs(5);
    open(None).await.unwrap().close(grace).await;
    let last = open(Some(bundle)).await.unwrap();
    let audit = &last.gateway.audit;
    let (export, _) = audit.export(bailiwick::audit::ExportRequest::default(), Vec::new()).await.unwrap();
    let (_, records) = crate::books::read_export(&export, Some(audit.public_key()));
    let life: Vec<_> = records
        .iter()
        .filter(|record| ["start", "stop", "policy"].contains(&record.header.kind.as_str()))
        .collect();
    let kinds: Vec<&str> = life.iter().map(|record| record.header.kind.as_str()).collect();
    assert_eq!(kinds, ["start", "policy", "stop", "start", "stop", "start", "policy"]);
    let start = &life[0].sections["start"];
    assert_eq!((&start["version"], &start["simulated"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(true)));
    assert_eq!(start["config"], life[3].sections["start"]["config"]);
    assert_ne!(start["config"], life[5].sections["start"]["config"], "another bundle is configured");
    assert_eq!(life[0].header.digests["bundle"], digest);
    assert_eq!(life[1].sections["policy"], json!({ "to": digest }));
    let now = last.gateway.snapshot.load().bundle_digest.clone();
    assert_ne!(now, digest);
    assert_eq!(life[6].sections["policy"], json!({ "from": digest, "to": now }));
    assert_eq!(life[2].sections["stop"], json!({ "unsettled": 0 }));
    last.close(grace).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_wrong_keys_are_one_record() {
    let app = TestApp::start().await;
    for _ in 0..50 {
        app.ask("bwk_wrong", "assistant", "x").await.is(401);
    }
    let gateway = &app.app().gateway;
    gateway.flush_refused().await.unwrap();
    let records: Vec<_> = app
        .records()
        .await
        .into_iter()
        .filter(|record| record.header.kind == "refused_authentication")
        .collect();
    assert!(!records.is_empty() && records.len() < 3, "{records:?}");
    let counted: u64 =
        records.iter().map(|record| record.sections["refused"]["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 50);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_read_is_counted_for_its_key() {
    let app = TestApp::start().await;
    let key = app.key("support");
    let post = |body: &'static str, header: &'static str| {
        let url = format!("{}/v1/chat/completions", app.url());
        app.client.post(url).bearer_auth(&key).header(header, "1").body(body).send()
    };
    for _ in 0..20 {
        assert_eq!(post("{", "accept-charset").await.unwrap().status(), 400);
        assert_eq!(post("{}", "x-bailiwick-unknown").await.unwrap().status(), 400);
    }
    let gateway = &app.app().gateway;
    gateway.flush_refused().await.unwrap();
    gateway.flush_refused().await.unwrap();
    let records = app.records().await;
    let counted: Vec<_> = records
        .iter()
        .filter(|record| record.header.kind == "refusal")
        .map(|record| (&record.header.scope, &record.sections["refused"]))
        .collect();
    let expected = json!({ "count": 40, "codes": { "invalid_request": 40 } });
    assert_eq!(counted, [(&Some(String::from("/acme/retail/support")), &expected)]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_one_scope_shows_the_others_as_hashes() {
    let app = TestApp::start().await;
    mixed_run(&app).await;
    app.settled().await;
    let export =
        app.admin(reqwest::Method::GET, "/api/v1/audit/export?scope=/acme/clinic", None).await.is(200).body;
    let (report, records) = crate::books::read_export(&export, Some(&app.public_key()));
    assert!(report.counts.stubs > 0 && !records.is_empty());
    assert!(
        records.iter().all(|record| record.header.scope.as_deref() == Some("/acme/clinic")),
        "{records:?}"
    );
    assert!(memchr::memmem::find(&export, b"acme/retail").is_none());
    app.get("/api/v1/audit/export", "support").await.is(401);
    app.finish().await;
}
