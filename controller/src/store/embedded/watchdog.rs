//! Ends the process when a write to the store hangs: a store that hangs must
//! not look like one that is only slow.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Watches one worker.
#[derive(Debug)]
pub(super) struct Watchdog {
    beats: SyncSender<Beat>,
}

#[derive(Debug)]
enum Beat {
    Began,
    Ended,
}

impl Watchdog {
    /// Starts watching. `give_up` runs at most once: when watched work takes
    /// longer than `limit`, or its thread dies in the middle of it.
    pub(super) fn start(
        limit: Duration,
        give_up: impl FnOnce(&'static str) + Send + 'static,
    ) -> io::Result<Self> {
        let (beats, received) = sync_channel(2);
        thread::Builder::new().name("store-watchdog".into()).spawn(move || {
            if let Some(reason) = watch(&received, limit) {
                give_up(reason);
            }
        })?;
        Ok(Self { beats })
    }

    /// Does `work` under watch.
    pub(super) fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        self.beat(Beat::Began);
        let done = work();
        self.beat(Beat::Ended);
        done
    }

    fn beat(&self, beat: Beat) {
        // Nobody listens only after the watchdog gave up; the process is ending.
        let _ending = self.beats.send(beat);
    }
}

fn watch(beats: &Receiver<Beat>, limit: Duration) -> Option<&'static str> {
    while beats.recv().is_ok() {
        match beats.recv_timeout(limit) {
            Ok(Beat::Began | Beat::Ended) => {}
            Err(RecvTimeoutError::Timeout) => return Some("a write hangs"),
            Err(RecvTimeoutError::Disconnected) => return Some("the writer died during a write"),
        }
    }
    None
}

#[cfg(test)]
mod tests;
