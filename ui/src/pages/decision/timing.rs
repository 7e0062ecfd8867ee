//! The stages as a waterfall.
//!
//! A provider takes a thousand times longer than all stages together. So the gateway's own stages are drawn to scale, and each
//! wait for a provider gets a fixed, hatched width, whatever it took; its figure stands beside it. Bars are SVG with sizes as
//! attributes: the content security policy allows no inline style.

use leptos::prelude::*;

use crate::format;
use crate::text::{self, Lang};
use crate::view::{DecisionView, StageTiming};

/// The chart's full width, in thousandths.
const FULL: u64 = 1000;
/// The width that all waits for providers share, in thousandths.
const WAITS: u64 = 240;
/// The least width of a bar, in thousandths: a stage that ran is seen.
const LEAST: u64 = 5;

/// Where a bar begins and how wide it is, in thousandths of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bar {
    x: u64,
    width: u64,
}

/// One bar a stage, in the stages' order.
fn layout(stages: &[StageTiming]) -> Vec<Bar> {
    let waits = stages.iter().filter(|stage| stage.provider).count() as u64;
    let own = stages
        .iter()
        .filter(|stage| !stage.provider)
        .map(|stage| own_start(stage, stages).saturating_add(stage.micros))
        .max()
        .unwrap_or(0)
        .max(1);
    let shared = if waits == 0 { 0 } else { WAITS };
    let wait_width = shared.checked_div(waits).unwrap_or(0);
    let scale = |micros: u64| (u128::from(micros) * u128::from(FULL - shared) / u128::from(own)) as u64;
    stages
        .iter()
        .map(|stage| {
            let x = scale(own_start(stage, stages)) + waits_before(stage, stages).count() as u64 * wait_width;
            let width = if stage.provider { wait_width } else { scale(stage.micros) };
            let width = width.max(LEAST);
            Bar { x: x.min(FULL - LEAST), width: width.min(FULL.saturating_sub(x)).max(LEAST) }
        })
        .collect()
}

/// Waits that had ended when the stage began.
fn waits_before<'a>(stage: &StageTiming, stages: &'a [StageTiming]) -> impl Iterator<Item = &'a StageTiming> {
    let start = stage.start_micros;
    stages
        .iter()
        .filter(move |other| other.provider && other.start_micros.saturating_add(other.micros) <= start)
}

/// When the stage began, on a clock that stands still while the gateway waits for a provider.
fn own_start(stage: &StageTiming, stages: &[StageTiming]) -> u64 {
    let waited = waits_before(stage, stages).map(|wait| wait.micros).sum();
    stage.start_micros.saturating_sub(waited)
}

/// Thousandths as an SVG length.
fn percent(thousandths: u64) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// The section.
pub(super) fn section(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let body = if view.stages.is_empty() {
        view! { <p class="quiet">{t.no_timing}</p> }.into_any()
    } else {
        let rows = view
            .stages
            .iter()
            .zip(layout(&view.stages))
            .map(|(stage, bar)| row(stage, bar, lang))
            .collect_view();
        view! {
            <table class="waterfall">
                <thead class="sr">
                    <tr>
                        <th scope="col">{t.stage}</th>
                        <th scope="col">{t.starts}</th>
                        <th scope="col">{t.took}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    };
    view! {
        <section class="panel" id="timing">
            <h2>{t.timing}</h2>
            <p class="hint">{t.timing_lead}</p>
            {body}
        </section>
    }
}

fn row(stage: &StageTiming, bar: Bar, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let name = if stage.provider { t.waiting_provider.to_owned() } else { text::stage(&stage.stage, lang) };
    let starts = format!("{} {}", t.starts, format::duration(stage.start_micros, lang));
    let label = starts.clone();
    let class = match (stage.provider, stage.stage.as_str()) {
        (true, _) => "bar bar-provider",
        // The disk's time, not the processor's.
        (false, "record") => "bar bar-commit",
        (false, _) => "bar",
    };
    view! {
        <tr class:wait=stage.provider>
            <th scope="row">{name}</th>
            <td class="track">
                <svg width="100%" height="14" role="img" aria-label=label>
                    <title>{starts}</title>
                    <rect class=class x=percent(bar.x) y="2" width=percent(bar.width) height="10" rx="2"></rect>
                </svg>
            </td>
            <td class="number">{format::duration(stage.micros, lang)}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(start_micros: u64, micros: u64, provider: bool) -> StageTiming {
        StageTiming { stage: "x".to_owned(), start_micros, micros, provider }
    }

    #[test]
    fn own_stages_are_to_scale_and_waits_are_not() {
        let stages = [stage(0, 100, false), stage(100, 1_000_000, true), stage(1_000_100, 300, false)];
        let bars = layout(&stages);
        assert_eq!(bars[0], Bar { x: 0, width: 190 });
        assert_eq!(bars[1], Bar { x: 190, width: 240 });
        assert_eq!(bars[2], Bar { x: 430, width: 570 });
    }

    #[test]
    fn every_bar_is_seen_and_stays_inside() {
        let stages = [stage(0, 0, false), stage(u64::MAX, u64::MAX, true), stage(u64::MAX, u64::MAX, false)];
        for bar in layout(&stages) {
            assert!(bar.width >= LEAST && bar.x + bar.width <= FULL, "{bar:?}");
        }
        assert!(layout(&[]).is_empty());
        assert_eq!(layout(&[stage(0, 0, false)]), [Bar { x: 0, width: LEAST }]);
    }
}
