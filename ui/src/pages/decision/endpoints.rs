//! Every candidate endpoint, eligible or excluded and why; and the attempts.

use leptos::prelude::*;

use super::request::rule_link;
use crate::format;
use crate::parts::{countries, icons, simulated_mark};
use crate::text::{self, Lang};
use crate::view::{AttemptView, DecisionView, EndpointView, EvidenceView, Exclusion, Outcome, RuleView};

/// The section.
pub(super) fn section(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let eligible = view.endpoints.iter().filter(|endpoint| endpoint.eligible).count();
    let chosen = view.attempts.iter().find(|attempt| attempt.ok).map(|attempt| attempt.endpoint.clone());
    let cards = view
        .endpoints
        .iter()
        .map(|endpoint| card(endpoint, chosen.as_deref() == Some(&endpoint.name), &view.rules, lang))
        .collect_view();
    view! {
        <section class="panel" id="endpoints">
            <h2>{t.endpoints} <span class="tally">{(t.eligible_of)(eligible, view.endpoints.len())}</span></h2>
            <p class="hint">{t.endpoints_lead}</p>
            <ul class="endpoints">{cards}</ul>
        </section>
    }
}

fn card(endpoint: &EndpointView, chosen: bool, listed: &[RuleView], lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let class = match (endpoint.eligible, chosen) {
        (true, true) => "endpoint-card eligible chosen",
        (true, false) => "endpoint-card eligible",
        (false, _) => "endpoint-card excluded",
    };
    let mark = if endpoint.eligible {
        let rank = endpoint.rank.map(|rank| view! { <span class="rank" title=t.rank>{rank}</span> });
        view! { <span class="verdict verdict-eligible">{icons::tick()} {t.eligible} {rank}</span> }.into_any()
    } else {
        view! { <span class="verdict verdict-excluded">{icons::cross()} {t.excluded}</span> }.into_any()
    };
    let place = endpoint.region.clone().map(|region| view! { <span class="code">{region}</span> });
    let mut reasons = endpoint.exclusions.iter().map(|exclusion| reason(exclusion, listed, lang).into_any());
    let first = reasons.next();
    let rest: Vec<AnyView> = reasons.collect();
    view! {
        <li class=class>
            <div class="endpoint-head">
                <h3>{endpoint.name.clone()}</h3>
                {mark}
                <p class="endpoint-facts">
                    <span>{if endpoint.provider == "self" { t.own.to_owned() } else { endpoint.provider.clone() }}</span>
                    <span class="code">{endpoint.model.clone()}</span>
                    {place}
                    <span title=t.processing_in>{countries(&endpoint.countries, lang)}</span>
                    {simulated_mark(endpoint.simulated, lang)}
                </p>
            </div>
            {first}
            {(!rest.is_empty())
                .then(|| {
                    view! {
                        <details class="more">
                            <summary>{(t.more_reasons)(rest.len())}</summary>
                            {rest.into_iter().collect_view()}
                        </details>
                    }
                })}
        </li>
    }
}

/// Which rule asked for what, what the endpoint has instead, and who says so.
fn reason(exclusion: &Exclusion, listed: &[RuleView], lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let comparison = exclusion.attribute.clone().map(|attribute| {
        let actual = exclusion
            .actual
            .as_ref()
            .map_or_else(|| t.unknown.to_owned(), |actual| text::with_regions(actual, lang));
        view! {
            <p class="comparison">
                <code>{attribute}</code>
                {exclusion
                    .required
                    .clone()
                    .map(|required| view! { <span class="quiet">{t.requires}</span> <code>{required}</code> })}
                <span class="quiet">{t.has}</span>
                <code class="actual">{actual}</code>
            </p>
        }
    });
    view! {
        <div class="reason">
            {comparison.is_none().then(|| view! { <p>{exclusion.reason.clone()}</p> })}
            {comparison}
            {exclusion
                .rule
                .clone()
                .map(|rule| {
                    view! {
                        <p class="by-rule">
                            <span class="label">{t.by_rule}</span>
                            {rule_link(&rule, listed)}
                        </p>
                    }
                })}
            {exclusion.evidence.iter().map(|evidence| source(evidence, lang)).collect_view()}
            {exclusion
                .fix
                .clone()
                .map(|fix| {
                    view! {
                        <p class="fix">
                            <span class="label">{t.fix}</span>
                            {fix}
                        </p>
                    }
                })}
        </div>
    }
}

fn source(evidence: &EvidenceView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    // Evidence comes from data files: an address with any other scheme stays text.
    let is_web = evidence.url.starts_with("https://") || evidence.url.starts_with("http://");
    let host = evidence.url.split('/').nth(2).unwrap_or(&evidence.url).to_owned();
    let link = if is_web {
        view! {
            <a href=evidence.url.clone() rel="noopener noreferrer external" target="_blank">
                {host}
                {icons::external()}
            </a>
        }
        .into_any()
    } else {
        view! { <code>{evidence.url.clone()}</code> }.into_any()
    };
    view! {
        <p class="evidence">
            <span class="label">{t.evidence}</span>
            <q>{evidence.says.clone()}</q>
            {link}
            <span class="quiet">{t.observed} " " {evidence.observed.clone()}</span>
        </p>
    }
}

/// The attempts in order.
pub(super) fn attempts(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let body = if view.attempts.is_empty() {
        view! { <p class="quiet">{t.no_attempts}</p> }.into_any()
    } else {
        view! {
            <table class="plain">
                <thead>
                    <tr>
                        <th scope="col" class="number">
                            "#"
                        </th>
                        <th scope="col">{lang.text().list.went_to}</th>
                        <th scope="col">{t.result}</th>
                        <th scope="col" class="number">
                            <abbr title=t.status_hint>{t.status_column}</abbr>
                        </th>
                        <th scope="col" class="number first-byte">
                            {t.first_byte}
                        </th>
                        <th scope="col" class="number">
                            {t.duration}
                        </th>
                    </tr>
                </thead>
                <tbody>{view.attempts.iter().map(|each| attempt(each, lang)).collect_view()}</tbody>
            </table>
        }
        .into_any()
    };
    view! {
        <section class="panel" id="attempts">
            <h2>{t.attempts}</h2>
            {body}
        </section>
    }
}

fn attempt(attempt: &AttemptView, lang: Lang) -> impl IntoView + use<> {
    let duration = |micros: Option<u64>| micros.map_or_else(|| "–".to_owned(), |v| format::duration(v, lang));
    let (class, icon) = match (attempt.ok, attempt.outcome.as_str()) {
        (true, _) => ("result result-ok", icons::tick().into_any()),
        (false, "running") => ("result", icons::outcome(Outcome::Running).into_any()),
        (false, _) => ("result result-failed", icons::cross().into_any()),
    };
    view! {
        <tr>
            <td class="number">{attempt.number}</td>
            <td>{attempt.endpoint.clone()}</td>
            <td>
                <span class=class>{icon} <span class="code">{attempt.outcome.clone()}</span></span>
            </td>
            <td class="number">{attempt.status.map_or_else(|| "–".to_owned(), |status| status.to_string())}</td>
            <td class="number first-byte">{duration(attempt.first_byte_micros)}</td>
            <td class="number">{duration(attempt.micros)}</td>
        </tr>
    }
}
