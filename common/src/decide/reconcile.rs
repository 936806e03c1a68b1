//! `reconcile` compares what the host should run with what was found, and gives the
//! next step of every instance with its reason.
//!
//! An instance has one step per pass. The next pass looks at the host again, so a
//! restart of the agent in the middle of a change needs no code of its own.

use std::collections::BTreeMap;

use crate::decide::difference::ForeignObject;
use crate::decide::observed::ObservedInstance;
use crate::decide::step::Step;
use crate::decide::update::nothing;
use crate::document::report::Phase;
use crate::document::update::{Backoff, InstanceUpdate, Stage};
use crate::id::ComponentName;

mod case;
mod change;
mod dependencies;
mod drain;
mod health;
mod maintain;
mod queued;
pub(in crate::decide) mod reason;
mod reload;
mod repair;
mod report;
mod revive;
mod rollback;
mod stopped;
mod unreadable;

use self::case::Case;
pub(in crate::decide) use self::case::is_set_up_for;
pub use self::case::{Busy, Decision, Input};
use self::drain::{Drain, Drained};
pub use self::reason::{
    Activity, CallCount, Ends, HeldUp, InUse, InactiveUnit, Interruption, JobWait, Lack, LastEnd,
    ManualStop, Meanwhile, Reason, RestartOfUnhealthy, SoakState,
};
pub use self::report::report;

/// A step and why it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub component: ComponentName,
    pub step: Step,
    pub reason: Reason,
}

/// Decides on every instance that is desired or was found.
#[must_use]
pub fn decide(input: Input<'_>) -> BTreeMap<ComponentName, Decision> {
    let Some(assignment) = input.assignment else { return BTreeMap::new() };
    let nothing = ObservedInstance::default();
    let desired = &assignment.content.share.instances;
    let share = &assignment.content.share;
    let mut decisions = BTreeMap::new();
    for (name, unreadable) in &share.unreadable {
        let decision = unreadable::decide_unreadable(name, &unreadable.why, input);
        let seen = input.observed.instances.get(name).unwrap_or(&nothing);
        decisions.insert(name.clone(), hold(name, seen, input, decision));
    }
    for (name, desired) in desired {
        if let Some(unreadable) = input.unreadable.get(name) {
            let decision = unreadable::decide_unreadable(name, &unreadable.why, input);
            let seen = input.observed.instances.get(name).unwrap_or(&nothing);
            decisions.insert(name.clone(), hold(name, seen, input, decision));
            continue;
        }
        let seen = input.observed.instances.get(name).unwrap_or(&nothing);
        let desired_hash = &desired.instance.workload_hash();
        let update = input.updates.get(name).filter(|update| &update.desired_hash == desired_hash);
        let case = Case { desired, desired_hash, seen, update, input };
        let decision = repair::put_right(case, decide_desired(name, case));
        let decision = stopped::stop_leftover(case, revive::keep_alive(case, decision));
        let decision = health::report_crash_loop_beside(case, decision);
        decisions.insert(name.clone(), hold(name, seen, input, decision));
    }
    let awaited = dependencies::unprepared_addition(input, &decisions);
    // Revision 0 says that nothing was decided for this node yet, not that
    // nothing should run: what an earlier controller left goes on.
    let decided = assignment.content.revision.0 > 0;
    let leftover = input.observed.instances.iter().filter(|_| decided);
    for (name, seen) in leftover.filter(|(name, seen)| !share.contains(name) && is_ours(seen)) {
        let decision = decide_leftover(name, seen, awaited, input);
        decisions.insert(name.clone(), hold(name, seen, input, decision));
    }
    decisions
}

/// Holds back what must not be done with what was found of the component.
fn hold(
    name: &ComponentName,
    seen: &ObservedInstance,
    input: Input<'_>,
    decision: Decision,
) -> Decision {
    hold_unseen(name, seen, input, queued::hold(name, seen, input, decision))
}

/// The steps to take now, removals first, then in the order of names.
#[must_use]
pub fn reconcile(input: Input<'_>) -> Vec<Action> {
    let mut actions: Vec<Action> = decide(input)
        .into_iter()
        .filter_map(|(component, decision)| {
            let step = decision.step.or(decision.beside)?;
            Some(Action { component, step, reason: decision.reason })
        })
        .collect();
    actions.sort_by_key(|action| !matches!(action.step, Step::Remove { .. }));
    actions
}

