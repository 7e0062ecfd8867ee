//! Mail, by SMTP (RFC 5321), to one address a message: what one server thinks of one address is nobody else's affair.
//!
//! The mail server is the configuration's word, which nobody else can change, so its address is not judged.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Severity};

use super::unhurried::Unhurried;
use super::{Failure, secret};
use crate::alerts::config::{MailConfig, MailTls};
use crate::alerts::message::Outgoing;
use crate::providers::{Secret, Trust};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Whose certificates are believed: as for everything that the server asks.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    public: bool,
    /// As DER.
    own: Vec<Vec<u8>>,
}

impl Roots {
    pub(super) fn of(trust: &Trust) -> Self {
        let der =
            |all: &[rustls_pki_types::CertificateDer<'static>]| all.iter().map(|one| one.to_vec()).collect();
        match trust {
            Trust::PublicRoots => Self { public: true, own: Vec::new() },
            Trust::PublicRootsAnd(own) => Self { public: true, own: der(own) },
            Trust::Only(own) => Self { public: false, own: der(own) },
        }
    }

    fn tls(&self, server: &str) -> Result<TlsParameters, Error> {
        let store = if self.public { CertificateStore::WebpkiRoots } else { CertificateStore::None };
        let mut builder = TlsParameters::builder(server.to_owned()).certificate_store(store);
        for one in &self.own {
            builder = builder.add_root_certificate(Certificate::from_der(one.clone())?);
        }
        builder.build_rustls()
    }
}

/// Sends a message to one address.
pub(super) async fn send(
    mail: &MailConfig,
    target: &str,
    roots: &Roots,
    message: &Outgoing,
) -> Result<(), Failure> {
    let letter = letter(mail, target, message).map_err(Failure::for_good)?;
    let password = match &mail.password_file {
        Some(path) => Some(secret("password_file", path).await?),
        None => None,
    };
    let sent = deliver(mail, password.as_ref(), roots, &letter).await;
    sent.map_err(|failure| failure.told(password.as_ref()))
}

async fn deliver(
    mail: &MailConfig,
    password: Option<&Secret>,
    roots: &Roots,
    letter: &lettre::Message,
) -> Result<(), Failure> {
    let failed =
        |what: &'static str| move |error: Error| Failure::for_now(format!("{what}: {}", words(&error)));
    let hello = ClientId::default();
    let tls = || roots.tls(&mail.server).map_err(failed("TLS cannot be set up"));
    let server = (mail.server.as_str(), mail.port());
    let mut connection = if mail.tls == MailTls::Starttls {
        let stream = Unhurried::connect(server, CONNECT).await;
        let stream = stream.map_err(|error| Failure::for_now(format!("no connection: {error}")))?;
        let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello);
        let mut connection = connecting.await.map_err(failed("no connection"))?;
        // Nothing of the message and no password has gone out before.
        connection.starttls(tls()?, &hello).await.map_err(failed("no encryption"))?;
        connection
    } else {
        let implicit = if mail.tls == MailTls::Implicit { Some(tls()?) } else { None };
        let connecting = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT), &hello, implicit, None);
        connecting.await.map_err(failed("no connection"))?
    };
    if let (Some(user), Some(password)) = (&mail.user, password) {
        let who = Credentials::new(user.clone(), password.expose().to_owned());
        let ways = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&ways, &who).await.map_err(|error| {
            // Its words may be the password's, in whatever spelling.
            let words = error.status().map_or_else(|| words(&error), |code| format!("it answers {code}"));
            Failure::for_now(format!("the sign-in is refused: {words}"))
        })?;
    }
    let sent = connection.send(letter.envelope(), &letter.formatted()).await;
    sent.map_err(|error| match error.status().map(|code| code.severity) {
        // 4yz may come to something else later: greylisting, a full mailbox. 5yz will not (RFC 5321, 4.2.1).
        Some(Severity::PermanentNegativeCompletion) => {
            Failure::for_good(format!("the mail server refuses it: {}", words(&error)))
        }
        _ => Failure::for_now(format!("not taken: {}", words(&error))),
    })?;
    // It is taken; how the conversation ends does not matter.
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.quit()).await;
    Ok(())
}

/// What is told of an error: nothing that a mail server wrote but its codes, of RFC 5321 and RFC 3463. Its words name
/// whom the message is for, and may hold all that it was sent.
fn words(error: &Error) -> String {
    if let Some(code) = error.status() {
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        let enhanced = said.split(' ').next().filter(|word| is_enhanced(word));
        return enhanced.map_or_else(
            || format!("it answers {code}"),
            |enhanced| format!("it answers {code} {enhanced}"),
        );
    }
    if error.is_response() {
        return String::from("its answer is not understood");
    }
    error.to_string()
}

/// Whether it is an enhanced status code: `5.1.1`.
fn is_enhanced(word: &str) -> bool {
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    word.split('.').count() == 3 && word.split('.').all(number)
}

/// The message as mail. Its id is the same however often it is sent.
fn letter(mail: &MailConfig, target: &str, message: &Outgoing) -> Result<lettre::Message, String> {
    let words = |error: lettre::address::AddressError| error.to_string();
    let from: Mailbox = mail.from.parse().map_err(words)?;
    let to: Mailbox = target.parse().map_err(words)?;
    let id = format!("<{}@{}>", message.id, from.email.domain());
    let created = Duration::from_millis(u64::try_from(message.created_ms).unwrap_or_default());
    // Nobody's machine answers it (RFC 3834, 5).
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::Message::builder()
        .from(from)
        .to(to)
        .subject(message.title())
        .message_id(Some(id))
        .date(SystemTime::UNIX_EPOCH + created)
        .raw_header(HeaderValue::new(automatic, String::from("auto-generated")))
        .multipart(MultiPart::alternative_plain_html(message.text(), message.html()))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
