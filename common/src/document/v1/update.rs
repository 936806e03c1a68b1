//! The updates of instances as the agent keeps them on disk: the state of a change that
//! neither the engine nor systemd has.

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::document::report::Failure;
use crate::document::{Document, is_default};
use crate::id::{ComponentName, ContentHash};
use crate::time::{ClockMark, Timestamp};

/// The updates of a host, and the clock that their times were read from.
///
/// An update that this release cannot read, because a later one wrote it, is kept in its
/// bytes apart from the others. It is written back unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Entries")]
pub struct SavedUpdates {
    /// How the clock stood when the updates were saved.
    pub mark: ClockMark,
    pub updates: BTreeMap<ComponentName, InstanceUpdate>,
    /// The updates that only a later release can read.
    pub unreadable: BTreeMap<ComponentName, UnreadableUpdate>,
    /// What the agent wrote of its files beside the document in use, so that an edit of them is noticed.
    /// An agent of an earlier release leaves it out when it writes the record, which it does at every step.
    pub sums: BTreeMap<ComponentName, OwnSums>,
    /// The components whose update somebody edited in the text that was read.
    pub edited: BTreeSet<ComponentName>,
}

/// The hashes of the files of a component that the agent keeps beside the document in use; none where
/// there is no such file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSums {
    /// The document of the version before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub previous: Option<ContentHash>,
    /// The last good workload, which its note says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_good: Option<ContentHash>,
    /// Its update in this record.
    #[serde(default, skip_serializing_if = "is_default")]
    pub update: Option<ContentHash>,
}

/// An update that only a later release can read.
#[derive(Debug, Clone)]
pub struct UnreadableUpdate {
    text: Box<RawValue>,
    /// The workload that it is towards, if the text still has that part.
    pub desired_hash: Option<ContentHash>,
    /// Why this release cannot read it, in one sentence.
    pub why: String,
}

impl PartialEq for UnreadableUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.text.get() == other.text.get()
    }
}

impl Eq for UnreadableUpdate {}

/// The saved updates before each entry is read by itself.
#[derive(Deserialize)]
struct Entries {
    #[serde(default)]
    mark: ClockMark,
    #[serde(default)]
    updates: BTreeMap<ComponentName, Box<RawValue>>,
    #[serde(default)]
    sums: BTreeMap<ComponentName, OwnSums>,
}

impl From<Entries> for SavedUpdates {
    fn from(entries: Entries) -> Self {
        let edited = edited(&entries);
        let Entries { mark, updates, sums } = entries;
        let mut saved = Self { mark, sums, edited, ..Self::default() };
        for (component, text) in updates {
            match serde_json::from_str(text.get()) {
                Ok(update) => {
                    saved.updates.insert(component, update);
                }
                Err(error) => {
                    saved.unreadable.insert(component, UnreadableUpdate::new(text, &error));
                }
            }
        }
        saved
    }
}

/// Returns the components whose update is not the one that was written with the sums. Without sums, an earlier
/// release wrote it.
fn edited(entries: &Entries) -> BTreeSet<ComponentName> {
    let is_edited = |(name, sums): &(&ComponentName, &OwnSums)| {
        let found = entries.updates.get(*name).map(|text| ContentHash::of(text.get().as_bytes()));
        found != sums.update
    };
    entries.sums.iter().filter(is_edited).map(|(name, _)| name.clone()).collect()
}

impl SavedUpdates {
    /// Notes every update as it will be written beside the other sums.
    #[must_use]
    pub fn with_sums(mut self, sums: BTreeMap<ComponentName, OwnSums>) -> Self {
        self.sums = sums;
        for (name, sums) in &mut self.sums {
            let unreadable = self.unreadable.get(name).map(|it| it.text.get().to_owned());
            let readable = || serde_json::to_string(self.updates.get(name)?).ok();
            let text = unreadable.or_else(readable);
            sums.update = text.map(|text| ContentHash::of(text.as_bytes()));
        }
        self
    }
}

