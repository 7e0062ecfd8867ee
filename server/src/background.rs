//! Work that takes a processor for long while no request waits for it: a policy that is compiled, a plan, thousands of rules
//! that are freed. Each has a thread of its own, and requests come first where all processors are busy.
//!
//! A lower priority alone does not do that: a thread that has begun its slice of time keeps it for milliseconds while one that
//! serves waits ([`run`]). On Linux an idle thread gives way at once (`SCHED_IDLE`, sched(7)), but on a machine that is never
//! idle it never ends. What has to be in force [`soon`] therefore begins as idle there, and where that gives it too little, it is
//! done once more beside on a thread like any other: the first to end counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// On Linux a niceness of 4: about 40 % of what a thread that serves gets.
const LOW: u8 = 36;
/// How long work may go on as idle before it is looked at, and how often then.
const LOOK: Duration = Duration::from_millis(100);
/// What it has to have had of that time, in hundredths.
const ENOUGH: u128 = 30;

/// The work ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("work in the background ended without a result")]
pub struct Ended;

#[derive(Debug, Clone, Copy)]
enum Priority {
    Usual,
    Low,
    Idle,
}

/// Does `work` on a thread of its own, of a lower priority. It goes on where nobody waits for it any more. Has to be called
/// inside a runtime.
///
/// # Errors
/// [`Ended`] where it panicked or no thread could be had.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Ended> {
    begin(Priority::Low, |_| work())?.await.map_err(|_| Ended)
}

/// As [`run`], for work that waits in between: what is made of a database's answers may be most of it. It ends at its next wait
/// where nobody waits for it any more.
///
/// # Errors
/// [`Ended`].
pub async fn run_waiting<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, Ended>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (mut tell, told) = oneshot::channel();
    let all = move |_| {
        Handle::current().block_on(async move {
            tokio::select! {
                done = work() => drop(tell.send(done)),
                () = tell.closed() => {}
            }
        });
    };
    begin(Priority::Low, all)?;
    told.await.map_err(|_| Ended)
}

/// Does `work` without holding up what serves, as long as the processors have time for it, and else as fast as anything. It
/// may be done twice, so it has to say the same each time.
///
/// # Errors
/// [`Ended`].
pub async fn soon<T: Send + 'static>(work: impl Fn() -> T + Send + Sync + 'static) -> Result<T, Ended> {
    if !cfg!(target_os = "linux") {
        return run(work).await;
    }
    let work = Arc::new(work);
    let (name, named) = oneshot::channel();
    let first = Arc::clone(&work);
    let mut first = begin(Priority::Idle, move |thread| {
        let _ = name.send(thread);
        first()
    })?;
    let began = Instant::now();
    let mut thread = None;
    let mut named = Some(named);
    loop {
        if let Ok(done) = tokio::time::timeout(LOOK, &mut first).await {
            return done.map_err(|_| Ended);
        }
        // A thread that has not even begun has had nothing.
        if let Some(mut asked) = named.take() {
            match asked.try_recv() {
                Ok(told) => thread = told,
                Err(_) => named = Some(asked),
            }
        }
        let had = thread.as_ref().and_then(Thread::had).unwrap_or_default();
        if had.as_micros().saturating_mul(100) < began.elapsed().as_micros().saturating_mul(ENOUGH) {
            break;
        }
    }
    let second = begin(Priority::Usual, move |_| work())?;
    tokio::select! {
        done = first => done,
        done = second => done,
    }
    .map_err(|_| Ended)
}

/// `work` is told which thread it is on, where the system says so.
fn begin<T: Send + 'static>(
    priority: Priority,
    work: impl FnOnce(Option<Thread>) -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, Ended> {
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    let thread = std::thread::Builder::new().name(String::from("background")).spawn(move || {
        let _inside = runtime.enter();
        give_way(priority);
        // Nobody may wait for it any more.
        let _ = tell.send(work(Thread::this()));
    });
    thread.map_err(|error| {
        tracing::error!(%error, "no thread could be had");
        Ended
    })?;
    Ok(told)
}

fn give_way(priority: Priority) {
    let given = match priority {
        Priority::Usual => Ok(()),
        Priority::Idle => give_way_at_once(),
        Priority::Low => low(),
    };
    if let Err(error) = given {
        tracing::debug!(error, "the priority of a thread could not be lowered");
    }
}

fn low() -> Result<(), String> {
    let value = ThreadPriorityValue::try_from(LOW)?;
    set_current_thread_priority(ThreadPriority::Crossplatform(value)).map_err(|error| error.to_string())
}

#[cfg(target_os = "linux")]
fn give_way_at_once() -> Result<(), String> {
    use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_native_id};
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    thread_priority::set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        .map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn give_way_at_once() -> Result<(), String> {
    // Nothing is idle there.
    low()
}

/// Where Linux accounts for a thread (`/proc/PID/task/TID/schedstat`, Documentation/scheduler/sched-stats.rst).
struct Thread(std::path::PathBuf);

impl Thread {
    fn this() -> Option<Self> {
        let link = std::fs::read_link("/proc/thread-self").ok()?;
        Some(Self(std::path::Path::new("/proc").join(link).join("schedstat")))
    }

    /// The processor's time that it has had.
    fn had(&self) -> Option<Duration> {
        let told = std::fs::read_to_string(&self.0).ok()?;
        Some(Duration::from_nanos(told.split_ascii_whitespace().next()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn it_has_a_thread_of_its_own_and_a_panic_is_an_end() {
        let here = std::thread::current().id();
        let there = || std::thread::current().id();
        assert_ne!(run(there).await.unwrap(), here);
        assert_ne!(run_waiting(async move || there()).await.unwrap(), here);
        assert_ne!(soon(there).await.unwrap(), here);
        assert_eq!(run(|| -> u8 { panic!("on purpose") }).await, Err(Ended));
        assert_eq!(run_waiting(async || -> u8 { panic!("on purpose") }).await, Err(Ended));
        assert_eq!(soon(|| -> u8 { panic!("on purpose") }).await, Err(Ended));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends_at_its_next_wait() {
        let (tell, told) = oneshot::channel::<()>();
        let endless = run_waiting(async move || {
            let _held = tell;
            std::future::pending::<()>().await;
        });
        assert!(tokio::time::timeout(Duration::from_millis(50), endless).await.is_err());
        assert!(told.await.is_err());
    }

    /// What a thread that is given too little looks like: one that sleeps has had no processor either.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_gets_nothing_as_idle_is_done_beside() {
        let begun = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&begun);
        let which = soon(move || {
            let which = counted.fetch_add(1, Ordering::SeqCst);
            if which == 0 {
                std::thread::sleep(LOOK * 50);
            }
            which
        });
        assert_eq!(which.await, Ok(1));
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_gives_way() {
        // The fields of proc_pid_stat(5) after the name in brackets begin with the third; niceness is the nineteenth, the
        // scheduling policy the forty-first, and 5 is SCHED_IDLE.
        let field = |number: usize| {
            move || {
                let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
                let (_, fields) = stat.rsplit_once(") ").unwrap();
                fields.split(' ').nth(number - 3).unwrap().parse::<i64>().unwrap()
            }
        };
        assert!(run(field(19)).await.unwrap() > field(19)());
        assert_eq!(soon(field(41)).await, Ok(5));
        assert_eq!(field(41)(), 0);
    }
}
