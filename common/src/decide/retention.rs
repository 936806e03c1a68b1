//! Selects the containers of a component that a commit keeps on the host.

use crate::decide::observed::{ContainerState, ObservedContainer};
use crate::id::ContentHash;

/// Returns the workload that ran before the desired one, if it is known without the engine:
/// the last good one, or else that of the previous document. After a rollback that document
/// has the desired workload itself and is ignored.
#[must_use]
pub fn known_previous(
    desired: &ContentHash,
    last_good: Option<&ContentHash>,
    previous_document: Option<&ContentHash>,
) -> Option<ContentHash> {
    last_good.or(previous_document.filter(|hash| *hash != desired)).cloned()
}

/// Returns the workload other than the desired one whose container ended last.
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

/// Returns the workloads whose containers are kept: the desired one and the one to roll
/// back to.
#[must_use]
pub fn kept(desired: ContentHash, previous: Option<ContentHash>) -> Vec<ContentHash> {
    [desired].into_iter().chain(previous).collect()
}

#[cfg(test)]
mod tests;
