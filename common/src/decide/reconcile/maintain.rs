//! Keeps an instance that needs no change as it should be.

use std::collections::BTreeSet;

use crate::decide::observed::{ActiveState, ContainerState, ObservedUnit};
use crate::decide::step::Step;
use crate::document::report::Phase;
use crate::time::Timestamp;

use super::case::{Case, Decision, is_active};
use super::dependencies::absent_dependency;
use super::health::{
    crash_loop, decide_health, last_end, needs_other_supervisor, not_started, report_start,
};
use super::queued;
use super::reason::{InactiveUnit, Lack, ManualStop, Reason};
use super::reload::{self, Due};
use super::stopped::{put_right, stopped};

/// The pause before the next start of a unit that systemd no longer restarts, so that the unit
/// does not flap.
const GAVE_UP_PAUSE_MS: u64 = 60_000;

/// Decides for a host that works by the desired workload. Everything else that differs is
/// repaired.
pub(super) fn maintain(case: Case<'_>) -> Decision {
    let seen = case.seen;
    let Some(unit) = seen.unit.as_ref().filter(|unit| unit.hash.is_some()) else {
        // A packaged unit lacks our drop-in alone.
        let step = if case.is_container() { Step::Create } else { Step::RewriteConfig };
        return Decision::act(Phase::Preparing, step, Reason::Lacks(Lack::Unit));
    };
    if unit.counts_as_stopped() {
        return put_right(case, unit, stopped(case, unit, ManualStop::of(unit)));
    }
    if let Some(failed) = reload::failed(case) {
        let repair = reload::put_right(case, unit);
        return reload::after_failure(failed, repair.unwrap_or_else(|| keep(case, unit)));
    }
    match reload::due(case, unit) {
        Some(Due::Now(decision)) => return decision,
        Some(Due::Waits(waits)) => {
            let kept = keep(case, unit);
            return if kept.acts() { kept } else { Decision { wake_at: kept.wake_at, ..waits } };
        }
        Some(Due::OnceStarted) => return run(case, unit),
        None => {}
    }
    if unit.stale || !case.document_is_current() {
        let reason = Reason::Lacks(Lack::Documents);
        return Decision::act(Phase::Preparing, Step::RewriteConfig, reason);
    }
    if !seen.file_changes.is_empty() {
        let reason = Reason::Lacks(Lack::Files);
        return Decision::act(Phase::Preparing, Step::RewriteConfig, reason);
    }
    keep(case, unit)
}

/// Keeps the container and the unit as they should be, whose documents are.
fn keep(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    let seen = case.seen;
    let is_container = case.is_container();
    let lacks_container = is_container && seen.container(case.desired_hash).is_none();
    if lacks_container && !seen.image_present {
        let phase = Phase::Pulling { bytes_done: 0, bytes_total: 0 };
        return Decision::act(phase, Step::Pull, Reason::Lacks(Lack::ContainerAndImage));
    }
    // While the unit is active or starting, its supervisor creates a missing container.
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    if lacks_container && rests {
        return Decision::act(Phase::Preparing, Step::Create, Reason::Lacks(Lack::Container));
    }
    run(case, unit)
}

fn run(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    let reason = || Reason::Unit(inactive_unit(case, unit));
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => tidy(case),
        ActiveState::Activating | ActiveState::Deactivating => {
            report_start(case, Decision::wait(Phase::Starting, reason()))
        }
        ActiveState::Inactive | ActiveState::Failed => {
            if let Some(dependency) = absent_dependency(case) {
                let component = dependency.clone();
                return Decision::wait(Phase::Pending, Reason::WaitsFor { component });
            }
            if let Some(again_at) = pause(case, unit) {
                return Decision::wait(Phase::Unhealthy, reason()).until(again_at);
            }
            Decision::act(Phase::Starting, Step::Start, reason())
        }
    }
}