impl UnreadableUpdate {
    fn new(text: Box<RawValue>, error: &serde_json::Error) -> Self {
        #[derive(Deserialize)]
        struct Towards {
            desired_hash: ContentHash,
        }
        let towards: Option<Towards> = serde_json::from_str(text.get()).ok();
        let desired_hash = towards.map(|towards| towards.desired_hash);
        let why = format!("a later release wrote how far its update is: {error}");
        Self { text, desired_hash, why }
    }
}

/// An entry as it is written.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Readable(&'a InstanceUpdate),
    Unreadable(&'a RawValue),
}

impl Serialize for SavedUpdates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { mark, updates, unreadable, sums, edited: _ } = self;
        let readable = updates.iter().map(|(name, update)| (name, Entry::Readable(update)));
        let raw = unreadable.iter().map(|(name, update)| (name, Entry::Unreadable(&update.text)));
        // The unreadable entry of a component wins, so that it is not lost.
        let entries: BTreeMap<&ComponentName, Entry<'_>> = readable.chain(raw).collect();
        let mut fields = serializer.serialize_map(None)?;
        if !is_default(mark) {
            fields.serialize_entry("mark", mark)?;
        }
        if !entries.is_empty() {
            fields.serialize_entry("updates", &entries)?;
        }
        if !sums.is_empty() {
            fields.serialize_entry("sums", sums)?;
        }
        fields.end()
    }
}

/// The update of one instance to one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceUpdate {
    /// The workload wanted; [`crate::decide::update::nothing`] for a removal.
    pub desired_hash: ContentHash,
    /// The workload that the update rolls back to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_good: LastGood,
    /// Whether a version after the last good one answered before its soak ended, so that it may have
    /// written something.
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_answered: bool,
    /// How far the update is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stage: Stage,
    /// The error that keeps the next step from being done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backoff: Option<Backoff>,
    /// The last repair or start of the version in use that was needed beside the change, and when
    /// the next may come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revival: Option<Backoff>,
    /// How far a reload of the same workload is; absent unless one was begun and is not done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reload: Option<ReloadStage>,
}

/// How far a reload is: that a program takes over other files while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum ReloadStage {
    /// The files may be new, and the program may not have taken them over.
    Begun {
        /// Whether the program was healthy before the first try: a later one finds it as the new files left it.
        #[serde(default, skip_serializing_if = "is_default")]
        was_healthy: bool,
    },
    /// The program did not take them over, and has its former files again.
    Failed {
        /// What it did not take over, as [`crate::document::instance::Reload::content`] says.
        content: ContentHash,
        failure: Failure,
    },
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
    /// The previous workload, after it did not start when it was rolled back to, or its image
    /// was refused.
    PreviousFailed(ContentHash),
    None,
}

/// How far an update is.
///
/// `calls_cut` is the number of calls that were active when the drain deadline passed;
/// it is absent if they could not be counted.
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
        /// When the drain before it began; absent if nothing was counted.
        #[serde(default, skip_serializing_if = "is_default")]
        drained_since: Option<Timestamp>,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Absent if the number could not be read, which counts as "calls are active".
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<u64>,
    /// Why the number could not be read, for people; empty if it could.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unreadable: String,
    pub at: Timestamp,
}

/// A step that could not be done, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    pub message: String,
    /// What the message is about, if its numbers are others at every try.
    #[serde(default, skip_serializing_if = "is_default")]
    pub about: Option<String>,
    /// The number of failures in a row.
    pub failures: u32,
    /// The number of them whose answer will be the same unless somebody changes something.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refusals: u32,
    pub retry_at: Timestamp,
}

impl Document for SavedUpdates {
    const KIND: &'static str = "a record of updates";
    const VERSION: Option<u32> = Some(1);
}

#[cfg(test)]
mod tests;
