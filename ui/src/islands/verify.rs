//! Verify in this browser: fetches the receipt and checks it with the ledger's own code, compiled to WebAssembly.
//!
//! What it proves: that the records were in the tree under the signed checkpoint, unchanged, and that this page names the same
//! leaves. What it does not: that the key is the right one (it comes from the same server, which the page says), nor that the
//! bundle is (it too comes from there; the command line and the independent verifier are for those who doubt it).

#![expect(unreachable_pub, reason = "the island macro makes a public function of its own")]
#![cfg_attr(
    not(feature = "hydrate"),
    allow(dead_code, reason = "the server draws the island; only the browser verifies")
)]

mod steps;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::parts::icons;
use crate::text::{Lang, Verify};
use steps::{State, Step, What};

/// What the page itself claims, to hold the receipt against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// Leaf hashes shown on the page, in hex.
    pub(crate) leaf_hashes: Vec<String>,
    /// The log's public key as the page names it.
    pub(crate) verifier_key: Option<String>,
}

/// How far the verification is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    Idle,
    Running,
    Done {
        steps: Vec<Step>,
        tampered: bool,
    },
}

/// The buttons, and after they are pressed each step with what was computed.
#[island]
pub(crate) fn VerifyReceipt(
    /// Where the receipt is, a path on this server.
    url: String,
    /// What the page claims.
    expected: Expected,
    /// The reader's language.
    lang: Lang,
) -> impl IntoView {
    let t = &lang.text().verify;
    let progress = RwSignal::new(Progress::Idle);
    let source = StoredValue::new((url, expected));
    let start = move |tamper: bool| {
        #[cfg(feature = "hydrate")]
        source.with_value(|(url, expected)| {
            browser::run(url.clone(), expected.clone(), tamper, progress, lang);
        });
        #[cfg(not(feature = "hydrate"))]
        let _ = (tamper, source);
    };
    let busy = move || *progress.read() == Progress::Running;
    let idle = move || *progress.read() == Progress::Idle;
    view! {
        <div class="verify">
            <h3>{t.title}</h3>
            <p class="hint">{t.lead}</p>
            <noscript>
                <p class="hint">{t.needs_script}</p>
            </noscript>
            <p class="verify-buttons" hidden data-needs-script="">
                <button class="button primary" type="button" disabled=busy on:click=move |_| start(false)>
                    {move || if busy() { t.running } else if idle() { t.button } else { t.again }}
                </button>
                <button
                    class="button quiet-button"
                    type="button"
                    title=t.tamper_hint
                    disabled=busy
                    on:click=move |_| start(true)
                >
                    {t.tamper}
                </button>
            </p>
            <div class="verify-result" role="status">
                {move || result(&progress.read(), lang)}
            </div>
        </div>
    }
}

fn result(progress: &Progress, lang: Lang) -> Option<impl IntoView + use<>> {
    match progress {
        Progress::Done { steps, tampered } => Some(report(steps, *tampered, lang)),
        Progress::Idle | Progress::Running => None,
    }
}

/// The verdict, then the steps.
fn report(steps: &[Step], tampered: bool, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().verify;
    let passed = steps::passed(steps);
    let (class, word, lead) = if passed {
        ("verdict-banner verdict-passed", t.passed, t.passed_lead)
    } else {
        ("verdict-banner verdict-failed", t.failed, t.failed_lead)
    };
    let icon = if passed { icons::tick().into_any() } else { icons::cross().into_any() };
    view! {
        <p class=class>
            {icon}
            <b>{word}</b>
            " "
            {lead}
            {tampered.then(|| view! { <small>" " {t.tampered_note}</small> })}
        </p>
        <ol class="steps">{steps.iter().map(|each| step(each, t)).collect_view()}</ol>
        {passed.then(|| view! { <p class="hint">{t.key_hint}</p> })}
    }
}

fn step(step: &Step, t: &'static Verify) -> impl IntoView + use<> {
    let (class, icon) = match step.state {
        State::Passed => ("step step-passed", icons::tick().into_any()),
        State::Failed => ("step step-failed", icons::cross().into_any()),
        State::Skipped => ("step step-skipped", view! { <span aria-hidden="true">"–"</span> }.into_any()),
    };
    let word = match step.what {
        What::Fetch => t.step_fetch,
        What::Form => t.step_parse,
        What::Key => t.step_key,
        What::Checkpoint => t.step_checkpoint,
        What::Inclusion => t.step_inclusion,
        What::Sections => t.step_section,
        What::Page => t.step_page,
    };
    let verdict = match step.state {
        State::Passed => t.passed,
        State::Failed => t.failed,
        State::Skipped => t.step_skipped,
    };
    view! {
        <li class=class>
            {icon}
            <div>
                <b>{word}</b>
                <span class="sr">{verdict}</span>
                {step.problem.clone().map(|problem| view! { <p class="problem">{problem}</p> })}
                {step
                    .details
                    .iter()
                    .map(|(label, value)| {
                        view! {
                            <p class="labelled">
                                <span class="label">{label.clone()}</span>
                                <code>{value.clone()}</code>
                            </p>
                        }
                    })
                    .collect_view()}
            </div>
        </li>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    //! Fetching, and running the steps.

    use leptos::prelude::{RwSignal, Set};
    use wasm_bindgen_futures::spawn_local;

    use super::{Expected, Progress, steps};
    use crate::text::Lang;

    pub(super) fn run(
        url: String,
        expected: Expected,
        tamper: bool,
        progress: RwSignal<Progress>,
        lang: Lang,
    ) {
        progress.set(Progress::Running);
        spawn_local(async move {
            let steps = match fetch(&url).await {
                Ok(mut bytes) => {
                    if tamper {
                        steps::change_one_byte(&mut bytes);
                    }
                    steps::verify(&bytes, &expected, lang)
                }
                Err(status) => steps::not_fetched(status, lang),
            };
            progress.set(Progress::Done { steps, tampered: tamper });
        });
    }

    /// The receipt's bytes, or the status that came instead; 0 where nothing came.
    async fn fetch(url: &str) -> Result<Vec<u8>, u16> {
        let response = gloo_net::http::Request::get(url)
            .header("accept", "application/json")
            .cache(web_sys::RequestCache::NoStore)
            .send()
            .await
            .map_err(|_| 0_u16)?;
        if !response.ok() {
            return Err(response.status());
        }
        response.binary().await.map_err(|_| 0)
    }
}
