//! `/audit`: the log's signed head, exports, and how they are verified. `/audit/verify`: verifying one in the browser.

use leptos::prelude::*;

use super::form::{Field, Filled, told};
use super::{digest, fact, snippet};
use crate::api::{Problem, Typed};
use crate::format;
use crate::islands::verify_file::VerifyFile;
use crate::parts::icons;
use crate::parts::shell::Frame;
use crate::text::Lang;

/// The fields that say themselves what is wrong with them.
const FIELDS: [&str; 3] = ["from", "to", "scope"];

/// What the page shows.
pub(crate) struct AuditPage {
    /// The checkpoint as it was signed.
    pub(crate) note: Option<String>,
    /// The log's public key.
    pub(crate) key: Option<String>,
    /// Scopes that may be exported.
    pub(crate) scopes: Vec<String>,
}

/// Origin, size and root of a signed note: its first lines (C2SP tlog-checkpoint).
fn head(note: &str) -> Option<(&str, u64, &str)> {
    let mut lines = note.lines();
    Some((lines.next()?, lines.next()?.parse().ok()?, lines.next()?))
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    shown: &AuditPage,
    typed: &Typed,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().audit_pages;
    let exports = frame.viewer.as_ref().is_some_and(|viewer| viewer.may("console:audit", "export"));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            <a class="button" href="/audit/verify">
                {t.verify_link}
            </a>
        </div>
        <div class="columns">
            <div class="column">
                {exports.then(|| export(shown, typed, problem, lang))}
                <section class="panel">
                    <h2>{t.verify}</h2>
                    <p class="hint">{t.verify_lead}</p>
                    <p>
                        <a class="button" href="/audit/verify">
                            {t.verify_link}
                        </a>
                    </p>
                    <h3>{t.command}</h3>
                    <p class="hint">{t.command_lead}</p>
                    {snippet("bailiwick audit verify bailiwick-audit.jsonl --public-key log.pub".to_owned(), lang)}
                </section>
            </div>
            <div class="column">{signed(shown, lang)}</div>
        </div>
    }
}

fn signed(shown: &AuditPage, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().audit_pages;
    let note = shown.note.clone().unwrap_or_default();
    let facts = head(&note).map(|(origin, size, root)| {
        view! {
            <dl class="pairs">
                {fact(t.size, format::integer(size, lang).into_any())}
                {fact(t.origin, view! { <code>{origin.to_owned()}</code> }.into_any())}
                {fact(t.root, digest(root, lang).into_any())}
            </dl>
        }
    });
    let there = facts.is_some();
    view! {
        <section class="panel">
            <h2>{t.head}</h2>
            <p class="hint">{t.head_lead}</p>
            {facts} {(!there).then(|| view! { <p class="quiet">{t.no_checkpoint}</p> })}
            {there
                .then(|| {
                    view! {
                        <h3>{t.note}</h3>
                        <p class="hint">{t.note_lead}</p>
                        {snippet(note, lang)}
                    }
                })}
            {shown
                .key
                .clone()
                .map(|key| {
                    view! {
                        <h3>{t.key}</h3>
                        <p class="hint">{t.key_lead}</p>
                        {snippet(key.trim().to_owned(), lang)}
                    }
                })}
        </section>
    }
}

fn export(shown: &AuditPage, typed: &Typed, problem: Option<&Problem>, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().audit_pages;
    let form = Filled { typed, problem, of: "export", lang };
    let from = Field {
        name: "from",
        label: t.from,
        hint: Some(t.from_hint),
        kind: "datetime-local",
        ..Field::default()
    };
    let to =
        Field { name: "to", label: t.to, hint: Some(t.to_hint), kind: "datetime-local", ..Field::default() };
    let scope = Field {
        name: "scope",
        label: t.scope,
        hint: Some(t.scope_hint),
        mode: Some("text"),
        offers: &shown.scopes,
        ..Field::default()
    };
    view! {
        <section class="panel">
            <h2>{t.export}</h2>
            <p class="hint">{t.export_lead}</p>
            {told(problem, &FIELDS, "/audit", lang)}
            <form class="form" method="get" action="/audit/export">
                <div class="form-pair">{form.input(from)} {form.input(to)}</div>
                {form.input(scope)}
                <div class="form-end">
                    <button class="button primary" type="submit">
                        {icons::download()}
                        {t.download}
                    </button>
                </div>
            </form>
        </section>
    }
}

/// The page for auditors: no account, and nothing is sent.
pub(crate) fn verify(frame: &Frame) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().verify_file;
    let bundle = frame.assets.script.is_some();
    view! {
        <section class="form-page verify-page">
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
            <p class="notice">{t.offline}</p>
            {if bundle {
                view! { <VerifyFile lang=lang /> }.into_any()
            } else {
                view! { <p class="notice">{t.needs_script}</p> }.into_any()
            }}
            <h2>{t.command}</h2>
            {snippet("bailiwick audit verify FILE --public-key KEY".to_owned(), lang)}
            <h2>{t.proves_title}</h2>
            <p>{t.proves}</p>
            <p class="quiet">{t.proves_not}</p>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_note_is_its_first_three_lines() {
        assert_eq!(head("log.example/a\n12\nroot=\n\n— sig\n"), Some(("log.example/a", 12, "root=")));
        assert_eq!(head("log.example/a\nmany\nroot="), None);
        assert_eq!(head(""), None);
    }
}
