//! Decides the health of an instance from what was observed, and how old that is.

use crate::decide::crash_loop::{self, CrashLoop};
use crate::decide::observed::{ContainerState, ObservedInstance};
use crate::decide::unhealthy::{self, Remedy};
use crate::document::instance::{Instance, Probe, Workload};
use crate::document::report::Phase;
use crate::document::status::{Health, NotStarted, SupervisorRelease};
use crate::time::Timestamp;

use super::case::{Case, Decision, is_active};
use super::reason::{Ends, InUse, LastEnd, Reason, RestartOfUnhealthy};

/// The difference from which an observation in the future was made before the clock was set
/// back.
const CLOCK_SKEW_MS_MAX: u64 = 1_000;

/// Returns the health of an instance, which is unknown if the last observation is too old.
pub(super) fn health(instance: &Instance, seen: &ObservedInstance, now: Timestamp) -> Health {
    match &*instance.workload {
        Workload::Unit(_) => of_unit(seen),
        Workload::Container(_) => of_container(&instance.probe, seen, now),
    }
}

/// Returns the health of the running version of an instance whose document cannot be read. Its
/// status, or else the document that its supervisor reads, says how often it is probed.
pub(super) fn health_of_held(seen: &ObservedInstance, now: Timestamp) -> Health {
    let asked = seen.status.as_ref().and_then(|status| status.probe.as_ref());
    let asks = seen.document.as_ref().and_then(|document| document.probe.as_ref());
    match asked.or(asks) {
        // A packaged unit has no container and no supervisor.
        _ if seen.containers.is_empty() && !is_supervised(seen) => of_unit(seen),
        Some(probe) => of_container(probe, seen, now),
        None => Health::Unknown,
    }
}

/// Returns true if a supervisor wrote the status. That of a packaged unit holds its ends only.
fn is_supervised(seen: &ObservedInstance) -> bool {
    seen.status.as_ref().is_some_and(|status| !status.container.is_empty())
}

fn of_unit(seen: &ObservedInstance) -> Health {
    match &seen.unit {
        _ if seen.systemd_is_away => Health::Unknown,
        None => Health::Unknown,
        // Such as a unit that only starts others, and says nothing about them.
        Some(_) if is_exited(seen) => Health::Unknown,
        Some(unit) if is_active(unit) => Health::Healthy,
        Some(_) => Health::Unhealthy,
    }
}

/// Returns true if the unit is active and none of its processes runs, so that systemd knows nothing
/// of its program.
pub(super) fn is_exited(seen: &ObservedInstance) -> bool {
    seen.unit.as_ref().is_some_and(|unit| is_active(unit) && unit.is_exited)
}

fn of_container(probe: &Probe, seen: &ObservedInstance, now: Timestamp) -> Health {
    let age_ms_max = probe.interval_ms.saturating_add(probe.timeout_ms).saturating_mul(3);
    let running = seen.running();
    match &seen.status {
        Some(status)
            if status.checked_at <= now.plus_ms(CLOCK_SKEW_MS_MAX)
                && now.since_ms(status.checked_at) <= age_ms_max
                && running.is_some_and(|c| c.id == status.container)
                && !answers_another(seen) =>
        {
            status.health
        }
        Some(_) | None => Health::Unknown,
    }
}

/// Decides the phase of an instance by its health alone.
pub(super) fn decide_health(case: Case<'_>) -> Decision {
    let seen = case.seen;
    let probe = || {
        let detail = seen.status.as_ref().map_or_else(String::new, |status| status.detail.clone());
        Reason::Probe { detail }
    };
    let (phase, reason) = match health(&case.desired.instance, seen, case.input.now) {
        Health::Healthy => (Phase::Ready, probe()),
        Health::Unhealthy => (Phase::Unhealthy, unhealthy(case, probe())),
        Health::Starting => (Phase::Starting, probe()),
        Health::Unknown if answers_another(seen) => (Phase::Starting, Reason::ProbeChanged),
        Health::Unknown if !case.is_container() && is_exited(seen) => {
            (Phase::Unhealthy, Reason::Unobserved(LastEnd::UnitRemains))
        }
        Health::Unknown => (Phase::Unhealthy, Reason::Unobserved(last_end(seen))),
    };
    Decision::wait(phase, reason)
}

/// Adds when an unhealthy program is restarted.
fn unhealthy(case: Case<'_>, reason: Reason) -> Reason {
    let Some(status) = &case.seen.status else { return reason };
    let instance = &case.desired.instance;
    let (policy, may_carry_calls) = (&instance.restart_unhealthy, instance.may_carry_calls());
    let remedy = unhealthy::remedy(policy, status, may_carry_calls, case.input.now);
    let times = unhealthy::in_a_row(status);
    let remedy = match remedy {
        Remedy::After { pause, .. } => RestartOfUnhealthy::After { pause, times },
        Remedy::NeverAnswered => RestartOfUnhealthy::NeverAnswered,
        Remedy::CallsUp => RestartOfUnhealthy::CallsUp,
        Remedy::None | Remedy::Restart => return reason,
    };
    Reason::Unhealthy { probe: Box::new(reason), remedy }
}

/// Adds to the phase of a program that is being started what it answers and prints meanwhile.
pub(super) fn report_start(case: Case<'_>, decision: Decision) -> Decision {
    let running = case.seen.running();
    let status = case.seen.status.as_ref().filter(|status| {
        status.health == Health::Starting && running.is_some_and(|it| it.id == status.container)
    });
    let Some(status) = status else { return decision };
    let reason = Reason::Starting {
        activity: Box::new(decision.reason),
        detail: status.detail.clone(),
        printed: status.printed.clone(),
    };
    Decision { reason, ..decision }
}

