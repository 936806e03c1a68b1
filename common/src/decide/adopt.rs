//! Chooses the container of a component that a supervisor adopts, and those that must stop.

use crate::decide::exit::{ContainerExit, EndCause};
use crate::document::status::{Drift, Health, Status};
use crate::id::ContentHash;
use crate::time::Timestamp;

/// The facts about a container of the component that the choice needs.
pub trait Candidate {
    /// Returns the id of the container in the engine.
    fn id(&self) -> &str;
    /// Returns the hash of the workload that it was created for.
    fn workload_hash(&self) -> &ContentHash;
    /// Returns true if it is running.
    fn is_running(&self) -> bool;
    /// Returns true if it was never started.
    fn is_new(&self) -> bool;
    /// Returns true if it has the component's own name, not that of a next or previous container.
    fn bears_own_name(&self) -> bool;
}

/// The choice among the containers of a component.
#[derive(Debug)]
pub struct Choice<'a, C> {
    /// The container to adopt; none if it must be created.
    pub wanted: Option<&'a C>,
    /// The other running containers, which must be stopped first.
    pub rivals: Vec<&'a C>,
}

/// Chooses the container to adopt for a workload. The list is newest first; a running one
/// is preferred to a newer one that is not, and then one with the component's own name.
pub fn choose<'a, C: Candidate>(containers: &'a [C], hash: &ContentHash) -> Choice<'a, C> {
    let of_hash = || containers.iter().filter(|container| container.workload_hash() == hash);
    // The last one of several equal ones is taken.
    let wanted = of_hash().rev().max_by_key(|it| (it.is_running(), it.bears_own_name()));
    let is_wanted = |container: &C| wanted.is_some_and(|wanted| wanted.id() == container.id());
    let rivals = containers.iter().filter(|c| c.is_running() && !is_wanted(c)).collect();
    Choice { wanted, rivals }
}

/// Guesses the container in use if no document names one. In this order, it is the running
/// one, the one with the component's own name, the newest that ever ran, or the newest.
pub fn likeliest<C: Candidate>(containers: &[C]) -> Option<&C> {
    let running = containers.iter().find(|container| container.is_running());
    running
        .or_else(|| containers.iter().find(|container| container.bears_own_name()))
        .or_else(|| containers.iter().find(|container| !container.is_new()))
        .or_else(|| containers.first())
}

/// Returns true if the program of an adopted container has answered before. `known` is the health
/// in the last status of this container, and `has_passed_soak` says whether its workload passed
/// its soak. Where the status is lost or says nothing, a program that runs and passed its soak
/// counts as one that answered: a start time-out could cut its calls.
#[must_use]
pub fn was_ready(known: Option<Health>, runs: bool, has_passed_soak: bool) -> bool {
    match known {
        Some(Health::Healthy | Health::Unhealthy) => runs,
        Some(Health::Starting) => false,
        Some(Health::Unknown) | None => runs && has_passed_soak,
    }
}

/// Returns the drift that a supervisor reports when it starts. `before` is the last status of
/// the previous supervisor for the same workload. If that one had a container and there is
/// none now, somebody removed it.
#[must_use]
pub fn drift_at_start(
    is_there: bool,
    before: Option<&Status>,
    name: &str,
    now: Timestamp,
) -> Option<Drift> {
    // One that was never created was not removed.
    let before = before.filter(|status| !status.container.is_empty())?;
    if is_there {
        return before.drift.clone();
    }
    let cause = EndCause::Removed { code: None };
    ContainerExit { container: name.to_owned(), cause }.drift(now)
}

#[cfg(test)]
mod tests;
