//! `/`: what happened in a range of time, where the money stands, and what waits for the reader. Every number leads to its list.

mod chart;
pub(crate) mod needs;

use leptos::prelude::*;

use super::budgets::{self, Standing};
use super::endpoints::Summary;
use crate::format;
use crate::parts::icons;
use crate::parts::shell::Frame;
use crate::text::{self, Lang};
use crate::view::{DecisionFilter, Outcome, Range, Traffic};
use needs::Need;

/// Budgets that the overview shows.
const BUDGETS: usize = 4;
/// Kinds of entities that it shows.
const KINDS: usize = 8;

/// What the page shows. What a reader may not see is not there.
pub(crate) struct OverviewPage {
    pub(crate) range: Range,
    /// The scope that it is narrowed to.
    pub(crate) scope: Option<String>,
    /// Scopes that it could be narrowed to.
    pub(crate) scopes: Vec<String>,
    pub(crate) traffic: Option<Traffic>,
    pub(crate) standing: Option<Standing>,
    pub(crate) endpoints: Option<Endpoints>,
    pub(crate) needs: Vec<Need>,
}

/// Endpoints and what is declared as one and can't be used.
pub(crate) struct Endpoints {
    pub(crate) summaries: Vec<Summary>,
    pub(crate) unusable: Vec<String>,
}

/// The page's content.
pub(crate) fn page(frame: &Frame, shown: &OverviewPage, now_ms: i64) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().overview_pages;
    let never_used =
        shown.traffic.as_ref().is_some_and(|traffic| traffic.requests() == 0 && traffic.dry_runs == 0);
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            {shown.traffic.is_some().then(|| ranges(shown, lang))}
        </div>
        {needs::section(&shown.needs, now_ms, lang)}
        {shown
            .traffic
            .as_ref()
            .map(|traffic| {
                view! {
                    {figures(shown, traffic, lang)}
                    <section class="panel panel-below">
                        <h2>{t.over_time}</h2>
                        {if never_used { empty(frame, lang).into_any() } else { chart::chart(shown, traffic, lang).into_any() }}
                        {(traffic.uncounted_hours > 0)
                            .then(|| view! { <p class="hint notice-line">{(t.uncounted)(traffic.uncounted_hours)}</p> })}
                    </section>
                }
            })}
        <div class="thirds">
            {shown.standing.as_ref().map(|standing| money(standing, now_ms, lang))}
            {shown.traffic.as_ref().map(|traffic| redactions(shown, traffic, lang))}
            {shown.endpoints.as_ref().map(|endpoints| health(endpoints, lang))}
        </div>
    }
}

/// The list behind a number: the same range and scope, and what narrows it further.
fn list_of(shown: &OverviewPage, traffic: &Traffic, change: impl FnOnce(&mut DecisionFilter)) -> String {
    let filter = DecisionFilter {
        scope: shown.scope.clone(),
        from_ms: Some(traffic.from_ms),
        ..DecisionFilter::default()
    };
    super::list::with(&filter, change)
}

fn ranges(shown: &OverviewPage, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().overview_pages;
    let link = |range: Range| {
        let word = match range {
            Range::Hour => t.hour,
            Range::Day => t.day,
            Range::Week => t.week,
            Range::Month => t.month,
        };
        let range_name = (range != Range::default()).then(|| range.name().to_owned());
        let href = super::address("/", [("range", range_name), ("scope", shown.scope.clone())]);
        view! {
            <a href=href aria-current=(range == shown.range).then_some("true")>
                {word}
            </a>
        }
    };
    let range = (shown.range != Range::default()).then(|| shown.range.name());
    view! {
        <form class="filters filters-head" method="get" action="/" data-submit-on-change="">
            <div class="tabs" role="group" aria-label=t.range>
                {Range::ALL.map(link).into_iter().collect_view()}
            </div>
            {(shown.scopes.len() > 1 || shown.scope.is_some())
                .then(|| {
                    view! {
                        {super::select(t.scope, "scope", t.all_scopes, &shown.scopes, shown.scope.as_deref())}
                        {range.map(|range| view! { <input type="hidden" name="range" value=range /> })}
                        <button class="button" type="submit">
                            {lang.text().list.filter}
                        </button>
                    }
                })}
        </form>
    }
}

