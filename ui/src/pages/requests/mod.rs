//! `/requests`: what people asked for, and deciding it.

pub(crate) mod new;

use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::form::{Filled, hidden, told};
use crate::api::{Problem, Typed, escaped};
use crate::format;
use crate::pages::budgets::nanos;
use crate::parts::shell::Frame;
use crate::parts::{icons, moments};
use crate::text::Lang;

/// A request, as the API tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) scope: String,
    pub(crate) asked_by: String,
    pub(crate) reason: String,
    pub(crate) wanted: Value,
    pub(crate) state: String,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) until_ms: Option<i64>,
    pub(crate) decided_by: Option<String>,
    pub(crate) decided_because: Option<String>,
    pub(crate) decided_ms: Option<i64>,
    pub(crate) made: Value,
}

/// A page of the API's list, and who reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestList {
    pub(crate) requests: Vec<Asked>,
    pub(crate) next: Option<String>,
    /// What records call the reader.
    pub(crate) subject: String,
}

/// How requests stand, as filters offer them.
pub(crate) const STATES: [&str; 5] = ["open", "approved", "refused", "withdrawn", "expired"];
/// What can be asked for.
pub(crate) const KINDS: [&str; 4] = ["key", "budget_raise", "exception", "content_access"];

/// A form of the list that came back.
pub(crate) struct Refused<'a> {
    pub(crate) id: &'a str,
    pub(crate) act: &'static str,
    pub(crate) typed: &'a Typed,
    pub(crate) problem: &'a Problem,
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    state: Option<&str>,
    list: &RequestList,
    now_ms: i64,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().request_pages;
    let may_ask = frame.viewer.as_ref().is_some_and(|viewer| viewer.may("console:requests", "ask"));
    let tab = |wanted: Option<&str>, word: &'static str| {
        let href = super::address("/requests", [("state", wanted.map(str::to_owned))]);
        let current = (wanted == state).then_some("true");
        view! {
            <a href=href aria-current=current>
                {word}
            </a>
        }
    };
    let states = STATES.map(|name| tab(Some(name), t.state(name)));
    let cards =
        list.requests.iter().map(|asked| card(frame, asked, &list.subject, now_ms, refused)).collect_view();
    let more = list.next.clone().map(|next| {
        super::address("/requests", [("state", state.map(str::to_owned)), ("cursor", Some(next))])
    });
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            {may_ask.then(|| view! { <a class="button primary" href="/requests/new">{t.ask}</a> })}
        </div>
        <div class="filters">
            <div class="tabs" role="group" aria-label=t.state_word>
                {tab(None, lang.text().list.all)} {states.into_iter().collect_view()}
            </div>
        </div>
        {if list.requests.is_empty() {
            view! {
                <section class="empty">
                    <h2>{if state.is_some() { lang.text().list.empty_filtered_title } else { t.empty_title }}</h2>
                    <p>{t.empty_lead}</p>
                </section>
            }
                .into_any()
        } else {
            view! { <ul class="cards">{cards}</ul> }.into_any()
        }}
        {more
            .map(|href| {
                view! {
                    <nav class="pager" aria-label=t.title>
                        <a class="button" href=href rel="next">
                            {t.older}
                            {icons::arrow_right()}
                        </a>
                    </nav>
                }
            })}
    }
}

