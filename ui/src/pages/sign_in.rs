//! `/auth/sign-in`: how to get in.

use leptos::prelude::*;

use crate::text::Lang;

/// The ways to sign in that the server has beside set-up links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignInWays {
    /// Identity providers: the address that leads there, and the name for people.
    pub providers: Vec<(String, String)>,
    /// Whether an e-mail address tells the provider.
    pub by_email: bool,
    /// Whether there is a break-glass account.
    pub break_glass: bool,
}

/// Where an e-mail address is sent to find its provider.
pub(crate) const START_PATH: &str = "/auth/start";
/// Where the break-glass account's password is sent.
pub(crate) const BREAK_GLASS_PATH: &str = "/auth/break-glass";

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
    /// The identity provider does not answer.
    ProviderDown,
    /// The identity provider vouches for the person, and no policy line gives them a role.
    NoRole,
    /// The sign-in was not begun in this browser, or long ago, or has been finished before.
    StartAgain,
    /// Anything else that can't be believed; the code tells an operator what.
    Refused(&'static str),
}

/// The page's content. `back` is where to go once somebody is signed in.
pub(crate) fn page(
    ways: &SignInWays,
    notice: Option<SignInNotice>,
    back: Option<&str>,
    lang: Lang,
) -> impl IntoView + use<> {
    let t = &lang.text().sign_in;
    let refused = notice;
    let notice = notice.map(|notice| match notice {
        SignInNotice::Used => t.used,
        SignInNotice::Expired => t.expired,
        SignInNotice::SignedOut => t.signed_out,
        SignInNotice::SessionEnded => t.lost,
        SignInNotice::ProviderDown => t.provider_down,
        SignInNotice::NoRole => t.no_role,
        SignInNotice::StartAgain => t.start_again,
        SignInNotice::Refused(_) => t.refused,
    });
    let code = match refused {
        Some(SignInNotice::Refused(code)) => Some(code),
        _ => None,
    };
    let others = !ways.providers.is_empty() || ways.break_glass;
    view! {
        <section class="gate">
            <h1>{t.title}</h1>
            {notice.map(|text| view! { <p class="notice" role="status">{text} {code.map(|code| view! { " " <code>{code}</code> })}</p> })}
            {providers(ways, back, lang)}
            {if others {
                view! {
                    <details>
                        <summary>{t.other_ways}</summary>
                        {setup(back, lang)}
                        {ways.break_glass.then(|| break_glass(back, lang))}
                    </details>
                }
                    .into_any()
            } else {
                setup(back, lang).into_any()
            }}
        </section>
    }
}

/// A link for each identity provider. Links and no buttons: a form may lead to this server only.
fn providers(ways: &SignInWays, back: Option<&str>, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().sign_in;
    let links = ways.providers.iter().map(|(href, title)| {
        let href = match back {
            Some(back) => format!("{href}&back={}", crate::api::escaped(back)),
            None => href.clone(),
        };
        view! {
            <p>
                <a class="button primary" href=href>
                    {(t.with)(title)}
                </a>
            </p>
        }
    });
    let links = links.collect_view();
    let by_email = ways.by_email && ways.providers.len() > 1;
    view! {
        {by_email
            .then(|| {
                view! {
                    <form method="get" action=START_PATH>
                        {hidden(back)}
                        <label class="stacked">
                            <span>{t.email}</span>
                            <input type="email" name="email" required autocomplete="username" />
                        </label>
                        <button class="button primary" type="submit">
                            {t.go_on}
                        </button>
                    </form>
                }
            })}
        {links}
    }
}

/// Where to go afterwards, as forms carry it.
fn hidden(back: Option<&str>) -> impl IntoView + use<> {
    back.map(|back| view! { <input type="hidden" name="back" value=back.to_owned() /> })
}

fn setup(back: Option<&str>, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().sign_in;
    view! {
        <p class="lead">{t.lead}</p>
        <ol>
            <li>{t.step_one}</li>
            <li>{t.step_two}</li>
        </ol>
        <form method="get" action="/auth/setup">
            {hidden(back)}
            <label class="stacked">
                <span>{t.token}</span>
                <input type="password" name="token" required autocomplete="one-time-code" spellcheck="false" />
                <small>{t.token_hint}</small>
            </label>
            <button class="button primary" type="submit">
                {t.submit}
            </button>
        </form>
    }
}

fn break_glass(back: Option<&str>, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().sign_in;
    view! {
        <form method="post" action=BREAK_GLASS_PATH>
            {hidden(back)}
            <label class="stacked">
                <span>{t.break_glass}</span>
                <input type="password" name="password" required autocomplete="off" />
                <small>{t.break_glass_hint}</small>
            </label>
            <button class="button" type="submit">
                {t.submit}
            </button>
        </form>
    }
}
