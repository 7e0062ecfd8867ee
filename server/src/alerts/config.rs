//! `[alerts]` of `bailiwick.toml`: through what people are told, of what, and when.

use std::path::PathBuf;

use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Severity};

/// Characters of a channel's name.
const LONGEST_NAME: usize = 32;
/// Addresses of one channel.
const MOST_TARGETS: usize = 50;
/// A day.
const MOST_MINUTES: u32 = 1_440;
/// A week.
const MOST_HOURS: u32 = 168;

/// Through what people are told, of what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// Minutes after which it is told again that the same happens, as long as nobody has acknowledged it.
    pub repeat_minutes: u32,
    /// Hours for which it is tried to send a message.
    pub give_up_hours: u32,
    /// Requests a minute that could not be authenticated from which on there is an alert.
    pub refused_a_minute: u32,
    /// Mail.
    pub mail: Vec<MailConfig>,
    /// Webhooks.
    pub webhook: Vec<WebhookConfig>,
    /// Incoming webhooks of Slack.
    pub slack: Vec<ChatConfig>,
    /// Incoming webhooks of Microsoft Teams.
    pub teams: Vec<ChatConfig>,
    /// What goes where. All that match count.
    pub route: Vec<RouteConfig>,
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            repeat_minutes: 60,
            give_up_hours: 24,
            refused_a_minute: 100,
            mail: Vec::new(),
            webhook: Vec::new(),
            slack: Vec::new(),
            teams: Vec::new(),
            route: Vec::new(),
        }
    }
}

/// A channel that sends mail by SMTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// What routes call it.
    pub name: String,
    /// The mail server.
    pub server: String,
    /// Its port; 587 with STARTTLS, 465 with TLS from the start and 25 with none where absent.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: MailTls,
    /// Who signs in there; nobody where absent.
    pub user: Option<String>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// Who writes: `Bailiwick <bailiwick@example.com>`.
    pub from: String,
    /// Who is told.
    pub to: Vec<String>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS (RFC 3207). A server that offers none gets nothing.
    #[default]
    Starttls,
    /// From the start (RFC 8314).
    Implicit,
    /// Not at all; only to this machine itself.
    None,
}

/// A channel that calls a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// What routes call it.
    pub name: String,
    /// Where.
    pub url: String,
    /// A file with the secret that it is signed with: `whsec_` and 24 to 64 bytes in base64.
    pub secret_file: PathBuf,
}

/// A channel into a chat. The address is the secret there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChatConfig {
    /// What routes call it.
    pub name: String,
    /// A file with the address of the incoming webhook.
    pub url_file: PathBuf,
}

/// What goes where.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Of this scope and below.
    #[serde(default = "root")]
    pub scope: String,
    /// What matters at least so much.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// Of these kinds; any where empty.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// Through these.
    pub channels: Vec<String>,
    /// Minutes for which alerts are gathered into one message; each goes by itself where 0. One that is critical always does.
    #[serde(default)]
    pub digest_minutes: u32,
    /// Hours in which only what is critical is told.
    pub quiet: Option<QuietConfig>,
}

/// Hours of a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuietConfig {
    /// From when: `22:00`.
    pub from: TimeOfDay,
    /// Until when; on the next day where it is earlier.
    pub to: TimeOfDay,
    /// Where: a name of the IANA time zone database.
    #[serde(default)]
    pub zone: Zone,
}

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(pub(super) NaiveTime);

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = NaiveTime::parse_from_str(&text, "%H:%M").ok().filter(|_| text.len() == 5);
        read.map(Self).ok_or_else(|| format!("`{text}` is no time of day: write one as `22:00`"))
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.0.format("%H:%M").to_string()
    }
}

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(pub(super) Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is no time zone: write one as `Europe/Berlin`"))
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.name().to_owned()
    }
}

fn root() -> String {
    String::from("/")
}

fn warning() -> Severity {
    Severity::Warning
}

impl AlertsConfig {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Every file that it names.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let passwords = self.mail.iter_mut().filter_map(|mail| mail.password_file.as_mut());
        let secrets = self.webhook.iter_mut().map(|webhook| &mut webhook.secret_file);
        let chats = self.slack.iter_mut().chain(&mut self.teams).map(|chat| &mut chat.url_file);
        passwords.chain(secrets).chain(chats)
    }

    /// The names of all channels.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let chats = self.slack.iter().chain(&self.teams).map(|chat| chat.name.as_str());
        let mail = self.mail.iter().map(|mail| mail.name.as_str());
        mail.chain(self.webhook.iter().map(|webhook| webhook.name.as_str())).chain(chats)
    }

    /// Refuses what nobody could be told by.
    ///
    /// # Errors
    /// In words, with the name of the setting.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u32, least: u32, most: u32| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("`alerts.{name}` is {value}: it must be {least} to {most}")),
        };
        within("repeat_minutes", self.repeat_minutes, 1, 60 * MOST_HOURS)?;
        within("give_up_hours", self.give_up_hours, 1, MOST_HOURS)?;
        within("refused_a_minute", self.refused_a_minute, 1, u32::MAX)?;
        let mut seen = std::collections::BTreeSet::new();
        for name in self.names() {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
                return Err(format!(
                    "`alerts` has a channel called `{name}`: a name is 1 to {LONGEST_NAME} letters, digits, `-` and `_`"
                ));
            }
            if !seen.insert(name) {
                return Err(format!("`alerts` has two channels called `{name}`"));
            }
        }
        self.mail.iter().try_for_each(MailConfig::check)?;
        for webhook in &self.webhook {
            check_url(&webhook.url)
                .map_err(|why| format!("`alerts.webhook.url` of `{}`: {why}", webhook.name))?;
        }
        for route in &self.route {
            bailiwick_policy::scope::validate(&route.scope)
                .map_err(|why| format!("`alerts.route.scope` is `{}`: {why}", route.scope))?;
            within("route.digest_minutes", route.digest_minutes, 0, MOST_MINUTES)?;
            if route.channels.is_empty() {
                return Err(String::from("`alerts.route.channels` is empty: it would tell nobody"));
            }
            if let Some(unknown) = route.channels.iter().find(|name| !seen.contains(name.as_str())) {
                let near = bailiwick_policy::did_you_mean(unknown, seen.iter().copied());
                let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
                return Err(format!(
                    "`alerts.route.channels` names `{unknown}`, and there is no such channel{near}"
                ));
            }
            if route.quiet.as_ref().is_some_and(|quiet| quiet.from == quiet.to) {
                return Err(String::from("`alerts.route.quiet` ends when it begins: leave it out"));
            }
        }
        Ok(())
    }
}

