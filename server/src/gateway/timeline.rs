//! How long each stage took.
//!
//! Overhead is the whole less waiting for the provider; it includes parsing. Waiting for the durable commit is overhead
//! too and is told apart, because it is the disk's time and not the processor's.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A stage of a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Who asks.
    Authenticate,
    /// The body and its text.
    Read,
    /// Findings and data classes.
    Classify,
    /// The decision.
    Decide,
    /// The order of the eligible endpoints.
    Route,
    /// Rate tickets and reservation.
    Fund,
    /// The durable record. Waiting for the commit.
    Record,
    /// Waiting for the provider.
    Forward,
    /// The way back.
    Respond,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 9] = [
        Self::Authenticate,
        Self::Read,
        Self::Classify,
        Self::Decide,
        Self::Route,
        Self::Fund,
        Self::Record,
        Self::Forward,
        Self::Respond,
    ];

    /// The name in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Read => "read",
            Self::Classify => "classify",
            Self::Decide => "decide",
            Self::Route => "route",
            Self::Fund => "fund",
            Self::Record => "record",
            Self::Forward => "forward",
            Self::Respond => "respond",
        }
    }
}

/// One stretch of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which stage.
    pub stage: Stage,
    /// Microseconds from the request's arrival to its begin.
    pub start_us: u64,
    /// Microseconds that it took.
    pub us: u64,
}

/// The marks of one request.
#[derive(Debug, Clone)]
pub struct Timeline {
    begun: Instant,
    last: Instant,
    marks: SmallVec<[Mark; 10]>,
}

impl Timeline {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, marks: SmallVec::new() }
    }

    /// The stage ends now; it began where the one before it ended. A stage that comes again (a second attempt) gets
    /// a second mark.
    pub fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        self.push(stage, self.last, now);
        self.last = now;
    }

    /// Books the time since the last mark to nobody: waiting that is not a stage, for the client's body say.
    pub fn skip(&mut self) {
        self.last = Instant::now();
    }

    /// A stream has ended now, since the last mark partly waiting for the provider, partly passing its events on. The
    /// two alternate; they are told as one stretch of each, one after the other.
    pub fn end_of_stream(&mut self, waited_us: u64) {
        let now = Instant::now();
        let start_us = micros(self.last - self.begun);
        let took_us = micros(now - self.last);
        let waited_us = waited_us.min(took_us);
        self.marks.push(Mark { stage: Stage::Forward, start_us, us: waited_us });
        self.marks.push(Mark {
            stage: Stage::Respond,
            start_us: start_us + waited_us,
            us: took_us - waited_us,
        });
        self.last = now;
    }

    fn push(&mut self, stage: Stage, from: Instant, to: Instant) {
        self.marks.push(Mark { stage, start_us: micros(from - self.begun), us: micros(to - from) });
    }

    /// The marks so far.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Microseconds since arrival.
    #[must_use]
    pub fn total_us(&self) -> u64 {
        micros(self.begun.elapsed())
    }

    /// Microseconds in one stage.
    #[must_use]
    pub fn of(&self, stage: Stage) -> u64 {
        self.marks.iter().filter(|mark| mark.stage == stage).map(|mark| mark.us).sum()
    }

    /// Microseconds in all stages but waiting for the provider.
    #[must_use]
    pub fn overhead_us(&self) -> u64 {
        self.marks.iter().filter(|mark| mark.stage != Stage::Forward).map(|mark| mark.us).sum()
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_adds_up_to_the_time_that_it_took() {
        let mut timeline = Timeline::begin();
        std::thread::sleep(std::time::Duration::from_millis(2));
        timeline.end(Stage::Forward);
        std::thread::sleep(std::time::Duration::from_millis(3));
        timeline.end_of_stream(1_000);
        let marks = timeline.marks();
        let end = |mark: &Mark| mark.start_us + mark.us;
        for pair in marks.windows(2) {
            assert_eq!(end(&pair[0]), pair[1].start_us, "one follows on the other: {marks:?}");
        }
        assert_eq!(marks[1].us, 1_000);
        let last = marks.last().map(end).unwrap();
        assert!((5_000..=timeline.total_us()).contains(&last), "{marks:?}");
        timeline.end_of_stream(u64::MAX);
        assert!(marks_end(&timeline) <= timeline.total_us(), "no more is waited for than went by");
    }

    fn marks_end(timeline: &Timeline) -> u64 {
        timeline.marks().iter().map(|mark| mark.start_us + mark.us).max().unwrap()
    }
}
