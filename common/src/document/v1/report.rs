//! What an agent says of its node: complete every time, and with an age.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::status::{Drift, Health};
use crate::document::{Document, is_default};
use crate::id::{ComponentName, ContentHash, Digest, Generation, RevisionNumber, Version};
use crate::time::Timestamp;

mod significance;

pub use significance::{Significance, significance};

/// The state of a node and of everything on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The assignment the agent works on; none before the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub applied: Option<Generation>,
    /// The revision of that assignment.
    pub revision: RevisionNumber,
    /// When this was observed, by the host's clock.
    pub at: Timestamp,
    pub agent_version: String,
    /// What disturbs the agent itself: "docker does not answer since …".
    #[serde(default, skip_serializing_if = "is_default")]
    pub troubles: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub instances: BTreeMap<ComponentName, InstanceReport>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub host: HostUsage,
}

/// The state of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Where it stands on its way to the desired state.
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: String,
    /// Version that runs, or last ran.
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: Option<Version>,
    /// Image that runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub digest: Option<Digest>,
    /// Workload that runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hash: Option<ContentHash>,
    /// Health of what runs.
    pub health: Health,
    /// When health was last asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checked_at: Option<Timestamp>,
    /// When what runs was started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub restarts: u32,
    /// Calls, dialogs or sessions, where they can be counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<u64>,
    /// Calls that our own stop cut, at the last change; none: nobody could tell.
    #[serde(default, skip_serializing_if = "is_default")]
    pub calls_cut: Option<u64>,
    /// Why the last change was undone or given up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failure: Option<Failure>,
    /// The last change made behind our back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: Option<Drift>,
}

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Phase {
    /// Waits for something named in the reason.
    Pending,
    /// Fetches its image.
    Pulling {
        /// Bytes already here.
        bytes_done: u64,
        /// Bytes in all; 0 when not known yet.
        bytes_total: u64,
    },
    /// Makes container and files ready beside the running version.
    Preparing,
    /// Waits for calls to end.
    Draining {
        /// When the wait is over.
        deadline: Timestamp,
    },
    /// Stops the old version and starts the new one.
    Starting,
    /// New version runs and must stay healthy a while.
    Soaking {
        until: Timestamp,
    },
    /// Runs as desired, kept, and answers.
    Ready,
    /// Runs as desired but does not answer.
    Unhealthy,
    /// Stopped on the host by hand, and left so.
    StoppedByHand {
        since: Timestamp,
    },
    /// The desired version failed; the one before runs.
    RolledBack,
    /// The desired version failed and nothing else can run.
    Failed,
    /// Something on the host stands in the way.
    Blocked,
    Removing,
    /// Its agent reported something that the controller cannot read; the reason says
    /// what. An agent never reports this phase itself.
    Unknown,
}

/// Why a change did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The workload that failed.
    pub hash: ContentHash,
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: Option<Version>,
    pub at: Timestamp,
    /// What happened, in one sentence.
    pub message: String,
    /// Exit status of its program, if it ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exit_code: Option<i64>,
    /// Its last words, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_tail: Vec<String>,
}

/// Use of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUsage {
    /// Share of all cores that was busy, in thousandths.
    pub cpu_permille: u32,
    /// Memory in use.
    pub memory_used_bytes: u64,
    /// Memory in all.
    pub memory_total_bytes: u64,
    /// Disk in use where images are kept.
    pub disk_used_bytes: u64,
    /// Disk in all.
    pub disk_total_bytes: u64,
}

impl Phase {
    /// Whether the instance runs as desired and is kept.
    #[must_use]
    pub fn is_converged(self) -> bool {
        match self {
            Phase::Ready | Phase::StoppedByHand { .. } => true,
            Phase::Pending
            | Phase::Pulling { .. }
            | Phase::Preparing
            | Phase::Draining { .. }
            | Phase::Starting
            | Phase::Soaking { .. }
            | Phase::Unhealthy
            | Phase::RolledBack
            | Phase::Failed
            | Phase::Blocked
            | Phase::Removing
            | Phase::Unknown => false,
        }
    }

    /// Whether the agent tried the desired version and will not try it again by itself.
    #[must_use]
    pub fn has_given_up(self) -> bool {
        match self {
            Phase::RolledBack | Phase::Failed => true,
            Phase::Pending
            | Phase::Pulling { .. }
            | Phase::Preparing
            | Phase::Draining { .. }
            | Phase::Starting
            | Phase::Soaking { .. }
            | Phase::Ready
            | Phase::Unhealthy
            | Phase::StoppedByHand { .. }
            | Phase::Blocked
            | Phase::Removing
            | Phase::Unknown => false,
        }
    }

    /// Whether the agent does nothing with the instance but watch it.
    #[must_use]
    pub fn is_idle(self) -> bool {
        self.is_converged() || self.has_given_up() || self == Phase::Unhealthy
    }

    /// The word people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "pending",
            Phase::Pulling { .. } => "pulling",
            Phase::Preparing => "preparing",
            Phase::Draining { .. } => "draining",
            Phase::Starting => "starting",
            Phase::Soaking { .. } => "soaking",
            Phase::Ready => "ready",
            Phase::Unhealthy => "unhealthy",
            Phase::StoppedByHand { .. } => "stopped-by-hand",
            Phase::RolledBack => "rolled-back",
            Phase::Failed => "failed",
            Phase::Blocked => "blocked",
            Phase::Removing => "removing",
            Phase::Unknown => "unknown",
        }
    }
}

impl Document for Report {
    const KIND: &'static str = "a report";
    const VERSION: Option<u32> = Some(1);
}

#[cfg(test)]
mod tests;