impl MailConfig {
    /// The port that is meant.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        })
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let address = |field: &str, text: &str| {
            let read = text.parse::<lettre::message::Mailbox>();
            read.map(drop).map_err(|_| {
                format!("`alerts.mail.{field}` of `{name}` has `{text}`, which is no address of mail")
            })
        };
        address("from", &self.from)?;
        self.to.iter().try_for_each(|to| address("to", to))?;
        if self.to.is_empty() || self.to.len() > MOST_TARGETS {
            return Err(format!("`alerts.mail.to` of `{name}` must name 1 to {MOST_TARGETS} addresses"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
        if self.server.is_empty() || !self.server.bytes().all(plain) {
            return Err(format!("`alerts.mail.server` of `{name}` must be a host; its port is `port`"));
        }
        let here = self.server == "localhost"
            || self.server.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.tls == MailTls::None && !here {
            return Err(format!(
                "`alerts.mail.tls` of `{name}` is `none`, and {} is another machine: use `starttls` or `implicit`",
                self.server
            ));
        }
        match (&self.user, &self.password_file) {
            (Some(_), None) => Err(format!("`alerts.mail.user` of `{name}` needs a `password_file`")),
            (None, Some(_)) => Err(format!("`alerts.mail.password_file` of `{name}` needs a `user`")),
            _ => Ok(()),
        }
    }
}

/// Whether a webhook can be called by this address.
pub(super) fn check_url(url: &str) -> Result<http::Uri, &'static str> {
    let uri: http::Uri = url.parse().map_err(|_| "it is no address that begins with `https://`")?;
    if !matches!(uri.scheme_str(), Some("https" | "http")) {
        return Err("it must begin with `https://`");
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("it names no host");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("a password does not belong into it");
    }
    let here = uri.host().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    if uri.scheme_str() == Some("http") && !here {
        return Err("it must begin with `https://`: only this machine itself is called without TLS");
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "[[mail]]\nname = 'ops'\nserver = 'smtp.example.com'\nfrom = 'Bailiwick <b@example.com>'\nto = ['ops@example.com']\n";

    fn checked(text: &str) -> Result<(), String> {
        toml::from_str::<AlertsConfig>(text).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn what_nobody_could_be_told_by_is_named() {
        let route = "[[route]]\nchannels = ['ops']\n";
        assert_eq!(checked(""), Ok(()));
        assert_eq!(checked(&format!("{MAIL}{route}")), Ok(()));
        let quiet = "quiet = { from = '22:00', to = '07:00', zone = 'Europe/Berlin' }\n";
        assert_eq!(checked(&format!("{MAIL}{route}{quiet}")), Ok(()));
        for (text, named) in [
            (String::from("repeat_minutes = 0"), "alerts.repeat_minutes"),
            (String::from("give_up_hours = 1000"), "alerts.give_up_hours"),
            (format!("{MAIL}{MAIL}"), "two channels"),
            (format!("{MAIL}[[route]]\nchannels = ['opss']"), "did you mean `ops`"),
            (format!("{MAIL}[[route]]\nchannels = []"), "would tell nobody"),
            (format!("{MAIL}{route}severity = 'fatal'"), "fatal"),
            (format!("{MAIL}{route}kinds = ['budget_exhaustd']"), "did you mean `budget_exhausted`"),
            (format!("{MAIL}{route}scope = 'acme'"), "alerts.route.scope"),
            (format!("{MAIL}{route}digest_minutes = 5000"), "digest_minutes"),
            (format!("{MAIL}{route}{}", quiet.replace("Europe/Berlin", "Berlin")), "no time zone"),
            (format!("{MAIL}{route}{}", quiet.replace("22:00", "10pm")), "no time of day"),
            (format!("{MAIL}{route}{}", quiet.replace("22:00", "07:00")), "ends when it begins"),
            (MAIL.replace("ops@example.com", "ops"), "no address of mail"),
            (MAIL.replace("'ops@example.com'", ""), "1 to 50"),
            (MAIL.replace("smtp.example.com", "smtp://x"), "must be a host"),
            (format!("{MAIL}tls = 'none'"), "another machine"),
            (format!("{MAIL}user = 'x'"), "password_file"),
            (format!("{MAIL}password = 'x'"), "password"),
            (
                String::from("[[webhook]]\nname = 'w'\nurl = 'http://x.example/'\nsecret_file = 's'"),
                "without TLS",
            ),
            (
                String::from("[[webhook]]\nname = 'w'\nurl = 'https://u:p@x.example/'\nsecret_file = 's'"),
                "password",
            ),
            (
                String::from("[[webhook]]\nname = 'w'\nurl = 'file:///etc/passwd'\nsecret_file = 's'"),
                "https://",
            ),
            (String::from("[[slack]]\nname = 'a b'\nurl_file = 's'"), "a name is"),
        ] {
            let why = checked(&text).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
    }
}
