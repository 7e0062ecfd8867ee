//! `/kill-switches`: what is stopped at once, throwing one, and lifting it.

use leptos::prelude::*;
use serde::Deserialize;

use super::form::{Field, Filled, hidden, told};
use crate::api::{Problem, Typed, escaped};
use crate::parts::shell::Frame;
use crate::parts::{icons, moments};
use crate::text::Lang;

/// A kill switch, as the API tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Switch {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) target: String,
    pub(crate) scope: String,
    pub(crate) reason: String,
    pub(crate) principal: String,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) state: String,
    pub(crate) asks_again: bool,
    pub(crate) lifted_ms: Option<i64>,
    pub(crate) lifted_by: Option<String>,
    pub(crate) lifted_because: Option<String>,
}

/// What can be stopped.
pub(crate) const KINDS: [&str; 4] = ["endpoint", "model", "provider", "transfer_mechanism"];
/// For how long, in hours.
pub(crate) const HOURS: [&str; 5] = ["1", "4", "24", "72", "168"];
/// The fields that say themselves what is wrong with them.
const FIELDS: [&str; 5] = ["kind", "target", "scope", "reason", "expires"];

/// What the page shows.
pub(crate) struct Switches {
    pub(crate) switches: Vec<Switch>,
    /// Names of endpoints, models and providers, to choose from.
    pub(crate) targets: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) now_ms: i64,
}

/// A form that came back: the switch that was to be lifted, or none for a new one.
pub(crate) struct Refused<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) problem: &'a Problem,
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    shown: &Switches,
    typed: &Typed,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().switch_pages;
    let throws = frame.viewer.as_ref().is_some_and(|it| it.may("console:kill-switches", "throw"));
    let (now, before): (Vec<&Switch>, Vec<&Switch>) =
        shown.switches.iter().partition(|switch| switch.state != "lifted");
    let cards = |switches: &[&Switch]| {
        let cards = switches.iter().map(|switch| card(frame, switch, shown.now_ms, typed, refused));
        view! { <ul class="cards">{cards.collect_view()}</ul> }
    };
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href="/endpoints">{lang.text().endpoint_pages.title}</a>
            <span aria-hidden="true">"/"</span>
            <span aria-current="page">{t.title}</span>
        </nav>
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
        </div>
        <div class="columns">
            <div class="column">
                {if now.is_empty() {
                    view! {
                        <section class="empty">
                            <h2>{t.empty_title}</h2>
                            <p>{t.empty_lead}</p>
                        </section>
                    }
                        .into_any()
                } else {
                    cards(&now).into_any()
                }}
                {(!before.is_empty())
                    .then(|| {
                        view! {
                            <details class="form-more">
                                <summary>{t.before}</summary>
                                {cards(&before)}
                            </details>
                        }
                    })}
            </div>
            <div class="column column-side">{throws.then(|| throw(frame, shown, typed, refused))}</div>
        </div>
    }
}

fn card(
    frame: &Frame,
    switch: &Switch,
    now_ms: i64,
    typed: &Typed,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().switch_pages;
    let (mark, word, icon) = match switch.state.as_str() {
        "in_force" => ("mark-stop", t.in_force, icons::pause().into_any()),
        "lifted" => ("mark-over", t.lifted, icons::tick().into_any()),
        _ => ("mark-warn", t.expired, icons::clock().into_any()),
    };
    let lifts = switch.state != "lifted"
        && frame.viewer.as_ref().is_some_and(|it| it.may_at("console:kill-switches", "lift", &switch.scope));
    let lifted = switch.lifted_by.clone().map(|by| {
        let because = switch.lifted_because.clone().unwrap_or_default();
        let at = switch.lifted_ms.map(|at| moments::ago(at, now_ms, lang));
        view! { <p class="quiet">{t.lifted_by} " " <code>{by}</code> " " {at} ": " {because}</p> }
    });
    view! {
        <li class="card" id=switch.id.clone()>
            <header class="card-head">
                <h2>{t.kind(&switch.kind).to_owned()} " " <span class="code">{switch.target.clone()}</span></h2>
                <span class=format!("state {mark}")>{icon} {word}</span>
            </header>
            <p class="card-reason">{switch.reason.clone()}</p>
            {switch.asks_again.then(|| view! { <p class="notice">{t.asks_again}</p> })}
            <dl class="facts">
                {super::fact(t.scope, view! { <span class="path">{switch.scope.clone()}</span> }.into_any())}
                {super::fact(t.thrown_by, view! { <code>{switch.principal.clone()}</code> }.into_any())}
                {super::fact(t.thrown, moments::ago(switch.created_ms, now_ms, lang).into_any())}
                {super::fact(t.expires, moments::ago(switch.expires_ms, now_ms, lang).into_any())}
            </dl>
            {lifted} {lifts.then(|| lift(frame, switch, typed, refused))}
        </li>
    }
}

