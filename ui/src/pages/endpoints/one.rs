//! `/endpoints/{name}`: what is known of one endpoint and model, from each regulation down to the page that says so.

use leptos::prelude::*;
use serde::Deserialize;

use super::{MatrixRow, Summary, answer_icon};
use crate::api::escaped;
use crate::format;
use crate::pages::{fact, linked};
use crate::parts::shell::Frame;
use crate::parts::{countries, simulated_mark, slug};
use crate::text::{self, Lang};

/// What is known, as the API tells.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Explanation {
    pub(crate) models: Vec<Model>,
}

/// One model there.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Model {
    pub(crate) model: String,
    pub(crate) upstream: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// One attribute and why.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) attribute: String,
    pub(crate) value: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) conflicts: Vec<(String, String)>,
    pub(crate) missing: Vec<String>,
    pub(crate) valid_until: Option<String>,
}

/// A fact, and where it was seen: address, what it says, until when.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fact {
    pub(crate) id: String,
    pub(crate) evidence: Vec<(String, String, String)>,
    pub(crate) replaces: Option<(String, String)>,
}

/// What the page shows.
pub(crate) struct EndpointPage {
    pub(crate) summary: Summary,
    /// The scope that attestations are looked at for.
    pub(crate) scope: String,
    /// The model that is shown.
    pub(crate) model: Model,
    /// Its row of the matrix.
    pub(crate) row: Option<MatrixRow>,
    /// All models of the endpoint.
    pub(crate) models: Vec<String>,
    /// Today, `2026-11-22`: evidence has an age.
    pub(crate) today: String,
}

/// The page's content.
pub(crate) fn page(frame: &Frame, shown: &EndpointPage) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().endpoint_pages;
    let summary = &shown.summary;
    let throws = frame.viewer.as_ref().is_some_and(|it| it.may("console:kill-switches", "throw"));
    let stop = crate::pages::address(
        "/kill-switches",
        [("kind", Some("endpoint".to_owned())), ("target", Some(summary.name.clone()))],
    );
    let tabs = shown.models.iter().map(|model| {
        let href = crate::pages::address(
            &format!("/endpoints/{}", escaped(&summary.name)),
            [("model", Some(model.clone())), ("scope", Some(shown.scope.clone()))],
        );
        view! {
            <a href=href aria-current=(*model == shown.model.model).then_some("true")>
                {model.clone()}
            </a>
        }
    });
    let facts = [
        Some((t.operator, summary.operator.clone().into_any())),
        Some((t.service, summary.service.clone().into_any())),
        summary.region.clone().map(|region| (t.region, region.into_any())),
        Some((t.processes_in, countries(&summary.countries, lang))),
        Some((t.upstream, view! { <code>{shown.model.upstream.clone()}</code> }.into_any())),
        Some((t.for_scope, view! { <span class="path">{shown.scope.clone()}</span> }.into_any())),
    ];
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href=crate::pages::address("/endpoints", [("scope", Some(shown.scope.clone()))])>{t.title}</a>
            <span aria-hidden="true">"/"</span>
            <span aria-current="page">{summary.name.clone()}</span>
        </nav>
        <div class="page-head">
            <header>
                <p class="decision-marks">
                    {simulated_mark(summary.simulated, lang)}
                    {summary.resting.then(|| view! { <span class="state mark-warn">{t.resting}</span> })}
                </p>
                <h1>{summary.name.clone()}</h1>
                <dl class="facts">
                    {facts.into_iter().flatten().map(|(term, value)| fact(term, value)).collect_view()}
                </dl>
            </header>
            {throws.then(|| view! { <a class="button" href=format!("{stop}#throw")>{t.stop_it}</a> })}
        </div>
        {(shown.models.len() > 1)
            .then(|| {
                view! {
                    <div class="filters">
                        <div class="tabs" role="group" aria-label=t.model>
                            {tabs.collect_view()}
                        </div>
                    </div>
                }
            })}
        {shown.row.as_ref().map(|row| judgements(row, lang))}
        <section class="panel panel-below" id="facts">
            <h2>{t.facts}</h2>
            <p class="hint">{t.facts_lead}</p>
            {shown.model.attributes.iter().map(|it| attribute(it, &shown.today, lang)).collect_view()}
        </section>
    }
}

