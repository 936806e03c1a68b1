//! The state that an agent found on its host, as the engine and systemd report it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};

use crate::decide::difference::{Difference, FileChange, ForeignObject, UnitChange};
use crate::decide::rights::Right;
use crate::document::instance::{Counting, KeptSecret, Probe};
use crate::document::operation::RunResult;
use crate::document::status::{Health, Status};
use crate::id::{ComponentName, ContentHash, Digest, OperationName, RunId, Version};
use crate::time::Timestamp;

/// Everything on a host that belongs to us, and what conflicts with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The instances by component, whether desired or not.
    pub instances: BTreeMap<ComponentName, ObservedInstance>,
}

/// The observed state of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedInstance {
    /// The unit, if systemd knows one of ours or, for a packaged unit, that of the package.
    pub unit: Option<ObservedUnit>,
    /// The current, next and previous containers.
    pub containers: Vec<ObservedContainer>,
    /// Whether the engine has the desired image.
    pub image_present: bool,
    /// The instance document that the supervisor uses.
    pub document: Option<ObservedDocument>,
    /// The images of that document and of what runs. They are only looked for if something has to
    /// run once.
    pub images: BTreeSet<Digest>,
    /// The image of the document before that one, looked for likewise.
    pub images_before: BTreeSet<Digest>,
    /// The runs of its updates of which the host has the order, looked for likewise.
    pub runs: Vec<ObservedRun>,
    /// The last status of the supervisor, or the recent ends of a packaged unit.
    pub status: Option<Status>,
    /// The way in which the calls of the running instance are counted.
    pub counting: Counting,
    /// The time of systemd's last answer about units.
    pub units_at: Option<Timestamp>,
    /// Whether systemd does not answer, so that the state of the unit is old.
    pub systemd_is_away: bool,
    /// A unit or container of its name that does not carry our mark, or that nobody can read.
    pub foreign: Option<ForeignObject>,
    /// One of its containers of which the engine does not tell the state.
    pub unseen: Option<UnseenContainer>,
    /// What else differs from what we wrote and is left as it is.
    pub differs: Vec<Difference>,
    /// The rights that the desired instance asks for and the host does not allow.
    pub not_allowed: BTreeSet<Right>,
    /// The secrets of the desired instance that the controller has not sent yet.
    pub missing_secrets: BTreeSet<KeptSecret>,
    /// What somebody changed in the files of the workload by which the host works.
    pub file_changes: Vec<FileChange>,
    /// Whether what the host works by runs in a unit of another name than the desired one.
    pub is_in_another_unit: bool,
    /// The last good workload, as it is noted apart from the updates. It is only looked for if the host
    /// does not work by the desired one.
    pub last_good: Option<ContentHash>,
    /// The document of the last good version, as it was seen last as it should be. It is only looked
    /// for if the host does not have the document of the desired instance.
    pub settled: Option<SettledDocument>,
    /// The component's own name of the running container, by its label.
    pub own_name: Option<String>,
    /// The workload by which its packaged unit was seen to run, as
    /// [`super::seen_running::SeenRunning`] knows it. Its document may have been changed since.
    pub seen_running: Option<ContentHash>,
    /// The whole document by which it was seen to run, if it was seen on the disk before a change by
    /// hand.
    pub seen_document: Option<ContentHash>,
}

/// A document that was seen as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledDocument {
    /// The hash of the whole document.
    pub hash: ContentHash,
    pub workload: ContentHash,
}

impl ObservedInstance {
    /// Returns true if the instance document on the host has that workload.
    #[must_use]
    pub fn has_document_of(&self, workload: &ContentHash) -> bool {
        self.document.as_ref().is_some_and(|document| document.workload == *workload)
    }

    /// Returns true if somebody edited the instance document and left its workload. A copy of a document of
    /// that workload says how it should be; without one, what a packaged unit was seen to run by does.
    #[must_use]
    pub fn has_edited_document(&self) -> bool {
        let Some(document) = self.document.as_ref().filter(|document| document.on_disk) else {
            return false;
        };
        let settled = self.settled.as_ref().filter(|it| it.workload == document.workload);
        let is_seen = self.seen_running.as_ref() == Some(&document.workload);
        let seen = self.seen_document.as_ref().filter(|_| is_seen);
        settled.map(|it| &it.hash).or(seen).is_some_and(|right| *right != document.hash)
    }
}

/// A container of which the engine does not tell the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnseenContainer {
    pub name: String,
    /// The error of the engine, or that it gives no answer.
    pub why: String,
}

/// The instance document on a host, from its file or, if that is lost, from the label of the
/// running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDocument {
    /// The hash of the whole document.
    pub hash: ContentHash,
    /// The hash of the workload in the document.
    pub workload: ContentHash,
    /// The probe that a supervisor with this document uses; `None` if only the label was read.
    pub probe: Option<Probe>,
    /// What of it a program takes over while it runs, as
    /// [`crate::document::instance::Reload::content`] says; none if it has nothing of that.
    pub reloaded: Option<ContentHash>,
    /// Whether the file exists; otherwise the label was read.
    pub on_disk: bool,
}

/// A run of an update that a host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRun {
    pub id: RunId,
    pub operation: OperationName,
    /// The image with which it runs.
    pub digest: Digest,
    /// The version of that image.
    pub version: Option<Version>,
    /// Whether an earlier version cannot run any more after it has succeeded.
    pub irreversible: bool,
    /// The result; none if it is not over as far as the disk of the host says.
    pub result: Option<RunResult>,
}