fn lift(
    frame: &Frame,
    switch: &Switch,
    typed: &Typed,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().switch_pages;
    let mine = refused.filter(|refused| refused.id == Some(switch.id.as_str()));
    let blank = Typed::default();
    let filled = Filled {
        typed: if mine.is_some() { typed } else { &blank },
        problem: mine.map(|refused| refused.problem),
        of: &switch.id,
        lang,
    };
    view! {
        <div class="card-acts">
            <details class="act" open=mine.is_some()>
                <summary>{t.lift}</summary>
                <form method="post" action=format!("/kill-switches/{}/lift", escaped(&switch.id))>
                    {told(filled.problem, &["reason"], "/kill-switches", lang)} {hidden(frame)}
                    {filled.area("reason", t.reason, Some(t.lift_hint))}
                    <button class="button" type="submit">
                        {(t.lift_now)(&switch.target)}
                    </button>
                </form>
            </details>
        </div>
    }
}

fn throw(
    frame: &Frame,
    shown: &Switches,
    typed: &Typed,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().switch_pages;
    let mine = refused.filter(|refused| refused.id.is_none());
    let lifting = refused.is_some() && mine.is_none();
    let blank = Typed::default();
    let filled = Filled {
        typed: if lifting { &blank } else { typed },
        problem: mine.map(|refused| refused.problem),
        of: "throw",
        lang,
    };
    let kinds = KINDS.map(|kind| (kind.to_owned(), t.kind(kind).to_owned()));
    let hours = HOURS.map(|hours| (hours.to_owned(), t.hours(hours).to_owned()));
    view! {
        <section class="panel acts-panel" id="throw">
            <h2>{t.throw}</h2>
            <p class="hint">{t.throw_lead}</p>
            {told(filled.problem, &FIELDS, "/kill-switches", lang)}
            <form method="post" action="/kill-switches" class="form">
                {hidden(frame)} {filled.choice("kind", t.what, None, &kinds)}
                {filled
                    .input(Field {
                        name: "target",
                        label: t.target,
                        hint: Some(t.target_hint),
                        required: true,
                        offers: &shown.targets,
                        ..Field::default()
                    })}
                {filled
                    .input(Field {
                        name: "scope",
                        label: t.scope,
                        hint: Some(t.scope_hint),
                        required: true,
                        offers: &shown.scopes,
                        ..Field::default()
                    })} {filled.choice("hours", t.how_long, Some(t.how_long_hint), &hours)}
                {filled.area("reason", t.reason, Some(t.reason_hint))}
                <button class="button danger" type="submit">
                    {t.throw_now}
                </button>
            </form>
        </section>
    }
}

/// The instant so many hours from now.
pub(crate) fn expires(hours: &str, now_ms: i64) -> String {
    let hours: i64 =
        HOURS.into_iter().find(|known| *known == hours).and_then(|it| it.parse().ok()).unwrap_or(1);
    crate::format::moment(now_ms.saturating_add(hours * 3_600_000), Lang::En).machine
}
