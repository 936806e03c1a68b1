//! Waits while a job of systemd for the unit has not begun, because other jobs go first. The unit looks as
//! if it were at rest or on its way, and a start over that job would neither be sooner nor tell anything
//! of the version.

use crate::decide::observed::{ObservedInstance, ObservedUnit};
use crate::decide::step::Step;
use crate::document::report::Phase;
use crate::document::update::Stage;
use crate::id::ComponentName;
use crate::time::{Span, Timestamp};

use super::case::{Decision, Input, START_MARGIN_MS, is_active};
use super::reason::{Activity, HeldUp, JobWait, Reason};

/// The start time-out of a unit whose document cannot be read, as systemd has it.
const START_TIMEOUT_MS: u64 = 90_000;

/// Returns what is said of the waiting job of a unit; none if it has none.
pub(super) fn waiting(unit: &ObservedUnit, timeout_ms: u64, now: Timestamp) -> Option<JobWait> {
    let job = unit.job.as_ref()?;
    let overdue = (over_at(job.since, timeout_ms) <= Some(now)).then_some(job.since).flatten();
    let limit = || Span(timeout_ms.saturating_add(START_MARGIN_MS));
    Some(JobWait { kind: job.kind.clone(), longer_than: overdue.map(|_| limit()) })
}

/// Returns when a job that waits since then does so for longer than a start takes.
fn over_at(since: Option<Timestamp>, timeout_ms: u64) -> Option<Timestamp> {
    since.map(|since| since.plus_ms(timeout_ms.saturating_add(START_MARGIN_MS)))
}

/// Takes what would start, stop or blame a version out of the decision while a job of its unit waits,
/// and says so.
pub(super) fn hold(
    name: &ComponentName,
    seen: &ObservedInstance,
    input: Input<'_>,
    decision: Decision,
) -> Decision {
    let instances = input.assignment.map(|assignment| &assignment.content.share.instances);
    let desired = instances.and_then(|instances| instances.get(name));
    let timing = desired.map(|desired| desired.instance.timing.start_timeout_ms);
    let timeout_ms = timing.unwrap_or(START_TIMEOUT_MS);
    let Some(unit) = seen.unit.as_ref() else { return decision };
    let Some(job) = waiting(unit, timeout_ms, input.now) else { return decision };
    let update = input.updates.get(name);
    let is_begun = update.is_some_and(|update| match update.stage {
        Stage::Switching { .. } | Stage::Soaking { .. } => true,
        Stage::Preparing
        | Stage::Draining { .. }
        | Stage::Failed { .. }
        | Stage::Committed { .. }
        | Stage::RolledBack { .. } => false,
    });
    let holds = |step: &Step| is_held(step, is_begun);
    let beside = decision.beside.clone().filter(|step| !holds(step));
    let own = input.busy.get(name).map(|busy| &busy.step);
    let is_held = decision.step.as_ref().or(own).is_some_and(holds);
    let since = unit.job.as_ref().and_then(|job| job.since);
    let over_at = over_at(since, timeout_ms).filter(|at| *at > input.now);
    let wake_at = decision.wake_at.into_iter().chain(over_at).min();
    if !is_held && (is_active(unit) || !is_about_unit(&decision.reason)) {
        return Decision { beside, wake_at, ..decision };
    }
    let is_on_its_way = matches!(decision.phase, Phase::Starting | Phase::Soaking { .. });
    let is_late = job.longer_than.is_some() && is_on_its_way;
    let phase = if is_late { Phase::Blocked } else { decision.phase };
    let step = decision.step.clone().filter(|step| !holds(step));
    let held_up = HeldUp { change: kept(decision.reason), job };
    let reason = Reason::WaitsForJob(Box::new(held_up));
    Decision { phase, reason, step, beside, wake_at }
}

/// Returns true if the step starts or stops what the job is about, or blames a version for it.
fn is_held(step: &Step, is_begun: bool) -> bool {
    match step {
        Step::Switch { .. }
        | Step::Start
        | Step::RollBack { runs: false, .. }
        | Step::ReplaceSupervisor
        | Step::StopContainer => true,
        // Before its switch a version fails for what has nothing to do with the unit.
        Step::Fail { .. } => is_begun,
        // A removal stops the unit, which cancels the job.
        Step::Remove { .. }
        | Step::RollBack { runs: true, .. }
        | Step::Pull
        | Step::Create
        | Step::RunOnce { .. }
        | Step::CountActive
        | Step::Soak
        | Step::RevertDocument { .. }
        | Step::Repair { .. }
        | Step::Commit { .. }
        | Step::RewriteConfig
        | Step::Reload { .. }
        | Step::Promote => false,
    }
}

/// Returns true if the reason says what the unit or its start does.
fn is_about_unit(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Unit(_)
            | Reason::Starting { .. }
            | Reason::Doing(Activity::Starting | Activity::RollingBack)
    )
}

/// Returns the reason that is said with the job: what became of a change, and what waits for more than
/// the job.
fn kept(reason: Reason) -> Option<Reason> {
    let is_kept = matches!(
        reason,
        Reason::Failed { .. }
            | Reason::RolledBack { .. }
            | Reason::NeedsNewerAgent { .. }
            | Reason::Retrying { .. }
            | Reason::Foreign { .. }
    );
    is_kept.then_some(reason)
}