fn card(
    frame: &Frame,
    asked: &Asked,
    subject: &str,
    now_ms: i64,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().request_pages;
    let open = asked.state == "open";
    let own = asked.asked_by == subject;
    let decides = open
        && !own
        && frame.viewer.as_ref().is_some_and(|it| it.may_at("console:requests", "approve", &asked.scope));
    let decided = asked.decided_by.clone().map(|by| {
        let at = asked.decided_ms.map(|at| moments::ago(at, now_ms, lang));
        let because = asked.decided_because.clone();
        view! {
            <p class="quiet">
                {t.decided_by} " " <code>{by}</code> " " {at} {because.map(|because| format!(": {because}"))}
            </p>
        }
    });
    view! {
        <li class=format!("card request-{}", crate::parts::slug(&asked.state)) id=asked.id.clone()>
            <header class="card-head">
                <h2>{summary(asked, lang)}</h2>
                {state_mark(&asked.state, lang)}
            </header>
            <p class="card-reason">{asked.reason.clone()}</p>
            <dl class="facts">
                {super::fact(t.scope, view! { <span class="path">{asked.scope.clone()}</span> }.into_any())}
                {super::fact(
                    t.asked_by,
                    if own { t.you.into_any() } else { view! { <code>{asked.asked_by.clone()}</code> }.into_any() },
                )} {super::fact(t.asked_at, moments::ago(asked.created_ms, now_ms, lang).into_any())}
                {open.then(|| super::fact(t.waits_until, moments::ago(asked.expires_ms, now_ms, lang).into_any()))}
                {asked.until_ms.map(|at| super::fact(t.holds_until, moments::ago(at, now_ms, lang).into_any()))}
                {open.then(|| last_day(asked)).flatten().map(|day| super::fact(t.holds_until, day.into_any()))}
            </dl>
            {decided} {proposed(asked, lang)}
            {decides
                .then(|| {
                    view! {
                        <div class="card-acts">
                            {decide(frame, asked, refused, "approve", t.approve, t.approve_now, false)}
                            {decide(frame, asked, refused, "refuse", t.refuse, t.refuse_now, true)}
                        </div>
                    }
                })}
            {(open && own)
                .then(|| {
                    let mine = refused.filter(|it| it.id == asked.id && it.act == "withdraw");
                    view! {
                        <form method="post" action=format!("/requests/{}/withdraw", escaped(&asked.id))>
                            {told(mine.map(|it| it.problem), &[], "/requests", lang)} {hidden(frame)}
                            <button class="button" type="submit">
                                {t.withdraw}
                            </button>
                        </form>
                    }
                })}
        </li>
    }
}

fn decide(
    frame: &Frame,
    asked: &Asked,
    refused: Option<&Refused<'_>>,
    act: &'static str,
    title: &'static str,
    button: &'static str,
    must_say: bool,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().request_pages;
    let mine = refused.filter(|it| it.id == asked.id && it.act == act);
    let blank = Typed::default();
    let of = format!("{}-{act}", asked.id);
    let filled = Filled {
        typed: mine.map_or(&blank, |it| it.typed),
        problem: mine.map(|it| it.problem),
        of: &of,
        lang,
    };
    let class = if must_say { "button" } else { "button primary" };
    view! {
        <details class="act" open=mine.is_some()>
            <summary>{title}</summary>
            <form method="post" action=format!("/requests/{}/{act}", escaped(&asked.id))>
                {told(filled.problem, &["reason"], "/requests", lang)} {hidden(frame)}
                {if must_say {
                    filled.area("reason", t.why, Some(t.refuse_hint))
                } else {
                    filled
                        .input(super::form::Field {
                            name: "reason",
                            label: t.why,
                            hint: Some(t.approve_hint),
                            ..super::form::Field::default()
                        })
                }}
                <button class=class type="submit">
                    {button}
                </button>
            </form>
        </details>
    }
}

/// The day until which it would hold, where one is asked for.
fn last_day(asked: &Asked) -> Option<String> {
    let said = ["/key/expires", "/until"].iter().find_map(|place| asked.wanted.pointer(place)?.as_str());
    let day = said?.get(..10)?;
    day.starts_with(|first: char| first.is_ascii_digit()).then(|| day.to_owned())
}

/// What is wanted, in a sentence.
fn summary(asked: &Asked, lang: Lang) -> String {
    let t = &lang.text().request_pages;
    let text =
        |pointer: &str| asked.wanted.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    match asked.kind.as_str() {
        "key" => (t.wants_key)(&text("/key/name")),
        "budget_raise" => (t.wants_raise)(
            &format::money(nanos(&text("/amount_usd")), lang),
            &asked.wanted.pointer("/budget").map(Value::to_string).unwrap_or_default(),
        ),
        "exception" => (t.wants_exception)(&text("/rule")),
        "content_access" => t.wants_content.to_owned(),
        other => other.to_owned(),
    }
}

/// What an approved exception is: a file to commit.
fn proposed(asked: &Asked, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().request_pages;
    let path = asked.made.pointer("/path")?.as_str()?.to_owned();
    let yaml = asked.made.pointer("/yaml")?.as_str()?.to_owned();
    Some(view! {
        <p class="hint">{t.commit_this} " " <code>{path}</code></p>
        {super::snippet(yaml, lang)}
    })
}

fn state_mark(state: &str, lang: Lang) -> impl IntoView + use<> {
    let (class, icon) = match state {
        "open" => ("mark-wait", icons::clock().into_any()),
        "approved" => ("mark-ok", icons::tick().into_any()),
        "refused" => ("mark-stop", icons::cross().into_any()),
        _ => ("mark-over", icons::pause().into_any()),
    };
    view! { <span class=format!("state {class}")>{icon} {lang.text().request_pages.state(state).to_owned()}</span> }
}