fn figures(shown: &OverviewPage, traffic: &Traffic, lang: Lang) -> impl IntoView + use<> {
    let text = lang.text();
    let t = &text.overview_pages;
    let count = |value: u64| format::integer(value, lang);
    let requests = traffic.requests();
    let part = |of: u64| (requests > 0).then(|| (t.part)(&percent(of, requests, lang)));
    let outcome = |outcome: Outcome, word: &'static str, value: u64| {
        let href = list_of(shown, traffic, |filter| filter.outcome = Some(outcome));
        figure(href, outcome.name(), word, count(value), part(value))
    };
    let beside = [
        (traffic.running > 0).then(|| (t.running)(&count(traffic.running))),
        (traffic.dry_runs > 0).then(|| (t.dry_runs)(&count(traffic.dry_runs))),
    ];
    let beside: Vec<String> = beside.into_iter().flatten().collect();
    let all = list_of(shown, traffic, |_| {});
    view! {
        <ul class="figures-wide">
            <li>{figure(all.clone(), "all", t.requests, count(requests), Some(beside.join(", ")).filter(|note| !note.is_empty()))}</li>
            <li>{outcome(Outcome::Allowed, text.outcome.allowed, traffic.allowed)}</li>
            <li>{outcome(Outcome::Denied, text.outcome.denied, traffic.denied)}</li>
            <li>{outcome(Outcome::Failed, text.outcome.failed, traffic.failed)}</li>
            <li>{figure(all, "spent", t.spent, format::money(rounded(traffic.cost_nanos), lang), None)}</li>
            <li>{figure("#redactions".to_owned(), "redacted", t.redacted, count(traffic.redacted()), None)}</li>
        </ul>
    }
}

/// Whole cents from ten dollars on: what is read at a glance needs no more.
const fn rounded(nanos: i64) -> i64 {
    const CENT: i64 = 10_000_000;
    if nanos.unsigned_abs() < 10_000_000_000 { nanos } else { nanos / CENT * CENT }
}

/// A part of a whole with one decimal place; what is not nothing does not read as nothing.
pub(super) fn percent(part: u64, whole: u64, lang: Lang) -> String {
    let tenths = u128::from(part).saturating_mul(1_000) / u128::from(whole.max(1));
    let separator = lang.decimal_separator();
    if tenths == 0 && part > 0 {
        return format!("<\u{a0}0{separator}1\u{a0}%");
    }
    format!("{}{separator}{}\u{a0}%", tenths / 10, tenths % 10)
}

fn figure(
    href: String,
    kind: &'static str,
    word: &'static str,
    value: String,
    note: Option<String>,
) -> impl IntoView {
    view! {
        <a href=href class=format!("figure figure-{kind}")>
            <span>{word}</span>
            <b>{value}</b>
            {note.map(|note| view! { <span class="figure-note">{note}</span> })}
        </a>
    }
}

fn empty(frame: &Frame, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().overview_pages;
    let (base_url, model) = frame
        .overview
        .as_ref()
        .map(|overview| (overview.base_url.clone(), overview.example_model.clone()))
        .unwrap_or_default();
    let model = model.unwrap_or_else(|| "MODEL".to_owned());
    view! {
        <div class="empty-within">
            <p><b>{t.empty_title}</b></p>
            <p class="hint">{t.empty_lead}</p>
            {super::snippet(super::curl(&base_url, &model), lang)}
        </div>
    }
}

