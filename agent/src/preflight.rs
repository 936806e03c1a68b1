//! Checks before something new is created: free disk space, and ports on which no other
//! program listens. The checks only read, and they run before anything is stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use oml_common::decide::preflight::{self, Checks, PortOwners};
use oml_common::document::instance::{InstanceDocument, Port, PortRange, Probe};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::disk::{DiskFull, has_room};
use crate::documents;
use crate::host::Host;
use crate::paths::Slot;
use crate::runtime::{ContainerListing, PullProgress, RuntimeError};
use crate::sockets::{Listener, listeners};

/// The pause between two checks of the disk while an image is pulled.
const CHECK_PAUSE: Duration = Duration::from_secs(1);

const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The reason why nothing new may be created now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Blocked {
    #[error(transparent)]
    Disk(#[from] DiskFull),
    #[error("port {port} is taken by another program{}", place(*address))]
    Port { port: Port, address: IpAddr },
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl Host {
    /// Asks where the engine has its images now, and checks that there is room. Returns the folders.
    pub(crate) async fn may_pull(&self) -> Result<Vec<PathBuf>, Blocked> {
        let places = self.docker.storage().await?;
        self.have_room(&places, 0)?;
        Ok(places)
    }

    /// Checks that these disks of the engine have room for `more_bytes` of an image.
    fn have_room(&self, places: &[PathBuf], more_bytes: u64) -> Result<(), DiskFull> {
        let min_bytes = self.min_free.engine_bytes.saturating_add(more_bytes);
        places.iter().try_for_each(|place| has_room(place, min_bytes))
    }

    /// Checks these disks while an image is pulled and unpacked, and returns when the rest does
    /// not fit. The size of an image is known only during the pull.
    pub(crate) async fn until_disk_full(
        &self,
        places: &[PathBuf],
        mut progress: watch::Receiver<PullProgress>,
    ) -> Blocked {
        loop {
            sleep(CHECK_PAUSE).await;
            let PullProgress { bytes_done, bytes_total } = *progress.borrow_and_update();
            // An image that is all here is still unpacked, which takes more room than it has bytes.
            let left_bytes = bytes_total.saturating_sub(bytes_done);
            if let Err(full) = self.have_room(places, left_bytes) {
                return Blocked::Disk(full.rounded());
            }
        }
    }

    /// Checks that the container of the instance may be created. An existing one passes.
    pub(crate) async fn may_create(&self, instance: &InstanceDocument) -> Result<(), Blocked> {
        let component = &instance.component;
        let listing = self.docker.list(&[]).await?;
        let own = listing.containers.iter().filter(|(name, _)| name == component);
        let own: Vec<_> = own.map(|(_, container)| container).collect();
        match preflight::checks(&own, &instance.workload_hash()) {
            Checks::Nothing => Ok(()),
            Checks::Ports => self.may_listen(instance, &listing).await,
            Checks::DiskAndPorts { running } => {
                self.may_pull().await?;
                has_room(&self.paths.state, self.min_free.state_bytes)?;
                let before = self.docker.document(component, &running).await?;
                let before = before.map(|before| before.port_ranges()).unwrap_or_default();
                match preflight::gives_up_a_port(&before, &instance.port_ranges()) {
                    true => self.may_listen(instance, &listing).await,
                    false => Ok(()),
                }
            }
        }
    }

    async fn may_listen(
        &self,
        instance: &InstanceDocument,
        listing: &ContainerListing,
    ) -> Result<(), Blocked> {
        let found = in_the_way(listeners(&self.paths.proc), bound_port(&instance.probe));
        let listening = found.keys().copied().collect();
        let wanted = preflight::needed_ports(instance);
        let taken = |own: &BTreeSet<PortRange>| preflight::first_taken(&wanted, &listening, own);
        // Most often nothing listens there, and the owner of the port need not be found.
        if taken(&BTreeSet::new()).is_none() {
            return Ok(());
        }
        match taken(&self.own_ports(listing).await?) {
            Some(port) => Err(Blocked::Port { port, address: found[&port] }),
            None => Ok(()),
        }
    }

    /// Reads which ports our running instances have.
    async fn own_ports(
        &self,
        listing: &ContainerListing,
    ) -> Result<BTreeSet<PortRange>, RuntimeError> {
        let (mut running, mut labelled) = (BTreeSet::new(), Vec::new());
        for (component, container) in &listing.containers {
            if container.is_running() {
                running.insert(component.clone());
                labelled.extend(self.docker.document(component, &container.hash).await?);
            }
        }
        let current = self.current_documents();
        let owners = PortOwners { running: &running, labelled: &labelled, current: &current };
        Ok(preflight::own_ports(owners))
    }

    /// Reads the current documents of all components. One that cannot be read is left out.
    fn current_documents(&self) -> Vec<InstanceDocument> {
        let components = documents::components(&self.paths).unwrap_or_else(|error| {
            warn!(
                error = chain(&error),
                "cannot read the component documents; port ownership is incomplete"
            );
            Vec::new()
        });
        let read = |component: ComponentName| {
            documents::read(&self.paths, &component, Slot::Current).unwrap_or_else(|error| {
                warn!(
                    %component,
                    error = chain(&error),
                    "cannot read document; its ports are not known"
                );
                None
            })
        };
        components.into_iter().filter_map(read).collect()
    }
}

/// The port and the one address to which a component binds it, if its probe says so. One that
/// asks at 127.0.0.1 says nothing: it reaches a program that is bound to all addresses too.
fn bound_port(probe: &Probe) -> Option<(Port, IpAddr)> {
    let address: IpAddr = probe.address.as_ref()?.parse().ok()?;
    let says = !address.is_unspecified() && !LOCALHOST.contains(&address);
    probe.check.port().filter(|_| says).map(|port| (port, address))
}

/// Returns the ports that a component of this host may find taken, each with an address at which
/// another program listens. In the way of a port that is bound to one address are only programs
/// at the same one, or at all. Of the other ports the address is not known; most are bound to all.
/// Sockets that are bound to a group address or to an extra loopback address, as that of a name
/// server for the host itself, disturb only a program that binds the same.
fn in_the_way(
    listeners: BTreeSet<Listener>,
    bound: Option<(Port, IpAddr)>,
) -> BTreeMap<Port, IpAddr> {
    let is_in_the_way = |Listener { port, address }: &Listener| match bound {
        Some((own, bound)) if own == *port => *address == bound || address.is_unspecified(),
        Some(_) | None => {
            LOCALHOST.contains(address) || !(address.is_loopback() || address.is_multicast())
        }
    };
    // Backwards, so that of several addresses the unspecified one stays.
    let in_the_way = listeners.into_iter().rev().filter(is_in_the_way);
    in_the_way.map(|Listener { port, address }| (port, address)).collect()
}

/// Says at which address the program listens, unless it does at all of them.
fn place(address: IpAddr) -> String {
    if address.is_unspecified() { String::new() } else { format!(" at {address}") }
}

#[cfg(test)]
mod tests;
