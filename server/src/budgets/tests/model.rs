//! The protocol as a model: any interleaving of asks, answers, commits, losses, pauses, deaths and clocks that differ.
//!
//! The database's rows and the messages are the model's; [`divide`] and [`Slice`] are the real ones. A replica that
//! takes no step is paused; one that is reclaimed is not told, and goes on until the database refuses it. One that spools
//! goes on without the database at all, for as long as it likes, and nobody takes back what it holds until its spool
//! came: after its next start, or when it has the database again.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::lease::{Answer, Ask, Row, divide};
use super::super::slice::{Demand, Slice};
use super::{Budget, NOW, Window};

const HOUR: i64 = 3_600_000;

#[derive(Debug, Clone)]
enum Step {
    /// A request, for this amount.
    Request(usize, i64),
    /// The request that waits gives up.
    Leave(usize),
    Ask(usize),
    Execute(usize),
    Deliver(usize),
    /// The answer, or the question, is lost.
    Lose(usize),
    Record(usize),
    /// Settles for a share of what was reserved, in percent; more than 100 is a call that cost more.
    Settle(usize, i64),
    Release(usize),
    Commit(usize),
    Hear(usize),
    /// Somebody declares it dead, books its attempts and takes back what it held; of one that may spool, neither.
    Reclaim(usize),
    /// It loses the database, and records into its spool if it has one.
    Cut(usize),
    /// It has the database again.
    Mend(usize),
    /// It dies and starts again under its name, in the place where its spool is.
    Restart(usize),
    Pass(i64),
    /// An operator changes the limit; replicas hear of it with [`Step::Put`].
    Limit(i64),
    Put(usize),
}

#[derive(Debug, Clone, Copy)]
struct Open {
    id: u64,
    bucket_ms: i64,
    nano: i64,
    recorded: bool,
}

/// What is in a spool.
#[derive(Debug, Clone, Copy)]
enum Spooled {
    /// Id, bucket, worst case.
    Attempt(u64, i64, i64),
    /// Id, bucket, cost.
    Outcome(u64, i64, i64),
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    granted: i64,
    settled: i64,
    short: i64,
}

#[derive(Debug)]
struct Database {
    budget: Budget,
    cells: BTreeMap<(i64, usize), Cell>,
    epochs: Vec<i64>,
    /// Attempts without an outcome: replica, id, bucket, worst case.
    attempts: Vec<(usize, u64, i64, i64)>,
    /// The last ask told of a bucket that is over, in which more is in use than was granted: a call cost more.
    told_of_more: bool,
}

#[derive(Debug)]
struct Flight {
    ask: Ask,
    /// What the database answered; `None` inside is that the epoch is over.
    answer: Option<Option<Answer>>,
}

#[derive(Debug)]
struct Replica {
    epoch: i64,
    slice: Slice,
    waits: Option<i64>,
    open: Vec<Open>,
    /// Settled in memory, not yet in the database: id, bucket, cost, what was held beyond it.
    unbooked: Vec<(u64, i64, i64, i64)>,
    flight: Option<Flight>,
    skew_ms: i64,
    /// It knows that its epoch is over.
    over: bool,
    /// Whether it may spool, as its row says.
    spools: bool,
    /// It has lost the database.
    cut: bool,
    spool: Vec<Spooled>,
}

#[derive(Debug)]
struct World {
    database: Database,
    replicas: Vec<Replica>,
    now_ms: i64,
    next: u64,
    /// What calls have cost beyond what was reserved for them.
    excess: i64,
}

impl Database {
    /// What the window that ends with each bucket holds against the limit.
    fn windows(&self, amount: impl Fn(i64, usize, &Cell) -> i64) -> BTreeMap<i64, i64> {
        let starts: Vec<i64> = self.cells.keys().map(|(start, _)| *start).collect();
        starts
            .into_iter()
            .map(|end| {
                let from = if self.budget.window.rolls() { self.budget.window.counts_from(end) } else { end };
                let cells = self.cells.range((from, 0)..=(end, usize::MAX));
                (end, cells.map(|((start, replica), cell)| amount(*start, *replica, cell)).sum())
            })
            .collect()
    }

