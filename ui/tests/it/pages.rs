//! What each page says.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::sample::Sample;
use super::{ALLOWED, DENIED, FAILED, RUNNING, ok, page, page_in, send, send_to};

#[tokio::test]
async fn the_list_shows_each_row_in_words() {
    let page = ok("/decisions").await;
    for word in [
        "Allowed",
        "Denied",
        "Failed",
        "Running",
        "azure-sweden",
        "no_eligible_endpoint",
        "gpt-4o-mini",
        "$0.000413",
    ] {
        assert!(page.text().contains(word), "{word}");
    }
    assert!(page.html.contains("title=\"Sweden\""), "countries have names");
    assert_eq!(page.html.matches("class=\"row-link\"").count(), 24);
}

#[tokio::test]
async fn a_page_is_asked_for_again_while_its_request_is_under_way() {
    let refresh = |page: &super::Page| page.parts.headers.contains_key("refresh");
    assert!(refresh(&ok(RUNNING).await));
    assert!(!refresh(&ok(ALLOWED).await));
}

#[tokio::test]
async fn filters_stand_in_the_address_and_the_form_keeps_them() {
    let page = ok("/decisions?outcome=allowed&scope=%2Facme%2Fresearch&q=").await;
    assert!(
        page.html.contains("href=\"/decisions?scope=%2Facme%2Fresearch&amp;outcome=denied\""),
        "{}",
        page.html
    );
    assert!(page.html.contains("<input type=\"hidden\" name=\"outcome\" value=\"allowed\""));
    assert!(page.html.contains("/decisions?scope=%2Facme%2Fresearch&amp;outcome=allowed&amp;before=dec_"));
    assert!(!page.text().contains("/acme/clinicclinic"));
}

