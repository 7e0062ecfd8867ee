//! The frame around every page: head, top bar, footer.

use leptos::nonce::{Nonce, use_nonce};
use leptos::prelude::*;

use super::icons;
use crate::assets::{Assets, Script};
use crate::format;
use crate::islands::enhance::Enhance;
use crate::preferences::{Preferences, Theme};
use crate::text::Lang;
use crate::view::{Overview, Viewer};

/// What every page is made with.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Language and theme.
    pub(crate) preferences: Preferences,
    /// Where style and script are.
    pub(crate) assets: Assets,
    /// The signed-in person; none on sign-in and on errors before it.
    pub(crate) viewer: Option<Viewer>,
    /// What is in force; none where it can't be read.
    pub(crate) overview: Option<Overview>,
    /// This page's path and query, to come back to.
    pub(crate) here: String,
}

impl Frame {
    pub(crate) const fn lang(&self) -> Lang {
        self.preferences.lang
    }
}

/// A whole document around `content`.
pub(crate) fn document<V: IntoView + 'static>(
    frame: &Frame,
    title: &str,
    content: V,
) -> impl IntoView + use<V> {
    let lang = frame.lang();
    let t = &lang.text().shell;
    view! {
        <!DOCTYPE html>
        <html lang=lang.code() data-theme=frame.preferences.theme.name()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>{format!("{title} · {}", t.product)}</title>
                <link rel="stylesheet" href=frame.assets.css.clone() />
                {frame.assets.icon.clone().map(|href| view! { <link rel="icon" type="image/svg+xml" href=href /> })}
                {frame.assets.script.as_ref().map(|script| loader(script, use_nonce()))}
            </head>
            <body>
                <a class="skip" href="#content">
                    {t.skip}
                </a>
                {top_bar(frame)}
                <main id="content" tabindex="-1">
                    {content}
                </main>
                {footer(frame)}
                {frame.assets.script.is_some().then(|| view! { <Enhance lang=lang /> })}
            </body>
        </html>
    }
}

/// Starts the bundle. Leptos' own component wants its file names; ours carry the hash of what is in them.
fn loader(script: &Script, nonce: Option<Nonce>) -> impl IntoView + use<> {
    let js = serde_json::Value::from(script.js.clone());
    let wasm = serde_json::Value::from(script.wasm.clone());
    let code = format!(
        "import({js}).then(async (bundle) => {{ \
           await bundle.default({{ module_or_path: {wasm} }}); \
           bundle.hydrate(); \
           for (const island of document.querySelectorAll('leptos-island')) {{ \
             const wake = bundle[island.dataset.component]; \
             if (wake) wake(island); else console.error('console bundle: of another build than the server'); \
           }} \
         }}).catch((error) => console.error('console bundle:', error));"
    );
    view! {
        <link rel="modulepreload" href=script.js.clone() nonce=nonce.clone() />
        <link rel="preload" href=script.wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
        <script type="module" nonce=nonce>
            {code}
        </script>
    }
}

fn top_bar(frame: &Frame) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().shell;
    let signed_in = frame.viewer.is_some();
    view! {
        <header class="top">
            <a class="brand" href="/">
                {icons::mark()}
                <span>{t.product}</span>
            </a>
            {place(frame).map(|place| view! { <span class="where path">{place}</span> })}
            {signed_in
                .then(|| {
                    view! {
                        <nav class="main-nav" aria-label=t.navigation>
                            {places(frame).into_iter().map(|place| place_link(frame, place)).collect_view()}
                        </nav>
                    }
                })}
            <span class="gap"></span>
            {frame
                .overview
                .as_ref()
                .filter(|overview| overview.simulated)
                .map(|_| view! { <span class="chip chip-simulated" title=t.simulated_hint>{t.simulated}</span> })}
            {menu(frame)}
        </header>
    }
}

