//! Handing in, begun and broken off anywhere.

use std::sync::Arc;

use tempfile::TempDir;

use super::testing::{LOG, frame_on};
use super::*;
use crate::store::budgets::{self, Budget, BudgetId};
use crate::store::replicas::{self, Registered};
use crate::store::{Store, StoreError, scopes, tree};

async fn database() -> (TempDir, Store, BudgetId, Registered) {
    let folder = TempDir::new().unwrap();
    let store = Store::open_in(folder.path()).await.unwrap();
    scopes::put(&store, "/", serde_json::json!({}), 0).await.unwrap();
    let budget = Budget {
        id: 0,
        scope: Some("/".into()),
        key_id: None,
        owner: None,
        model_group: None,
        window: "day".into(),
        unit: "usd".into(),
        limit_nano: 1_000_000,
        hard: true,
        thresholds: serde_json::json!([]),
        settings: serde_json::json!({}),
        created_ms: 0,
    };
    let budget = budgets::create(&store, budget).await.unwrap();
    tree::create(&store, LOG, Vec::new(), 0).await.unwrap();
    let (me, _) = replicas::join(&store, "r", 0).await.unwrap();
    assert_eq!(me.number.get(), 1);
    (folder, store, budget, me)
}

fn by(me: Registered, epoch: i64) -> By {
    By { replica: me.number, epoch, indexed_to: 0, settled_to: 0 }
}

fn frames(budget: BudgetId, sizes: &[u64]) -> Vec<Arc<Frame>> {
    let mut first = 0;
    let mut frames = Vec::new();
    for size in sizes {
        frames.push(Arc::new(frame_on(budget, first, *size)));
        first += size;
    }
    frames
}

async fn spent(store: &Store) -> i64 {
    let rows = budgets::spend_since(store, i64::MIN).await.unwrap();
    rows.iter().map(|row| row.settled_nano).sum()
}

#[tokio::test]
async fn what_is_handed_in_in_parts_by_several_lives_is_there_once() {
    let (_folder, store, budget, me) = database().await;
    // More than one commit takes.
    let frames = frames(budget, &[1, 300, 300, 2, 500, 40, 1]);
    let mut records = 0;
    for (at, frame) in frames.iter().enumerate() {
        // Each life begins with everything that it finds, and the one before was killed when it had come so far.
        records += frame.len() as u64;
        assert_eq!(hand_in(&store, by(me, me.epoch), &frames[..=at]).await.unwrap(), records);
        assert_eq!(spent(&store).await, 7 * (at as i64 + 1), "booked once");
    }
    // Killed after the last one, before the file was emptied.
    assert_eq!(hand_in(&store, by(me, me.epoch), &frames).await.unwrap(), records);
    assert_eq!(replicas::next_sequence(&store, me.number).await.unwrap(), records);
    assert_eq!(spent(&store).await, 7 * 7);
    store.close().await;
}

#[tokio::test]
async fn who_was_stopped_hands_in_nothing_and_who_comes_after_does() {
    let (_folder, store, budget, me) = database().await;
    let frames = frames(budget, &[2, 3]);
    hand_in(&store, by(me, me.epoch), &frames[..1]).await.unwrap();
    replicas::stop(&store, me.number).await.unwrap();
    let refused = hand_in(&store, by(me, me.epoch), &frames).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(replicas::next_sequence(&store, me.number).await.unwrap(), 2);
    assert_eq!(hand_in(&store, by(me, me.epoch + 1), &frames).await.unwrap(), 5);
    assert_eq!(spent(&store).await, 14);
    store.close().await;
}

#[tokio::test]
async fn records_of_another_life_of_the_database_are_not_taken_for_the_same() {
    let (_folder, store, budget, me) = database().await;
    let mine = frames(budget, &[2, 3]);
    hand_in(&store, by(me, me.epoch), &mine).await.unwrap();
    // Somebody else wrote under the number that this one had before the database was put back.
    let mut other = frames(budget, &[2, 3, 1]);
    let changed = Arc::make_mut(&mut other[1]);
    changed.records[0].leaf_hash[0] ^= 1;
    let refused = hand_in(&store, by(me, me.epoch), &other).await;
    assert!(
        matches!(&refused, Err(StoreError::Corrupt(why)) if why.contains("numbers 0 to 4")),
        "{refused:?}"
    );
    assert_eq!(replicas::next_sequence(&store, me.number).await.unwrap(), 5, "nothing is mixed");
    store.close().await;
}
