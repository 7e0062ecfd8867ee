//! `/budgets`: the tree of scopes with what is spent, held and left on every budget, and limits of rates.

pub(crate) mod one;

use std::collections::{BTreeMap, BTreeSet};

use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::keys::Key;
use crate::format;
use crate::parts::moments;
use crate::parts::shell::Frame;
use crate::text::Lang;

/// A budget, as the API tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Budget {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) scope: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) models: Option<String>,
    pub(crate) window: String,
    pub(crate) window_start_ms: i64,
    pub(crate) forgets_ms: Option<i64>,
    pub(crate) hard: bool,
    pub(crate) declared_usd: String,
    pub(crate) limit_usd: String,
    pub(crate) carried_over_usd: String,
    pub(crate) settled_usd: String,
    pub(crate) reserved_usd: String,
    pub(crate) thresholds: Vec<u16>,
    pub(crate) reached: Vec<u16>,
    pub(crate) top_ups: Vec<TopUp>,
}

/// A limit raised for a time.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TopUp {
    pub(crate) amount_usd: String,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: Option<i64>,
    pub(crate) reason: String,
    pub(crate) principal: String,
}

/// A limit of requests, tokens, spend or concurrency.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RateLimit {
    pub(crate) scope: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) models: Option<String>,
    pub(crate) counts: String,
    pub(crate) window: String,
    pub(crate) limit: Value,
    pub(crate) used: Value,
    pub(crate) held: Value,
}

/// Where budgets and limits stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) budgets: Vec<Budget>,
    pub(crate) limits: Vec<RateLimit>,
    /// The keys that some of them are of, where the reader may see keys.
    pub(crate) keys: Vec<Key>,
    /// Whether the API had more than this.
    pub(crate) cut: bool,
}

impl Standing {
    pub(crate) fn is_empty(&self) -> bool {
        self.budgets.is_empty() && self.limits.is_empty()
    }

    pub(crate) fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// US dollars as the API writes them, in nano-dollars.
pub(crate) fn nanos(usd: &str) -> i64 {
    let (negative, digits) = usd.strip_prefix('-').map_or((false, usd), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let amount = whole
        .parse::<i64>()
        .ok()
        .and_then(|whole| whole.checked_mul(1_000_000_000)?.checked_add(fraction.parse().ok()?));
    let amount = amount.unwrap_or_default();
    if negative { -amount } else { amount }
}

/// A part of a whole in tenths of a percent, at most all of it.
pub(crate) fn tenths(part: i64, whole: i64) -> u64 {
    let (part, whole) = (u128::from(part.max(0).unsigned_abs()), u128::from(whole.max(1).unsigned_abs()));
    u64::try_from((part * 1_000 / whole).min(1_000)).unwrap_or(1_000)
}

/// What is spent of a budget, in tenths of a percent.
pub(crate) fn share(budget: &Budget) -> u64 {
    tenths(nanos(&budget.settled_usd), nanos(&budget.limit_usd))
}

fn percent(tenths: u64) -> String {
    format!("{}.{}%", tenths / 10, tenths % 10)
}

impl Budget {
    /// Where it stands on the page of all: the scope, a key's scope, or the whole tree.
    fn place<'a>(&'a self, standing: &'a Standing) -> &'a str {
        match (&self.scope, &self.key) {
            (Some(scope), _) => scope,
            (None, Some(key)) => standing.key(key).map_or("/", |key| key.scope.as_str()),
            (None, None) => "/",
        }
    }
}

/// The page's content.
pub(crate) fn page(frame: &Frame, standing: &Standing, now_ms: i64) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().budget_pages;
    let mut near: Vec<&Budget> =
        standing.budgets.iter().filter(|budget| !budget.reached.is_empty()).collect();
    near.sort_by_key(|budget| std::cmp::Reverse(share(budget)));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
        </div>
        {(!near.is_empty())
            .then(|| {
                view! {
                    <section class="notice attention">
                        <h2>{t.near}</h2>
                        <ul>{near.into_iter().map(|budget| near_limit(budget, standing, lang)).collect_view()}</ul>
                    </section>
                }
            })}
        {if standing.budgets.is_empty() {
            view! {
                <section class="empty">
                    <h2>{t.empty_title}</h2>
                    <p>{t.empty_lead}</p>
                    {super::snippet(EXAMPLE.to_owned(), lang)}
                </section>
            }
                .into_any()
        } else {
            tree(standing, now_ms, lang).into_any()
        }}
        {(!standing.limits.is_empty()).then(|| limits(standing, lang))}
        {standing.cut.then(|| view! { <p class="hint">{t.cut}</p> })}
    }
}

/// What an empty page suggests: the command line declares the first budget.
const EXAMPLE: &str = "cat > budgets.yaml <<'EOF'\nbudgets:\n  - scope: /acme\n    window: month\n    limit_usd: \"500\"\nEOF\nbailiwick apply -f budgets.yaml";

