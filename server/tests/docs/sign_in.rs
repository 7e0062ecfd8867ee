//! How to sign in with whom: the configuration of each provider is one that the server takes, the lines of policy are of that
//! provider and load, and every refusal is told.

use std::collections::BTreeSet;

use bailiwick::app::Config;
use bailiwick::identity::ProviderConfig;
use bailiwick_policy::{Bundle, BundleSource};

use super::page::{Block, blocks, read};

const PROVIDERS: [&str; 5] = ["entra-id", "okta", "google", "keycloak", "auth0"];
const ALL: &str = "docs/how-to/sign-in-with-an-identity-provider.md";

fn page(name: &str) -> String {
    read(&format!("docs/how-to/sign-in-with-{name}.md"))
}

/// The one provider of a file, as the server reads it.
fn provider(name: &str, file: &str) -> ProviderConfig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bailiwick.toml");
    std::fs::write(&path, file).unwrap();
    let mut config = Config::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    config.check().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(config.public_url.as_deref(), Some("https://bailiwick.example"), "{name}");
    assert_eq!(config.identity.provider.len(), 1, "{name}");
    config.identity.provider.remove(0)
}

/// The lines of `policy.csv` in a page.
fn lines(blocks: &[Block]) -> Vec<&str> {
    let text = blocks.iter().filter(|block| block.language == "text");
    text.flat_map(|block| block.text.lines()).filter(|line| line.starts_with("g, ")).collect()
}

#[test]
fn each_provider_is_told_from_the_first_click_to_the_last_refusal() {
    for name in PROVIDERS {
        let text = page(name);
        let blocks = blocks(&text);
        let (parts, whole): (Vec<&Block>, Vec<&Block>) = blocks
            .iter()
            .filter(|block| block.language == "toml")
            .partition(|block| block.words.iter().any(|word| word == "part"));
        assert_eq!(whole.len(), 1, "{name} has one whole configuration");
        let own = provider(name, &whole[0].text);
        assert!(own.client_secret_file.as_ref().is_some_and(|file| file.is_absolute()), "{name}");
        // What else it may have goes into the same table.
        for part in parts {
            provider(name, &format!("{}{}", whole[0].text, part.text));
        }
        for place in ["auth/callback/", "auth/start?provider="] {
            assert!(
                text.contains(&format!("https://bailiwick.example/{place}{}`", own.id)),
                "{name}: {place}"
            );
        }
        for heading in ["Tell the server", "Try it", "Too many groups"] {
            assert!(
                text.lines().any(|line| line.starts_with("## ") && line.ends_with(heading)),
                "{name}: {heading}"
            );
        }
        assert!(text.contains("group_overage"), "{name}");

        // The lines load, and name the provider by its id.
        let lines = lines(&blocks);
        assert!(!lines.is_empty(), "{name}");
        for line in &lines {
            let subject = line.split(", ").nth(1).unwrap();
            let theirs =
                ["group", "claim"].iter().any(|kind| subject.starts_with(&format!("{kind}:{}:", own.id)));
            assert!(theirs || subject.starts_with("user:"), "{name}: {line}");
        }
        let mut source = BundleSource::starter();
        let policy = source.files.get_mut("rbac/policy.csv").unwrap();
        policy.push_str(&format!("\n{}\n", lines.join("\n")));
        let loaded = Bundle::load(&source);
        assert!(loaded.is_ok(), "{name}: {:?}", loaded.err());
        // Every code that is told there is one.
        let codes = codes();
        for word in text.split('`').skip(1).step_by(2).filter(|word| word.contains('_')) {
            let looks_like_one =
                ["no_role", "not_", "wrong_", "group_overage", "code_refused", "provider_refused"];
            if looks_like_one.iter().any(|start| word.starts_with(start)) {
                assert!(codes.contains(word), "{name} tells of `{word}`");
            }
        }
    }
}

/// What a sign-in can be refused with, as its sources have it.
fn codes() -> BTreeSet<String> {
    let mut found = BTreeSet::from(["no_role", "provider_down", "too_many"].map(str::to_owned));
    for file in ["flow", "mod", "pushed", "verify", "claims", "discovery"] {
        let text = read(&format!("server/src/identity/oidc/{file}.rs"));
        let text = text.split("#[cfg(test)]").next().unwrap();
        for call in ["Because(\"", "StartAgain(\"", "Err(\""] {
            found.extend(text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        // `=> "expired",`: what the verifying library says, in our words.
        if file == "verify" {
            let told = text.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            found.extend(told);
            found.insert(String::from("not_understood"));
        }
    }
    // Of a logout, which no person sees.
    found.remove("no_logout_token");
    found
}

#[test]
fn every_refusal_of_a_sign_in_is_told() {
    let page = read(ALL);
    let codes = codes();
    assert!(codes.len() > 25, "{codes:?}");
    let untold: Vec<&String> = codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(untold.is_empty(), "the page does not tell of {untold:?}");
}

/// What asks for a recent sign-in, by the thing that it is about, in the page's words.
#[test]
fn everything_dangerous_is_told() {
    let page = read(ALL);
    let told = page.split("\n## Something dangerous").nth(1).unwrap().split("\n## ").next().unwrap();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = [
        ("apply", "all at once"),
        ("scopes", "scopes"),
        ("endpoints", "endpoints"),
        ("model-groups", "model groups"),
        ("workloads", "workloads"),
        ("budgets", "budgets"),
        ("limits", "limits"),
        ("keys", "keys that are there"),
        ("credentials", "credentials"),
        ("service-tokens", "service tokens"),
        ("requests", "approving a request"),
        ("kill-switches", "lifting a kill switch"),
        ("people", "letting somebody in again and erasing somebody"),
        ("replicas", "giving up a replica's spool"),
    ];
    for route in bailiwick::identity::ROUTES.iter().filter(|route| route.fresh) {
        let thing = route.path.trim_start_matches("/api/v1/").split(['/', ':']).next().unwrap();
        let (_, phrase) =
            words.iter().find(|(name, _)| *name == thing).unwrap_or_else(|| panic!("{route:?}"));
        assert!(told.contains(phrase), "{} {} is not told: {phrase}", route.method, route.path);
    }
}
