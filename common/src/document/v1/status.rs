//! The status that a supervisor writes about its instance.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::instance::Probe;
use crate::document::{Document, Feature, is_default};
use crate::id::ContentHash;
use crate::time::Timestamp;

/// The state of an instance as its supervisor sees it. It is written after every change
/// and every probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The workload hash of the supervised container.
    pub hash: ContentHash,
    /// The id of the container in the engine.
    pub container: String,
    pub health: Health,
    /// The probe that was used; absent if the supervisor did not report it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub probe: Option<Probe>,
    /// The time at which the last probe was answered or timed out.
    pub checked_at: Timestamp,
    /// The time at which the health last changed.
    pub since: Timestamp,
    /// The result of the probe, for people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub detail: String,
    /// The failed probes in a row. A healthy instance becomes unhealthy only after several.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: u32,
    /// The active calls; absent if they cannot be read or the component counts none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<u64>,
    /// The last change that somebody else made to the container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: Option<Drift>,
    /// The program that supervises; absent if it is older than this field.
    #[serde(default, skip_serializing_if = "is_default")]
    pub supervisor: Option<SupervisorRelease>,
    /// The last lines that the program printed, oldest first, while its start is waited for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub printed: Vec<String>,
    /// When the program ended by itself lately, since its version passed its soak, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ends: Vec<Timestamp>,
    /// How it ended last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_exit: Option<LastExit>,
    /// Whether this probe ever had a good answer; one that never had may itself be wrong.
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_answered: bool,
    /// The restarts because it stayed unhealthy; absent if there were none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unhealthy_restarts: Option<UnhealthyRestarts>,
    /// Why the last start failed before the program ran; absent once it was started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not_started: Option<NotStarted>,
    /// The inodes of the sockets that waited for peers at the probe's port right before the program
    /// was started, so that they are of others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub foreign_sockets: BTreeSet<u64>,
    /// The time at which the last probe was asked, or at which the end of the program was seen; absent
    /// before the first probe, and if the supervisor is older than this field.
    #[serde(default, skip_serializing_if = "is_default")]
    pub asked_at: Option<Timestamp>,
}

impl Status {
    /// Returns the status of a workload of which nothing is known yet.
    #[must_use]
    pub fn new(hash: ContentHash, now: Timestamp) -> Self {
        Self {
            hash,
            container: String::new(),
            health: Health::Unknown,
            probe: None,
            checked_at: now,
            since: now,
            detail: String::new(),
            failures: 0,
            active: None,
            drift: None,
            supervisor: None,
            printed: Vec::new(),
            ends: Vec::new(),
            last_exit: None,
            has_answered: false,
            unhealthy_restarts: None,
            not_started: None,
            foreign_sockets: BTreeSet::new(),
            asked_at: None,
        }
    }
}

/// A start that failed before the program ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotStarted {
    pub at: Timestamp,
    /// The first of the counted starts in this row.
    pub since: Timestamp,
    /// The error, such as "could not start oml-redis-server: no space left on device".
    pub why: String,
    /// How many starts in a row the engine refused of a version that had passed its soak.
    #[serde(default, skip_serializing_if = "is_default")]
    pub times: u32,
}

/// How a program ended, with what it printed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    pub at: Timestamp,
    /// Absent if it is not known, as where the container does not exist any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exit_code: Option<i64>,
    /// The last lines of that life, oldest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_tail: Vec<String>,
}

/// The restarts of a program because it stayed unhealthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnhealthyRestarts {
    /// How many there were in a row.
    pub times: u32,
    /// The time of the last one.
    pub last: Timestamp,
}

/// The release of a supervisor, which keeps its program in memory when the agent's
/// package is upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorRelease {
    /// The version of the package.
    pub release: String,
    /// The words of the features that it knows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub features: BTreeSet<String>,
}

impl SupervisorRelease {
    /// Returns the release and the features of this program.
    #[must_use]
    pub fn own() -> Self {
        Self {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            features: Feature::ALL.into_iter().map(|feature| feature.as_str().to_owned()).collect(),
        }
    }
}

/// The health of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// The program has started but not answered yet.
    Starting,
    Healthy,
    /// The program does not answer, or its answer is wrong.
    Unhealthy,
    /// No probe has run yet or the last result is too old, or this release does not know
    /// the word.
    #[serde(other)]
    Unknown,
}

/// A change that somebody else made on the host, and that the agent undid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    pub at: Timestamp,
    /// A description, such as "container oml-asterisk-server was removed".
    pub found: String,
}

impl Document for Status {
    const KIND: &'static str = "a supervisor's status";
    const VERSION: Option<u32> = Some(1);
}
