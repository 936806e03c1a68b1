//! What the person at the host wants, as far as it follows from what the person did, and what the agent
//! could see of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::action::{Effect, SequenceStep};
use crate::component::{COMPONENTS, ComponentIndex};
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

/// What the agent could know of the end of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum End {
    /// The unit runs, or the agent was there when it ended.
    #[default]
    Watched,
    /// The unit ended while nobody watched, so that a stop and an end may look alike.
    Unwatched,
    /// The agent has said without a doubt that the unit was stopped, and must not forget it.
    Reported,
}

/// What the person wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intent {
    pub(crate) stops: [Stop; COMPONENTS.len()],
    pub(crate) ends: [End; COMPONENTS.len()],
    /// True from the end of the agent or of its connection to systemd until the agent has reported again.
    pub(crate) agent_ended: bool,
    /// The containers that are not ours, by their id. The state that a person left them in is the one
    /// that they must keep.
    pub(crate) foreign: BTreeMap<String, Option<Container>>,
    /// When the last action was over, in milliseconds since 1970. A report from before says nothing of it.
    pub(crate) acted_ms: u64,
    /// Whether the supervisor of each unit was stopped by a signal at the last look.
    pub(crate) frozen: [bool; COMPONENTS.len()],
}

/// The exit code of a command that the person did not type after all, so that nothing was done.
pub(crate) const NOT_TYPED: i32 = 99;

/// The exit code of a command that was given up. systemd goes on with a stop all the same.
const GIVEN_UP: i32 = 124;

impl Intent {
    /// Records a step with the exit code of its command and what it printed.
    pub(crate) fn done(&mut self, step: SequenceStep, exit_code: i32, printed: &str) {
        if exit_code == NOT_TYPED {
            return;
        }
        self.forget(step);
        for effect in step.action.effects {
            self.follow(step.on, *effect, exit_code);
        }
        if step.action.has(Effect::MakesForeign) {
            let ids = printed.split_whitespace().filter(|word| is_id(word));
            self.foreign.extend(ids.map(|id| (id.to_owned(), None)));
        }
    }

    fn follow(&mut self, on: ComponentIndex, effect: Effect, exit_code: i32) {
        let stop = &mut self.stops[on];
        match effect {
            Effect::Stops if matches!(exit_code, 0 | GIVEN_UP) => {
                *stop = Stop::Yes;
                // A time limit ends a supervisor that does not hear of its stop.
                let is_watched = !self.agent_ended && !self.frozen[on];
                self.ends[on] = if is_watched { End::Watched } else { End::Unwatched };
            }
            Effect::Starts if exit_code == 0 => {
                *stop = Stop::No;
                self.ends[on] = End::Watched;
            }
            Effect::ForgetsStop if *stop == Stop::Yes => *stop = Stop::Perhaps,
            Effect::EndsAgent | Effect::EndsBus => self.agent_ended = true,
            Effect::Stops
            | Effect::Starts
            | Effect::ForgetsStop
            | Effect::MakesForeign
            | Effect::RemovesStopped
            | Effect::RemovesForeign => {}
        }
    }

    /// Remembers containers that are not ours as they are found for the first time, and which units ended
    /// while nobody watched.
    pub(crate) fn remember(&mut self, facts: &Facts) {
        for container in facts.containers.iter().flatten() {
            if let Some(known @ None) = self.foreign.get_mut(&container.id) {
                *known = Some(container.clone());
            }
        }
        for (index, unit) in facts.units.iter().enumerate() {
            let end = &mut self.ends[index];
            match unit.active.as_str() {
                // A stop that has just begun leaves the unit as it is for a moment.
                "active" if self.stops[index] == Stop::No => *end = End::Watched,
                "active" => {}
                _ if self.agent_ended && *end == End::Watched => *end = End::Unwatched,
                _ => {}
            }
            self.frozen[index] = unit.is_frozen;
        }
    }

    /// Takes over that the agent watches again, and what it has said of units that do not run.
    pub(crate) fn hear(&mut self, facts: &Facts, reported: &Value) {
        if !facts.agent_runs || !facts.bus_answers || !self.is_reported(reported) {
            return;
        }
        self.agent_ended = false;
        for (index, component) in COMPONENTS.iter().enumerate() {
            let reason = reported["report"]["instances"][component.name]["reason"].as_str();
            let is_sure = reason.is_some_and(|it| it.contains(BY_HAND) && !is_doubtful(it));
            if is_sure && facts.units[index].active != "active" {
                self.ends[index] = End::Reported;
            }
        }
    }

    /// Returns true if the agent is connected and has reported since the last action.
    pub(crate) fn is_reported(&self, reported: &Value) -> bool {
        let at_ms = reported["report"]["at_ms"].as_u64();
        reported["state"] == "connected" && at_ms.is_some_and(|at_ms| at_ms > self.acted_ms)
    }

    /// Forgets containers that the person removed.
    fn forget(&mut self, step: SequenceStep) {
        let name = COMPONENTS[step.on].container;
        if step.action.has(Effect::RemovesStopped) {
            self.foreign.retain(|_, known| {
                known.as_ref().is_some_and(|container| container.status == "running")
            });
        }
        if step.action.has(Effect::RemovesForeign) {
            self.foreign.retain(|_, known| {
                known.as_ref().is_none_or(|container| Some(container.name.as_str()) != name)
            });
        }
    }

    /// Returns the ids of the containers that are not ours.
    pub(crate) fn foreign_ids(&self) -> String {
        self.foreign.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// What the agent says of a stop by hand.
pub(crate) const BY_HAND: &str = "stopped on the host by hand";
/// What it says where a stop and an end cannot be told apart, and the same before the soak has finished.
pub(crate) const DOUBTS: &[&str] = &[
    "or it ended by itself; which of both is not known",
    "it is not known whether it was stopped on the host by hand or ended by itself",
];

/// Returns true if the agent does not know whether there was a stop.
pub(crate) fn is_doubtful(reason: &str) -> bool {
    DOUBTS.iter().any(|words| reason.contains(words))
}

/// Returns true for the full id of a container.
fn is_id(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
