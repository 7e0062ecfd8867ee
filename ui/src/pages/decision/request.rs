//! What the request held, what was done about it, what it cost, and from what it was decided.

use leptos::prelude::*;

use crate::format;
use crate::pages::{digest, linked};
use crate::parts::{class_chip, countries, counts, slug};
use crate::text::{self, Lang};
use crate::view::{BudgetView, Count, DecisionView, Declared, MoneyView, RuleView};

/// A term and its value, or nothing where there is none.
fn fact(term: &'static str, value: impl IntoView + 'static) -> impl IntoView {
    view! {
        <div>
            <dt>{term}</dt>
            <dd>{value}</dd>
        </div>
    }
}

fn found(counted: &[Count], lang: Lang) -> AnyView {
    if counted.is_empty() {
        return view! { <span class="quiet">{lang.text().decision.none}</span> }.into_any();
    }
    view! { <span class="counts">{counts(counted, lang)}</span> }.into_any()
}

fn declared(
    values: &[Declared],
    none: &'static str,
    lang: Lang,
    chips: fn(&[String], Lang) -> AnyView,
) -> AnyView {
    if values.is_empty() {
        return view! { <span class="quiet">{none}</span> }.into_any();
    }
    let mut origins: Vec<(&str, Vec<String>)> = Vec::new();
    for each in values {
        let origin = (lang.text().decision.source)(&each.source);
        match origins.iter_mut().find(|(value, _)| *value == each.value) {
            Some((_, known)) if known.contains(&origin) => {}
            Some((_, known)) => known.push(origin),
            None => origins.push((&each.value, vec![origin])),
        }
    }
    // Values of the same origin share its mention.
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (value, origin) in origins {
        match groups.iter_mut().find(|(_, known)| *known == origin) {
            Some((values, _)) => values.push(value.to_owned()),
            None => groups.push((vec![value.to_owned()], origin)),
        }
    }
    groups
        .iter()
        .map(|(values, origin)| {
            view! {
                <span class="declared">
                    {chips(values, lang)}
                    <small>{origin.join(", ")}</small>
                </span>
            }
        })
        .collect_view()
        .into_any()
}

fn classes(values: &[String], lang: Lang) -> AnyView {
    values.iter().map(|class| class_chip(class, lang)).collect_view().into_any()
}

/// What the request held.
pub(super) fn held(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let request = &view.request;
    let body = format!(
        "{} · {} {}",
        format::bytes(request.body_bytes, lang),
        format::integer(u64::from(request.spans), lang),
        if request.spans == 1 { t.span } else { t.spans }
    );
    view! {
        <section class="panel" id="request">
            <h2>{t.request}</h2>
            <p class="hint">{t.request_lead}</p>
            <dl class="pairs">
                {fact(t.findings, found(&request.findings, lang))}
                {(!request.response_findings.is_empty())
                    .then(|| fact(t.response_findings, found(&request.response_findings, lang)))}
                {fact(
                    t.classes,
                    declared(&request.data_classes, t.no_classes, lang, classes),
                )}
                {fact(
                    t.sensitivity,
                    view! {
                        <span class=format!(
                            "chip level-{}",
                            slug(&request.sensitivity),
                        )>{text::sensitivity(&request.sensitivity, lang)}</span>
                    },
                )}
                {fact(
                    t.regions,
                    declared(&request.subject_regions, t.no_regions, lang, countries),
                )}
                {request.purpose.clone().map(|purpose| fact(t.purpose, purpose))}
                {request
                    .user
                    .clone()
                    .map(|user| {
                        fact(t.user, view! { <span class="declared">{user} <small>{t.user_hint}</small></span> })
                    })}
                {fact(t.body, body)}
            </dl>
        </section>
    }
}