/// Returns why a unit is not active.
pub(super) fn inactive_unit(case: Case<'_>, unit: &ObservedUnit) -> InactiveUnit {
    if let Some(unmet) = &unit.unmet {
        return InactiveUnit::NotStarted {
            why: unmet.explain(case.desired.instance.unit.as_str()),
        };
    }
    let timeout_ms = case.desired.instance.timing.start_timeout_ms;
    let job = queued::waiting(unit, timeout_ms, case.input.now).filter(|_| !is_active(unit));
    if let Some(job) = job {
        return InactiveUnit::WaitsForJob(job);
    }
    match unit.active {
        ActiveState::Activating if unit.restarts > 0 => {
            let why = not_started(case.seen).map(|it| it.why.clone());
            InactiveUnit::Restarting { times: unit.restarts, not_started: why }
        }
        ActiveState::Activating => InactiveUnit::Starting,
        ActiveState::Deactivating => InactiveUnit::Stopping,
        ActiveState::Inactive | ActiveState::Failed
            if unit.restarts > 0 && pause(case, unit).is_some() =>
        {
            let times = unit.restarts.saturating_add(1);
            match case.seen.running() {
                Some(_) => InactiveUnit::SupervisorKeepsEnding { times },
                None => InactiveUnit::KeepsEnding { times, last: last_end(case.seen) },
            }
        }
        ActiveState::Failed => InactiveUnit::Failed { result: unit.result.clone() },
        ActiveState::Inactive | ActiveState::Active | ActiveState::Reloading => {
            InactiveUnit::NotRunning
        }
    }
}

/// Returns when a unit may be started again, if it must wait. One whose container was just created
/// again did not end: its image was missing.
pub(super) fn pause(case: Case<'_>, unit: &ObservedUnit) -> Option<Timestamp> {
    let document = case.seen.document.as_ref();
    let container = document.and_then(|document| case.seen.container(&document.workload));
    let is_new = container.is_some_and(|found| found.state == ContainerState::Created);
    // systemd counts no restarts of a packaged unit that it never restarts by itself.
    let is_looping = !case.is_container() && crash_loop(case).is_some();
    let paused = if is_looping { rested_until(unit, case.input.now) } else { None };
    paused_until(unit, case.input.now).or(paused).filter(|_| !is_new)
}

/// Returns when a unit may be started again that systemd has given up on.
pub(super) fn paused_until(unit: &ObservedUnit, now: Timestamp) -> Option<Timestamp> {
    rested_until(unit, now).filter(|_| unit.restarts > 0)
}

/// Returns when a unit has rested for the length of a pause, if it has not yet.
fn rested_until(unit: &ObservedUnit, now: Timestamp) -> Option<Timestamp> {
    let again_at = unit.since.plus_ms(GAVE_UP_PAUSE_MS);
    // A clock that was set back must not make the pause longer.
    (unit.since <= now && now < again_at).then_some(again_at)
}

fn tidy(case: Case<'_>) -> Decision {
    let seen = case.seen;
    let instance = &case.desired.instance;
    let name_differs = instance.container().is_some_and(|container| {
        seen.running()
            .is_some_and(|c| &c.hash == case.desired_hash && c.name != container.name.as_str())
    });
    if needs_other_supervisor(instance, seen) {
        return Decision::act(Phase::Starting, Step::ReplaceSupervisor, Reason::OldSupervisor);
    }
    let healthy = decide_health(case);
    if name_differs {
        let reason = Reason::Lacks(Lack::ContainerName);
        return Decision::act(healthy.phase, Step::Promote, reason);
    }
    let others: BTreeSet<_> =
        seen.containers.iter().map(|c| &c.hash).filter(|hash| *hash != case.desired_hash).collect();
    // One earlier container is kept, so that there is something to roll back to.
    if instance.container().is_some() && others.len() > 1 {
        return Decision::act(healthy.phase, case.commit(), Reason::Lacks(Lack::Cleanup));
    }
    healthy
}
