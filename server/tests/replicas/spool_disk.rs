//! A disk that is full under the spool. It is a real one; where none can be mounted, the test says that it was skipped.

use std::time::Duration;

use crate::fleet::{Fleet, a_call, dollars, until};
use crate::proxy::Wire;
use crate::spool::{all_serve, ask, spool, wire};
use crate::support::disk::Disk;

const FILES: [&str; 4] = ["log.key", "token.key", "pseudonym.key", "checkpoint"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_spool_refuses_and_what_came_in_before_is_kept() {
    if Fleet::size() == 1 {
        return;
    }
    let mut fleet = Fleet::start_with(1, &a_call("0.01"), "staleness_seconds = 60\n").await;
    let purse = fleet.purse("shared", "100", false).await;
    fleet.replicas[0].end();
    let data = fleet.data(0);
    let kept: Vec<_> = FILES.iter().map(|name| (name, std::fs::read(data.join(name)).unwrap())).collect();
    let Some(disk) = Disk::mount(&data, &["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"]) else { return };
    for (name, bytes) in kept {
        crate::support::disk::write_private(&data.join(name), &bytes);
    }
    for dies in [false, true] {
        fleet.replicas[0].start();
        all_serve(&fleet, &purse).await;
        // Some calls fit, and then one does not, somewhere in the middle of what is written.
        let filler = disk.fill();
        let filled = std::fs::metadata(&filler).unwrap().len();
        let file = std::fs::File::options().write(true).open(&filler).unwrap();
        file.set_len(filled - 32_768).unwrap();
        wire(&fleet, 0, Wire::Cut);
        let (mut served, before) = (0, fleet.provider.received_count());
        let refused = loop {
            match ask(&fleet, 0, &purse).await {
                200 => served += 1,
                other => break other,
            }
        };
        assert_eq!(refused, 503, "{}", fleet.replicas[0].said());
        assert!(served > 1, "{served}");
        assert_eq!(
            fleet.provider.received_count(),
            before + served,
            "nothing leaves that is not written down"
        );
        assert!(fleet.replicas[0].said().contains("the spool takes nothing more"));
        let ready = fleet.client.get(format!("{}/readyz", fleet.replicas[0].url())).send().await;
        assert_eq!(ready.unwrap().status(), 503);
        if dies {
            fleet.replicas[0].kill();
            wire(&fleet, 0, Wire::Works);
            // Not even a start needs room: what was handed in makes it.
            fleet.replicas[0].start();
            assert!(fleet.replicas[0].said().contains("left in its spool is in the log"));
        } else {
            wire(&fleet, 0, Wire::Works);
        }
        all_serve(&fleet, &purse).await;
        until("everything is booked", || async {
            let calls = i64::try_from(fleet.provider.received_count()).unwrap();
            fleet.spent(purse.budget).await == calls * dollars(1) / 100
        })
        .await;
        std::fs::remove_file(filler).unwrap();
        // With room it spools again.
        let empty = std::fs::metadata(spool(&fleet, 0)).unwrap().len();
        wire(&fleet, 0, Wire::Cut);
        assert_eq!(ask(&fleet, 0, &purse).await, 200);
        assert!(std::fs::metadata(spool(&fleet, 0)).unwrap().len() > empty);
        wire(&fleet, 0, Wire::Works);
        all_serve(&fleet, &purse).await;
        fleet.settled().await;
        if !dies {
            fleet.replicas[0].end();
        }
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    fleet.finish().await;
}
