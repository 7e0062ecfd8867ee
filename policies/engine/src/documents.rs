//! YAML files of one or several documents, each read strictly into a type, with the line that it begins on.

use crate::limits;
use crate::problem::{Problem, did_you_mean};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reads every document of a file, each with the line of its first value. An empty document is passed over; what does not
/// fit is a problem with its place and, for a name that is almost right, the one that was probably meant.
pub(crate) fn read<T: DeserializeOwned>(
    file: &str,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Vec<(usize, T)> {
    if let Some(problem) = limits::cost(file, text) {
        problems.push(problem);
        return Vec::new();
    }
    let mut out = Vec::new();
    let mut lines = first_lines(text).into_iter();
    for document in serde_norway::Deserializer::from_str(text) {
        let line = lines.next().unwrap_or_default();
        match Option::<T>::deserialize(document) {
            Ok(Some(value)) => out.push((line, value)),
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

/// The line, from 1, on which each document of a stream has its first value. `---` and `...` begin and end documents
/// only in the first column, wherever they stand (YAML 1.2, 9.1.4 and 9.2).
fn first_lines(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    // A document that was begun by `---` and has had no value yet.
    let mut begun: Option<usize> = None;
    let mut within = false;
    for (number, line) in (1..).zip(text.lines()) {
        let marker = |mark: &str| {
            line.strip_prefix(mark).filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        let content = |text: &str| {
            let text = text.trim_start();
            !text.is_empty() && !text.starts_with('#')
        };
        if let Some(rest) = marker("---") {
            found.extend(begun.take());
            within = content(rest);
            if within {
                found.push(number);
            } else {
                begun = Some(number);
            }
        } else if marker("...").is_some() {
            found.extend(begun.take());
            within = false;
        } else if !within && content(line) && !(begun.is_none() && line.starts_with('%')) {
            found.push(number);
            begun = None;
            within = true;
        }
    }
    found.extend(begun);
    found
}

/// The first line, from 1, that holds a text outside a comment.
pub(crate) fn line_with(text: &str, part: &str) -> Option<usize> {
    (1..).zip(text.lines()).find(|(_, line)| before_comment(line).contains(part)).map(|(number, _)| number)
}

/// A line without its comment. A `#` inside quotes counts as one too, which costs a line number and nothing else.
pub(crate) fn before_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split_once(" #").map_or(line, |(before, _)| before)
}

fn problem(file: &str, error: &serde_norway::Error) -> Problem {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let problem = Problem::error(file, shortened(what), fix(what));
    match error.location() {
        Some(at) => problem.at(at.line(), Some(at.column())),
        None => problem,
    }
}

/// How much of a value a message quotes: what stands in the wrong place may be meant for nobody's log.
const MOST_QUOTED: usize = 40;

/// A message in which nothing between quotation marks or backticks is longer than that.
pub(crate) fn shortened(what: &str) -> String {
    let mut out = String::with_capacity(what.len());
    let mut open: Option<(char, usize)> = None;
    let mut escaped = false;
    for c in what.chars() {
        match &mut open {
            Some((mark, _)) if c == *mark && !escaped => {
                open = None;
                out.push(c);
            }
            Some((mark, many)) => {
                escaped = *mark == '"' && c == '\\' && !escaped;
                *many += 1;
                match *many {
                    many if many <= MOST_QUOTED => out.push(c),
                    many if many == MOST_QUOTED + 1 => out.push('…'),
                    _ => {}
                }
            }
            None => {
                open = matches!(c, '"' | '`').then_some((c, 0));
                escaped = false;
                out.push(c);
            }
        }
    }
    out
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
        let rules: Vec<(usize, Rule)> = read("rules/a.yaml", text, &mut problems);
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
    fn a_message_quotes_little_of_what_stands_in_the_wrong_place() {
        let p = one("the-first-line-of-a-private-key-is-told-to-nobody-at-all-who-reads-a-log\n");
        assert!(p.what.contains("\"the-first-line-of-a-private-key-is-told-…\""), "{p}");
        let p = one(
            "id: a\ntitle: A\nbecause: [x]\ndeny: \"a \\\" and more that is quoted, and more and more of it\"\n",
        );
        assert!(p.what.contains("…\", expected a boolean"), "{p}");
        let p = one(
            "id: a\ntitle: A\nbecause: [x]\nthis_is_a_name_that_nobody_would_give_to_a_field_of_a_rule: 1\n",
        );
        assert!(p.what.contains("`this_is_a_name_that_nobody_would_give_to…`, expected"), "{p}");
    }

    #[test]
    fn several_documents_are_several_values() {
        let mut problems = Vec::new();
        let text = "id: a\ntitle: A\nbecause: [x]\ndeny: true\n---\nid: b\ntitle: B\nbecause: [x]\ndeny: true\n---\n";
        let rules: Vec<(usize, Rule)> = read("rules/a.yaml", text, &mut problems);
        assert_eq!(rules.len(), 2);
        assert_eq!(problems, []);
    }

    #[test]
    fn every_document_is_known_by_its_first_line() {
        for (text, lines) in [
            ("a: 1\n", vec![1]),
            ("# comment\n\na: 1\n---\n# more\nb: 2\n---\n", vec![3, 6, 7]),
            ("%YAML 1.2\n---\na: |\n  ---\n  text\n--- # next\n\nb: 1\n", vec![3, 8]),
            ("---\n---\na: 1\n...\nb: 2\n", vec![1, 3, 5]),
            ("--- {a: 1}\n---x: 1\n", vec![1]),
            ("", vec![]),
        ] {
            assert_eq!(first_lines(text), lines, "{text:?}");
        }
    }
}
