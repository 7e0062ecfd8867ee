//! `ETag` and `If-Match` (RFC 9110, 8.8.3 and 13.1.1): a change of a thing as it was seen, and of no other.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use sha2::{Digest as _, Sha256};

use super::Problem;

/// What a thing is called as it is now: of all that can be changed in it, and of no use of it.
pub(super) fn tag(row: &impl std::fmt::Debug) -> String {
    let digest = Sha256::digest(format!("{row:?}"));
    format!("\"{}\"", hex::encode(digest.get(..12).unwrap_or_default()))
}

/// An answer about a thing, with its tag.
pub(super) fn tagged(tag: &str, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// What a request says about the thing that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing.
    Any,
    /// It is one of these.
    One(Vec<String>),
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut lines = parts.headers.get_all(header::IF_MATCH).iter().peekable();
        if lines.peek().is_none() {
            return Ok(Self::Any);
        }
        let mut tags = Vec::new();
        for line in lines {
            let line = line.to_str().map_err(|_| wrong())?;
            // No tag of ours holds a comma.
            for tag in line.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                match tag {
                    "*" => return Ok(Self::Any),
                    _ if tag.trim_start_matches("W/").starts_with('"') && tag.ends_with('"') => {
                        tags.push(tag.to_owned());
                    }
                    _ => return Err(wrong()),
                }
            }
        }
        if tags.is_empty() { Err(wrong()) } else { Ok(Self::One(tags)) }
    }
}

fn wrong() -> Problem {
    Problem::wrong_parameter("if-match", "it is `*`, or tags as `etag` tells them: \"…\"")
}

impl IfMatch {
    /// The row, where a change has to be one of just this row: for the database to look once more, in the change's own
    /// transaction.
    ///
    /// # Errors
    /// A [`Problem`] where it is another one already.
    pub(super) fn seen<'a, R: std::fmt::Debug>(&self, row: &'a R) -> Result<Option<&'a R>, Problem> {
        self.seen_as(row, &tag(row))
    }

    /// The same for a row whose tag is not of all of it.
    pub(super) fn seen_as<'a, R>(&self, row: &'a R, tag: &str) -> Result<Option<&'a R>, Problem> {
        match self {
            Self::Any => Ok(None),
            // A weak tag is equal to none (RFC 9110, 8.8.3.2).
            Self::One(tags) if tags.iter().any(|one| one == tag) => Ok(Some(row)),
            Self::One(_) => Err(crate::store::StoreError::Changed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn given(lines: &[&'static str]) -> Result<IfMatch, Problem> {
        let mut request = http::Request::new(());
        for line in lines {
            request.headers_mut().append(header::IF_MATCH, HeaderValue::from_static(line));
        }
        let (mut parts, ()) = request.into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_tag_is_of_one_state_and_no_weak_one_is_equal() {
        let (one, two) = (("a", 1), ("a", 2));
        let own: &'static str = Box::leak(tag(&one).into_boxed_str());
        assert_ne!(tag(&one), tag(&two));
        assert_eq!(given(&[]).await.unwrap().seen(&one).unwrap(), None);
        assert_eq!(given(&["*"]).await.unwrap().seen(&one).unwrap(), None);
        assert_eq!(given(&[own]).await.unwrap().seen(&one).unwrap(), Some(&one));
        assert_eq!(given(&["\"x\"", own]).await.unwrap().seen(&one).unwrap(), Some(&one));
        let listed: &'static str = Box::leak(format!("\"x\", {own}").into_boxed_str());
        assert_eq!(given(&[listed]).await.unwrap().seen(&one).unwrap(), Some(&one));
        let weak: &'static str = Box::leak(format!("W/{own}").into_boxed_str());
        for other in [weak, "\"x\""] {
            let problem = given(&[other]).await.unwrap().seen(&one).unwrap_err();
            assert_eq!(problem.status().as_u16(), 412);
        }
        for wrong in ["x", "", ", ,", "\"x"] {
            assert_eq!(
                given(&[Box::leak(wrong.to_owned().into_boxed_str())]).await.unwrap_err().status().as_u16(),
                400,
                "{wrong}"
            );
        }
    }
}
