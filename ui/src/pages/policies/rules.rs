//! The rules: what each is for, why, where and when it applies, what it asks for, and as it is written.

use leptos::prelude::*;
use serde_json::Value;

use super::RuleFilter;
use crate::pages::{address, linked, search};
use crate::text::Lang;

/// Whether a rule is applied, as filters offer it.
const MODES: [&str; 3] = ["enforce", "shadow", "off"];
/// Members of a rule that say what it does, in the order in which they are told.
const DOES: [&str; 7] =
    ["deny", "redact", "allow_models", "deny_tools", "limit_output_tokens", "analyze", "obligations"];
/// Members that are where it stands, and no part of what is written.
const PLACE: [&str; 3] = ["file", "line", "pack"];

fn text<'a>(rule: &'a Value, name: &str) -> &'a str {
    rule.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'a>(rule: &'a Value, name: &str) -> Vec<&'a str> {
    let all = rule.get(name).and_then(Value::as_array);
    all.map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// A value in one line, as somebody would say it: `within EU, EEA`.
fn words(value: &Value) -> String {
    said(value, false)
}

/// `within` something else: then what is the only word for it needs no colon.
fn said(value: &Value, within: bool) -> String {
    /// Words of a list that are told; all of them are in the rule as it is written.
    const MOST: usize = 12;
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let told: Vec<String> = all.iter().take(MOST).map(words).collect();
            let rest = all.len().saturating_sub(MOST);
            let more = if rest > 0 { format!(" … (+{rest})") } else { String::new() };
            format!("{}{more}", told.join(", "))
        }
        Value::Object(members) => {
            let one = |(name, value): (&String, &Value)| match value {
                Value::Bool(true) => name.replace('_', " "),
                Value::Bool(false) => format!("{}: no", name.replace('_', " ")),
                Value::Array(_) if within && members.len() == 1 => {
                    format!("{} {}", name.replace('_', " "), words(value))
                }
                _ => format!("{}: {}", name.replace('_', " "), said(value, true)),
            };
            members.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

fn is_there(rule: &Value, name: &str) -> bool {
    match rule.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    }
}

fn holds(rule: &Value, filter: &RuleFilter) -> bool {
    let q = filter.q.as_deref().map(str::to_lowercase);
    let named = q.is_none_or(|q| {
        ["id", "title", "scope", "file", "pack"]
            .iter()
            .any(|name| text(rule, name).to_lowercase().contains(&q))
            || texts(rule, "because").iter().any(|law| law.to_lowercase().contains(&q))
    });
    named && filter.mode.as_deref().is_none_or(|mode| text(rule, "mode") == mode)
}

pub(super) fn section(rules: &[Value], filter: &RuleFilter, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    let shown: Vec<&Value> = rules.iter().filter(|rule| holds(rule, filter)).collect();
    let tab = |mode: Option<&'static str>, word: &'static str| {
        let href = address("/policies", [("mode", mode.map(str::to_owned)), ("q", filter.q.clone())]);
        let current = (filter.mode.as_deref() == mode).then_some("true");
        view! {
            <a href=format!("{href}#rules") aria-current=current>
                {word}
            </a>
        }
    };
    let modes = MODES.map(|mode| tab(Some(mode), t.mode(mode)));
    let cards = shown.iter().map(|rule| card(rule, lang)).collect_view();
    let count = (t.shown)(shown.len(), rules.len());
    view! {
        <section class="panel panel-below" id="rules">
            <h2>{t.rules} <span class="tally">{count}</span></h2>
            <p class="hint">{t.matches}</p>
            {(!rules.is_empty())
                .then(|| {
                    view! {
                        <form class="filters" method="get" action="/policies" role="search">
                            {search(filter.q.as_deref(), t.search_hint, lang)}
                            <div class="tabs" role="group" aria-label=t.mode>
                                {tab(None, t.any_mode)} {modes.into_iter().collect_view()}
                            </div>
                            {filter.mode.clone().map(|mode| view! { <input type="hidden" name="mode" value=mode /> })}
                            <button class="button" type="submit">
                                {lang.text().list.filter}
                            </button>
                        </form>
                    }
                })}
            {match (rules.is_empty(), shown.is_empty()) {
                (true, _) => view! { <p class="quiet">{t.no_rules}</p> }.into_any(),
                (false, true) => view! { <p class="quiet">{t.no_match}</p> }.into_any(),
                _ => view! { <ul class="rules policy-rules">{cards}</ul> }.into_any(),
            }}
        </section>
    }
}

