//! From the old version to the new one, and back when the new one is no good.

use crate::assignment::OnDeadline;
use crate::attempt::{Attempt, Count, Stage};
use crate::id::ContentHash;
use crate::instance::{ActiveProbe, Workload};
use crate::observed::{ActiveState, Health};
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
pub(super) fn prepare(case: Case<'_>, goal: &ContentHash, attempt: Option<&Attempt>) -> Judgement {
    let seen = case.seen;
    let is_container = matches!(case.desired.instance.workload, Workload::Container(_));
    if is_container && seen.container(goal).is_none() {
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
    match drain(case, attempt) {
        Drain::Passed { calls_cut } => switch(case, calls_cut),
        Drain::Waits(judgement) => judgement,
    }
}

enum Drain {
    Passed { calls_cut: u64 },
    Waits(Judgement),
}

fn drain(case: Case<'_>, attempt: Option<&Attempt>) -> Drain {
    let Some(probe) = &case.desired.instance.active else { return Drain::Passed { calls_cut: 0 } };
    if case.seen.running().is_none() {
        return Drain::Passed { calls_cut: 0 };
    }
    let now = case.input.now;
    let (since, count) = match attempt.map(|attempt| &attempt.stage) {
        Some(Stage::Draining { since, count }) => (*since, *count),
        Some(_) | None => (now, None),
    };
    let deadline = since.plus_ms(case.desired.policy.drain_deadline_ms);
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
            let why = format!("gave up at the drain deadline: {still}");
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
    let previous = case.seen.document.as_ref().map(|document| document.workload.clone());
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
    let goal = case.desired.instance.workload_hash();
    let timing = &case.desired.instance.timing;
    let again = Step::Switch { previous: previous.cloned(), calls_cut };
    let runs_goal = super::runs_by(case.seen, &goal, &case.desired.instance.workload);
    let Some(unit) = case.seen.unit.as_ref().filter(|_| runs_goal) else {
        return Judgement::act(
            Phase::Starting,
            again,
            "the switch was interrupted before the stop",
        );
    };
    let is_container = case.desired.instance.container().is_some();
    let started = !is_container || case.seen.running().is_some_and(|c| c.hash == goal);
    let budget_ms = timing.start_timeout_ms + timing.stop_grace_ms + START_MARGIN_MS;
    match unit.active {
        ActiveState::Active | ActiveState::Reloading if started => {
            Judgement::act(Phase::Starting, Step::Soak, "the new version answers")
        }
        ActiveState::Activating | ActiveState::Deactivating
            if case.input.now < since.plus_ms(budget_ms) && unit.restarts == 0 =>
        {
            Judgement::wait(Phase::Starting, "starting").until(since.plus_ms(budget_ms))
        }
        ActiveState::Active | ActiveState::Reloading | ActiveState::Inactive
            if case.input.now < since.plus_ms(budget_ms) =>
        {
            Judgement::act(Phase::Starting, again, "the switch was interrupted before the start")
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
    let goal = case.desired.instance.workload_hash();
    let until = since.plus_ms(case.desired.policy.soak_ms);
    let phase = Phase::Soaking { until };
    let give_up = |why: String| Judgement::act(phase, Step::GiveUp { why: why.clone() }, why);
    let Some(unit) = &case.seen.unit else {
        return give_up("its unit vanished while it had to stay healthy".to_owned());
    };
    if unit.stopped_by_hand {
        return steady::held(unit);
    }
    let is_container = case.desired.instance.container().is_some();
    let runs = !is_container || case.seen.running().is_some_and(|c| c.hash == goal);
    if !is_active(unit) || !runs || unit.restarts > 0 {
        return give_up("ended while it had to stay healthy".to_owned());
    }
    let health = steady::health(&case.desired.instance, case.seen, case.input.now);
    match health {
        Health::Unhealthy => give_up(format!(
            "stopped answering while it had to stay healthy: {}",
            case.seen.status.as_ref().map_or("", |status| &status.detail)
        )),
        _ if case.input.now < until => {
            let left = Span(until.since_ms(case.input.now));
            Judgement::wait(phase, format!("has to stay healthy for {left} more")).until(until)
        }
        Health::Healthy => {
            Judgement::act(phase, Step::Keep, "stayed healthy through its soak time")
        }
        // Not observed is not healthy: nothing is kept on trust.
        Health::Unknown | Health::Starting => Judgement::wait(phase, "its health is not known yet")
            .until(case.input.now.plus_ms(1_000)),
    }
}

/// The new version failed: the previous one comes back, if there is one.
pub(super) fn failed(
    case: Case<'_>,
    previous: Option<&ContentHash>,
    failure: &Failure,
) -> Judgement {
    let goal = case.desired.instance.workload_hash();
    let held = case.desired.instance.container().is_none()
        || previous.is_some_and(|hash| case.seen.container(hash).is_some());
    if let Some(previous) = previous.filter(|_| held) {
        let step = Step::Return { previous: previous.clone() };
        return Judgement::act(Phase::Starting, step, failure.message.clone());
    }
    // Somebody may have cured it on the host: what is seen healthy is kept.
    let runs_goal = case.seen.running().is_some_and(|c| c.hash == goal);
    let healthy = steady::health(&case.desired.instance, case.seen, case.input.now);
    if runs_goal && healthy == Health::Healthy && case.seen.unit.as_ref().is_some_and(is_active) {
        return Judgement::act(Phase::Starting, Step::Keep, "healthy after all");
    }
    Judgement::wait(Phase::Failed, failure.message.clone())
}
