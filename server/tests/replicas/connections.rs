//! How many connections to the database servers have when they could use many more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{join, join_all};
use reqwest::Method;
use sea_orm::sqlx::{Connection as _, PgConnection};

use crate::fleet::{Fleet, a_call};
use crate::support::database;

/// The most that a server has: those of its pool, the one that commits and the one that listens.
const MOST: i64 = 9;
/// Lists that are asked of each server at once.
const LISTS: usize = 30;

/// The most connections that each server was seen to have.
type Most = BTreeMap<String, i64>;

async fn watch(url: String, most: Arc<Mutex<Most>>) {
    let mut connection = PgConnection::connect(&url).await.unwrap();
    loop {
        for (name, now) in database::connections(&mut connection).await {
            let mut most = most.lock().unwrap();
            let before = most.entry(name).or_insert(0);
            *before = now.max(*before);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_makes_do_with_few_connections_whatever_is_asked_of_it() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start(3, &a_call("0.001")).await;
    let purse = fleet.purse("shared", "1000", false).await;
    let url = fleet.database_url().await;
    let most: Arc<Mutex<Most>> = Arc::default();
    let watching = tokio::spawn(watch(url.clone(), Arc::clone(&most)));
    let load = fleet.load(&purse, 8);
    load.more(200, 60).await;
    // Whoever lists keys waits for this lock, on a connection of its own where there is one.
    let locked = database::hold(&url, "LOCK TABLE virtual_keys IN ACCESS EXCLUSIVE MODE").await;
    let before = load.seen(200);
    let lists = (0..3 * LISTS).map(|at| fleet.admin(at % 3, Method::GET, "/api/v1/keys", None));
    let released = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let during = load.seen(200);
        database::commit(locked).await;
        during
    };
    let (lists, during) = join(join_all(lists), released).await;
    assert!(during > before, "requests wait for those who list");
    for list in lists {
        assert!([200, 503].contains(&list.status().as_u16()), "{}", list.status());
    }
    let statuses = load.stop().await;
    assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    watching.abort();
    let most = most.lock().unwrap().clone();
    eprintln!("{most:?}, {statuses:?}");
    assert_eq!(most.len(), 3, "{most:?}");
    for (name, most) in &most {
        assert!(*most <= MOST, "{name}: {most}");
        assert!(*most > MOST - 3, "{name} was never short of a connection: {most}");
    }
    fleet.settled().await;
    fleet.finish().await;
}
