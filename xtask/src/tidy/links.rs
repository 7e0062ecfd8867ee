//! Relative links in the documentation lead somewhere: to a file of the repository, and to a heading in it.

use std::path::Path;

use super::sources::Source;

pub(super) fn check(root: &Path, files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, link) in links(&file.text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = resolve(folder, path);
            let known = path.is_empty() || target.as_ref().is_some_and(|path| root.join(path).exists());
            if !known {
                problems.push(file.at(line, &format!("the link to {link} leads nowhere")));
                continue;
            }
            let path = if path.is_empty() { Some(file.path.clone()) } else { target };
            let page =
                files.iter().find(|page| Some(&page.path) == path.as_ref() && page.path.ends_with(".md"));
            if !anchor.is_empty() && page.is_some_and(|page| !headings(&page.text).any(|slug| slug == anchor))
            {
                problems.push(file.at(line, &format!("the link to {link} names no heading there")));
            }
        }
    }
    problems
}

/// Lines of a page that are outside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The targets of `[..](target)` that are not addresses of the web.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text).flat_map(|(number, line)| {
        line.split("](").skip(1).filter_map(move |tail| {
            let target = tail.split([')', ' ']).next()?;
            let outside = target.contains("://") || target.starts_with("mailto:") || target.is_empty();
            (!outside).then_some((number, target))
        })
    })
}

/// The anchors of a page's headings, formed as GitHub forms them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// `folder/path` without dots; nothing if it leaves the repository.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> usize {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        check(root, &[page("src/a.md", text), page("Cargo.toml", "")]).len()
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_problem() {
        assert_eq!(problems("[a](main.rs) [b](../Cargo.toml) [c](https://example.org/x)"), 0);
        assert_eq!(problems("[a](missing.rs)"), 1);
        assert_eq!(problems("[a](../../../etc/passwd)"), 1);
        assert_eq!(problems("```\n[a](missing.rs)\n```"), 0);
    }

    #[test]
    fn an_anchor_is_a_heading() {
        assert_eq!(problems("# What it's for\n[a](#what-its-for)"), 0);
        assert_eq!(problems("# What it's for\n[a](#why)"), 1);
    }
}