    fn execute(&mut self, replica: usize, epoch: i64, ask: &Ask) -> Option<Answer> {
        if self.epochs[replica] != epoch {
            return None;
        }
        let rows: Vec<Row> = self
            .cells
            .iter()
            .filter(|((start, _), _)| *start >= ask.oldest_ms)
            .map(|((start, replica), cell)| Row {
                bucket_ms: *start,
                replica: *replica as i64,
                granted: cell.granted,
                settled: cell.settled,
                short: cell.short,
            })
            .collect();
        let answer = divide(ask, replica as i64, &self.budget, &rows, self.epochs.len() as u32);
        self.told_of_more = false;
        for kept in &ask.older {
            if let Some(cell) = self.cells.get_mut(&(kept.bucket_ms, replica)) {
                self.told_of_more |= kept.in_use > cell.granted.max(cell.settled);
                (cell.granted, cell.short) = (kept.in_use, 0);
            }
        }
        let cell = self.cells.entry((ask.bucket_ms, replica)).or_default();
        (cell.granted, cell.short) = (answer.granted, answer.short);
        Some(answer)
    }

    fn settle(&mut self, replica: usize, bucket_ms: i64, cost: i64) {
        self.cells.entry((bucket_ms, replica)).or_default().settled += cost;
    }

    fn end_epoch(&mut self, replica: usize) {
        self.epochs[replica] += 1;
        for (_, _, bucket_ms, nano) in
            self.attempts.extract_if(.., |attempt| attempt.0 == replica).collect::<Vec<_>>()
        {
            self.settle(replica, bucket_ms, nano);
        }
        for (_, cell) in self.cells.iter_mut().filter(|((_, of), _)| *of == replica) {
            (cell.granted, cell.short) = (cell.settled, 0);
        }
    }
}

impl World {
    fn new(budget: &Budget, skews: &[i64], spools: &[bool]) -> Self {
        let database = Database {
            budget: budget.clone(),
            cells: BTreeMap::new(),
            epochs: vec![1; skews.len()],
            attempts: Vec::new(),
            told_of_more: false,
        };
        let replica = |(skew_ms, spools): (&i64, &bool)| Replica {
            epoch: 1,
            slice: Slice::new(budget.clone(), &[], NOW + skew_ms),
            waits: None,
            open: Vec::new(),
            unbooked: Vec::new(),
            flight: None,
            skew_ms: *skew_ms,
            over: false,
            spools: *spools,
            cut: false,
            spool: Vec::new(),
        };
        let replicas = skews.iter().zip(spools).map(replica).collect();
        Self { database, replicas, now_ms: NOW, next: 0, excess: 0 }
    }

    /// What is in the spool comes into the database.
    fn hand_in(&mut self, of: usize) {
        for spooled in std::mem::take(&mut self.replicas[of].spool) {
            match spooled {
                Spooled::Attempt(id, bucket_ms, nano) => {
                    self.database.attempts.push((of, id, bucket_ms, nano));
                }
                Spooled::Outcome(id, bucket_ms, cost) => {
                    self.database.attempts.retain(|attempt| attempt.1 != id);
                    self.database.settle(of, bucket_ms, cost);
                }
            }
        }
    }

    fn valid(&self, replica: usize) -> bool {
        self.database.epochs[replica] == self.replicas[replica].epoch
    }

