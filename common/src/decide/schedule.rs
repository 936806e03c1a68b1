//! Which steps of a host may begin now, and what has to be recorded before.

use std::collections::BTreeMap;

use crate::decide::reconcile::{Decision, Reason};
use crate::decide::step::Step;
use crate::document::assignment::Assignment;
use crate::document::report::Phase;
use crate::id::ComponentName;

/// The most steps that run at the same time, pulls not counted.
pub const STEPS_MAX: usize = 4;
/// The most images that are pulled at the same time.
pub const PULLS_MAX: usize = 2;

/// The daemons of a host that do not answer, with what is told of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonsAway {
    pub engine: Option<String>,
    pub systemd: Option<String>,
}

impl DaemonsAway {
    /// What is told of the daemon that a component needs and that does not answer.
    /// A packaged unit needs no engine; of a component that goes nobody knows.
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
    for (component, decision) in decisions.iter_mut().filter(|(_, d)| d.step.is_some()) {
        if let Some(message) = away.of(component, assignment) {
            let reason = Reason::DaemonAway { message: message.clone() };
            *decision = Decision { phase: Phase::Blocked, reason, step: None, wake_at: None };
        }
    }
}

/// The steps of these decisions that begin now, in the order of names, beside
/// those that are running. The others are decided again when one of these has ended.
pub fn due<'a>(
    decisions: &'a BTreeMap<ComponentName, Decision>,
    running: impl IntoIterator<Item = &'a Step>,
) -> Vec<(ComponentName, Step)> {
    let mut running: Vec<&Step> = running.into_iter().collect();
    let mut begin = Vec::new();
    for (component, decision) in decisions {
        let Some(step) = &decision.step else { continue };
        if may_begin(step, &running) {
            running.push(step);
            begin.push((component.clone(), step.clone()));
        }
    }
    begin
}

fn may_begin(step: &Step, running: &[&Step]) -> bool {
    let pulls = running.iter().filter(|step| ***step == Step::Pull).count();
    if *step == Step::Pull {
        return pulls < PULLS_MAX;
    }
    // A component that is being removed may hold the ports of one that starts.
    let starts = matches!(step, Step::Switch { .. } | Step::Start);
    let removes = running.contains(&&Step::Remove);
    running.len() - pulls < STEPS_MAX && !(starts && removes)
}

/// Whether the update has to be on disk before the step: without a record the step
/// could be done twice. What only brings something back to running may be.
#[must_use]
pub fn needs_record(step: &Step) -> bool {
    match step {
        Step::Start | Step::ReplaceSupervisor | Step::Fail { .. } | Step::RollBack { .. } => false,
        Step::Remove
        | Step::Pull
        | Step::Create
        | Step::CountActive
        | Step::Switch { .. }
        | Step::Soak
        | Step::RevertDocument { .. }
        | Step::Commit { .. }
        | Step::RewriteConfig
        | Step::Promote => true,
    }
}

#[cfg(test)]
mod tests;
