//! The status that a supervisor writes about its instance.

use serde::{Deserialize, Serialize};

use crate::document::instance::Probe;
use crate::document::{Document, is_default};
use crate::id::ContentHash;
use crate::time::Timestamp;

/// What a supervisor knows of its instance. It is written after every change and every
/// probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The workload hash of the container that the supervisor holds.
    pub hash: ContentHash,
    /// The engine's id of that container.
    pub container: String,
    /// The health that the probe found.
    pub health: Health,
    /// The probe that was asked, if the supervisor said which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub probe: Option<Probe>,
    /// When the probe last answered or timed out.
    pub checked_at: Timestamp,
    /// Since when the health is what it is.
    pub since: Timestamp,
    /// What the probe found, for people.
    #[serde(default, skip_serializing_if = "is_default")]
    pub detail: String,
    /// Wrong answers in a row; too few yet to make a healthy instance unhealthy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: u32,
    /// Active calls, dialogs or sessions, where they can be counted and were read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<u64>,
    /// The last change of the container that somebody else made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: Option<Drift>,
}

/// Health as it was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Started, but not answering yet.
    Starting,
    Healthy,
    /// Does not answer, or answers wrongly.
    Unhealthy,
    /// Nothing was observed yet, or too long ago, or the word is not known here.
    #[serde(other)]
    Unknown,
}

/// A change on the host that somebody else made and that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    pub at: Timestamp,
    /// What was found: "container oml-asterisk-server was removed".
    pub found: String,
}

impl Document for Status {
    const KIND: &'static str = "a supervisor's status";
    const VERSION: Option<u32> = Some(1);
}