/// A unit as systemd reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedUnit {
    /// The hash in our unit file or drop-in; `None` for a file that is not ours.
    pub hash: Option<ContentHash>,
    /// Whether the file differs from that of the desired instance, or systemd has not read it yet.
    pub stale: bool,
    /// The unit's `ActiveState`.
    pub active: ActiveState,
    /// Whether the unit is active although its processes have ended (`SubState` is `exited`).
    pub is_exited: bool,
    pub masked: bool,
    /// How the unit ended last; none while it runs or has a job, or if it never ran.
    pub ended: Option<UnitEnd>,
    pub since: Timestamp,
    /// The automatic restarts since the last start by hand (`NRestarts`).
    pub restarts: u32,
    /// What somebody changed in our file or did to the unit's links, and what is put right when
    /// the file is written again.
    pub by_hand: Vec<UnitChange>,
    /// The unit's `Result`, such as `exit-code`, `start-limit-hit` or `timeout`.
    pub result: String,
    /// Why systemd skipped its last start; none if it did not.
    pub unmet: Option<Unmet>,
    /// Its job that has not begun.
    pub job: Option<WaitingJob>,
}

/// A job of systemd that waits for jobs that go first, such as the start of a unit after which its own
/// comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingJob {
    pub number: u32,
    /// Its type: `start`, `restart`, `stop` and the like.
    pub kind: String,
    /// When it was found first, as [`super::waiting::WaitingJobs`] knows it.
    pub since: Option<Timestamp>,
}

/// systemd's ActiveState (org.freedesktop.systemd1(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveState {
    Inactive,
    /// The unit is starting, or waits for an automatic restart.
    Activating,
    /// The unit runs, and its program has answered.
    Active,
    /// The unit is stopping.
    Deactivating,
    /// The unit ended with an error, and systemd does not restart it.
    Failed,
    /// The program is reading its configuration again.
    Reloading,
}

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitEnd {
    /// Its program ended, or systemd ended it for a cause of its own, such as its watchdog.
    ByItself,
    /// Somebody stopped it, or something that it belongs to.
    Stopped,
    /// systemd says the same of both.
    Unknown,
}

/// Why systemd skipped a start, with the test that did not hold as the unit file has it, if that is
/// known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    Condition(Option<String>),
    Assertion(Option<String>),
    /// A unit that it requires, or the mount of a path that it requires, did not start.
    Dependency,
}

/// One of our containers as the engine reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedContainer {
    pub id: String,
    pub name: String,
    /// The workload hash from the label.
    pub hash: ContentHash,
    /// The version from the label.
    pub version: Version,
    /// The image digest from the label.
    pub digest: Digest,
    pub created: Timestamp,
    pub state: ContainerState,
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    Created,
    /// The container is running, paused or restarting.
    Running {
        since: Timestamp,
    },
    Exited {
        code: i64,
        at: Timestamp,
        /// Whether the kernel killed it because memory ran out.
        out_of_memory: bool,
    },
}

impl Unmet {
    /// Says it with what to do about it. `unit` is the unit's name.
    #[must_use]
    pub fn explain(&self, unit: &str) -> String {
        format!("{self}; run systemctl status {unit} on the host to see why")
    }
}

impl Display for Unmet {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (what, test) = match self {
            Self::Condition(test) => ("a condition of its unit does not hold", test.as_deref()),
            Self::Assertion(test) => ("an assertion of its unit does not hold", test.as_deref()),
            Self::Dependency => ("a unit that its unit requires did not start", None),
        };
        f.write_str(what)?;
        test.map_or(Ok(()), |test| write!(f, " ({test})"))
    }
}

impl ObservedInstance {
    /// Returns the newest container with a workload.
    #[must_use]
    pub fn container(&self, hash: &ContentHash) -> Option<&ObservedContainer> {
        self.containers.iter().filter(|c| &c.hash == hash).max_by_key(|c| c.created)
    }

    /// Whether the running container has never answered, so that it has no calls. This is known
    /// only if systemd still waits for the unit and the supervisor reports the same container as
    /// starting; otherwise it counts as answered.
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

    /// Returns the container that runs, if there is one.
    #[must_use]
    pub fn running(&self) -> Option<&ObservedContainer> {
        self.containers.iter().find(|c| c.is_running())
    }
}

impl ObservedUnit {
    /// Whether the unit counts as stopped by somebody other than the agent: it was, or nothing tells
    /// whether it was or ended by itself.
    #[must_use]
    pub fn counts_as_stopped(&self) -> bool {
        matches!(self.ended, Some(UnitEnd::Stopped | UnitEnd::Unknown))
    }

    /// Whether it is known that somebody other than the agent stopped the unit.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        self.ended == Some(UnitEnd::Stopped)
    }

    /// Whether systemd restarts the unit repeatedly because it does not start.
    #[must_use]
    pub fn keeps_failing(&self) -> bool {
        self.active == ActiveState::Activating
            && (self.restarts > 0 || !matches!(self.result.as_str(), "" | "success"))
    }
}

impl ObservedContainer {
    /// Whether the container is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        match self.state {
            ContainerState::Running { .. } => true,
            ContainerState::Created | ContainerState::Exited { .. } => false,
        }
    }
}
