//! Checks before something new is created: free disk space, and ports on which no other
//! program listens. The checks only read, and they run before anything is stopped.

use std::collections::BTreeSet;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use oml_common::document::instance::{InstanceDocument, Port, Protocol};
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

/// The pause between two checks of the disk while an image is pulled.
const CHECK_PAUSE: Duration = Duration::from_secs(1);
/// `tcp_states.h`: a socket that listens, and one that is bound to no peer.
const LISTENING: &str = "0A";
const UNCONNECTED: &str = "07";

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
    /// Checks that the disk has room for `more_bytes` of an image.
    pub(crate) async fn may_pull(&self, more_bytes: u64) -> Result<(), Blocked> {
        match self.docker.storage().await? {
            Some(place) => {
                Ok(has_room(&place, self.min_free.engine_bytes.saturating_add(more_bytes))?)
            }
            None => Ok(()),
        }
    }

    /// Checks the disk while an image is pulled, and returns when the rest does not fit. The
    /// size of an image is known only during the pull.
    pub(crate) async fn until_disk_full(
        &self,
        mut progress: watch::Receiver<PullProgress>,
    ) -> Blocked {
        while progress.changed().await.is_ok() {
            let PullProgress { bytes_done, bytes_total } = *progress.borrow_and_update();
            let left_bytes = bytes_total.saturating_sub(bytes_done);
            // An image that is here is only unpacked, and its packed form goes.
            if left_bytes > 0
                && let Err(blocked @ Blocked::Disk(_)) = self.may_pull(left_bytes).await
            {
                return blocked;
            }
            sleep(CHECK_PAUSE).await;
        }
        pending().await
    }

    /// Checks that the container of the instance may be created. An existing one passes.
    pub(crate) async fn may_create(&self, instance: &InstanceDocument) -> Result<(), Blocked> {
        let listing = self.docker.list(&[]).await?;
        let hash = instance.workload_hash();
        let is_it = |name: &_, found: &_| *name == instance.component && *found == hash;
        if listing.containers.iter().any(|(name, found)| is_it(name, &found.hash)) {
            return Ok(());
        }
        let running = listing
            .containers
            .iter()
            .find(|(name, found)| *name == instance.component && found.is_running());
        let Some((_, running)) = running else {
            // Nothing runs that could be lost, and the missing container keeps it down.
            return self.may_listen(instance, &listing).await;
        };
        self.may_pull(0).await?;
        has_room(&self.paths.state, self.min_free.state_bytes)?;
        let before = self.docker.document(&instance.component, &running.hash).await?;
        let before = before.map(|before| before.ports.clone()).unwrap_or_default();
        // A port that is only added may be one that the running version has already.
        if before.iter().all(|port| instance.ports.contains(port)) {
            return Ok(());
        }
        self.may_listen(instance, &listing).await
    }

    async fn may_listen(
        &self,
        instance: &InstanceDocument,
        listing: &ContainerListing,
    ) -> Result<(), Blocked> {
        let listening = listeners(&self.paths.proc);
        let wanted = instance.ports.iter().filter(|port| listening.contains(port));
        let wanted: Vec<Port> = wanted.copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        first_taken(&wanted, &self.own_ports(listing).await?)
    }

    /// Returns the ports of our running instances by their documents. An instance that has
    /// one of them stops for the change, or the plan has refused the change.
    async fn own_ports(&self, listing: &ContainerListing) -> Result<BTreeSet<Port>, RuntimeError> {
        let mut own = BTreeSet::new();
        let running = || listing.containers.iter().filter(|(_, found)| found.is_running());
        for (component, container) in running() {
            let labelled = self.docker.document(component, &container.hash).await?;
            own.extend(labelled.iter().flat_map(|instance| &instance.ports));
        }
        for component in documents::components(&self.paths).unwrap_or_else(|error| {
            warn!(
                error = chain(&error),
                "cannot read the component documents; port ownership is incomplete"
            );
            Vec::new()
        }) {
            match documents::read(&self.paths, &component, Slot::Current) {
                // A packaged unit has no container to show that it runs.
                Ok(Some(document))
                    if document.container().is_none()
                        || running().any(|(name, _)| *name == component) =>
                {
                    own.extend(&document.ports);
                }
                Ok(_) => {}
                Err(error) => warn!(
                    %component,
                    error = chain(&error),
                    "cannot read document; its ports are not known"
                ),
            }
        }
        Ok(own)
    }
}

fn first_taken(wanted: &[Port], own: &BTreeSet<Port>) -> Result<(), Blocked> {
    match wanted.iter().find(|port| !own.contains(port)) {
        Some(port) => Err(Blocked::Port(*port)),
        None => Ok(()),
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
                let numbers = text.lines().filter_map(|line| bound(line, state));
                found.extend(numbers.map(|number| Port { number, protocol }));
            }
            Err(error) => warn!(error = chain(&error), "cannot read which ports are in use"),
        }
    }
    found
}

/// Returns the port of a line of `/proc/net/tcp` (proc_net_tcp(5)) if its socket is in that
/// state and bound to every address or to 127.0.0.1, which probes use. Only such a socket
/// is certain to be a conflict.
fn bound(line: &str, state: &str) -> Option<u16> {
    const IN_THE_WAY: [&str; 4] = [
        "00000000",
        "0100007F",
        "00000000000000000000000000000000",
        "0000000000000000FFFF00000100007F",
    ];
    let mut words = line.split_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let is_bound = words.nth(1)? == state && IN_THE_WAY.contains(&address);
    u16::from_str_radix(port, 16).ok().filter(|_| is_bound)
}

#[cfg(test)]
mod tests;
