//! The pages: functions from data to HTML, whole on the server.

pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod decision;
pub(crate) mod endpoints;
pub(crate) mod errors;
pub(crate) mod form;
pub(crate) mod keys;
pub(crate) mod kill_switches;
pub(crate) mod list;
mod list_parts;
pub(crate) mod overview;
pub(crate) mod people;
pub(crate) mod policies;
pub(crate) mod reached;
pub(crate) mod requests;
pub(crate) mod sign_in;
pub(crate) mod times;

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

/// A path with what narrows it.
pub(crate) fn address<const N: usize>(path: &str, pairs: [(&str, Option<String>); N]) -> String {
    let pairs: Vec<(&str, String)> =
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    match serde_urlencoded::to_string(&pairs) {
        Ok(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}

/// The field that `/` leads to.
pub(crate) fn search(q: Option<&str>, hint: &'static str, lang: Lang) -> impl IntoView + use<> {
    view! {
        <label class="field field-search">
            <span class="sr">{lang.text().list.search}</span>
            {icons::search()}
            <input
                type="search"
                name="q"
                value=q.unwrap_or_default().to_owned()
                placeholder=hint
                autocomplete="off"
                spellcheck="false"
                data-search=""
            />
            <kbd aria-hidden="true" data-needs-script="" hidden>"/"</kbd>
        </label>
    }
}

/// One of several that a list is narrowed to.
pub(crate) fn select(
    label: &'static str,
    name: &'static str,
    any: &'static str,
    values: &[String],
    chosen: Option<&str>,
) -> impl IntoView + use<> {
    let named: Vec<(String, String)> = values.iter().map(|value| (value.clone(), value.clone())).collect();
    select_named(label, name, any, &named, chosen)
}

/// The same of values that have names: value and name.
pub(crate) fn select_named(
    label: &'static str,
    name: &'static str,
    any: &'static str,
    values: &[(String, String)],
    chosen: Option<&str>,
) -> impl IntoView + use<> {
    // A value from the address that is no longer offered stays visible, or the form would drop it silently.
    let missing = chosen.filter(|value| !values.iter().any(|(v, _)| v == value));
    let missing = missing.map(|value| (value.to_owned(), value.to_owned()));
    let options = values
        .iter()
        .cloned()
        .chain(missing)
        .map(|(value, word)| {
            let selected = chosen == Some(value.as_str());
            view! {
                <option value=value selected=selected>
                    {word}
                </option>
            }
        })
        .collect_view();
    view! {
        <label class="field">
            <span class="sr">{label}</span>
            <select name=name data-narrowed=chosen.map(|_| "")>
                <option value="">{any}</option>
                {options}
            </select>
        </label>
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

/// A first request on the command line. A model's name comes from whoever declared it: it is quoted for JSON and the shell.
pub(crate) fn curl(base_url: &str, model: &str) -> String {
    let model = serde_json::Value::from(model).to_string().replace('\'', "'\\''");
    format!(
        "curl {base_url}/v1/chat/completions \\\n  -H \"Authorization: Bearer $BAILIWICK_KEY\" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{\"model\": {model}, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'"
    )
}

/// A fact of a list of them.
pub(crate) fn fact(term: &'static str, value: AnyView) -> impl IntoView + use<> {
    view! {
        <div>
            <dt>{term}</dt>
            <dd>{value}</dd>
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
    fn a_model_breaks_out_of_no_quotes() {
        let curl = curl("http://gw", "it's \"x\"");
        assert!(
            curl.ends_with(
                r#"-d '{"model": "it'\''s \"x\"", "messages": [{"role": "user", "content": "Hello"}]}'"#
            ),
            "{curl}"
        );
    }

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
