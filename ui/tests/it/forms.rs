//! Forms: what they carry, what comes back where the API refuses, and what is shown once.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::sample::Sample;
use super::{Page, ok, send_to};

async fn post(path: &str, body: &str, lang: &str) -> Page {
    let request = Request::post(path)
        .header("accept-language", lang)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body.to_owned()))
        .unwrap();
    send_to(Sample::new("http://gateway.example"), request, true).await
}

#[tokio::test]
async fn every_form_of_a_session_carries_its_token_and_counts_once() {
    for path in ["/keys/new", "/keys/k3v9d1x7", "/budgets/2", "/requests", "/requests/new", "/kill-switches"]
    {
        let html = ok(path).await.html;
        let mut once = Vec::new();
        for form in html.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap();
            // Theme and language are nobody's secret.
            if form.contains("action=\"/preferences\"") {
                continue;
            }
            assert!(form.contains("name=\"csrf\" value=\"c5rf\""), "{path}: {form}");
            if !form.contains("action=\"/auth/sign-out\"") {
                once.push(
                    form.split("name=\"once\" value=\"")
                        .nth(1)
                        .unwrap()
                        .split('"')
                        .next()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
        assert!(!once.is_empty() && once.iter().all(|word| word.len() >= 16), "{path}: {once:?}");
        once.sort();
        assert!(once.windows(2).all(|pair| pair[0] != pair[1]), "{path}");
    }
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_says_it_beside_the_field() {
    let sent = "csrf=c5rf&scope=%2Facme&name=a%22%3Eb&budget_usd=much&tags=x%2C+y&limit_classes=yes&max_data_classes=phi";
    let page = post("/keys/new", sent, "en").await;
    assert_eq!(page.parts.status, StatusCode::BAD_REQUEST);
    for kept in ["value=\"a&quot;&gt;b\"", "value=\"much\"", "value=\"x, y\""] {
        assert!(page.html.contains(kept), "{kept}: {}", page.html);
    }
    assert!(page.html.contains("value=\"phi\" checked"), "a box stays ticked");
    assert!(page.html.contains("<details open class=\"form-more\""), "what was typed is in sight");
    let field = page.html.split("name=\"budget_usd\"").nth(1).unwrap();
    assert!(field.split("</label>").next().unwrap().contains("aria-invalid=\"true\""));
    assert!(field.split("</div>").next().unwrap().contains("`much` is no amount of US dollars"), "{field}");
    assert_eq!(page.text().matches("is no amount of US dollars").count(), 1, "once, beside the field");
    assert!(page.text().contains("see the marked fields"));
}

#[tokio::test]
async fn what_no_field_is_to_blame_for_is_said_above() {
    let page = post("/keys/new", "csrf=c5rf&scope=%2Facme&name=taken", "de").await;
    assert_eq!(page.parts.status, StatusCode::CONFLICT);
    let text = page.text();
    assert!(
        text.contains("es widerspricht dem, was jetzt da ist") && text.contains("is called `taken`"),
        "{text}"
    );
    assert!(page.html.contains("role=\"alert\""));
}

#[tokio::test]
async fn a_new_key_is_shown_with_snippets_that_do_not_hold_it() {
    let page = post("/keys/new", "csrf=c5rf&scope=%2Facme&name=n&models=m%22x", "en").await;
    assert_eq!(page.parts.status, StatusCode::OK);
    assert_eq!(page.header("cache-control"), "no-store");
    let text = page.text();
    for part in [
        super::sample::api::SECRET,
        "base_url=\"http://gateway.example/v1\"",
        "baseURL: \"http://gateway.example/v1\"",
        "curl http://gateway.example/v1/chat/completions",
        "only time that the key is shown",
    ] {
        assert!(text.replace("&quot;", "\"").contains(part), "{part}: {text}");
    }
    // Shown, and exported into the environment: each time with a button that copies it.
    assert_eq!(text.matches(super::sample::api::SECRET).count(), 2);
    assert!(text.contains(r#"model="m\"x""#), "a model can't break out of its quotes: {text}");
}

#[tokio::test]
async fn revoking_names_what_ends_and_asks_who_one_is() {
    let page = ok("/keys/k3v9d1x7").await;
    let text = page.text();
    assert!(
        text.contains(
            "Every application that uses “support” of /acme/retail/support is refused from now on."
        )
    );
    assert!(text.contains("With it end the keys that it replaced:"), "{text}");
    assert!(
        page.html.matches("<code>h2b6n8s4</code>").count() >= 2,
        "disabling and revoking name the old key"
    );
    let page = post("/keys/k3v9d1x7/revoke", "csrf=c5rf&reason=found+it", "en").await;
    assert_eq!(page.parts.status, StatusCode::FORBIDDEN);
    assert!(page.html.contains("href=\"/auth/step-up?back=%2Fkeys%2Fk3v9d1x7\""), "{}", page.html);
    assert!(page.html.contains(">found it</textarea>"), "the reason is still there");
}

#[tokio::test]
async fn a_key_is_told_in_plain_words() {
    let text = ok("/keys/k3v9d1x7").await.text();
    for words in [
        "It may ask for gpt-4o and mistral-large, and for no other model.",
        "Its requests go to azure-* and mistral-eu only",
        "It is refused from everywhere but 10.20.0.0/16.",
        "It may send 600 requests a minute.",
        "of these classes and of no other: personal and payment card.",
        "Its requests may be confidential at most.",
        "Each of its requests counts as about people in Germany and Austria.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = ok("/keys/c9w5r1j3").await.text();
    assert!(
        text.contains("every model that its scope offers") && text.contains("used from anywhere"),
        "{text}"
    );
}

#[tokio::test]
async fn budgets_are_a_tree_with_what_is_near_its_limit_first() {
    let page = ok("/budgets").await;
    let text = page.text();
    assert!(text.contains("Near the limit") && text.contains("$1,733.02") && text.contains("over the limit"));
    let order: Vec<usize> =
        ["</span>acme</h3>", "</span>clinic</h3>", "</span>retail</h3>", "</span>support</h3>"]
            .iter()
            .map(|end| page.html.find(end).unwrap_or_else(|| panic!("{end}: {}", page.html)))
            .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(
        page.html.contains("aria-label=\"$1,733.02 spent and $61.90 held of $2,000.00\""),
        "bars have words"
    );
    assert!(ok("/budgets/2").await.text().contains("Black Friday"));
}

#[tokio::test]
async fn nobody_decides_what_they_asked_for() {
    let html = ok("/requests").await.html;
    let card = |id: &str| {
        let at = html.find(&format!("id=\"{id}\"")).unwrap();
        html[at..].split("</li>").next().unwrap().to_owned()
    };
    assert!(card("req_1").contains("/requests/req_1/approve"));
    assert!(!card("req_2").contains("/approve") && card("req_2").contains("/requests/req_2/withdraw"));
    assert!(!card("req_3").contains("/approve"), "it is decided");
    assert!(card("req_3").contains("exceptions/req-3.yaml"));
}

#[tokio::test]
async fn each_answer_of_the_matrix_leads_to_its_facts() {
    let html = ok("/endpoints").await.html;
    let href = "href=\"/endpoints/azure-sweden?model=gpt-4o&amp;scope=%2Facme#hipaa\"";
    assert!(html.contains(href), "{html}");
    let page = ok("/endpoints/azure-sweden?model=gpt-4o&scope=%2Facme").await;
    assert!(page.html.contains("id=\"hipaa\"") && page.html.contains("https://learn.example/data-residency"));
    assert!(page.text().contains("49 days ago"), "evidence has an age");
    assert_eq!(super::page("/endpoints/none").await.parts.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn empty_pages_tell_the_next_step() {
    for (path, words) in [
        ("/keys", "An application needs a key"),
        ("/budgets", "Declare the first"),
        ("/requests", "Nothing was asked for"),
        ("/endpoints", "Declare the first one"),
        ("/kill-switches", "Nothing is stopped"),
    ] {
        let request = Request::get(path).header("accept-language", "en").body(Body::empty()).unwrap();
        let page = send_to(Sample::unused("http://gateway.example"), request, true).await;
        assert!(page.text().contains(words), "{path}: {}", page.text());
    }
}

#[tokio::test]
async fn markup_in_names_stays_text() {
    for path in ["/keys", "/keys/p6t4y2m8", "/requests", "/endpoints", "/kill-switches"] {
        let html = ok(path).await.html;
        assert!(!html.contains("<script>alert"), "{path}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path} shows the name");
    }
}
