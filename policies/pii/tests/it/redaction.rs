//! Properties of redaction, on whole texts.

use bailiwick_pii::stream::Restorer;
use bailiwick_pii::{
    Embedded, EntityCounts, EntitySet, EntityType, How, Mode, Redaction, RedactionPlan, TokenKey, Vault,
    redact, redact_embedded,
};
use proptest::prelude::*;

use crate::text::{UNMISTAKABLE, VALUES, json, mixture, plan, scan};

const KEY: TokenKey = TokenKey::new([7; 32]);

fn redacted(text: &str, plan: &RedactionPlan, vault: &mut Vault) -> String {
    let mut counts = EntityCounts::default();
    redact(text, &scan(text), plan, &KEY, vault, &mut counts).unwrap_or_else(|| text.to_owned())
}

fn embedded(json: &str, plan: &RedactionPlan, vault: &mut Vault) -> String {
    let embedded = Embedded::new(json);
    let (findings, mut counts) = (scan(embedded.text()), EntityCounts::default());
    redact_embedded(Mode::JsonString, &embedded, &findings, plan, &KEY, vault, &mut counts)
        .unwrap_or_else(|| json.to_owned())
}

fn restored(text: &str, vault: &Vault, mode: Mode) -> String {
    let mut out = String::new();
    let mut restorer = Restorer::new(vault, mode);
    restorer.push(text, &mut out);
    restorer.finish(&mut out);
    out
}

/// The plan that can restore all it redacts.
fn restorable(how: How) -> RedactionPlan {
    let entities = EntityType::ALL.into_iter().filter(|e| e.is_restorable()).collect();
    RedactionPlan::of(
        entities,
        Redaction {
            how,
            restore_text: true,
            restore_tool_arguments: true,
            min_confidence: 0,
            zip3: false,
            stop: false,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn redact_then_restore_is_identity(text in mixture(), surrogate: bool) {
        let mut vault = Vault::new();
        let plan = restorable(if surrogate { How::Surrogate } else { How::Token });
        let sent = redacted(&text, &plan, &mut vault);
        prop_assert_eq!(restored(&sent, &vault, Mode::Text), text);
    }

    #[test]
    fn no_redacted_value_is_left(text in mixture(), how in proptest::sample::select(&How::ALL[..])) {
        let findings = scan(&text);
        let sent = redacted(&text, &plan(how), &mut Vault::new());
        // What lies outside the findings may hold the same characters; blank it out.
        let mut outside = String::new();
        let mut done = 0;
        for f in &findings {
            outside.push_str(&text[done..f.start]);
            outside.push('\u{0}');
            done = f.end;
        }
        outside.push_str(&text[done..]);
        for value in findings.iter().filter_map(|f| f.value(&text)).filter(|v| v.len() > 5) {
            prop_assert!(outside.contains(value) || !sent.contains(value), "{:?} in {:?}", value, sent);
        }
    }

    #[test]
    fn an_escape_before_a_value_stays_whole(
        escape in proptest::sample::select(&["\n", "\t", "\"", "\\", "\u{1}", "\u{1f}"][..]),
        how in proptest::sample::select(&How::ALL[..]),
    ) {
        let text = format!("password is {escape}@IBAN and mail to {escape}anna@example.org");
        let json = serde_json::json!({ "text": text }).to_string();
        let sent = embedded(&json, &plan(how), &mut Vault::new());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&sent).is_ok(), "{:?}", sent);
        prop_assert!(!sent.contains("anna@example.org"), "{:?}", sent);
    }

    #[test]
    fn no_escape_hides_a_value(json in json(), how in proptest::sample::select(&How::ALL[..])) {
        let mut vault = Vault::new();
        let sent = embedded(&json.written, &restorable(how), &mut vault);
        let parsed = json.parse(&sent);
        prop_assert!(parsed.is_some(), "{:?}", sent);
        for said in parsed.iter().flatten() {
            for value in UNMISTAKABLE {
                prop_assert!(!said.contains(value), "{:?} in {:?}", value, sent);
            }
        }
        if how.is_reversible() {
            let back = restored(&sent, &vault, Mode::JsonString);
            prop_assert_eq!(json.parse(&back), json.parse(&json.written), "{:?}", back);
        }
    }

    #[test]
    fn json_stays_json(text in mixture(), number in 4_000_000_000_000_000u64..5_000_000_000_000_000, how in proptest::sample::select(&How::ALL[..])) {
        let json = serde_json::json!({ "card": 4_111_111_111_111_111u64, "n": number, "text": text, "more": [text, -4_111_111_111_111_111i64] }).to_string();
        let mut vault = Vault::new();
        let sent = embedded(&json, &plan(how), &mut vault);
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&sent);
        prop_assert!(parsed.is_ok(), "{:?}", sent);
        prop_assert!(!sent.contains("4111111111111111"));
        let back = restored(&sent, &vault, Mode::JsonString);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&back).is_ok(), "{:?}", back);
    }
}

