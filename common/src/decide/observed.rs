//! What an agent found on its host: the engine's and systemd's own words.

use std::collections::BTreeMap;

use crate::document::instance::{ActiveProbe, Probe};
use crate::document::status::{Health, Status};
use crate::id::{ComponentName, ContentHash, Digest, Version};
use crate::time::Timestamp;

/// Everything of ours on a host, and whatever stands in its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// By component, desired or not.
    pub instances: BTreeMap<ComponentName, ObservedInstance>,
}

/// What was found of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedInstance {
    /// Its unit, if systemd knows one of ours (or the distribution's, for a packaged unit).
    pub unit: Option<ObservedUnit>,
    /// Its containers of all ages: current, next, previous.
    pub containers: Vec<ObservedContainer>,
    /// The desired image is in the engine's store.
    pub image_present: bool,
    /// The instance document that the supervisor works by.
    pub document: Option<ObservedDocument>,
    /// What the supervisor (or the unit's probe) last said.
    pub status: Option<Status>,
    /// How calls of what runs are counted.
    pub counting: Counting,
    /// When systemd last told of units.
    pub units_at: Option<Timestamp>,
    /// systemd does not answer, so that its word of the unit is an old one.
    pub systemd_is_away: bool,
    /// A unit or container of its name that does not carry our mark, as a noun phrase.
    pub foreign: Option<String>,
}

/// How calls of what runs are counted, as its document or its label tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Counting {
    /// A stop would cut none.
    #[default]
    Nothing,
    By(ActiveProbe),
    /// Nothing tells, so calls count as up.
    Unknown,
}

/// The instance document of a host, from its file or, when that is lost, from
/// the label of the container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDocument {
    /// Identity of the whole document.
    pub hash: ContentHash,
    /// Identity of the workload in it.
    pub workload: ContentHash,
    /// How a supervisor that works by it asks; none where only the label was read.
    pub probe: Option<Probe>,
    /// The file is there; otherwise the label was read.
    pub on_disk: bool,
}

/// A unit as systemd tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedUnit {
    /// Hash that our unit file or drop-in carries; none for a file that is not ours.
    pub hash: Option<ContentHash>,
    /// Its text is not what the desired instance calls for, or systemd has not read it yet.
    pub stale: bool,
    /// systemd's ActiveState.
    pub active: ActiveState,
    /// The unit file is masked.
    pub masked: bool,
    /// The unit was stopped on purpose and not by the agent: inactive after having run, result success.
    pub stopped_by_hand: bool,
    pub since: Timestamp,
    /// Automatic restarts since the last start by hand (NRestarts).
    pub restarts: u32,
    /// Why it is failed, in systemd's word ("exit-code", "start-limit-hit", "timeout").
    pub result: String,
}

/// systemd's ActiveState (org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveState {
    Inactive,
    /// On the way to active, or waiting for an automatic restart.
    Activating,
    /// Running, and its program has answered.
    Active,
    /// On the way to inactive.
    Deactivating,
    /// Ended with an error; systemd has given up.
    Failed,
    /// Re-reading its configuration.
    Reloading,
}

/// A container of ours as the engine tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedContainer {
    pub id: String,
    pub name: String,
    /// Workload hash from its label.
    pub hash: ContentHash,
    /// Version from its label.
    pub version: Version,
    /// Image digest from its label.
    pub digest: Digest,
    pub created: Timestamp,
    pub state: ContainerState,
}

/// Whether a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    Created,
    /// Running (also paused or restarting).
    Running {
        since: Timestamp,
    },
    Exited {
        code: i64,
        at: Timestamp,
        /// The kernel killed it for want of memory.
        out_of_memory: bool,
    },
}

impl From<Option<ActiveProbe>> for Counting {
    fn from(probe: Option<ActiveProbe>) -> Self {
        probe.map_or(Self::Nothing, Self::By)
    }
}

impl Counting {
    /// How, where it is told.
    #[must_use]
    pub fn probe(&self) -> Option<&ActiveProbe> {
        match self {
            Self::By(probe) => Some(probe),
            Self::Nothing | Self::Unknown => None,
        }
    }
}

impl ObservedInstance {
    /// The newest container with that workload.
    #[must_use]
    pub fn container(&self, hash: &ContentHash) -> Option<&ObservedContainer> {
        self.containers.iter().filter(|c| &c.hash == hash).max_by_key(|c| c.created)
    }

    /// Whether what runs is known never to have answered, so that it has no
    /// calls: systemd still waits for it, and its supervisor says so of this
    /// very container. Anything less counts as answered.
    #[must_use]
    pub fn never_answered(&self) -> bool {
        let is_starting = self.unit.as_ref().is_some_and(|u| u.active == ActiveState::Activating);
        let says_so = |container: &ObservedContainer| {
            self.status.as_ref().is_some_and(|status| {
                status.container == container.id && status.health == Health::Starting
            })
        };
        is_starting && self.running().is_some_and(says_so)
    }

    /// The container that runs, if one does.
    #[must_use]
    pub fn running(&self) -> Option<&ObservedContainer> {
        self.containers.iter().find(|c| c.is_running())
    }
}

impl ObservedUnit {
    /// systemd starts it again and again, for it does not come up.
    #[must_use]
    pub fn keeps_failing(&self) -> bool {
        self.active == ActiveState::Activating
            && (self.restarts > 0 || !matches!(self.result.as_str(), "" | "success"))
    }
}

impl ObservedContainer {
    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        match self.state {
            ContainerState::Running { .. } => true,
            ContainerState::Created | ContainerState::Exited { .. } => false,
        }
    }
}
