//! `/people`: who there is, with their roles and where those come from. `/sessions`: who is signed in.

use leptos::prelude::*;
use serde::Deserialize;

use super::form::{Filled, hidden, told};
use crate::api::{Problem, Typed, escaped};
use crate::parts::shell::Frame;
use crate::parts::{icons, moments};
use crate::text::Lang;

/// A person, as the API tells of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) roles: Vec<Role>,
    pub(crate) created_ms: i64,
    pub(crate) disabled_ms: Option<i64>,
    pub(crate) deprovisioned_ms: Option<i64>,
    pub(crate) erased_ms: Option<i64>,
    pub(crate) joined_into: Option<String>,
}

/// What a provider said of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    pub(crate) provider: String,
    pub(crate) groups: Vec<String>,
}

/// A role, and where it is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Role {
    pub(crate) role: String,
    pub(crate) scope: String,
}

/// A page of the API's list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct People {
    pub(crate) people: Vec<Person>,
    pub(crate) next: Option<String>,
}

/// An open session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    pub(crate) id: Option<String>,
    pub(crate) person: String,
    pub(crate) method: String,
    pub(crate) provider: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) seen_ms: Option<i64>,
    pub(crate) expires_ms: i64,
    pub(crate) this: bool,
}

/// A page of the API's list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sessions {
    pub(crate) sessions: Vec<Session>,
    pub(crate) next: Option<String>,
}

/// A form of the list that came back.
pub(crate) struct Refused<'a> {
    pub(crate) id: &'a str,
    pub(crate) typed: &'a Typed,
    pub(crate) problem: &'a Problem,
}

