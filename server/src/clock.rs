//! The one clock of a server. It never runs backwards, and does not follow a system clock that jumps ahead: every window
//! of every budget would begin anew and every key expire, and no way would lead back, since records already bear that time.
//!
//! Set back, time stands still until the system clock has caught up. Set forward by more than [`LEAP_MS`], time goes on by
//! the monotonic clock until the system clock is put right, or the server is started again: a start believes the system
//! clock. Sleep of the machine is no jump. Both are told in the log and in metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The furthest that the system clock may be set forward while a server runs, in milliseconds: an hour. Time services
/// correct seconds.
pub const LEAP_MS: i64 = 3_600_000;

/// Tells the time. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    told: Arc<Told>,
    start: Instant,
    /// What the machine had been up for at `start`, sleep included; where the system tells.
    up_ms: Option<i64>,
}

#[derive(Debug)]
struct Told {
    /// The latest time that was told.
    floor_ms: AtomicI64,
    /// What the system clock was ahead of the time since `start`, when it was believed the last time.
    offset_ms: AtomicI64,
    /// How far the system clock has jumped ahead.
    ahead_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { told: Arc::new(Told::at(system_ms())), start: Instant::now(), up_ms: up_ms() }
    }
}

impl Clock {
    /// A clock that has told no time yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Now, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let elapsed_ms = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.told.tell(system_ms(), elapsed_ms, || {
            let slept = self
                .up_ms
                .zip(up_ms())
                .map(|(then, now)| now.saturating_sub(then).saturating_sub(elapsed_ms));
            slept.unwrap_or(0).max(0)
        })
    }

    /// Never again tells less than `floor_ms`.
    pub fn raise_to(&self, floor_ms: i64) {
        self.told.not_before(floor_ms);
    }

    /// How far the system clock is behind what this clock has told, in milliseconds; 0 where it is not. More
    /// than a moment means that it was set back.
    pub fn behind_ms(&self) -> i64 {
        self.told.floor_ms.load(Ordering::Relaxed).saturating_sub(system_ms()).max(0)
    }

    /// How far the system clock has jumped ahead and is not followed, in milliseconds; 0 where it has not.
    pub fn ahead_ms(&self) -> i64 {
        self.told.ahead_ms.load(Ordering::Relaxed)
    }
}

impl Told {
    fn at(system_ms: i64) -> Self {
        Self {
            floor_ms: AtomicI64::new(0),
            offset_ms: AtomicI64::new(system_ms),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// The time `elapsed_ms` after the start, while the system clock says `system_ms`; `slept_ms` is asked for what of it
    /// was sleep that `elapsed_ms` does not count.
    fn tell(&self, system_ms: i64, elapsed_ms: i64, slept_ms: impl FnOnce() -> i64) -> i64 {
        let own_ms = self.offset_ms.load(Ordering::Relaxed).saturating_add(elapsed_ms);
        let floor_ms = self.floor_ms.load(Ordering::Relaxed);
        // A clock that was behind what is known to have been told before was wrong: it is being put right.
        let was_wrong = own_ms.saturating_add(LEAP_MS) < floor_ms;
        if system_ms.saturating_sub(own_ms) > LEAP_MS && !was_wrong {
            let ahead_ms = system_ms.saturating_sub(own_ms).saturating_sub(slept_ms());
            if ahead_ms > LEAP_MS {
                self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
                return self.not_before(own_ms);
            }
        }
        if self.ahead_ms.load(Ordering::Relaxed) != 0 {
            self.ahead_ms.store(0, Ordering::Relaxed);
        }
        self.offset_ms.fetch_max(system_ms.saturating_sub(elapsed_ms), Ordering::Relaxed);
        self.not_before(system_ms)
    }

    fn not_before(&self, ms: i64) -> i64 {
        self.floor_ms.fetch_max(ms, Ordering::Relaxed).max(ms)
    }
}

/// What the machine has been up for in milliseconds, sleep included, where Linux tells.
fn up_ms() -> Option<i64> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, fraction) = uptime.split_whitespace().next()?.split_once('.')?;
    let hundredths: i64 = fraction.parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(hundredths.checked_mul(10)?)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
fn system_ms() -> i64 {
    // Before 1970 counts as 1970: the floor then holds the time where it was.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_below_a_floor() {
        let clock = Clock::new();
        let now = clock.now_ms();
        let later = now + 3_600_000;
        clock.raise_to(later);
        assert_eq!(clock.now_ms(), later);
        assert!(clock.behind_ms() > 3_500_000);
        clock.raise_to(now);
        let clone = clock.clone();
        assert_eq!((clone.now_ms(), clock.now_ms()), (later, later));
    }

    const HOUR: i64 = 3_600_000;
    const START: i64 = 1_000_000 * HOUR;

    fn awake() -> i64 {
        0
    }

    #[test]
    fn a_jump_ahead_is_not_followed_and_can_be_put_right() {
        let told = Told::at(START);
        assert_eq!(told.tell(START + 10, 10, awake), START + 10);
        // A year ahead: time goes on by the time that has passed.
        assert_eq!(told.tell(START + 9_000 * HOUR, 500, awake), START + 500);
        assert_eq!(told.ahead_ms.load(Ordering::Relaxed), 9_000 * HOUR - 500);
        assert_eq!(told.tell(START + 9_000 * HOUR + 500, 1_000, awake), START + 1_000);
        assert_eq!(told.tell(START + 1_500, 1_500, awake), START + 1_500);
        assert_eq!(told.ahead_ms.load(Ordering::Relaxed), 0);
        // What a time service corrects is followed.
        assert_eq!(told.tell(START + 62_000, 2_000, awake), START + 62_000);
        assert_eq!(told.tell(START + 62_500, 2_500, awake), START + 62_500);
    }

    #[test]
    fn a_clock_that_was_behind_may_be_put_right_by_any_amount() {
        // A machine without a battery begins in 1970, on a database with later records.
        let told = Told::at(0);
        told.not_before(START);
        assert_eq!(told.tell(1_000, 1_000, awake), START);
        assert_eq!(told.tell(START + 24 * HOUR, 2_000, awake), START + 24 * HOUR);
        // Set back, and put right again.
        assert_eq!(told.tell(START, 3_000, awake), START + 24 * HOUR);
        let later = START + 24 * HOUR + 2_000;
        assert_eq!(told.tell(later, 4_000, awake), later);
    }

    #[test]
    fn sleep_is_no_jump() {
        let told = Told::at(START);
        assert_eq!(told.tell(START + 9 * HOUR, 1_000, || 9 * HOUR - 1_000), START + 9 * HOUR);
        assert_eq!(told.ahead_ms.load(Ordering::Relaxed), 0);
        assert_eq!(told.tell(START + 9 * HOUR + 5, 1_005, awake), START + 9 * HOUR + 5);
        // Nor does it excuse one.
        assert_eq!(told.tell(START + 99 * HOUR, 2_000, || HOUR), START + 9 * HOUR + 1_000);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_tells_how_long_it_is_up() {
        assert!(up_ms().is_some_and(|up| up > 0));
    }
}
