//! The pages: functions from data to HTML, whole on the server.

pub(crate) mod decision;
pub(crate) mod errors;
pub(crate) mod list;
mod list_parts;
pub(crate) mod sign_in;

use leptos::prelude::*;

use crate::parts::icons;
use crate::text::Lang;

/// A button that copies; it shows itself once the bundle is there.
pub(crate) fn copy_button(value: &str, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().shell;
    view! {
        <button
            class="copy"
            type="button"
            hidden
            data-needs-script=""
            data-copy=value.to_owned()
            data-copied=t.copied
            aria-label=t.copy
            title=t.copy
        >
            {icons::copy()}
        </button>
    }
}

/// A command to copy.
pub(crate) fn snippet(command: String, lang: Lang) -> impl IntoView {
    let button = copy_button(&command, lang);
    view! {
        <div class="snippet">
            <pre tabindex="0">
                <code>{command}</code>
            </pre>
            {button}
        </div>
    }
}

/// A digest, shortened in the middle by the style sheet where it does not fit, whole for copying.
pub(crate) fn digest(value: &str, lang: Lang) -> impl IntoView + use<> {
    view! {
        <span class="digest">
            <code>{value.to_owned()}</code>
            {copy_button(value, lang)}
        </span>
    }
}
