//! The table of decisions and its rows.

use leptos::prelude::*;

use super::{class_chip, countries, counts, icons, moment, outcome_badge, simulated_mark};
use crate::format;
use crate::text::Lang;
use crate::view::{DecisionRow, Outcome};

/// The head of the table.
pub(crate) fn head(lang: Lang) -> impl IntoView {
    let t = &lang.text().list;
    view! {
        <thead>
            <tr>
                <th scope="col">{t.time}</th>
                <th scope="col">{t.outcome}</th>
                <th scope="col">{t.who}</th>
                <th scope="col">{t.request}</th>
                <th scope="col">{t.went_to}</th>
                <th scope="col">{t.data}</th>
                <th scope="col" class="number">
                    {t.cost}
                </th>
                <th scope="col" class="number">
                    <abbr title=t.overhead_hint>{t.overhead}</abbr>
                </th>
            </tr>
        </thead>
    }
}

/// One row; `fresh` marks one that has just arrived.
pub(crate) fn row(row: &DecisionRow, lang: Lang, fresh: bool) -> impl IntoView + use<> {
    let t = &lang.text().list;
    let href = format!("/decisions/{}", row.id);
    let class = if fresh { "decision fresh" } else { "decision" };
    view! {
        <tr class=class>
            <td class="cell-time">
                <a class="row-link" href=href title=row.id.clone()>
                    {moment(row.time_ms, lang)}
                </a>
            </td>
            <td class="cell-outcome">
                {outcome_badge(row.outcome, lang)} <span class="sub">{note(row, lang)}</span>
            </td>
            <td class="cell-who">
                <span class="path">{row.scope.clone()}</span>
                <span class="sub">{row.key.clone().unwrap_or_else(|| t.key_deleted.to_owned())}</span>
            </td>
            <td class="cell-model">
                <span class="code">{row.model.clone().unwrap_or_else(|| "–".to_owned())}</span>
            </td>
            <td class="cell-endpoint">{went_to(row, lang)}</td>
            <td class="cell-data">
                <span class="chips">
                    {row.data_classes.iter().map(|class| class_chip(class, lang)).collect_view()}
                </span>
                <span class="counts" title=t.redacted>
                    {counts(&row.redactions, lang)}
                </span>
            </td>
            <td class="cell-cost number">
                {row.cost_nanos.map_or_else(|| "–".to_owned(), |cost| format::money(cost, lang))}
            </td>
            <td class="cell-overhead number">
                {row.overhead_micros.map_or_else(|| "–".to_owned(), |micros| format::duration(micros, lang))}
            </td>
        </tr>
    }
}

/// Below the outcome: the code of a refusal, or that it was a dry run.
fn note(row: &DecisionRow, lang: Lang) -> AnyView {
    if let Some(code) = &row.code {
        return view! { <span class="code">{code.clone()}</span> }.into_any();
    }
    if row.dry_run {
        return lang.text().list.dry_run.into_any();
    }
    ().into_any()
}

fn went_to(row: &DecisionRow, lang: Lang) -> AnyView {
    let Some(endpoint) = row.endpoint.clone().filter(|_| row.outcome != Outcome::Denied) else {
        return view! { <span class="quiet">{lang.text().list.not_sent}</span> }.into_any();
    };
    let class = if row.dry_run { "endpoint quiet" } else { "endpoint" };
    view! {
        <span class=class>
            <span class="endpoint-arrow">{icons::arrow_right()}</span>
            {endpoint}
        </span>
        <span class="sub">
            {countries(&row.countries, lang)} {simulated_mark(row.simulated, lang)}
        </span>
    }
    .into_any()
}
