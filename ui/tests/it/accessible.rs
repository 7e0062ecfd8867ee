//! What assistive technology needs: language, headings in order, names for controls, one landmark of each kind.

use super::{PAGES, page};

/// The opening tags of one element.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!("<{name}");
    html.match_indices(&open)
        .map(|(at, _)| &html[at..])
        .filter(|rest| rest[open.len()..].starts_with([' ', '>']))
        .map(|rest| &rest[..rest.find('>').unwrap_or(rest.len())])
        .collect()
}

#[tokio::test]
async fn headings_start_at_one_and_skip_no_level() {
    for path in PAGES {
        let html = page(path).await.html;
        let levels: Vec<u32> = html
            .match_indices("<h")
            .filter_map(|(at, _)| html[at + 2..].chars().next().and_then(|c| c.to_digit(10)))
            .collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{path}: {levels:?}");
        assert_eq!(levels.first(), Some(&1), "{path}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{path}: {levels:?}");
    }
}

#[tokio::test]
async fn every_page_has_its_landmarks_title_and_skip_link() {
    for path in PAGES {
        let html = page(path).await.html;
        assert_eq!(tags(&html, "main").len(), 1, "{path}");
        assert!(html.contains("href=\"#content\""), "{path}");
        assert!(html.contains("<main id=\"content\""), "{path}");
        let title = html.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
        assert!(title.ends_with("· Bailiwick") && title.len() > 14, "{path}: {title}");
    }
}

#[tokio::test]
async fn pictures_are_named_or_hidden_and_columns_have_a_scope() {
    for path in PAGES {
        let html = page(path).await.html;
        for svg in tags(&html, "svg") {
            assert!(svg.contains("aria-hidden=\"true\"") || svg.contains("aria-label="), "{path}: {svg}");
        }
        for th in tags(&html, "th") {
            assert!(th.contains("scope="), "{path}: {th}");
        }
    }
}

#[tokio::test]
async fn controls_have_names() {
    for path in PAGES {
        let html = page(path).await.html;
        for control in tags(&html, "input").into_iter().chain(tags(&html, "select")) {
            if control.contains("type=\"hidden\"") {
                continue;
            }
            // Each stands inside of its label, whose text comes before or after it.
            let at = html.find(control).unwrap();
            let before = &html[..at];
            let inside = before.rfind("<label").is_some_and(|open| !before[open..].contains("</label>"));
            assert!(inside, "{path}: {control}");
        }
        for nav in tags(&html, "nav") {
            assert!(nav.contains("aria-label="), "{path}: {nav}");
        }
    }
}

#[tokio::test]
async fn ids_are_unique_and_links_within_the_page_lead_somewhere() {
    for path in PAGES {
        let html = page(path).await.html;
        let values = |attribute: &str| -> Vec<String> {
            html.split(attribute)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .map(str::to_owned)
                .collect()
        };
        let mut ids = values(" id=\"");
        ids.sort();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{path}: {ids:?}");
        for target in values(" href=\"#") {
            assert!(ids.contains(&target), "{path}: #{target}");
        }
    }
}
