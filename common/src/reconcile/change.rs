//! From the old version to the new one, and back when the new one is no good.

use crate::assignment::OnDeadline;
use crate::attempt::{Count, Proven, Stage};
use crate::id::ContentHash;
use crate::instance::ActiveProbe;
use crate::observed::{ActiveState, ContainerState, Health, ObservedUnit};
use crate::report::{Failure, Phase};
use crate::time::{Span, Timestamp};

use super::{Case, Judgement, Step, is_active, steady, unsettled_dependency};

/// Calls are counted this often while they drain.
const COUNT_INTERVAL_MS: u64 = 1_000;
/// A count older than this says nothing about now.
const COUNT_AGE_MS_MAX: u64 = 2_000;
/// Room for systemd and the engine beyond the limits of the instance itself.
const START_MARGIN_MS: u64 = 10_000;

/// Everything up to the moment the old version is stopped.
pub(super) fn prepare(case: Case<'_>) -> Judgement {
    let seen = case.seen;
    let is_container = case.is_container();
    if is_container && seen.container(case.goal).is_none() {
        return if seen.image_present {
            Judgement::act(Phase::Preparing, Step::Put, "its container does not exist yet")
        } else {
            let phase = Phase::Pulling { bytes_done: 0, bytes_total: 0 };
            Judgement::act(phase, Step::Fetch, "its image is not on the host")
        };
    }
    let unit_is_current = seen.unit.as_ref().is_some_and(|u| u.hash.is_some() && !u.stale);
    if is_container && !unit_is_current {
        return Judgement::act(Phase::Preparing, Step::Put, "its unit is missing or out of date");
    }
    if let Some(dependency) = unsettled_dependency(case) {
        return Judgement::wait(Phase::Pending, format!("waits for {dependency}"));
    }
    match drain(case) {
        Drain::Passed { calls_cut } => switch(case, calls_cut),
        Drain::Waits(judgement) => judgement,
    }
}

enum Drain {
    Passed { calls_cut: u64 },
    Waits(Judgement),
}

/// When the wait for calls to end is over.
pub(super) fn drain_deadline(case: Case<'_>) -> Timestamp {
    let since = match case.attempt.map(|attempt| &attempt.stage) {
        Some(Stage::Draining { since, .. }) => *since,
        Some(_) | None => case.input.now,
    };
    since.plus_ms(case.desired.policy.drain_deadline_ms)
}

fn drain(case: Case<'_>) -> Drain {
    let Some(probe) = &case.desired.instance.active else { return Drain::Passed { calls_cut: 0 } };
    if case.seen.running().is_none() {
        return Drain::Passed { calls_cut: 0 };
    }
    let now = case.input.now;
    let count = match case.attempt.map(|attempt| &attempt.stage) {
        Some(Stage::Draining { count, .. }) => *count,
        Some(_) | None => None,
    };
    let deadline = drain_deadline(case);
    let phase = Phase::Draining { deadline };
    let Some(count) = count.filter(|count| now.since_ms(count.at) <= COUNT_AGE_MS_MAX) else {
        return Drain::Waits(Judgement::act(phase, Step::Count, drain_reason(probe, None)));
    };
    if count.active == Some(0) {
        return Drain::Passed { calls_cut: 0 };
    }
    if now >= deadline {
        return overdue(case, probe, count);
    }
    let next = count.at.plus_ms(COUNT_INTERVAL_MS);
    let reason = drain_reason(probe, Some(count));
    if now >= next {
        return Drain::Waits(Judgement::act(phase, Step::Count, reason));
    }
    Drain::Waits(Judgement::wait(phase, reason).until(next.min(deadline)))
}

fn overdue(case: Case<'_>, probe: &ActiveProbe, count: Count) -> Drain {
    let still = drain_reason(probe, Some(count));
    let now = case.input.now;
    match case.desired.policy.on_deadline {
        OnDeadline::Cut => Drain::Passed { calls_cut: count.active.unwrap_or_default() },
        OnDeadline::Abort => {
            let why = format!("was not begun: at the drain deadline {still}");
            Drain::Waits(Judgement::act(Phase::Pending, Step::GiveUp { why }, still))
        }
        OnDeadline::Wait => {
            let reason =
                format!("{still}; the deadline has passed and the operator's choice is to wait");
            let phase = Phase::Draining { deadline: now };
            let next = count.at.plus_ms(COUNT_INTERVAL_MS);
            Drain::Waits(if now >= next {
                Judgement::act(phase, Step::Count, reason)
            } else {
                Judgement::wait(phase, reason).until(next)
            })
        }
    }
}

