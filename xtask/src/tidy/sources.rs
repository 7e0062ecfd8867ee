//! The project's own files: what Git tracks or would track.

use std::process::Command;

use super::lexer::{self, Piece};
use crate::context::Context;
use crate::{Result, cargo};

/// A file of the project.
pub(super) struct Source {
    /// From the root, with `/`.
    pub(super) path: String,
    /// Its text; empty for what is not UTF-8.
    pub(super) text: String,
}

impl Source {
    /// Whether this is Rust that ships: not a test, a bench, an example or a task.
    pub(super) fn ships(&self) -> bool {
        let aside = ["/tests/", "/benches/", "/examples/", "/fuzz/"];
        self.is_rust()
            && !self.path.starts_with("xtask/")
            && !self.path.ends_with("/tests.rs")
            && !aside.iter().any(|folder| self.path.contains(folder))
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Its pieces outside `#[cfg(test)]` modules.
    pub(super) fn pieces(&self) -> Vec<Piece<'_>> {
        lexer::without_tests(lexer::pieces(&self.text))
    }

    /// `path:line: what`, as editors read it.
    pub(super) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Reads them all.
pub(super) fn tracked(context: &Context) -> Result<Vec<Source>> {
    let mut list = Command::new("git");
    list.current_dir(&context.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = cargo::output(&mut list)?;
    let paths = names.split('\0').filter(|path| !path.is_empty());
    let read = paths.filter_map(|path| {
        let bytes = std::fs::read(context.root.join(path)).ok()?;
        Some(Source { path: path.to_owned(), text: String::from_utf8(bytes).unwrap_or_default() })
    });
    let mut sources: Vec<Source> = read.collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}