fn card(rule: &Value, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().policy_pages;
    let mode = text(rule, "mode").to_owned();
    let hint = match mode.as_str() {
        "shadow" => Some(t.mode_shadow_hint),
        "off" => Some(t.mode_off_hint),
        _ => None,
    };
    let because = texts(rule, "because").into_iter().map(|law| view! { <li>{linked(law)}</li> });
    let when = rule.get("when").filter(|_| is_there(rule, "when")).map(words);
    let require = rule.get("require").filter(|_| is_there(rule, "require")).map(words);
    let does = DOES.into_iter().filter(|name| is_there(rule, name)).map(|name| {
        let word = match name {
            "deny" => t.denies,
            "redact" => t.redacts,
            "allow_models" => t.only_models,
            "deny_tools" => t.no_tools,
            "limit_output_tokens" => t.caps,
            "analyze" => t.reads,
            _ => t.must,
        };
        let what = rule.get(name).filter(|_| name != "deny").map(words);
        view! { <span class="does">{word} {what.map(|what| format!(" {what}"))}</span> }
    });
    let does: Vec<_> = does.collect();
    let row = |term: &'static str, value: AnyView| {
        view! {
            <div>
                <dt>{term}</dt>
                <dd>{value}</dd>
            </div>
        }
    };
    let written = {
        let mut rule = rule.clone();
        if let Some(members) = rule.as_object_mut() {
            members.retain(|name, _| !PLACE.contains(&name.as_str()));
        }
        serde_json::to_string_pretty(&rule).unwrap_or_default()
    };
    let id = text(rule, "id").to_owned();
    let anchor = format!("rule-{id}");
    let place = match rule.get("line").and_then(Value::as_u64).filter(|line| *line > 0) {
        Some(line) => format!("{}:{line}", text(rule, "file")),
        None => text(rule, "file").to_owned(),
    };
    let pack = Some(text(rule, "pack").to_owned()).filter(|pack| !pack.is_empty());
    view! {
        <li id=anchor class=format!("mode-{}", crate::parts::slug(&mode))>
            <h3 class="rule-title">
                {text(rule, "title").to_owned()}
                <span class="chip" title=hint>{t.mode(&mode).to_owned()}</span>
            </h3>
            <p class="rule-id">
                <code>{id}</code>
                <span class="path">{text(rule, "scope").to_owned()}</span>
            </p>
            <dl class="pairs">
                {row(t.because, view! { <ul class="laws">{because.collect_view()}</ul> }.into_any())}
                {row(t.applies, when.unwrap_or_else(|| t.always.to_owned()).into_any())}
                {require.map(|require| row(t.requires, require.into_any()))}
                {(!does.is_empty()).then(|| row(t.does, does.into_any()))}
            </dl>
            <details class="more">
                <summary>{t.whole}</summary>
                <p class="hint">
                    {t.file} " " <code>{place}</code>
                    {pack.map(|pack| view! { " · " {t.pack} " " <code>{pack}</code> })}
                </p>
                <pre class="written" tabindex="0">
                    <code>{written}</code>
                </pre>
            </details>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_read_as_sentences() {
        let when = json!({ "data": ["personal", "phi"], "subject_region": ["EU"] });
        assert_eq!(words(&when), "data: personal, phi; subject region: EU");
        let require =
            json!({ "processing_countries": { "within": ["EU", "EEA"] }, "trains_on_inputs": false });
        assert_eq!(words(&require), "processing countries: within EU, EEA; trains on inputs: no");
        assert_eq!(words(&json!({ "data": ["phi"] })), "data: phi");
        let many: Vec<String> = (0..15).map(|at| at.to_string()).collect();
        assert!(words(&json!(many)).ends_with("10, 11 … (+3)"));
        assert_eq!(words(&json!({ "max": 5 })), "max: 5");
    }

    #[test]
    fn rules_are_found_by_law_and_by_mode() {
        let rule =
            json!({ "id": "a", "title": "T", "because": ["GDPR Art. 44"], "mode": "shadow", "deny": false });
        let filter = |q: Option<&str>, mode: Option<&str>| RuleFilter {
            q: q.map(str::to_owned),
            mode: mode.map(str::to_owned),
        };
        assert!(holds(&rule, &filter(Some("gdpr"), Some("shadow"))));
        assert!(!holds(&rule, &filter(Some("gdpr"), Some("enforce"))));
        assert!(!holds(&rule, &filter(Some("hipaa"), None)));
        assert!(!is_there(&rule, "deny") && !is_there(&rule, "when"));
    }
}
