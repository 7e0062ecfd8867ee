//! What waits for the reader: each a sentence that leads to where something can be done about it.

use leptos::prelude::*;
use serde::Deserialize;

use crate::api::escaped;
use crate::pages::budgets::{self, Budget, Standing};
use crate::pages::keys::{Key, KeyState};
use crate::pages::kill_switches::Switch;
use crate::pages::requests::Asked;
use crate::parts::{icons, moments};
use crate::text::Lang;
use crate::view::Viewer;

/// How long before its end a key is told of.
const KEY_ENDS_MS: i64 = 14 * 86_400_000;
/// Things that are told one by one; of more there is a number.
const MOST: usize = 6;

/// Something that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// What kind of thing it is.
    pub(crate) word: &'static str,
    /// Which one.
    pub(crate) what: String,
    /// More of it.
    pub(crate) note: Option<String>,
    /// When it happened or will.
    pub(crate) at_ms: Option<i64>,
    /// Where something can be done about it.
    pub(crate) href: String,
    /// Whether something is refused because of it, or already too late.
    pub(crate) urgent: bool,
}

/// An attestation that ends, as the API tells.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attestation {
    pub(crate) attestation: String,
    pub(crate) operator: String,
    pub(crate) kind: String,
    pub(crate) ends: Option<String>,
    pub(crate) ended: bool,
}

/// What the API says of the policy, as far as it may need somebody.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    pub(crate) refused: Option<Refused>,
    pub(crate) doubts: Vec<String>,
}

/// A head that is not followed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refused {
    pub(crate) commit: Option<String>,
    pub(crate) why: String,
    pub(crate) since_ms: i64,
}

/// Open requests that this person may decide: not their own.
pub(crate) fn of_requests(asked: &[Asked], me: &str, viewer: &Viewer, lang: Lang) -> Vec<Need> {
    let t = lang.text();
    let decides = |asked: &&Asked| {
        asked.state == "open"
            && asked.asked_by != me
            && viewer.may_at("console:requests", "approve", &asked.scope)
    };
    asked
        .iter()
        .filter(decides)
        .map(|asked| Need {
            word: t.overview_pages.request_waits,
            what: format!("{}, {}", t.request_pages.kind(&asked.kind), asked.scope),
            note: Some(asked.reason.clone()).filter(|reason| !reason.is_empty()),
            at_ms: Some(asked.created_ms),
            href: format!("/requests?state=open#{}", escaped(&asked.id)),
            urgent: false,
        })
        .collect()
}

pub(crate) fn of_attestations(attestations: &[Attestation], lang: Lang) -> Vec<Need> {
    let t = &lang.text().overview_pages;
    let at = |ends: &String| chrono::DateTime::parse_from_rfc3339(ends).ok().map(|at| at.timestamp_millis());
    attestations
        .iter()
        .map(|attestation| Need {
            word: if attestation.ended { t.attestation_ended } else { t.attestation_ends },
            what: format!("{} ({}, {})", attestation.attestation, attestation.kind, attestation.operator),
            note: None,
            at_ms: attestation.ends.as_ref().and_then(at),
            href: "/policies#attestations".to_owned(),
            urgent: attestation.ended,
        })
        .collect()
}

pub(crate) fn of_policy(policy: &Policy, lang: Lang) -> Vec<Need> {
    let t = &lang.text().overview_pages;
    let refused = policy.refused.as_ref().map(|refused| Need {
        word: t.bundle_refused,
        what: refused.commit.as_deref().map(|commit| crate::format::short(commit, 12)).unwrap_or_default(),
        note: Some(refused.why.clone()),
        at_ms: (refused.since_ms > 0).then_some(refused.since_ms),
        href: "/policies#refused".to_owned(),
        urgent: true,
    });
    let doubts = (!policy.doubts.is_empty()).then(|| Need {
        word: t.doubts,
        what: policy.doubts.len().to_string(),
        note: None,
        at_ms: None,
        href: "/policies#doubts".to_owned(),
        urgent: false,
    });
    refused.into_iter().chain(doubts).collect()
}

pub(crate) fn of_budgets(standing: &Standing, lang: Lang) -> Vec<Need> {
    let t = &lang.text().overview_pages;
    let mut near: Vec<&Budget> =
        standing.budgets.iter().filter(|budget| !budget.reached.is_empty()).collect();
    near.sort_by_key(|budget| std::cmp::Reverse(budgets::share(budget)));
    near.into_iter()
        .map(|budget| {
            let share = budgets::share(budget);
            Need {
                word: if share >= 1_000 { t.budget_full } else { t.budget_near },
                what: format!(
                    "{} {}",
                    budgets::holder(budget, standing, lang),
                    crate::text::window(&budget.window, lang)
                ),
                note: Some(format!("{}\u{a0}%", share / 10)),
                at_ms: None,
                href: format!("/budgets/{}", budget.id),
                urgent: share >= 1_000 && budget.hard,
            }
        })
        .collect()
}

