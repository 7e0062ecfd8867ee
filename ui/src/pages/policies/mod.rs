//! `/policies`: what is in force and where it comes from, what stands in the way of something newer, and every rule with its
//! reasons, exceptions with their clocks, attestations.

mod rules;

use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::{digest, fact, linked};
use crate::parts::shell::Frame;
use crate::parts::{icons, moments};
use crate::text::{Lang, PolicyPages};

/// The policy in force, as the API tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) git: Option<Git>,
    pub(crate) commit: Option<Commit>,
    pub(crate) refused: Option<Refused>,
    pub(crate) doubts: Vec<String>,
    pub(crate) history: Vec<Commit>,
}

/// The repository that is followed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Git {
    pub(crate) url: String,
    pub(crate) branch: Option<String>,
    pub(crate) folder: Option<String>,
    /// `true`, or how it is asked for.
    pub(crate) signatures: Value,
    pub(crate) approval: Value,
}

/// A commit that is or was in force.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Commit {
    pub(crate) commit: String,
    pub(crate) digest: String,
    pub(crate) author: Option<String>,
    pub(crate) approver: Option<String>,
    pub(crate) since_ms: i64,
}

/// A head that is not followed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refused {
    pub(crate) stage: String,
    pub(crate) commit: Option<String>,
    pub(crate) why: String,
    pub(crate) problems: Vec<String>,
    pub(crate) since_ms: i64,
}

/// What the bundle holds, as far as it concerns the reader.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Held {
    pub(crate) rules: Vec<Value>,
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) attestations: Vec<Attestation>,
}

/// A rule that is waived somewhere for a time.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Exception {
    pub(crate) id: String,
    pub(crate) rule: String,
    pub(crate) scope: String,
    pub(crate) reason: String,
    pub(crate) approved_by: String,
    pub(crate) until: String,
    pub(crate) state: String,
}

/// Something that the organisation has in place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attestation {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) operator: String,
    pub(crate) scope: Option<String>,
    pub(crate) document: String,
    pub(crate) valid_from: String,
    pub(crate) valid_to: Option<String>,
    pub(crate) state: String,
}

/// Which rules are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleFilter {
    pub(crate) q: Option<String>,
    pub(crate) mode: Option<String>,
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    status: &Status,
    held: &Held,
    filter: &RuleFilter,
    now_ms: i64,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().policy_pages;
    let asks = frame.viewer.as_ref().is_some_and(|viewer| viewer.may("console:requests", "ask"));
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            {asks
                .then(|| {
                    view! {
                        <a class="button" href="/requests/new?kind=exception">
                            {t.ask_exception}
                        </a>
                    }
                })}
        </div>
        {status.refused.as_ref().map(|refused| refusal(refused, now_ms, lang))}
        <section class="panel">
            <h2>{t.in_force}</h2>
            {in_force(status, now_ms, lang)}
        </section>
        {(!status.doubts.is_empty()).then(|| doubts(&status.doubts, t))}
        {rules::section(&held.rules, filter, lang)}
        {exceptions(&held.exceptions, now_ms, lang)}
        {attestations(&held.attestations, now_ms, lang)}
        {(!status.history.is_empty()).then(|| history(&status.history, now_ms, lang))}
    }
}

fn refusal(refused: &Refused, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    view! {
        <section class="refusal" id="refused">
            <h2>{t.refused}</h2>
            <p class="refusal-message" lang="en">
                {linked(&refused.why)}
            </p>
            {(!refused.problems.is_empty())
                .then(|| {
                    let problems = refused.problems.iter().map(|problem| view! { <li>{problem.clone()}</li> });
                    view! {
                        <ul class="sentences" lang="en">
                            {problems.collect_view()}
                        </ul>
                    }
                })}
            <p class="refusal-code">
                <span class="label">{t.stage}</span>
                <code>{refused.stage.clone()}</code>
                {refused
                    .commit
                    .clone()
                    .map(|commit| {
                        view! {
                            <span class="label">{t.commit}</span>
                            <code>{commit}</code>
                        }
                    })}
                {(refused.since_ms > 0).then(|| moments::ago(refused.since_ms, now_ms, lang))}
            </p>
            <p class="refusal-fix">{t.refused_lead}</p>
        </section>
    }
}

