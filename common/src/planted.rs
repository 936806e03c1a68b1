//! Bugs that tests plant, to see that the scenarios find them. Only in builds
//! with the feature `planted-bugs`, and only in a thread that asked for one.

use std::cell::Cell;

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The agent's loop takes a step that failed for one that was done.
    AgentLoop,
    /// The agent's executor keeps no version to return to.
    Executor,
    /// The controller's rollout task does not record how a rollout ended.
    RolloutTask,
    /// A rollout that was rolled back leaves the head where it was.
    HeadTransition,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in this thread, in place of another.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted in this thread.
#[must_use]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