/// The budgets that are closest to their limit.
fn money(standing: &Standing, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().overview_pages;
    let mut budgets: Vec<_> = standing.budgets.iter().collect();
    budgets.sort_by_key(|budget| std::cmp::Reverse(budgets::share(budget)));
    let shown = Standing {
        budgets: budgets.into_iter().take(BUDGETS).cloned().collect(),
        keys: standing.keys.clone(),
        ..Standing::default()
    };
    let none = shown.budgets.is_empty();
    view! {
        <section class="panel">
            <h2>{t.budgets}</h2>
            {if none {
                view! { <p class="hint">{t.no_budgets}</p> }.into_any()
            } else {
                budgets::named_bars(&shown, now_ms, lang).into_any()
            }}
            <p class="panel-more"><a href="/budgets">{t.budgets_all} {icons::arrow_right()}</a></p>
        </section>
    }
}

fn redactions(shown: &OverviewPage, traffic: &Traffic, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().overview_pages;
    let most = traffic.redactions.first().map_or(1, |(_, count)| *count);
    let rest = traffic.redactions.len().saturating_sub(KINDS);
    let rows = traffic.redactions.iter().take(KINDS).map(|(kind, count)| {
        let href = list_of(shown, traffic, |filter| filter.kind = Some(kind.clone()));
        let share = budgets::tenths(
            i64::try_from(*count).unwrap_or(i64::MAX),
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        let width = format!("{}.{}%", share.max(8) / 10, share.max(8) % 10);
        view! {
            <li>
                <a class="kind" href=href>
                    <span>{text::entities(kind, lang)}</span>
                    <b>{format::integer(*count, lang)}</b>
                </a>
                <svg class="stack" width="100%" height="6" aria-hidden="true">
                    <rect class="fill-kind" x="0" y="0" width=width height="6" rx="2"></rect>
                </svg>
            </li>
        }
    });
    view! {
        <section class="panel" id="redactions">
            <h2>{t.redactions}</h2>
            {if traffic.redactions.is_empty() {
                view! { <p class="hint">{t.no_redactions}</p> }.into_any()
            } else {
                view! { <ol class="kinds">{rows.collect_view()}</ol> }.into_any()
            }}
            {(rest > 0).then(|| view! { <p class="hint">{(t.more)(rest)}</p> })}
        </section>
    }
}

fn health(endpoints: &Endpoints, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().overview_pages;
    let mut summaries: Vec<&Summary> = endpoints.summaries.iter().collect();
    // Those that rest come first: they are what the list is looked at for.
    summaries.sort_by_key(|summary| (!summary.resting, summary.name.clone()));
    let rest = summaries.len().saturating_sub(KINDS);
    let rows = summaries.into_iter().take(KINDS).map(|summary| {
        let (class, icon, word) = if summary.resting {
            ("state mark-warn", icons::pause().into_any(), t.resting)
        } else {
            ("state mark-ok", icons::tick().into_any(), t.healthy)
        };
        view! {
            <li>
                <a href=format!("/endpoints/{}", crate::api::escaped(&summary.name))>{summary.name.clone()}</a>
                <span class=class>{icon} {word}</span>
            </li>
        }
    });
    let unusable = endpoints.unusable.len();
    view! {
        <section class="panel">
            <h2>{t.endpoints}</h2>
            <ul class="health">{rows.collect_view()}</ul>
            {(rest > 0).then(|| view! { <p class="hint">{(t.more)(rest)}</p> })}
            {(unusable > 0).then(|| view! { <p class="mark-warn">{t.unusable} ": " {unusable}</p> })}
            <p class="panel-more"><a href="/endpoints">{t.endpoints_all} {icons::arrow_right()}</a></p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_sums_read_at_a_glance() {
        assert_eq!(percent(1, 3, Lang::En), "33.3\u{a0}%");
        assert_eq!(percent(1, 10_000, Lang::De), "<\u{a0}0,1\u{a0}%");
        assert_eq!(percent(0, 0, Lang::En), "0.0\u{a0}%");
        assert_eq!(rounded(9_999_999_999), 9_999_999_999);
        assert_eq!(rounded(12_345_678_901), 12_340_000_000);
    }
}
