//! What a process and its children have used, from Linux's `/proc`.
//!
//! CPU time is `utime` + `stime` of `/proc/PID/stat`: the counters that `getrusage(RUSAGE_SELF)` reports to the
//! process itself, over all its threads, those that ended included. The file rounds them to clock ticks, usually 10 ms:
//! a round of several seconds is long enough for that not to matter.

use std::process::Command;
use std::time::Duration;

use crate::{Result, cargo};

/// CPU time and memory of a process tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    /// Resident now, in KiB.
    pub(super) resident_kib: u64,
}

/// Clock ticks a second.
pub(super) fn ticks() -> Result<u64> {
    let text = cargo::output(Command::new("getconf").arg("CLK_TCK"))?;
    text.trim().parse().map_err(|e| format!("getconf CLK_TCK printed {}: {e}", text.trim()))
}

/// Sums a process and all below it that are alive.
pub(super) fn usage(pid: u32, ticks: u64) -> Result<Usage> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        std::fs::read_to_string(&path)
            .map_err(|e| format!("cannot read {path} (has the process ended?): {e}"))
    };
    let stat = read("stat")?;
    let mut cpu = stat_ticks(&stat).ok_or_else(|| format!("/proc/{pid}/stat reads: {stat}"))?;
    let mut resident_kib = resident(&read("status")?);
    for child in read(&format!("task/{pid}/children"))?.split_whitespace() {
        let child = child.parse().map_err(|e| format!("/proc/{pid}/task/{pid}/children: {e}"))?;
        let below = usage(child, ticks)?;
        resident_kib += below.resident_kib;
        cpu += u64::try_from(below.cpu.as_millis()).unwrap_or(0) * ticks / 1000;
    }
    Ok(Usage { cpu: Duration::from_millis(cpu * 1000 / ticks.max(1)), resident_kib })
}

/// `utime` + `stime`: the 14th and 15th fields. The second, the name, may hold blanks and parentheses.
fn stat_ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let stat = "42 (a) b ) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 3 0 100 1 2";
        assert_eq!(stat_ticks(stat), Some(300));
        assert_eq!(stat_ticks("nothing"), None);
    }

    #[test]
    fn this_process_is_resident() {
        let usage = usage(std::process::id(), ticks().unwrap()).unwrap();
        assert!(usage.resident_kib > 100, "{usage:?}");
    }
}
