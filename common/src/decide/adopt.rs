//! Which container of a component a supervisor takes up, and which of them have
//! to stop.

use crate::document::status::{Drift, Status};
use crate::id::ContentHash;
use crate::time::Timestamp;

/// A container of the component, as far as the choice looks at it.
pub trait Candidate {
    /// The engine's id of it.
    fn id(&self) -> &str;
    /// The identity of the workload that it was made for.
    fn workload_hash(&self) -> &ContentHash;
    /// Whether it runs.
    fn is_running(&self) -> bool;
    /// Whether it was never started.
    fn is_new(&self) -> bool;
    /// Whether its name is the component's own one, not that of a next or previous container.
    fn bears_own_name(&self) -> bool;
}

/// The containers of a component, sorted by what is to become of them.
#[derive(Debug)]
pub struct Choice<'a, C> {
    /// The container to hold; none where it has to be made.
    pub wanted: Option<&'a C>,
    /// Others that run and have to be stopped first.
    pub rivals: Vec<&'a C>,
}

/// Chooses the container to hold for a workload. The list is newest first; one
/// that runs goes before a newer one that does not.
pub fn choose<'a, C: Candidate>(containers: &'a [C], hash: &ContentHash) -> Choice<'a, C> {
    let of_hash = || containers.iter().filter(|container| container.workload_hash() == hash);
    let wanted = of_hash().find(|container| container.is_running()).or_else(|| of_hash().next());
    let is_wanted = |container: &C| wanted.is_some_and(|wanted| wanted.id() == container.id());
    let rivals = containers.iter().filter(|c| c.is_running() && !is_wanted(c)).collect();
    Choice { wanted, rivals }
}

/// Guesses the container in use where no document names one: the one that runs,
/// the one that bears the component's own name, the newest that ever ran, the newest.
pub fn likeliest<C: Candidate>(containers: &[C]) -> Option<&C> {
    let running = containers.iter().find(|container| container.is_running());
    running
        .or_else(|| containers.iter().find(|container| container.bears_own_name()))
        .or_else(|| containers.iter().find(|container| !container.is_new()))
        .or_else(|| containers.first())
}

/// The drift that a supervisor reports when it begins. `before` is what the one
/// before it said of the same workload: where it held a container and none is
/// there now, somebody removed it.
#[must_use]
pub fn drift_at_start(
    is_there: bool,
    before: Option<&Status>,
    name: &str,
    now: Timestamp,
) -> Option<Drift> {
    let before = before?;
    if is_there {
        return before.drift.clone();
    }
    Some(Drift { at: now, found: format!("container {name} was removed") })
}

#[cfg(test)]
mod tests;
