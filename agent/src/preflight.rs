//! Checks before something new is created: free disk space, and ports on which no other
//! program listens. The checks only read, and they run before anything is stopped.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use oml_common::decide::preflight::{self, Checks, PortOwners};
use oml_common::document::instance::{InstanceDocument, Port, Protocol};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::disk::{DiskFull, has_room};
use crate::documents;
use crate::files;
use crate::host::Host;
use crate::paths::Slot;
use crate::runtime::{ContainerListing, PullProgress, RuntimeError};

mod sockets;

use self::sockets::{LISTENING, UNCONNECTED, in_the_way};

/// The pause between two checks of the disk while an image is pulled.
const CHECK_PAUSE: Duration = Duration::from_secs(1);

/// The reason why nothing new may be created now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Blocked {
    #[error(transparent)]
    Disk(#[from] DiskFull),
    #[error("port {0} is taken by another program")]
    Port(Port),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl Host {
    /// Checks that the disks of the engine have room for `more_bytes` of an image.
    pub(crate) async fn may_pull(&self, more_bytes: u64) -> Result<(), Blocked> {
        for place in self.docker.storage().await? {
            has_room(&place, self.min_free.engine_bytes.saturating_add(more_bytes))?;
        }
        Ok(())
    }

    /// Checks the disks while an image is pulled and unpacked, and returns when the rest does not
    /// fit. The size of an image is known only during the pull.
    pub(crate) async fn until_disk_full(
        &self,
        mut progress: watch::Receiver<PullProgress>,
    ) -> Blocked {
        loop {
            sleep(CHECK_PAUSE).await;
            let PullProgress { bytes_done, bytes_total } = *progress.borrow_and_update();
            // An image that is all here is still unpacked, which takes more room than it has bytes.
            let left_bytes = bytes_total.saturating_sub(bytes_done);
            if let Err(blocked @ Blocked::Disk(_)) = self.may_pull(left_bytes).await {
                return blocked;
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
                self.may_pull(0).await?;
                has_room(&self.paths.state, self.min_free.state_bytes)?;
                let before = self.docker.document(component, &running).await?;
                let before = before.as_ref().map_or(&[][..], |before| &before.ports);
                match preflight::gives_up_a_port(before, &instance.ports) {
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
        let listening = listeners(&self.paths.proc);
        let taken = |own: &BTreeSet<Port>| preflight::first_taken(&instance.ports, &listening, own);
        // Most often nothing listens there, and nobody has to be asked whose ports they are.
        if taken(&BTreeSet::new()).is_none() {
            return Ok(());
        }
        match taken(&self.own_ports(listing).await?) {
            Some(port) => Err(Blocked::Port(port)),
            None => Ok(()),
        }
    }

    /// Reads which ports our running instances have.
    async fn own_ports(&self, listing: &ContainerListing) -> Result<BTreeSet<Port>, RuntimeError> {
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

/// Returns the ports of the host on which a program listens.
fn listeners(proc: &Path) -> BTreeSet<Port> {
    let tables = [
        ("tcp", Protocol::Tcp, LISTENING),
        ("tcp6", Protocol::Tcp, LISTENING),
        ("udp", Protocol::Udp, UNCONNECTED),
        ("udp6", Protocol::Udp, UNCONNECTED),
    ];
    let mut found = BTreeSet::new();
    for (table, protocol, state) in tables {
        // Without IPv6 there is no such table.
        match files::read_if_there(&proc.join("net").join(table)) {
            Ok(text) => {
                let text = text.unwrap_or_default();
                found.extend(in_the_way(&text, state).map(|number| Port { number, protocol }));
            }
            Err(error) => warn!(error = chain(&error), "cannot read which ports are in use"),
        }
    }
    found
}

#[cfg(test)]
mod tests;
