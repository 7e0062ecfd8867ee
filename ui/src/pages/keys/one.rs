//! `/keys/{id}`: one key: what it may do in plain words, where its budgets stand, and how to replace or end it.

use leptos::prelude::*;

use super::{Key, KeyState, state_mark};
use crate::api::{Problem, Typed, escaped};
use crate::pages::budgets::{Standing, bars};
use crate::pages::form::{Field, Filled, hidden, told};
use crate::pages::{digest, fact};
use crate::parts::moments;
use crate::parts::shell::Frame;
use crate::text::{self, Lang};

/// What the page shows of a key.
pub(crate) struct KeyPage {
    pub(crate) key: Key,
    /// The keys that it replaced and that are not revoked: they end with it.
    pub(crate) before: Vec<Key>,
    /// Its own budgets and limits; none where the reader may not see them.
    pub(crate) standing: Option<Standing>,
    pub(crate) now_ms: i64,
}

/// A form that came back: which one, with what, and why.
pub(crate) struct Refused<'a> {
    pub(crate) act: &'static str,
    pub(crate) typed: &'a Typed,
    pub(crate) problem: &'a Problem,
}

/// The page's content.
pub(crate) fn page(frame: &Frame, shown: &KeyPage, refused: Option<&Refused<'_>>) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().key_pages;
    let key = &shown.key;
    let decisions = crate::pages::address(
        "/decisions",
        [("scope", Some(key.scope.clone())), ("q", Some(key.name.clone()))],
    );
    let sees_decisions =
        frame.viewer.as_ref().is_some_and(|it| it.may_at("console:decisions", "read", &key.scope));
    let moment = |at: Option<i64>, none: &'static str| match at {
        Some(at) => moments::ago(at, shown.now_ms, lang).into_any(),
        None => view! { <span class="quiet">{none}</span> }.into_any(),
    };
    let facts = [
        (t.scope, view! { <span class="path">{key.scope.clone()}</span> }.into_any()),
        (t.id, digest(&key.id, lang).into_any()),
        (t.created, moment(Some(key.created_ms), t.never)),
        (t.last_used, moment(key.last_used_ms, t.never)),
        (t.ends, moment(key.expires_ms, t.no_end)),
    ];
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href="/keys">{t.title}</a>
            <span aria-hidden="true">"/"</span>
            <span aria-current="page">{key.name.clone()}</span>
        </nav>
        <header class="decision-head">
            <p class="decision-marks">
                {state_mark(key.state, lang)}
                {key.settings.environment.clone().map(|word| view! { <span class="chip">{word}</span> })}
                {key.settings.tags.iter().map(|tag| view! { <span class="chip">{tag.clone()}</span> }).collect_view()}
            </p>
            <h1>{key.name.clone()}</h1>
            <dl class="facts">
                {facts.into_iter().map(|(term, value)| fact(term, value)).collect_view()}
            </dl>
        </header>
        {standing_note(key, lang)}
        <div class="columns">
            <div class="column">
                <section class="panel">
                    <h2>{t.may_do}</h2>
                    <ul class="sentences">
                        {sentences(key, lang).into_iter().map(|it| view! { <li>{it}</li> }).collect_view()}
                    </ul>
                    {sees_decisions.then(|| view! { <p><a href=decisions>{t.its_decisions}</a></p> })}
                </section>
                {shown
                    .standing
                    .as_ref()
                    .map(|standing| {
                        view! {
                            <section class="panel">
                                <h2>{t.its_budgets}</h2>
                                {if standing.is_empty() {
                                    view! { <p class="hint">{t.no_budgets}</p> }.into_any()
                                } else {
                                    bars(standing, shown.now_ms, lang).into_any()
                                }}
                            </section>
                        }
                    })}
            </div>
            <div class="column column-side">{acts(frame, shown, refused)}</div>
        </div>
    }
}