fn drain_reason(probe: &ActiveProbe, count: Option<Count>) -> String {
    let noun = &probe.noun;
    match count {
        None => format!("asking how many {noun} are up"),
        Some(Count { active: Some(active), .. }) => format!("{active} {noun} are up"),
        Some(Count { active: None, .. }) => {
            format!("the number of {noun} cannot be read, so {noun} count as up")
        }
    }
}

fn switch(case: Case<'_>, calls_cut: u64) -> Judgement {
    let present = case.seen.document.as_ref().map(|document| document.workload.clone());
    let previous = match case.attempt.map(|attempt| &attempt.proven) {
        Some(Proven::Earlier(hash)) if hash != case.goal => Some(hash.clone()),
        Some(Proven::Nothing) => None,
        Some(Proven::Earlier(_) | Proven::Present) | None => present,
    };
    let reason = match (&previous, calls_cut) {
        (None, _) => "first start".to_owned(),
        (Some(_), 0) => "another version or configuration is desired".to_owned(),
        (Some(_), calls) => format!("the drain deadline has passed; {calls} are cut"),
    };
    Judgement::act(Phase::Starting, Step::Switch { previous, calls_cut }, reason)
}

/// The switch was begun and its end was not seen: the host tells how far it came.
pub(super) fn resume_switch(
    case: Case<'_>,
    previous: Option<&ContentHash>,
    since: Timestamp,
    calls_cut: u64,
) -> Judgement {
    let again = |reason: &str| {
        let step = Step::Switch { previous: previous.cloned(), calls_cut };
        Judgement::act(Phase::Starting, step, reason)
    };
    let Some(unit) = case.seen.unit.as_ref().filter(|_| case.runs_by_goal()) else {
        return again("the switch was interrupted before the stop");
    };
    if !was_started(case, unit, since) {
        return again("the switch was interrupted before the start");
    }
    let timing = &case.desired.instance.timing;
    let budget_ms = timing.start_timeout_ms + timing.stop_grace_ms + START_MARGIN_MS;
    let end = since.plus_ms(budget_ms);
    match unit.active {
        ActiveState::Active | ActiveState::Reloading if runs_goal(case) => {
            Judgement::act(Phase::Starting, Step::Soak, "the new version answers")
        }
        ActiveState::Activating | ActiveState::Deactivating
            if case.input.now < end && unit.restarts == 0 =>
        {
            Judgement::wait(Phase::Starting, "starting").until(end)
        }
        ActiveState::Active
        | ActiveState::Reloading
        | ActiveState::Inactive
        | ActiveState::Activating
        | ActiveState::Deactivating
        | ActiveState::Failed => {
            let why = format!("did not start: {}", unit_words(&unit.result));
            Judgement::act(Phase::Starting, Step::GiveUp { why: why.clone() }, why)
        }
    }
}

/// Whether the new version's program was ever started.
fn was_started(case: Case<'_>, unit: &ObservedUnit, since: Timestamp) -> bool {
    if !case.is_container() {
        // A packaged unit keeps its name: only the time tells old from new.
        return unit.since >= since;
    }
    match case.seen.container(case.goal).map(|container| &container.state) {
        Some(ContainerState::Running { .. }) => true,
        // One that ended before the switch is left from an earlier try.
        Some(ContainerState::Exited { at, .. }) if *at >= since => true,
        Some(ContainerState::Exited { .. } | ContainerState::Created) => {
            unit.active == ActiveState::Activating
        }
        // The supervisor makes what is missing, if it comes to it at all.
        None => unit.active == ActiveState::Activating || unit.active == ActiveState::Failed,
    }
}

