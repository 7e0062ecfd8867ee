//! `/` and `/decisions`: the list, newest first.

use leptos::prelude::*;

use super::list_parts::{activity, empty};
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
    let hint = page.rows.is_empty().then(|| empty(filter, &base_url, &model, lang));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            {activity(&page.activity, filter, lang)}
        </div>
        {(!never_used).then(|| filters(filter, &page, lang))}
        // The first row may arrive while the page is open: then the style sheet swaps the hint for the table.
        {(!page.rows.is_empty() || stream.is_some())
            .then(|| view! { <DecisionTable rows=page.rows lang=lang stream=stream /> })}
        {hint}
        {(older.is_some() || newest.is_some())
            .then(|| {
                view! {
                    <nav class="pager" aria-label=t.title>
                        {newest.map(|href| view! { <a class="button" href=href>{t.newest}</a> })}
                        {older
                            .map(|href| {
                                view! {
                                    <a class="button" href=href rel="next">
                                        {t.older}
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
            <button class="button" type="submit">
                {t.filter}
            </button>
            {(filter.narrows() || filter.before.is_some())
                .then(|| view! { <a class="button quiet-button" href="/decisions">{t.clear}</a> })}
        </form>
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
