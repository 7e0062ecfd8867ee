//! The list of decisions, live.
//!
//! The server draws the table. In the browser it follows the stream of decisions: a new one is put on top, one that is shown
//! already is replaced in place. While it is paused (by the button, or by a pointer or the focus on the rows) rows wait, so that nothing moves under the reader's hand. At most [`KEPT`] rows are kept.

#![expect(unreachable_pub, reason = "the island macro makes a public function of its own")]
#![cfg_attr(
    not(feature = "hydrate"),
    allow(dead_code, reason = "the server draws the table; only the browser follows the stream")
)]

use leptos::prelude::*;

use crate::parts::row;
use crate::text::Lang;
use crate::view::DecisionRow;

/// Rows that the table keeps; older ones are on the next page.
const KEPT: usize = 200;

/// How the stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Not started: no bundle yet, or no stream for this page.
    #[default]
    Off,
    Connecting,
    Open,
    Lost,
}

/// The table, and above it the state of the stream.
#[island]
pub(crate) fn DecisionTable(
    /// The rows that the server knows.
    rows: Vec<DecisionRow>,
    /// The reader's language.
    lang: Lang,
    /// Where the stream is; none where this page does not follow it.
    stream: Option<String>,
) -> impl IntoView {
    let rows = RwSignal::new(rows.into_iter().map(|row| (row, false)).collect::<Vec<_>>());
    let waiting = RwSignal::new(Vec::<DecisionRow>::new());
    let state = RwSignal::new(Stream::Off);
    let paused = RwSignal::new(false);
    let resting = RwSignal::new(false);
    let take = move || {
        let arrived = std::mem::take(&mut *waiting.write());
        rows.update(|rows| arrived.into_iter().for_each(|row| merge(rows, row)));
    };
    let go_on = move || {
        resting.set(false);
        if !paused.get_untracked() {
            take();
        }
    };
    let filtered = stream.is_none();
    #[cfg(feature = "hydrate")]
    if let Some(url) = stream {
        // An effect runs once what the server drew has been taken over as it stands.
        Effect::new(move |_| {
            follow::start(&url, state, move |row| {
                if paused.get_untracked() || resting.get_untracked() {
                    waiting.update(|waiting| hold(waiting, row));
                } else {
                    rows.update(|rows| merge(rows, row));
                }
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    drop(stream);
    let t = &lang.text().list;
    view! {
        <div class="list">
            <div class="list-bar">
                <span class="quiet">{move || (t.shown)(rows.read().len())}</span>
                <span class="gap"></span>
                <button
                    class="waiting"
                    type="button"
                    hidden=move || waiting.read().is_empty()
                    on:click=move |_| take()
                >
                    <span aria-live="polite">{move || (t.waiting)(waiting.read().len())}</span>
                    " · "
                    {t.show_new}
                </button>
                <button
                    class="live"
                    type="button"
                    hidden=move || state.get() == Stream::Off
                    data-state=move || name(state.get(), paused.get())
                    aria-pressed=move || (!paused.get()).to_string()
                    title=move || if paused.get() { t.paused_hint } else { t.live_hint }
                    on:click=move |_| {
                        paused.update(|paused| *paused = !*paused);
                        if !paused.get_untracked() {
                            take();
                        }
                    }
                >
                    <span class="dot" aria-hidden="true"></span>
                    {move || word(state.get(), paused.get(), lang)}
                </button>
                {filtered
                    .then(|| {
                        view! {
                            <small class="quiet" hidden data-needs-script="">
                                {t.filtered_live}
                            </small>
                        }
                    })}
            </div>
            <table
                class="decisions"
                on:pointerenter=move |_| resting.set(true)
                on:pointerleave=move |_| go_on()
                on:focusin=move |_| resting.set(true)
                on:focusout=move |_| go_on()
            >
                {row::head(lang)}
                <tbody>
                    <For
                        each=move || rows.get()
                        key=|(row, fresh)| (row.clone(), *fresh)
                        children=move |(row, fresh)| row::row(&row, lang, fresh)
                    />
                </tbody>
            </table>
        </div>
    }
}

/// Puts a row on top, or in the place of the one with its id.
fn merge(rows: &mut Vec<(DecisionRow, bool)>, row: DecisionRow) {
    if let Some(slot) = rows.iter_mut().find(|(shown, _)| shown.id == row.id) {
        *slot = (row, slot.1);
        return;
    }
    rows.insert(0, (row, true));
    rows.truncate(KEPT);
}

/// Keeps a row for later; the newest state of each decision only.
fn hold(waiting: &mut Vec<DecisionRow>, row: DecisionRow) {
    if let Some(slot) = waiting.iter_mut().find(|held| held.id == row.id) {
        *slot = row;
        return;
    }
    waiting.push(row);
    if waiting.len() > KEPT {
        waiting.remove(0);
    }
}

const fn name(state: Stream, paused: bool) -> &'static str {
    match (state, paused) {
        (Stream::Off, _) => "off",
        (_, true) => "paused",
        (Stream::Connecting, _) => "connecting",
        (Stream::Open, _) => "open",
        (Stream::Lost, _) => "lost",
    }
}

const fn word(state: Stream, paused: bool, lang: Lang) -> &'static str {
    let t = &lang.text().list;
    match (state, paused) {
        (Stream::Off, _) => t.live,
        (_, true) => t.paused,
        (Stream::Connecting, _) => t.connecting,
        (Stream::Open, _) => t.live,
        (Stream::Lost, _) => t.lost,
    }
}

#[cfg(feature = "hydrate")]
mod follow {
    //! The stream of server-sent events. The browser reconnects by itself.

    use leptos::prelude::{RwSignal, Set};
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::{Event, EventSource, MessageEvent};

    use super::Stream;
    use crate::view::DecisionRow;

    /// Follows the stream for as long as the page lives.
    pub(super) fn start(url: &str, state: RwSignal<Stream>, arrived: impl Fn(DecisionRow) + 'static) {
        let Ok(source) = EventSource::new(url) else { return };
        state.set(Stream::Connecting);
        let on_open = Closure::<dyn Fn(Event)>::new(move |_| state.set(Stream::Open));
        let on_error = Closure::<dyn Fn(Event)>::new(move |_| state.set(Stream::Lost));
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let row = event.data().as_string().and_then(|data| serde_json::from_str(&data).ok());
            if let Some(row) = row {
                arrived(row);
            }
        });
        source.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        source.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        // The page never takes the table down, so its listeners live as long as it does.
        on_open.forget();
        on_error.forget();
        on_message.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Outcome;

    fn row(id: usize, outcome: Outcome) -> DecisionRow {
        DecisionRow {
            id: id.to_string(),
            time_ms: 0,
            outcome,
            code: None,
            dry_run: false,
            scope: "/a".to_owned(),
            key: None,
            model: None,
            endpoint: None,
            countries: Vec::new(),
            simulated: false,
            redactions: Vec::new(),
            data_classes: Vec::new(),
            cost_nanos: None,
            overhead_micros: None,
        }
    }

    #[test]
    fn a_new_row_goes_on_top_and_a_known_one_stays_where_it_is() {
        let mut rows = vec![(row(1, Outcome::Allowed), false), (row(0, Outcome::Running), false)];
        merge(&mut rows, row(0, Outcome::Failed));
        merge(&mut rows, row(2, Outcome::Running));
        let seen: Vec<_> = rows.iter().map(|(row, fresh)| (row.id.as_str(), row.outcome, *fresh)).collect();
        assert_eq!(
            seen,
            [("2", Outcome::Running, true), ("1", Outcome::Allowed, false), ("0", Outcome::Failed, false)]
        );
    }

    #[test]
    fn neither_the_table_nor_what_waits_grows_without_end() {
        let (mut rows, mut waiting) = (Vec::new(), Vec::new());
        for id in 0..KEPT * 2 {
            merge(&mut rows, row(id, Outcome::Running));
            hold(&mut waiting, row(id, Outcome::Running));
        }
        hold(&mut waiting, row(KEPT * 2 - 1, Outcome::Denied));
        assert_eq!((rows.len(), waiting.len()), (KEPT, KEPT));
        assert_eq!(waiting.last().map(|row| row.outcome), Some(Outcome::Denied));
        assert_eq!(rows.first().map(|(row, _)| row.id.clone()), Some((KEPT * 2 - 1).to_string()));
    }
}