    fn take(&mut self, step: &Step) {
        let valid = |world: &Self, of: usize| world.valid(of);
        match *step {
            Step::Request(of, nano) => self.request(of, nano),
            Step::Leave(of) => self.replicas[of].waits = None,
            Step::Ask(of) => {
                let now_ms = self.now_ms + self.replicas[of].skew_ms;
                let replica = &mut self.replicas[of];
                if replica.flight.is_none() && !replica.over {
                    let waits = replica.waits.filter(|nano| replica.slice.free() < *nano).unwrap_or(0);
                    let demand = Demand { first: waits, all: waits * 2, promised: 0 };
                    let ask = replica.slice.ask(demand, now_ms);
                    replica.flight = ask.map(|ask| Flight { ask, answer: None });
                }
            }
            Step::Execute(of) => {
                let replica = &mut self.replicas[of];
                if let Some(flight) = &mut replica.flight
                    && flight.answer.is_none()
                {
                    flight.answer = Some(self.database.execute(of, replica.epoch, &flight.ask));
                }
            }
            Step::Deliver(of) => {
                let replica = &mut self.replicas[of];
                if let Some(Flight { ask, answer: Some(answer) }) = &replica.flight {
                    match answer {
                        Some(answer) => replica.slice.answered(ask, answer),
                        None => replica.over(),
                    }
                    replica.flight = None;
                    if let Some(nano) = replica.waits {
                        self.request(of, nano);
                    }
                }
            }
            Step::Lose(of) => self.replicas[of].flight = None,
            Step::Record(of) => {
                let valid = valid(self, of);
                let replica = &mut self.replicas[of];
                let open = replica.open.iter_mut().find(|open| !open.recorded);
                if replica.cut {
                    if let Some(open) = open.filter(|_| replica.spools && !replica.over) {
                        open.recorded = true;
                        replica.spool.push(Spooled::Attempt(open.id, open.bucket_ms, open.nano));
                    }
                } else if !valid {
                    replica.over();
                } else if let Some(open) = open {
                    open.recorded = true;
                    self.database.attempts.push((of, open.id, open.bucket_ms, open.nano));
                }
            }
            Step::Settle(of, percent) => {
                let replica = &mut self.replicas[of];
                if let Some(at) = replica.open.iter().position(|open| open.recorded) {
                    let open = replica.open.remove(at);
                    let cost = open.nano * percent / 100;
                    let surplus = (open.nano - cost).max(0);
                    replica.slice.close(open.bucket_ms, open.nano - surplus, cost);
                    replica.unbooked.push((open.id, open.bucket_ms, cost, surplus));
                    self.excess += (cost - open.nano).max(0);
                }
            }
            Step::Release(of) => {
                let replica = &mut self.replicas[of];
                if let Some(at) = replica.open.iter().position(|open| !open.recorded) {
                    let open = replica.open.remove(at);
                    replica.slice.close(open.bucket_ms, open.nano, 0);
                }
            }
            Step::Commit(of) => {
                let valid = valid(self, of);
                let replica = &mut self.replicas[of];
                if replica.cut {
                    if replica.spools && !replica.over && !replica.unbooked.is_empty() {
                        let (id, bucket_ms, cost, surplus) = replica.unbooked.remove(0);
                        replica.spool.push(Spooled::Outcome(id, bucket_ms, cost));
                        replica.slice.close(bucket_ms, surplus, 0);
                    }
                } else if !valid {
                    replica.over();
                } else if !replica.unbooked.is_empty() {
                    let (id, bucket_ms, cost, surplus) = replica.unbooked.remove(0);
                    self.database.attempts.retain(|attempt| attempt.1 != id);
                    self.database.settle(of, bucket_ms, cost);
                    replica.slice.close(bucket_ms, surplus, 0);
                }
            }
            Step::Hear(of) => {
                let cells = &self.database.cells;
                self.replicas[of].slice.others_short =
                    cells.iter().any(|((_, replica), cell)| *replica != of && cell.short > 0);
            }
            Step::Reclaim(of) if self.replicas[of].spools => self.database.epochs[of] += 1,
            Step::Reclaim(of) => self.database.end_epoch(of),
            Step::Cut(of) => self.replicas[of].cut = true,
            Step::Mend(of) => {
                self.replicas[of].cut = false;
                if self.valid(of) {
                    self.hand_in(of);
                } else {
                    self.replicas[of].over();
                }
            }
            Step::Restart(of) => {
                self.hand_in(of);
                self.database.end_epoch(of);
                let now_ms = self.now_ms + self.replicas[of].skew_ms;
                let replica = &mut self.replicas[of];
                *replica = Replica {
                    epoch: self.database.epochs[of],
                    slice: Slice::new(self.database.budget.clone(), &[], now_ms),
                    waits: None,
                    open: Vec::new(),
                    unbooked: Vec::new(),
                    flight: None,
                    skew_ms: replica.skew_ms,
                    over: false,
                    spools: replica.spools,
                    cut: false,
                    spool: Vec::new(),
                };
            }
            Step::Pass(ms) => self.now_ms += ms,
            Step::Limit(limit) => self.database.budget.limit_nano = limit,
            Step::Put(of) => {
                let now_ms = self.now_ms + self.replicas[of].skew_ms;
                self.replicas[of].slice.put(self.database.budget.clone(), now_ms);
            }
        }
    }

