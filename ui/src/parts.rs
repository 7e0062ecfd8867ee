//! Small pieces that both the server and the islands draw, so that a row looks the same wherever it was made.

pub(crate) mod icons;
#[cfg(feature = "ssr")]
pub(crate) mod moments;
pub(crate) mod row;
#[cfg(feature = "ssr")]
pub(crate) mod shell;

use leptos::prelude::*;

use crate::format;
use crate::text::{self, Lang};
use crate::view::{Count, Outcome};

/// An outcome by shape, colour and word.
pub(crate) fn outcome_badge(outcome: Outcome, lang: Lang) -> impl IntoView {
    let t = &lang.text().outcome;
    let word = match outcome {
        Outcome::Allowed => t.allowed,
        Outcome::Denied => t.denied,
        Outcome::Failed => t.failed,
        Outcome::Running => t.running,
    };
    view! { <span class=format!("outcome outcome-{}", outcome.name())>{icons::outcome(outcome)} {word}</span> }
}

/// Countries by the fewest regions that stand for them, each with its name; the word for "unknown" where there is none.
pub(crate) fn countries(codes: &[String], lang: Lang) -> AnyView {
    if codes.is_empty() {
        return view! { <span class="quiet">{lang.text().decision.unknown}</span> }.into_any();
    }
    text::regions(codes, lang)
        .into_iter()
        .map(|region| view! { <abbr class="country" title=region.name>{region.code}</abbr> })
        .collect_view()
        .into_any()
}

/// Counts by entity kind, for example `EMAIL 2`.
pub(crate) fn counts(counts: &[Count], lang: Lang) -> impl IntoView + use<> {
    counts
        .iter()
        .map(|Count { kind, count }| {
            view! {
                <span class="count" title=text::entity(kind, *count, lang)>
                    {kind.clone()}
                    <b>{format::integer(u64::from(*count), lang)}</b>
                </span>
            }
        })
        .collect_view()
}

/// A data class as a chip.
pub(crate) fn class_chip(class: &str, lang: Lang) -> impl IntoView + use<> {
    view! { <span class=format!("chip class-{}", slug(class))>{text::class(class, lang)}</span> }
}

/// A moment: time first, because neighbours in a list share their date.
pub(crate) fn moment(unix_ms: i64, lang: Lang) -> impl IntoView {
    let at = format::moment(unix_ms, lang);
    view! {
        <time datetime=at.machine>
            <span class="clock">{at.time}<small>{at.millis}</small></span>
            " "
            <span class="date">{at.date}</span>
        </time>
    }
}

/// The mark of a simulated endpoint.
pub(crate) fn simulated_mark(simulated: bool, lang: Lang) -> Option<impl IntoView> {
    simulated.then(|| view! { <span class="chip chip-simulated">{lang.text().list.simulated}</span> })
}

/// Only letters, digits, `-` and `_` of a name, for use inside a class attribute.
pub(crate) fn slug(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}
