//! What the session has to report of runs. It is bounded: of the output of a run only the newest
//! lines wait, and the session sees how many are missing.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oml_common::document::operation::RunResult;
use oml_common::id::RunId;
use tokio::sync::watch;

/// The most lines of one run that wait for the session.
const WAITING_LINES_MAX: usize = 500;

/// What is to be reported of runs.
#[derive(Debug, Default)]
pub struct RunBoard {
    runs: Mutex<Runs>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Runs {
    entries: BTreeMap<RunId, Entry>,
    /// The run of the last message.
    last: Option<RunId>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The lines that wait.
    lines: VecDeque<String>,
    /// The number of lines before them.
    before: u64,
    result: Option<RunResult>,
    /// There is something to report beside the lines: that the run has begun, or its result.
    is_unreported: bool,
}

/// A message about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMessage {
    pub id: RunId,
    /// The number of lines that the program wrote before the first of these.
    pub first_line: u64,
    pub lines: Vec<String>,
    /// The result, if the run is over and these are its last lines.
    pub result: Option<RunResult>,
}

impl RunBoard {
    /// Returns a receiver that wakes when there is something to report.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Notes that the host has the order of a run.
    pub(super) fn begin(&self, id: RunId) {
        self.update(id, |entry| entry.is_unreported = true);
    }

    pub(super) fn add_line(&self, id: RunId, text: String) {
        self.update(id, |entry| {
            entry.lines.push_back(text);
            if entry.lines.len() > WAITING_LINES_MAX {
                entry.lines.pop_front();
                entry.before += 1;
            }
        });
    }

    pub(super) fn end(&self, id: RunId, result: RunResult) {
        self.update(id, |entry| {
            entry.result = Some(result);
            entry.is_unreported = true;
        });
    }

    /// Notes that the state of a run has to be reported again.
    pub(super) fn report_again(&self, id: RunId) {
        self.begin(id);
    }

    /// Notes that everything has to be reported again, because the last session may have lost it.
    pub fn report_all_again(&self) {
        self.lock().entries.values_mut().for_each(|entry| entry.is_unreported = true);
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Returns true if the result of a run is known here.
    pub(super) fn has_result(&self, id: RunId) -> bool {
        self.lock().entries.get(&id).is_some_and(|entry| entry.result.is_some())
    }

    /// Returns the number of lines that a run has written as far as is known here.
    pub(super) fn lines_of(&self, id: RunId) -> u64 {
        let runs = self.lock();
        runs.entries
            .get(&id)
            .map_or(0, |entry| entry.before.saturating_add(count(entry.lines.len())))
    }

    pub(super) fn forget(&self, id: RunId) {
        self.lock().entries.remove(&id);
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes the next message; none if all was reported. Begins and results go before lines, and
    /// runs take turns, so that none holds back another.
    #[must_use]
    pub fn next(&self, lines_max: usize) -> Option<RunMessage> {
        let mut runs = self.lock();
        let id = runs.due()?;
        runs.last = Some(id);
        let entry = runs.entries.get_mut(&id)?;
        let taken = entry.lines.len().min(lines_max);
        let lines: Vec<String> = entry.lines.drain(..taken).collect();
        let first_line = entry.before;
        entry.before = first_line.saturating_add(count(lines.len()));
        let is_all = entry.lines.is_empty();
        // A result waits for the last lines.
        entry.is_unreported &= entry.result.is_some() && !is_all;
        let result = entry.result.clone().filter(|_| is_all);
        Some(RunMessage { id, first_line, lines, result })
    }

    fn update(&self, id: RunId, change: impl FnOnce(&mut Entry)) {
        change(self.lock().entries.entry(id).or_default());
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Locks the state, ignoring poison: no panic can leave it half-changed.
    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    /// Returns the run of the next message, counted on from the last one.
    fn due(&self) -> Option<RunId> {
        let find = |is_due: fn(&Entry) -> bool| {
            let due = |(id, entry): (&RunId, &Entry)| is_due(entry).then_some(*id);
            let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
            let later = self.entries.range((after, Bound::Unbounded)).find_map(due);
            later.or_else(|| self.entries.iter().find_map(due))
        };
        find(|entry| entry.is_unreported).or_else(|| find(|entry| !entry.lines.is_empty()))
    }
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use oml_common::document::operation::RunOutcome;
    use oml_common::time::Timestamp;

    use super::*;

    const ID: RunId = RunId { epoch: 1, number: 7 };

    fn result() -> RunResult {
        let (outcome, ended) = (RunOutcome::Exited { status: 0 }, Timestamp(9));
        RunResult { outcome, started: None, ended, reason: String::new(), last_lines: Vec::new() }
    }

    #[test]
    fn a_slow_session_gets_the_newest_lines_and_sees_how_many_are_missing() {
        let board = RunBoard::default();
        board.begin(ID);
        for number in 0..WAITING_LINES_MAX + 30 {
            board.add_line(ID, format!("line {number}"));
        }
        let first = board.next(100).unwrap();
        assert_eq!((first.first_line, first.lines.len()), (30, 100));
        assert_eq!(first.lines[0], "line 30");
        assert_eq!(board.next(100).unwrap().first_line, 130);
        assert_eq!(board.lines_of(ID), 530);
    }

    #[test]
    fn a_run_with_much_output_does_not_hold_back_what_is_new_of_another() {
        let (board, other) = (RunBoard::default(), RunId { epoch: 1, number: 8 });
        let write = |id| (0..30).for_each(|_| board.add_line(id, "line".to_owned()));
        let next = |lines: usize| {
            let message = board.next(lines).unwrap();
            (message.id, message.lines.len(), message.result)
        };
        board.begin(ID);
        write(ID);
        board.begin(other);
        assert_eq!(next(10), (ID, 10, None));
        write(ID);
        assert_eq!(next(10), (other, 0, None));
        assert_eq!(next(10), (ID, 10, None));
        write(other);
        assert_eq!(next(10), (other, 10, None));
        assert_eq!(next(10), (ID, 10, None));
        assert_eq!(next(10), (other, 10, None));
        board.end(other, result());
        write(ID);
        assert_eq!(next(20), (other, 10, Some(result())));
    }

    #[test]
    fn the_result_comes_with_the_last_lines_and_again_with_every_session() {
        let board = RunBoard::default();
        board.add_line(ID, "one".to_owned());
        board.add_line(ID, "two".to_owned());
        board.end(ID, result());
        assert_eq!(board.next(1).unwrap().result, None);
        let last = board.next(1).unwrap();
        assert_eq!(
            (last.lines.as_slice(), last.result),
            (["two".to_owned()].as_slice(), Some(result()))
        );
        assert_eq!(board.next(1), None);
        board.report_all_again();
        let again = board.next(1).unwrap();
        assert_eq!((again.first_line, again.lines.len(), again.result), (2, 0, Some(result())));
        board.forget(ID);
        board.report_all_again();
        assert_eq!(board.next(1), None);
    }
}
