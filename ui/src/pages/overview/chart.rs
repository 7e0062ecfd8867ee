//! Requests by outcome over time: a picture, and the same as a table whose numbers lead to their lists.

use leptos::prelude::*;

use super::{OverviewPage, list_of};
use crate::format;
use crate::text::Lang;
use crate::view::{ActivityBucket, Outcome, Traffic};

/// Height of the chart in its own units.
const HEIGHT: u32 = 120;
/// Width of a step, gap included.
const STEP: usize = 12;
/// Steps between two labels of the axis.
const LABELS: usize = 4;

const fn total(step: &ActivityBucket) -> u32 {
    step.allowed.saturating_add(step.denied).saturating_add(step.failed)
}

/// The least round number that is not below: 1, 2 or 5 by a power of ten, so that the axis can be read.
fn round_up(most: u32) -> u32 {
    let mut power = 1_u32;
    loop {
        for first in [1, 2, 5] {
            let Some(round) = power.checked_mul(first) else { return most };
            if round >= most {
                return round;
            }
        }
        let Some(next) = power.checked_mul(10) else { return most };
        power = next;
    }
}

pub(super) fn chart(shown: &OverviewPage, traffic: &Traffic, lang: Lang) -> impl IntoView + use<> {
    let text = lang.text();
    let t = &text.overview_pages;
    let top = round_up(traffic.steps.iter().map(total).max().unwrap_or(0).max(4));
    let width = traffic.steps.len() * STEP;
    let count = |value: u64| format::integer(value, lang);
    let label = (t.chart)(&count(traffic.requests()), &count(traffic.denied), &count(traffic.failed));
    let described = label.clone();
    let bars = traffic.steps.iter().enumerate().map(|(at, step)| bar(at, step, top, lang)).collect_view();
    let lines = [1_u32, 2, 3].map(|quarter| {
        let y = HEIGHT * quarter / 4;
        view! { <line class="grid-line" x1="0" x2=width y1=y y2=y></line> }
    });
    let axis = traffic.steps.iter().step_by(traffic.steps.len().div_ceil(LABELS).max(1)).map(|step| {
        let at = format::moment(step.start_ms, lang);
        // Of days the day says it, of hours the hour.
        let word =
            if shown.range.steps().0 >= 6 * 3_600_000 { at.date } else { at.time.chars().take(5).collect() };
        view! { <span>{word}</span> }
    });
    view! {
        <p class="hint legend">
            <span class="swatch swatch-allowed"></span>
            {text.outcome.allowed}
            <span class="swatch swatch-denied"></span>
            {text.outcome.denied}
            <span class="swatch swatch-failed"></span>
            {text.outcome.failed}
            <span class="gap"></span>
            {t.over_time_lead}
        </p>
        <div class="chart">
            <div class="chart-scale" aria-hidden="true">
                <span>{count(u64::from(top))}</span>
                <span>{count(u64::from(top / 2))}</span>
                <span>"0"</span>
            </div>
            <svg class="chart-bars" viewBox=format!("0 0 {width} {HEIGHT}") preserveAspectRatio="none" role="img" aria-label=label>
                <title>{t.over_time}</title>
                <desc>{described}</desc>
                {lines.into_iter().collect_view()} {bars}
            </svg>
            <div class="chart-axis" aria-hidden="true">
                {axis.collect_view()}
            </div>
        </div>
        {table(shown, traffic, lang)}
    }
}

fn bar(at: usize, step: &ActivityBucket, top: u32, lang: Lang) -> impl IntoView + use<> {
    let x = at * STEP;
    let mut below = HEIGHT;
    let t = &lang.text().outcome;
    let when = format::moment(step.start_ms, lang);
    let label = format!(
        "{} {}: {} {}, {} {}, {} {}",
        when.date, when.time, step.allowed, t.allowed, step.denied, t.denied, step.failed, t.failed
    );
    let parts = [("allowed", step.allowed), ("denied", step.denied), ("failed", step.failed)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| {
            let scaled = u64::from(count) * u64::from(HEIGHT) / u64::from(top.max(1));
            // Anything above zero is seen: a single refusal among thousands matters.
            let height = u32::try_from(scaled).unwrap_or(HEIGHT).max(2).min(below);
            below -= height;
            view! { <rect class=format!("bar-{name}") x=x y=below width=STEP - 3 height=height></rect> }
        })
        .collect_view();
    view! {
        <g>
            <title>{label}</title>
            <rect class="bar-hit" x=x y="0" width=STEP height=HEIGHT></rect>
            {parts}
        </g>
    }
}

fn table(shown: &OverviewPage, traffic: &Traffic, lang: Lang) -> impl IntoView + use<> {
    let text = lang.text();
    let t = &text.overview_pages;
    let (step_ms, _) = shown.range.steps();
    let rows = traffic.steps.iter().rev().filter(|step| total(step) > 0).map(|step| {
        let cell = |outcome: Option<Outcome>, value: u32| {
            let href = list_of(shown, traffic, |filter| {
                filter.from_ms = Some(step.start_ms);
                filter.to_ms = Some(step.start_ms + step_ms);
                filter.outcome = outcome;
            });
            let value = format::integer(u64::from(value), lang);
            view! {
                <td class="number">
                    <a href=href>{value}</a>
                </td>
            }
        };
        let at = format::moment(step.start_ms, lang);
        let whole = format!("{} {}", at.date, at.time.chars().take(5).collect::<String>());
        view! {
            <tr>
                <td>
                    <time datetime=at.machine>{whole}</time>
                </td>
                {cell(None, total(step))}
                {cell(Some(Outcome::Allowed), step.allowed)}
                {cell(Some(Outcome::Denied), step.denied)}
                {cell(Some(Outcome::Failed), step.failed)}
            </tr>
        }
    });
    view! {
        <details class="more">
            <summary>{t.table}</summary>
            <div class="scrolls" tabindex="0" role="region" aria-label=t.over_time>
                <table class="plain">
                    <thead>
                        <tr>
                            <th scope="col">{t.step}</th>
                            <th scope="col" class="number">{t.requests}</th>
                            <th scope="col" class="number">{text.outcome.allowed}</th>
                            <th scope="col" class="number">{text.outcome.denied}</th>
                            <th scope="col" class="number">{text.outcome.failed}</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number() {
        for (most, round) in
            [(0, 1), (1, 1), (4, 5), (5, 5), (6, 10), (11, 20), (480, 500), (u32::MAX, u32::MAX)]
        {
            assert_eq!(round_up(most), round, "{most}");
        }
    }
}
