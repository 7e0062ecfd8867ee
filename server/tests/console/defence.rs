//! What the console withstands: other origins, other scopes, markup in names, framing, caches.

use bailiwick::identity::create_token;
use bailiwick_ui::SIGN_IN_PATH;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};

use super::server::{Reply, Server, read};

const SCRIPT: &str = "<script>alert(1)</script>";

/// Whatever the status, a page runs no script but its own, is in no frame and in no cache.
fn guarded(page: &Reply, what: &str) {
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'nonce-",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(part), "{what}: `{part}` is not in `{policy}`");
    }
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{what}: {policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(page.header("cache-control"), "no-store", "{what}");
    for forbidden in [SCRIPT, " style=\"", " onclick=", "javascript:"] {
        assert!(!page.body.contains(forbidden), "{what} holds `{forbidden}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_guarded_and_a_link_works_once() {
    let server = Server::start().await;
    // A scanner that looks at the link does not use it up.
    let looked = read(server.http.head(&server.demo.announcement.console)).await;
    assert!(looked.status == 204 && looked.header("set-cookie").is_empty());
    let (cookie, set) = server.sign_in().await;
    for part in ["__Host-", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Domain="), "{set}");
    server.serve_model(SCRIPT).await;
    let denied = server.chat("support", SCRIPT, "Hello", &[("x-bailiwick-user", SCRIPT)]).await.decision();
    let refused =
        server.chat("support", "gpt-4.1-mini", "Hello", &[("x-bailiwick-user", SCRIPT)]).await.decision();
    for (path, status) in [
        ("/", 200),
        ("/decisions", 200),
        (&*format!("/decisions?q={SCRIPT}&model={SCRIPT}&before={SCRIPT}"), 200),
        ("/decisions?outcome=none", 400),
        (&*format!("/decisions/{denied}"), 200),
        (&*format!("/decisions/{refused}"), 200),
        ("/decisions/none", 404),
        (&*format!("/decisions/{SCRIPT}"), 404),
        ("/nowhere", 404),
        ("/auth/setup", 403),
        ("/auth/setup?token=none", 403),
    ] {
        let page = server.page(path, COOKIE, &cookie).await;
        assert_eq!(page.status, status, "{path}: {}", page.body);
        guarded(&page, path);
    }
    let again =
        server.page(server.demo.announcement.console.split_at(server.url("").len()).1, COOKIE, "").await;
    assert_eq!((again.status, again.header("set-cookie")), (403, ""), "a set-up link works once");
    guarded(&again, "a used link");
    let page = server.page(&format!("/decisions/{denied}"), COOKIE, &cookie).await;
    assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the name is shown as text");
    let page = server.page(&format!("/decisions/{refused}"), COOKIE, &cookie).await;
    assert!(page.body.contains("usr_") && !page.body.contains("alert(1)"), "a user is shown as a pseudonym");
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_used_by_our_own_pages_only() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let host = server.url("").trim_start_matches("http://").to_owned();
    let post = |path: &str, headers: &[(&str, &str)]| {
        let mut request = server.http.post(server.url(path)).header(COOKIE, &cookie).header(HOST, &host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(
            request
                .header("content-type", "application/json")
                .body("{\"scope\":\"/acme\",\"name\":\"forged\"}"),
        )
    };
    for forged in [
        &[("sec-fetch-site", "cross-site"), (ORIGIN.as_str(), "https://evil.example")][..],
        &[("sec-fetch-site", "same-site")],
        &[(ORIGIN.as_str(), "https://evil.example")],
        &[(ORIGIN.as_str(), "null")],
        &[],
    ] {
        assert_eq!(post("/auth/sign-out", forged).await.status, 403, "{forged:?}");
        assert_eq!(post("/api/v1/keys", forged).await.status, 403, "{forged:?}");
    }
    assert_eq!(server.page("/decisions", COOKIE, &cookie).await.status, 200, "nobody was signed out");
    // Nor does another site read: nothing allows it to.
    let stream = server.page("/api/v1/decisions", COOKIE, &cookie).await;
    assert_eq!((stream.status, stream.header("access-control-allow-origin")), (200, ""));
    assert_eq!(post("/auth/sign-out", &[("sec-fetch-site", "same-origin")]).await.status, 403, "no token");
    assert_eq!(server.sign_out(&cookie).await.status, 303);
    assert_eq!(
        server.page("/decisions", COOKIE, &cookie).await.header("location"),
        format!("{SIGN_IN_PATH}?back=%2Fdecisions")
    );
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_their_scope_and_no_other() {
    let server = Server::start().await;
    let own = server
        .chat("research", "assistant", "Hello", &[("x-bailiwick-data-class", "public")])
        .await
        .decision();
    let others = server.chat("support", "assistant", "Hello", &[]).await.decision();
    let app = &server.demo.app;
    let now_ms = app.gateway.clock.now_ms();
    let token = |scope: &'static str, role: &'static str| async move {
        let token = create_token(&app.store, "viewer", scope, &[role], now_ms).await.unwrap();
        format!("Bearer {}", token.reveal())
    };
    let auditor = token("/acme/research", "auditor").await;
    let list = server.page("/decisions", AUTHORIZATION, &auditor).await;
    assert!(list.body.contains(&own) && !list.body.contains(&others), "the list ends at the scope");
    assert!(!list.body.contains("/acme/retail"), "nor does a filter name another");
    let json = server.page("/api/v1/decisions", AUTHORIZATION, &auditor).await;
    assert!(json.body.contains(&own) && !json.body.contains(&others), "{}", json.body);
    for (path, id, status) in
        [("/decisions/", &own, 200), ("/decisions/", &others, 404), ("/v1/decisions/", &own, 200)]
    {
        assert_eq!(
            server.page(&format!("{path}{id}"), AUTHORIZATION, &auditor).await.status,
            status,
            "{path}{id}"
        );
    }
    let receipt = server.page(&format!("/v1/decisions/{others}"), AUTHORIZATION, &auditor).await;
    assert!([403, 404].contains(&receipt.status), "{}: {}", receipt.status, receipt.body);
    // Above it they are told what is missing; beside it there is nothing, whether somebody else has something there or not.
    for (scope, status) in [("/", 403), ("/acme", 403), ("/acme/retail", 404), ("/acme/researchers", 404)] {
        for page in ["/decisions", "/"] {
            let page = server.page(&format!("{page}?scope={scope}"), AUTHORIZATION, &auditor).await;
            assert_eq!(page.status, status, "{scope}");
            assert!(!page.body.contains(&others));
        }
        let api = server.page(&format!("/api/v1/decisions?scope={scope}"), AUTHORIZATION, &auditor).await;
        assert_eq!(api.status, status, "{scope}");
    }
    // A role that may read nothing here is nobody.
    let application = token("/acme", "application").await;
    assert_eq!(server.page("/decisions", AUTHORIZATION, &application).await.status, 403);
    server.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_list_ends_with_the_session() {
    let server = Server::start().await;
    let (cookie, _) = server.sign_in().await;
    let stream = server.http.get(server.url("/api/v1/decisions/stream")).header(COOKIE, &cookie);
    let mut stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let first = server.chat("support", "assistant", "Hello", &[]).await.decision();
    let mut seen = String::new();
    while !seen.contains(&first) {
        seen.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    assert_eq!(server.sign_out(&cookie).await.status, 303);
    let rest = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), rest).await.expect("the stream ends");
}
