//! `/reached`: what was sent to an endpoint, or to all of a provider, between two instants; the same as a file.

use leptos::prelude::*;
use serde::Deserialize;

use super::form::{Field, Filled, told};
use crate::api::{Problem, Typed};
use crate::parts::shell::Frame;
use crate::parts::{class_chip, countries, counts, icons, moment, outcome_badge, simulated_mark};
use crate::text::Lang;
use crate::view::{Count, Outcome};

/// The fields that say themselves what is wrong with them.
const FIELDS: [&str; 5] = ["endpoint", "provider", "from", "to", "scope"];

/// Something that was sent, as the API tells.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    pub(crate) time_ms: i64,
    pub(crate) decision: String,
    pub(crate) kind: String,
    pub(crate) number: u64,
    pub(crate) endpoint: String,
    pub(crate) countries: Vec<String>,
    pub(crate) simulated: bool,
    pub(crate) model: Option<String>,
    pub(crate) scope: String,
    pub(crate) key: Option<String>,
    pub(crate) key_name: Option<String>,
    pub(crate) data_classes: Vec<String>,
    pub(crate) redactions: Option<String>,
    pub(crate) outcome: Option<String>,
}

/// A page of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reached {
    pub(crate) reached: Vec<Sent>,
    pub(crate) next: Option<String>,
    pub(crate) undisclosed: u64,
    pub(crate) endpoints: Vec<String>,
}

/// What the page shows.
#[derive(Default)]
pub(crate) struct ReachedPage {
    /// Names to choose from.
    pub(crate) endpoints: Vec<String>,
    pub(crate) providers: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// What was found; none where nothing was asked.
    pub(crate) found: Option<Reached>,
    /// Where the files are, and the next page.
    pub(crate) csv: String,
    pub(crate) jsonl: String,
    pub(crate) next: Option<String>,
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    shown: &ReachedPage,
    typed: &Typed,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().reached_pages;
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href="/decisions">{lang.text().list.title}</a>
            <span aria-hidden="true">"/"</span>
        </nav>
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead lead-wide">{t.lead}</p>
            </div>
        </div>
        <section class="panel">{question(shown, typed, problem, lang)}</section>
        {shown.found.as_ref().map(|found| answer(shown, found, lang))}
        {(shown.found.is_none() && problem.is_none()).then(|| view! { <p class="hint panel-below">{t.not_asked}</p> })}
    }
}

fn question(
    shown: &ReachedPage,
    typed: &Typed,
    problem: Option<&Problem>,
    lang: Lang,
) -> impl IntoView + use<> {
    let t = &lang.text().reached_pages;
    let form = Filled { typed, problem, of: "reached", lang };
    let offered = |names: &[String]| -> Vec<(String, String)> {
        let none = (String::new(), t.choose.to_owned());
        std::iter::once(none).chain(names.iter().map(|name| (name.clone(), name.clone()))).collect()
    };
    let time = |name: &'static str, label: &'static str| {
        form.input(Field { name, label, kind: "datetime-local", required: true, ..Field::default() })
    };
    let scope = Field {
        name: "scope",
        label: t.scope,
        hint: Some(t.scope_hint),
        offers: &shown.scopes,
        ..Field::default()
    };
    // An endpoint that is not declared any more stays, or the form would drop it silently.
    let mut endpoints = shown.endpoints.clone();
    if let Some(name) = typed.text("endpoint").filter(|name| !endpoints.contains(name)) {
        endpoints.push(name);
    }
    view! {
        {told(problem, &FIELDS, "/reached", lang)}
        <form class="form form-across" method="get" action="/reached">
            {form.choice("endpoint", t.endpoint, None, &offered(&endpoints))}
            {form.choice("provider", t.provider, None, &offered(&shown.providers))} {time("from", t.from)}
            {time("to", t.to)} {form.input(scope)}
            <div class="form-end">
                <button class="button primary" type="submit">
                    {t.ask}
                </button>
            </div>
        </form>
    }
}

fn answer(shown: &ReachedPage, found: &Reached, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().reached_pages;
    let rows = found.reached.iter().map(|sent| row(sent, lang)).collect_view();
    let none = found.reached.is_empty();
    let looked = (t.looked)(&found.endpoints.join(", "));
    view! {
        <div class="result-head panel-below">
            <p class="hint">{looked}</p>
            <span class="gap"></span>
            {(!none || shown.next.is_some())
                .then(|| {
                    view! {
                        <a class="button" href=shown.csv.clone() download="">
                            {icons::download()}
                            {t.csv}
                        </a>
                        <a class="button quiet-button" href=shown.jsonl.clone() download="">
                            {t.jsonl}
                        </a>
                    }
                })}
        </div>
        {(found.undisclosed > 0).then(|| view! { <p class="notice">{(t.undisclosed)(found.undisclosed)}</p> })}
        {if !none {
            view! {
                <div class="list scrolls" tabindex="0" role="region" aria-label=t.title>
                    <table class="rows reached">
                        <thead>
                            <tr>
                                <th scope="col">{t.when}</th>
                                <th scope="col">{t.where_}</th>
                                <th scope="col">{t.who}</th>
                                <th scope="col">{t.data}</th>
                                <th scope="col">{t.outcome}</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
                .into_any()
        } else if shown.next.is_some() {
            view! { <p class="notice">{t.more_to_come}</p> }.into_any()
        } else {
            view! {
                <section class="empty">
                    <h2>{t.nothing_title}</h2>
                    <p>{t.nothing_lead}</p>
                </section>
            }
                .into_any()
        }}
        {shown
            .next
            .clone()
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

/// `EMAIL=2,IBAN=1`.
fn redactions(text: &str) -> Vec<Count> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(kind, count)| Some(Count { kind: kind.to_owned(), count: count.parse().ok()? }))
        .collect()
}

fn row(sent: &Sent, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().reached_pages;
    let what = if sent.kind == "detector" { t.detector.to_owned() } else { (t.number)(sent.number) };
    let outcome = sent.outcome.as_deref().and_then(Outcome::from_name);
    let key = sent.key_name.clone().or_else(|| sent.key.clone());
    let redacted = sent.redactions.as_deref().map(redactions).unwrap_or_default();
    view! {
        <tr class="row">
            <td class="cell-main cell-time">
                <a class="row-link" href=format!("/decisions/{}", crate::api::escaped(&sent.decision))>
                    {moment(sent.time_ms, lang)}
                </a>
            </td>
            <td>
                <span class="endpoint">{sent.endpoint.clone()}</span>
                <span class="sub">
                    {countries(&sent.countries, lang)} {simulated_mark(sent.simulated, lang)} " " {what}
                </span>
            </td>
            <td data-label=t.who>
                <span class="path">{sent.scope.clone()}</span>
                <span class="sub">{key}</span>
            </td>
            <td data-label=t.data>
                {sent.model.clone().map(|model| view! { <span class="code">{model}</span> })}
                <span class="chips">
                    {sent.data_classes.iter().map(|class| class_chip(class, lang)).collect_view()}
                </span>
                <span class="counts">{counts(&redacted, lang)}</span>
            </td>
            <td data-label=t.outcome>{outcome.map(|outcome| outcome_badge(outcome, lang))}</td>
        </tr>
    }
}
