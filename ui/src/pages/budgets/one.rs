//! `/budgets/{id}`: one budget, its top-ups, and raising it for a time.

use leptos::prelude::*;

use super::{Budget, Standing, bar, holder, nanos};
use crate::api::{Problem, Typed};
use crate::format;
use crate::pages::fact;
use crate::pages::form::{Field, Filled, hidden, told};
use crate::pages::keys::new::today;
use crate::parts::moments;
use crate::parts::shell::Frame;
use crate::text::Lang;

/// The fields of the form.
pub(crate) const FIELDS: [&str; 3] = ["amount_usd", "until", "reason"];

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    budget: &Budget,
    standing: &Standing,
    now_ms: i64,
    typed: &Typed,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().budget_pages;
    let name = holder(budget, standing, lang);
    let money = |usd: &str| format::money(nanos(usd), lang);
    let left = nanos(&budget.limit_usd)
        .saturating_sub(nanos(&budget.settled_usd))
        .saturating_sub(nanos(&budget.reserved_usd));
    let figures = [
        (t.spent, money(&budget.settled_usd)),
        (t.held, money(&budget.reserved_usd)),
        (t.left, format::money(left, lang)),
        (t.limit, money(&budget.limit_usd)),
        (t.declared, money(&budget.declared_usd)),
        (t.carried, money(&budget.carried_over_usd)),
    ];
    let key = budget.key.as_ref().map(|id| {
        let href = format!("/keys/{}", crate::api::escaped(id));
        (t.of_key, view! { <a href=href><code>{id.clone()}</code></a> }.into_any())
    });
    let facts = [
        Some((t.window, crate::text::window(&budget.window, lang).into_any())),
        Some((t.since, moments::ago(budget.window_start_ms, now_ms, lang).into_any())),
        budget.forgets_ms.map(|at| (t.starts_anew, moments::ago(at, now_ms, lang).into_any())),
        budget.models.clone().map(|models| (t.models, models.into_any())),
        Some((t.kind, if budget.hard { t.hard } else { t.soft }.into_any())),
        key,
    ];
    let may = |object: &str, action: &str| {
        frame.viewer.as_ref().is_some_and(|viewer| match &budget.scope {
            Some(scope) => viewer.may_at(object, action, scope),
            None => viewer.may(object, action),
        })
    };
    let tops_up = may("console:budgets", "top_up");
    let asks = !tops_up && may("console:requests", "ask");
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href="/budgets">{t.title}</a>
            <span aria-hidden="true">"/"</span>
            <span aria-current="page">{name.clone()}</span>
        </nav>
        <header class="decision-head">
            <h1 class="path-title">{name}</h1>
            <dl class="facts">
                {facts.into_iter().flatten().map(|(term, value)| fact(term, value)).collect_view()}
            </dl>
        </header>
        <div class="wide-bar">{bar(budget, lang)}</div>
        <ul class="figures figures-wide">
            {figures
                .map(|(label, value)| {
                    view! {
                        <li>
                            <span class="figure">
                                <span>{label}</span>
                                <b>{value}</b>
                            </span>
                        </li>
                    }
                })
                .into_iter()
                .collect_view()}
        </ul>
        <div class="columns panel-below">
            <div class="column">{top_ups(budget, now_ms, lang)}</div>
            <div class="column column-side">
                {tops_up.then(|| form(frame, budget, now_ms, typed, problem))}
                {asks
                    .then(|| {
                        view! {
                            <section class="panel">
                                <h2>{t.ask}</h2>
                                <p class="hint">{t.ask_lead}</p>
                                <a class="button" href=format!("/requests/new?kind=budget_raise&budget={}", budget.id)>
                                    {t.ask}
                                </a>
                            </section>
                        }
                    })}
            </div>
        </div>
    }
}

fn top_ups(budget: &Budget, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().budget_pages;
    let rows = budget.top_ups.iter().map(|top_up| {
        view! {
            <tr>
                <td class="number">{format::money(nanos(&top_up.amount_usd), lang)}</td>
                <td>{moments::ago(top_up.from_ms, now_ms, lang)}</td>
                <td>
                    {match top_up.until_ms {
                        Some(at) => moments::ago(at, now_ms, lang).into_any(),
                        None => t.for_good.into_any(),
                    }}
                </td>
                <td>
                    {top_up.reason.clone()}
                    <span class="sub code">{top_up.principal.clone()}</span>
                </td>
            </tr>
        }
    });
    view! {
        <section class="panel">
            <h2>{t.top_ups}</h2>
            {if budget.top_ups.is_empty() {
                view! { <p class="hint">{t.no_top_ups}</p> }.into_any()
            } else {
                view! {
                    <div class="scrolls" tabindex="0" role="region" aria-label=t.top_ups>
                        <table class="plain">
                            <thead>
                                <tr>
                                    <th scope="col" class="number">
                                        {t.amount}
                                    </th>
                                    <th scope="col">{t.from}</th>
                                    <th scope="col">{t.until}</th>
                                    <th scope="col">{t.why}</th>
                                </tr>
                            </thead>
                            <tbody>{rows.collect_view()}</tbody>
                        </table>
                    </div>
                }
                    .into_any()
            }}
        </section>
    }
}

fn form(
    frame: &Frame,
    budget: &Budget,
    now_ms: i64,
    typed: &Typed,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().budget_pages;
    let filled = Filled { typed, problem, of: "top-up", lang };
    let path = format!("/budgets/{}", budget.id);
    let action = format!("{path}/top-ups");
    view! {
        <section class="panel acts-panel">
            <h2>{t.top_up}</h2>
            <p class="hint">{t.top_up_lead}</p>
            {told(problem, &FIELDS, &path, lang)}
            <form method="post" action=action class="form">
                {hidden(frame)} {amount_and_end(filled, &today(now_ms), budget.forgets_ms.is_some())}
                {filled.area("reason", t.why, Some(t.why_hint))}
                <button class="button primary" type="submit">
                    {t.top_up_now}
                </button>
            </form>
        </section>
    }
}

/// How much, and until when: for a top-up and for asking for one.
pub(crate) fn amount_and_end(filled: Filled<'_>, today: &str, has_end: bool) -> impl IntoView + use<> {
    let t = &filled.lang.text().budget_pages;
    view! {
        {filled
            .input(Field {
                name: "amount_usd",
                label: t.amount,
                hint: Some(t.amount_hint),
                required: true,
                mode: Some("decimal"),
                ..Field::default()
            })}
        {filled
            .input(Field {
                name: "until",
                label: t.last_day,
                hint: Some(if has_end { t.last_day_hint } else { t.last_day_hint_total }),
                kind: "date",
                min: Some(today),
                ..Field::default()
            })}
    }
}
