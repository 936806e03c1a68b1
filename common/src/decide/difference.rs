//! What differs on a host from what we wrote or created, and what is in the way, as people read it.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

use crate::decide::ownership::NotOurs;
use crate::decide::rights::{POLICY_FILE, Right, listed};
use crate::document::instance::KeptSecret;
use crate::id::{EnvName, TenantId, UnitName};

/// A difference that is left as it is, and that is reported for as long as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Somebody changed the settings of a container of ours.
    Container { name: String, change: ContainerChange },
    /// A container bears the labels of the component and is not ours.
    LabelledContainer { name: String, why: NotOurs },
    /// The engine could not remove the whole of a container of ours.
    NotRemoved { name: String },
    /// A container of ours runs with rights that the host does not allow any more.
    NotAllowed { name: String, rights: BTreeSet<Right> },
    /// The unit is masked.
    MaskedUnit { unit: UnitName },
    /// A drop-in that is not ours changes a unit of ours.
    ForeignDropIn { path: String, unit: UnitName },
    /// A unit file that is not ours counts in the place of that of the package.
    ReplacedUnit { path: String },
    /// A unit file bears the mark of the component and is not ours.
    MarkedUnit {
        unit: UnitName,
        why: FileNotOurs,
        /// Whether the unit of that file runs.
        runs: bool,
    },
    /// A drop-in bears the mark of the component and is not ours.
    MarkedDropIn { path: String, why: FileNotOurs },
    /// Somebody changed a file of the agent's own, and the agent does not know what it was.
    OwnFile(OwnFile),
}

/// A file that the agent keeps beside what it runs, and that somebody changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnFile {
    /// The value of a secret that the controller sent.
    Secret(KeptSecret),
    /// The document of the version before.
    PreviousDocument,
    /// The note of the last good version.
    LastGoodNote,
    /// The record of its update, which counts as it is.
    UpdateRecord,
}

/// An object that has a name of ours and not our mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignObject {
    Container {
        name: String,
    },
    Unit {
        unit: UnitName,
        /// The error of reading its file.
        unreadable: Option<String>,
    },
    /// The drop-in of a packaged unit.
    DropIn {
        unit: UnitName,
        /// The error of reading it.
        unreadable: Option<String>,
    },
    /// A unit that systemd refuses to load. Nothing of it need be on the host.
    RefusedUnit {
        unit: UnitName,
        /// The answer of systemd.
        error: String,
    },
}

/// A setting of a container that somebody changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerChange {
    Paused,
    /// It does not run, and somebody gave it the name of another component's container.
    Renamed {
        own: String,
    },
    /// The engine's own restarts are on, by the engine's word for it.
    RestartPolicy {
        policy: String,
    },
    MemoryLimit {
        is_bytes: Option<u64>,
        was_bytes: Option<u64>,
    },
    CpuLimit,
    /// A variable that it was created with has another value, which may be a secret, or is not there.
    Env {
        name: EnvName,
    },
    /// An option that it was created with, by its word in a catalog.
    Option {
        word: &'static str,
        is: String,
        was: String,
    },
}

/// The reason why a file that bears our mark is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileNotOurs {
    /// It is a copy of the file of this unit.
    CopyOf(UnitName),
    /// It is marked for another tenant.
    OtherTenant(TenantId),
    /// It was copied or edited by hand.
    Edited,
}

/// A change that somebody made to a unit of ours, and that is put right when its file is written
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitChange {
    Edited {
        unit: UnitName,
        /// The first line that somebody added.
        added: Option<String>,
        /// The first line that somebody removed.
        removed: Option<String>,
    },
    Disabled {
        unit: UnitName,
    },
}

/// A file that a container has mounted and somebody changed on the host. It is put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path in the container.
    pub path: String,
    pub kind: FileChangeKind,
}