/// Why it can't be used, where it can't.
fn standing_note(key: &Key, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().key_pages;
    let because = |words: &'static str, because: Option<&String>| match because {
        Some(because) => format!("{words} {}: {because}", t.because),
        None => format!("{words}."),
    };
    let successor = key.rotated_to.clone();
    let words = match key.state {
        KeyState::Revoked => because(t.is_revoked, key.revoked_because.as_ref()),
        KeyState::Disabled => because(t.is_disabled, key.disabled_because.as_ref()),
        KeyState::Expired => format!("{}.", t.is_expired),
        KeyState::Rotated => format!("{}.", t.is_rotated),
        KeyState::Valid if successor.is_some() => format!("{}.", t.is_being_rotated),
        KeyState::Valid => return None,
    };
    Some(view! {
        <p class="notice">
            {words}
            {successor
                .map(|id| {
                    view! {
                        " "
                        <a href=format!("/keys/{}", escaped(&id))>{t.its_successor}</a>
                    }
                })}
        </p>
    })
}

/// What the key may do, a sentence each.
pub(crate) fn sentences(key: &Key, lang: Lang) -> Vec<String> {
    let t = &lang.text().key_pages;
    let settings = &key.settings;
    let list = |words: &[String]| lang.list(words);
    let classes = |classes: &[String]| -> String {
        let words: Vec<String> = classes.iter().map(|class| text::class(class, lang)).collect();
        lang.list(&words)
    };
    let mut said = vec![match &settings.models {
        None => t.says_any_model.to_owned(),
        Some(models) => (t.says_models)(&list(models)),
    }];
    said.extend(settings.endpoints.as_ref().map(|endpoints| (t.says_endpoints)(&list(endpoints))));
    said.push(match &settings.allowed_networks {
        None => t.says_anywhere.to_owned(),
        Some(networks) => (t.says_networks)(&list(networks)),
    });
    said.extend(
        settings.requests_per_minute.map(|count| (t.says_rate)(&crate::format::integer(count, lang))),
    );
    said.extend(settings.max_data_classes.as_ref().map(|most| match most.is_empty() {
        true => t.says_no_classes.to_owned(),
        false => (t.says_classes)(&classes(most)),
    }));
    said.extend(
        settings.max_sensitivity.as_ref().map(|most| (t.says_sensitivity)(&text::sensitivity(most, lang))),
    );
    if !settings.data_classes.is_empty() {
        said.push((t.says_declared)(&classes(&settings.data_classes)));
    }
    said.extend(settings.sensitivity.as_ref().map(|least| (t.says_least)(&text::sensitivity(least, lang))));
    if !settings.subject_regions.is_empty() {
        let regions: Vec<String> = settings.subject_regions.iter().map(|code| lang.country(code)).collect();
        said.push((t.says_regions)(&lang.list(&regions)));
    }
    if !settings.purposes.is_empty() {
        said.push((t.says_purposes)(&list(&settings.purposes)));
    }
    said.extend(settings.owner.as_ref().map(|owner| (t.says_owner)(owner)));
    said
}

