//! Decides the steps that take an instance from its old version to the new one.

use std::collections::BTreeSet;

use crate::decide::observed::{ActiveState, ContainerState, ObservedContainer, ObservedUnit};
use crate::decide::rights::NotAllowed;
use crate::decide::run_once::{self, AskedBy, DueRun};
use crate::decide::step::Step;
use crate::document::instance::KeptSecret;
use crate::document::report::Phase;
use crate::document::status::Health;
use crate::document::update::{LastGood, Stage};
use crate::time::{Span, Timestamp};

use super::case::{Case, Decision, START_MARGIN_MS, is_active};
use super::dependencies::unconverged_dependency;
use super::drain::{Drain, Drained};
use super::health::{health, is_exited, report_start};
use super::maintain::inactive_unit;
use super::reason::{
    Activity, InactiveUnit, Interruption, Lack, LastEnd, ManualStop, Reason, SoakState,
};
use super::rollback;
use super::stopped::stopped;

/// Decides the steps before the old version is stopped.
pub(super) fn prepare(case: Case<'_>) -> Decision {
    let seen = case.seen;
    if let Some(last_good) = rollback::fallen_back(case) {
        let step = Step::RollBack { previous: last_good.clone(), runs: false };
        return Decision::act(Phase::Starting, step, Reason::LastGoodMeanwhile);
    }
    // Only after a switch was begun may what is there differ from the last good version.
    let was_begun = case.update.is_some_and(|update| update.last_good != LastGood::Current);
    if let Some(decision) = revert_document(case).filter(|_| was_begun) {
        return decision;
    }
    // Somebody changed the document: what is desired runs, so nothing has to be switched.
    let runs = case.is_container() && seen.running().is_some() && case.runs_desired();
    if runs || lost_while_stopped(case) {
        let reason = Reason::Lacks(Lack::Documents);
        return Decision::act(Phase::Preparing, Step::RewriteConfig, reason);
    }
    // What runs stays, with the rights with which it was created.
    if !seen.not_allowed.is_empty() {
        let rights = NotAllowed(seen.not_allowed.clone());
        return Decision::wait(Phase::Blocked, Reason::NotAllowed(rights));
    }
    let is_container = case.is_container();
    if is_container && seen.container(case.desired_hash).is_none() {
        let secrets = awaited_secrets(case);
        return if !secrets.is_empty() {
            Decision::wait(Phase::Pending, Reason::WaitsForSecrets(secrets))
        } else if seen.image_present {
            Decision::act(Phase::Preparing, Step::Create, Reason::Lacks(Lack::NewContainer))
        } else {
            let phase = Phase::Pulling { bytes_done: 0, bytes_total: 0 };
            Decision::act(phase, Step::Pull, Reason::Lacks(Lack::NewImage))
        };
    }
    let unit_is_current = seen.unit.as_ref().is_some_and(|u| u.hash.is_some() && !u.stale);
    if is_container && !unit_is_current {
        return Decision::act(Phase::Preparing, Step::Create, Reason::Lacks(Lack::NewUnit));
    }
    if let Some(dependency) = unconverged_dependency(case) {
        let component = dependency.clone();
        return Decision::wait(Phase::Pending, Reason::WaitsFor { component });
    }
    if let Some(decision) = run_once(case) {
        return decision;
    }
    match Drain::of(case).decide() {
        Drained::Passed { calls_cut, recount } => switch(case, calls_cut, recount),
        Drained::Waits(decision) => decision,
    }
}

/// Returns the secrets that the next step needs and that are not on the host yet: the password with
/// which the image is pulled, or those of the container that is made of it.
fn awaited_secrets(case: Case<'_>) -> BTreeSet<KeptSecret> {
    let (instance, seen) = (&case.desired.instance, case.seen);
    let password = instance.pull_login.as_ref().map(|login| &login.password);
    let is_of_container = |secret: &KeptSecret| instance.program_secrets().any(|own| own == secret);
    let is_needed = |secret: &&KeptSecret| match seen.image_present {
        true => password != Some(*secret) || is_of_container(secret),
        false => password == Some(*secret),
    };
    seen.missing_secrets.iter().filter(is_needed).cloned().collect()
}