fn runs_goal(case: Case<'_>) -> bool {
    !case.is_container() || case.seen.running().is_some_and(|c| &c.hash == case.goal)
}

fn unit_words(result: &str) -> String {
    match result {
        "" | "success" => "it did not answer in time".to_owned(),
        "exit-code" => "its program ended with an error".to_owned(),
        "timeout" => "it did not answer within its start time-out".to_owned(),
        "oom-kill" => "the kernel ended it for want of memory".to_owned(),
        "start-limit-hit" => "it ended again and again".to_owned(),
        other => format!("systemd says {other}"),
    }
}

/// The new version runs and has to stay healthy for its soak time.
pub(super) fn soak(case: Case<'_>, since: Timestamp) -> Judgement {
    let now = case.input.now;
    let until = since.plus_ms(case.desired.policy.soak_ms);
    let phase = Phase::Soaking { until };
    let give_up = |why: String| Judgement::act(phase, Step::GiveUp { why: why.clone() }, why);
    let Some(unit) = &case.seen.unit else {
        return give_up("lost its unit while it had to stay healthy".to_owned());
    };
    if unit.stopped_by_hand {
        return steady::held(unit);
    }
    if !ran_on(case, unit, since) {
        return give_up("ended while it had to stay healthy".to_owned());
    }
    let unseen_ms_max = case.desired.instance.timing.start_timeout_ms + START_MARGIN_MS;
    match steady::health(&case.desired.instance, case.seen, now) {
        Health::Unhealthy => give_up(format!(
            "stopped answering while it had to stay healthy: {}",
            case.seen.status.as_ref().map_or("", |status| &status.detail)
        )),
        Health::Healthy if now >= until => {
            Judgement::act(phase, Step::Keep, "stayed healthy through its soak time")
        }
        Health::Healthy | Health::Unknown | Health::Starting if now < until => {
            let left = Span(until.since_ms(now));
            Judgement::wait(phase, format!("has to stay healthy for {left} more")).until(until)
        }
        // Not observed is not healthy: nothing is kept on trust.
        Health::Healthy | Health::Unknown | Health::Starting
            if now < until.plus_ms(unseen_ms_max) =>
        {
            Judgement::wait(phase, "its health is not known yet").until(now.plus_ms(1_000))
        }
        Health::Healthy | Health::Unknown | Health::Starting => {
            give_up("could not be asked for its health".to_owned())
        }
    }
}

/// Whether what was started at the switch runs without a break. A supervisor
/// that is replaced leaves its container alone, so for a container its own
/// start counts and not the unit's.
fn ran_on(case: Case<'_>, unit: &ObservedUnit, since: Timestamp) -> bool {
    if !case.is_container() {
        return is_active(unit) && unit.restarts == 0;
    }
    let goes_on = match unit.active {
        ActiveState::Active
        | ActiveState::Reloading
        | ActiveState::Activating
        | ActiveState::Deactivating => true,
        ActiveState::Inactive | ActiveState::Failed => false,
    };
    goes_on && case.seen.running().is_some_and(|container| {
        matches!(container.state, ContainerState::Running { since: started } if started <= since)
            && &container.hash == case.goal
    })
}

/// The new version failed: the previous one comes back, if there is one.
pub(super) fn failed(
    case: Case<'_>,
    previous: Option<&ContentHash>,
    failure: &Failure,
) -> Judgement {
    let held =
        !case.is_container() || previous.is_some_and(|hash| case.seen.container(hash).is_some());
    if let Some(previous) = previous.filter(|_| held) {
        let step = Step::Return { previous: previous.clone() };
        return Judgement::act(Phase::Starting, step, failure.message.clone());
    }
    // Somebody may have cured it on the host: what is seen healthy is kept.
    let runs_goal = case.runs_by_goal() && runs_goal(case);
    let healthy = steady::health(&case.desired.instance, case.seen, case.input.now);
    if runs_goal && healthy == Health::Healthy && case.seen.unit.as_ref().is_some_and(is_active) {
        return Judgement::act(Phase::Starting, Step::Keep, "healthy after all");
    }
    Judgement::wait(Phase::Failed, failure.message.clone())
}
