//! Bugs that tests plant to check that the scenarios find them. They exist only in builds
//! with the feature `planted-bugs`, and only in threads that plant one.

use std::cell::Cell;

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The loop of the agent treats a step that failed as done.
    AgentLoop,
    /// The executor of the agent keeps no version for a rollback.
    Executor,
    /// The rollout task of the controller does not record the end of a rollout.
    RolloutTask,
    /// The head does not change when a rollout is rolled back.
    HeadTransition,
    /// The watch of a change goes on after the verdict.
    ChangeWatch,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in this thread, or removes the one that is planted.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether a bug is planted in this thread.
#[must_use]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