fn in_force(status: &Status, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    let source = match status.source.as_str() {
        "git" => t.source_git,
        "folder" => t.source_folder,
        _ => t.source_starter,
    };
    let asked = |value: &Value| {
        // `false` and nothing at all are the ways to say that it is not asked for.
        let not = matches!(value, Value::Null | Value::Bool(false));
        if not { t.not_required } else { t.required }
    };
    let git = status.git.as_ref().map(|git| {
        view! {
            {fact(t.repository, view! { <code>{git.url.clone()}</code> }.into_any())}
            {git.branch.clone().map(|branch| fact(t.branch, view! { <code>{branch}</code> }.into_any()))}
            {git.folder.clone().map(|folder| fact(t.folder, view! { <code>{folder}</code> }.into_any()))}
            {fact(t.signatures, asked(&git.signatures).into_any())}
            {fact(t.approval, asked(&git.approval).into_any())}
        }
    });
    let commit = status.commit.as_ref().map(|commit| {
        view! {
            {fact(t.commit, digest(&commit.commit, lang).into_any())}
            {commit.author.clone().map(|author| fact(t.author, author.into_any()))}
            {commit.approver.clone().map(|approver| fact(t.approver, approver.into_any()))}
            {fact(t.since, moments::ago(commit.since_ms, now_ms, lang).into_any())}
        }
    });
    view! {
        <dl class="facts">
            {fact(t.name, status.name.clone().into_any())} {fact(t.version, status.version.clone().into_any())}
            {fact(t.source, source.into_any())} {git} {commit}
            {fact(t.digest, digest(&status.digest, lang).into_any())}
        </dl>
    }
}

fn doubts(doubts: &[String], t: &'static PolicyPages) -> impl IntoView + use<> {
    let lines = doubts.iter().map(|doubt| view! { <li>{linked(doubt)}</li> });
    view! {
        <section class="notice attention panel-below" id="doubts">
            <h2>{t.doubts}</h2>
            <p class="hint">{t.doubts_lead}</p>
            <ul class="sentences" lang="en">
                {lines.collect_view()}
            </ul>
        </section>
    }
}

/// How something with a time stands: by shape, colour and word.
fn state(name: &str, t: &'static PolicyPages) -> impl IntoView + use<> {
    let (class, icon) = match name {
        "holds" => ("state mark-ok", icons::tick().into_any()),
        "to_come" => ("state mark-wait", icons::clock().into_any()),
        _ => ("state mark-over", icons::cross().into_any()),
    };
    view! { <span class=class>{icon} {t.state(name).to_owned()}</span> }
}

/// An instant of a file.
fn instant(text: &str, now_ms: i64, lang: Lang) -> AnyView {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(at) => moments::ago(at.timestamp_millis(), now_ms, lang).into_any(),
        Err(_) => text.to_owned().into_any(),
    }
}

