//! Limits the failures that are recorded: enough to see the reason, and never more than a
//! record can hold.

use crate::document::rollout::NodeFailure;

/// The number of failures that are kept per direction.
const KEPT_MAX: usize = 20;
/// The size limit of the log lines that are kept of each failure, in bytes.
const TAIL_BYTES_MAX: usize = 2_000;

/// Returns the first failures, each with the end of its log lines.
pub(super) fn kept(failures: Vec<NodeFailure>) -> impl Iterator<Item = NodeFailure> {
    failures.into_iter().take(KEPT_MAX).map(|mut failure| {
        let tail = &mut failure.failure.log_tail;
        let mut room = TAIL_BYTES_MAX;
        let fits = tail.iter().rev().take_while(|line| {
            let fits = line.len() <= room;
            room = room.saturating_sub(line.len());
            fits
        });
        let dropped = tail.len() - fits.count();
        tail.drain(..dropped);
        failure
    })
}
