//! Files in prompts: those of text are read and redacted like text, a PDF is read as far as it can be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::app::TestApp;

const MAIL: &str = "zeisig.erlenhain@kunde.example";

fn file(kind: &str, bytes: &[u8]) -> Value {
    let data = format!("data:{kind};base64,{}", STANDARD.encode(bytes));
    json!({ "model": "assistant", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "Read this" },
        { "type": "file", "file": { "filename": "a", "file_data": data } },
    ] }] })
}

/// A PDF of one page with this text, in a stream that is not compressed.
fn pdf(text: &str) -> Vec<u8> {
    let page = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
    format!(
        "%PDF-1.7\n1 0 obj\n<< /Length {} >>\nstream\n{page}\nendstream\nendobj\n% {}\ntrailer << >>\n",
        page.len(),
        "-".repeat(128)
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_text_are_redacted_within_their_base64() {
    let app = TestApp::start().await;
    let table = format!("name;mail\nZeisig;{MAIL}\n");
    let document = json!({ "mail": MAIL, "n": 4012888888881881_u64 }).to_string();
    for (kind, text) in [
        ("text/csv", table.as_str()),
        ("text/plain", table.as_str()),
        ("text/markdown;charset=utf-8", table.as_str()),
        ("application/json", document.as_str()),
    ] {
        app.forget();
        let reply = app.chat("support", &file(kind, text.as_bytes())).await.is(200);
        assert!(reply.header("x-bailiwick-redactions").unwrap().contains("EMAIL=1"), "{reply:?}");
        let sent: String = app
            .simulators()
            .flat_map(|simulator| simulator.received())
            .map(|got| String::from_utf8_lossy(&got.body).into_owned())
            .collect();
        let body: Value = serde_json::from_str(&sent).unwrap();
        let data = body["messages"][0]["content"][1]["file"]["file_data"].as_str().unwrap();
        let (head, bytes) = data.split_once(',').unwrap();
        assert_eq!(head, format!("data:{kind};base64"));
        let got = String::from_utf8(STANDARD.decode(bytes).unwrap()).unwrap();
        assert!(got.contains("<EMAIL_") && !got.contains(MAIL), "{got}");
        if kind == "application/json" {
            let got: Value = serde_json::from_str(&got).expect("JSON stays JSON");
            assert_eq!(got["n"], "****");
        } else {
            assert!(got.starts_with("name;mail\nZeisig;<EMAIL_"), "{got}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pdf_with_what_has_to_be_replaced_is_refused() {
    let app = TestApp::start().await;
    // The scope says what its files hold; what is found in one counts besides.
    let reply = app.chat("research", &file("application/pdf", &pdf("Nothing of anybody"))).await.is(200);
    let record = app.records_of(&reply.decision()).await.swap_remove(0);
    assert_eq!(record.sections["facts"]["entities"], json!({}));
    let reply = app.chat("research", &file("application/pdf", &pdf(&format!("Mail {MAIL}")))).await.is(200);
    let record = app.records_of(&reply.decision()).await.swap_remove(0);
    assert_eq!(record.sections["facts"]["entities"], json!({ "EMAIL": 1 }));
    app.forget();
    // A card number is masked everywhere.
    let refused = app.chat("research", &file("application/pdf", &pdf("card 4012888888881881"))).await;
    let refused = refused.refused(403, "policy_denied").json();
    assert_eq!(refused["bailiwick"]["rules"], json!(["card-numbers-never-leave"]));
    assert!(refused["error"]["message"].as_str().unwrap().contains("CARD"), "{refused}");
    assert!(app.received().is_empty());
    app.finish().await;
}
