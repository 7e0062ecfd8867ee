//! SQL, and the libraries that speak it, live in `server/src/store` and `migrations` alone.

use super::lexer::Kind;
use super::sources::Source;

const HOME: [&str; 3] = ["server/src/store/", "server/src/store.rs", "migrations/"];
const LIBRARIES: [&str; 5] = ["rusqlite", "sea_orm", "sea_orm_migration", "sea_query", "sqlx"];

/// A statement's words, in order.
const STATEMENTS: [&[&str]; 9] = [
    &["select", "from"],
    &["insert", "into"],
    &["update", "set", "where"],
    &["delete", "from"],
    &["create", "table"],
    &["create", "index"],
    &["alter", "table"],
    &["drop", "table"],
    &["pragma"],
];

pub(super) fn check(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in
        files.iter().filter(|file| file.ships() && !HOME.iter().any(|home| file.path.starts_with(home)))
    {
        for piece in file.pieces() {
            match piece.kind {
                Kind::Code => {
                    if let Some(library) = words(piece.text).find(|word| LIBRARIES.contains(word)) {
                        problems.push(file.at(piece.line, &format!("{library} outside server/src/store")));
                    }
                }
                Kind::String if is_statement(piece.text) => {
                    problems.push(file.at(piece.line, "SQL outside server/src/store"));
                }
                Kind::String | Kind::Comment => {}
            }
        }
    }
    problems
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether a literal begins like a statement. Prose ("Select a key from the list") is told apart by case: SQL
/// keywords are written all in capitals or all in small letters, and a sentence is neither.
fn is_statement(literal: &str) -> bool {
    let content = literal.split_once('"').map_or("", |(_, content)| content);
    let content = content.replace("\\n", " ").replace("\\t", " ");
    let found: Vec<&str> = words(&content).collect();
    let Some(first) = found.first() else { return false };
    let one_case = |word: &str| word.chars().all(char::is_uppercase) || word.chars().all(char::is_lowercase);
    STATEMENTS.iter().any(|statement| {
        let mut rest = found.iter();
        statement.first().is_some_and(|keyword| first.eq_ignore_ascii_case(keyword) && one_case(first))
            && statement.iter().all(|keyword| rest.any(|word| word.eq_ignore_ascii_case(keyword)))
            && (found.len() > 2 || statement.len() > 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }]).len()
    }

    #[test]
    fn a_query_or_a_driver_outside_the_store_is_a_problem() {
        for text in [
            "use sea_orm::Value;",
            "let q = \"SELECT id FROM keys\";",
            "let q = r#\"insert into keys values (1)\"#;",
            "let q = \"\\n  DELETE FROM keys\";",
        ] {
            assert_eq!(problems("server/src/keys/mod.rs", text), 1, "{text}");
            assert_eq!(problems("server/src/store/keys.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn prose_comments_and_tests_are_not() {
        for text in [
            "let a = \"Select a key from the list\";",
            "// SELECT id FROM keys",
            "#[cfg(test)]\nmod tests { const Q: &str = \"SELECT 1 FROM a\"; }",
            "let a = \"select\";",
        ] {
            assert_eq!(problems("ui/src/lib.rs", text), 0, "{text}");
        }
    }
}
