//! What people do to a host by hand, as the shell commands that they type.

use crate::component::{COMPONENTS, ComponentIndex};

/// What an action means for what must run afterwards, or for what can be known, beyond its command.
/// What has none of these must be undone or reported by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// The person wants the component to stop.
    Stops,
    /// The person wants the component to run.
    Starts,
    /// Whether it was stopped by hand cannot be known afterwards.
    ForgetsStop,
    /// The command prints the ids of containers that are not ours.
    MakesForeign,
    /// The command removes stopped containers, also those that are not ours.
    RemovesStopped,
    /// The command removes the container that is not ours and has the name of ours.
    RemovesForeign,
    /// The agent ends, and sees nothing until it has reported again.
    EndsAgent,
    /// The agent's connection to systemd ends, and it sees no units until it has reported again.
    EndsBus,
}

/// One thing that people do. In the script `$C` is the container, `$U` the unit, `$N` the component,
/// `$O` the other container, and `$X` a number that no other action of the sequence has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    /// What follows from the commands of the script; [`crate::verbs`] compares both.
    pub(crate) effects: &'static [Effect],
    /// True if it is done on the controller's host.
    pub(crate) on_controller: bool,
}

/// Returns an action that the host must undo or report.
pub(crate) const fn action(name: &'static str, script: &'static str) -> Action {
    with_effects(name, script, &[])
}

pub(crate) const fn with_effects(
    name: &'static str,
    script: &'static str,
    effects: &'static [Effect],
) -> Action {
    Action { name, script, effects, on_controller: false }
}

impl Action {
    pub(crate) fn has(&self, effect: Effect) -> bool {
        self.effects.contains(&effect)
    }
}

/// One action in a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceStep {
    pub(crate) action: Action,
    pub(crate) on: ComponentIndex,
    /// True if the host is left alone afterwards until it is as it should be.
    pub(crate) waits: bool,
}

impl std::fmt::Display for SequenceStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let component = COMPONENTS[self.on].name;
        let then = if self.waits { ", wait" } else { "" };
        write!(f, "{} ({component}){then}", self.action.name)
    }
}
