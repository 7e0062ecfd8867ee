//! Pieces of forms: fields that keep what was typed and say beside them what is wrong, the session's token, and a word that
//! makes a form count once.

use leptos::nonce::Nonce;
use leptos::prelude::*;

use crate::api::{Problem, Typed};
use crate::parts::shell::Frame;
use crate::text::Lang;

/// A form with what was typed into it and what the API said of that.
#[derive(Clone, Copy)]
pub(crate) struct Filled<'a> {
    pub(crate) typed: &'a Typed,
    pub(crate) problem: Option<&'a Problem>,
    /// What tells its ids from those of other forms of the page.
    pub(crate) of: &'a str,
    pub(crate) lang: Lang,
}

/// What a field is called and how it looks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) hint: Option<&'static str>,
    pub(crate) required: bool,
    /// `text` where it is empty.
    pub(crate) kind: &'static str,
    /// `inputmode`, for what a phone offers to type.
    pub(crate) mode: Option<&'static str>,
    /// Words to choose from; something else can be typed.
    pub(crate) offers: &'a [String],
    /// The earliest day of a date.
    pub(crate) min: Option<&'a str>,
}

/// What every form of a session carries.
pub(crate) fn hidden(frame: &Frame) -> impl IntoView + use<> {
    let csrf = frame.viewer.as_ref().map(|viewer| viewer.csrf.clone()).unwrap_or_default();
    view! {
        <input type="hidden" name="csrf" value=csrf />
        <input type="hidden" name="once" value=Nonce::new().to_string() />
    }
}

impl Filled<'_> {
    /// A field of one line.
    pub(crate) fn input(&self, field: Field<'_>) -> AnyView {
        let Field { name, label, hint, required, kind, mode, offers, min } = field;
        let list = (!offers.is_empty()).then(|| format!("{}-{name}-offered", self.of));
        let offered = list.clone().map(|id| {
            let options = offers.iter().map(|value| view! { <option value=value.clone()></option> });
            view! { <datalist id=id>{options.collect_view()}</datalist> }
        });
        let wrong = self.wrong(name);
        let value = self.typed.raw(name);
        // A browser shows nothing of what is no time in a field for times.
        let shown = kind != "datetime-local" || value.is_empty() || super::times::read(value).is_some();
        let control = view! {
            <input
                type=if kind.is_empty() || !shown { "text" } else { kind }
                name=name
                value=value.to_owned()
                required=required
                inputmode=mode
                list=list
                min=min.map(str::to_owned)
                autocomplete="off"
                spellcheck="false"
                aria-invalid=wrong.then_some("true")
                aria-describedby=self.described(name, hint.is_some(), wrong)
            />
            {offered}
        };
        self.around(name, label, hint, required, control.into_any())
    }

    /// A text of several lines.
    pub(crate) fn area(
        &self,
        name: &'static str,
        label: &'static str,
        hint: Option<&'static str>,
    ) -> AnyView {
        let wrong = self.wrong(name);
        let control = view! {
            <textarea
                name=name
                rows="2"
                maxlength="500"
                required
                aria-invalid=wrong.then_some("true")
                aria-describedby=self.described(name, hint.is_some(), wrong)
            >
                {self.typed.raw(name).to_owned()}
            </textarea>
        };
        self.around(name, label, hint, true, control.into_any())
    }

    /// One of several: value and word.
    pub(crate) fn choice(
        &self,
        name: &'static str,
        label: &'static str,
        hint: Option<&'static str>,
        options: &[(String, String)],
    ) -> AnyView {
        let wrong = self.wrong(name);
        let chosen = self.typed.raw(name);
        let options = options.iter().map(|(value, word)| {
            view! {
                <option value=value.clone() selected=value == chosen>
                    {word.clone()}
                </option>
            }
        });
        let control = view! {
            <select
                name=name
                aria-invalid=wrong.then_some("true")
                aria-describedby=self.described(name, hint.is_some(), wrong)
            >
                {options.collect_view()}
            </select>
        };
        self.around(name, label, hint, true, control.into_any())
    }

    fn wrong(&self, name: &str) -> bool {
        self.problem.is_some_and(|problem| problem.of_field(name).is_some())
    }

    /// The ids of what is said about a field.
    fn described(&self, name: &str, hint: bool, wrong: bool) -> Option<String> {
        let ids = [(hint, "hint"), (wrong, "error")];
        let there = ids.iter().filter(|(there, _)| *there);
        let ids: Vec<String> = there.map(|(_, what)| format!("{}-{name}-{what}", self.of)).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn around(
        &self,
        name: &'static str,
        label: &'static str,
        hint: Option<&'static str>,
        required: bool,
        control: AnyView,
    ) -> AnyView {
        let t = self.lang.text();
        let told = self.problem.and_then(|problem| problem.of_field(name)).map(str::to_owned);
        let class = if told.is_some() { "form-field form-field-wrong" } else { "form-field" };
        view! {
            <div class=class>
                <label>
                    <span class="form-label">
                        {label} {(!required).then(|| view! { <small>{t.forms.optional}</small> })}
                    </span>
                    {control}
                </label>
                {hint.map(|hint| view! { <small class="form-hint" id=format!("{}-{name}-hint", self.of)>{hint}</small> })}
                {told
                    .map(|told| {
                        view! {
                            <small class="form-error" id=format!("{}-{name}-error", self.of) lang="en">
                                {told}
                            </small>
                        }
                    })}
            </div>
        }
        .into_any()
    }
}

/// What the API said, above the form. What is beside a field is only counted here. `back` is where a person comes back to
/// from showing once more who they are.
pub(crate) fn told(
    problem: Option<&Problem>,
    fields: &[&str],
    back: &str,
    lang: Lang,
) -> Option<impl IntoView + use<>> {
    let problem = problem?.clone();
    let t = &lang.text().forms;
    let beside = problem.is_beside(fields);
    let lead = match problem.code.as_str() {
        "forbidden" => t.forbidden,
        "step_up_required" => t.step_up,
        "conflict" | "changed" => t.conflict,
        "own_request" => t.own_request,
        "csrf" | "cross_origin" => t.csrf,
        "idempotency_unknown" | "idempotency_key_reused" => t.sent_twice,
        "not_found" => t.gone,
        _ if problem.status >= 500 => t.unavailable,
        _ if beside => t.see_fields,
        _ => t.refused,
    };
    let step_up = (problem.code == "step_up_required")
        .then(|| format!("/auth/step-up?back={}", crate::api::escaped(back)));
    let words = (!beside && problem.code != "step_up_required").then(|| {
        let detail = problem.detail.clone().unwrap_or_else(|| problem.title.clone());
        let fix = problem.fix.clone();
        view! {
            <p lang="en">{detail} {fix.map(|fix| view! { <span class="problem-fix">{fix}</span> })}</p>
        }
    });
    Some(view! {
        <div class="problem-banner" role="alert">
            <p><b>{lead}</b></p>
            {words}
            {step_up.map(|href| view! { <p><a class="button" href=href>{t.step_up_link}</a></p> })}
        </div>
    })
}
