//! The updates of instances as the agent keeps them on disk: the state of a change that
//! neither the engine nor systemd has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::report::Failure;
use crate::document::{Document, is_default};
use crate::id::{ComponentName, ContentHash};
use crate::time::{ClockMark, Timestamp};

/// The updates of a host, and the clock that their times were read from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedUpdates {
    /// How the clock stood when the updates were saved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mark: ClockMark,
    #[serde(default, skip_serializing_if = "is_default")]
    pub updates: BTreeMap<ComponentName, InstanceUpdate>,
}

/// The update of one instance to one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceUpdate {
    /// The workload wanted; [`crate::decide::update::nothing`] for a removal.
    pub desired_hash: ContentHash,
    /// The workload that the update rolls back to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_good: LastGood,
    /// How far the update is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stage: Stage,
    /// The error that keeps the next step from being done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backoff: Option<Backoff>,
}

/// The workload that an update rolls back to. An update that supersedes another one
/// rolls back to the same workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastGood {
    /// The workload that the host works by when the update begins.
    #[default]
    Current,
    /// A workload that ran before that.
    Previous(ContentHash),
    /// The previous workload, after it did not start when it was rolled back to.
    PreviousFailed(ContentHash),
    None,
}

/// How far an update is.
///
/// `calls_cut` is the number of calls that were active when the drain deadline passed;
/// it is absent where nothing could tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing was stopped yet.
    #[default]
    Preparing,
    /// The calls of the old version are being counted.
    Draining {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "is_default")]
        count: Option<Count>,
    },
    /// The old version may be stopped from here on.
    Switching {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "is_default")]
        calls_cut: Option<u64>,
    },
    /// The new version answered and must stay healthy.
    Soaking {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "is_default")]
        calls_cut: Option<u64>,
    },
    /// The new version is committed.
    Committed {
        #[serde(default, skip_serializing_if = "is_default")]
        calls_cut: Option<u64>,
    },
    /// The new version failed and must be rolled back.
    Failed {
        failure: Failure,
        #[serde(default, skip_serializing_if = "is_default")]
        calls_cut: Option<u64>,
    },
    /// The last good version runs again, or was never stopped.
    RolledBack {
        failure: Failure,
        #[serde(default, skip_serializing_if = "is_default")]
        calls_cut: Option<u64>,
    },
}

/// The number of active calls, and when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Absent if the number could not be read, which counts as "calls are active".
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<u64>,
    pub at: Timestamp,
}

/// A step that could not be done, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    pub message: String,
    /// The number of failures in a row.
    pub failures: u32,
    pub retry_at: Timestamp,
}

impl Document for SavedUpdates {
    const KIND: &'static str = "a record of updates";
    const VERSION: Option<u32> = Some(1);
}