/// What somebody did to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChangeKind {
    Removed,
    /// Something else is in its place, or it cannot be read.
    Replaced {
        why: String,
    },
    Edited,
    /// The numbers of its user and its group.
    Owner {
        is: (u32, u32),
        was: (u32, u32),
    },
    /// Its permissions (chmod(2)).
    Mode {
        is: u32,
        was: u32,
    },
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Container { name, change } => write!(f, "container {name} {change}"),
            Self::LabelledContainer { name, why } => {
                let why = why.as_str();
                write!(f, "container {name} has its labels but {why}: not ours, left alone")
            }
            Self::NotRemoved { name } => {
                write!(f, "docker could not remove container {name}; docker rm {name} says why")
            }
            Self::NotAllowed { name, rights } => {
                let rights = listed(rights);
                write!(f, "container {name} has what {POLICY_FILE} does not allow: {rights}")
            }
            Self::MaskedUnit { unit } => write!(f, "unit {unit} is masked"),
            Self::ForeignDropIn { path, unit } => {
                write!(f, "{path} changes unit {unit}: not ours, left alone")
            }
            Self::ReplacedUnit { path } => {
                write!(f, "{path} takes the place of the unit of the package: not ours, left alone")
            }
            Self::MarkedUnit { unit, why, runs } => {
                let runs = if *runs { ", and it runs" } else { "" };
                write!(f, "unit {unit} {why}{runs}: not ours, left alone")
            }
            Self::MarkedDropIn { path, why: FileNotOurs::CopyOf(original) } => {
                write!(f, "drop-in {path} is a copy of that of {original}: not ours, left alone")
            }
            Self::MarkedDropIn { path, why } => {
                write!(f, "drop-in {path} {why}: not ours, left alone")
            }
            Self::OwnFile(file @ OwnFile::Secret(_)) => {
                write!(f, "{file}; it is written again with the next session")
            }
            Self::OwnFile(file) => write!(f, "{file}; it is written again with the next change"),
        }
    }
}

impl Display for OwnFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Secret(secret) => write!(f, "the file of {secret} was edited"),
            Self::PreviousDocument => {
                f.write_str("the document of the version before (prev.json) was changed")
            }
            Self::LastGoodNote => {
                f.write_str("the note of the last good version (proved) was changed")
            }
            Self::UpdateRecord => f.write_str(
                "the record of its update (updates.json) was changed; it counts as it is",
            ),
        }
    }
}

impl Display for ForeignObject {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let unreadable = match self {
            Self::Container { name } => return write!(f, "container {name}"),
            Self::RefusedUnit { unit, error } => {
                return write!(f, "systemd refuses to read unit {unit}: {error}");
            }
            Self::Unit { unit, unreadable } => {
                write!(f, "unit {unit}")?;
                unreadable
            }
            Self::DropIn { unit, unreadable } => {
                write!(f, "drop-in 50-oml.conf of unit {unit}")?;
                unreadable
            }
        };
        unreadable.as_ref().map_or(Ok(()), |error| write!(f, " ({error})"))
    }
}

impl Display for ContainerChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Paused => f.write_str("is paused"),
            Self::Renamed { own } => write!(f, "was renamed; its own name is {own}"),
            Self::RestartPolicy { policy } => {
                write!(f, "has the restart policy {policy}, not no")
            }
            Self::MemoryLimit { is_bytes, was_bytes } => {
                write!(f, "has the memory limit {}, not {}", memory(*is_bytes), memory(*was_bytes))
            }
            Self::CpuLimit => f.write_str("has a limit of its CPU time"),
            Self::Env { name } => write!(f, "has another value of {name} in its environment"),
            Self::Option { word, is, was } => write!(f, "has {word} {is}, not {was}"),
        }
    }
}

fn memory(bytes: Option<u64>) -> String {
    match bytes {
        None => "none".to_owned(),
        Some(bytes) if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        // Two limits that differ must also look different.
        Some(bytes) => format!("{bytes} bytes"),
    }
}

impl Display for FileChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let path = &self.path;
        match &self.kind {
            FileChangeKind::Removed => write!(f, "file {path} was removed"),
            FileChangeKind::Replaced { why } => write!(f, "file {path} was replaced: {why}"),
            FileChangeKind::Edited => write!(f, "file {path} was edited"),
            FileChangeKind::Owner { is, was } => {
                let [is, was] = [is, was].map(|(uid, gid)| format!("{uid}:{gid}"));
                write!(f, "file {path} belongs to {is}, not {was}")
            }
            FileChangeKind::Mode { is, was } => {
                write!(f, "file {path} has the mode {is:04o}, not {was:04o}")
            }
        }
    }
}

impl Display for FileNotOurs {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::CopyOf(original) => write!(f, "is a copy of {original}"),
            Self::OtherTenant(tenant) => write!(f, "is marked for tenant {tenant}"),
            Self::Edited => f.write_str("was copied or edited by hand"),
        }
    }
}

impl Display for UnitChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Edited { unit, added, removed } => {
                write!(f, "unit {unit} was edited")?;
                match (added, removed) {
                    (Some(added), Some(removed)) => {
                        write!(f, ": has {added:?}, lacks {removed:?}")
                    }
                    (Some(added), None) => write!(f, ": has {added:?}"),
                    (None, Some(removed)) => write!(f, ": lacks {removed:?}"),
                    (None, None) => Ok(()),
                }
            }
            Self::Disabled { unit } => write!(f, "unit {unit} was disabled"),
        }
    }
}

#[cfg(test)]
mod tests;