/// What was done about it, by which rules.
pub(super) fn done(view: &DecisionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let redactions = view
        .redactions
        .iter()
        .map(|each| {
            view! {
                <li>
                    <b>{text::entity(&each.entity, each.count, lang)}</b>
                    " "
                    {(t.redaction_how)(&each.how)}
                    {rule_link(&each.rule, &view.rules)}
                </li>
            }
        })
        .collect_view();
    let obligations = view
        .obligations
        .iter()
        .map(|each| {
            view! {
                <li>
                    <code>{format!("{}: {}", each.name, each.value)}</code>
                    {rule_link(&each.rule, &view.rules)}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel" id="done">
            <h2>{t.done}</h2>
            {if view.redactions.is_empty() {
                view! { <p class="quiet">{t.no_redactions}</p> }.into_any()
            } else {
                view! { <ul class="acts">{redactions}</ul> }.into_any()
            }}
            {(!view.obligations.is_empty())
                .then(|| {
                    view! {
                        <h3>{t.obligations}</h3>
                        <ul class="acts">{obligations}</ul>
                    }
                })}
            <h3>{t.rules}</h3>
            {if view.rules.is_empty() {
                view! { <p class="quiet">{t.no_rules}</p> }.into_any()
            } else {
                view! {
                    <ul class="rules">{view.rules.iter().map(|each| rule(each, lang)).collect_view()}</ul>
                }
                    .into_any()
            }}
        </section>
    }
}

/// A rule's id; a link where this page lists the rule.
pub(super) fn rule_link(rule: &str, listed: &[RuleView]) -> impl IntoView + use<> {
    let href = listed.iter().any(|each| each.id == rule).then(|| format!("#rule-{}", slug(rule)));
    view! {
        <a class="rule-link" href=href>
            <code>{rule.to_owned()}</code>
        </a>
    }
}

fn rule(rule: &RuleView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    view! {
        <li id=format!("rule-{}", slug(&rule.id))>
            <p class="rule-title">
                {rule.title.clone()}
                {(rule.mode == "shadow").then(|| view! { <span class="chip" title=t.shadow>"shadow"</span> })}
            </p>
            <p class="rule-id">
                <code>{rule.id.clone()}</code>
                <span class="path">{rule.scope.clone()}</span>
            </p>
            {(!rule.because.is_empty())
                .then(|| {
                    view! {
                        <p class="quiet">
                            <span class="label">{t.because}</span>
                            {linked(&rule.because.join("; "))}
                        </p>
                    }
                })}
        </li>
    }
}

/// What it cost.
pub(super) fn money(view: &DecisionView, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().decision;
    let money = view.money.as_ref()?;
    let settled =
        money.settled_nanos.map_or_else(|| t.not_settled.to_owned(), |nanos| format::money(nanos, lang));
    Some(view! {
        <section class="panel" id="money">
            <h2>{t.money}</h2>
            <dl class="pairs pairs-numbers">
                {fact(t.reserved, format::money(money.reserved_nanos, lang))} {fact(t.settled, settled)}
                {tokens(money, lang).map(|tokens| fact(t.tokens, tokens))}
            </dl>
            {(!money.budgets.is_empty())
                .then(|| {
                    view! {
                        <h3>{t.budgets}</h3>
                        <ul class="budgets">{money.budgets.iter().map(|each| budget(each, lang)).collect_view()}</ul>
                    }
                })}
        </section>
    })
}

fn tokens(money: &MoneyView, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().decision;
    let input = format::integer(money.input_tokens?, lang);
    let output = money.output_tokens.map_or_else(|| "–".to_owned(), |tokens| format::integer(tokens, lang));
    let estimated = !money.reported;
    Some(view! {
        <span>
            {input} " / " {output} {estimated.then(|| view! { <small>" " {t.estimated}</small> })}
        </span>
    })
}

fn budget(budget: &BudgetView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let spent = u128::from(budget.spent_nanos.max(0).unsigned_abs());
    let limit = u128::from(budget.limit_nanos.max(1).unsigned_abs());
    let tenths = (spent * 1000 / limit).min(1000);
    let class = if tenths >= 900 { "meter-fill meter-high" } else { "meter-fill" };
    let words =
        format!("{} / {}", format::money(budget.spent_nanos, lang), format::money(budget.limit_nanos, lang));
    view! {
        <li>
            <span class="path">{budget.holder.clone()}</span>
            <span class="quiet">{budget.window.clone()}</span>
            <span class="number">{words.clone()}</span>
            <svg class="meter" width="100%" height="6" role="img" aria-label=format!("{words} {}", t.spent)>
                <rect class="meter-track" x="0" y="0" width="100%" height="6" rx="3"></rect>
                <rect
                    class=class
                    x="0"
                    y="0"
                    width=format!("{}.{}%", tenths / 10, tenths % 10)
                    height="6"
                    rx="3"
                ></rect>
            </svg>
        </li>
    }
}

/// The named inputs.
pub(super) fn inputs(view: &DecisionView, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().decision;
    (!view.inputs.is_empty()).then(|| {
        view! {
            <section class="panel" id="inputs">
                <h2>{t.inputs}</h2>
                <p class="hint">{t.inputs_lead}</p>
                <dl class="pairs">
                    {view
                        .inputs
                        .iter()
                        .map(|input| {
                            view! {
                                <div>
                                    <dt>{input.name.clone()}</dt>
                                    <dd>{digest(&input.value, lang)}</dd>
                                </div>
                            }
                        })
                        .collect_view()}
                </dl>
            </section>
        }
    })
}
