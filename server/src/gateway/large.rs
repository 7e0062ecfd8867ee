//! Work on a body so large that every other request would feel it: the thread that it runs on gives its other work away
//! first.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Bytes that are read, scanned and rewritten in well under a millisecond. Giving work away costs some ten microseconds.
const LARGE: usize = 128 * 1024;

/// Does `work` on so many bytes, without holding up what else waits for this thread where they are many.
pub(super) fn on_body<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let shared = || Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes >= LARGE && shared() { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use super::{LARGE, on_body};

    #[test]
    fn others_go_on_while_a_large_body_is_worked_on() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (say, said) = std::sync::mpsc::channel();
        let large = runtime.spawn(async move {
            tokio::spawn(async move { say.send(()) });
            // The only thread: the other task can run only if this one has given it away.
            let waits = std::time::Duration::from_secs(60);
            on_body(LARGE, || said.recv_timeout(waits).is_ok())
        });
        assert!(runtime.block_on(large).unwrap());
    }

    #[test]
    fn it_works_without_another_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { on_body(LARGE, || 1) }), 1);
        assert_eq!(on_body(LARGE, || 2), 2);
    }
}