/// Runs what has to succeed once before the new version starts, while the old one goes on.
fn run_once(case: Case<'_>) -> Option<Decision> {
    let assignment = case.input.assignment?;
    let (epoch, revision) = (assignment.generation.epoch, assignment.content.revision);
    let asked_by = AskedBy { epoch, revision };
    let due = run_once::due(&case.desired.instance, case.seen, asked_by)?;
    let DueRun { kind, operation, id } = due;
    let reason = Reason::Doing(Activity::RunningOnce(kind, operation.clone()));
    Some(Decision::act(Phase::Preparing, Step::RunOnce { kind, operation, run: id }, reason))
}

/// Returns true if the document of what was stopped by hand is lost or was edited. What is desired ran
/// last, so it is no change that would start it.
fn lost_while_stopped(case: Case<'_>) -> bool {
    let end = |container: &ObservedContainer| match container.state {
        ContainerState::Exited { at, .. } => Some(at),
        ContainerState::Created | ContainerState::Running { .. } => None,
    };
    let last_end = case.seen.containers.iter().filter_map(end).max();
    let desired_end = case.seen.container(case.desired_hash).and_then(end);
    // The document of another version that was here is no edit: that version ran last.
    let document = case.seen.document.as_ref();
    let is_unknown = document.is_none_or(|it| case.seen.container(&it.workload).is_none());
    let unit = case.seen.unit.as_ref();
    is_unknown
        && unit.is_some_and(|unit| unit.hash.is_some() && unit.counts_as_stopped())
        && desired_end.is_some()
        && desired_end == last_end
}

/// Fails a change that was refused too often. One that has begun its switch is rolled back then.
/// What should run without a change is tried for ever.
pub(super) fn refused(case: Case<'_>) -> Option<Decision> {
    let update = case.update?;
    let backoff = update.backoff.as_ref().filter(|backoff| backoff.is_final())?;
    let message = || Reason::Refused { message: backoff.message.clone() };
    match update.stage {
        Stage::Preparing | Stage::Draining { .. } => {
            let is_change = !case.is_set_up() && rollback::fallen_back(case).is_none();
            is_change.then(|| Decision::fail(Phase::Blocked, message()))
        }
        Stage::Switching { .. } | Stage::Soaking { .. } => {
            (!case.soaked_before()).then(|| Decision::fail(Phase::Starting, message()))
        }
        Stage::Committed { .. } | Stage::Failed { .. } | Stage::RolledBack { .. } => None,
    }
}

/// Reverts a document that was changed for a stop that never happened. If the running program
/// ended by itself, its supervisor would start a version that may not start yet.
fn revert_document(case: Case<'_>) -> Option<Decision> {
    let running = &case.seen.running()?.hash;
    let unit_is_up = case.seen.unit.as_ref().is_some_and(is_active);
    (unit_is_up && case.is_container() && !case.seen.has_document_of(running)).then(|| {
        let step = Step::RevertDocument { running: running.clone() };
        Decision::act(Phase::Preparing, step, Reason::Interrupted(Interruption::BeforeStop))
    })
}

fn switch(case: Case<'_>, calls_cut: Option<u64>, recount: bool) -> Decision {
    // What runs counts before the document, which an interrupted switch or a person may have changed.
    let running = case.seen.running().map(|container| container.hash.clone());
    let running = running.or_else(|| case.seen.seen_running.clone());
    let document = || case.seen.document.as_ref().map(|document| document.workload.clone());
    let present = running.or_else(document);
    let previous = match case.update.map(|update| &update.last_good) {
        Some(LastGood::Previous(_) | LastGood::PreviousFailed(_)) => case.returns_to().cloned(),
        Some(LastGood::None) => None,
        Some(LastGood::Current) | None => present,
    };
    let reason = match (&previous, calls_cut) {
        (None, _) => Reason::FirstStart,
        (Some(_), Some(0)) => Reason::Changed,
        (Some(_), calls) => Reason::CutAtDeadline { calls },
    };
    Decision::act(Phase::Starting, Step::Switch { previous, calls_cut, recount }, reason)
}