fn near_limit(budget: &Budget, standing: &Standing, lang: Lang) -> impl IntoView + use<> {
    let used = share(budget);
    view! {
        <li>
            <a href=format!("/budgets/{}", budget.id)>{holder(budget, standing, lang)}</a>
            " "
            {crate::text::window(&budget.window, lang)}
            ": "
            {format!("{}\u{a0}%", used / 10)}
        </li>
    }
}

/// Every scope that holds something, and those above them, in the order of the tree.
fn tree(standing: &Standing, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().budget_pages;
    let mut by_place: BTreeMap<&str, Vec<&Budget>> = BTreeMap::new();
    let mut places: BTreeSet<Vec<&str>> = BTreeSet::new();
    for budget in &standing.budgets {
        let place = budget.place(standing);
        by_place.entry(place).or_default().push(budget);
        let segments: Vec<&str> = place.split('/').filter(|segment| !segment.is_empty()).collect();
        for end in 0..=segments.len() {
            places.extend(segments.get(..end).map(<[&str]>::to_vec));
        }
    }
    // The root is only there where it holds something.
    if !by_place.contains_key("/") {
        places.remove(&Vec::new());
    }
    let rows = places.iter().map(|segments| {
        let path = format!("/{}", segments.join("/"));
        let depth = segments.len().min(8);
        let held = by_place.get(path.as_str()).cloned().unwrap_or_default();
        let name = segments.last().map_or("/", |last| last).to_owned();
        let budgets = held.iter().map(|budget| bar_row(budget, standing, now_ms, lang)).collect_view();
        view! {
            <li class=format!("branch depth-{depth}")>
                <h3 class="path">
                    <span class="above">{path.strip_suffix(name.as_str()).map(str::to_owned)}</span>
                    {name}
                </h3>
                {(!held.is_empty()).then(|| view! { <ul class="bars-list">{budgets}</ul> })}
            </li>
        }
    });
    view! {
        <section class="panel">
            <h2>{t.tree}</h2>
            <p class="hint legend">
                <span class="swatch swatch-settled"></span>
                {t.spent}
                <span class="swatch swatch-reserved"></span>
                {t.held}
                <span class="swatch swatch-left"></span>
                {t.left}
            </p>
            <ol class="tree">{rows.collect_view()}</ol>
        </section>
    }
}

/// Budgets and limits one below the other: those of one key.
pub(crate) fn bars(standing: &Standing, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let budgets =
        standing.budgets.iter().map(|budget| bar_row(budget, standing, now_ms, lang)).collect_view();
    view! {
        <ul class="bars-list">{budgets}</ul>
        {(!standing.limits.is_empty()).then(|| limits_table(standing, lang))}
    }
}

/// Budgets one below the other, each with who or what holds the money: some of all.
pub(crate) fn named_bars(standing: &Standing, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let budgets =
        standing.budgets.iter().map(|budget| named_row(budget, true, standing, now_ms, lang)).collect_view();
    view! { <ul class="bars-list">{budgets}</ul> }
}

/// Who or what holds the money, in words.
pub(crate) fn holder(budget: &Budget, standing: &Standing, lang: Lang) -> String {
    let t = &lang.text().budget_pages;
    match (&budget.scope, &budget.key, &budget.user) {
        (Some(scope), ..) => scope.clone(),
        (_, Some(id), _) => (t.key)(standing.key(id).map_or(id.as_str(), |key| key.name.as_str())),
        (_, _, Some(user)) => (t.user)(user),
        _ => budget.name.clone(),
    }
}

fn bar_row(budget: &Budget, standing: &Standing, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let of_key = budget.key.is_some() || budget.user.is_some();
    named_row(budget, of_key, standing, now_ms, lang)
}

/// `named`: with who or what holds the money, which below a scope's heading is said there.
fn named_row(
    budget: &Budget,
    named: bool,
    standing: &Standing,
    now_ms: i64,
    lang: Lang,
) -> impl IntoView + use<> {
    let t = &lang.text().budget_pages;
    let (settled, reserved, limit) =
        (nanos(&budget.settled_usd), nanos(&budget.reserved_usd), nanos(&budget.limit_usd));
    let left = limit.saturating_sub(settled).saturating_sub(reserved);
    let money = |nanos: i64| format::money(nanos, lang);
    view! {
        <li class="bar-row">
            <p class="bar-head">
                <a class="bar-name" href=format!("/budgets/{}", budget.id)>
                    {if named { holder(budget, standing, lang) } else { crate::text::window(&budget.window, lang) }}
                </a>
                {named.then(|| view! { <span class="quiet">{crate::text::window(&budget.window, lang)}</span> })}
                {budget.models.clone().map(|models| view! { <span class="chip">{models}</span> })}
                {(!budget.hard).then(|| view! { <span class="chip" title=t.soft_hint>{t.soft}</span> })}
                <span class="gap"></span>
                <span class="bar-sum">
                    <b>{money(settled)}</b>
                    " / "
                    {money(limit)}
                </span>
            </p>
            {bar(budget, lang)}
            <p class="bar-foot">
                <span>
                    {if left < 0 { format!("{} {}", money(-left), t.over) } else { format!("{} {}", money(left), t.left_of) }}
                </span>
                {(reserved > 0).then(|| view! { <span>{money(reserved)} " " {t.held_now}</span> })}
                {budget
                    .forgets_ms
                    .map(|at| view! { <span>{t.starts_anew} " " {moments::ago(at, now_ms, lang)}</span> })}
            </p>
        </li>
    }
}

