//! One entry of a share: an instance that should run, and how it is changed to.

use serde::{Deserialize, Serialize};

use crate::document::instance::Instance;
use crate::document::{Document, Verbatim};

/// An instance that should run, and how it is changed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub instance: Verbatim<Instance>,
    pub policy: ChangePolicy,
}

/// How a change to an instance is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePolicy {
    /// How long a new version must stay healthy before it becomes the last good one.
    pub soak_ms: u64,
    /// The longest wait for calls to end.
    pub drain_deadline_ms: u64,
    /// What happens when calls are still up at the drain deadline.
    pub on_deadline: OnDeadline,
}

/// What happens when calls are still up at the drain deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeadline {
    /// The agent goes on waiting.
    Wait,
    /// The change fails and the old version goes on running.
    Abort,
    /// The old version is stopped, and the calls that this cuts are counted.
    Cut,
}

impl Document for Desired {
    const KIND: &'static str = "an instance";
    const VERSION: Option<u32> = None;
}
