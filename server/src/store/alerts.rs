//! Alerts, the messages that tell of them, and how far the log was read for them.
//!
//! Whoever raises holds the one row of how far the log was read. So two servers that both believe it is their duty raise
//! one after the other, and what is told of once is raised once.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};

use super::alert_messages::{AlertMessage, WAITING};
use super::entities::{alert_messages, alerts, alerts_read, records, tree_head};
use super::within::within;
use super::{Store, StoreError, replicas, runs, seen::unchanged};

pub use super::entities::alerts::Model as Alert;

use alert_messages::Column as Message;
use alerts::Column;

/// How far the log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The first leaf that was not read yet.
    pub leaf: u64,
    /// The tree's size.
    pub size: u64,
    /// Acts that were begun before the leaf and not ended: their leaves, by id.
    pub begun: BTreeMap<String, u64>,
}

/// A step of reading: from the leaf that it was read up to.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it was found.
    pub from: u64,
    /// As it is afterwards.
    pub to: u64,
    /// Acts that are begun and not ended by then.
    pub begun: BTreeMap<String, u64>,
}

/// When the same subject is another alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Never: it is told of once.
    Once,
    /// When the one before is closed. Until then it is counted, and told again after so many milliseconds.
    WhenClosed {
        /// Milliseconds between two times that it is told.
        tell_after_ms: i64,
    },
}

/// A message to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id, where it is not added to another one.
    pub id: String,
    /// Through what.
    pub channel: String,
    /// To whom.
    pub target: String,
    /// When it is to be sent, Unix milliseconds.
    pub next_ms: i64,
    /// Until when it takes up further alerts; one that takes up none goes by itself.
    pub collects_until_ms: Option<i64>,
}

/// An alert to be raised.
#[derive(Clone, Debug)]
pub struct Raise {
    /// The alert.
    pub alert: Alert,
    /// When the same subject is another one.
    pub again: Again,
    /// Whom it is told.
    pub messages: Vec<NewMessage>,
}

/// What is asked of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these scopes and below.
    pub scopes: Vec<String>,
    /// `open`, `acknowledged` or `closed`.
    pub state: Option<&'static str>,
    /// One of these severities.
    pub severities: Vec<&'static str>,
    /// Of this kind.
    pub kind: Option<String>,
}

fn leaf_of(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt(String::from("a leaf below zero")))
}

fn of_leaf(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Corrupt(String::from("a leaf beyond the log")))
}

/// Reads from now on, where the log was not read before: what happened earlier is no news.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn begin(store: &Store, log: &str) -> Result<(), StoreError> {
    let head = tree_head::Entity::find_by_id(log.to_owned()).one(&store.read).await?;
    let row = alerts_read::ActiveModel {
        log: Set(log.to_owned()),
        leaf: Set(head.map_or(0, |head| head.size)),
        begun: Set(json!({})),
    };
    alerts_read::Entity::insert(row)
        .on_conflict(OnConflict::column(alerts_read::Column::Log).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}

/// How far a log was read; `None` where that has not [begun](begin).
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn read(store: &Store, log: &str) -> Result<Option<Read>, StoreError> {
    let row = alerts_read::Entity::find_by_id(log.to_owned()).one(&store.read).await?;
    let Some(row) = row else { return Ok(None) };
    let head = tree_head::Entity::find_by_id(log.to_owned()).one(&store.read).await?;
    Ok(Some(Read {
        leaf: leaf_of(row.leaf)?,
        size: leaf_of(head.map_or(0, |head| head.size))?,
        begun: serde_json::from_value(row.begun).map_err(|why| StoreError::Corrupt(why.to_string()))?,
    }))
}

/// Raises alerts, and with a step moves how far `log`, the one in force, was read: both or neither. Which were raised and
/// are no repetition; `None` where another server took the step.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn raise(
    store: &Store,
    log: &str,
    step: Option<&Step>,
    raises: &[Raise],
    now_ms: i64,
) -> Result<Option<Vec<Alert>>, StoreError> {
    store
        .transaction(|transaction| {
            let (log, step, raises) = (log.to_owned(), step.cloned(), raises.to_vec());
            Box::pin(async move {
                let row = alerts_read::Entity::find_by_id(log.clone());
                let row = row.lock_exclusive().one(transaction).await?;
                if let Some(step) = step {
                    let from = of_leaf(step.from)?;
                    if row.is_none_or(|row| row.leaf != from) {
                        return Ok(None);
                    }
                    let change = alerts_read::ActiveModel {
                        log: Set(log),
                        leaf: Set(of_leaf(step.to)?),
                        begun: Set(json!(step.begun)),
                    };
                    alerts_read::Entity::update(change).exec_without_returning(transaction).await?;
                }
                let mut new = Vec::new();
                for raise in raises {
                    new.extend(raise_one(transaction, raise, now_ms).await?);
                }
                Ok(Some(new))
            })
        })
        .await
}

