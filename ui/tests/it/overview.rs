//! The overview, what narrows the list, what reached an endpoint, policies, the audit log.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::sample::{self, Sample};
use super::{ok, page, page_in, send_to};

async fn unused(path: &str) -> super::Page {
    let request = Request::get(path).header("accept-language", "en").body(Body::empty()).unwrap();
    send_to(Sample::unused("http://gateway.example"), request, true).await
}

#[tokio::test]
async fn every_number_of_the_overview_leads_to_its_list() {
    let page = ok("/").await;
    let text = page.text();
    for words in ["Requests", "$38.21", "5,746", "Needs you now", "e-mail addresses", "Spend against budget"]
    {
        assert!(text.contains(words), "{words}");
    }
    // The range that the numbers are of stands in each link.
    for link in [
        "/decisions?outcome=denied&amp;from=2026-11-21T18%3A00",
        "/decisions?kind=IBAN&amp;from=2026-11-21T18%3A00",
        "/decisions?outcome=failed&amp;from=2026-11-21T21%3A00&amp;to=2026-11-21T22%3A00",
        "href=\"/budgets/",
        "href=\"/policies#refused\"",
        "href=\"/policies#attestations\"",
    ] {
        assert!(page.html.contains(link), "{link}");
    }
    // The chart says itself what it shows, and the same stands in a table.
    assert!(page.html.contains("<desc>") && text.contains("As a table"));
    assert!(ok("/?range=30d").await.text().contains("5 hours of this range are still being counted."));
    assert!(page_in("/", "de").await.text().contains("38,21"));
}

