//! From the old version to the new one.

use crate::decide::observed::{ActiveState, ContainerState, ObservedUnit};
use crate::document::report::Phase;
use crate::document::status::Health;
use crate::document::update::LastGood;
use crate::text::plural::is_or_are;
use crate::time::{Span, Timestamp};

use super::dependencies::unsettled_dependency;
use super::drain::{Drain, Drained};
use super::{Case, Decision, Step, is_active, maintain, rollback};

/// Room for systemd and the engine beyond the limits of the instance itself.
const START_MARGIN_MS: u64 = 10_000;

/// Everything up to the moment the old version is stopped.
pub(super) fn prepare(case: Case<'_>) -> Decision {
    let seen = case.seen;
    if let Some(last_good) = rollback::fallen_back(case) {
        let reason = "what it superseded does not run; the last version that proved good does \
                      until this one is ready";
        let step = Step::RollBack { previous: last_good.clone(), runs: false };
        return Decision::act(Phase::Starting, step, reason);
    }
    // Only a switch that was begun tells what is there from what proved good.
    let was_begun = case.update.is_some_and(|update| update.last_good != LastGood::Current);
    if let Some(decision) = withdraw(case).filter(|_| was_begun) {
        return decision;
    }
    let is_container = case.is_container();
    if is_container && seen.container(case.desired_hash).is_none() {
        return if seen.image_present {
            Decision::act(Phase::Preparing, Step::Create, "its container does not exist yet")
        } else {
            let phase = Phase::Pulling { bytes_done: 0, bytes_total: 0 };
            Decision::act(phase, Step::Pull, "its image is not on the host")
        };
    }
    let unit_is_current = seen.unit.as_ref().is_some_and(|u| u.hash.is_some() && !u.stale);
    if is_container && !unit_is_current {
        return Decision::act(Phase::Preparing, Step::Create, "its unit is missing or out of date");
    }
    if let Some(dependency) = unsettled_dependency(case) {
        return Decision::wait(Phase::Pending, format!("waits for {dependency}"));
    }
    match Drain::of(case).decide() {
        Drained::Passed { calls_cut } => switch(case, calls_cut),
        Drained::Waits(decision) => decision,
    }
}

/// The document was changed for a stop that never came: should what runs end
/// by itself, its supervisor would start what nobody let begin.
fn withdraw(case: Case<'_>) -> Option<Decision> {
    let running = &case.seen.running()?.hash;
    let unit_is_up = case.seen.unit.as_ref().is_some_and(is_active);
    (unit_is_up && case.is_container() && !case.works_by(running)).then(|| {
        let step = Step::RevertDocument { running: running.clone() };
        Decision::act(Phase::Preparing, step, "the switch was interrupted before the stop")
    })
}

fn switch(case: Case<'_>, calls_cut: Option<u64>) -> Decision {
    // What runs, whatever the document says: an interrupted switch may have changed that already.
    let running = case.seen.running().map(|container| container.hash.clone());
    let document = || case.seen.document.as_ref().map(|document| document.workload.clone());
    let present = running.or_else(document);
    let previous = match case.update.map(|update| &update.last_good) {
        Some(LastGood::Previous(_) | LastGood::PreviousFailed(_)) => case.returns_to().cloned(),
        Some(LastGood::None) => None,
        Some(LastGood::Current) | None => present,
    };
    let reason = match (&previous, calls_cut) {
        (None, _) => "first start".to_owned(),
        (Some(_), Some(0)) => "another version or configuration is desired".to_owned(),
        (Some(_), None) => {
            "the drain deadline has passed; what cannot be counted is cut".to_owned()
        }
        (Some(_), Some(calls)) => {
            format!("the drain deadline has passed; {calls} {} cut", is_or_are(calls))
        }
    };
    Decision::act(Phase::Starting, Step::Switch { previous, calls_cut }, reason)
}

/// The switch was begun and its end was not seen: the host tells how far it came.
pub(super) fn resume_switch(case: Case<'_>, since: Timestamp, calls_cut: Option<u64>) -> Decision {
    let again = |reason: &str| {
        // Whatever was counted then, calls may have come since.
        let drain = Drain::of(case);
        let old_runs = case.seen.running().is_some_and(|c| &c.hash != case.desired_hash);
        if drain.is_needed() && old_runs {
            let phase = Phase::Draining { deadline: drain.deadline() };
            return Decision::act(phase, Step::CountActive, drain.reason());
        }
        let step = Step::Switch { previous: case.returns_to().cloned(), calls_cut };
        Decision::act(Phase::Starting, step, reason)
    };
    let Some(unit) = case.seen.unit.as_ref().filter(|_| case.runs_by_goal()) else {
        return again("the switch was interrupted before the stop");
    };
    if case.is_container() && unit.stopped_by_hand && unit.since >= since {
        return maintain::held(case, unit, maintain::BY_HAND);
    }
    if !was_started(case, unit, since) {
        return again("the switch was interrupted before the start");
    }
    let timing = &case.desired.instance.timing;
    let budget_ms = timing.start_timeout_ms + timing.stop_grace_ms + START_MARGIN_MS;
    let end = since.plus_ms(budget_ms);
    match unit.active {
        ActiveState::Active | ActiveState::Reloading if runs_goal(case) => {
            Decision::act(Phase::Starting, Step::Soak, "the new version answers")
        }
        ActiveState::Activating | ActiveState::Deactivating
            if case.input.now < end && unit.restarts == 0 =>
        {
            Decision::wait(Phase::Starting, "starting").until(end)
        }
        // The host went down on the way.
        ActiveState::Inactive if unit.result == "success" && !unit.stopped_by_hand => {
            again("the switch was interrupted before the new version answered")
        }
        ActiveState::Active
        | ActiveState::Reloading
        | ActiveState::Inactive
        | ActiveState::Activating
        | ActiveState::Deactivating
        | ActiveState::Failed => {
            let why = format!("did not start: {}", unit_words(&unit.result));
            Decision::act(Phase::Starting, Step::Fail { why: why.clone() }, why)
        }
    }
}