async fn raise_one(
    transaction: &DatabaseTransaction,
    raise: Raise,
    now_ms: i64,
) -> Result<Option<Alert>, StoreError> {
    let Raise { alert, again, messages } = raise;
    let before = alerts::Entity::find()
        .filter(Column::Subject.eq(alert.subject.as_str()))
        .order_by_desc(Column::Id)
        .one(transaction)
        .await?;
    match (before, again) {
        (Some(_), Again::Once) => Ok(None),
        (Some(open), Again::WhenClosed { tell_after_ms }) if open.closed_ms.is_none() => {
            let tell = now_ms.saturating_sub(open.told_ms) >= tell_after_ms && open.acknowledged_ms.is_none();
            let change = alerts::ActiveModel {
                id: Set(open.id.clone()),
                last_ms: Set(now_ms),
                repeats: Set(open.repeats.saturating_add(1)),
                told_ms: Set(if tell { now_ms } else { open.told_ms }),
                facts: Set(alert.facts),
                ..Default::default()
            };
            alerts::Entity::update(change).exec_without_returning(transaction).await?;
            for message in messages.into_iter().filter(|_| tell) {
                tell_of(transaction, &open.id, message, now_ms).await?;
            }
            Ok(None)
        }
        _ => {
            alerts::Entity::insert(alert.clone().into_active_model())
                .exec_without_returning(transaction)
                .await?;
            for message in messages {
                tell_of(transaction, &alert.id, message, now_ms).await?;
            }
            Ok(Some(alert))
        }
    }
}

/// Makes the message, or adds to one that still takes up alerts.
async fn tell_of(
    transaction: &DatabaseTransaction,
    alert: &str,
    message: NewMessage,
    now_ms: i64,
) -> Result<(), StoreError> {
    if message.collects_until_ms.is_some() {
        let open = alert_messages::Entity::find()
            .filter(Message::Channel.eq(message.channel.as_str()))
            .filter(Message::Target.eq(message.target.as_str()))
            .filter(Message::State.eq(WAITING))
            .filter(Message::Attempts.eq(0))
            .filter(Message::CollectsUntilMs.gt(now_ms))
            .order_by_asc(Message::Id)
            .lock_exclusive()
            .one(transaction)
            .await?;
        if let Some(open) = open {
            let mut of: Vec<Value> = open.alerts.as_array().cloned().unwrap_or_default();
            if !of.iter().any(|known| known == alert) {
                of.push(json!(alert));
            }
            let change = alert_messages::ActiveModel {
                id: Set(open.id),
                alerts: Set(Value::Array(of)),
                // Whoever is to be told sooner is: with what was gathered until then.
                next_ms: Set(Ord::min(open.next_ms, message.next_ms)),
                collects_until_ms: Set(Ord::min(open.collects_until_ms, message.collects_until_ms)),
                ..Default::default()
            };
            alert_messages::Entity::update(change).exec_without_returning(transaction).await?;
            return Ok(());
        }
    }
    let row = AlertMessage {
        id: message.id,
        channel: message.channel,
        target: message.target,
        alerts: json!([alert]),
        state: WAITING.to_owned(),
        attempts: 0,
        next_ms: message.next_ms,
        collects_until_ms: message.collects_until_ms,
        created_ms: now_ms,
        ended_ms: None,
        error: None,
    };
    alert_messages::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
    Ok(())
}

/// The subjects of a kind that are not closed.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn unclosed(store: &Store, kind: &str) -> Result<BTreeSet<String>, StoreError> {
    let found: Vec<String> = alerts::Entity::find()
        .select_only()
        .column(Column::Subject)
        .filter(Column::Kind.eq(kind))
        .filter(Column::ClosedMs.is_null())
        .into_tuple()
        .all(&store.read)
        .await?;
    Ok(found.into_iter().collect())
}

/// Closes what is over.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn close(store: &Store, subject: &str, now_ms: i64) -> Result<(), StoreError> {
    alerts::Entity::update_many()
        .col_expr(Column::ClosedMs, Expr::value(now_ms))
        .filter(Column::Subject.eq(subject))
        .filter(Column::ClosedMs.is_null())
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Notes that somebody knows. `closes` tells whether the same is another alert from now on.
///
/// # Errors
/// [`StoreError::Conflict`] where somebody did before; [`StoreError::NotFound`], [`StoreError::Changed`],
/// [`StoreError::Unavailable`].
pub async fn acknowledge(
    store: &Store,
    id: &str,
    who: &str,
    note: Option<&str>,
    closes: bool,
    now_ms: i64,
    seen: Option<&Alert>,
) -> Result<(), StoreError> {
    let mut update = alerts::Entity::update_many()
        .col_expr(Column::AcknowledgedMs, Expr::value(now_ms))
        .col_expr(Column::AcknowledgedBy, Expr::value(who))
        .col_expr(Column::Note, Expr::value(note.map(str::to_owned)))
        .filter(Column::Id.eq(id))
        .filter(Column::AcknowledgedMs.is_null());
    if closes {
        let closed = Expr::col(Column::ClosedMs).if_null(now_ms);
        update = update.col_expr(Column::ClosedMs, closed);
    }
    let updated = store.transaction(|transaction| {
        let (id, seen, update) = (id.to_owned(), seen.cloned(), update.clone());
        Box::pin(async move {
            unchanged(transaction, alerts::Entity::find_by_id(id), seen.as_ref()).await?;
            Ok(update.exec(transaction).await?)
        })
    });
    if updated.await?.rows_affected == 1 {
        return Ok(());
    }
    get(store, id).await?;
    Err(StoreError::Conflict(String::from("the alert was acknowledged before")))
}

