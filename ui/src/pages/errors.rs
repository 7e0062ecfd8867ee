//! Pages for what could not be shown.

use axum::http::StatusCode;
use leptos::prelude::*;

use crate::text::Lang;

/// What went wrong, as far as the reader is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageError {
    /// 400: the address or form can't be read.
    BadRequest,
    /// 403: the reader's roles don't allow it.
    Forbidden,
    /// 404: not there, or not within the reader's scope.
    NotFound,
    /// 500: with a reference that the server's log holds too.
    Unavailable {
        /// The reference.
        reference: String,
    },
}

impl PageError {
    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unavailable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) const fn title(&self, lang: Lang) -> &'static str {
        let t = &lang.text().error;
        match self {
            Self::BadRequest => t.bad_request,
            Self::Forbidden => t.forbidden,
            Self::NotFound => t.not_found,
            Self::Unavailable { .. } => t.unavailable,
        }
    }
}

/// The page's content.
pub(crate) fn page(error: &PageError, signed_in: bool, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().error;
    let (lead, reference) = match error {
        PageError::BadRequest => (t.bad_request_lead, None),
        PageError::Forbidden => (t.forbidden_lead, None),
        PageError::NotFound => (t.not_found_lead, None),
        PageError::Unavailable { reference } => (t.unavailable_lead, Some(reference.clone())),
    };
    let (href, word) = if signed_in { ("/decisions", t.back) } else { ("/auth/sign-in", t.sign_in) };
    view! {
        <section class="gate">
            <p class="status-code">{error.status().as_u16()}</p>
            <h1>{error.title(lang)}</h1>
            <p class="lead">{lead}</p>
            {reference.map(|value| view! { <p>{t.reference} " " <code>{value}</code></p> })}
            <p>
                <a class="button" href=href>
                    {word}
                </a>
            </p>
        </section>
    }
}
