//! Alerts of servers that die, and of several on one database: nothing is lost, and nothing told by two.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::deaths::TAKEN_OVER;
use crate::fleet::{Fleet, a_call, until};
use crate::hook::{Answer, Hook};

/// How long whoever has the duty may need for an alert: the log is read, and what waits is sent, once a second each.
const TELLS: Duration = Duration::from_secs(3);

/// Tables behind `[limits]` of the configuration: everything that happens goes to this receiver.
fn alerts(hook: &Hook, folder: &std::path::Path) -> String {
    format!(
        "[[alerts.webhook]]\nname = \"hook\"\nurl = \"{}\"\nsecret_file = \"{}\"\n\
         [[alerts.route]]\nseverity = \"info\"\nkinds = [\"kill_switch_thrown\"]\nchannels = [\"hook\"]\n",
        hook.url(),
        Hook::secret(folder).display()
    )
}

async fn throw(fleet: &Fleet, at: usize, number: usize) {
    let expires = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let body = json!({
        "kind": "transfer_mechanism", "target": "bcr", "reason": format!("incident {number}"), "expires": expires,
    });
    let answer = fleet.admin(at, Method::POST, "/api/v1/kill-switches", Some(&body)).await;
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
}

/// The incidents that were told, once for each message that was taken.
fn told(hook: &Hook) -> Vec<String> {
    let taken = hook.taken("kill_switch_thrown");
    assert!(taken.iter().all(|one| one.signed), "{taken:#?}");
    let reasons = taken.iter().flat_map(|one| one.body["data"]["alerts"].as_array().unwrap().clone());
    reasons.map(|alert| alert["facts"]["reason"].as_str().unwrap().to_owned()).collect()
}

async fn until_told(hook: &Hook, count: usize) -> Vec<String> {
    until("every incident is told", || async {
        told(hook).into_iter().collect::<BTreeSet<_>>().len() >= count
    })
    .await;
    told(hook)
}

/// Killed with a message that was not taken yet, and killed while one is being sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_that_dies_had_to_tell_is_told_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let mut fleet = Fleet::start_with(1, &a_call("1"), &alerts(&hook, folder.path())).await;
    hook.answer([Answer::Status(500)]);
    throw(&fleet, 0, 1).await;
    let first = hook.until("the first try", |heard| heard.len() == 1).await.remove(0);
    throw(&fleet, 0, 2).await;
    fleet.replicas[0].kill();
    // On PostgreSQL the one that was being sent is left alone for as long as a try may last.
    fleet.replicas[0].start();
    let told = until_told(&hook, 2).await;
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "{told:?}");
    let again = hook.heard().into_iter().find(|one| one.status == 204 && one.id == first.id);
    assert!(again.is_some_and(|again| again.body == first.body), "the same message under the same id");
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_being_sent_when_the_server_died_is_sent_again_under_its_id() {
    if Fleet::size() > 1 {
        // There somebody else may still be sending it: it is another's after a minute and a half.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let mut fleet = Fleet::start_with(1, &a_call("1"), &alerts(&hook, folder.path())).await;
    hook.answer([Answer::Silence]);
    throw(&fleet, 0, 1).await;
    let first = hook.until("the first try", |heard| heard.len() == 1).await.remove(0);
    fleet.replicas[0].kill();
    fleet.replicas[0].start();
    let heard = hook.until("the second try", |heard| heard.len() == 2).await;
    assert_eq!((&heard[1].id, heard[1].status), (&first.id, 204));
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_one_tells_and_another_takes_over() {
    let count = Fleet::size();
    if count == 1 {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hook = Hook::start().await;
    let mut fleet = Fleet::start_with(count, &a_call("1"), &alerts(&hook, folder.path())).await;
    for number in 0..6 {
        throw(&fleet, number % count, number).await;
    }
    assert_eq!(until_told(&hook, 6).await.len(), 6);
    // The one with the lowest number leads.
    fleet.replicas[0].kill();
    let killed = Instant::now();
    throw(&fleet, 1, 6).await;
    let (sequenced, there) = fleet.sequenced().await;
    assert!(sequenced < there, "the one that was killed did not lead");
    until("another one sequences", || async { fleet.sequenced().await.0 >= there }).await;
    let sequenced = killed.elapsed();
    until_told(&hook, 7).await;
    let told_again = killed.elapsed();
    eprintln!("sequenced again after {sequenced:?}, told after {told_again:?}");
    assert!(sequenced < TAKEN_OVER, "{sequenced:?}");
    assert!(told_again < TAKEN_OVER + TELLS, "{told_again:?}");
    for number in 7..10 {
        throw(&fleet, 1, number).await;
    }
    until_told(&hook, 10).await;
    fleet.replicas[0].start();
    throw(&fleet, 0, 10).await;
    until_told(&hook, 11).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = told(&hook);
    assert_eq!(told.len(), told.iter().collect::<BTreeSet<_>>().len(), "nothing twice: {told:?}");
    let answer = fleet.admin(1, Method::GET, "/api/v1/alerts?kind=kill_switch_thrown", None).await;
    let alerts: Value = answer.json().await.unwrap();
    assert_eq!(alerts["alerts"].as_array().unwrap().len(), 11);
    fleet.finish().await;
}