/// Does nothing about a component while the engine does not tell the state of one of its
/// containers, and says so. A step that was begun goes on.
fn hold_unseen(
    name: &ComponentName,
    seen: &ObservedInstance,
    input: Input<'_>,
    decision: Decision,
) -> Decision {
    let Some(unseen) = seen.unseen.as_ref().filter(|_| !input.busy.contains_key(name)) else {
        return decision;
    };
    // What is not observed is not shown as ready.
    let is_ready = decision.phase == Phase::Ready;
    let phase = if decision.acts() || is_ready { Phase::Blocked } else { decision.phase };
    let (container, why) = (unseen.name.clone(), unseen.why.clone());
    let held = Decision::wait(phase, Reason::Unseen { container, why });
    Decision { wake_at: decision.wake_at, ..held }
}

fn is_ours(seen: &ObservedInstance) -> bool {
    let unit_is_ours = seen.unit.as_ref().is_some_and(|unit| unit.hash.is_some());
    unit_is_ours || !seen.containers.is_empty()
}

/// Decides for a component that is not desired any more. It is removed only after the `awaited`
/// one is prepared.
fn decide_leftover(
    name: &ComponentName,
    seen: &ObservedInstance,
    awaited: Option<&ComponentName>,
    input: Input<'_>,
) -> Decision {
    let update = input.updates.get(name).filter(|update| update.desired_hash == nothing());
    // A component that is no longer desired is removed by the tenant's present policy.
    let policy = input.assignment.and_then(|assignment| assignment.content.removal_policy());
    let policy = policy.as_ref();
    let drain = Drain { seen, probe: seen.counting.probe(), policy, update, now: input.now };
    match input.busy.get(name).map(|busy| &busy.step) {
        Some(Step::CountActive) => {
            let phase = Phase::Draining { deadline: drain.deadline() };
            return Decision::wait(phase, drain.reason());
        }
        Some(_) => return doing(Phase::Removing, Activity::Removing),
        None => {}
    }
    if let Some(backoff) = update.and_then(|update| update.backoff.as_ref())
        && backoff.retry_at > input.now
    {
        let reason = Reason::retrying(backoff, 0);
        return Decision::wait(Phase::Removing, reason).until(backoff.retry_at);
    }
    if let Some(failure) = update.and_then(InstanceUpdate::failure) {
        let reason = Reason::RemovalFailed { message: failure.message.clone() };
        return Decision::wait(Phase::RolledBack, reason);
    }
    if let Some(component) = awaited.cloned() {
        return Decision::wait(Phase::Pending, Reason::RemovedFor { component });
    }
    match drain.decide() {
        Drained::Passed { recount, .. } => {
            Decision::act(Phase::Removing, Step::Remove { recount }, Reason::NotDesired)
        }
        Drained::Waits(decision) => decision,
    }
}

/// Decides for an instance whose name something holds that is not ours. No change is made, but what
/// works by the desired workload is kept running, what somebody changed about its unit is put right,
/// and a stop by hand is the reason why it does not run.
fn decide_beside_foreign(case: Case<'_>, foreign: &ForeignObject) -> Decision {
    let blocked = Decision::wait(Phase::Blocked, Reason::Foreign { object: foreign.clone() });
    let backoff = case.update.and_then(|update| update.backoff.as_ref());
    let waits = backoff.is_some_and(|backoff| backoff.retry_at > case.input.now);
    let Some(unit) = case.seen.unit.as_ref().filter(|unit| unit.hash.is_some()) else {
        return blocked;
    };
    if waits || !case.is_set_up() {
        return blocked;
    }
    if unit.masked && !case::is_active(unit) {
        return stopped::masked(case, unit);
    }
    let maintained = maintain::maintain(case);
    let is_repaired = maintained.step == Some(Step::RewriteConfig)
        && stopped::is_changed(case, unit)
        && !case.is_under_way();
    if unit.counts_as_stopped() || is_repaired || maintained.step == Some(Step::Start) {
        maintained
    } else {
        Decision { wake_at: maintained.wake_at, ..blocked }
    }
}

