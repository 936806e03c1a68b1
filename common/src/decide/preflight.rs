//! Decides what must be free on a host before a container is created, and to whom a port
//! belongs on which a program listens.

use std::collections::BTreeSet;

use crate::decide::observed::ObservedContainer;
use crate::document::instance::{Instance, InstanceDocument, Network, Port, PortRange, Protocol};
use crate::id::{ComponentName, ContentHash};

/// What is checked before a container is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checks {
    /// The container exists already.
    Nothing,
    /// Nothing of the component runs, so nothing can be lost, and a full disk must not keep it
    /// down: only its ports are checked.
    Ports,
    /// This workload runs and would be stopped for the new one: the disk is checked, and the
    /// ports if [`gives_up_a_port`] says so.
    DiskAndPorts { running: ContentHash },
}

/// Decides what is checked before the container of `desired` is created beside those that the
/// component has.
#[must_use]
pub fn checks(own: &[&ObservedContainer], desired: &ContentHash) -> Checks {
    if own.iter().any(|container| &container.hash == desired) {
        return Checks::Nothing;
    }
    match own.iter().find(|container| container.is_running()) {
        Some(running) => Checks::DiskAndPorts { running: running.hash.clone() },
        None => Checks::Ports,
    }
}

/// Returns true if the change gives up a port. A port that is only added may be one on which
/// the running version listens already without its document saying so, so it is no conflict.
#[must_use]
pub fn gives_up_a_port(running: &[PortRange], desired: &[PortRange]) -> bool {
    let is_kept = |range: &PortRange| desired.iter().any(|other| other.covers(*range));
    running.iter().any(|range| !is_kept(range))
}

/// The documents by which ports are known to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortOwners<'a> {
    /// The components of which a container runs.
    pub running: &'a BTreeSet<ComponentName>,
    /// The documents in the labels of those containers.
    pub labelled: &'a [InstanceDocument],
    /// The current documents on disk, of all components.
    pub current: &'a [InstanceDocument],
}

/// Returns the ports of our running instances by their documents. An instance that has one of
/// them stops for the change, or the plan has refused the change.
#[must_use]
pub fn own_ports(owners: PortOwners<'_>) -> BTreeSet<PortRange> {
    // A packaged unit has no container to show that it runs.
    let may_run = |document: &&InstanceDocument| {
        document.container().is_none() || owners.running.contains(&document.component)
    };
    let current = owners.current.iter().filter(may_run);
    owners.labelled.iter().chain(current).flat_map(|document| document.port_ranges()).collect()
}

/// Returns the ports that an instance must find free. A range of UDP in the network of the host is
/// none of them: a media server skips a port of it that is in use, and every resolver may have a
/// socket at one for a while.
#[must_use]
pub fn needed_ports(instance: &Instance) -> Vec<PortRange> {
    let network = instance.container().map(|container| &container.options.network);
    let is_published = matches!(network, Some(Network::Bridge { .. }));
    let is_needed =
        |range: &PortRange| is_published || range.protocol != Protocol::Udp || range.count() == 1;
    instance.port_ranges().into_iter().filter(is_needed).collect()
}

/// Returns the first wanted port on which a program listens that is not ours.
#[must_use]
pub fn first_taken(
    wanted: &[PortRange],
    listening: &BTreeSet<Port>,
    own: &BTreeSet<PortRange>,
) -> Option<Port> {
    let is_own = |port: Port| own.iter().any(|range| range.contains(port));
    let taken = |range: &PortRange| {
        listening.iter().copied().find(|port| range.contains(*port) && !is_own(*port))
    };
    wanted.iter().find_map(taken)
}

#[cfg(test)]
mod tests;
