//! `/auth/sign-in`: how to get in.

use leptos::prelude::*;

use crate::text::Lang;

/// Why the sign-in page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInNotice {
    /// The set-up link has been used before.
    Used,
    /// The set-up link has expired, or never was one.
    Expired,
    /// The person has just signed out.
    SignedOut,
    /// The session has ended.
    SessionEnded,
}

/// The page's content.
pub(crate) fn page(notice: Option<SignInNotice>, lang: Lang) -> impl IntoView {
    let t = &lang.text().sign_in;
    let notice = notice.map(|notice| match notice {
        SignInNotice::Used => t.used,
        SignInNotice::Expired => t.expired,
        SignInNotice::SignedOut => t.signed_out,
        SignInNotice::SessionEnded => t.lost,
    });
    view! {
        <section class="gate">
            <h1>{t.title}</h1>
            {notice.map(|text| view! { <p class="notice" role="status">{text}</p> })}
            <p class="lead">{t.lead}</p>
            <ol>
                <li>{t.step_one}</li>
                <li>{t.step_two}</li>
            </ol>
            <form method="get" action="/auth/setup">
                <label class="stacked">
                    <span>{t.token}</span>
                    <input type="password" name="token" required autocomplete="one-time-code" spellcheck="false" />
                    <small>{t.token_hint}</small>
                </label>
                <button class="button primary" type="submit">
                    {t.submit}
                </button>
            </form>
        </section>
    }
}
