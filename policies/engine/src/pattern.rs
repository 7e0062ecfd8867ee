//! Names and name patterns: exact, or a prefix that ends in `*`.
//!
//! Patterns are compared as whole strings through `strip_prefix`, so a multi-byte character beside the star is harmless.

/// Whether `name` is `pattern`, or starts with what stands before `pattern`'s closing `*`.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// Says what is wrong with a pattern, or nothing: it must not be empty, and a `*` stands only at its end.
///
/// # Errors
/// What is wrong, in words.
pub fn validate(pattern: &str) -> Result<(), String> {
    let body = pattern.strip_suffix('*').unwrap_or(pattern);
    if pattern.is_empty() {
        return Err("an empty name matches nothing".into());
    }
    if body.contains('*') {
        return Err(format!(
            "`{pattern}` has a `*` that is not at its end, and would match nothing but itself"
        ));
    }
    Ok(())
}

/// Whether everything that `narrow` matches is matched by `wide` too.
pub(crate) fn includes(wide: &str, narrow: &str) -> bool {
    match (wide.strip_suffix('*'), narrow.strip_suffix('*')) {
        (Some(w), Some(n)) => n.starts_with(w),
        (Some(w), None) => narrow.starts_with(w),
        (None, Some(_)) => false,
        (None, None) => wide == narrow,
    }
}

/// Whether some name is matched by both.
pub(crate) fn meet(a: &str, b: &str) -> bool {
    match (a.strip_suffix('*'), b.strip_suffix('*')) {
        (Some(pa), Some(pb)) => pa.starts_with(pb) || pb.starts_with(pa),
        _ => includes(a, b) || includes(b, a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_a_prefix_and_nothing_else() {
        assert!(matches("gpt-5*", "gpt-5-mini"));
        assert!(matches("*", ""));
        assert!(!matches("gpt-5", "gpt-5-mini"));
        assert!(!matches("model:größe*", "model:groß"));
        assert!(matches("model:gr\u{f6}*", "model:gr\u{f6}\u{df}e"));
        assert!(!matches("model:gr\u{f6}*", "model:gr\u{f4}"));
        assert!(validate("a*b").is_err() && validate("").is_err() && validate("a*").is_ok());
    }

    #[test]
    fn inclusion_and_meeting() {
        assert!(includes("gpt*", "gpt-5*") && !includes("gpt-5*", "gpt*"));
        assert!(meet("gpt*", "gpt-5") && !meet("gpt*", "claude*") && meet("*", "x"));
    }
}