    fn request(&mut self, of: usize, nano: i64) {
        let now_ms = self.now_ms + self.replicas[of].skew_ms;
        let replica = &mut self.replicas[of];
        if replica.over {
            return;
        }
        replica.slice.roll(now_ms);
        if replica.slice.free() < nano {
            replica.waits = Some(nano);
            return;
        }
        replica.waits = None;
        replica.slice.reserved += nano;
        self.next += 1;
        let bucket_ms = replica.slice.bucket.start_ms;
        replica.open.push(Open { id: self.next, bucket_ms, nano, recorded: false });
    }

    /// What counts against the limit in the database.
    fn granted(&self) -> BTreeMap<i64, i64> {
        self.database.windows(|_, _, cell| cell.granted.max(cell.settled))
    }

    /// What is truly spent or may yet be: settled, settled and not yet booked, and reserved by whoever can still send
    /// or has sent.
    fn spent(&self) -> BTreeMap<i64, i64> {
        self.database.windows(|start, of, cell| {
            let mine = |bucket_ms: i64| bucket_ms == start;
            let replica = &self.replicas[of];
            let attempts = self.database.attempts.iter();
            let ended = |id: u64| {
                replica.spool.iter().any(|spooled| matches!(spooled, Spooled::Outcome(of, ..) if *of == id))
            };
            let spooled = replica.spool.iter().map(|spooled| match *spooled {
                Spooled::Outcome(_, bucket_ms, cost) if mine(bucket_ms) => cost,
                _ => 0,
            });
            let booked = cell.settled + spooled.sum::<i64>();
            if self.valid(of) || (replica.spools && replica.cut && !replica.over) {
                let unbooked = replica.unbooked.iter().filter(|one| mine(one.1)).map(|one| one.2);
                let open = replica.open.iter().filter(|open| mine(open.bucket_ms)).map(|open| open.nano);
                booked + unbooked.sum::<i64>() + open.sum::<i64>()
            } else {
                let open =
                    attempts.filter(|one| one.0 == of && mine(one.2) && !ended(one.1)).map(|one| one.3);
                let in_spool = replica.spool.iter().map(|spooled| match *spooled {
                    Spooled::Attempt(id, bucket_ms, nano) if mine(bucket_ms) && !ended(id) => nano,
                    _ => 0,
                });
                booked + open.sum::<i64>() + in_spool.sum::<i64>()
            }
        })
    }