fn called(person: &Person, lang: Lang) -> String {
    let named = person.name.clone().or_else(|| person.email.clone()).filter(|name| !name.is_empty());
    named.unwrap_or_else(|| lang.text().people_pages.unnamed.to_owned())
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    list: &People,
    disabled: bool,
    now_ms: i64,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().people_pages;
    let tab = |wanted: bool, word: &'static str| {
        let href = if wanted { "/people?disabled=true" } else { "/people" };
        view! {
            <a href=href aria-current=(wanted == disabled).then_some("true")>
                {word}
            </a>
        }
    };
    let cards = list.people.iter().map(|person| card(frame, person, now_ms, refused)).collect_view();
    let disabled_word = disabled.then(|| "true".to_owned());
    let more = list
        .next
        .clone()
        .map(|next| super::address("/people", [("disabled", disabled_word), ("cursor", Some(next))]));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead lead-wide">{t.lead}</p>
            </div>
            <a class="button" href="/sessions">
                {t.sessions}
            </a>
        </div>
        <div class="filters">
            <div class="tabs" role="group" aria-label=t.state>
                {tab(false, t.everybody)} {tab(true, t.disabled_only)}
            </div>
        </div>
        {if list.people.is_empty() {
            view! {
                <section class="empty">
                    <h2>{t.none_title}</h2>
                    <p>{t.none_lead}</p>
                </section>
            }
                .into_any()
        } else {
            view! { <ul class="cards people">{cards}</ul> }.into_any()
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

fn standing(person: &Person, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().people_pages;
    let (class, icon, word) = if person.erased_ms.is_some() {
        ("state mark-over", icons::cross().into_any(), t.erased)
    } else if person.deprovisioned_ms.is_some() {
        ("state mark-stop", icons::cross().into_any(), t.deprovisioned)
    } else if person.disabled_ms.is_some() {
        ("state mark-warn", icons::pause().into_any(), t.disabled)
    } else {
        ("state mark-ok", icons::tick().into_any(), t.may_sign_in)
    };
    view! { <span class=class>{icon} {word}</span> }
}

fn card(frame: &Frame, person: &Person, now_ms: i64, refused: Option<&Refused<'_>>) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().people_pages;
    let name = called(person, lang);
    let may = |action: &str| {
        frame.viewer.as_ref().is_some_and(|viewer| viewer.may_at("console:people", action, "/"))
    };
    let gone = person.erased_ms.is_some() || person.joined_into.is_some();
    let act = match person.disabled_ms {
        _ if gone => None,
        Some(_) => may("enable").then_some("enable"),
        None => may("disable").then_some("disable"),
    };
    let roles = person.roles.iter().map(|role| {
        view! {
            <span class="role">
                <span class="chip">{role.role.clone()}</span>
                <span class="path">{role.scope.clone()}</span>
            </span>
        }
    });
    let known = person.identities.iter().map(|identity| {
        let groups = identity.groups.join(", ");
        view! {
            <span>
                {identity.provider.clone()}
                {(!groups.is_empty()).then(|| view! { <small class="sub">{t.groups} ": " {groups}</small> })}
            </span>
        }
    });
    let no_roles = person.roles.is_empty();
    view! {
        <li class="card" id=person.id.clone()>
            <header class="card-head">
                <h2>{name.clone()}</h2>
                {standing(person, lang)}
            </header>
            <dl class="facts">
                {person.email.clone().map(|email| super::fact(t.email, email.into_any()))}
                {super::fact(
                    t.roles,
                    if no_roles { t.no_roles.into_any() } else { roles.collect_view().into_any() },
                )}
                {(!person.identities.is_empty()).then(|| super::fact(t.known_by, known.collect_view().into_any()))}
                {super::fact(t.since, moments::ago(person.created_ms, now_ms, lang).into_any())}
                {super::fact(t.id, view! { <code>{person.id.clone()}</code> }.into_any())}
                {person
                    .joined_into
                    .clone()
                    .map(|other| super::fact(t.joined, view! { <code>{other}</code> }.into_any()))}
            </dl>
            {act
                .map(|act| {
                    view! { <div class="card-acts">{change(frame, person, &name, act, refused)}</div> }
                })}
        </li>
    }
}

fn change(
    frame: &Frame,
    person: &Person,
    name: &str,
    act: &'static str,
    refused: Option<&Refused<'_>>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().people_pages;
    let mine = refused.filter(|it| it.id == person.id);
    let blank = Typed::default();
    let of = format!("{}-{act}", crate::parts::slug(&person.id));
    let form = Filled {
        typed: mine.map_or(&blank, |it| it.typed),
        problem: mine.map(|it| it.problem),
        of: &of,
        lang,
    };
    let disables = act == "disable";
    let (title, hint, button, class) = match disables {
        true => ((t.disable_who)(name), t.disable_hint, t.disable_now, "button danger"),
        false => (t.enable.to_owned(), t.enable_hint, t.enable_now, "button primary"),
    };
    view! {
        <details class="act" open=mine.is_some()>
            <summary>{title}</summary>
            <form method="post" action=format!("/people/{}/{act}", escaped(&person.id))>
                {told(form.problem, &["reason"], "/people", lang)} {hidden(frame)}
                {if disables {
                    form.area("reason", t.why, Some(hint))
                } else {
                    view! { <p class="hint">{hint}</p> }.into_any()
                }}
                <button class=class type="submit">
                    {button}
                </button>
            </form>
        </details>
    }
}

/// The page of sessions: one's own, and everybody's for who may see them.
pub(crate) fn sessions(
    frame: &Frame,
    list: &Sessions,
    now_ms: i64,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().people_pages;
    let rows = list.sessions.iter().map(|session| row(frame, session, now_ms)).collect_view();
    let sees = frame.viewer.as_ref().is_some_and(|viewer| viewer.may("console:people", "read"));
    let more = list.next.clone().map(|next| super::address("/sessions", [("cursor", Some(next))]));
    view! {
        {sees
            .then(|| {
                view! {
                    <nav class="crumbs" aria-label=lang.text().decision.crumbs>
                        <a href="/people">{t.title}</a>
                        <span aria-hidden="true">"/"</span>
                    </nav>
                }
            })}
        <div class="page-head">
            <div>
                <h1>{t.sessions}</h1>
                <p class="lead">{t.sessions_lead}</p>
            </div>
        </div>
        {told(problem, &[], "/sessions", lang)}
        {if list.sessions.is_empty() {
            view! {
                <section class="empty">
                    <h2>{t.no_sessions}</h2>
                </section>
            }
                .into_any()
        } else {
            view! {
                <div class="list">
                    <table class="rows">
                        <thead>
                            <tr>
                                <th scope="col">{t.person}</th>
                                <th scope="col">{t.way}</th>
                                <th scope="col">{t.begun}</th>
                                <th scope="col">{t.seen}</th>
                                <th scope="col">{t.ends}</th>
                                <th scope="col">
                                    <span class="sr">{t.end_session}</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
                .into_any()
        }}
        {more
            .map(|href| {
                view! {
                    <nav class="pager" aria-label=t.sessions>
                        <a class="button" href=href rel="next">
                            {t.older}
                            {icons::arrow_right()}
                        </a>
                    </nav>
                }
            })}
    }
}

fn row(frame: &Frame, session: &Session, now_ms: i64) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().people_pages;
    let way = match session.method.as_str() {
        "setup_link" => t.set_up.to_owned(),
        method => session.provider.clone().unwrap_or_else(|| method.to_owned()),
    };
    let end = session.id.clone().map(|id| {
        view! {
            <form method="post" action=format!("/sessions/{}/end", escaped(&id))>
                {hidden(frame)}
                <button class="button" type="submit" title=t.end_hint>
                    {t.end_session}
                </button>
            </form>
        }
    });
    view! {
        <tr class="row">
            <td class="cell-main">
                <code>{session.person.clone()}</code>
                {session.this.then(|| view! { " " <span class="chip chip-shown">{t.this_one}</span> })}
            </td>
            <td>{way}</td>
            <td data-label=t.begun>{moments::ago(session.created_ms, now_ms, lang)}</td>
            <td data-label=t.seen>{session.seen_ms.map(|at| moments::ago(at, now_ms, lang))}</td>
            <td data-label=t.ends>{moments::ago(session.expires_ms, now_ms, lang)}</td>
            <td>{end}</td>
        </tr>
    }
}
