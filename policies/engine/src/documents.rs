//! YAML files of one or several documents, each read strictly into a type.

use crate::problem::{Problem, did_you_mean};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reads every document of a file. An empty document is passed over; what does not fit is a problem with its
/// place and, for a name that is almost right, the one that was probably meant.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let mut out = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        match Option::<T>::deserialize(document) {
            Ok(Some(value)) => out.push(value),
            Ok(None) => {}
            Err(error) => {
                problems.push(problem(file, &error));
                // After a fault of syntax the rest of the file means nothing certain.
                break;
            }
        }
    }
    out
}

fn problem(file: &str, error: &serde_norway::Error) -> Problem {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
    let fix = fix(&what);
    let problem = Problem::error(file, what, fix);
    match error.location() {
        Some(at) => problem.at(at.line(), Some(at.column())),
        None => problem,
    }
}

fn fix(what: &str) -> String {
    let quoted: Vec<&str> = what.split('`').skip(1).step_by(2).collect();
    let unknown = what.contains("unknown field") || what.contains("unknown variant");
    match quoted.split_first() {
        Some((written, known)) if unknown => match did_you_mean(written, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "use one of the names listed".to_owned(),
        },
        Some((name, _)) if what.contains("missing field") => format!("add `{name}:`"),
        _ => {
            "see docs/reference/policy.md, or let an editor check the file against its JSON Schema".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rule;

    fn one(text: &str) -> Problem {
        let mut problems = Vec::new();
        let rules: Vec<Rule> = read("rules/a.yaml", text, &mut problems);
        assert!(rules.is_empty());
        problems.pop().unwrap()
    }

    #[test]
    fn an_unknown_field_is_named_with_the_one_that_was_meant() {
        let p = one("id: a\ntitle: A\nbecause: [x]\nrequires:\n  trains_on_inputs: false\n");
        assert!(p.what.contains("unknown field `requires`"), "{p}");
        assert_eq!(p.fix, "did you mean `require`?");
        assert_eq!(p.line, Some(4));
        let p = one("id: a\ntitle: A\nbecause: [x]\nwhen: { data: [persnal] }\n");
        assert_eq!(p.fix, "did you mean `personal`?");
    }

    #[test]
    fn several_documents_are_several_values() {
        let mut problems = Vec::new();
        let text = "id: a\ntitle: A\nbecause: [x]\ndeny: true\n---\nid: b\ntitle: B\nbecause: [x]\ndeny: true\n---\n";
        let rules: Vec<Rule> = read("rules/a.yaml", text, &mut problems);
        assert_eq!(rules.len(), 2);
        assert_eq!(problems, []);
    }
}
