//! What a test does to the fake host, and what it can look at.

use oml_common::decide::observed::{ActiveState, ContainerState, ObservedUnit};
use oml_common::id::{ComponentName, ContentHash, Digest, UnitName};
use oml_common::time::Timestamp;

use super::{Behaviour, Call, Daemon, FakeContainer, FakeHost, FakeUnit, Verb};
use crate::runtime::RuntimeError;

impl FakeHost {
    /// The registry has this image.
    pub(crate) fn offer(&self, digest: &Digest, behaviour: Behaviour) {
        let mut state = self.state();
        state.registry.insert(digest.clone(), Ok(()));
        state.behaviours.insert(digest.clone(), behaviour);
    }

    /// The registry refuses this image.
    pub(crate) fn refuse(&self, digest: &Digest, detail: &str, transient: bool) {
        self.state().registry.insert(digest.clone(), Err((detail.to_owned(), transient)));
    }

    /// The next call of that verb fails; several queue up.
    pub(crate) fn fail(&self, daemon: Daemon, verb: Verb, error: RuntimeError) {
        self.state().failures.entry((daemon, verb)).or_default().push_back(error);
    }

    /// Calls of that verb wait from now on.
    pub(crate) fn hold(&self, daemon: Daemon, verb: Verb) {
        self.gate(daemon, verb).send_replace(true);
    }

    /// They go on.
    pub(crate) fn release(&self, daemon: Daemon, verb: Verb) {
        self.gate(daemon, verb).send_replace(false);
    }

    /// The daemon goes away; what runs runs on.
    pub(crate) fn take_away(&self, daemon: Daemon) {
        self.state().away.insert(daemon);
        self.nudge();
    }

    /// The daemon answers again.
    pub(crate) fn bring_back(&self, daemon: Daemon) {
        self.state().away.remove(&daemon);
        self.nudge();
    }

    /// What a command inside any container gives.
    pub(crate) fn answer_exec(&self, command: &[&str], exit_code: i64, stdout: &str) {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        self.state().exec.insert(command, (exit_code, stdout.to_owned()));
    }

    /// What the next command gives, whichever it is.
    pub(crate) fn answer_next_exec(&self, exit_code: i64, stdout: &str) {
        self.state().exec_next = Some((exit_code, stdout.to_owned()));
    }

    /// A container of somebody else.
    pub(crate) fn make_foreign_container(&self, name: &str) {
        let now = self.now();
        let mut state = self.state();
        state.serial += 1;
        let id = format!("{:064x}", state.serial);
        state.containers.push(FakeContainer {
            name: name.to_owned(),
            id,
            ours: None,
            created: now,
            state: ContainerState::Running { since: now },
            log: Vec::new(),
        });
    }

    /// A unit of the distribution, or of somebody else.
    pub(crate) fn make_unit(&self, unit: &UnitName, packaged: bool) {
        let unit_state = FakeUnit { packaged, ..FakeUnit::idle(self.now()) };
        self.state().units.insert(unit.clone(), unit_state);
    }

    /// `systemctl mask`.
    pub(crate) fn mask(&self, unit: &UnitName) {
        if let Some(unit) = self.state().units.get_mut(unit) {
            unit.masked = true;
        }
        self.nudge();
    }

    /// `systemctl stop`.
    pub(crate) fn stop_by_hand(&self, unit: &UnitName) {
        let now = self.now();
        let mut state = self.state();
        let Some(found) = state.units.get_mut(unit) else { return };
        found.enter(ActiveState::Inactive, "success", now);
        found.stopped_by_hand = true;
        if let Some((_, component)) = found.owner.clone() {
            state.stop_all(&component, None, now);
        }
        drop(state);
        self.nudge();
    }

    /// `systemctl start`.
    pub(crate) fn start_by_hand(&self, unit: &UnitName) {
        let component = self.state().units.get(unit).and_then(|unit| unit.owner.clone());
        if let Some((_, component)) = component {
            let _runs = self.run_unit(unit, &component).is_ok();
        }
        self.nudge();
    }

