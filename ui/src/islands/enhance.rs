//! What script adds to any page: keyboard shortcuts with their help, copying, and filters that apply as they are changed.
//!
//! One listener each on the document, so that rows which arrive later need none of their own. Parts of the page that only work
//! with script are hidden by the server under `data-needs-script`, and shown here.

#![expect(unreachable_pub, reason = "the island macro makes a public function of its own")]

use leptos::prelude::*;

use crate::text::Lang;

/// The help dialog, and everything that listens.
#[island]
pub(crate) fn Enhance(
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let dialog = NodeRef::<leptos::html::Dialog>::new();
    #[cfg(feature = "hydrate")]
    browser::start(dialog);
    let t = &lang.text().keys;
    let shortcuts = [
        ("/", t.search),
        ("j", t.next),
        ("k", t.previous),
        ("Enter", t.enter),
        ("g o", t.go_overview),
        ("g d", t.go_decisions),
        ("g k", t.go_keys),
        ("g b", t.go_budgets),
        ("g e", t.go_endpoints),
        ("g p", t.go_policies),
        ("g a", t.go_audit),
        ("g u", t.go_people),
        ("g r", t.go_requests),
        ("?", t.help),
        ("Esc", t.escape),
    ];
    view! {
        <button class="help-button" type="button" hidden data-needs-script="" data-help="" title=t.open aria-label=t.open>
            "?"
        </button>
        <dialog class="help" node_ref=dialog aria-labelledby="help-title">
            <form method="dialog">
                <h2 id="help-title">{t.title}</h2>
                <dl>
                    {shortcuts
                        .map(|(key, what)| {
                            view! {
                                <div>
                                    <dt>
                                        {key.split(' ').map(|key| view! { <kbd>{key}</kbd> }).collect_view()}
                                    </dt>
                                    <dd>{what}</dd>
                                </div>
                            }
                        })
                        .into_iter()
                        .collect_view()}
                </dl>
                <button class="button" type="submit">
                    {t.close}
                </button>
            </form>
        </dialog>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    //! Listeners. A missing element means that the page has no such part; then a shortcut does nothing.

    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use leptos::html::Dialog;
    use leptos::prelude::{GetUntracked, NodeRef, document, window};
    use leptos::{ev, leptos_dom::helpers::window_event_listener};
    use wasm_bindgen::JsCast;
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::{Element, HtmlElement, KeyboardEvent, NodeList};

    /// How long `g` waits for the letter of a page.
    const GOING: Duration = Duration::from_millis(1_500);

    pub(super) fn start(dialog: NodeRef<Dialog>) {
        for element in elements("[data-needs-script]") {
            let _ = element.remove_attribute("hidden");
        }
        // Listeners live as long as the page: their handles, which would remove them, are dropped without being called.
        let going = Rc::new(Cell::new(false));
        drop(window_event_listener(ev::keydown, move |event| pressed(&event, dialog, &going)));
        drop(window_event_listener(ev::click, move |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let Some(target) = target else { return };
            if let Ok(Some(button)) = target.closest("[data-copy]") {
                copy(button);
            } else if let Ok(Some(_)) = target.closest("[data-help]") {
                open(dialog);
            }
        }));
        drop(window_event_listener(ev::change, move |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let select = target.filter(|target| target.tag_name() == "SELECT");
            let form = select.and_then(|select| select.closest("form[data-submit-on-change]").ok().flatten());
            let submit = form.and_then(|form| form.query_selector("button[type=submit]").ok().flatten());
            if let Some(button) = submit.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
                button.click();
            }
        }));
    }

    fn elements(selector: &str) -> Vec<Element> {
        let found: Option<NodeList> = document().query_selector_all(selector).ok();
        let Some(found) = found else { return Vec::new() };
        (0..found.length()).filter_map(|index| found.get(index)?.dyn_into().ok()).collect()
    }

    fn first(selector: &str) -> Option<HtmlElement> {
        document().query_selector(selector).ok().flatten()?.dyn_into().ok()
    }

    fn open(dialog: NodeRef<Dialog>) {
        if let Some(dialog) = dialog.get_untracked() {
            let _ = dialog.show_modal();
        }
    }

    fn pressed(event: &KeyboardEvent, dialog: NodeRef<Dialog>, going: &Rc<Cell<bool>>) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let typing = target.is_some_and(|t| matches!(t.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
        if typing || event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        if going.take() {
            go(&event.key());
            return;
        }
        match event.key().as_str() {
            "g" => {
                going.set(true);
                let going = Rc::clone(going);
                leptos::prelude::set_timeout(move || going.set(false), GOING);
            }
            "/" => {
                if let Some(search) = first("[data-search]") {
                    event.prevent_default();
                    let _ = search.focus();
                }
            }
            "?" => open(dialog),
            "j" => step(1),
            "k" => step(-1),
            _ => {}
        }
    }

    /// Goes to the page of the navigation that has this letter.
    fn go(letter: &str) {
        let here = elements("[data-go]").into_iter();
        let mut links = here.filter(|link| link.get_attribute("data-go").as_deref() == Some(letter));
        if let Some(link) = links.next().and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
            link.click();
        }
    }

    /// Moves the focus along the rows; from nowhere it goes to the first.
    fn step(by: isize) {
        let links = elements("a.row-link");
        let here = document().active_element();
        let at = links.iter().position(|link| here.as_ref() == Some(link));
        let next = at.map_or(Some(0), |at| at.checked_add_signed(by));
        let link = next.and_then(|next| links.get(next)).and_then(|link| link.dyn_ref::<HtmlElement>());
        if let Some(link) = link {
            let _ = link.focus();
        }
    }

    fn copy(button: Element) {
        let text = button.get_attribute("data-copy").unwrap_or_default();
        let done = button.get_attribute("data-copied").unwrap_or_default();
        let label = button.get_attribute("aria-label").unwrap_or_default();
        let written = window().navigator().clipboard().write_text(&text);
        spawn_local(async move {
            if JsFuture::from(written).await.is_ok() {
                say(&button, &done, true);
                leptos::prelude::set_timeout(move || say(&button, &label, false), Duration::from_secs(2));
            }
        });
    }

    fn say(button: &Element, label: &str, copied: bool) {
        let _ = button.set_attribute("aria-label", label);
        let _ = button.class_list().toggle_with_force("copied", copied);
    }
}
