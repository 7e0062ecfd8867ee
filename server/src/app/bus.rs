//! What servers on one database tell one another at once: that somebody is short of a budget, that there is room again,
//! that the configuration has changed, or the repository of the policy. All of it is found by looking too; a word that is lost costs a moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::App;
use crate::budgets::{Bus, Note};
use crate::store::replicas::ReplicaNumber;
use crate::store::{Store, notices};

/// Words that wait to be told; more are not told.
const QUEUE: usize = 1024;
/// The most words of one notice, which has a size.
const WORDS: usize = 256;
/// How long the words of one notice are gathered: many waiting requests say the same.
const GATHER: Duration = Duration::from_millis(5);
/// How long it is waited where there is no connection to listen on.
const AGAIN: Duration = Duration::from_secs(1);
/// The word for a changed configuration.
const CHANGED: &str = "c";
/// The word for a changed repository of the policy.
const POLICY: &str = "p";

/// The way to the others.
#[derive(Debug, Clone)]
pub(super) struct DatabaseBus(mpsc::Sender<String>);

impl DatabaseBus {
    /// Tells the others on `store` what the replica `me` has to say.
    pub(super) fn new(store: &Store, me: ReplicaNumber) -> Self {
        let (words, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(tell(store.clone(), me, waiting));
        Self(words)
    }

    /// The configuration has changed.
    pub(super) fn changed(&self) {
        let _ = self.0.try_send(CHANGED.to_owned());
    }

    /// The repository of the policy has changed.
    pub(super) fn policy_changed(&self) {
        let _ = self.0.try_send(POLICY.to_owned());
    }
}

impl Bus for DatabaseBus {
    fn tell(&self, note: Note) {
        // Where too many wait, the others find out by looking.
        let _ = self.0.try_send(match note {
            Note::Short(budget) => format!("s{budget}"),
            Note::Room(budget) => format!("r{budget}"),
        });
    }
}

async fn tell(store: Store, me: ReplicaNumber, mut waiting: mpsc::Receiver<String>) {
    let mut words = Vec::with_capacity(WORDS);
    while waiting.recv_many(&mut words, WORDS).await > 0 {
        tokio::time::sleep(GATHER).await;
        while words.len() < WORDS
            && let Ok(word) = waiting.try_recv()
        {
            words.push(word);
        }
        let said: BTreeSet<String> = words.drain(..).collect();
        let text = said.into_iter().fold(me.get().to_string(), |text, word| format!("{text} {word}"));
        if let Err(error) = notices::tell(&store, &text).await {
            tracing::debug!(%error, "the other servers are not told, and find out by looking");
        }
    }
}

/// Listens to the others until the server ends.
pub(super) fn listen(app: &Arc<App>) {
    let stopping = app.gateway.stopping.clone();
    let (weak, store, me) = (Arc::downgrade(app), app.store.clone(), app.gateway.audit.replica().number);
    let listening = async move {
        loop {
            let mut listener = match notices::listen(&store).await {
                Ok(Some(listener)) => listener,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "the other servers cannot be heard");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            while let Ok(text) = listener.next().await {
                let Some(app) = weak.upgrade() else { return };
                hear(&app, me, &text);
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = listening => {}
        }
    });
}

fn hear(app: &App, me: ReplicaNumber, text: &str) {
    let mut words = text.split(' ');
    if words.next().is_none_or(|from| from.parse() == Ok(me.get())) {
        return;
    }
    for word in words {
        if word == CHANGED {
            app.changed.notify_one();
        } else if word == POLICY {
            if let Some(policy) = &app.policy {
                policy.changed.notify_one();
            }
        } else if let Some(note) = note(word) {
            app.gateway.budgets.heard(note);
        }
    }
}

/// A word that nobody knows is one of a later version.
fn note(word: &str) -> Option<Note> {
    if let Some(budget) = word.strip_prefix('s') {
        return budget.parse().ok().map(Note::Short);
    }
    word.strip_prefix('r')?.parse().ok().map(Note::Room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_passed_over() {
        assert_eq!(note("s12"), Some(Note::Short(12)));
        assert_eq!(note("r7"), Some(Note::Room(7)));
        for unknown in ["", "s", "x3", "s1x", "rs1"] {
            assert_eq!(note(unknown), None, "{unknown}");
        }
    }
}
