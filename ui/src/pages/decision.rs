//! `/decisions/{id}`: one decision, from a plain sentence down to its proof.

mod endpoints;
mod record;
mod request;
mod timing;

use leptos::prelude::*;

use super::digest;
use crate::format;
use crate::parts::shell::Frame;
use crate::parts::{moment, outcome_badge, simulated_mark};
use crate::text::{self, Lang};
use crate::view::{DecisionView, Outcome};

/// The page's content.
pub(crate) fn page(frame: &Frame, view: &DecisionView) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().decision;
    let sections = [
        ("timing", t.timing),
        ("request", t.request),
        ("endpoints", t.endpoints),
        ("attempts", t.attempts),
        ("record", t.record),
    ];
    view! {
        <nav class="crumbs" aria-label=t.crumbs>
            <a href="/decisions">{lang.text().list.title}</a>
            <span aria-hidden="true">"/"</span>
            <span class="code" aria-current="page">
                {view.row.id.clone()}
            </span>
        </nav>
        {head(view, lang)}
        {refusal(view, lang)}
        {figures(view, lang)}
        <nav class="on-page" aria-label=t.on_page>
            {sections.map(|(id, word)| view! { <a href=format!("#{id}")>{word}</a> }).into_iter().collect_view()}
        </nav>
        <div class="columns">
            <div class="column">
                {timing::section(view, lang)} {endpoints::section(view, lang)} {endpoints::attempts(view, lang)}
            </div>
            <div class="column column-side">
                {request::held(view, lang)} {request::done(view, lang)} {request::money(view, lang)}
                {request::inputs(view, lang)}
            </div>
        </div>
        {record::section(view, frame)}
    }
}

/// The decision in one sentence.
pub(crate) fn sentence(view: &DecisionView, lang: Lang) -> String {
    let t = &lang.text().decision;
    let endpoint = view.row.endpoint.as_deref().unwrap_or(t.unknown);
    let countries: Vec<String> = view.row.countries.iter().map(|code| lang.country(code)).collect();
    let countries = lang.list(&countries);
    let redacted: Vec<String> =
        view.row.redactions.iter().map(|c| text::entity(&c.kind, c.count, lang)).collect();
    let redacted = lang.list(&redacted);
    match view.row.outcome {
        Outcome::Denied => (t.sentence_denied)(view.row.code.as_deref().unwrap_or_default()),
        Outcome::Failed => {
            let ended = view.attempts.last().map_or("", |attempt| attempt.outcome.as_str());
            (t.sentence_failed)(view.attempts.len(), ended)
        }
        Outcome::Allowed if view.row.dry_run => (t.sentence_dry_run)(endpoint, &countries, &redacted),
        Outcome::Allowed => (t.sentence_allowed)(endpoint, &countries, &redacted),
        Outcome::Running => (t.sentence_running)(endpoint, &countries, &redacted),
    }
}

fn head(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let row = &view.row;
    let facts = [
        (t.at, moment(row.time_ms, lang).into_any()),
        (t.scope, view! { <span class="path">{row.scope.clone()}</span> }.into_any()),
        (t.key, row.key.clone().unwrap_or_else(|| lang.text().list.key_deleted.to_owned()).into_any()),
        (
            t.model,
            view! { <span class="code">{row.model.clone().unwrap_or_else(|| "–".to_owned())}</span> }
                .into_any(),
        ),
        (t.route, view! { <span class="code">{view.route.clone()}</span> }.into_any()),
        (t.id, digest(&row.id, lang).into_any()),
    ];
    view! {
        <header class="decision-head">
            <p class="decision-marks">
                {outcome_badge(row.outcome, lang)}
                {view.stream.then(|| view! { <span class="chip">{t.stream}</span> })}
                {row.dry_run.then(|| view! { <span class="chip">{t.dry_run}</span> })}
                {simulated_mark(row.simulated, lang)}
            </p>
            <h1 class="sentence">{sentence(view, lang)}</h1>
            <dl class="facts">
                {facts
                    .into_iter()
                    .map(|(term, value)| {
                        view! {
                            <div>
                                <dt>{term}</dt>
                                <dd>{value}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
        </header>
    }
}

/// The error that the client got, and how to make it pass.
fn refusal(view: &DecisionView, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().decision;
    let refusal = view.refusal.clone()?;
    Some(view! {
        <section class=format!("refusal refusal-{}", view.row.outcome.name()) aria-label=t.result>
            <p class="refusal-message">{refusal.message}</p>
            <p class="refusal-code">
                <span class="label">{t.code}</span>
                <code>{refusal.code}</code>
                <span class="label">{t.status}</span>
                <code>{refusal.status}</code>
            </p>
            {refusal
                .fix
                .map(|fix| {
                    view! {
                        <p class="refusal-fix">
                            <b>{t.way_out}</b>
                            " "
                            {fix}
                        </p>
                    }
                })}
        </section>
    })
}

fn figures(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let dash = || "–".to_owned();
    let duration = |micros: Option<u64>| micros.map_or_else(dash, |value| format::duration(value, lang));
    let tokens = view.money.as_ref().and_then(|money| {
        let input = format::integer(money.input_tokens?, lang);
        Some(format!(
            "{input} / {}",
            money.output_tokens.map_or_else(dash, |value| format::integer(value, lang))
        ))
    });
    let money = view.money.as_ref().map(|_| "#money");
    let redacted: u64 = view.row.redactions.iter().map(|count| u64::from(count.count)).sum();
    let commit: u64 =
        view.stages.iter().filter(|stage| stage.stage == "record").map(|stage| stage.micros).sum();
    let commit = (commit > 0).then(|| format!("{} {}", t.commit, format::duration(commit, lang)));
    let provider = view.provider_micros.filter(|_| !view.attempts.is_empty());
    let figures = [
        (t.overhead, duration(view.row.overhead_micros), Some("#timing"), None),
        (t.provider_wait, duration(provider), Some("#timing"), None),
        (t.total, duration(view.total_micros), Some("#timing"), None),
        (t.cost, view.row.cost_nanos.map_or_else(dash, |cost| format::money(cost, lang)), money, None),
        (t.tokens, tokens.unwrap_or_else(dash), money, Some(t.tokens_in_out)),
        (t.redactions, format::integer(redacted, lang), Some("#done"), None),
    ];
    view! {
        <ul class="figures figures-wide">
            {figures
                .into_iter()
                .zip(std::iter::once(commit).chain(std::iter::repeat(None)))
                .map(|((label, value, href, unit), note)| {
                    view! {
                        <li>
                            <a class="figure" href=href>
                                <span>{label} {unit.map(|unit| view! { <small>{unit}</small> })}</span>
                                <b>{value}</b>
                                {note.map(|note| view! { <small class="figure-note">{note}</small> })}
                            </a>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
