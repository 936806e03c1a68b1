//! Which containers of a component a commit leaves on the host.

use crate::decide::observed::{ContainerState, ObservedContainer};
use crate::id::ContentHash;

/// The workload that ran before the desired one, where it is known without asking
/// the engine: the last good one, or else the one of the previous document. After a
/// rollback that document is the desired workload's own, which tells nothing.
#[must_use]
pub fn known_previous(
    desired: &ContentHash,
    last_good: Option<&ContentHash>,
    previous_document: Option<&ContentHash>,
) -> Option<ContentHash> {
    last_good.or(previous_document.filter(|hash| *hash != desired)).cloned()
}

/// The workload other than the desired one whose container ended last: what ran
/// before it, as far as the engine can tell.
pub fn last_ended<'a>(
    containers: impl IntoIterator<Item = &'a ObservedContainer>,
    desired: &ContentHash,
) -> Option<ContentHash> {
    let others = containers.into_iter().filter(|container| &container.hash != desired);
    let ended = others.filter_map(|container| match container.state {
        ContainerState::Exited { at, .. } => Some((at, &container.hash)),
        ContainerState::Created | ContainerState::Running { .. } => None,
    });
    ended.max().map(|(_, hash)| hash.clone())
}

/// The workloads whose containers stay: the desired one and the one to roll back to.
#[must_use]
pub fn kept(desired: ContentHash, previous: Option<ContentHash>) -> Vec<ContentHash> {
    [desired].into_iter().chain(previous).collect()
}

#[cfg(test)]
mod tests;