/// The alert with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<Alert, StoreError> {
    alerts::Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("alert"))
}

/// Those with these ids that are still kept, in the order in which they were raised.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn all(store: &Store, ids: &[String]) -> Result<Vec<Alert>, StoreError> {
    let found = alerts::Entity::find().filter(Column::Id.is_in(ids)).order_by_asc(Column::Id);
    Ok(found.all(&store.read).await?)
}

/// Up to `limit` alerts, newest first, older than the one with the id `before`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    filter: &Filter,
    before: Option<&str>,
    limit: u64,
) -> Result<Vec<Alert>, StoreError> {
    let mut query = alerts::Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(within) = within(Column::Scope, &filter.scopes) {
        query = query.filter(within);
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query = match filter.state {
        None => query,
        Some("open") => query.filter(Column::ClosedMs.is_null()).filter(Column::AcknowledgedMs.is_null()),
        Some("acknowledged") => query.filter(Column::AcknowledgedMs.is_not_null()),
        Some(_) => query.filter(Column::ClosedMs.is_not_null()).filter(Column::AcknowledgedMs.is_null()),
    };
    if !filter.severities.is_empty() {
        query = query.filter(Column::Severity.is_in(filter.severities.iter().copied()));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(Column::Kind.eq(kind.as_str()));
    }
    Ok(query.all(&store.read).await?)
}

/// Deletes messages that ended before an instant, and alerts that happened last before it.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn sweep(store: &Store, before_ms: i64) -> Result<(), StoreError> {
    alert_messages::Entity::delete_many().filter(Message::EndedMs.lt(before_ms)).exec(&store.write).await?;
    alerts::Entity::delete_many().filter(Column::LastMs.lt(before_ms)).exec(&store.write).await?;
    Ok(())
}

/// When the oldest record was drafted that has no place in the tree yet, Unix milliseconds.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(crate) async fn oldest_unsequenced(store: &Store) -> Result<Option<i64>, StoreError> {
    let mut oldest: Option<i64> = None;
    for peer in replicas::peers(store).await? {
        if peer.state == replicas::State::Gone {
            continue;
        }
        let next = peer.number.record(runs::sequenced_to(store, peer.number).await?)?;
        let time_ms: Option<i64> = records::Entity::find_by_id(next)
            .select_only()
            .column(records::Column::TimeMs)
            .into_tuple()
            .one(&store.read)
            .await?;
        oldest = oldest.into_iter().chain(time_ms).reduce(Ord::min);
    }
    Ok(oldest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::alert_messages::{due, messages_of};

    fn raise_of(id: &str, again: Again, messages: Vec<NewMessage>) -> Raise {
        let alert = Alert {
            id: id.to_owned(),
            kind: String::from("kill_switch_lifted"),
            severity: String::from("warning"),
            scope: String::from("/"),
            subject: id.to_owned(),
            facts: json!({}),
            raised_ms: 0,
            last_ms: 0,
            repeats: 0,
            told_ms: 0,
            acknowledged_ms: None,
            acknowledged_by: None,
            note: None,
            closed_ms: None,
        };
        Raise { alert, again, messages }
    }

    fn digest(id: &str, until_ms: i64) -> NewMessage {
        NewMessage {
            id: id.to_owned(),
            channel: String::from("ops"),
            target: String::new(),
            next_ms: until_ms,
            collects_until_ms: Some(until_ms),
        }
    }

    #[tokio::test]
    async fn what_is_to_be_told_sooner_takes_along_what_was_gathered() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        for (id, until_ms) in [("al_day", 86_400_000), ("al_quarter", 900_000), ("al_hour", 3_600_000)] {
            let raise_of = raise_of(id, Again::Once, vec![digest(&format!("msg_{id}"), until_ms)]);
            raise(&store, "log", None, &[raise_of], 1).await.unwrap();
        }
        assert!(due(&store, 899_999, &[], 9).await.unwrap().is_empty());
        let told = due(&store, 900_000, &[], 9).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].alerts, json!(["al_day", "al_quarter", "al_hour"]));
        assert_eq!(told[0].collects_until_ms, Some(900_000), "nothing is added after that");
        assert_eq!(messages_of(&store, "al_hour").await.unwrap(), told);
        store.close().await;
    }
}