#[tokio::test]
async fn a_range_that_does_not_exist_and_a_scope_that_is_not_ours_are_refused() {
    assert_eq!(page("/?range=1y").await.parts.status, StatusCode::BAD_REQUEST);
    assert_eq!(page("/?scope=%2Felsewhere").await.parts.status, StatusCode::FORBIDDEN);
    assert_eq!(page("/decisions?from=yesterday").await.parts.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_unused_gateway_says_what_to_do_first() {
    let page = unused("/").await;
    let text = page.text();
    assert!(text.contains("Nothing waits for you") && text.contains("No requests in this time"), "{text}");
    assert!(text.contains("curl http://gateway.example/v1/chat/completions"));
    assert!(unused("/policies").await.text().contains("the bundle that ships with Bailiwick"));
}

#[tokio::test]
async fn who_may_see_little_sees_an_overview_of_that() {
    let mut viewer = sample::viewer();
    viewer.rights.retain(|right| right.object == "console:budgets");
    let request = Request::get("/").header("accept-language", "en").body(Body::empty()).unwrap();
    let app = bailiwick_ui::router(
        std::sync::Arc::new(Sample::new("http://gateway.example")),
        super::assets(true),
        super::ways(),
    )
    .layer(axum::extract::Extension(viewer));
    let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let html = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(html.contains("Spend against budget"));
    for not in ["Redactions by kind", "chart-bars", "href=\"/policies", "href=\"/audit\"", "/endpoints/"] {
        assert!(!html.contains(not), "{not}");
    }
}

#[tokio::test]
async fn filters_stand_in_the_address_and_open_where_they_hold() {
    let page =
        ok("/decisions?kind=EMAIL&endpoint=azure-sweden&from=2026-11-22T00:00&to=2026-11-23T00:00").await;
    assert!(page.html.contains("<details open class=\"more-filters\""), "{}", page.html);
    assert!(
        page.html.contains("value=\"2026-11-22T00:00\"")
            && page.html.contains("<option value=\"EMAIL\" selected")
    );
    assert!(page.text().contains("azure-sweden") && !page.text().contains("bedrock-us-east-1"));
    assert!(!ok("/decisions").await.html.contains("<details open class=\"more-filters\""));
    let rare = ok("/decisions?key=rare").await;
    assert!(rare.text().contains("60,000 decisions were looked at so far"));
    assert!(rare.text().contains("Look further back"));
}

#[tokio::test]
async fn what_reached_an_endpoint_is_a_page_and_two_files() {
    let page = ok("/reached?endpoint=openai-us&from=2026-11-22T00:00&to=2026-11-23T00:00").await;
    let text = page.text();
    assert!(text.contains("Detector") && text.contains("Attempt 2") && text.contains("&lt;script&gt;"));
    assert!(text.contains("One record on this page does not tell any more where it went"));
    let asked =
        "endpoint=openai-us&amp;from=2026-11-22T00%3A00%3A00.000Z&amp;to=2026-11-23T00%3A00%3A00.000Z";
    assert!(page.html.contains(&format!("/api/v1/reached?{asked}&amp;format=csv")), "{}", page.html);
    assert!(page.html.contains("&amp;cursor=bmV4dA\""));
    let quiet = ok("/reached?endpoint=quiet&from=2026-11-22T00:00&to=2026-11-23T00:00").await;
    assert!(quiet.text().contains("Nothing reached it"));
    // Without a time the day until now is offered, and nothing is asked.
    let blank = ok("/reached?endpoint=openai-us").await;
    assert!(blank.html.contains("value=\"2026-11-21T17:41\"") && !blank.html.contains("format=csv"));
}

#[tokio::test]
async fn a_wrong_question_is_kept_with_what_is_wrong_beside_it() {
    for (query, words) in [
        ("endpoint=a&provider=b&from=2026-11-22&to=2026-11-23", "one of them"),
        ("endpoint=a&from=never&to=2026-11-23", "This is no date and time."),
        ("endpoint=a&from=2026-11-23&to=2026-11-22", "The end has to be after the beginning."),
    ] {
        let page = page(&format!("/reached?{query}")).await;
        assert_eq!(page.parts.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(page.text().contains(words), "{words}");
        assert!(
            page.html.contains("aria-invalid=\"true\"") && page.html.contains("<option value=\"a\" selected")
        );
    }
}

#[tokio::test]
async fn the_policy_is_told_with_its_reasons_and_its_clocks() {
    let page = ok("/policies").await;
    let text = page.text();
    for words in [
        "A newer policy was refused",
        "rules/clinic.yaml:12",
        "can never match",
        "processing countries: within EU, EEA; trains on inputs: no",
        "refuses the request",
        "A thesis on public parliament records",
        "clinic-baa",
        "grace@acme.example",
        "gdpr 2026.11.1",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert!(page.html.contains("href=\"https://eur-lex.europa.eu/eli/reg/2016/679/oj\""));
    assert!(page.html.contains("id=\"rule-redact-contact-data\""));
    assert!(!page.html.contains("<script>alert"));
    let shadow = ok("/policies?mode=shadow").await;
    assert!(
        shadow.html.contains("id=\"rule-hostile\"")
            && !shadow.html.contains("id=\"rule-redact-contact-data\"")
    );
    assert!(ok("/policies?q=nowhere").await.text().contains("No rule matches this filter."));
}

#[tokio::test]
async fn an_export_is_asked_for_in_the_words_of_the_api() {
    let to = page("/audit/export?from=2026-11-01T00%3A00&to=&scope=%2Facme").await;
    assert_eq!(to.parts.status, StatusCode::SEE_OTHER);
    assert_eq!(to.header("location"), "/api/v1/audit/export?from=2026-11-01T00%3A00%3A00.000Z&scope=%2Facme");
    for (query, words) in [
        ("from=never&scope=%2Facme", "This is no date and time."),
        ("from=2026-11-02&to=2026-11-01&scope=%2Facme", "The end has to be after the beginning."),
        ("scope=%2Felsewhere", "Choose a scope that you may export."),
        // Whoever may export a part of the log can't have the whole.
        ("scope=", "Choose a scope that you may export."),
    ] {
        let page = page(&format!("/audit/export?{query}")).await;
        assert_eq!(page.parts.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(page.text().contains(words), "{words}");
    }
    let text = ok("/audit").await.text();
    assert!(text.contains("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=") && text.contains("acme+3f2a91c0"));
}

#[tokio::test]
async fn verifying_needs_no_account() {
    let request =
        Request::get("/audit/verify?signed-out").header("accept-language", "en").body(Body::empty()).unwrap();
    let stranger = super::send(request, true).await;
    assert_eq!(stranger.parts.status, StatusCode::OK);
    assert!(stranger.text().contains("The file stays in this browser"));
    assert!(stranger.html.contains("VerifyFile_"));
    assert!(stranger.header("content-security-policy").contains("connect-src 'self'"));
}

#[tokio::test]
async fn people_are_told_with_their_roles_and_disabled_with_a_reason() {
    let page = ok("/people").await;
    let text = page.text();
    for words in ["Ada Example", "auditor", "compliance, &lt;script&gt;", "disabled here", "no name"] {
        assert!(text.contains(words), "{words}");
    }
    // The sample's viewer holds rights at `/acme`, and people are of no scope.
    assert!(!page.html.contains("action=\"/people/p1/disable\""));
    let sessions = ok("/sessions").await;
    assert!(sessions.html.contains("action=\"/sessions/cs_2/end\"") && sessions.text().contains("this one"));
}
