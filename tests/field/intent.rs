//! What the person at the host wants, as far as it follows from what the person did.

use std::collections::BTreeMap;

use crate::action::{COMPONENTS, Effect, SequenceStep};
use crate::facts::{Container, Facts};

/// Whether a component was stopped by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stop {
    #[default]
    No,
    /// It was, and nothing has been done since that says otherwise.
    Yes,
    /// It was, but what was done since hides it.
    Perhaps,
}

/// What the person wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intent {
    pub(crate) stops: [Stop; COMPONENTS.len()],
    /// The containers that are not ours, by their id. The state that a person left them in is the one
    /// that they must keep.
    pub(crate) foreign: BTreeMap<String, Option<Container>>,
}

impl Intent {
    /// Records a step with the exit code of its command and what it printed.
    pub(crate) fn done(&mut self, step: SequenceStep, exit_code: i32, printed: &str) {
        let is_done = exit_code == 0;
        let stop = &mut self.stops[step.on];
        match step.action.effect {
            Effect::Stops if is_done => *stop = Stop::Yes,
            Effect::Starts if is_done => *stop = Stop::No,
            Effect::ForgetsStop if *stop == Stop::Yes => *stop = Stop::Perhaps,
            Effect::MakesForeign => {
                let ids = printed.split_whitespace().filter(|word| is_id(word));
                self.foreign.extend(ids.map(|id| (id.to_owned(), None)));
            }
            Effect::None
            | Effect::Stops
            | Effect::Starts
            | Effect::ForgetsStop
            | Effect::RemovesStopped
            | Effect::RemovesForeign => {}
        }
    }

    /// Remembers containers that are not ours as they are found for the first time.
    pub(crate) fn remember(&mut self, facts: &Facts) {
        for container in facts.containers.iter().flatten() {
            if let Some(known @ None) = self.foreign.get_mut(&container.id) {
                *known = Some(container.clone());
            }
        }
    }

    /// Forgets containers that the person is about to remove.
    pub(crate) fn before(&mut self, step: SequenceStep) {
        let name = COMPONENTS[step.on].container;
        match step.action.effect {
            Effect::RemovesStopped => self.foreign.retain(|_, known| {
                known.as_ref().is_some_and(|container| container.status == "running")
            }),
            Effect::RemovesForeign => self.foreign.retain(|_, known| {
                known.as_ref().is_none_or(|container| Some(container.name.as_str()) != name)
            }),
            Effect::None
            | Effect::Stops
            | Effect::Starts
            | Effect::ForgetsStop
            | Effect::MakesForeign => {}
        }
    }

    /// Returns the ids of the containers that are not ours.
    pub(crate) fn foreign_ids(&self) -> String {
        self.foreign.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// Returns true for the full id of a container.
fn is_id(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
