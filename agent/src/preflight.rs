//! What must hold before anything new is made: room on the disks, and ports
//! that nobody else listens on. Looks only; nothing was stopped yet.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use oml_common::document::instance::{InstanceDocument, Port, Protocol};
use oml_common::text::error::chain;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::documents;
use crate::execute::Host;
use crate::files;
use crate::paths::Slot;
use crate::runtime::{Listing, PullProgress, RuntimeError};

/// Below these many free inodes a disk is as good as full.
const INODES_MIN: u64 = 1024;
/// From one look at the disk to the next while an image is fetched.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// `tcp_states.h`: a socket that listens, and one that is bound to no peer.
const LISTENING: &str = "0A";
const UNCONNECTED: &str = "07";

/// Room that must be left before anything is fetched or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinFree {
    /// On the disk of the engine's images and containers.
    pub engine_bytes: u64,
    /// On the disk of the agent's own state.
    pub state_bytes: u64,
}

impl Default for MinFree {
    fn default() -> Self {
        Self { engine_bytes: 512 << 20, state_bytes: 64 << 20 }
    }
}

/// Why nothing new is made for now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Blocked {
    #[error("only {free_mib} MiB are free at {place}, and {floor_mib} MiB must be")]
    Bytes { place: String, free_mib: u64, floor_mib: u64 },
    #[error("only {free} files more fit at {place}, and {INODES_MIN} must")]
    Inodes { place: String, free: u64 },
    #[error("port {0} is taken by another program")]
    Port(Port),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

/// What is left on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) bytes: u64,
    /// None where the file system has no fixed number of them.
    inodes: Option<u64>,
}

impl Host {
    /// Whether an image may be fetched of which so many bytes are still to come.
    pub(crate) async fn may_fetch(&self, more_bytes: u64) -> Result<(), Blocked> {
        match self.docker.storage().await? {
            Some(place) => has_room(&place, self.min_free.engine_bytes.saturating_add(more_bytes)),
            None => Ok(()),
        }
    }

    /// Looks on while an image is fetched: how large it is shows only then, and
    /// what runs needs the disk too.
    pub(crate) async fn until_it_does_not_fit(
        &self,
        mut progress: watch::Receiver<PullProgress>,
    ) -> Blocked {
        while progress.changed().await.is_ok() {
            let PullProgress { bytes_done, bytes_total } = *progress.borrow_and_update();
            let left_bytes = bytes_total.saturating_sub(bytes_done);
            // What is all here is only unpacked, and what it was packed in goes.
            if left_bytes > 0
                && let Err(blocked @ (Blocked::Bytes { .. } | Blocked::Inodes { .. })) =
                    self.may_fetch(left_bytes).await
            {
                return blocked;
            }
            sleep(LOOK_PAUSE).await;
        }
        pending().await
    }

    /// Whether the instance's container may be made. One that is there already may stay.
    pub(crate) async fn may_put(&self, instance: &InstanceDocument) -> Result<(), Blocked> {
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
            // Nothing is lost by trying, and a container that went is what keeps it down.
            return self.may_listen(instance, &listing).await;
        };
        self.may_fetch(0).await?;
        has_room(&self.paths.state, self.min_free.state_bytes)?;
        let before = self.docker.document(&instance.component, &running.hash).await?;
        let before = before.map(|before| before.ports.clone()).unwrap_or_default();
        // Ports that are only added may be its own already, told late.
        if before.iter().all(|port| instance.ports.contains(port)) {
            return Ok(());
        }
        self.may_listen(instance, &listing).await
    }

    async fn may_listen(
        &self,
        instance: &InstanceDocument,
        listing: &Listing,
    ) -> Result<(), Blocked> {
        let listening = listeners(&self.paths.proc);
        let wanted = instance.ports.iter().filter(|port| listening.contains(port));
        let wanted: Vec<Port> = wanted.copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        first_taken(&wanted, &self.own_ports(listing).await?)
    }

    /// The ports that what runs of ours says it listens on. Whatever holds one
    /// of those goes, or is told by the plan.
    async fn own_ports(&self, listing: &Listing) -> Result<BTreeSet<Port>, RuntimeError> {
        let mut own = BTreeSet::new();
        let running = || listing.containers.iter().filter(|(_, found)| found.is_running());
        for (component, container) in running() {
            let labelled = self.docker.document(component, &container.hash).await?;
            own.extend(labelled.iter().flat_map(|instance| &instance.ports));
        }
        for component in documents::components(&self.paths).unwrap_or_else(|error| {
            warn!("whose ports are whose is not known well: {}", chain(&error));
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
                Err(error) => warn!(%component, "{component}: {}", chain(&error)),
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

/// A disk that cannot be asked is nobody's reason to leave a host as it is.
fn has_room(place: &Path, floor_bytes: u64) -> Result<(), Blocked> {
    match room(place) {
        Ok(room) => is_enough(&place.display().to_string(), room, floor_bytes),
        Err(error) => {
            warn!("the room at {} is not known: {error}", place.display());
            Ok(())
        }
    }
}

fn is_enough(place: &str, room: Room, floor_bytes: u64) -> Result<(), Blocked> {
    let place = place.to_owned();
    if room.bytes < floor_bytes {
        let (free_mib, floor_mib) = (room.bytes >> 20, floor_bytes >> 20);
        return Err(Blocked::Bytes { place, free_mib, floor_mib });
    }
    match room.inodes {
        Some(free) if floor_bytes > 0 && free < INODES_MIN => Err(Blocked::Inodes { place, free }),
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn room(place: &Path) -> io::Result<Room> {
    let stat = statvfs(place)?;
    Ok(Room {
        bytes: stat.blocks_available().saturating_mul(stat.fragment_size()),
        inodes: (stat.files() > 0).then(|| stat.files_available()),
    })
}

/// The ports of the host on which some program listens.
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
            Err(error) => warn!("who listens is not known well: {}", chain(&error)),
        }
    }
    found
}

/// The port of a line of `/proc/net/tcp` (proc_net_tcp(5)), where its socket is
/// in that state and bound to every address or to 127.0.0.1, where probes ask:
/// only such a socket is surely in the way.
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
