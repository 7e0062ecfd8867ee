//! Sending a message through a channel: one try.

mod mail;
mod unhurried;
mod webhook;

use std::path::Path;
use std::time::Duration;

use super::config::{AlertsConfig, ChatConfig, MailConfig, WebhookConfig};
use super::kind::told;
use super::message::Outgoing;
use crate::outbound::Http;
use crate::providers::{Secret, Trust};

/// How long one try may take.
pub(super) const LONGEST: Duration = Duration::from_secs(45);
/// How long a file may take to be read.
const READ: Duration = Duration::from_secs(2);

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct Failure {
    /// In words, without any secret, address of mail or path: it is recorded, and read by others than who configures.
    pub(super) why: String,
    /// Whether the same again would come to the same.
    pub(super) for_good: bool,
}

impl Failure {
    fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), for_good: false }
    }

    fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), for_good: true }
    }

    /// What somebody else's words say, on one line and without the secret that they were sent.
    fn told(self, secret: Option<&Secret>) -> Self {
        let why = match secret {
            Some(secret) if secret.occurs_in(self.why.as_bytes()) => {
                String::from("its answer holds the secret that it was sent, and is not told")
            }
            _ => told(&serde_json::Value::String(self.why)),
        };
        Self { why, ..self }
    }
}

/// The channels of a configuration.
#[derive(Debug)]
pub(super) struct Channels {
    config: AlertsConfig,
    http: Http,
    roots: mail::Roots,
}

enum Channel<'a> {
    Mail(&'a MailConfig),
    Webhook(&'a WebhookConfig),
    Slack(&'a ChatConfig),
    Teams(&'a ChatConfig),
}

impl Channels {
    pub(super) fn new(config: AlertsConfig, http: Http, trust: &Trust) -> Self {
        Self { config, http, roots: mail::Roots::of(trust) }
    }

    pub(super) const fn config(&self) -> &AlertsConfig {
        &self.config
    }

    fn find(&self, name: &str) -> Option<Channel<'_>> {
        let config = &self.config;
        let mail = || config.mail.iter().find(|one| one.name == name).map(Channel::Mail);
        let webhook = || config.webhook.iter().find(|one| one.name == name).map(Channel::Webhook);
        let slack = || config.slack.iter().find(|one| one.name == name).map(Channel::Slack);
        let teams = || config.teams.iter().find(|one| one.name == name).map(Channel::Teams);
        mail().or_else(webhook).or_else(slack).or_else(teams)
    }

    /// The addresses of a channel; `None` where there is no such channel.
    pub(super) fn targets(&self, name: &str) -> Option<Vec<String>> {
        Some(match self.find(name)? {
            Channel::Mail(mail) => mail.to.clone(),
            Channel::Webhook(_) | Channel::Slack(_) | Channel::Teams(_) => vec![String::new()],
        })
    }

    /// Sends a message, once.
    pub(super) async fn send(
        &self,
        channel: &str,
        target: &str,
        message: &Outgoing,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let Some(found) = self.find(channel) else {
            return Err(Failure::for_good("the configuration has no such channel any more"));
        };
        let sending = async {
            match found {
                Channel::Mail(mail) => mail::send(mail, target, &self.roots, message).await,
                Channel::Webhook(hook) => webhook::send(hook, &self.http, message, now_ms).await,
                Channel::Slack(chat) => webhook::say(chat, &self.http, &message.slack()).await,
                Channel::Teams(chat) => webhook::say(chat, &self.http, &message.teams()).await,
            }
        };
        let slow = || Failure::for_now(format!("it took longer than {} seconds", LONGEST.as_secs()));
        tokio::time::timeout(LONGEST, Box::pin(sending)).await.unwrap_or_else(|_| Err(slow()))
    }
}

/// The secret that the file of a setting holds, read anew for each message: one that is replaced needs no restart.
async fn secret(setting: &str, path: &Path) -> Result<Secret, Failure> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        crate::credentials::read_file(&owned, None).and_then(crate::credentials::usable)
    });
    let read = match tokio::time::timeout(READ, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) | Err(_) => Err(String::from("it cannot be read in time")),
    };
    read.map_err(|why| Failure::for_now(format!("its `{setting}`: {why}")))
}
