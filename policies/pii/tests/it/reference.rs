//! The examples of `docs/reference/pii.md` hold.

use crate::text::scan;

const REFERENCE: &str = include_str!("../../../../docs/reference/pii.md");

#[test]
fn examples_of_the_reference_hold() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    let block =
        REFERENCE.split("```text examples\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (text, expected) = line.split_once(" → ").unwrap_or_else(|| panic!("no arrow in {line:?}"));
        let text = text.trim_end();
        let got: Vec<String> = scan(text)
            .iter()
            .map(|f| format!("{} {} {}", f.entity, f.confidence.score(), f.value(text).unwrap()))
            .collect();
        let got = if got.is_empty() { "nothing".to_owned() } else { got.join("; ") };
        if got != expected {
            wrong.push(format!("{} → {got}", line.split_once(" → ").unwrap().0));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "these hold instead:\n{}", wrong.join("\n"));
    assert!(checked >= 20, "{checked} examples");
}
