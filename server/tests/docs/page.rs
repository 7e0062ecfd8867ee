//! A page as its fenced blocks.

use std::path::{Path, PathBuf};

/// One fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The line of its opening fence, from 1.
    pub(crate) line: usize,
    /// The first word of the info string.
    pub(crate) language: String,
    /// The other words.
    pub(crate) words: Vec<String>,
    /// Its text.
    pub(crate) text: String,
}

impl Block {
    /// What follows `name=` in the info string.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A page's text.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Its fenced blocks, in order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                blocks.push(Block { line: at + 1, language, words: words.collect(), text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a fence is not closed");
    blocks
}

/// Every page, as a path from the root.
pub(crate) fn all() -> Vec<String> {
    let mut found = vec![String::from("README.md")];
    let mut open = vec![root().join("docs")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn blocks_are_found() {
    let found = blocks("a\n```sh needs=openai\nls\n```\n```yaml file=a.yaml\nb: 1\n```\n");
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].line, found[0].word("needs")), (2, Some("openai")));
    assert_eq!((found[1].word("file"), found[1].text.as_str()), (Some("a.yaml"), "b: 1\n"));
}
