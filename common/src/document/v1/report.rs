//! The report of an agent about its node. Every report is complete and has a time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::operation::RunResult;
use crate::document::status::{Drift, Health, LastExit};
use crate::document::{Document, is_default};
use crate::id::{
    ComponentName, ContentHash, Digest, Generation, OperationName, RevisionNumber, RunId, Version,
};
use crate::time::Timestamp;

mod significance;

pub use significance::{Significance, significance};

/// The state of a node and of everything on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The assignment that the agent applies; none before the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub applied: Option<Generation>,
    /// The revision of that assignment.
    pub revision: RevisionNumber,
    /// When this was observed, by the host's clock.
    pub at: Timestamp,
    pub agent_version: String,
    /// Errors of the agent itself, such as "docker does not answer since …".
    #[serde(default, skip_serializing_if = "is_default")]
    pub errors: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub instances: BTreeMap<ComponentName, InstanceReport>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub host: HostUsage,
}

/// The state of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The progress towards the desired state.
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: String,
    /// A key that stays the same while only counts and times in the reason change. An agent of
    /// release 0.1.0 reports none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason_key: String,
    /// The version that runs or ran last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: Option<Version>,
    /// The digest of the running image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub digest: Option<Digest>,
    /// The hash of the running workload.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hash: Option<ContentHash>,
    /// The health of the running program.
    pub health: Health,
    /// The time of the last probe.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checked_at: Option<Timestamp>,
    /// The time of the last start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub restarts: u32,
    /// The number of active calls, dialogs or sessions, if it can be counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<u64>,
    /// The number of calls that our own stop cut at the last change; none if unknown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub calls_cut: Option<u64>,
    /// The failure of the last change.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failure: Option<Failure>,
    /// The last change that was made on the host by hand.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: Option<Drift>,
    /// How the program ended last, if that was recently.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_exit: Option<LastExit>,
    /// The newest runs of its preparations and migrations on the node, newest first; at most
    /// [`UpdateRun::REPORTED_MAX`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub update_runs: Vec<UpdateRun>,
}

/// A run of a preparation or a migration, which belongs to an update of its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateRun {
    pub id: RunId,
    pub operation: OperationName,
    /// The version before whose start it ran.
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: Option<Version>,
    /// What became of it, without the lines that it wrote; none if it is not over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub result: Option<RunResult>,
}

/// The phase of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Phase {
    /// The instance waits; the reason names for what.
    Pending,
    /// The image is being pulled.
    Pulling {
        /// The bytes that have arrived.
        bytes_done: u64,
        /// The size in bytes; 0 while unknown.
        bytes_total: u64,
    },
    /// Container and files are being created beside the running version.
    Preparing,
    /// The old version waits for its calls to end.
    Draining {
        /// The end of the wait.
        deadline: Timestamp,
    },
    /// The old version is being stopped and the new one started.
    Starting,
    /// The new version runs and must stay healthy until then.
    Soaking {
        until: Timestamp,
    },
    /// The desired version is committed and healthy.
    Ready,
    /// The desired version is committed, but its probe fails.
    Unhealthy,
    /// The desired version is committed, and its program ends again and again.
    CrashLooping,
    /// The unit was stopped on the host by hand and is left stopped.
    StoppedByHand {
        since: Timestamp,
    },
    /// The desired version failed; the previous one runs.
    RolledBack,
    /// The desired version failed, and there is no version to roll back to.
    Failed,
    /// Something on the host prevents the next step.
    Blocked,
    Removing,
    /// Its agent reported something that the controller cannot read; the reason says
    /// what. An agent never reports this phase itself. The phase of a stored report is
    /// this too if a later release wrote it.
    #[serde(other)]
    Unknown,
}

/// The failure of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The workload that failed.
    pub hash: ContentHash,
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: Option<Version>,
    pub at: Timestamp,
    /// What happened, in one sentence.
    pub message: String,
    /// The exit code of its program, if it ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exit_code: Option<i64>,
    /// The last lines of its log, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_tail: Vec<String>,
}

/// The usage of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUsage {
    /// The busy share of all cores, in thousandths.
    pub cpu_permille: u32,
    /// `MemTotal` less `MemAvailable` (proc_meminfo(5)).
    pub memory_used_bytes: u64,
    /// `MemTotal` (proc_meminfo(5)); 0 if it is not known.
    pub memory_total_bytes: u64,
    /// The used space of the disk that stores images.
    pub disk_used_bytes: u64,
    /// The total space of that disk.
    pub disk_total_bytes: u64,
    /// True if the busy share is not known, as for the first sample.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cpu_unknown: bool,
}

impl InstanceReport {
    /// Returns a report that gives the phase and nothing else.
    #[must_use]
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            reason: String::new(),
            reason_key: String::new(),
            version: None,
            digest: None,
            hash: None,
            health: Health::Unknown,
            checked_at: None,
            started_at: None,
            restarts: 0,
            active: None,
            calls_cut: None,
            failure: None,
            drift: None,
            last_exit: None,
            update_runs: Vec::new(),
        }
    }
}

impl UpdateRun {
    /// The most runs of an instance that a report has.
    pub const REPORTED_MAX: usize = 5;
}

impl Phase {
    /// Returns true if the instance is in its desired state or stopped by hand.
    #[must_use]
    pub fn is_converged(self) -> bool {
        matches!(self, Phase::Ready | Phase::StoppedByHand { .. })
    }

    /// Returns true if the desired version failed and the agent will not try it again by itself.
    #[must_use]
    pub fn has_given_up(self) -> bool {
        matches!(self, Phase::RolledBack | Phase::Failed)
    }

    /// Returns true if the agent only watches the instance.
    #[must_use]
    pub fn is_idle(self) -> bool {
        self.is_converged()
            || self.has_given_up()
            || matches!(self, Phase::Unhealthy | Phase::CrashLooping)
    }

    /// Returns the name of the phase for people.
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
            Phase::CrashLooping => "crash-looping",
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