/// Keys that end soon; not those that were made for a short time.
pub(crate) fn of_keys(keys: &[Key], now_ms: i64, lang: Lang) -> Vec<Need> {
    let t = &lang.text().overview_pages;
    let ends = |key: &Key| {
        let end = key.expires_ms?;
        let soon =
            key.state == KeyState::Valid && end - now_ms <= KEY_ENDS_MS && end - key.created_ms > KEY_ENDS_MS;
        soon.then_some(end)
    };
    let mut soon: Vec<(i64, &Key)> = keys.iter().filter_map(|key| Some((ends(key)?, key))).collect();
    soon.sort_by_key(|(end, _)| *end);
    soon.into_iter()
        .map(|(end, key)| Need {
            word: t.key_ends,
            what: format!("{}, {}", key.name, key.scope),
            note: None,
            at_ms: Some(end),
            href: format!("/keys/{}", escaped(&key.id)),
            urgent: false,
        })
        .collect()
}

/// Kill switches that are on, and those that have expired without anybody lifting them.
pub(crate) fn of_switches(switches: &[Switch], lang: Lang) -> Vec<Need> {
    let t = &lang.text().overview_pages;
    switches
        .iter()
        .filter(|switch| switch.state != "lifted")
        .map(|switch| Need {
            word: if switch.state == "expired" { t.switch_over } else { t.switch_on },
            what: format!("{}, {}", switch.target, switch.scope),
            note: Some(switch.reason.clone()).filter(|reason| !reason.is_empty()),
            at_ms: Some(switch.expires_ms),
            href: "/kill-switches".to_owned(),
            urgent: switch.state == "expired",
        })
        .collect()
}

pub(super) fn section(needs: &[Need], now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().overview_pages;
    if needs.is_empty() {
        return view! {
            <section class="calm">
                <span class="mark-ok">{icons::tick()}</span>
                <h2>{t.needs_nothing}</h2>
                <p class="hint">{t.needs_nothing_lead}</p>
            </section>
        }
        .into_any();
    }
    let mut sorted: Vec<&Need> = needs.iter().collect();
    sorted.sort_by_key(|need| !need.urgent);
    let rows = sorted.iter().map(|need| row(need, now_ms, lang));
    // Without script too: what does not fit at once opens.
    let mut rows: Vec<_> = rows.collect();
    let rest = rows.split_off(rows.len().min(MOST));
    let more = rest.len();
    view! {
        <section class="needs">
            <h2>{t.needs} <span class="tally">{needs.len()}</span></h2>
            <ul>{rows}</ul>
            {(more > 0)
                .then(|| {
                    view! {
                        <details class="more">
                            <summary>{(t.more)(more)}</summary>
                            <ul>{rest}</ul>
                        </details>
                    }
                })}
        </section>
    }
    .into_any()
}

fn row(need: &Need, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let (class, icon) = if need.urgent {
        ("need need-urgent", icons::condition().into_any())
    } else {
        ("need", icons::clock().into_any())
    };
    view! {
        <li class=class>
            <span class="need-mark">{icon}</span>
            <a class="row-link" href=need.href.clone()>
                <b>{need.word}</b>
                " "
                <span>{need.what.clone()}</span>
            </a>
            {need.note.clone().map(|note| view! { <span class="need-note">{note}</span> })}
            {need.at_ms.map(|at| moments::ago(at, now_ms, lang))}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::view::Right;

    #[test]
    fn only_what_this_person_can_do_something_about_waits_for_them() {
        let asked = |by: &str, scope: &str, state: &str| Asked {
            asked_by: by.to_owned(),
            scope: scope.to_owned(),
            state: state.to_owned(),
            kind: "key".to_owned(),
            ..Asked::default()
        };
        let right = Right {
            object: "console:requests".to_owned(),
            action: "approve".to_owned(),
            scopes: vec!["/acme/clinic".to_owned()],
        };
        let viewer = Viewer { rights: vec![right], ..Viewer::default() };
        let all = [
            asked("user:bob", "/acme/clinic", "open"),
            asked("user:me", "/acme/clinic", "open"),
            asked("user:bob", "/acme/research", "open"),
            asked("user:bob", "/acme/clinic", "approved"),
        ];
        let needs = of_requests(&all, "user:me", &viewer, Lang::En);
        assert_eq!(needs.len(), 1);
        assert_eq!(needs.first().map(|need| need.what.as_str()), Some("A key, /acme/clinic"));
    }

    #[test]
    fn keys_are_told_of_before_they_end_unless_they_were_made_for_a_moment() {
        const DAY: i64 = 86_400_000;
        let key = |id: &str, created: i64, expires: Option<i64>, state: &str| -> Key {
            serde_json::from_value(json!({
                "id": id, "scope": "/a", "name": id, "state": state, "created_ms": created, "expires_ms": expires,
            }))
            .unwrap()
        };
        let now = 100 * DAY;
        let keys = [
            key("later", 0, Some(now + 13 * DAY), "valid"),
            key("soon", 0, Some(now + DAY), "valid"),
            key("far", 0, Some(now + 15 * DAY), "valid"),
            key("short", now, Some(now + DAY), "valid"),
            key("gone", 0, Some(now + DAY), "revoked"),
            key("never", 0, None, "valid"),
        ];
        let told: Vec<String> = of_keys(&keys, now, Lang::En).into_iter().map(|need| need.href).collect();
        assert_eq!(told, ["/keys/soon", "/keys/later"]);
    }
}