fn decide_desired(name: &ComponentName, case: Case<'_>) -> Decision {
    if let Some(busy) = case.input.busy.get(name) {
        return decide_busy(case, busy);
    }
    if let Some(foreign) = &case.seen.foreign {
        return decide_beside_foreign(case, foreign);
    }
    if let Some(unit) = case.seen.unit.as_ref().filter(|unit| unit.masked) {
        return match case.update.map(|update| &update.stage) {
            // What soaks runs already, and is decision without another start.
            Some(Stage::Soaking { since, .. }) if case::is_active(unit) => {
                change::soak(case, *since)
            }
            Some(_) | None => stopped::masked(case, unit),
        };
    }
    if let Some(refused) = change::refused(case) {
        return refused;
    }
    if let Some(backoff) = case.update.and_then(|update| update.backoff.as_ref())
        && backoff.retry_at > case.input.now
    {
        return retrying(case, backoff, 0).until(backoff.retry_at);
    }
    match case.update.map(|update| &update.stage) {
        Some(Stage::Switching { since, calls_cut, .. }) => {
            change::resume_switch(case, *since, *calls_cut)
        }
        Some(Stage::Soaking { since, .. }) => change::soak(case, *since),
        Some(Stage::Failed { failure, .. }) => rollback::failed(case, failure),
        Some(Stage::RolledBack { failure, .. }) => rollback::returned(case, failure),
        Some(Stage::Preparing | Stage::Draining { .. } | Stage::Committed { .. }) | None => {
            match case.is_set_up() {
                true if case.needs_soak() => {
                    let reason = Reason::Soak(SoakState::BeginsLate);
                    Decision::act(Phase::Starting, Step::Soak, reason)
                }
                true => health::report_crash_loop(case, maintain::maintain(case)),
                false => change::prepare(case),
            }
        }
    }
}

/// Describes a step that could not be done and is tried again.
fn retrying(case: Case<'_>, backoff: &Backoff, pulled_bytes: u64) -> Decision {
    let phase = if case.has_failed() { Phase::Failed } else { Phase::Blocked };
    Decision::wait(phase, Reason::retrying(backoff, pulled_bytes))
}

fn decide_busy(case: Case<'_>, busy: &Busy) -> Decision {
    let (bytes_done, bytes_total) = busy.bytes;
    let before = case.update.and_then(|update| update.backoff.as_ref());
    let has_started_nothing = case.has_started_nothing(&busy.step);
    // While a step is only tried again, its last error is still the news.
    if let Some(backoff) = before.filter(|_| has_started_nothing) {
        return retrying(case, backoff, bytes_done);
    }
    let pulling = || doing(Phase::Pulling { bytes_done, bytes_total }, Activity::Pulling);
    let is_known_bad = case.has_failed() && (before.is_some() || case.previous_failed());
    let starting = if is_known_bad { Phase::Failed } else { Phase::Starting };
    match &busy.step {
        Step::Remove { .. } => doing(Phase::Removing, Activity::Removing),
        Step::Pull => pulling(),
        Step::Create if !case.desired.instance.checks.is_empty() => {
            doing(Phase::Preparing, Activity::Checking)
        }
        Step::Create | Step::RewriteConfig | Step::RevertDocument { .. } => {
            doing(Phase::Preparing, Activity::Preparing)
        }
        Step::Repair { .. } => reload::being_repaired(case),
        Step::Reload { .. } => doing(Phase::Preparing, Activity::Reloading),
        Step::RunOnce { kind, operation, run: _ } => {
            doing(Phase::Preparing, Activity::RunningOnce(*kind, operation.clone()))
        }
        Step::CountActive => {
            let drain = Drain::of(case);
            Decision::wait(Phase::Draining { deadline: drain.deadline() }, drain.reason())
        }
        Step::Switch { .. } | Step::Start | Step::RollBack { .. }
            if has_started_nothing && bytes_total > 0 =>
        {
            pulling()
        }
        Step::Switch { .. } | Step::Start => {
            health::report_start(case, doing(starting, Activity::Starting))
        }
        Step::RollBack { .. } => health::report_start(case, doing(starting, Activity::RollingBack)),
        Step::Fail { why } => {
            let phase = if case.is_under_way() { Phase::Starting } else { Phase::Pending };
            Decision::wait(phase, Reason::Failed { message: why.to_string(), stop: None })
        }
        Step::Soak => Decision::wait(Phase::Starting, Reason::Soak(SoakState::Begins)),
        // The version counts as committed only once the commit is recorded.
        Step::Commit { .. } if case.is_under_way() => {
            let until = case.input.now;
            Decision::wait(Phase::Soaking { until }, Reason::Soak(SoakState::Passed))
        }
        Step::StopContainer => Decision::wait(Phase::Pending, Reason::StopsLeftover),
        Step::ReplaceSupervisor => Decision::wait(Phase::Starting, Reason::OldSupervisor),
        // What runs stays; only names and leftovers change.
        Step::Commit { .. } | Step::Promote => health::decide_health(case),
    }
}

fn doing(phase: Phase, activity: Activity) -> Decision {
    Decision::wait(phase, Reason::Doing(activity))
}

#[cfg(test)]
mod tests;
