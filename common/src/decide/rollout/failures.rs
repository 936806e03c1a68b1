//! What is recorded of failures: enough to see why, and never more than a
//! record may hold, however many nodes fail at once.

use super::NodeFailure;

/// Failures kept of one way, there or back.
const KEPT_MAX: usize = 20;
/// Last words kept of each, in bytes.
const TAIL_BYTES_MAX: usize = 2_000;
/// Failures that the reason names.
const NAMED_MAX: usize = 5;

/// The reason that people read.
pub(super) fn why(failures: &[NodeFailure]) -> String {
    let named = failures.iter().take(NAMED_MAX);
    let named: Vec<String> =
        named.map(|f| format!("{} on {}: {}", f.component, f.node, f.failure.message)).collect();
    let named = named.join("; ");
    match failures.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

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
