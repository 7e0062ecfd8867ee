//! `/endpoints`: every endpoint and model against every regulation. Each answer leads to its facts.

pub(crate) mod one;

use leptos::prelude::*;
use serde::Deserialize;

use crate::api::escaped;
use crate::parts::shell::Frame;
use crate::parts::{countries, icons, simulated_mark, slug};
use crate::text::{self, Lang};

/// Endpoints against regulations, as the API tells.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Matrix {
    pub(crate) scope: String,
    pub(crate) database: String,
    pub(crate) rows: Vec<MatrixRow>,
}

/// One model of one endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct MatrixRow {
    pub(crate) endpoint: String,
    pub(crate) model: String,
    pub(crate) judgements: Vec<Judgement>,
}

/// What one regulation asks of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Judgement {
    pub(crate) regulation: String,
    pub(crate) answer: String,
    pub(crate) because: String,
}

/// An endpoint on a line.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    pub(crate) name: String,
    pub(crate) scope: String,
    pub(crate) operator: String,
    pub(crate) service: String,
    pub(crate) region: Option<String>,
    pub(crate) countries: Vec<String>,
    pub(crate) simulated: bool,
    pub(crate) resting: bool,
}

/// What the page shows.
pub(crate) struct Endpoints {
    pub(crate) matrix: Matrix,
    pub(crate) summaries: Vec<Summary>,
    /// What is declared and can't be used, and why.
    pub(crate) unusable: Vec<String>,
    /// Scopes that the answers could be for.
    pub(crate) scopes: Vec<String>,
}

/// The page's content.
pub(crate) fn page(frame: &Frame, shown: &Endpoints) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().endpoint_pages;
    let matrix = &shown.matrix;
    let stops = frame.viewer.as_ref().is_some_and(|viewer| viewer.may("console:kill-switches", "read"));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            {stops.then(|| view! { <a class="button" href="/kill-switches">{t.kill_switches}</a> })}
        </div>
        <form class="filters" method="get" action="/endpoints" data-submit-on-change="">
            {scope_choice(&matrix.scope, &shown.scopes, lang)}
            <button class="button" type="submit">
                {lang.text().list.filter}
            </button>
        </form>
        {(!shown.unusable.is_empty())
            .then(|| {
                let told = shown.unusable.iter().map(|why| view! { <li lang="en">{why.clone()}</li> });
                view! {
                    <section class="notice attention">
                        <h2>{t.unusable}</h2>
                        <ul>{told.collect_view()}</ul>
                    </section>
                }
            })}
        {if matrix.rows.is_empty() {
            view! {
                <section class="empty">
                    <h2>{t.empty_title}</h2>
                    <p>{t.empty_lead}</p>
                    {super::snippet("bailiwick apply -f organisation.yaml".to_owned(), lang)}
                </section>
            }
                .into_any()
        } else {
            table(shown, lang).into_any()
        }}
        <p class="hint">{(t.database)(&matrix.database)}</p>
    }
}

/// The scope that attestations are looked at for.
fn scope_choice(chosen: &str, scopes: &[String], lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().endpoint_pages;
    let missing = (!scopes.iter().any(|scope| scope == chosen)).then(|| chosen.to_owned());
    let options = missing.into_iter().chain(scopes.iter().cloned()).map(|scope| {
        let selected = scope == chosen;
        let word = scope.clone();
        view! {
            <option value=scope selected=selected>
                {word}
            </option>
        }
    });
    view! {
        <label class="field">
            <span class="label">{t.for_scope}</span>
            <select name="scope">{options.collect_view()}</select>
        </label>
    }
}

fn table(shown: &Endpoints, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().endpoint_pages;
    let regulations: Vec<String> = shown
        .matrix
        .rows
        .first()
        .map(|row| row.judgements.iter().map(|judgement| judgement.regulation.clone()).collect())
        .unwrap_or_default();
    let head = regulations.iter().map(|id| {
        view! {
            <th scope="col">
                <abbr title=text::regulation_hint(id, lang)>{text::regulation(id, lang)}</abbr>
            </th>
        }
    });
    let rows = shown.matrix.rows.iter().map(|row| {
        let summary = shown.summaries.iter().find(|summary| summary.name == row.endpoint);
        let address = |fragment: &str| {
            let pairs = [("model", Some(row.model.clone())), ("scope", Some(shown.matrix.scope.clone()))];
            let path = super::address(&format!("/endpoints/{}", escaped(&row.endpoint)), pairs);
            format!("{path}#{fragment}")
        };
        let cells = row.judgements.iter().map(|judgement| {
            view! {
                <td>
                    <a
                        class=format!("answer answer-{}", slug(&judgement.answer))
                        href=address(&slug(&judgement.regulation))
                        title=judgement.because.clone()
                    >
                        {answer_icon(&judgement.answer)}
                        {text::answer(&judgement.answer, lang)}
                    </a>
                </td>
            }
        });
        view! {
            <tr>
                <th scope="row">
                    <a href=address("facts")>{row.endpoint.clone()}</a>
                    <span class="model code">{row.model.clone()}</span>
                    {summary
                        .map(|summary| {
                            view! {
                                <span class="sub">
                                    {countries(&summary.countries, lang)} {simulated_mark(summary.simulated, lang)}
                                    {summary.resting.then(|| view! { <span class="mark-warn">{t.resting}</span> })}
                                </span>
                            }
                        })}
                </th>
                {cells.collect_view()}
            </tr>
        }
    });
    view! {
        <section class="list scrolls" tabindex="0" role="region" aria-label=t.title>
            <table class="matrix">
                <thead>
                    <tr>
                        <th scope="col">{t.endpoint}</th>
                        {head.collect_view()}
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </section>
    }
}

/// An answer by shape, beside its word.
pub(crate) fn answer_icon(answer: &str) -> AnyView {
    match answer {
        "yes" => icons::tick().into_any(),
        "no" => icons::cross().into_any(),
        "only_if" => icons::condition().into_any(),
        _ => icons::question().into_any(),
    }
}