/// Resumes a switch whose end was not seen. The state of the host shows how far it came.
pub(super) fn resume_switch(case: Case<'_>, since: Timestamp, calls_cut: Option<u64>) -> Decision {
    let again = |interruption| {
        // Calls may have come since they were counted.
        let drain = Drain::of(case);
        let old_runs = case.seen.running().is_some_and(|c| &c.hash != case.desired_hash);
        if drain.is_needed() && old_runs {
            let phase = Phase::Draining { deadline: drain.deadline() };
            return Decision::act(phase, Step::CountActive, drain.reason());
        }
        let previous = case.returns_to().cloned();
        let step = Step::Switch { previous, calls_cut, recount: false };
        Decision::act(Phase::Starting, step, Reason::Interrupted(interruption))
    };
    let Some(unit) = case.seen.unit.as_ref().filter(|_| case.is_set_up()) else {
        return again(Interruption::BeforeStop);
    };
    if unit.was_stopped() && unit.since >= since {
        return stopped(case, unit, ManualStop::of(unit));
    }
    if !was_started(case, unit, since) {
        return again(Interruption::BeforeStart);
    }
    let timing = &case.desired.instance.timing;
    let budget_ms = timing
        .start_timeout_ms
        .saturating_add(timing.stop_grace_ms)
        .saturating_add(START_MARGIN_MS);
    // A job that waited has begun later than the switch. A time in the future was read before the clock
    // was set back.
    let began = if unit.since > case.input.now { since } else { since.max(unit.since) };
    let end = began.plus_ms(budget_ms);
    match unit.active {
        ActiveState::Active | ActiveState::Reloading if case.runs_desired() => {
            Decision::act(Phase::Starting, Step::Soak, Reason::Soak(SoakState::Begins))
        }
        ActiveState::Activating | ActiveState::Deactivating
            if case.input.now < end && unit.restarts == 0 =>
        {
            let starts = Decision::wait(Phase::Starting, Reason::Doing(Activity::Starting));
            report_start(case, starts.until(end))
        }
        // The host was shut down in between. A packaged program may end well by itself.
        ActiveState::Inactive
            if unit.result == "success" && !unit.counts_as_stopped() && case.is_container() =>
        {
            again(Interruption::BeforeAnswer)
        }
        ActiveState::Active
        | ActiveState::Reloading
        | ActiveState::Inactive
        | ActiveState::Activating
        | ActiveState::Deactivating
        | ActiveState::Failed => did_not_start(case, unit),
    }
}

/// Decides for a version that did not stay up. Nobody may have watched its start: where the version before
/// cannot read what it may have written, it has failed in its soak.
fn did_not_start(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    let status = case.seen.status.as_ref();
    let has_answered = status.is_some_and(|it| it.has_answered && &it.hash == case.desired_hash);
    if case.desired.policy.forward_only && has_answered {
        return Decision::act(Phase::Starting, Step::Soak, Reason::Soak(SoakState::Begins));
    }
    if unit.unmet.is_some() {
        return Decision::fail(Phase::Starting, Reason::Unit(inactive_unit(case, unit)));
    }
    let result = unit.result.clone();
    Decision::fail(Phase::Starting, Reason::DidNotStart { result })
}

/// Returns true if the program of the new version was ever started.
fn was_started(case: Case<'_>, unit: &ObservedUnit, since: Timestamp) -> bool {
    if !case.is_container() {
        // A packaged unit keeps its name: only the time distinguishes old from new, and
        // only where its drop-in was there to be read.
        return unit.since >= since && !unit.stale;
    }
    match case.seen.container(case.desired_hash).map(|container| &container.state) {
        Some(ContainerState::Running { .. }) => true,
        // One that ended before the switch is left from an earlier update.
        Some(ContainerState::Exited { at, .. }) if *at >= since => true,
        Some(ContainerState::Exited { .. } | ContainerState::Created) => {
            unit.active == ActiveState::Activating
        }
        // The supervisor creates a missing container, if systemd starts it at all.
        None => unit.active == ActiveState::Activating || unit.active == ActiveState::Failed,
    }
}