/// Reports that the program ends again and again, also while it answers in between.
pub(super) fn report_crash_loop(case: Case<'_>, decision: Decision) -> Decision {
    let is_reported = matches!(decision.phase, Phase::Ready | Phase::Unhealthy | Phase::Starting);
    let Some(found) = crash_loop(case).filter(|_| is_reported && !decision.acts()) else {
        return decision;
    };
    let now = Box::new(decision.reason);
    let wake_at = decision.wake_at.map_or(found.over_at, |at| at.min(found.over_at));
    let reason = Reason::CrashLoop { ends: Box::new(ends(case, found)), now };
    Decision { phase: Phase::CrashLooping, reason, ..decision }.until(wake_at)
}

/// Reports that the version in use ends again and again, beside a change that waits or after one
/// that was rolled back. What became of the change stays the phase.
pub(super) fn report_crash_loop_beside(case: Case<'_>, decision: Decision) -> Decision {
    let is_reported = matches!(
        decision.phase,
        Phase::Pending
            | Phase::Blocked
            | Phase::Pulling { .. }
            | Phase::Draining { .. }
            | Phase::RolledBack
    );
    let Some(found) = crash_loop(case).filter(|_| is_reported && !case.is_set_up()) else {
        return decision;
    };
    // The reason already says that it rests after many ends.
    if matches!(&decision.reason, Reason::Beside { state: InUse::DoesNotRun(_), .. }) {
        return decision;
    }
    let change = if let Reason::Beside { change, .. } = decision.reason {
        change
    } else {
        Box::new(decision.reason)
    };
    let seen = case.seen;
    let used = seen.document.as_ref().and_then(|document| seen.container(&document.workload));
    let version = used.map(|found| found.version.clone());
    let wake_at = decision.wake_at.map_or(found.over_at, |at| at.min(found.over_at));
    let state = InUse::EndsAgain(Box::new(ends(case, found)));
    let reason = Reason::Beside { change, version, state };
    Decision { reason, ..decision }.until(wake_at)
}

/// Returns the crash loop of the version by which the host works.
pub(super) fn crash_loop(case: Case<'_>) -> Option<CrashLoop<'_>> {
    let document = case.seen.document.as_ref().map(|document| &document.workload);
    // A packaged unit works by its drop-in, also where the document is lost.
    let workload = document.or((!case.is_container()).then_some(case.desired_hash))?;
    let status = case.seen.status.as_ref().filter(|status| &status.hash == workload)?;
    crash_loop::find(status, case.input.now)
}

fn ends(case: Case<'_>, found: CrashLoop<'_>) -> Ends {
    Ends {
        times: found.times,
        within: found.within,
        not_started: not_started(case.seen).map(|it| it.why.clone()),
        exit_code: found.last.and_then(|last| last.exit_code),
        printed: found.last.map(|last| last.log_tail.clone()).unwrap_or_default(),
    }
}

/// Returns true if the supervisor of the running container is of another release and does not
/// do what the instance needs: it lacks a feature, or goes on with another probe.
pub(super) fn needs_other_supervisor(instance: &Instance, seen: &ObservedInstance) -> bool {
    let Some(status) = &seen.status else { return false };
    let supervisor = status.supervisor.as_ref();
    let holds = seen.running().is_some_and(|running| running.id == status.container);
    let is_other = supervisor.is_none_or(|it| it.release != SupervisorRelease::own().release);
    let lacks = supervisor.is_some_and(|it| {
        instance.needs().iter().any(|feature| !it.features.contains(feature.as_str()))
    });
    instance.container().is_some() && holds && is_other && (lacks || answers_another(seen))
}

/// Returns true if the last answer was to the probe of an earlier document.
fn answers_another(seen: &ObservedInstance) -> bool {
    let asked = seen.status.as_ref().and_then(|status| status.probe.as_ref());
    let asks = seen.document.as_ref().and_then(|document| document.probe.as_ref());
    asked.zip(asks).is_some_and(|(asked, asks)| asked != asks)
}

/// Returns why the program could not be started that does not run.
pub(super) fn not_started(seen: &ObservedInstance) -> Option<&NotStarted> {
    let document = seen.document.as_ref()?;
    let status = seen.status.as_ref().filter(|status| status.hash == document.workload)?;
    status.not_started.as_ref().filter(|_| seen.running().is_none())
}

/// Returns how the program ended, if it is not running.
pub(super) fn last_end(seen: &ObservedInstance) -> LastEnd {
    if let Some(NotStarted { why, .. }) = not_started(seen) {
        return LastEnd::NotStarted { why: why.clone() };
    }
    let ended = seen.containers.iter().filter_map(|container| match container.state {
        ContainerState::Exited { code, at, out_of_memory } => Some((at, code, out_of_memory)),
        ContainerState::Created | ContainerState::Running { .. } => None,
    });
    let of_packaged = seen.status.as_ref().filter(|_| !is_supervised(seen));
    let code = of_packaged.and_then(|status| status.last_exit.as_ref()?.exit_code);
    match ended.max().filter(|_| seen.running().is_none()) {
        Some((_, _, true)) => LastEnd::OutOfMemory,
        Some((_, code, false)) => LastEnd::Status(code),
        None => code.map_or(LastEnd::Unknown, LastEnd::Status),
    }
}
