//! Files that were torn, damaged, filled.

use super::super::testing::{LOG, config, frame};
use super::*;

async fn written(folder: &Path) -> Vec<u8> {
    let config = config(folder);
    let mut spool = Spool::create(&config, LOG, ReplicaNumber::new(1)).unwrap();
    for (first, count) in [(4, 1), (5, 3), (8, 2)] {
        spool.append(&frame(first, count)).await.unwrap();
    }
    std::fs::read(&config.path).unwrap()
}

fn shape(left: &Left) -> Vec<(u64, u64)> {
    left.frames.iter().map(|frame| (frame.first, frame.next())).collect()
}

#[tokio::test]
async fn what_was_appended_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let left = read(&folder.path().join("spool")).unwrap().unwrap();
    assert_eq!((left.log.as_str(), left.replica.get()), (LOG, 1));
    assert_eq!(shape(&left), [(4, 5), (5, 8), (8, 10)]);
    let told = |frame: &Frame| format!("{frame:?}");
    assert_eq!(told(&left.frames[1]), told(&frame(5, 3)), "to the last byte");
    assert!(read(&folder.path().join("none")).unwrap().is_none());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join("spool")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_torn_end_is_as_if_it_had_not_been_begun_and_any_other_damage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = written(folder.path()).await;
    let path = folder.path().join("spool");
    let ends: Vec<usize> = {
        let mut ends = vec![0];
        let mut rest = whole.as_slice();
        while let Some((_, after)) = unframe(rest).unwrap() {
            ends.push(whole.len() - after.len());
            rest = after;
        }
        ends
    };
    assert_eq!(ends.len(), 5);
    let before_last = ends[3];
    for cut in before_last..whole.len() {
        let left = parse(&path, &whole[..cut]).unwrap().unwrap();
        assert_eq!(shape(&left), [(4, 5), (5, 8)], "cut at {cut}");
        // The file had grown, and nothing had come into it.
        let mut grown = whole[..cut].to_vec();
        if cut == before_last || cut >= before_last + HEAD {
            grown.resize(whole.len(), 0);
            let left = parse(&path, &grown).unwrap().unwrap();
            assert_eq!(shape(&left), [(4, 5), (5, 8)], "zeros from {cut} on");
        }
    }
    // Whatever byte before the last frame changes, and most in it: nothing is dropped silently.
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        let refused = parse(&path, &changed).unwrap_err().to_string();
        let began = ends.iter().rev().find(|end| **end <= at).unwrap();
        assert!(refused.contains(&format!("damaged at byte {began}:")), "{at}: {refused}");
        assert!(refused.contains("replicas lost"), "{refused}");
    }
}

#[tokio::test]
async fn a_head_of_which_a_sector_did_not_come_is_torn_where_nothing_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    // The first frame ends so that the head of the second one lies across two sectors, or in one.
    let mut across = 0;
    for first in 4..200 {
        let mut spool = Spool::create(&config(folder.path()), LOG, ReplicaNumber::new(1)).unwrap();
        let mut lengths = Vec::new();
        for frame in [frame(first, 1 + first % 5), frame(first + 1 + first % 5, 2)] {
            spool.append(&frame).await.unwrap();
            lengths.push(usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap());
        }
        drop(spool);
        let (whole, begins) = (std::fs::read(&path).unwrap(), lengths[0]);
        let sector = (begins / SECTOR + 1) * SECTOR;
        across += usize::from(sector - begins < HEAD);
        let mut holes = vec![(begins, sector.min(whole.len()))];
        if sector - begins < HEAD {
            holes.push((sector, (sector + SECTOR).min(whole.len())));
        }
        for (from, to) in holes {
            let mut torn = whole.clone();
            torn[from..to].fill(0);
            let left = parse(&path, &torn).unwrap().unwrap();
            assert_eq!(shape(&left), [(first, first + 1 + first % 5)], "{from} to {to}");
            // With another frame after it, it was on the disk.
            torn.extend(framed(&frame(first, 1).encode().unwrap()).unwrap());
            assert!(matches!(parse(&path, &torn), Err(SpoolError::Damaged { .. })), "{from} to {to}");
        }
        // Less than a sector is no hole.
        if sector - begins > HEAD {
            let mut damaged = whole.clone();
            damaged[begins..begins + 8].fill(0);
            assert!(parse(&path, &damaged).is_err(), "at {begins}");
        }
    }
    assert!(across > 0, "no head lay across two sectors");
}

#[tokio::test]
async fn a_full_spool_takes_nothing_more_and_is_good_again_when_it_was_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let config = SpoolConfig { bytes: 4_000, ..config(folder.path()) };
    let mut spool = Spool::create(&config, LOG, ReplicaNumber::new(1)).unwrap();
    let mut next = 0;
    let full = loop {
        match spool.append(&frame(next, 1)).await {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SpoolError::Full { most: 4_000, .. }), "{full}");
    assert!(next > 1);
    assert!(matches!(read(&config.path), Err(SpoolError::Held(_))), "two would hand in the same");
    assert!(!spool.is_usable(), "it is not known to take anything");
    spool.clear().await;
    assert!(spool.is_usable());
    spool.append(&frame(20, 2)).await.unwrap();
    drop(spool);
    assert_eq!(shape(&read(&config.path).unwrap().unwrap()), [(20, 22)]);
}

#[test]
fn what_the_database_has_is_not_handed_in_again_and_a_gap_is_refused() {
    use super::super::frame::missing;
    let frames: Vec<Arc<Frame>> =
        [(4, 1), (5, 3), (8, 2)].into_iter().map(|(first, count)| Arc::new(frame(first, count))).collect();
    let firsts =
        |next| missing(&frames, next).map(|some| some.iter().map(|one| one.first).collect::<Vec<_>>());
    assert_eq!(firsts(4).unwrap(), [4, 5, 8]);
    assert_eq!(firsts(5).unwrap(), [5, 8]);
    assert_eq!(firsts(8).unwrap(), [8]);
    assert_eq!(firsts(10).unwrap(), Vec::<u64>::new());
    assert!(firsts(3).unwrap_err().contains("goes on with record number 3"));
    assert!(firsts(6).unwrap_err().contains("number 6"), "a group is there as a whole or not at all");
}