/// Watches the new version during its soak.
pub(super) fn soak(case: Case<'_>, since: Timestamp) -> Decision {
    let now = case.input.now;
    let until = since.plus_ms(case.desired.policy.soak_ms);
    let phase = Phase::Soaking { until };
    let fail = |state| Decision::fail(phase, Reason::Soak(state));
    let wait = |state| Decision::wait(phase, Reason::Soak(state));
    let Some(unit) = &case.seen.unit else {
        return fail(SoakState::UnitLost);
    };
    if unit.counts_as_stopped() {
        return stopped(case, unit, ManualStop::of(unit));
    }
    match continuity(case, unit, since) {
        Continuity::RanOn => {}
        Continuity::Broken => return fail(SoakState::Ended),
        Continuity::Interrupted(decision) => return *decision,
    }
    if !case.is_container() && is_exited(case.seen) {
        return Decision::fail(phase, Reason::Unobserved(LastEnd::UnitRemains));
    }
    let unobserved_ms_max =
        case.desired.instance.timing.start_timeout_ms.saturating_add(START_MARGIN_MS);
    match health(&case.desired.instance, case.seen, now) {
        Health::Unhealthy => {
            let status = case.seen.status.as_ref();
            let detail = status.map_or_else(String::new, |status| status.detail.clone());
            fail(SoakState::Unhealthy { detail })
        }
        Health::Healthy if now >= until && !is_failing(case) => {
            Decision::act(phase, case.commit(), Reason::Soak(SoakState::Passed))
        }
        Health::Healthy | Health::Unknown | Health::Starting if now < until => {
            wait(SoakState::GoesOn { left: Span(until.since_ms(now)) }).until(until)
        }
        // One or two wrong answers decide nothing: the next ones do.
        Health::Healthy if is_failing(case) && now < until.plus_ms(unobserved_ms_max) => {
            wait(SoakState::LastProbeFailed).until(now.plus_ms(1_000))
        }
        // Not observed is not healthy: nothing is committed unobserved.
        Health::Healthy | Health::Unknown | Health::Starting
            if now < until.plus_ms(unobserved_ms_max) =>
        {
            wait(SoakState::NotObservedYet).until(now.plus_ms(1_000))
        }
        Health::Healthy | Health::Unknown | Health::Starting => fail(SoakState::NeverObserved),
    }
}

/// Returns true if the last probe failed.
fn is_failing(case: Case<'_>) -> bool {
    case.seen.status.as_ref().is_some_and(|status| status.failures > 0)
}

/// The state of the program that was started at the switch.
enum Continuity {
    /// It has run without interruption.
    RanOn,
    /// It ended by itself.
    Broken,
    /// A reboot of the host or a restart by hand ended it.
    Interrupted(Box<Decision>),
}

/// A supervisor that is replaced leaves its container alone, so for a container
/// its own start counts and not the unit's.
fn continuity(case: Case<'_>, unit: &ObservedUnit, since: Timestamp) -> Continuity {
    let started = match case.seen.running().map(|container| &container.state) {
        _ if !case.is_container() => is_active(unit).then_some(unit.since),
        Some(ContainerState::Running { since }) => Some(*since).filter(|_| case.runs_desired()),
        Some(ContainerState::Created | ContainerState::Exited { .. }) | None => None,
    };
    let ended = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    // A start in the future was before the clock was set back.
    let began_before = |started: Timestamp| started <= since || started > case.input.now;
    if !ended && started.is_some_and(began_before) {
        return Continuity::RanOn;
    }
    // The program of a package may end well. After a reboot its unit has not run yet. One whose start
    // was skipped is started, which says why it is not.
    let is_skipped = unit.unmet.is_some();
    let ended_well = !case.is_container() && ended && unit.since > since && !is_skipped;
    if unit.restarts > 0 || ended_well || !matches!(unit.result.as_str(), "" | "success") {
        return Continuity::Broken;
    }
    let answers = matches!(unit.active, ActiveState::Active | ActiveState::Reloading);
    Continuity::Interrupted(Box::new(if ended || case.waits_for_image(unit) {
        Decision::act(Phase::Starting, Step::Start, Reason::Unit(InactiveUnit::NotRunning))
    } else if answers && started.is_some() {
        Decision::act(Phase::Starting, Step::Soak, Reason::Soak(SoakState::Restarted))
    } else {
        let waits = Decision::wait(Phase::Starting, Reason::Soak(SoakState::Restarting));
        case.until_created(unit, waits)
    }))
}
