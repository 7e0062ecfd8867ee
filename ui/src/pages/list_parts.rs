//! The list's chart and its empty states.

use leptos::prelude::*;

use crate::format;
use crate::text::Lang;
use crate::view::{ActivityBucket, DecisionFilter, Outcome};

/// Height of the chart in its own units.
const HEIGHT: u32 = 40;
/// Width of a step, gap included.
const STEP: usize = 8;

/// Bars by outcome over time, and the totals. Nothing where there is nothing to count.
pub(super) fn activity(
    buckets: &[ActivityBucket],
    filter: &DecisionFilter,
    lang: Lang,
) -> Option<impl IntoView + use<>> {
    let most = buckets.iter().map(total).max().filter(|most| *most > 0)?;
    let t = lang.text();
    let sums = buckets.iter().fold([0_u64; 3], |[a, d, f], bucket| {
        [a + u64::from(bucket.allowed), d + u64::from(bucket.denied), f + u64::from(bucket.failed)]
    });
    let legend = [
        (Outcome::Allowed, t.outcome.allowed),
        (Outcome::Denied, t.outcome.denied),
        (Outcome::Failed, t.outcome.failed),
    ]
    .into_iter()
    .zip(sums)
    .map(|((outcome, word), sum)| {
        let href = super::list::with(filter, |f| {
            f.outcome = Some(outcome);
            f.before = None;
        });
        view! {
            <a href=href class=format!("figure figure-{}", outcome.name())>
                <b>{format::integer(sum, lang)}</b>
                <span>{word}</span>
            </a>
        }
    })
    .collect_view();
    let bars =
        buckets.iter().enumerate().map(|(index, bucket)| bar(index, bucket, most, lang)).collect_view();
    let width = buckets.len() * STEP;
    Some(view! {
        <div class="activity">
            <div class="figures">{legend}</div>
            <svg
                class="bars"
                viewBox=format!("0 0 {width} {HEIGHT}")
                preserveAspectRatio="none"
                role="img"
                aria-label=t.list.activity
            >
                {bars}
            </svg>
        </div>
    })
}

const fn total(bucket: &ActivityBucket) -> u32 {
    bucket.allowed.saturating_add(bucket.denied).saturating_add(bucket.failed)
}

fn bar(index: usize, bucket: &ActivityBucket, most: u32, lang: Lang) -> impl IntoView + use<> {
    let x = index * STEP;
    let mut below = HEIGHT;
    let t = &lang.text().outcome;
    let at = format::moment(bucket.start_ms, lang);
    let label = format!(
        "{} {}: {} {}, {} {}, {} {}",
        at.date, at.time, bucket.allowed, t.allowed, bucket.denied, t.denied, bucket.failed, t.failed
    );
    let parts = [("allowed", bucket.allowed), ("denied", bucket.denied), ("failed", bucket.failed)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| {
            // Anything above zero is at least one unit high: a single refusal must be seen.
            let height = scaled(count, most).max(2).min(below);
            below -= height;
            view! { <rect class=format!("bar-{name}") x=x y=below width=STEP - 2 height=height></rect> }
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

fn scaled(count: u32, most: u32) -> u32 {
    let height = u64::from(count) * u64::from(HEIGHT) / u64::from(most.max(1));
    u32::try_from(height).unwrap_or(HEIGHT)
}

/// Why the list is empty, and the next step.
pub(super) fn empty(
    filter: &DecisionFilter,
    base_url: &str,
    model: &str,
    lang: Lang,
) -> impl IntoView + use<> {
    let t = &lang.text().list;
    if filter.narrows() || filter.before.is_some() {
        return view! {
            <section class="empty">
                <h2>{t.empty_filtered_title}</h2>
                <p>{t.empty_filtered_lead}</p>
                <p>
                    <a class="button" href="/decisions">
                        {t.clear}
                    </a>
                </p>
            </section>
        }
        .into_any();
    }
    view! {
        <section class="empty">
            <h2>{t.empty_title}</h2>
            <p>{t.empty_lead}</p>
            <p class="empty-step">{t.empty_step}</p>
            {crate::pages::snippet(crate::pages::curl(base_url, model), lang)}
            <p class="hint">{t.empty_key_hint}</p>
        </section>
    }
    .into_any()
}