/// Whether the new version's program was ever started.
fn was_started(case: Case<'_>, unit: &ObservedUnit, since: Timestamp) -> bool {
    if !case.is_container() {
        // A packaged unit keeps its name: only the time tells old from new, and
        // only where its drop-in was there to be read.
        return unit.since >= since && !unit.stale;
    }
    match case.seen.container(case.desired_hash).map(|container| &container.state) {
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

pub(super) fn runs_goal(case: Case<'_>) -> bool {
    !case.is_container() || case.seen.running().is_some_and(|c| &c.hash == case.desired_hash)
}

/// Whether the desired workload runs only since a change that was superseded and came back
/// to it: it still has to stay healthy for its soak time.
pub(super) fn is_unproven(case: Case<'_>) -> bool {
    !proved_before(case) && case.seen.unit.as_ref().is_some_and(is_active) && runs_goal(case)
}

/// Whether the desired workload proved good before this change.
pub(super) fn proved_before(case: Case<'_>) -> bool {
    match case.update.map(|update| &update.last_good) {
        Some(LastGood::Previous(hash) | LastGood::PreviousFailed(hash)) => {
            hash == case.desired_hash
        }
        Some(LastGood::None) => false,
        Some(LastGood::Current) | None => true,
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
pub(super) fn soak(case: Case<'_>, since: Timestamp) -> Decision {
    let now = case.input.now;
    let until = since.plus_ms(case.desired.policy.soak_ms);
    let phase = Phase::Soaking { until };
    let give_up = |why: String| Decision::act(phase, Step::Fail { why: why.clone() }, why);
    let Some(unit) = &case.seen.unit else {
        return give_up("lost its unit while it had to stay healthy".to_owned());
    };
    if unit.stopped_by_hand {
        return maintain::held(case, unit, maintain::BY_HAND);
    }
    match continuity(case, unit, since) {
        Continuity::RanOn => {}
        Continuity::Broken => return give_up("ended while it had to stay healthy".to_owned()),
        Continuity::Interrupted(decision) => return decision,
    }
    let unseen_ms_max = case.desired.instance.timing.start_timeout_ms + START_MARGIN_MS;
    match maintain::health(&case.desired.instance, case.seen, now) {
        Health::Unhealthy => give_up(format!(
            "stopped answering while it had to stay healthy: {}",
            case.seen.status.as_ref().map_or("", |status| &status.detail)
        )),
        Health::Healthy if now >= until && !is_failing(case) => {
            Decision::act(phase, case.keep(), "stayed healthy through its soak time")
        }
        Health::Healthy | Health::Unknown | Health::Starting if now < until => {
            let left = Span(until.since_ms(now));
            Decision::wait(phase, format!("has to stay healthy for {left} more")).until(until)
        }
        // One or two wrong answers are no verdict: the next ones are.
        Health::Healthy if is_failing(case) && now < until.plus_ms(unseen_ms_max) => {
            Decision::wait(phase, "its last probe failed").until(now.plus_ms(1_000))
        }
        // Not observed is not healthy: nothing is kept on trust.
        Health::Healthy | Health::Unknown | Health::Starting
            if now < until.plus_ms(unseen_ms_max) =>
        {
            Decision::wait(phase, "its health is not known yet").until(now.plus_ms(1_000))
        }
        Health::Healthy | Health::Unknown | Health::Starting => {
            give_up("could not be asked for its health".to_owned())
        }
    }
}

/// Whether its last answer was a wrong one.
fn is_failing(case: Case<'_>) -> bool {
    case.seen.status.as_ref().is_some_and(|status| status.failures > 0)
}

/// What became of what was started at the switch.
enum Continuity {
    /// It runs without a break.
    RanOn,
    /// It ended by itself.
    Broken,
    /// Somebody else ended it: the host was rebooted, the unit restarted by hand.
    Interrupted(Decision),
}

/// A supervisor that is replaced leaves its container alone, so for a container
/// its own start counts and not the unit's.
fn continuity(case: Case<'_>, unit: &ObservedUnit, since: Timestamp) -> Continuity {
    let started = match case.seen.running().map(|container| &container.state) {
        _ if !case.is_container() => is_active(unit).then_some(unit.since),
        Some(ContainerState::Running { since }) => Some(*since).filter(|_| runs_goal(case)),
        Some(ContainerState::Created | ContainerState::Exited { .. }) | None => None,
    };
    let ended = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    // What began in the future began before the clock was set back.
    let began_before = |started: Timestamp| started <= since || started > case.input.now;
    if !ended && started.is_some_and(began_before) {
        return Continuity::RanOn;
    }
    if unit.restarts > 0 || !matches!(unit.result.as_str(), "" | "success") {
        return Continuity::Broken;
    }
    let answers = matches!(unit.active, ActiveState::Active | ActiveState::Reloading);
    Continuity::Interrupted(if ended {
        Decision::act(Phase::Starting, Step::Start, "its unit is not running")
    } else if answers && started.is_some() {
        let reason = "was started anew on the host; its soak begins again";
        Decision::act(Phase::Starting, Step::Soak, reason)
    } else {
        Decision::wait(Phase::Starting, "is being started anew on the host")
    })
}
