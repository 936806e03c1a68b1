//! What steps act on: the daemons, files and clock of this host.

use std::sync::Arc;

use oml_daemon::env::Clock;
use tokio::sync::watch;

use crate::disk::MinFree;
use crate::paths::Paths;
use crate::runtime::{ContainerEngine, UnitManager};
use crate::statuses::Statuses;

/// The host as steps see it.
#[derive(Clone)]
pub struct Host {
    pub docker: Arc<dyn ContainerEngine>,
    pub systemd: Arc<dyn UnitManager>,
    pub paths: Paths,
    pub clock: Clock,
    /// The status that each supervisor wrote last.
    pub statuses: watch::Receiver<Statuses>,
    /// Space that must stay free on the disks.
    pub min_free: MinFree,
}