fn exceptions(exceptions: &[Exception], now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    let rows = exceptions.iter().map(|exception| {
        view! {
            <tr>
                <td>
                    <a class="rule-link" href=format!("/policies#rule-{}", exception.rule)>
                        {exception.rule.clone()}
                    </a>
                    <small class="sub">{exception.id.clone()}</small>
                </td>
                <td>
                    <span class="path">{exception.scope.clone()}</span>
                </td>
                <td>{exception.reason.clone()}</td>
                <td>{exception.approved_by.clone()}</td>
                <td>{state(&exception.state, t)}</td>
                <td>{instant(&exception.until, now_ms, lang)}</td>
            </tr>
        }
    });
    view! {
        <section class="panel panel-below" id="exceptions">
            <h2>{t.exceptions}</h2>
            <p class="hint">{t.exceptions_lead}</p>
            {if exceptions.is_empty() {
                view! { <p class="quiet">{t.no_exceptions}</p> }.into_any()
            } else {
                view! {
                    <div class="scrolls" tabindex="0" role="region" aria-label=t.exceptions>
                        <table class="plain plain-wide">
                            <thead>
                                <tr>
                                    <th scope="col">{t.waives}</th>
                                    <th scope="col">{t.scope}</th>
                                    <th scope="col">{t.reason}</th>
                                    <th scope="col">{t.approved}</th>
                                    <th scope="col">{t.holds}</th>
                                    <th scope="col">{t.until}</th>
                                </tr>
                            </thead>
                            <tbody>{rows.collect_view()}</tbody>
                        </table>
                    </div>
                }
                    .into_any()
            }}
        </section>
    }
}

fn attestations(attestations: &[Attestation], now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    let rows = attestations.iter().map(|attestation| {
        let end = attestation
            .valid_to
            .as_deref()
            .map_or_else(|| t.no_end.into_any(), |end| instant(end, now_ms, lang));
        view! {
            <tr>
                <td>
                    {attestation.id.clone()} <small class="sub">{attestation.kind.clone()}</small>
                </td>
                <td>{attestation.operator.clone()}</td>
                <td>
                    <span class="path">{attestation.scope.clone().unwrap_or_else(|| "/".to_owned())}</span>
                </td>
                <td>{linked(&attestation.document)}</td>
                <td>{state(&attestation.state, t)}</td>
                <td>{instant(&attestation.valid_from, now_ms, lang)}</td>
                <td>{end}</td>
            </tr>
        }
    });
    view! {
        <section class="panel panel-below" id="attestations">
            <h2>{t.attestations}</h2>
            <p class="hint">{t.attestations_lead}</p>
            {if attestations.is_empty() {
                view! { <p class="quiet">{t.no_attestations}</p> }.into_any()
            } else {
                view! {
                    <div class="scrolls" tabindex="0" role="region" aria-label=t.attestations>
                        <table class="plain plain-wide">
                            <thead>
                                <tr>
                                    <th scope="col">{t.attestations}</th>
                                    <th scope="col">{t.operator}</th>
                                    <th scope="col">{t.scope}</th>
                                    <th scope="col">{t.document}</th>
                                    <th scope="col">{t.holds}</th>
                                    <th scope="col">{t.from}</th>
                                    <th scope="col">{t.until}</th>
                                </tr>
                            </thead>
                            <tbody>{rows.collect_view()}</tbody>
                        </table>
                    </div>
                }
                    .into_any()
            }}
        </section>
    }
}

fn history(history: &[Commit], now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    let rows = history.iter().map(|commit| {
        view! {
            <tr>
                <td>
                    <code title=commit.commit.clone()>{crate::format::short(&commit.commit, 12)}</code>
                </td>
                <td>{commit.author.clone()}</td>
                <td>{commit.approver.clone()}</td>
                <td>
                    <code title=commit.digest.clone()>{crate::format::short(&commit.digest, 12)}</code>
                </td>
                <td>{moments::ago(commit.since_ms, now_ms, lang)}</td>
            </tr>
        }
    });
    view! {
        <section class="panel panel-below">
            <h2>{t.history}</h2>
            <p class="hint">{t.history_lead}</p>
            <div class="scrolls" tabindex="0" role="region" aria-label=t.history>
                <table class="plain plain-wide">
                    <thead>
                        <tr>
                            <th scope="col">{t.commit}</th>
                            <th scope="col">{t.author}</th>
                            <th scope="col">{t.approver}</th>
                            <th scope="col">{t.digest}</th>
                            <th scope="col">{t.since}</th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
}
