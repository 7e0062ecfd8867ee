//! Acts on the control plane, in the audit log: changes of keys and declarations, signing in and out.
//!
//! An act is recorded before it happens and again after it. Without the first record it does not happen, so everything
//! that took effect is in the log, by name. The second tells how it ended. If the log does not take that one, or the
//! server dies between, the act is still known to have been begun: a later try or the next start tells the end.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use bailiwick_ledger::{Draft, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{App, effect};
use crate::audit::{Audit, AuditUnavailable, Entry, StoredRecord};
use crate::gateway::record::{RecordError, Salts, section};
use crate::snapshot::BuildError;
use crate::store::replicas::ReplicaNumber;
use crate::store::{Store, StoreError};

/// The header's id that joins the two records of an act.
pub(crate) const ACT: &str = "act";
/// The header's id that tells them apart.
pub(crate) const PHASE: &str = "phase";
/// The phase of the first.
pub(crate) const BEGUN: &str = "begun";
const ENDED: &str = "ended";

tokio::task_local! {
    /// Where the request came from that is being served.
    static CLIENT: Option<IpAddr>;
}

/// Serves a request that came from `client`: acts that it leads to say so.
pub(crate) async fn asked_from<T>(client: Option<IpAddr>, work: impl Future<Output = T>) -> T {
    CLIENT.scope(client, work).await
}

/// Where the request came from that is being served; none outside of one, and where nobody knows.
pub(crate) fn client() -> Option<IpAddr> {
    CLIENT.try_with(|client| *client).ok().flatten()
}

/// The section `network`: apart, so that addresses can be destroyed alone.
#[derive(Debug, Serialize)]
struct NetworkSection {
    client: IpAddr,
}

/// What somebody is about to do. It names things by id and never holds a secret.
#[derive(Debug)]
pub struct Act<'a> {
    /// Of which kind its records are.
    pub kind: Kind,
    /// Who does it: `token:<id>`, `user:<id>`, a person's id, `system`.
    pub principal: &'a str,
    /// Where; the root where absent.
    pub scope: Option<&'a str>,
    /// Its name: `key_revoked`.
    pub name: &'static str,
    /// What it concerns.
    pub what: Value,
}

/// The section `act`.
#[derive(Debug, Serialize, Deserialize)]
struct ActSection {
    act: String,
    what: Value,
}

/// The section `result`.
#[derive(Debug, Clone, Serialize)]
struct ResultSection {
    /// `done`; `failed`, nothing or a part of it was changed; `stored`, changed and not in force yet; `interrupted`, the
    /// server stopped in the middle.
    result: &'static str,
    /// Whether it took effect, where an interrupted act left something to tell it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_effect: Option<bool>,
    /// What came of it.
    #[serde(skip_serializing_if = "Value::is_null")]
    made: Value,
}

/// The end of an act, as it has to be recorded.
#[derive(Debug, Clone)]
struct End {
    kind: Kind,
    act: String,
    principal: String,
    scope: Option<String>,
    result: ResultSection,
}

impl End {
    fn entry(&self, now_ms: i64) -> Result<Entry, RecordError> {
        let mut draft = Draft::new(self.kind, now_ms)
            .id("principal", self.principal.clone())
            .id(ACT, self.act.clone())
            .id(PHASE, ENDED)
            .section(section("result", &self.result, &mut Salts::new(1))?);
        draft.scope.clone_from(&self.scope);
        Ok(Entry::new(draft))
    }
}

/// Ends that the log has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Unended(Mutex<Vec<End>>);

