//! What is recorded of failures: enough to see why, and never more than a
//! record may hold, however many nodes fail at once.

use crate::document::rollout::NodeFailure;

/// Failures kept of one way, there or back.
const KEPT_MAX: usize = 20;
/// Last words kept of each, in bytes.
const TAIL_BYTES_MAX: usize = 2_000;

/// The first of them, each with the end of its last words.
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
