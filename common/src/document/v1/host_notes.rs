//! The notes of an agent on its host that hold a single value.

use serde::{Deserialize, Serialize};

use crate::document::{Document, ReadError, is_default, read};
use crate::id::ContentHash;

/// The last good workload of a component: `instances/NAME/proved` below the state folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGoodNote {
    pub workload: ContentHash,
}

/// The machine that the cached assignment was sent to: `machine` below the state folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineNote {
    pub machine: String,
}

/// The last assignment of the agent that keeps copies of documents, by the hash of its bytes: `copies` below the
/// state folder. An agent of an earlier release, which does not know the copies, takes another assignment
/// without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesNote {
    pub assignment: ContentHash,
}

/// What the controller sent of a version of a secret: `secrets/sums/NAME.MARK` below the state folder. The
/// value of a mark never changes, so an agent of an earlier release, which does not know the note, writes
/// the same value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNote {
    /// The hash of the value.
    pub sum: ContentHash,
    /// Whether somebody edited a file of it, which was written again and is not reported yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub was_edited: bool,
}

/// The stop of a unit by hand: `stopped/UNIT` below the run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopNote {
    /// The time at which the unit ended, as systemd says it, in microseconds.
    pub at: u64,
}

/// A start of a unit that systemd skipped, because a unit that it requires did not start:
/// `skipped/UNIT` below the run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipNote {
    /// The time since which the unit rests, as systemd says it, in microseconds.
    pub at: u64,
}

impl Document for LastGoodNote {
    const KIND: &'static str = "a note of the last good version";
    const VERSION: Option<u32> = Some(1);
}

impl Document for MachineNote {
    const KIND: &'static str = "a note of the machine";
    const VERSION: Option<u32> = Some(1);
}

impl Document for CopiesNote {
    const KIND: &'static str = "a note of the copies of documents";
    const VERSION: Option<u32> = Some(1);
}

impl Document for SecretNote {
    const KIND: &'static str = "a note of a secret";
    const VERSION: Option<u32> = Some(1);
}

impl Document for StopNote {
    const KIND: &'static str = "a note of a stop";
    const VERSION: Option<u32> = Some(1);
}

impl Document for SkipNote {
    const KIND: &'static str = "a note of a skipped start";
    const VERSION: Option<u32> = Some(1);
}

/// A note that was a value alone before it had a version.
pub trait Note: Document {
    /// Reads the value alone.
    fn from_bare(text: &str) -> Option<Self>;

    /// Reads a note, also one that is the value alone.
    ///
    /// # Errors
    /// Returns [`ReadError`] for a later version and for what is neither.
    fn read(text: &str) -> Result<Self, ReadError> {
        let bare = (!text.starts_with('{')).then(|| Self::from_bare(text.trim())).flatten();
        bare.map_or_else(|| read(text), Ok)
    }
}

impl Note for LastGoodNote {
    fn from_bare(text: &str) -> Option<Self> {
        Some(Self { workload: text.parse().ok()? })
    }
}

impl Note for MachineNote {
    fn from_bare(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self { machine: text.to_owned() })
    }
}

impl Note for StopNote {
    fn from_bare(text: &str) -> Option<Self> {
        Some(Self { at: text.parse().ok()? })
    }
}

#[cfg(test)]
mod tests;