impl Unended {
    fn push(&self, end: End) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }

    fn take(&self) -> Vec<End> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl App {
    /// Records `act`, does it, puts what is stored in force and records the end. One at a time. `made` tells what came of
    /// it, for the record.
    ///
    /// # Errors
    /// Why it was not recorded, and then nothing was done; its own error; or why no snapshot could be built of what is
    /// stored now.
    pub async fn act<T, E>(
        &self,
        act: Act<'_>,
        made: impl FnOnce(&T) -> Value + Send,
        change: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E>
    where
        E: From<BuildError> + From<RecordError>,
    {
        let _one_at_a_time = self.changing.lock().await;
        let mut end = self.begin(act).await?;
        let done = change.await;
        // A change that failed half-way may have stored something already: what is stored is what is in force.
        if let Some(bus) = &self.bus {
            bus.changed();
        }
        let rebuilt = self.reload().await;
        match (&done, &rebuilt) {
            (Ok(done), Ok(())) => end.result.made = made(done),
            (Ok(done), Err(_)) => {
                end.result.result = "stored";
                end.result.made = made(done);
            }
            (Err(_), _) => end.result.result = "failed",
        }
        self.end(end).await;
        let done = done?;
        rebuilt?;
        Ok(done)
    }

    /// As [`act`](Self::act), for what changes nothing that requests are decided by: sessions, sign-in links.
    ///
    /// # Errors
    /// Why it was not recorded, and then nothing was done; or its own error.
    pub async fn act_aside<T, E>(
        &self,
        act: Act<'_>,
        made: impl FnOnce(&T) -> Value + Send,
        change: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E>
    where
        E: From<RecordError>,
    {
        let mut end = self.begin(act).await?;
        let done = change.await;
        match &done {
            Ok(done) => end.result.made = made(done),
            Err(_) => end.result.result = "failed",
        }
        self.end(end).await;
        done
    }

    async fn begin(&self, act: Act<'_>) -> Result<End, RecordError> {
        let Act { kind, principal, scope, name, what } = act;
        let id = format!("act_{}", uuid::Uuid::now_v7().simple());
        let body = ActSection { act: name.to_owned(), what };
        let mut salts = Salts::new(2);
        let mut draft = Draft::new(kind, self.gateway.clock.now_ms())
            .id("principal", principal)
            .id(ACT, id.clone())
            .id(PHASE, BEGUN)
            .section(section("act", &body, &mut salts)?);
        if let Some(client) = client() {
            draft = draft.section(section("network", &NetworkSection { client }, &mut salts)?);
        }
        draft.scope = scope.map(str::to_owned);
        self.gateway.audit.append(Entry::new(draft)).await?;
        Ok(End {
            kind,
            act: id,
            principal: principal.to_owned(),
            scope: scope.map(str::to_owned),
            result: ResultSection { result: "done", took_effect: None, made: Value::Null },
        })
    }

    /// The act happened and the log knows of it; a log that does not take the end gets it later.
    async fn end(&self, end: End) {
        if let Err(error) = self.try_end(&end).await {
            tracing::warn!(act = end.act, %error, "the end of an act waits for the audit log");
            self.unended.push(end);
        }
    }

    async fn try_end(&self, end: &End) -> Result<(), RecordError> {
        self.gateway.audit.append_for_sure(end.entry(self.gateway.clock.now_ms())?).await?;
        Ok(())
    }

    /// Tries to record the ends that wait.
    pub(super) async fn end_acts(&self) {
        for end in self.unended.take() {
            self.end(end).await;
        }
    }
}

/// Records the end of an act that was begun before the last stop.
pub(super) async fn interrupted(
    audit: &Audit,
    store: &Store,
    record: &StoredRecord,
    now_ms: i64,
) -> Result<(), Interrupted> {
    let header = record.header()?;
    let of = |name: &str| header.ids.get(name).cloned().unwrap_or_default();
    let begun: Option<ActSection> =
        record.section(ACT).and_then(|section| serde_json::from_slice(&section.bytes).ok());
    let took_effect = match &begun {
        Some(begun) => effect::of(store, &begun.act, &begun.what).await?,
        None => None,
    };
    let end = End {
        kind: header.known_kind().unwrap_or(Kind::Admin),
        act: of(ACT),
        principal: of("principal"),
        scope: header.scope.clone(),
        result: ResultSection { result: "interrupted", took_effect, made: Value::Null },
    };
    let mut entry = end.entry(now_ms)?;
    entry.spent_by = Some(ReplicaNumber::of(record.id));
    audit.append_for_sure(entry).await?;
    Ok(())
}

/// Why the end of an interrupted act could not be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Audit(#[from] AuditUnavailable),
}