    fn check(
        &self,
        step: &Step,
        before: &(BTreeMap<i64, i64>, BTreeMap<i64, i64>),
    ) -> Result<(), TestCaseError> {
        let granted = self.granted();
        let limit = |end: i64| {
            let budget = &self.database.budget;
            let before = budget.window.bucket_before(end);
            let held = before.and_then(|before| granted.get(&before.start_ms)).copied().unwrap_or(0);
            budget.limit_nano + budget.carried_nano(before, held)
        };
        // Of a window that rolls on, much was there before.
        let upto = |windows: &BTreeMap<i64, i64>, end: i64| {
            let rolls = self.database.budget.window.rolls();
            let (_, sum) = windows.range(..=end).next_back().filter(|(at, _)| rolls || **at == end)?;
            Some(*sum)
        };
        // A limit that was lowered below what is granted lets that only fall.
        // What calls cost beyond their reservations is booked, or kept; it is never granted.
        let books = match step {
            Step::Commit(_) | Step::Reclaim(_) | Step::Restart(_) | Step::Mend(_) => true,
            Step::Execute(of) => match &self.replicas[*of].flight {
                Some(Flight { ask, answer: Some(Some(answer)) }) => {
                    self.database.told_of_more
                        || answer.granted <= ask.keep + if ask.first { answer.settled } else { 0 }
                }
                _ => false,
            },
            _ => false,
        };
        let excess = if books { self.excess } else { 0 };
        for (end, sum) in granted.clone() {
            let most = limit(end).max(upto(&before.0, end).unwrap_or(0)) + excess;
            prop_assert!(sum <= most, "granted {sum} of {most} in the window to {end}: {self:#?}");
        }
        for (end, sum) in self.spent() {
            let earlier = upto(&before.0, end).max(upto(&before.1, end));
            let most = limit(end).max(earlier.unwrap_or(0)) + self.excess;
            prop_assert!(sum <= most, "spent {sum} of {most} in the window to {end}: {self:#?}");
        }
        Ok(())
    }

    /// Everybody stops and gives back; what is dead is reclaimed.
    fn end(&mut self) {
        for of in 0..self.replicas.len() {
            self.take(&Step::Mend(of));
            if !self.valid(of) || self.replicas[of].over {
                self.take(&Step::Restart(of));
            }
            self.replicas[of].waits = None;
            self.replicas[of].flight = None;
            for _ in 0..self.replicas[of].open.len() {
                self.take(&Step::Release(of));
                self.take(&Step::Settle(of, 50));
            }
            while !self.replicas[of].unbooked.is_empty() {
                self.take(&Step::Commit(of));
            }
            self.replicas[of].slice.others_short = true;
            for step in [Step::Ask(of), Step::Execute(of), Step::Deliver(of)] {
                self.take(&step);
            }
        }
    }
}

impl Replica {
    fn over(&mut self) {
        self.over = true;
        self.slice.fence();
        self.waits = None;
    }
}

const REPLICAS: usize = 3;

/// Some steps, the likely ones together.
fn steps(over: i64) -> impl Strategy<Value = Vec<Step>> {
    let served = |(of, nano)| {
        vec![Step::Request(of, nano), Step::Ask(of), Step::Execute(of), Step::Deliver(of), Step::Record(of)]
    };
    let steps = prop_oneof![
        1 => (0..REPLICAS, 1..120_i64).prop_map(served),
        4 => step(over).prop_map(|step| vec![step]),
    ];
    prop::collection::vec(steps, 1..120).prop_map(|steps| steps.concat())
}

fn step(over: i64) -> impl Strategy<Value = Step> {
    let of = 0..REPLICAS;
    prop_oneof![
        6 => (of.clone(), 1..60_i64).prop_map(|(of, nano)| Step::Request(of, nano)),
        1 => of.clone().prop_map(Step::Leave),
        8 => of.clone().prop_map(Step::Ask),
        8 => of.clone().prop_map(Step::Execute),
        8 => of.clone().prop_map(Step::Deliver),
        1 => of.clone().prop_map(Step::Lose),
        5 => of.clone().prop_map(Step::Record),
        4 => (of.clone(), 0..=over).prop_map(|(of, percent)| Step::Settle(of, percent)),
        1 => of.clone().prop_map(Step::Release),
        4 => of.clone().prop_map(Step::Commit),
        3 => of.clone().prop_map(Step::Hear),
        1 => of.clone().prop_map(Step::Reclaim),
        2 => of.clone().prop_map(Step::Cut),
        1 => of.clone().prop_map(Step::Mend),
        1 => of.clone().prop_map(Step::Restart),
        1 => (0..HOUR).prop_map(Step::Pass),
        1 => (0..200_i64).prop_map(Step::Limit),
        1 => of.prop_map(Step::Put),
    ]
}

