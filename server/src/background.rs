//! Work that takes a processor for long while no request waits for it: a policy that is compiled, a plan, thousands of rules
//! that are freed. Each has a thread of its own with a lower priority, so that requests come first where all processors
//! are busy; it still gets its share, because what it makes may be a revocation.

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// On Linux a niceness of 4: about 40 % of what a thread that serves gets.
const PRIORITY: u8 = 36;

/// The work ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("work in the background ended without a result")]
pub struct Ended;

/// Does `work` on a thread of its own. It goes on where nobody waits for it any more. Has to be called inside a runtime.
///
/// # Errors
/// [`Ended`] where it panicked or no thread could be had.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Ended> {
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    let thread = std::thread::Builder::new().name(String::from("background")).spawn(move || {
        let _inside = runtime.enter();
        if let Ok(priority) = ThreadPriorityValue::try_from(PRIORITY)
            && let Err(error) = set_current_thread_priority(ThreadPriority::Crossplatform(priority))
        {
            tracing::debug!(?error, "the priority of a thread could not be lowered");
        }
        // Nobody may wait for it any more.
        let _ = tell.send(work());
    });
    thread.map_err(|error| {
        tracing::error!(%error, "no thread could be had");
        Ended
    })?;
    told.await.map_err(|_| Ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_has_a_thread_of_its_own_and_a_panic_is_an_end() {
        let here = std::thread::current().id();
        assert_ne!(run(|| std::thread::current().id()).await.unwrap(), here);
        assert_eq!(run(|| -> u8 { panic!("on purpose") }).await, Err(Ended));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_gives_way() {
        let nice = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // The fields after the name in brackets begin with the third; niceness is the nineteenth (proc_pid_stat(5)).
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            fields.split(' ').nth(16).unwrap().parse::<i64>().unwrap()
        };
        assert!(run(nice).await.unwrap() > nice());
    }
}
