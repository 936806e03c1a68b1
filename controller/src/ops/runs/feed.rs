//! The output of runs, for those who watch them. It is kept in memory only, and bounded.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oml_common::id::{RunId, TenantId};
use tokio::sync::broadcast::{self, error::RecvError};

/// The pieces that are kept for a slow reader.
const PIECES_MAX: usize = 128;
/// The most runs whose output is followed at one time.
const FEEDS_MAX: usize = 1_000;

/// Lines of the output of a run, with the number of lines before them.
#[derive(Debug, Clone)]
struct Piece {
    first_line: u64,
    lines: Vec<String>,
}

/// The output of the runs that are not over.
#[derive(Debug, Default)]
pub struct Feeds {
    open: Mutex<HashMap<(TenantId, RunId), Feed>>,
}

#[derive(Debug)]
struct Feed {
    pieces: broadcast::Sender<Piece>,
    /// The number of lines that were passed on or left out.
    lines: u64,
}

/// The output of one run, for one reader.
#[derive(Debug)]
pub struct RunOutput {
    pieces: broadcast::Receiver<Piece>,
    /// The number of lines that this reader has got or missed.
    lines: u64,
}

/// Lines for a reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputLines {
    /// The lines before these that the reader does not get.
    pub left_out: u64,
    pub lines: Vec<String>,
}

impl Feeds {
    /// Begins to follow the output of a run, which others may follow already.
    pub(super) fn open(&self, tenant: &TenantId, id: RunId) -> RunOutput {
        let mut open = self.lock();
        // Those whose readers are gone are followed by nobody.
        if open.len() >= FEEDS_MAX {
            open.retain(|_, feed| feed.pieces.receiver_count() > 0);
        }
        let feed = open.entry((tenant.clone(), id)).or_insert_with(|| {
            let (pieces, _reader) = broadcast::channel(PIECES_MAX);
            Feed { pieces, lines: 0 }
        });
        RunOutput { pieces: feed.pieces.subscribe(), lines: 0 }
    }

    /// Forgets the output of a run that nobody follows, because it was not recorded.
    pub(super) fn forget_unread(&self, tenant: &TenantId, id: RunId) {
        let key = (tenant.clone(), id);
        let mut open = self.lock();
        if open.get(&key).is_some_and(|feed| feed.pieces.receiver_count() == 0) {
            open.remove(&key);
        }
    }

    /// Passes lines on. Those that were passed on before are left away: a host whose agent was
    /// restarted begins again.
    pub(super) fn add(&self, tenant: &TenantId, id: RunId, first_line: u64, lines: Vec<String>) {
        let mut open = self.lock();
        let Some(feed) = open.get_mut(&(tenant.clone(), id)) else { return };
        let known = feed.lines.saturating_sub(first_line);
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(lines.len());
        let first_line = first_line.saturating_add(count(known));
        let lines: Vec<String> = lines.into_iter().skip(known).collect();
        if lines.is_empty() {
            return;
        }
        feed.lines = feed.lines.max(first_line.saturating_add(count(lines.len())));
        // It is no matter if nobody reads it.
        let _readers = feed.pieces.send(Piece { first_line, lines }).unwrap_or_default();
    }

    /// Ends the output of a run.
    pub(super) fn close(&self, tenant: &TenantId, id: RunId) {
        self.lock().remove(&(tenant.clone(), id));
    }

    /// Locks the state, ignoring poison: no panic can leave it half-changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, RunId), Feed>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunOutput {
    /// Waits for the next lines; none when the run is over. It is safe to cancel.
    pub async fn next(&mut self) -> Option<OutputLines> {
        loop {
            match self.pieces.recv().await {
                Ok(Piece { first_line, lines }) => {
                    let left_out = first_line.saturating_sub(self.lines);
                    self.lines = first_line.saturating_add(count(lines.len()));
                    return Some(OutputLines { left_out, lines });
                }
                // The next piece says how many lines are missing.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RunId = RunId { epoch: 1, number: 7 };

    fn lines(numbers: std::ops::Range<u64>) -> Vec<String> {
        numbers.map(|number| format!("line {number}")).collect()
    }

    #[tokio::test]
    async fn a_slow_reader_learns_how_many_lines_it_missed() {
        let (feeds, tenant) = (Feeds::default(), "acme".parse().unwrap());
        let mut output = feeds.open(&tenant, ID);
        for number in 0..200 {
            feeds.add(&tenant, ID, number, lines(number..number + 1));
        }
        feeds.close(&tenant, ID);
        let first = output.next().await.unwrap();
        assert_eq!((first.left_out, first.lines), (72, lines(72..73)));
        let mut got = 1;
        while let Some(OutputLines { left_out: 0, lines }) = output.next().await {
            got += lines.len();
        }
        assert_eq!(got, 128);
    }

    #[tokio::test]
    async fn two_who_open_the_same_run_both_hear_it() {
        let (feeds, tenant) = (Feeds::default(), "acme".parse().unwrap());
        let mut first = feeds.open(&tenant, ID);
        let mut second = feeds.open(&tenant, ID);
        feeds.add(&tenant, ID, 0, lines(0..1));
        let line = |number| Some(OutputLines { left_out: 0, lines: lines(number..number + 1) });
        assert_eq!(first.next().await, line(0));
        assert_eq!(second.next().await, line(0));
        // The second one did not get this number.
        drop(second);
        feeds.forget_unread(&tenant, ID);
        feeds.add(&tenant, ID, 1, lines(1..2));
        assert_eq!(first.next().await, line(1));
        drop(first);
        feeds.forget_unread(&tenant, ID);
        assert!(feeds.lock().is_empty());
    }

    #[tokio::test]
    async fn a_line_that_a_host_says_again_is_passed_on_once() {
        let (feeds, tenant) = (Feeds::default(), "acme".parse().unwrap());
        let mut output = feeds.open(&tenant, ID);
        feeds.add(&tenant, ID, 0, lines(0..3));
        // The agent was restarted and begins again.
        feeds.add(&tenant, ID, 0, lines(0..5));
        // Its host had no room for ten lines.
        feeds.add(&tenant, ID, 15, lines(15..16));
        feeds.close(&tenant, ID);
        assert_eq!(output.next().await, Some(OutputLines { left_out: 0, lines: lines(0..3) }));
        assert_eq!(output.next().await, Some(OutputLines { left_out: 0, lines: lines(3..5) }));
        assert_eq!(output.next().await, Some(OutputLines { left_out: 10, lines: lines(15..16) }));
        assert_eq!(output.next().await, None);
    }
}
