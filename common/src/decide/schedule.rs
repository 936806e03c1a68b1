//! Selects the steps of a host that may begin now, and those that need a record first.

use std::collections::BTreeMap;

use crate::decide::reconcile::{Decision, Reason};
use crate::decide::step::Step;
use crate::document::assignment::Assignment;
use crate::document::report::Phase;
use crate::id::ComponentName;

mod superseded;

pub use superseded::{EarlyEnd, RunningStep, early_end, has_ended_early};

/// The most steps that run at the same time, without pulls and runs of operations.
pub const STEPS_MAX: usize = 4;
/// The most images that are pulled at the same time.
pub const PULLS_MAX: usize = 2;
/// The most runs of operations that are waited for at the same time. They may take hours, and need
/// other components, which must not wait for them.
pub const RUNS_MAX: usize = 4;

/// The error message of each daemon of a host that does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonsAway {
    pub engine: Option<String>,
    pub systemd: Option<String>,
}

impl DaemonsAway {
    /// Returns the message of the unavailable daemon that a component needs. A packaged unit
    /// needs no engine; a component that is being removed is assumed to need it.
    fn of(&self, component: &ComponentName, assignment: Option<&Assignment>) -> Option<&String> {
        let desired = assignment.and_then(|a| a.content.share.instances.get(component));
        let needs_engine = desired.is_none_or(|desired| desired.instance.container().is_some());
        self.engine.as_ref().filter(|_| needs_engine).or(self.systemd.as_ref())
    }
}

/// Holds back every step that needs a daemon that does not answer.
pub fn hold_back(
    decisions: &mut BTreeMap<ComponentName, Decision>,
    assignment: Option<&Assignment>,
    away: &DaemonsAway,
) {
    for (component, decision) in decisions.iter_mut().filter(|(_, d)| d.acts()) {
        if let Some(message) = away.of(component, assignment) {
            let reason = Reason::DaemonAway { message: message.clone() };
            *decision =
                Decision { phase: Phase::Blocked, reason, step: None, beside: None, wake_at: None };
        }
    }
}

/// Returns the steps that may begin beside the running ones, removals first, then in the order
/// of names. The others are decided again when a step has ended.
pub fn due<'a>(
    decisions: &'a BTreeMap<ComponentName, Decision>,
    running: impl IntoIterator<Item = &'a Step>,
) -> Vec<(ComponentName, Step)> {
    let mut running: Vec<&Step> = running.into_iter().collect();
    let mut begin = Vec::new();
    let steps =
        decisions.iter().filter_map(|(name, decision)| Some((name, decision.step.as_ref()?)));
    let mut steps: Vec<(&ComponentName, &Step)> = steps.collect();
    steps.sort_by_key(|(_, step)| !matches!(step, Step::Remove { .. }));
    for (component, step) in steps {
        if may_begin(step, &running) {
            running.push(step);
            begin.push((component.clone(), step.clone()));
        }
    }
    begin
}

/// Returns the repairs and starts of versions in use that may begin beside the running steps. `begun` are the
/// components for which one was begun already.
pub fn due_beside<'a>(
    decisions: &'a BTreeMap<ComponentName, Decision>,
    running: impl IntoIterator<Item = &'a Step>,
    begun: impl Fn(&ComponentName) -> bool,
) -> Vec<(ComponentName, Step)> {
    let mut running: Vec<&Step> = running.into_iter().collect();
    let mut begin = Vec::new();
    for (name, decision) in decisions.iter().filter(|(name, _)| !begun(name)) {
        if let Some(step) = decision.beside.as_ref().filter(|step| may_begin(step, &running)) {
            running.push(step);
            begin.push((name.clone(), step.clone()));
        }
    }
    begin
}

/// Withholds every step that must not be done while the version in use is being repaired or started.
pub fn withhold(
    decisions: &mut BTreeMap<ComponentName, Decision>,
    is_starting: impl Fn(&ComponentName) -> bool,
) {
    for (name, decision) in decisions.iter_mut() {
        let is_held = decision.beside.is_some() || is_starting(name);
        decision.step.take_if(|step| is_held && *step != Step::Pull);
    }
}

fn may_begin(step: &Step, running: &[&Step]) -> bool {
    let is_run = |step: &Step| matches!(step, Step::RunOnce { .. });
    let pulls = running.iter().filter(|step| ***step == Step::Pull).count();
    let runs = running.iter().filter(|step| is_run(step)).count();
    if *step == Step::Pull {
        return pulls < PULLS_MAX;
    }
    if is_run(step) {
        return runs < RUNS_MAX;
    }
    // A component that is being removed may hold the ports of one that starts.
    let starts = matches!(step, Step::Switch { .. } | Step::Start);
    let removes = running.iter().any(|step| matches!(step, Step::Remove { .. }));
    running.len() - pulls - runs < STEPS_MAX && !(starts && removes)
}

/// Returns true if the update must be on disk before the step, because the step could
/// otherwise be done twice. Steps that only start something may be repeated.
#[must_use]
pub fn needs_record(step: &Step) -> bool {
    match step {
        Step::Start
        | Step::StopContainer
        | Step::ReplaceSupervisor
        | Step::Fail { .. }
        | Step::RollBack { .. } => false,
        Step::Remove { .. }
        | Step::Pull
        | Step::Create
        | Step::RunOnce { .. }
        | Step::CountActive
        | Step::Switch { .. }
        | Step::Soak
        | Step::RevertDocument { .. }
        | Step::Repair { .. }
        | Step::Commit { .. }
        | Step::RewriteConfig
        | Step::Reload { .. }
        | Step::Promote => true,
    }
}

#[cfg(test)]
mod tests;
