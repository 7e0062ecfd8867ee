//! A disk that is full under the database of several servers. It is a real one; where none can be mounted, the test says that
//! it was skipped.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fleet::{Fleet, PATIENCE, Purse, Replica, a_call, until};
use crate::support::database;
use crate::support::disk::Disk;

/// How long an answer may take while there is no room.
const REFUSED: Duration = Duration::from_secs(16);
/// Within which a server serves again once there is room.
const BACK: Duration = Duration::from_secs(20);
/// Refusals after which it is believed that nothing finds room any more.
const REFUSALS: usize = 12;

/// A disk with room for one database and little more.
struct Small {
    /// The database that was moved to it, and what the cluster calls the disk.
    moved: Option<(String, String)>,
    disk: Disk,
    _folder: TempDir,
}

impl Small {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs as somebody else, who has to get there.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let words = ["-t", "tmpfs", "-o", "size=48m", "tmpfs"];
        let disk = Disk::mount(&folder.path().join("disk"), &words)?;
        Some(Self { moved: None, disk, _folder: folder })
    }

    /// Moves the database at `url` to it, which nobody serves.
    async fn take(&mut self, url: &str) {
        let data = database::text(url, "SELECT current_setting('data_directory')").await;
        let owner = std::fs::metadata(data).unwrap();
        std::os::unix::fs::chown(&self.disk.0, Some(owner.uid()), Some(owner.gid())).unwrap();
        let name = database::name_of(url);
        let space = format!("small_{name}");
        let at = self.disk.0.display();
        self.moved = Some((name.to_owned(), space.clone()));
        database::administer(&format!("CREATE TABLESPACE {space} LOCATION '{at}'")).await;
        database::shut(name).await;
        database::administer(&format!("ALTER DATABASE {name} SET TABLESPACE {space}")).await;
        database::let_in(name).await;
    }
}

impl Drop for Small {
    /// Takes the database along: the cluster goes on, and would miss what is on a disk that is gone.
    fn drop(&mut self) {
        let Some((name, space)) = self.moved.take() else { return };
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                database::administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                database::administer(&format!("DROP TABLESPACE IF EXISTS {space}")).await;
            });
        });
        let _ = dropped.join();
    }
}

/// Asks one server after the other until nothing finds room any more: what is not served is refused in good form, and what
/// is not served has not left.
async fn fills_up(fleet: &Fleet, purse: &Purse) {
    let (before, began) = (fleet.provider.received_count(), Instant::now());
    let (mut served, mut refused, mut at) = (0, 0, 0);
    while refused < REFUSALS {
        assert!(began.elapsed() < PATIENCE, "{served} are served without a disk");
        at = (at + 1) % fleet.replicas.len();
        let nothing_more = json!({});
        let asked = fleet.ask(at, &purse.key, &nothing_more);
        let (status, body) = tokio::time::timeout(REFUSED, asked).await.expect("in time").expect("an answer");
        match status {
            200 => served += 1,
            503 => {
                refused += 1;
                let body: Value = serde_json::from_slice(&body).unwrap();
                let code = body["error"]["code"].as_str().unwrap();
                assert!(["audit_unavailable", "unavailable"].contains(&code), "{body}");
                assert!(body["bailiwick"]["fix"].is_string(), "{body}");
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(&body)),
        }
    }
    eprintln!("{served} are served after the disk is full, {refused} refused");
    assert_eq!(fleet.provider.received_count(), before + served, "nothing leaves without a record");
}

async fn serves(fleet: &Fleet, purse: &Purse, at: usize) -> Duration {
    until("it serves", || async {
        fleet.ask(at, &purse.key, &json!({})).await.is_some_and(|(status, _)| status == 200)
    })
    .await
}

async fn is_survived(limits: &str) {
    if Fleet::size() == 1 {
        return;
    }
    let Some(mut small) = Small::mount() else { return };
    let mut fleet = Fleet::start_with(3, &a_call("0.01"), limits).await;
    let purse = fleet.purse("shared", "100", false).await;
    fleet.replicas.iter_mut().for_each(Replica::end);
    small.take(&fleet.database_url().await).await;
    fleet.replicas.iter_mut().for_each(Replica::start);
    for at in 0..3 {
        serves(&fleet, &purse, at).await;
    }
    let filler = small.disk.fill();
    fills_up(&fleet, &purse).await;
    std::fs::remove_file(filler).unwrap();
    for at in 0..3 {
        let back = serves(&fleet, &purse, at).await;
        assert!(back < BACK, "{back:?}");
    }
    fleet.settled().await;
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_database_refuses_until_there_is_room_again() {
    is_survived("spool_bytes = 0\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_database_is_bridged_by_the_spools_for_a_while() {
    is_survived("staleness_seconds = 3\n").await;
}
