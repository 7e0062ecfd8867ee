//! Scopes: paths in the organisation's tree, compared by whole segments.
//!
//! A scope is `/`, or `/` followed by segments joined with `/`, without a trailing slash:
//! `/acme/retail/support`. The root covers everything; `/acme` covers `/acme/x` and not `/acmecorp`.

/// Whether `ancestor` is `scope` itself or stands above it in the tree.
///
/// Whole segments are compared, never characters. A malformed path covers nothing and is covered by nothing.
#[must_use]
pub fn covers(ancestor: &str, scope: &str) -> bool {
    if !is_absolute(ancestor) || !is_absolute(scope) {
        return false;
    }
    if ancestor == "/" {
        return true;
    }
    match scope.strip_prefix(ancestor) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// Whether one of two scopes covers the other, so that something attached to each can meet in one request.
#[must_use]
pub fn overlap(a: &str, b: &str) -> bool {
    covers(a, b) || covers(b, a)
}

/// The scope one step up, or `None` for the root.
#[must_use]
pub fn parent(scope: &str) -> Option<&str> {
    if scope == "/" {
        return None;
    }
    match scope.rsplit_once('/') {
        Some(("", _)) => Some("/"),
        Some((up, _)) => Some(up),
        None => None,
    }
}

/// The scope and everything above it, nearest first, the root last.
pub fn ancestors(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(is_absolute(scope).then_some(scope), |s| parent(s))
}

/// Bytes of the longest scope.
const LONGEST: usize = 512;
/// Segments of the deepest scope.
const DEEPEST: usize = 32;

/// Says what is wrong with a scope path that a person wrote, or nothing.
///
/// # Errors
/// A sentence naming the fault.
pub fn validate(scope: &str) -> Result<(), String> {
    if scope == "/" {
        return Ok(());
    }
    // Each record carries it, and each rule walks up it.
    if scope.len() > LONGEST || scope.matches('/').count() > DEEPEST {
        return Err(format!(
            "a scope is at most {LONGEST} bytes long and {DEEPEST} segments deep; one begins with {:?}",
            scope.chars().take(40).collect::<String>()
        ));
    }
    let Some(rest) = scope.strip_prefix('/') else {
        return Err(format!("the scope `{scope}` does not start with `/`"));
    };
    for segment in rest.split('/') {
        if segment.is_empty() {
            return Err(format!("the scope `{scope}` has an empty segment"));
        }
        if segment == "." || segment == ".." {
            return Err(format!("the scope `{scope}` has a relative segment"));
        }
        if let Some(bad) = segment
            .chars()
            .find(|c| c.is_whitespace() || c.is_control() || is_unseen(*c) || matches!(c, '*' | ',' | '"'))
        {
            return Err(format!("the scope `{scope}` holds {bad:?}, which no scope may"));
        }
    }
    Ok(())
}

/// Whether a character takes no room where names are shown, or turns the direction of reading: two names that differ
/// only in such look the same.
#[must_use]
pub fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

fn is_absolute(scope: &str) -> bool {
    scope == "/" || (scope.starts_with('/') && !scope.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_are_compared() {
        for (ancestor, scope, expected) in [
            ("/", "/", true),
            ("/", "/acme", true),
            ("/acme", "/acme", true),
            ("/acme", "/acme/x", true),
            ("/acme", "/acmecorp", false),
            ("/acme/x", "/acme", false),
            ("/ac", "/acme", false),
            ("/bücher", "/bücher/ä", true),
            ("/büch", "/bücher", false),
            ("/b\u{fc}", "/b\u{fc}\u{fc}", false),
            ("", "/acme", false),
            ("/acme/", "/acme/x", false),
            ("acme", "acme", false),
            ("/acme", "", false),
        ] {
            assert_eq!(covers(ancestor, scope), expected, "{ancestor} over {scope}");
        }
    }

    #[test]
    fn ancestors_go_up_to_the_root() {
        assert_eq!(ancestors("/a/b/c").collect::<Vec<_>>(), ["/a/b/c", "/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").collect::<Vec<_>>(), ["/"]);
        assert_eq!(ancestors("a/b").count(), 0);
    }

    #[test]
    fn malformed_scopes_are_named() {
        for bad in ["", "acme", "/a//b", "/a/", "/a/../b", "/a b", "/a*"] {
            assert!(validate(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(validate("/acme/retail/größe").is_ok());
    }
}
