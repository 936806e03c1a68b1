//! Finds a story whose time stands still. The clock of a world advances only when its
//! thread has nothing to do, so a loop that never waits would never end.

use std::process;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

/// The real time for which the clock of a world may stand still before it counts as stuck.
const LIMIT: Duration = Duration::from_secs(120);

/// Watches over one world until it is dropped.
pub(super) struct Watchdog {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Ends this process with a message when the world is stuck. `last` gives what
    /// happened last.
    pub(super) fn of(
        world: Handle,
        story: String,
        last: impl Fn() -> String + Send + 'static,
    ) -> Self {
        Self::with_limit(world, LIMIT, move || {
            let last = last();
            eprintln!(
                "the story {story:?} is stuck: its time has stood still for {} s of real time; \
                 what happened last: {last}",
                LIMIT.as_secs()
            );
            process::exit(1);
        })
    }

    /// Calls `stuck` when the world is stuck for that long.
    pub(super) fn with_limit(
        world: Handle,
        limit: Duration,
        stuck: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            let rests = || world.metrics().worker_park_count(0);
            let mut before = rests();
            // The channel is closed when the watchdog is dropped.
            while ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let now = rests();
                if now == before {
                    return stuck();
                }
                before = now;
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // The thread has no result.
            let _ended = thread.join().is_ok();
        }
    }
}
