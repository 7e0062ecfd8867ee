//! `/keys`: virtual keys by the scope that they belong to, with their last use.

pub(crate) mod new;
pub(crate) mod one;
pub(crate) mod shown;

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::Deserialize;

use crate::parts::shell::Frame;
use crate::parts::{icons, moments};
use crate::text::Lang;

/// A key, as the API tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) scope: String,
    pub(crate) name: String,
    pub(crate) state: KeyState,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: Option<i64>,
    pub(crate) last_used_ms: Option<i64>,
    pub(crate) disabled_because: Option<String>,
    pub(crate) revoked_ms: Option<i64>,
    pub(crate) revoked_because: Option<String>,
    pub(crate) rotated_to: Option<String>,
    #[serde(default)]
    pub(crate) settings: Settings,
}

/// What a key may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) models: Option<Vec<String>>,
    pub(crate) endpoints: Option<Vec<String>>,
    pub(crate) purposes: Vec<String>,
    pub(crate) requests_per_minute: Option<u64>,
    pub(crate) owner: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) allowed_networks: Option<Vec<String>>,
    pub(crate) max_data_classes: Option<Vec<String>>,
    pub(crate) max_sensitivity: Option<String>,
    pub(crate) subject_regions: Vec<String>,
    pub(crate) data_classes: Vec<String>,
    pub(crate) sensitivity: Option<String>,
}

/// Whether a key may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    #[default]
    Valid,
    Disabled,
    Expired,
    Rotated,
    Revoked,
}

impl KeyState {
    pub(crate) const ALL: [Self; 5] =
        [Self::Valid, Self::Disabled, Self::Expired, Self::Rotated, Self::Revoked];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
        }
    }

    pub(crate) const fn word(self, lang: Lang) -> &'static str {
        let t = &lang.text().key_pages;
        match self {
            Self::Valid => t.valid,
            Self::Disabled => t.disabled,
            Self::Expired => t.expired,
            Self::Rotated => t.rotated,
            Self::Revoked => t.revoked,
        }
    }
}

/// A page of the API's list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct KeyList {
    pub(crate) keys: Vec<Key>,
    pub(crate) next: Option<String>,
}

/// What of the list is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFilter {
    pub(crate) scope: Option<String>,
    pub(crate) state: Option<KeyState>,
    pub(crate) q: Option<String>,
    pub(crate) cursor: Option<String>,
}

impl KeyFilter {
    fn narrows(&self) -> bool {
        self.scope.is_some() || self.state.is_some() || self.q.is_some() || self.cursor.is_some()
    }

    /// Whether the words that were typed are in one of the key's names.
    fn mentions(&self, key: &Key) -> bool {
        let Some(words) = self.q.as_deref().map(str::to_lowercase) else { return true };
        let settings = &key.settings;
        [Some(&key.id), Some(&key.name), settings.owner.as_ref(), settings.environment.as_ref()]
            .into_iter()
            .flatten()
            .chain(&settings.tags)
            .any(|text| text.to_lowercase().contains(&words))
    }

    fn address(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut changed = self.clone();
        change(&mut changed);
        let pairs = [
            ("scope", changed.scope),
            ("state", changed.state.map(|state| state.name().to_owned())),
            ("q", changed.q),
            ("cursor", changed.cursor),
        ];
        super::address("/keys", pairs)
    }
}

/// The page's content.
pub(crate) fn page(
    frame: &Frame,
    filter: &KeyFilter,
    list: KeyList,
    scopes: &[String],
    now_ms: i64,
) -> impl IntoView + use<> {
    let lang = frame.lang();
    let text = lang.text();
    let t = &text.key_pages;
    let may_create = frame.viewer.as_ref().is_some_and(|viewer| viewer.may("console:keys", "create"));
    let may_ask = !may_create && frame.viewer.as_ref().is_some_and(|it| it.may("console:requests", "ask"));
    let never = list.keys.is_empty() && !filter.narrows();
    let more = list.next.clone().map(|next| filter.address(|filter| filter.cursor = Some(next)));
    let mut groups: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for key in list.keys.into_iter().filter(|key| filter.mentions(key)) {
        groups.entry(key.scope.clone()).or_default().push(key);
    }
    for keys in groups.values_mut() {
        keys.sort_by(|one, other| {
            (one.state, &one.name, other.created_ms).cmp(&(other.state, &other.name, one.created_ms))
        });
    }
    let empty = groups.is_empty();
    let groups = groups.into_iter().map(|(scope, keys)| group(&scope, &keys, now_ms, lang)).collect_view();
    view! {
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            {may_create.then(|| view! { <a class="button primary" href="/keys/new">{t.create}</a> })}
            {may_ask.then(|| view! { <a class="button primary" href="/requests/new?kind=key">{t.ask}</a> })}
        </div>
        {(!never).then(|| filters(filter, scopes, lang))} {groups}
        {empty.then(|| nothing(never, may_create, may_ask, lang))}
        {more
            .map(|href| {
                view! {
                    <nav class="pager" aria-label=t.title>
                        <a class="button" href=href rel="next">
                            {t.more}
                            {icons::arrow_right()}
                        </a>
                    </nav>
                }
            })}
    }
}

