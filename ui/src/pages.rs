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

/// A text whose web addresses are links, each shown as its host.
pub(crate) fn linked(text: &str) -> Vec<AnyView> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("https://") {
        let (before, from) = rest.split_at(at);
        let ends = |c: char| c.is_whitespace() || matches!(c, ')' | ',' | ';' | '"' | '<' | '>');
        let (url, after) = from.split_at(from.find(ends).unwrap_or(from.len()));
        let host = url.split('/').nth(2).unwrap_or(url).to_owned();
        parts.push(before.to_owned().into_any());
        parts.push(
            view! {
                <a href=url.to_owned() rel="noopener noreferrer external" target="_blank">
                    {host}
                    {icons::external()}
                </a>
            }
            .into_any(),
        );
        rest = after;
    }
    parts.push(rest.to_owned().into_any());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_links_and_nothing_else_does() {
        let html = |text: &str| {
            Owner::new().with(|| linked(text).into_iter().map(RenderHtml::to_html).collect::<String>())
        };
        let one = html("GDPR (https://eur-lex.europa.eu/eli/reg/2016/679/oj), Art. 44");
        assert!(one.contains("href=\"https://eur-lex.europa.eu/eli/reg/2016/679/oj\""), "{one}");
        assert!(one.contains("GDPR (") && one.contains("), Art. 44"), "{one}");
        assert!(!html("javascript:alert(1) http://a <b>").contains("<a"));
        assert!(!html("javascript:alert(1) <b>").contains("<b>"));
    }
}
