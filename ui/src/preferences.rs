//! Theme and language: chosen by cookie, else by the browser.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};

use crate::text::Lang;

/// Name of the cookie that holds the theme.
pub(crate) const THEME_COOKIE: &str = "bailiwick_theme";
/// Name of the cookie that holds the language.
pub(crate) const LANG_COOKIE: &str = "bailiwick_lang";

/// Light, dark, or whatever the system prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// How this reader wants pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    pub(crate) lang: Lang,
    pub(crate) theme: Theme,
}

impl Preferences {
    /// From a request's headers. A value that nobody offers is ignored.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            lang: cookie(headers, LANG_COOKIE)
                .and_then(Lang::from_code)
                .or_else(|| accepted(headers))
                .unwrap_or_default(),
            theme: cookie(headers, THEME_COOKIE).and_then(Theme::from_name).unwrap_or_default(),
        }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The first offered language by the weights of `Accept-Language` (RFC 9110, 12.5.4).
fn accepted(headers: &HeaderMap) -> Option<Lang> {
    let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(u32, Lang)> = None;
    for range in header.split(',') {
        let mut parts = range.trim().split(';');
        let primary = parts.next()?.split('-').next()?.to_ascii_lowercase();
        let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
        let Some(lang) = Lang::from_code(&primary).filter(|_| weight > 0) else { continue };
        if best.is_none_or(|(so_far, _)| weight > so_far) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

/// A quality value (`0.8`) in thousandths; zero if it is none.
fn thousandths(value: &str) -> u32 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse()) {
        ("1", _) => 1000,
        ("0", Ok(fraction)) => fraction,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferences(pairs: &[(&'static str, &'static str)]) -> Preferences {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Preferences::of(&headers)
    }

    #[test]
    fn the_browser_chooses_by_weight() {
        for (header, lang) in [
            ("de", Lang::De),
            ("de-AT, en;q=0.5", Lang::De),
            ("fr, en;q=0.8, de;q=0.9", Lang::De),
            ("de;q=0, en", Lang::En),
            ("fr", Lang::En),
            (";;;,,q=", Lang::En),
        ] {
            assert_eq!(preferences(&[("accept-language", header)]).lang, lang, "{header}");
        }
    }

    #[test]
    fn a_cookie_wins_and_nonsense_is_ignored() {
        let chosen = preferences(&[
            ("accept-language", "de"),
            ("cookie", "other=1; bailiwick_lang=en; bailiwick_theme=dark"),
        ]);
        assert_eq!(chosen, Preferences { lang: Lang::En, theme: Theme::Dark });
        let nonsense = preferences(&[("cookie", "bailiwick_lang=xx; bailiwick_theme=\"><script>")]);
        assert_eq!(nonsense, Preferences::default());
    }
}
