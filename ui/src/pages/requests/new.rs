//! `/requests/new`: asking for something, with a reason.

use leptos::prelude::*;
use serde_json::{Value, json};

use super::KINDS;
use crate::api::{Problem, Typed, end_of_day};
use crate::pages::budgets::one::amount_and_end;
use crate::pages::form::{Field, Filled, hidden, told};
use crate::pages::keys::new::{self, Offers};
use crate::parts::shell::Frame;

/// What can be chosen from.
pub(crate) struct Choices {
    pub(crate) key: Offers,
    /// Budgets: id and words.
    pub(crate) budgets: Vec<(String, String)>,
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    kind: &str,
    choices: &Choices,
    typed: &Typed,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().request_pages;
    let filled = Filled { typed, problem, of: "new", lang };
    let kinds = KINDS.map(|each| {
        let href = crate::pages::address("/requests/new", [("kind", Some(each.to_owned()))]);
        view! {
            <a href=href aria-current=(each == kind).then_some("true")>
                {t.kind(each)}
            </a>
        }
    });
    let today = &choices.key.today;
    let until = Field {
        name: "until",
        label: t.until,
        hint: Some(t.until_hint),
        required: true,
        kind: "date",
        min: Some(today),
        ..Field::default()
    };
    let scope = Field {
        name: "scope",
        label: t.scope,
        required: true,
        offers: &choices.key.scopes,
        ..Field::default()
    };
    let fields = match kind {
        "budget_raise" => view! {
            {filled.choice("budget", t.budget, None, &choices.budgets)} {amount_and_end(filled, today, true)}
        }
        .into_any(),
        "exception" => view! {
            {filled
                .input(Field {
                    name: "rule",
                    label: t.rule,
                    hint: Some(t.rule_hint),
                    required: true,
                    ..Field::default()
                })} {filled.input(scope)} {filled.input(until)}
        }
        .into_any(),
        "content_access" => view! { {filled.input(scope)} {filled.input(until)} }.into_any(),
        _ => new::fields(filled, &choices.key).into_any(),
    };
    let lead = match kind {
        "budget_raise" => t.lead_raise,
        "exception" => t.lead_exception,
        "content_access" => t.lead_content,
        _ => t.lead_key,
    };
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href="/requests">{t.title}</a>
            <span aria-hidden="true">"/"</span>
            <span aria-current="page">{t.ask}</span>
        </nav>
        <section class="form-page">
            <h1>{t.ask}</h1>
            <div class="tabs" role="group" aria-label=t.kind_word>
                {kinds.into_iter().collect_view()}
            </div>
            <p class="lead">{lead}</p>
            {told(problem, &fields_of(kind), "/requests/new", lang)}
            <form method="post" action="/requests/new" class="form">
                <input type="hidden" name="kind" value=kind.to_owned() />
                {hidden(frame)} {fields} {filled.area("reason", t.why, Some(t.why_hint))}
                <p class="form-end">
                    <button class="button primary" type="submit">
                        {t.ask_now}
                    </button>
                    <a class="button quiet-button" href="/requests">
                        {lang.text().forms.cancel}
                    </a>
                </p>
            </form>
        </section>
    }
}

/// The fields that say themselves what is wrong with them.
fn fields_of(kind: &str) -> Vec<&'static str> {
    let mut fields = vec!["reason"];
    match kind {
        "budget_raise" => fields.extend(["budget", "amount_usd", "until"]),
        "exception" => fields.extend(["rule", "scope", "until"]),
        "content_access" => fields.extend(["scope", "until"]),
        _ => fields.extend(new::FIELDS),
    }
    fields
}

/// The body of `POST /api/v1/requests`.
pub(crate) fn body(kind: &str, typed: &Typed) -> Value {
    let text = |name: &str| typed.text(name).unwrap_or_default();
    let until = |name: &str| typed.text(name).map(|day| end_of_day(&day)).unwrap_or_default();
    let wanted = match kind {
        "budget_raise" => json!({
            "budget": text("budget").parse::<i64>().unwrap_or_default(),
            "amount_usd": text("amount_usd"),
            "until": typed.text("until").map_or_else(|| "window".to_owned(), |day| end_of_day(&day)),
        }),
        "exception" => json!({ "rule": text("rule"), "scope": text("scope"), "until": until("until") }),
        "content_access" => json!({ "scope": text("scope"), "until": until("until") }),
        _ => new::body(typed),
    };
    json!({ "kind": kind, "reason": text("reason"), "wanted": wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_asks_for_what_it_is() {
        let typed = Typed::default()
            .with("reason", "busy")
            .with("budget", "7")
            .with("amount_usd", "25")
            .with("scope", "/acme")
            .with("rule", "r")
            .with("until", "2026-12-31");
        let wanted = |kind: &str| body(kind, &typed)["wanted"].clone();
        assert_eq!(
            wanted("budget_raise"),
            json!({ "budget": 7, "amount_usd": "25", "until": "2027-01-01T00:00:00Z" })
        );
        assert_eq!(
            wanted("exception"),
            json!({ "rule": "r", "scope": "/acme", "until": "2027-01-01T00:00:00Z" })
        );
        assert_eq!(wanted("content_access"), json!({ "scope": "/acme", "until": "2027-01-01T00:00:00Z" }));
        assert_eq!(wanted("key")["scope"], "/acme");
    }
}
