//! WCAG 2.2 contrast of the style sheet's colours, in both themes.

use std::collections::BTreeMap;

use bailiwick_ui::CSS;

/// The custom properties of the block that follows `selector`.
fn palette(selector: &str) -> BTreeMap<String, [u8; 3]> {
    let block = CSS.split(selector).nth(1).and_then(|rest| rest.split('}').next()).expect("the block");
    block
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"))
        .map(|(name, hex)| {
            let channel = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour");
            (name.to_owned(), [channel(0), channel(2), channel(4)])
        })
        .collect()
}

#[expect(clippy::float_arithmetic, reason = "the contrast formula is defined on real numbers")]
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    // https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    let luminance = |colour: [u8; 3]| {
        let [r, g, b] = colour.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_has_4_5_and_controls_have_3() {
    let text_on: &[(&str, &[&str])] = &[
        ("ink", &["page", "panel", "raised", "sunken", "hover", "accent-soft", "stop-soft", "warn-soft"]),
        ("ink-soft", &["page", "panel", "raised", "sunken", "hover", "stop-soft", "warn-soft"]),
        ("ink-quiet", &["page", "panel", "raised", "sunken", "hover"]),
        ("accent", &["page", "panel", "sunken", "accent-soft", "hover"]),
        ("ok", &["page", "panel", "ok-soft", "hover"]),
        ("stop", &["page", "panel", "sunken", "stop-soft", "hover"]),
        ("warn", &["page", "panel", "warn-soft", "hover"]),
        ("wait", &["panel", "wait-soft", "hover"]),
        ("accent-ink", &["accent"]),
    ];
    for theme in [":root {", ":root:not([data-theme=\"light\"]) {", ":root[data-theme=\"dark\"] {"] {
        let colours = palette(theme);
        for (ink, grounds) in text_on {
            for ground in *grounds {
                let ratio = contrast(colours[*ink], colours[*ground]);
                assert!(ratio >= 4.5, "{theme} {ink} on {ground}: {ratio:.2}");
            }
        }
        for ground in ["page", "panel", "raised"] {
            let ratio = contrast(colours["control"], colours[ground]);
            assert!(ratio >= 3.0, "{theme} control on {ground}: {ratio:.2}");
        }
    }
}

#[test]
fn dark_is_the_same_by_choice_and_by_system() {
    assert_eq!(palette(":root:not([data-theme=\"light\"]) {"), palette(":root[data-theme=\"dark\"] {"));
}

#[test]
fn every_property_that_is_used_is_defined() {
    let defined = palette(":root {");
    for used in CSS.split("var(--").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(defined.contains_key(used) || used == "shadow", "--{used}");
    }
}
