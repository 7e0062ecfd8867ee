//! Ending what a declaration does not name.

use serde::Serialize;

use super::Change;
use super::apply::{is_current, path};
use super::export::{Names, line};
use crate::store::budgets::Budget;
use crate::store::{self, Store, StoreError};

/// Why a key is revoked that a declaration does not name.
const BECAUSE: &str = "no longer declared";

/// What was ended because a declaration does not name it.
#[derive(Debug, Default, Serialize)]
pub struct Ended {
    /// What has ended or is gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<String>,
    /// What stays, without anything that was declared for it, because records of the past still name it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

/// How something ended.
enum End {
    Gone,
    Kept,
}

/// Ends what `changes` says is to be deleted, those first that others name.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn prune(store: &Store, changes: &[Change], now_ms: i64) -> Result<Ended, StoreError> {
    let mut done = Ended::default();
    for kind in ["workload", "key", "budget", "limit", "endpoint", "credential", "model_group", "scope"] {
        // Of two scopes the one below goes first.
        for change in changes.iter().rev().filter(|it| it.change == "delete" && it.kind == kind) {
            let name = &change.name;
            let ended = match kind {
                "workload" => store::workloads::delete(store, name).await.map(|()| End::Gone),
                "key" => revoke(store, name, now_ms).await.map(|()| End::Gone),
                "endpoint" => store::endpoints::delete(store, name).await.map(|()| End::Gone),
                "credential" => store::credentials::delete(store, name, None).await.map(|()| End::Gone),
                "model_group" => disband(store, name, now_ms).await,
                "scope" => leave(store, name, now_ms).await,
                // Below, all at once.
                _ => continue,
            };
            match ended? {
                End::Gone => done.pruned.push(format!("{kind} {name}")),
                End::Kept => done.kept.push(format!("{kind} {name}")),
            }
        }
        if kind == "limit" {
            retire(store, changes, &mut done.pruned, now_ms).await?;
        }
    }
    Ok(done)
}

async fn revoke(store: &Store, named: &str, now_ms: i64) -> Result<(), StoreError> {
    let rows = store::keys::list(store).await?;
    let ended: Vec<&str> = rows
        .iter()
        .filter(|row| is_current(row) && path(&row.scope, &row.name) == named)
        .flat_map(|row| {
            // Those that it replaced and that still work.
            let line = line(row);
            rows.iter().filter(move |other| line == super::export::line(other)).map(|other| other.id.as_str())
        })
        .collect();
    if ended.is_empty() {
        return Err(StoreError::NotFound("key"));
    }
    store::keys::revoke(store, &ended, Some(BECAUSE), now_ms, None).await
}

/// A group that is no longer declared: gone where nothing names it, and without models where past spend does.
async fn disband(store: &Store, name: &str, now_ms: i64) -> Result<End, StoreError> {
    match store::model_groups::delete(store, name).await {
        Err(StoreError::Conflict(_)) => {
            store::model_groups::put(store, name, serde_json::json!([]), now_ms).await.map(|()| End::Kept)
        }
        done => done.map(|()| End::Gone),
    }
}

/// A scope that is no longer declared: gone where nothing names it, and without declarations otherwise. The root stays.
async fn leave(store: &Store, path: &str, now_ms: i64) -> Result<End, StoreError> {
    let gone = if path == "/" {
        Err(StoreError::Conflict(String::from("there is always a root")))
    } else {
        store::scopes::delete(store, path).await
    };
    match gone {
        Err(StoreError::Conflict(_)) => {
            let nothing = serde_json::to_value(super::Declarations::default()).unwrap_or_default();
            store::scopes::put(store, path, nothing, now_ms).await.map(|()| End::Kept)
        }
        done => done.map(|()| End::Gone),
    }
}

/// Retires the budgets and limits that hold and are not declared.
async fn retire(
    store: &Store,
    changes: &[Change],
    done: &mut Vec<String>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let names = Names::new(&store::keys::list(store).await?, now_ms);
    for row in store::budgets::list(store).await? {
        let Some((kind, name)) = super::export::called(&row, &names)? else { continue };
        if changes.iter().any(|it| it.change == "delete" && it.kind == kind && it.name == name) {
            store::budgets::update(store, retired(row)).await?;
            done.push(format!("{kind} {name}"));
        }
    }
    Ok(())
}

fn retired(mut row: Budget) -> Budget {
    if let Some(settings) = row.settings.as_object_mut() {
        settings.insert(String::from("retired"), true.into());
    }
    row
}