fn nothing(never: bool, may_create: bool, may_ask: bool, lang: Lang) -> impl IntoView {
    let t = &lang.text().key_pages;
    let (title, lead) = if never {
        (t.empty_title, if may_create { t.empty_lead } else { t.empty_lead_ask })
    } else {
        (lang.text().list.empty_filtered_title, t.empty_filtered)
    };
    let next = match (never, may_create, may_ask) {
        (true, true, _) => Some(("/keys/new", t.create)),
        (true, _, true) => Some(("/requests/new?kind=key", t.ask)),
        (true, ..) => None,
        _ => Some(("/keys", lang.text().list.clear)),
    };
    view! {
        <section class="empty">
            <h2>{title}</h2>
            <p>{lead}</p>
            {next.map(|(href, word)| view! { <p><a class="button" href=href>{word}</a></p> })}
        </section>
    }
}

fn filters(filter: &KeyFilter, scopes: &[String], lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().key_pages;
    let tab = |state: Option<KeyState>, word: &'static str| {
        let href = filter.address(|filter| {
            filter.state = state;
            filter.cursor = None;
        });
        let current = (filter.state == state).then_some("true");
        view! {
            <a href=href aria-current=current>
                {word}
            </a>
        }
    };
    let states = KeyState::ALL.map(|state| tab(Some(state), state.word(lang)));
    view! {
        <form class="filters" method="get" action="/keys" role="search" data-submit-on-change="">
            {super::search(filter.q.as_deref(), t.search_hint, lang)}
            <div class="tabs" role="group" aria-label=t.state>
                {tab(None, lang.text().list.all)} {states.into_iter().collect_view()}
            </div>
            {super::select(
                lang.text().list.scope,
                "scope",
                lang.text().list.any_scope,
                scopes,
                filter.scope.as_deref(),
            )}
            {filter.state.map(|state| view! { <input type="hidden" name="state" value=state.name() /> })}
            <button class="button" type="submit">
                {lang.text().list.filter}
            </button>
            {filter
                .narrows()
                .then(|| view! { <a class="button quiet-button" href="/keys">{lang.text().list.clear}</a> })}
        </form>
    }
}

/// One team's keys.
fn group(scope: &str, keys: &[Key], now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().key_pages;
    let rows = keys.iter().map(|key| row(key, now_ms, lang)).collect_view();
    let valid = keys.iter().filter(|key| key.state == KeyState::Valid).count();
    let columns = [t.name, t.state, t.last_used, t.may_use, t.ends];
    view! {
        <section class="list group">
            <h2 class="group-head">
                <span class="path">{scope.to_owned()}</span>
                <span class="tally">{(t.valid_of)(valid, keys.len())}</span>
            </h2>
            <table class="rows">
                <thead>
                    <tr>{columns.map(|word| view! { <th scope="col">{word}</th> }).into_iter().collect_view()}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

fn row(key: &Key, now_ms: i64, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().key_pages;
    let href = format!("/keys/{}", crate::api::escaped(&key.id));
    let models = match &key.settings.models {
        None => t.any_model.to_owned(),
        Some(models) => models.join(", "),
    };
    let chips = key.settings.environment.iter().chain(&key.settings.tags).cloned();
    let class = if key.state == KeyState::Valid { "row" } else { "row row-over" };
    view! {
        <tr class=class>
            <td class="cell-main">
                <a class="row-link" href=href>
                    {key.name.clone()}
                </a>
                <span class="sub code">{key.id.clone()}</span>
            </td>
            <td data-label=t.state>{state_mark(key.state, lang)}</td>
            <td data-label=t.last_used>
                {match key.last_used_ms {
                    Some(at) => moments::ago(at, now_ms, lang).into_any(),
                    None => view! { <span class="quiet">{t.never}</span> }.into_any(),
                }}
            </td>
            <td data-label=t.may_use>
                <span class="clip">{models}</span>
                <span class="chips">
                    {chips.map(|word| view! { <span class="chip">{word}</span> }).collect_view()}
                </span>
            </td>
            <td data-label=t.ends>
                {match key.expires_ms {
                    Some(at) => moments::ago(at, now_ms, lang).into_any(),
                    None => view! { <span class="quiet">{t.no_end}</span> }.into_any(),
                }}
            </td>
        </tr>
    }
}

/// A key's state by shape, colour and word.
pub(crate) fn state_mark(state: KeyState, lang: Lang) -> impl IntoView {
    let (class, icon) = match state {
        KeyState::Valid => ("mark-ok", icons::tick().into_any()),
        KeyState::Disabled => ("mark-warn", icons::pause().into_any()),
        KeyState::Expired | KeyState::Rotated => ("mark-over", icons::clock().into_any()),
        KeyState::Revoked => ("mark-stop", icons::cross().into_any()),
    };
    view! { <span class=format!("state {class}")>{icon} {state.word(lang)}</span> }
}