#[test]
fn tokens_are_stable_and_told_apart() {
    let plan = restorable(How::Token);
    let mut vault = Vault::new();
    let sent = redacted("a@example.com b@example.com a@example.com", &plan, &mut vault);
    let tokens: Vec<_> = sent.split(' ').collect();
    assert_eq!(tokens[0], tokens[2]);
    assert_ne!(tokens[0], tokens[1]);
    assert!(tokens[0].starts_with("<EMAIL_") && tokens[0].len() == "<EMAIL_>".len() + 8, "{tokens:?}");
    assert_eq!(redacted("a@example.com", &plan, &mut Vault::new()), tokens[0], "same key, same token");
    let other = TokenKey::new([8; 32]);
    let mut counts = EntityCounts::default();
    let text = "a@example.com";
    let under_other = redact(text, &scan(text), &plan, &other, &mut Vault::new(), &mut counts).unwrap();
    assert_ne!(under_other, tokens[0], "another key, another token");
    assert_eq!(counts.to_string(), "EMAIL=1");
}

#[test]
fn a_token_written_by_the_client_reveals_nothing_and_survives() {
    let plan = restorable(How::Token);
    let token = redacted("a@example.com", &plan, &mut Vault::new());
    // Alone: this request's vault is empty.
    let mut vault = Vault::new();
    assert_eq!(restored(&redacted(&token, &plan, &mut vault), &vault, Mode::Text), token);
    // Beside its value: the value gets another token.
    let both = format!("{token} a@example.com");
    let mut vault = Vault::new();
    let sent = redacted(&both, &plan, &mut vault);
    assert!(!sent.contains("a@example.com"));
    assert_eq!(restored(&sent, &vault, Mode::Text), both);
}

#[test]
fn secrets_are_never_restorable() {
    for how in How::ALL {
        let mut vault = Vault::new();
        let text = "key AKIAIOSFODNN7EXAMPLE and password = hunter2";
        let sent = redacted(text, &plan(how), &mut vault);
        assert!(!sent.contains("AKIA") && !sent.contains("hunter2"), "{sent}");
        assert_eq!(restored(&sent, &vault, Mode::Text), sent);
        assert!(!vault.restores(false) && !vault.restores(true));
    }
}

#[test]
fn what_only_text_may_hold_is_not_restored_into_tool_arguments() {
    let redaction = Redaction {
        how: How::Token,
        restore_text: true,
        restore_tool_arguments: false,
        min_confidence: 0,
        zip3: false,
        stop: false,
    };
    let plan = RedactionPlan::of(EntitySet::all(), redaction);
    let mut vault = Vault::new();
    let sent = redacted("a@example.com", &plan, &mut vault);
    assert_eq!(restored(&sent, &vault, Mode::JsonString), sent);
    assert_eq!(restored(&sent, &vault, Mode::Text), "a@example.com");
}

#[test]
fn restored_values_are_escaped_in_json_and_brackets_may_be_spelt_out() {
    let plan = restorable(How::Token);
    let mut vault = Vault::new();
    let value = "https://example.com/ü(x";
    let token = redacted(value, &plan, &mut vault);
    let spelt = token.replace('<', "\\u003c").replace('>', "\\u003e");
    assert_eq!(
        restored(&format!("{{\"u\":\"{spelt}\"}}"), &vault, Mode::JsonString),
        format!("{{\"u\":\"{value}\"}}")
    );
}