/// Spent, held and left as one bar, with a tick at every threshold. The words beside it say the same.
pub(crate) fn bar(budget: &Budget, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().budget_pages;
    let (settled, reserved, limit) =
        (nanos(&budget.settled_usd), nanos(&budget.reserved_usd), nanos(&budget.limit_usd));
    let spent = tenths(settled, limit);
    let both = tenths(settled.saturating_add(reserved), limit);
    let worst = if spent >= 1_000 {
        "fill-settled fill-full"
    } else if !budget.reached.is_empty() {
        "fill-settled fill-near"
    } else {
        "fill-settled"
    };
    // What is not nothing is seen.
    let shown = if settled > 0 { spent.max(4) } else { 0 };
    let label =
        (t.bar)(&format::money(settled, lang), &format::money(reserved, lang), &format::money(limit, lang));
    let ticks = budget.thresholds.iter().filter(|at| **at < 100).map(|at| {
        view! { <line class="tick-line" x1=format!("{at}%") x2=format!("{at}%") y1="0" y2="10"></line> }
    });
    view! {
        <svg class="stack" width="100%" height="10" role="img" aria-label=label>
            <rect class="fill-track" x="0" y="0" width="100%" height="10" rx="2"></rect>
            {(both > spent)
                .then(|| {
                    view! {
                        <rect class="fill-reserved" x="0" y="0" width=percent(both.max(shown)) height="10" rx="2"></rect>
                    }
                })}
            {(shown > 0)
                .then(|| view! { <rect class=worst x="0" y="0" width=percent(shown) height="10" rx="2"></rect> })}
            {ticks.collect_view()}
        </svg>
    }
}

fn limits(standing: &Standing, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().budget_pages;
    view! {
        <section class="panel panel-below">
            <h2>{t.limits}</h2>
            <p class="hint">{t.limits_lead}</p>
            {limits_table(standing, lang)}
        </section>
    }
}

fn limits_table(standing: &Standing, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().budget_pages;
    let rows = standing.limits.iter().map(|limit| {
        let at = match (&limit.scope, &limit.key, &limit.user) {
            (Some(scope), ..) => scope.clone(),
            (_, Some(id), _) => (t.key)(standing.key(id).map_or(id.as_str(), |key| key.name.as_str())),
            (_, _, Some(user)) => (t.user)(user),
            _ => "/".to_owned(),
        };
        view! {
            <tr>
                <td>
                    <span class="path">{at}</span>
                    {limit.models.clone().map(|models| view! { " " <span class="chip">{models}</span> })}
                </td>
                <td>{crate::text::rate(&limit.counts, lang)} " · " {crate::text::window(&limit.window, lang)}</td>
                <td class="number">{amount(&limit.used, lang)}</td>
                <td class="number">{amount(&limit.held, lang)}</td>
                <td class="number">{amount(&limit.limit, lang)}</td>
            </tr>
        }
    });
    view! {
        <div class="scrolls" tabindex="0" role="region" aria-label=t.limits>
            <table class="plain">
                <thead>
                    <tr>
                        <th scope="col">{t.where_}</th>
                        <th scope="col">{t.counts}</th>
                        <th scope="col" class="number">
                            {t.used}
                        </th>
                        <th scope="col" class="number">
                            {t.under_way}
                        </th>
                        <th scope="col" class="number">
                            {t.limit}
                        </th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}

/// A count, or an amount of money, which the API writes as text.
fn amount(value: &Value, lang: Lang) -> String {
    match value {
        Value::String(usd) => format::money(nanos(usd), lang),
        other => format::integer(other.as_u64().unwrap_or_default(), lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_to_the_last_nano() {
        for (text, nano) in [
            ("0", 0),
            ("12.5", 12_500_000_000),
            ("0.000000001", 1),
            ("-1.25", -1_250_000_000),
            ("9223372036.854775807", i64::MAX),
            ("99999999999999", 0),
            ("x", 0),
        ] {
            assert_eq!(nanos(text), nano, "{text}");
        }
    }

    #[test]
    fn a_bar_is_never_longer_than_its_track() {
        for (part, whole, of) in [
            (0, 10, 0),
            (5, 10, 500),
            (20, 10, 1_000),
            (1, 0, 1_000),
            (-5, 10, 0),
            (i64::MAX, i64::MAX, 1_000),
        ] {
            assert_eq!(tenths(part, whole), of, "{part} of {whole}");
        }
    }
}