    /// `docker rm --force` of what runs; the supervisor makes it anew.
    pub(crate) fn remove_by_hand(&self, component: &ComponentName) {
        let mut state = self.state();
        let running = state.containers.iter().position(|c| {
            c.is_running() && c.ours.as_ref().is_some_and(|o| &o.instance.component == component)
        });
        let Some(index) = running else { return };
        let name = state.containers.remove(index).name;
        drop(state);
        self.note_drift(component, format!("container {name} was removed"));
        self.restart(component);
    }

    /// The program ends by itself; the supervisor's unit starts it again.
    pub(crate) fn end_by_itself(&self, component: &ComponentName, code: i64) {
        let now = self.now();
        let mut state = self.state();
        let index = state.containers.iter().position(|c| {
            c.is_running() && c.ours.as_ref().is_some_and(|o| &o.instance.component == component)
        });
        let Some(index) = index else { return };
        state.containers[index].end(code, now);
        drop(state);
        self.restart(component);
    }

    /// The program ends and its unit gives up.
    pub(crate) fn fail_for_good(&self, component: &ComponentName, code: i64) {
        let now = self.now();
        let mut state = self.state();
        for container in &mut state.containers {
            if container.ours.as_ref().is_some_and(|o| &o.instance.component == component) {
                container.end(code, now);
            }
        }
        for unit in state.units.values_mut() {
            if unit.owner.as_ref().is_some_and(|(_, name)| name == component) {
                unit.enter(ActiveState::Failed, "start-limit-hit", now);
            }
        }
        drop(state);
        self.nudge();
    }

    /// Everything that was asked, oldest first.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Versions of which a component has a container, oldest first.
    pub(crate) fn versions(&self, component: &ComponentName) -> Vec<String> {
        let state = self.state();
        let versions = state.of(component).filter_map(|(_, ours)| ours.instance.version());
        versions.map(ToString::to_string).collect()
    }

    /// How often a verb was asked.
    pub(crate) fn count(&self, daemon: Daemon, verb: Verb) -> usize {
        self.calls().iter().filter(|call| call.daemon == daemon && call.verb == verb).count()
    }

    fn restart(&self, component: &ComponentName) {
        let unit = self.state().units.iter().find_map(|(name, unit)| {
            unit.owner.as_ref().is_some_and(|(_, c)| c == component).then(|| name.clone())
        });
        if let Some(unit) = unit {
            let restarts = {
                let mut state = self.state();
                let found = state.units.get_mut(&unit);
                found.map_or(0, |unit| {
                    unit.restarts += 1;
                    unit.restarts
                })
            };
            let _runs = self.run_unit(&unit, component).is_ok();
            if let Some(unit) = self.state().units.get_mut(&unit) {
                unit.restarts = restarts;
            }
        }
        self.nudge();
    }
}

impl FakeUnit {
    pub(super) fn idle(now: Timestamp) -> Self {
        Self {
            owner: None,
            text: None,
            packaged: false,
            masked: false,
            active: ActiveState::Inactive,
            result: "success",
            stopped_by_hand: false,
            since: now,
            restarts: 0,
        }
    }

    pub(super) fn enter(&mut self, active: ActiveState, result: &'static str, now: Timestamp) {
        self.active = active;
        self.result = result;
        self.since = now;
        self.stopped_by_hand = false;
    }

    pub(super) fn observe(&self, stale: bool) -> ObservedUnit {
        ObservedUnit {
            hash: self.text.as_ref().map(|text| ContentHash::of(text.as_bytes())),
            stale,
            active: self.active,
            masked: self.masked,
            stopped_by_hand: self.stopped_by_hand,
            since: self.since,
            restarts: self.restarts,
            result: self.result.to_owned(),
        }
    }
}