fn acts(frame: &Frame, shown: &KeyPage, refused: Option<&Refused<'_>>) -> Option<impl IntoView + use<>> {
    let lang = frame.lang();
    let t = &lang.text().key_pages;
    let key = &shown.key;
    let viewer = frame.viewer.as_ref()?;
    let may = |action: &str| viewer.may_at("console:keys", action, &key.scope);
    let live = matches!(key.state, KeyState::Valid | KeyState::Disabled);
    let rotates = may("rotate") && key.rotated_to.is_none() && key.state != KeyState::Revoked;
    let ends = may("revoke") && key.state != KeyState::Revoked;
    let forms: Vec<AnyView> = [
        (rotates).then(|| rotate(frame, key, refused)),
        (key.state == KeyState::Disabled && may("create")).then(|| enable(frame, key, refused)),
        (ends && live && key.state != KeyState::Disabled).then(|| disable(frame, shown, refused)),
        ends.then(|| revoke(frame, shown, refused)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!forms.is_empty()).then(|| {
        view! {
            <section class="panel acts-panel">
                <h2>{t.change}</h2>
                {forms}
            </section>
        }
    })
}

/// One act: folded, unless it came back.
fn fold(
    frame: &Frame,
    key: &Key,
    refused: Option<&Refused<'_>>,
    act: &'static str,
    title: &'static str,
    content: impl FnOnce(Filled<'_>) -> AnyView,
) -> AnyView {
    let lang = frame.lang();
    let mine = refused.filter(|refused| refused.act == act);
    let blank = Typed::default();
    let filled = Filled {
        typed: mine.map_or(&blank, |refused| refused.typed),
        problem: mine.map(|refused| refused.problem),
        of: act,
        lang,
    };
    let path = format!("/keys/{}", escaped(&key.id));
    view! {
        <details class="act" open=mine.is_some()>
            <summary>{title}</summary>
            <form method="post" action=format!("{path}/{act}")>
                {told(filled.problem, &["reason", "overlap_hours", "expires"], &path, lang)} {hidden(frame)}
                {content(filled)}
            </form>
        </details>
    }
    .into_any()
}

fn rotate(frame: &Frame, key: &Key, refused: Option<&Refused<'_>>) -> AnyView {
    let lang = frame.lang();
    let t = &lang.text().key_pages;
    fold(frame, key, refused, "rotate", t.rotate, |filled| {
        let hours =
            [("24", t.overlap_day), ("168", t.overlap_week), ("1", t.overlap_hour), ("0", t.overlap_none)];
        let hours = hours.map(|(value, word)| (value.to_owned(), word.to_owned()));
        view! {
            <p class="hint">{t.rotate_lead}</p>
            {filled.choice("overlap_hours", t.overlap, None, &hours)}
            {filled
                .input(Field {
                    name: "expires",
                    label: t.new_end,
                    hint: Some(t.new_end_hint),
                    kind: "date",
                    ..Field::default()
                })}
            <button class="button primary" type="submit">
                {t.rotate_now}
            </button>
        }
        .into_any()
    })
}

fn enable(frame: &Frame, key: &Key, refused: Option<&Refused<'_>>) -> AnyView {
    let t = &frame.lang().text().key_pages;
    fold(frame, key, refused, "enable", t.enable, |_| {
        view! {
            <p class="hint">{t.enable_lead}</p>
            <button class="button" type="submit">
                {t.enable_now}
            </button>
        }
        .into_any()
    })
}

fn disable(frame: &Frame, shown: &KeyPage, refused: Option<&Refused<'_>>) -> AnyView {
    let t = &frame.lang().text().key_pages;
    fold(frame, &shown.key, refused, "disable", t.disable, |filled| {
        view! {
            <p class="hint">{t.disable_lead}</p>
            {also(&shown.before, t.also_disabled)}
            {filled.area("reason", t.reason, Some(t.reason_hint))}
            <button class="button" type="submit">
                {t.disable_now}
            </button>
        }
        .into_any()
    })
}

/// Names everything that it ends.
fn revoke(frame: &Frame, shown: &KeyPage, refused: Option<&Refused<'_>>) -> AnyView {
    let t = &frame.lang().text().key_pages;
    let name = shown.key.name.clone();
    fold(frame, &shown.key, refused, "revoke", t.revoke, |filled| {
        view! {
            <p class="hint">{(t.revoke_lead)(&shown.key.name, &shown.key.scope)}</p>
            {also(&shown.before, t.also_revoked)}
            {filled.area("reason", t.reason, Some(t.revoke_reason_hint))}
            <button class="button danger" type="submit">
                {(t.revoke_now)(&name)}
            </button>
        }
        .into_any()
    })
}

/// The keys that go with it.
fn also(before: &[Key], words: &'static str) -> Option<impl IntoView + use<>> {
    let keys = before.iter().map(|key| view! { <li><code>{key.id.clone()}</code></li> }).collect_view();
    (!before.is_empty()).then(|| {
        view! {
            <p class="hint">{words}</p>
            <ul class="also">{keys}</ul>
        }
    })
}