#[tokio::test]
async fn a_value_from_the_address_cannot_break_out_of_its_attribute() {
    let page = ok("/decisions?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(!page.html.contains("<script>alert"));
    let value =
        page.html.split("name=\"q\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(value.contains("&quot;") && value.ends_with("alert(1)&lt;/script&gt;"), "{value}");
}

#[tokio::test]
async fn an_outcome_that_does_not_exist_is_refused_rather_than_ignored() {
    assert_eq!(page("/decisions?outcome=maybe").await.parts.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_empty_list_tells_the_next_step() {
    let request = Request::get("/decisions").header("accept-language", "en").body(Body::empty()).unwrap();
    let page = send_to(Sample::unused("http://gateway.example"), request, true).await;
    assert!(page.text().contains("curl http://gateway.example/v1/chat/completions"));
    assert!(!page.html.contains("<form class=\"filters\""), "nothing to filter");

    let narrowed = ok("/decisions?q=nowhere").await;
    assert!(narrowed.text().contains("Nothing matches"));
    assert!(!narrowed.text().contains("curl"));
}

#[tokio::test]
async fn only_the_unfiltered_first_page_follows_the_stream() {
    assert!(ok("/decisions").await.html.contains("/api/v1/decisions/stream"));
    for narrowed in ["outcome=allowed", "before=dec_x", "kind=EMAIL", "from=2026-11-01", "key=k3v9d1x7"] {
        assert!(
            !ok(&format!("/decisions?{narrowed}")).await.html.contains("/api/v1/decisions/stream"),
            "{narrowed}"
        );
    }
}

#[tokio::test]
async fn an_allowed_decision_is_explained() {
    let page = ok(ALLOWED).await;
    let text = page.text();
    for words in [
        "Answered by azure-sweden (Sweden) after redacting 2 e-mail addresses, 1 IBAN and 1 card number.",
        "4 of 7 eligible",
        "within EU, EEA",
        "Without a regional project, requests are processed in the United States.",
        "a project with EU data residency, attested in the bundle",
        "Waiting for the provider",
        "$37.12 / $40.00",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert!(page.html.contains("href=\"https://developers.openai.com/api/docs/guides/your-data\""));
    assert!(page.html.contains("href=\"/receipts/dec_"));
}

#[tokio::test]
async fn a_refusal_gives_its_reason_and_the_way_out() {
    let text = ok(DENIED).await.text();
    assert!(text.contains("Refused: no endpoint for this model may receive this request. Nothing was sent."));
    assert!(text.contains("The way out"));
    assert!(text.contains("azure-sweden serves gpt-4o within the EU"));
    assert!(ok(FAILED).await.text().contains("Allowed, but none of 2 attempts was answered."));
}

#[tokio::test]
async fn without_a_checkpoint_there_is_no_receipt_to_verify() {
    let page = ok(RUNNING).await;
    assert!(page.text().contains("No signed checkpoint covers these records yet."));
    assert!(!page.html.contains("VerifyReceipt_"));
    assert!(ok(ALLOWED).await.html.contains("VerifyReceipt_"));
}

#[tokio::test]
async fn without_a_bundle_pages_have_no_script_and_say_so() {
    let page =
        send(Request::get("/").header("accept-language", "en").body(Body::empty()).unwrap(), false).await;
    assert!(!page.html.contains("<script"));
    assert!(page.text().contains("This build has no browser bundle"));
    assert!(page.text().contains("azure-sweden"));
}

#[tokio::test]
async fn errors_have_their_own_status_and_page() {
    for (path, status, words) in [
        ("/decisions/none", StatusCode::NOT_FOUND, "Not found"),
        ("/decisions/forbidden", StatusCode::FORBIDDEN, "Not allowed"),
        ("/decisions?q=fail", StatusCode::INTERNAL_SERVER_ERROR, "e7c1"),
    ] {
        let page = page(path).await;
        assert_eq!(page.parts.status, status);
        assert!(page.text().contains(words), "{words}");
    }
}

#[tokio::test]
async fn a_stranger_is_sent_to_the_sign_in() {
    for (path, back) in [
        ("/?signed-out", "%2F%3Fsigned-out"),
        ("/decisions?q=a%26b&signed-out", "%2Fdecisions%3Fq%3Da%2526b%26signed-out"),
        ("/decisions/x?signed-out", "%2Fdecisions%2Fx%3Fsigned-out"),
    ] {
        let page = page(path).await;
        let location = format!("/auth/sign-in?back={back}");
        assert_eq!((page.parts.status, page.header("location")), (StatusCode::SEE_OTHER, location.as_str()));
    }
    // Every way in leads back there, and to nowhere else.
    let ways = ok("/auth/sign-in?back=%2Fdecisions%3Fq%3D1&signed-out").await.html;
    assert!(ways.contains("/auth/start?provider=corp&amp;back=%2Fdecisions%3Fq%3D1"), "{ways}");
    assert_eq!(ways.matches("name=\"back\" value=\"/decisions?q=1\"").count(), 3, "{ways}");
    let elsewhere = ok("/auth/sign-in?back=%2F%2Fevil.example&signed-out").await.html;
    assert!(!elsewhere.contains("evil"), "{elsewhere}");
    assert!(ok("/auth/sign-in?signed-out").await.text().contains("set-up link"));
}

#[tokio::test]
async fn german_readers_read_german() {
    for path in super::PAGES {
        let page = page_in(path, "de-DE, en;q=0.5").await;
        assert!(page.html.contains("<html lang=\"de\""), "{path}");
        assert_eq!(page.header("content-language"), "de");
    }
    let text = page_in(ALLOWED, "de").await.text();
    assert!(text.contains("Beantwortet von azure-sweden (Schweden)"));
    assert!(text.contains("37,12\u{a0}$"));
}

#[tokio::test]
async fn preferences_are_kept_and_lead_back_only_to_this_server() {
    for (back, location) in [
        ("%2Fdecisions%3Fq%3D1", "/decisions?q=1"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2F%0D%0Aset-cookie%3Aa%3Db", "/"),
    ] {
        let request = Request::post("/preferences")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("theme=dark&lang=de&back={back}")))
            .unwrap();
        let page = send(request, true).await;
        assert_eq!((page.parts.status, page.header("location")), (StatusCode::SEE_OTHER, location));
        let cookies: Vec<_> = page.parts.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies.len(), 2);
    }
    let request = Request::get("/").header("cookie", "bailiwick_theme=dark; bailiwick_lang=de");
    let page = send(request.body(Body::empty()).unwrap(), true).await;
    assert!(page.html.contains("<html lang=\"de\" data-theme=\"dark\""));
}
