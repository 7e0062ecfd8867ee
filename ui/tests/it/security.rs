//! The content security policy, and that pages live within it.

use super::{ALLOWED, PAGES, page};

#[tokio::test]
async fn every_page_carries_the_policy_and_its_scripts_the_nonce() {
    for path in PAGES {
        let page = page(path).await;
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        assert!(nonce.len() >= 22);
        let scripts = page.html.matches("<script").count();
        assert_eq!(scripts, 1, "{path}");
        assert!(page.html.contains(&format!("nonce=\"{nonce}\"")), "{path}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_nonce_is_used_once() {
    let (first, second) = (page(ALLOWED).await, page(ALLOWED).await);
    assert_ne!(first.header("content-security-policy"), second.header("content-security-policy"));
}

#[tokio::test]
async fn nothing_inline_that_the_policy_would_block() {
    for path in PAGES {
        let html = page(path).await.html;
        for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            // Island properties are JSON inside an attribute; their text is no markup.
            let bare = tag.split(" data-props=").next().unwrap_or_default();
            assert!(!bare.contains(" style="), "{path}: <{tag}>");
            assert!(
                !bare.split_whitespace().skip(1).any(|word| word.starts_with("on") && word.contains("=\"")),
                "{path}: <{tag}>"
            );
            assert!(!bare.contains("javascript:"), "{path}: <{tag}>");
        }
        assert!(!html.contains("<style"), "{path}");
    }
}

#[tokio::test]
async fn nothing_is_loaded_from_elsewhere() {
    for path in PAGES {
        let html = page(path).await.html;
        for attribute in ["src=\"http", "<link href=\"http", "url(http"] {
            assert!(!html.contains(attribute), "{path}: {attribute}");
        }
    }
    assert!(!bailiwick_ui::CSS.contains("url("));
    assert!(!bailiwick_ui::CSS.contains("@import"));
}