#[test]
fn a_changed_token_is_known_and_an_invented_one_is_not() {
    let plan = restorable(How::Token);
    let mut vault = Vault::new();
    let value = "jane.doe@example.com";
    let token = redacted(value, &plan, &mut vault);
    let inner = token.trim_matches(['<', '>']);
    let (head, code) = inner.rsplit_once('_').unwrap();
    for changed in [
        token.to_lowercase(),
        format!("<{head}_\n{code}>"),
        format!("< {inner} >"),
        format!("<{head}\\_{code}>"),
        format!("&lt;{inner}&gt;"),
        format!("<{}\u{200b}{}>", &inner[..3], &inner[3..]),
        format!("\\u003c{inner}\\u003e"),
    ] {
        let text = format!("so {changed}, yes");
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let (mut restorer, mut out) = (Restorer::new(&vault, Mode::Text), String::new());
            restorer.push(&text[..cut], &mut out);
            restorer.push(&text[cut..], &mut out);
            restorer.finish(&mut out);
            assert_eq!(out, format!("so {value}, yes"), "{text:?} at {cut}");
        }
    }
    let wrapped = format!("{{\"a\":\"<{head}_\\n{code}>\"}}");
    assert_eq!(restored(&wrapped, &vault, Mode::JsonString), format!("{{\"a\":\"{value}\"}}"));
    for invented in
        ["<EMAIL_23456789>", "<EMAIL_>", "<>", "< a & b >", "&lt;EMAIL", "\\u003", "<EMAIL_2345", "a < b"]
    {
        assert_eq!(restored(invented, &vault, Mode::Text), invented);
    }
    let missing = &token[..token.len() - 2];
    assert_eq!(restored(missing, &vault, Mode::Text), missing);
}

#[test]
fn a_surrogate_is_known_in_any_case() {
    let plan = restorable(How::Surrogate);
    let mut vault = Vault::new();
    let made = redacted("jane.doe@kunde.de", &plan, &mut vault);
    assert_eq!(restored(&made.to_uppercase(), &vault, Mode::Text), "jane.doe@kunde.de");
}

#[test]
fn surrogates_are_not_real() {
    let plan = restorable(How::Surrogate);
    for value in VALUES {
        let mut vault = Vault::new();
        let sent = redacted(value, &plan, &mut vault);
        assert_eq!(restored(&sent, &vault, Mode::Text), *value);
        for finding in scan(&sent) {
            let found = finding.value(&sent).unwrap();
            let free = match finding.entity {
                EntityType::Card | EntityType::UsSsn | EntityType::DeTaxId => false,
                // No bank has the number zero.
                EntityType::Iban => found
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .skip(4)
                    .take(4)
                    .all(|c| c == '0' || c == 'X'),
                EntityType::Email => found.ends_with("@example.com"),
                EntityType::Url => found.starts_with("https://example.com/"),
                EntityType::Phone => found.contains("-555-01"),
                EntityType::IpAddress => ["192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"]
                    .iter()
                    .any(|net| found.starts_with(net)),
                EntityType::Credential | EntityType::Jwt => true,
                _ => false,
            };
            assert!(free, "{value:?} became {sent:?}, in which {found:?} is a {}", finding.entity);
        }
    }
}

#[test]
fn the_stricter_of_two_redactions_holds() {
    let weak = Redaction {
        how: How::Token,
        restore_text: true,
        restore_tool_arguments: true,
        min_confidence: 80,
        zip3: false,
        stop: false,
    };
    let strong = Redaction {
        how: How::Mask,
        restore_text: false,
        restore_tool_arguments: false,
        min_confidence: 60,
        zip3: false,
        stop: false,
    };
    let mut plan = RedactionPlan::of(EntitySet::EMPTY.with(EntityType::Email), weak);
    plan.add(EntityType::Email, strong);
    let merged = plan.get(EntityType::Email).unwrap();
    assert_eq!((merged.how, merged.restore_text, merged.min_confidence), (How::Mask, false, 60));
    let mut order = How::ALL.to_vec();
    order.sort();
    assert_eq!(order, [How::Surrogate, How::Token, How::Hash, How::Mask, How::Drop]);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<RedactionPlan>(&json).unwrap(), plan);
}

#[test]
fn debug_shows_no_value() {
    let mut vault = Vault::new();
    let sent = redacted("distinctive@example.com", &restorable(How::Token), &mut vault);
    let restorer = Restorer::new(&vault, Mode::Text);
    for debug in [format!("{vault:?}"), format!("{restorer:?}"), format!("{KEY:?}")] {
        assert!(
            !debug.contains("distinctive") && !debug.contains(&sent) && !debug.contains("7, 7"),
            "{debug}"
        );
    }
}
