//! The steps of a change. Each is one effect on the host.

use crate::decide::reconcile::reason::Reason;
use crate::decide::run_once::RunOnce;
use crate::id::{ContentHash, OperationName, RunId};

/// One effect on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Stop and remove a component that is no longer wanted.
    Remove {
        /// Whether calls are counted once more just before the stop. The stop happens only if
        /// that count is 0.
        recount: bool,
    },
    /// Pull the image.
    Pull,
    /// Create the container and the unit beside the running version.
    Create,
    /// Run an operation that has to succeed once before the new version starts, or wait for its
    /// end if it was begun.
    RunOnce { kind: RunOnce, operation: OperationName, run: RunId },
    /// Count the active calls.
    CountActive,
    /// Stop the old version and start the new one.
    Switch {
        /// The workload to roll back to.
        previous: Option<ContentHash>,
        /// The calls that the stop cuts; none if they cannot be counted.
        calls_cut: Option<u64>,
        /// Whether calls are counted once more just before the stop. The stop happens only if
        /// that count is 0.
        recount: bool,
    },
    /// Begin the soak of the new version, which answers.
    Soak,
    /// Give up the new version, with its exit code and its last log lines.
    Fail { why: Box<Reason> },
    /// Restore the document of the running version. It was changed for a switch that was
    /// interrupted before the stop.
    RevertDocument {
        /// The workload of the running version.
        running: ContentHash,
    },
    /// Write the document, the unit and the files of the version in use again, and give its container
    /// its own name. What runs is not touched.
    Repair {
        /// The workload of the version in use.
        in_use: ContentHash,
    },
    /// Stop the new version and start the previous one.
    RollBack {
        /// The workload to roll back to.
        previous: ContentHash,
        /// Whether it is running already, so that only its name must change.
        runs: bool,
    },
    /// Keep the new version, and remove everything older than the previous one.
    Commit {
        /// The last good workload; without it, the one that the host shows to have run before.
        previous: Option<ContentHash>,
    },
    /// Start the unit.
    Start,
    /// Write the documents and the unit again. The running container is not touched.
    RewriteConfig,
    /// Write the files that the program takes over while it runs, ask it to do so, wait for its
    /// probe, and write the documents and the unit again. The running container is not touched.
    Reload {
        /// The files, as [`crate::document::instance::Reload::content`] says.
        content: ContentHash,
        /// Whether the program runs. Its start takes them over otherwise.
        runs: bool,
        /// Whether it was healthy before. One that was not is not blamed on the new files.
        was_healthy: bool,
    },
    /// End the supervisor's program, so that systemd starts the one that is installed. The
    /// container runs on and is adopted.
    ReplaceSupervisor,
    /// Stop the container that a killed supervisor left behind, because somebody stopped the unit.
    StopContainer,
    /// Give the running container its own name.
    Promote,
}

impl Step {
    /// Returns true if the step pulls an image that is not present.
    #[must_use]
    pub fn may_pull(&self) -> bool {
        match self {
            Step::Pull | Step::Switch { .. } | Step::RollBack { .. } | Step::Start => true,
            Step::Remove { .. }
            | Step::Create
            | Step::RunOnce { .. }
            | Step::CountActive
            | Step::Soak
            | Step::Fail { .. }
            | Step::RevertDocument { .. }
            | Step::Repair { .. }
            | Step::Commit { .. }
            | Step::RewriteConfig
            | Step::Reload { .. }
            | Step::ReplaceSupervisor
            | Step::StopContainer
            | Step::Promote => false,
        }
    }

    /// Returns the name of the step, for people and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Step::Remove { .. } => "remove",
            Step::Pull => "pull",
            Step::Create => "create",
            Step::RunOnce { kind, .. } => kind.as_str(),
            Step::CountActive => "count-active",
            Step::Switch { .. } => "switch",
            Step::Soak => "soak",
            Step::Fail { .. } => "fail",
            Step::RevertDocument { .. } => "revert-document",
            Step::Repair { .. } => "repair",
            Step::RollBack { .. } => "roll-back",
            Step::Commit { .. } => "commit",
            Step::Start => "start",
            Step::RewriteConfig => "rewrite-config",
            Step::Reload { .. } => "reload",
            Step::ReplaceSupervisor => "replace-supervisor",
            Step::StopContainer => "stop-container",
            Step::Promote => "promote",
        }
    }
}
