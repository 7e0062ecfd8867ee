//! Icons, drawn inline so that they take the text's colour. Each outcome has a shape of its own: colour alone tells nothing.

use leptos::prelude::*;

use crate::view::Outcome;

/// Check in a disc, bar in an octagon, triangle, open circle.
pub(crate) fn outcome(outcome: Outcome) -> AnyView {
    let path = match outcome {
        Outcome::Allowed => {
            "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.2-4.3 4.6a.8.8 0 0 1-1.1 0L4.3 8.9l1.1-1.1 1.3 1.3 3.8-4 1.1 1.1Z"
        }
        Outcome::Denied => {
            "M5.1 1h5.8L15 5.1v5.8L10.900 15H5.1L1 10.900V5.1L5.1 1ZM4.500 7.200v1.600h7V7.200h-7Z"
        }
        Outcome::Failed => {
            "M8 1.200 15.500 14.500H.5L8 1.200Zm-.8 4.800v4h1.600V6H7.200Zm0 5.200v1.600h1.600v-1.600H7.200Z"
        }
        Outcome::Running => "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.800a5.200 5.200 0 0 1 0 10.400V2.800Z",
    };
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false">
            <path fill="currentColor" fill-rule="evenodd" d=path></path>
        </svg>
    }
    .into_any()
}

/// A stroked icon from one path.
fn stroked(path: &'static str) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false">
            <path
                fill="none"
                stroke="currentColor"
                stroke-width="1.5"
                stroke-linecap="round"
                stroke-linejoin="round"
                d=path
            ></path>
        </svg>
    }
}

/// To the right.
pub(crate) fn arrow_right() -> impl IntoView {
    stroked("M3 8h10M9 4l4 4-4 4")
}

/// Two sheets.
#[cfg(feature = "ssr")]
pub(crate) fn copy() -> impl IntoView {
    stroked("M6 6h7v7H6zM3 10V3h7")
}

/// Out of the page.
#[cfg(feature = "ssr")]
pub(crate) fn external() -> impl IntoView {
    stroked("M6.500 4H3.500v8.500H12V9.500M9 3.500h3.500V7M12.500 3.500 7.500 8.500")
}

/// Down, onto a line.
#[cfg(feature = "ssr")]
pub(crate) fn download() -> impl IntoView {
    stroked("M8 2.500v7.500M4.500 7 8 10.500 11.500 7M3 13.500h10")
}

/// A tick.
pub(crate) fn tick() -> impl IntoView {
    stroked("M3 8.500 6.500 12 13 4.500")
}

/// A cross.
pub(crate) fn cross() -> impl IntoView {
    stroked("M4 4l8 8M12 4l-8 8")
}

/// Two bars.
#[cfg(feature = "ssr")]
pub(crate) fn pause() -> impl IntoView {
    stroked("M5.500 3.500v9M10.500 3.500v9")
}

/// A clock.
#[cfg(feature = "ssr")]
pub(crate) fn clock() -> impl IntoView {
    stroked("M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 4.800V8l2.200 1.600")
}

/// A question mark in a disc.
#[cfg(feature = "ssr")]
pub(crate) fn question() -> impl IntoView {
    stroked(
        "M6.200 6.200a1.900 1.900 0 1 1 2.600 1.900c-.6.3-.8.6-.8 1.300M8 11.600v.1M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Z",
    )
}

/// An exclamation mark in a disc: only under a condition.
#[cfg(feature = "ssr")]
pub(crate) fn condition() -> impl IntoView {
    stroked("M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 5v3.600M8 11v.1")
}

/// A magnifier.
#[cfg(feature = "ssr")]
pub(crate) fn search() -> impl IntoView {
    stroked("M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9ZM10.500 10.500l3 3")
}

/// The mark: a boundary with a gate.
#[cfg(feature = "ssr")]
pub(crate) fn mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" focusable="false">
            <path
                fill="currentColor"
                fill-rule="evenodd"
                d="M5 2h14a3 3 0 0 1 3 3v9.500c0 3.800-3.600 6.300-10 7.500-6.400-1.200-10-3.700-10-7.500V5a3 3 0 0 1 3-3Zm3.500 5v9.700c1 .4 2.200.7 3.500 1 3.300-.7 5-1.800 5-3.600 0-1.100-.6-1.900-1.600-2.300.8-.5 1.200-1.200 1.200-2.100C16.600 8 15.300 7 13 7H8.500Zm2.400 1.900h1.900c.9 0 1.400.3 1.400 1s-.5 1.100-1.400 1.100h-1.900V8.900Zm0 3.900h2.100c1 0 1.600.4 1.600 1.200 0 .7-.5 1.200-1.600 1.500-.7.2-1.400.1-2.100-.1v-2.600Z"
            ></path>
        </svg>
    }
}