/// A page of the navigation: its address, its name, the letter that leads there after `g`.
type Place = (&'static str, &'static str, &'static str);

/// The pages that this person has something on.
fn places(frame: &Frame) -> Vec<Place> {
    let t = &frame.lang().text().shell;
    let Some(viewer) = &frame.viewer else { return Vec::new() };
    let all: [(Place, bool); 9] = [
        (("/", t.overview, "o"), true),
        (("/decisions", t.decisions, "d"), viewer.may("console:decisions", "read")),
        (("/keys", t.keys, "k"), viewer.may("console:keys", "read")),
        (("/budgets", t.budgets, "b"), viewer.may("console:budgets", "read")),
        (("/endpoints", t.endpoints, "e"), viewer.may("console:endpoints", "read")),
        (("/policies", t.policies, "p"), viewer.may("console:policy", "read")),
        (("/audit", t.audit, "a"), viewer.may("console:audit", "read")),
        // People are of no scope: only who may see all of them has this page.
        (("/people", t.people, "u"), viewer.may_at("console:people", "read", "/")),
        // Everybody sees what they asked for themselves.
        (("/requests", t.requests, "r"), true),
    ];
    all.into_iter().filter(|(_, may)| *may).map(|(place, _)| place).collect()
}

fn place_link(frame: &Frame, (href, word, letter): Place) -> impl IntoView + use<> {
    let path = frame.here.split('?').next().unwrap_or_default();
    let below = path.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // What these pages lead to.
    let above = (href == "/endpoints" && path == "/kill-switches")
        || (href == "/decisions" && path == "/reached")
        || (href == "/people" && path == "/sessions");
    let current = below || above;
    view! {
        <a href=href aria-current=current.then_some("page") data-go=letter>
            {word}
        </a>
    }
}

/// The scope that the viewer sees; the organisation's where that is all of it.
fn place(frame: &Frame) -> Option<String> {
    let viewer = frame.viewer.as_ref()?;
    match &frame.overview {
        Some(overview) if viewer.scope == "/" => Some(overview.organisation.clone()),
        _ => Some(viewer.scope.clone()),
    }
}

/// Account, theme and language: a `<details>`, so that it opens without script.
fn menu(frame: &Frame) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().shell;
    let label = frame.viewer.as_ref().map_or_else(|| t.theme.to_owned(), |viewer| viewer.name.clone());
    let roles = frame.viewer.as_ref().map(|viewer| viewer.roles.join(", ")).filter(|roles| !roles.is_empty());
    let csrf = frame.viewer.as_ref().map(|viewer| viewer.csrf.clone()).unwrap_or_default();
    let (signed_in, sessions) = (frame.viewer.is_some(), lang.text().people_pages.own_sessions);
    let themes = Theme::ALL.map(|theme| {
        let word = match theme {
            Theme::System => t.theme_system,
            Theme::Light => t.theme_light,
            Theme::Dark => t.theme_dark,
        };
        (theme.name(), word, theme == frame.preferences.theme)
    });
    let languages = Lang::ALL.map(|each| (each.code(), each.name(), each == lang));
    view! {
        <details class="menu">
            <summary>
                <span class="who">{label}</span>
                <span class="lang-code">{lang.code()}</span>
            </summary>
            <div class="menu-panel">
                {roles.map(|roles| view! { <p class="menu-roles"><span class="label">{t.roles}</span> {roles}</p> })}
                {signed_in.then(|| view! { <p><a href="/sessions">{sessions}</a></p> })}
                <form method="post" action="/preferences">
                    <input type="hidden" name="back" value=frame.here.clone() />
                    {choice(t.theme, "theme", themes)} {choice(t.language, "lang", languages)}
                    <button class="button" type="submit">
                        {t.apply}
                    </button>
                </form>
                {frame
                    .viewer
                    .is_some()
                    .then(|| {
                        view! {
                            <form method="post" action="/auth/sign-out">
                                <input type="hidden" name="csrf" value=csrf.clone() />
                                <button class="button quiet-button" type="submit">
                                    {t.sign_out}
                                </button>
                            </form>
                        }
                    })}
            </div>
        </details>
    }
}

fn choice<const N: usize>(
    legend: &'static str,
    name: &'static str,
    options: [(&'static str, &'static str, bool); N],
) -> impl IntoView {
    let options = options.map(|(value, word, chosen)| {
        view! {
            <label>
                <input type="radio" name=name value=value checked=chosen />
                <span>{word}</span>
            </label>
        }
    });
    view! {
        <fieldset class="segmented">
            <legend>{legend}</legend>
            <div>{options.into_iter().collect_view()}</div>
        </fieldset>
    }
}

fn footer(frame: &Frame) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().shell;
    let facts = frame.overview.as_ref().map(|overview| {
        let records = (t.records)(&format::integer(overview.log_size, lang));
        view! {
            <span>
                <span class="label">{t.log_size}</span>
                {records}
            </span>
            <span>
                <span class="label">{t.bundle}</span>
                <code title=overview.bundle_digest.clone()>{format::short(&overview.bundle_digest, 12)}</code>
            </span>
        }
    });
    let script = if frame.assets.script.is_some() {
        view! { <noscript>{t.no_script}</noscript> }.into_any()
    } else {
        view! { <span class="no-bundle">{t.no_bundle}</span> }.into_any()
    };
    view! {
        <footer class="bottom">
            {facts} <span>{t.footer}</span> <span class="gap"></span> {script}
        </footer>
    }
}
