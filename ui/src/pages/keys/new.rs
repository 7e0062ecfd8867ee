//! `/keys/new`: a form for a new key. The same fields ask for one, where somebody else has to agree.

use leptos::prelude::*;
use serde_json::{Map, Value, json};

use crate::api::{Problem, Typed, end_of_day};
use crate::pages::form::{Field, Filled, hidden, told};
use crate::parts::shell::Frame;
use crate::text::{self, Lang};

/// The fields that say themselves what is wrong with them.
pub(crate) const FIELDS: [&str; 12] = [
    "scope",
    "name",
    "models",
    "endpoints",
    "budget_usd",
    "requests_per_minute",
    "expires",
    "environment",
    "tags",
    "allowed_networks",
    "max_sensitivity",
    "max_data_classes",
];

const CLASSES: [&str; 5] = ["personal", "special_category", "phi", "pci", "credentials"];
const SENSITIVITIES: [&str; 4] = ["public", "internal", "confidential", "restricted"];

/// What can be chosen from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    pub(crate) scopes: Vec<String>,
    pub(crate) models: Vec<String>,
    /// Today, for dates to come.
    pub(crate) today: String,
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    offers: &Offers,
    typed: &Typed,
    problem: Option<&Problem>,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().key_pages;
    let filled = Filled { typed, problem, of: "new", lang };
    view! {
        <nav class="crumbs" aria-label=lang.text().decision.crumbs>
            <a href="/keys">{t.title}</a>
            <span aria-hidden="true">"/"</span>
            <span aria-current="page">{t.create}</span>
        </nav>
        <section class="form-page">
            <h1>{t.create}</h1>
            <p class="lead">{t.create_lead}</p>
            {told(problem, &FIELDS, "/keys/new", lang)}
            <form method="post" action="/keys/new" class="form">
                {hidden(frame)} {fields(filled, offers)}
                <p class="form-end">
                    <button class="button primary" type="submit">
                        {t.create_now}
                    </button>
                    <a class="button quiet-button" href="/keys">
                        {lang.text().forms.cancel}
                    </a>
                </p>
            </form>
        </section>
    }
}

/// The fields of a key.
pub(crate) fn fields(filled: Filled<'_>, offers: &Offers) -> impl IntoView + use<> {
    let lang = filled.lang;
    let t = &lang.text().key_pages;
    let field = |name, label, hint| Field { name, label, hint: Some(hint), ..Field::default() };
    let narrow =
        ["endpoints", "allowed_networks", "max_sensitivity", "max_data_classes", "environment", "tags"];
    let open = narrow.iter().any(|name| filled.typed.text(name).is_some())
        || filled.problem.is_some_and(|problem| narrow.iter().any(|name| problem.of_field(name).is_some()));
    let levels: Vec<(String, String)> = std::iter::once((String::new(), t.any_sensitivity.to_owned()))
        .chain(SENSITIVITIES.map(|level| (level.to_owned(), text::sensitivity(level, lang))))
        .collect();
    view! {
        <div class="form-pair">
            {filled
                .input(Field {
                    required: true,
                    offers: &offers.scopes,
                    ..field("scope", t.scope, t.scope_hint)
                })} {filled.input(Field { required: true, ..field("name", t.name, t.name_hint) })}
        </div>
        {filled.input(Field { offers: &offers.models, ..field("models", t.models, t.models_hint) })}
        <div class="form-pair">
            {filled.input(Field { mode: Some("decimal"), ..field("budget_usd", t.budget, t.budget_hint) })}
            {filled.input(Field { mode: Some("numeric"), ..field("requests_per_minute", t.rate, t.rate_hint) })}
        </div>
        {filled
            .input(Field {
                kind: "date",
                min: Some(&offers.today),
                ..field("expires", t.last_day, t.last_day_hint)
            })}
        <details class="form-more" open=open>
            <summary>{t.narrow}</summary>
            <div class="form">
                {filled.input(field("endpoints", t.endpoints, t.endpoints_hint))}
                {filled.input(field("allowed_networks", t.networks, t.networks_hint))}
                {filled.choice("max_sensitivity", t.max_sensitivity, Some(t.max_sensitivity_hint), &levels)}
                {classes(filled)}
                <div class="form-pair">
                    {filled.input(field("environment", t.environment, t.environment_hint))}
                    {filled.input(field("tags", t.tags, t.tags_hint))}
                </div>
            </div>
        </details>
    }
}

fn classes(filled: Filled<'_>) -> impl IntoView + use<> {
    let lang = filled.lang;
    let t = &lang.text().key_pages;
    let ticked = filled.typed.all("max_data_classes");
    let limited = filled.typed.ticked("limit_classes");
    let boxes = CLASSES.map(|class| {
        let checked = ticked.iter().any(|it| it == class);
        view! {
            <label class="tick">
                <input type="checkbox" name="max_data_classes" value=class checked=checked />
                <span>{text::class(class, lang)}</span>
            </label>
        }
    });
    view! {
        <fieldset class="ticks">
            <legend>{t.max_classes}</legend>
            <label class="tick">
                <input type="checkbox" name="limit_classes" value="yes" checked=limited />
                <span>{t.max_classes_limit}</span>
            </label>
            <div>{boxes.into_iter().collect_view()}</div>
        </fieldset>
    }
}

/// The body of `POST /api/v1/keys`. What can't be a number is sent as it was typed: the API says what is wrong with it.
pub(crate) fn body(typed: &Typed) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    // Missing fields are named by the API too.
    put("scope", Some(json!(typed.text("scope").unwrap_or_default())));
    put("name", Some(json!(typed.text("name").unwrap_or_default())));
    for list in ["models", "endpoints", "allowed_networks", "tags"] {
        put(list, typed.words(list).map(|words| json!(words)));
    }
    for text in ["budget_usd", "environment", "max_sensitivity"] {
        put(text, typed.text(text).map(|text| json!(text)));
    }
    put("expires", typed.text("expires").map(|day| json!(end_of_day(&day))));
    put(
        "requests_per_minute",
        typed
            .text("requests_per_minute")
            .map(|text| text.parse::<u64>().map_or(json!(text), |count| json!(count))),
    );
    if typed.ticked("limit_classes") {
        put("max_data_classes", Some(json!(typed.all("max_data_classes"))));
    }
    Value::Object(body)
}

/// Whether the form is a key's: for the reader of what was typed.
pub(crate) fn model(typed: &Typed) -> Option<String> {
    let first = typed.words("models")?.into_iter().next()?;
    // A pattern names no model.
    (!first.contains('*')).then_some(first)
}

/// Today as forms write it.
pub(crate) fn today(now_ms: i64) -> String {
    crate::format::moment(now_ms, Lang::En).date
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_typed_is_not_sent() {
        let typed =
            Typed::default().with("scope", "/acme").with("name", "n").with("models", "").with("expires", " ");
        assert_eq!(body(&typed), json!({ "scope": "/acme", "name": "n" }));
        let typed = typed
            .with("requests_per_minute", "many")
            .with("limit_classes", "yes")
            .with("tags", "a, b")
            .with("budget_usd", "5");
        let body = body(&typed);
        assert_eq!(body["requests_per_minute"], "many", "the API says that it is no number");
        assert_eq!((&body["max_data_classes"], &body["tags"]), (&json!([]), &json!(["a", "b"])));
        assert_eq!(body["budget_usd"], "5");
    }
}