fn budgets() -> impl Strategy<Value = Budget> {
    let budget = |window: &str, limit_nano, carry_over_nano| Budget {
        carry_over_nano,
        ..Budget::new(1, window.parse().unwrap(), limit_nano)
    };
    prop_oneof![
        (1..200_i64).prop_map(move |limit| budget("total", limit, 0)),
        (1..200_i64).prop_map(move |limit| budget("hour", limit, 0)),
        (1..200_i64, 1..200_i64).prop_map(move |(limit, cap)| budget("hour", limit, cap)),
        (1..200_i64).prop_map(move |limit| budget("last 3 hours", limit, 0)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_spends_more_than_the_limit(
        budget in budgets(),
        skews in prop::array::uniform3(-HOUR..HOUR),
        over in prop_oneof![Just(100_i64), Just(150)],
        spools in prop::array::uniform3(prop::bool::ANY),
        steps in steps(150),
    ) {
        let mut world = World::new(&budget, &skews, &spools);
        for step in &steps {
            let step = match step {
                // What is carried over depends on what was spent before, and on the limit then: where these change
                // afterwards, there is no one limit to check against.
                Step::Settle(of, percent) if budget.carries_over() => Step::Settle(*of, (*percent).min(100)),
                Step::Limit(_) if budget.carries_over() => continue,
                Step::Settle(of, percent) => Step::Settle(*of, (*percent).min(over)),
                other => other.clone(),
            };
            let before = (world.granted(), world.spent());
            world.take(&step);
            world.check(&step, &before)?;
        }
        world.end();
        for ((bucket, replica), cell) in &world.database.cells {
            // What no longer counts nobody takes the trouble to give back.
            let (window, open) = (budget.window, world.replicas[*replica].slice.bucket.start_ms);
            let counts = *bucket >= if window.rolls() { window.counts_from(open) } else { open };
            prop_assert!(!counts || cell.granted <= cell.settled, "not given back: {world:#?}");
        }
    }
}

#[test]
fn one_replica_alone_takes_everything_and_many_take_shares() {
    let ask = |keep, need, want| Ask {
        budget: 1,
        window: Window::Total,
        oldest_ms: 0,
        bucket_ms: 0,
        from_ms: 0,
        to_ms: 0,
        first: false,
        keep,
        need,
        want,
        older: Default::default(),
        now_ms: NOW,
    };
    let divide = |ask: &Ask, replica, limit, rows: &[Row], live| {
        divide(ask, replica, &Budget::new(1, Window::Total, limit), rows, live)
    };
    let row = |replica, granted, settled, short| Row { bucket_ms: 0, replica, granted, settled, short };
    assert_eq!(divide(&ask(0, 10, 10), 1, 1_000, &[], 1).granted, 1_000);
    assert_eq!(divide(&ask(0, 10, 10), 1, 1_000, &[], 4).granted, 125);
    assert_eq!(divide(&ask(0, 10, 300), 1, 1_000, &[], 4).granted, 300);
    // As much as there is, and no more; who is short is told that others hold something, and gives back.
    let rows = [row(1, 40, 10, 0), row(2, 955, 100, 0)];
    let answer = divide(&ask(30, 50, 50), 1, 1_000, &rows, 2);
    assert_eq!((answer.granted, answer.most, answer.others_hold, answer.short), (30, 45, 855, 20));
    // While another is short nobody takes more than is needed.
    let rows = [row(1, 40, 10, 0), row(2, 100, 100, 7)];
    assert_eq!(divide(&ask(30, 50, 500), 1, 1_000, &rows, 2).granted, 50);
    // What was settled beyond what was granted counts; sums do not overflow.
    let rows = [row(2, i64::MAX, 5, 0), row(3, 7, i64::MAX, 0)];
    let answer = divide(&ask(0, 1, 1), 1, i64::MAX, &rows, 2);
    assert_eq!((answer.granted, answer.most), (0, -i64::MAX));
}
