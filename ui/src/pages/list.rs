//! `/decisions`: the list, newest first, and everything that narrows it, which stands in the address.

use leptos::prelude::*;

use super::list_parts::{activity, empty};
use super::times;
use crate::islands::live::DecisionTable;
use crate::parts::icons;
use crate::parts::shell::Frame;
use crate::text::{Lang, Text};
use crate::view::{DecisionFilter, DecisionPage, Outcome};

/// Where the live stream is served: server-sent events, each one's data the JSON of a [`DecisionRow`](crate::view::DecisionRow).
pub const STREAM_PATH: &str = "/api/v1/decisions/stream";

/// The page's content.
pub(crate) fn page(frame: &Frame, filter: &DecisionFilter, page: DecisionPage) -> impl IntoView + use<> {
    let lang = frame.lang();
    let text = lang.text();
    let t = &text.list;
    let older = page.next.clone().map(|before| with(filter, |f| f.before = Some(before)));
    let newest = filter.before.is_some().then(|| with(filter, |f| f.before = None));
    let stream = (!filter.narrows() && filter.before.is_none()).then(|| STREAM_PATH.to_owned());
    let base_url = frame.overview.as_ref().map(|o| o.base_url.clone()).unwrap_or_default();
    let never_used = page.rows.is_empty() && !filter.narrows() && filter.before.is_none();
    let model = frame.overview.as_ref().and_then(|o| o.example_model.clone());
    let model = model.unwrap_or_else(|| "MODEL".to_owned());
    let looked = page.looked.filter(|_| older.is_some());
    let hint = (page.rows.is_empty() && looked.is_none()).then(|| empty(filter, &base_url, &model, lang));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">
                    {t.lead} " " <a href=super::address("/reached", [("endpoint", filter.endpoint.clone())])>{t.reached}</a>
                </p>
            </div>
            {activity(&page.activity, filter, lang)}
        </div>
        {(!never_used).then(|| filters(filter, &page, lang))}
        // The first row may arrive while the page is open: then the style sheet swaps the hint for the table.
        {(!page.rows.is_empty() || stream.is_some())
            .then(|| view! { <DecisionTable rows=page.rows lang=lang stream=stream /> })}
        {hint}
        {looked
            .map(|looked| {
                view! {
                    <p class="notice notice-below">{(t.looked)(&crate::format::integer(looked, lang))}</p>
                }
            })}
        {(older.is_some() || newest.is_some())
            .then(|| {
                view! {
                    <nav class="pager" aria-label=t.title>
                        {newest.map(|href| view! { <a class="button" href=href>{t.newest}</a> })}
                        {older
                            .map(|href| {
                                view! {
                                    <a class="button" href=href rel="next">
                                        {if looked.is_some() { t.look_further } else { t.older }}
                                        {icons::arrow_right()}
                                    </a>
                                }
                            })}
                    </nav>
                }
            })}
    }
}

/// The filter's address with a change.
pub(super) fn with(filter: &DecisionFilter, change: impl FnOnce(&mut DecisionFilter)) -> String {
    let mut changed = filter.clone();
    change(&mut changed);
    let pairs = [
        ("scope", changed.scope),
        ("outcome", changed.outcome.map(|outcome| outcome.name().to_owned())),
        ("model", changed.model),
        ("key", changed.key),
        ("endpoint", changed.endpoint),
        ("kind", changed.kind),
        ("from", changed.from_ms.map(times::write)),
        ("to", changed.to_ms.map(times::write)),
        ("q", changed.q),
        ("before", changed.before),
    ];
    super::address("/decisions", pairs)
}

fn filters(filter: &DecisionFilter, page: &DecisionPage, lang: Lang) -> impl IntoView + use<> {
    let text = lang.text();
    let t = &text.list;
    view! {
        <form class="filters" method="get" action="/decisions" role="search" data-submit-on-change="">
            {super::search(filter.q.as_deref(), t.search_hint, lang)}
            {outcomes(filter, text)} {super::select(t.scope, "scope", t.any_scope, &page.scopes, filter.scope.as_deref())}
            {super::select(t.model, "model", t.any_model, &page.models, filter.model.as_deref())}
            {filter
                .outcome
                .map(|outcome| view! { <input type="hidden" name="outcome" value=outcome.name() /> })}
            <details class="more-filters" open=filter.narrows_more()>
                <summary class="button">{t.more_filters}</summary>
                <div class="filters">
                    {super::select_named(t.key, "key", t.any_key, &page.keys, filter.key.as_deref())}
                    {super::select(t.endpoint, "endpoint", t.any_endpoint, &page.endpoints, filter.endpoint.as_deref())}
                    {super::select_named(t.kind, "kind", t.any_kind, &kinds(page, lang), filter.kind.as_deref())}
                    {time(t.from, "from", filter.from_ms, lang)} {time(t.to, "to", filter.to_ms, lang)}
                </div>
            </details>
            <button class="button" type="submit">
                {t.filter}
            </button>
            {(filter.narrows() || filter.before.is_some())
                .then(|| view! { <a class="button quiet-button" href="/decisions">{t.clear}</a> })}
        </form>
    }
}

/// Kinds of entities by their names, in their order.
fn kinds(page: &DecisionPage, lang: Lang) -> Vec<(String, String)> {
    let mut kinds: Vec<(String, String)> =
        page.kinds.iter().map(|kind| (kind.clone(), crate::text::entities(kind, lang))).collect();
    kinds.sort_by_key(|(_, name)| name.to_lowercase());
    kinds
}

/// An instant to narrow by.
pub(super) fn time(
    label: &'static str,
    name: &'static str,
    unix_ms: Option<i64>,
    lang: Lang,
) -> impl IntoView + use<> {
    view! {
        <label class="field field-time">
            <span class="label">{label} " " <small>{lang.text().list.time_hint}</small></span>
            <input type="datetime-local" step="1" name=name value=unix_ms.map(times::write) />
        </label>
    }
}

/// The outcomes as links: one press, and the address says what is shown.
fn outcomes(filter: &DecisionFilter, text: &'static Text) -> impl IntoView + use<> {
    let link = |outcome: Option<Outcome>, word: &'static str| {
        let href = with(filter, |f| {
            f.outcome = outcome;
            f.before = None;
        });
        let current = (filter.outcome == outcome).then_some("true");
        view! {
            <a href=href aria-current=current>
                {word}
            </a>
        }
    };
    view! {
        <div class="tabs" role="group" aria-label=text.list.outcome>
            {link(None, text.list.all)} {link(Some(Outcome::Allowed), text.outcome.allowed)}
            {link(Some(Outcome::Denied), text.outcome.denied)} {link(Some(Outcome::Failed), text.outcome.failed)}
        </div>
    }
}
