//! Reads the last lines of ended lives beside the listing of the host, which a slow journal must not
//! hold up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oml_common::time::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Systemd;
use super::journal::LogSpan;
use crate::runtime::UnitListing;

/// How long a listing waits for all the lines that it asked for. Most journals answer sooner.
const WAIT: Duration = Duration::from_millis(300);

/// The reads that go on or whose lines were not taken yet, by the names of the units.
#[derive(Debug, Default)]
pub(super) struct LogTails(Mutex<BTreeMap<String, TailRead>>);

/// A read of the last lines of a life. It ends when this is dropped.
#[derive(Debug)]
struct TailRead {
    /// When that life ended.
    at: Timestamp,
    lines: oneshot::Receiver<Vec<String>>,
    /// The lines, if a listing has waited for them.
    found: Option<Vec<String>>,
    /// Whether no listing has waited for it yet.
    is_new: bool,
}

impl LogTails {
    /// Begins a read in the place of that of an earlier life. Calls `wake` if it took longer than
    /// the listing waits.
    fn begin(
        &self,
        unit: &str,
        at: Timestamp,
        reading: impl Future<Output = Vec<String>> + Send + 'static,
        wake: impl FnOnce() + Send + 'static,
    ) {
        let (mut sender, lines) = oneshot::channel();
        let late = Instant::now() + WAIT;
        self.reads().insert(unit.to_owned(), TailRead { at, lines, found: None, is_new: true });
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                lines = reading => {
                    let is_late = Instant::now() >= late && !lines.is_empty();
                    if sender.send(lines).is_ok() && is_late {
                        wake();
                    }
                }
            }
        });
    }

    /// Waits for the reads that were begun since the last call, for all of them together.
    async fn settle(&self) {
        let deadline = Instant::now() + WAIT;
        let new: BTreeMap<String, TailRead> = {
            let mut reads = self.reads();
            let all = std::mem::take(&mut *reads);
            let (new, others) = all.into_iter().partition(|(_, read)| read.is_new);
            *reads = others;
            new
        };
        for (unit, mut read) in new {
            // One that is late is taken by a later listing.
            read.found = timeout_at(deadline, &mut read.lines).await.ok().and_then(Result::ok);
            read.is_new = false;
            self.reads().insert(unit, read);
        }
    }

    /// Returns the lines of the life that ended then, once they are read.
    fn take(&self, unit: &str, at: Timestamp) -> Option<Vec<String>> {
        let mut reads = self.reads();
        let read = reads.get_mut(unit).filter(|read| read.at == at)?;
        let lines = read.found.take().or_else(|| read.lines.try_recv().ok())?;
        reads.remove(unit);
        Some(lines)
    }

    /// Ends the read for a unit that is taken away.
    pub(super) fn forget(&self, unit: &str) {
        self.reads().remove(unit);
    }

    fn reads(&self) -> MutexGuard<'_, BTreeMap<String, TailRead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Systemd {
    /// Begins to read the last lines of the life of a unit that ended then. systemd and the journal
    /// know the unit as `own_name`.
    pub(super) fn read_log_tail(&self, unit: &str, own_name: &str, at: Timestamp, life: LogSpan) {
        let (calls, signals, name) =
            (self.calls.clone(), self.signals.clone(), own_name.to_owned());
        let reading = async move { calls.log_tail(&name, &life).await };
        self.log_tails.begin(unit, at, reading, move || signals.bump());
    }

    /// Adds the lines that were read to the ends of packaged units.
    pub(super) async fn add_log_tails(&self, listing: &mut UnitListing) {
        self.log_tails.settle().await;
        for (component, status) in &mut listing.ends {
            let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
            let unit = units.get(component).cloned();
            drop(units);
            let (Some(unit), Some(exit)) = (unit, &mut status.last_exit) else { continue };
            if let Some(lines) = self.log_tails.take(unit.as_str(), exit.at) {
                exit.log_tail = lines;
                self.keep_ends(unit.as_str(), status);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::timeout;

    use super::*;

    const AT: Timestamp = Timestamp(5_000);

    /// It answers that long after now.
    async fn lines_after(pause: Duration) -> Vec<String> {
        let _elapsed = timeout(pause, pending::<()>()).await.is_err();
        vec!["bye".to_owned()]
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_come_soon_are_there_and_late_ones_wake_for_another_listing() {
        let tails = LogTails::default();
        let (woken, mut wakes) = tokio::sync::mpsc::unbounded_channel();
        let wake = |name: &'static str| {
            let woken = woken.clone();
            move || woken.send(name).unwrap()
        };
        tails.begin("soon", AT, lines_after(Duration::from_millis(50)), wake("soon"));
        tails.begin("slow", AT, lines_after(Duration::from_secs(4)), wake("slow"));
        tails.begin("stuck", AT, pending(), wake("stuck"));
        let before = Instant::now();
        tails.settle().await;
        assert_eq!(before.elapsed(), WAIT);
        assert_eq!(tails.take("soon", Timestamp(1)), None, "of another life");
        assert_eq!(tails.take("soon", AT), Some(vec!["bye".to_owned()]));
        assert_eq!((tails.take("slow", AT), tails.take("stuck", AT)), (None, None));
        tails.settle().await;
        assert_eq!(before.elapsed(), WAIT, "no later listing waits for them");
        assert_eq!(wakes.recv().await, Some("slow"));
        assert_eq!(tails.take("slow", AT), Some(vec!["bye".to_owned()]));
        assert_eq!(tails.take("slow", AT), None);
    }
}
