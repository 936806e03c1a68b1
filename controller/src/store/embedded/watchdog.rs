//! A watchdog that ends the process when a write to the store hangs, so that
//! systemd restarts it. Otherwise a store that hangs would look like a slow one.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// A watchdog over one worker thread.
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
    /// Starts the watchdog thread. It calls `give_up` at most once, when watched
    /// work takes longer than `limit` or its thread ends in the middle of it.
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

    /// Runs `work` under the watchdog and returns its result.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.beat(Beat::Began);
        let done = work();
        self.beat(Beat::Ended);
        done
    }

    fn beat(&self, beat: Beat) {
        // Sending fails only after the watchdog gave up, and then the process is ending.
        let _ending = self.beats.send(beat);
    }
}

fn watch(beats: &Receiver<Beat>, limit: Duration) -> Option<&'static str> {
    while beats.recv().is_ok() {
        match beats.recv_timeout(limit) {
            Ok(Beat::Began | Beat::Ended) => {}
            Err(RecvTimeoutError::Timeout) => return Some("a write hangs"),
            Err(RecvTimeoutError::Disconnected) => {
                return Some("the writer thread ended during a write");
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
