//! The steps of a change: each is one effect on the host.

use crate::id::ContentHash;

/// One effect on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Stop and remove a component that is no longer wanted.
    Remove,
    /// Pull the image.
    Pull,
    /// Make container and unit ready beside what runs.
    Create,
    /// Ask how many calls are up.
    CountActive,
    /// Stop the old version, start the new one.
    Switch {
        /// The workload to roll back to.
        previous: Option<ContentHash>,
        /// Calls that the stop cuts; none where they cannot be counted.
        calls_cut: Option<u64>,
    },
    /// The new version answers: its soak begins.
    Soak,
    /// The new version failed: read how it ended and what it logged last.
    Fail { why: String },
    /// Write the document of what runs back: it was changed for a switch that never
    /// came to its stop.
    RevertDocument {
        /// The workload that runs.
        running: ContentHash,
    },
    /// Stop the new version, start the previous one.
    RollBack {
        /// The workload to roll back to.
        previous: ContentHash,
        /// It runs already, and only its name is another one.
        runs: bool,
    },
    /// The new version stays; what is older than the previous one goes.
    Commit {
        /// The last good workload; without one the host tells what ran before.
        previous: Option<ContentHash>,
    },
    /// Start the unit.
    Start,
    /// Write documents and unit again; what runs is not touched.
    RewriteConfig,
    /// End the supervisor's program, so that systemd starts the one that is installed. The
    /// container runs on and is adopted.
    ReplaceSupervisor,
    /// Give the running container its own name.
    Promote,
}

impl Step {
    /// The name of the step, for people and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Step::Remove => "remove",
            Step::Pull => "pull",
            Step::Create => "create",
            Step::CountActive => "count-active",
            Step::Switch { .. } => "switch",
            Step::Soak => "soak",
            Step::Fail { .. } => "fail",
            Step::RevertDocument { .. } => "revert-document",
            Step::RollBack { .. } => "roll-back",
            Step::Commit { .. } => "commit",
            Step::Start => "start",
            Step::RewriteConfig => "rewrite-config",
            Step::ReplaceSupervisor => "replace-supervisor",
            Step::Promote => "promote",
        }
    }
}