fn judgements(row: &MatrixRow, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().endpoint_pages;
    let lines = row.judgements.iter().map(|judgement| {
        view! {
            <li id=slug(&judgement.regulation)>
                <span>
                    <b>{text::regulation(&judgement.regulation, lang)}</b>
                    <small class="sub">{text::regulation_hint(&judgement.regulation, lang)}</small>
                </span>
                <span class=format!("answer answer-{}", slug(&judgement.answer))>
                    {answer_icon(&judgement.answer)} {text::answer(&judgement.answer, lang)}
                </span>
                <span class="because" lang="en">
                    {judgement.because.clone()}
                </span>
            </li>
        }
    });
    view! {
        <section class="panel">
            <h2>{t.regulations}</h2>
            <p class="hint">{t.regulations_lead}</p>
            <ul class="judgements">{lines.collect_view()}</ul>
        </section>
    }
}

fn attribute(attribute: &Attribute, today: &str, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().endpoint_pages;
    let facts = attribute.facts.iter().map(|fact| known(fact, today, lang)).collect_view();
    let conflicts = attribute.conflicts.iter().map(|(one, other)| {
        view! { <p class="conflict">{t.conflict} " " <code>{one.clone()}</code> " / " <code>{other.clone()}</code></p> }
    });
    let unknown = attribute.value == "unknown";
    let class = if unknown { "attribute-value quiet" } else { "attribute-value" };
    view! {
        <div class="attribute">
            <h3>{text::attribute(&attribute.attribute, lang)}</h3>
            <p class=class>{if unknown { t.unknown.to_owned() } else { value(attribute, lang) }}</p>
            {(!attribute.missing.is_empty())
                .then(|| {
                    view! {
                        <p class="hint">{t.missing} " " <span lang="en">{attribute.missing.join("; ")}</span></p>
                    }
                })}
            {conflicts.collect_view()}
            {attribute
                .valid_until
                .clone()
                .map(|at| view! { <p class="hint">{t.valid_until} " " {at.chars().take(10).collect::<String>()}</p> })}
            <ul class="attribute-facts">{facts}</ul>
        </div>
    }
}

/// Yes and no have words; everything else is written by codes that are the same everywhere.
fn value(attribute: &Attribute, lang: Lang) -> String {
    match attribute.value.as_str() {
        "true" | "yes" => text::answer("yes", lang),
        "false" | "no" => text::answer("no", lang),
        other => other.to_owned(),
    }
}

fn known(fact: &Fact, today: &str, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().endpoint_pages;
    let evidence = fact.evidence.iter().map(|(url, says, observed)| {
        let old = days_between(observed, today).map(|days| (t.days_old)(&format::integer(days, lang)));
        view! {
            <p class="evidence">
                <q lang="en">{says.clone()}</q>
                {linked(url)}
                <span class="quiet">
                    {t.observed} " " {observed.clone()} {old.map(|old| format!(" ({old})"))}
                </span>
            </p>
        }
    });
    view! {
        <li>
            {evidence.collect_view()} <code class="quiet">{fact.id.clone()}</code>
            {fact
                .replaces
                .clone()
                .map(|(id, because)| {
                    view! { <p class="hint">{t.replaces} " " <code>{id}</code> ": " {because}</p> }
                })}
        </li>
    }
}

/// Days from one date to another; none where one is no date, or the first is to come.
fn days_between(from: &str, to: &str) -> Option<u64> {
    let (from, to) = (from.parse::<chrono::NaiveDate>().ok()?, to.parse::<chrono::NaiveDate>().ok()?);
    u64::try_from((to - from).num_days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_has_an_age() {
        assert_eq!(days_between("2026-11-01", "2026-11-22"), Some(21));
        assert_eq!(days_between("2026-11-23", "2026-11-22"), None);
        assert_eq!(days_between("soon", "2026-11-22"), None);
    }
}
