//! Nothing to change: is it still so?

use std::collections::BTreeSet;

use crate::decide::observed::{ActiveState, ContainerState, ObservedInstance, ObservedUnit};
use crate::document::instance::{Instance, Workload};
use crate::document::report::Phase;
use crate::document::status::Health;
use crate::text::plural::counted;
use crate::time::Timestamp;

use super::dependencies::absent_dependency;
use super::{Case, Decision, Step, change};

/// A unit that systemd gave up on after it ended again and again is started no
/// more often than this, so that it does not flap.
const GAVE_UP_PAUSE_MS: u64 = 60_000;
/// What was seen later than this from now was seen before the clock was set back.
const CLOCK_SKEW_MS_MAX: u64 = 1_000;

/// The host works by the desired workload; whatever else differs is mended.
pub(super) fn keep(case: Case<'_>) -> Decision {
    let seen = case.seen;
    let Some(unit) = seen.unit.as_ref().filter(|unit| unit.hash.is_some()) else {
        return Decision::act(Phase::Preparing, Step::Create, "its unit is missing");
    };
    if unit.stopped_by_hand {
        return held(case, unit, BY_HAND);
    }
    let document_is_current = seen
        .document
        .as_ref()
        .is_some_and(|document| document.on_disk && document.hash == *case.desired.instance.hash());
    let is_container = case.is_container();
    if unit.stale || !document_is_current {
        let reason = "its documents on the host are out of date";
        return Decision::act(Phase::Preparing, Step::RewriteConfig, reason);
    }
    // As long as systemd works on the unit, its supervisor makes what is missing.
    let rests = matches!(unit.active, ActiveState::Inactive | ActiveState::Failed);
    if is_container && seen.container(case.desired_hash).is_none() && rests {
        return if seen.image_present {
            Decision::act(Phase::Preparing, Step::Create, "its container is gone")
        } else {
            let phase = Phase::Pulling { bytes_done: 0, bytes_total: 0 };
            Decision::act(phase, Step::Pull, "container and image are gone")
        };
    }
    run(case, unit)
}

fn run(case: Case<'_>, unit: &ObservedUnit) -> Decision {
    match unit.active {
        ActiveState::Active | ActiveState::Reloading => tidy(case),
        ActiveState::Activating if unit.restarts > 0 => {
            let times = counted(u64::from(unit.restarts), "times");
            let reason = format!("started again by systemd, {times} so far");
            Decision::wait(Phase::Starting, reason)
        }
        ActiveState::Activating => Decision::wait(Phase::Starting, "systemd is starting it"),
        ActiveState::Deactivating => Decision::wait(Phase::Starting, "systemd is stopping it"),
        ActiveState::Inactive | ActiveState::Failed => {
            if let Some(dependency) = absent_dependency(case) {
                return Decision::wait(Phase::Pending, format!("waits for {dependency}"));
            }
            if let Some(again_at) = paused_until(unit, case.input.now) {
                let words = unknown_words(case.seen);
                let reason = format!("ended {} times in a row: {words}", unit.restarts + 1);
                return Decision::wait(Phase::Unhealthy, reason).until(again_at);
            }
            let reason = match unit.active {
                ActiveState::Failed => format!("its unit has failed: {}", unit.result),
                ActiveState::Inactive
                | ActiveState::Activating
                | ActiveState::Active
                | ActiveState::Deactivating
                | ActiveState::Reloading => "its unit is not running".to_owned(),
            };
            Decision::act(Phase::Starting, Step::Start, reason)
        }
    }
}

/// Returns when a unit may be started again that systemd has given up on.
pub(super) fn paused_until(unit: &ObservedUnit, now: Timestamp) -> Option<Timestamp> {
    let again_at = unit.since.plus_ms(GAVE_UP_PAUSE_MS);
    // A clock that was set back must not make the pause longer.
    let is_recent = unit.since <= now && now < again_at;
    (unit.restarts > 0 && is_recent).then_some(again_at)
}

fn tidy(case: Case<'_>) -> Decision {
    let seen = case.seen;
    let instance = &case.desired.instance;
    let name_differs = instance.container().is_some_and(|container| {
        seen.running()
            .is_some_and(|c| &c.hash == case.desired_hash && c.name != container.name.as_str())
    });
    let (phase, reason) = phase_by_health(instance, seen, case.input.now);
    if name_differs {
        return Decision::act(phase, Step::Promote, "its container does not bear its own name");
    }
    let others: BTreeSet<_> =
        seen.containers.iter().map(|c| &c.hash).filter(|hash| *hash != case.desired_hash).collect();
    // The one before is kept, so that there is something to return to.
    if instance.container().is_some() && others.len() > 1 {
        return Decision::act(phase, case.keep(), "older containers are left");
    }
    Decision::wait(phase, reason)
}

/// The phase that health alone gives.
pub(super) fn decide_health(case: Case<'_>) -> Decision {
    let (phase, reason) = phase_by_health(&case.desired.instance, case.seen, case.input.now);
    Decision::wait(phase, reason)
}

fn phase_by_health(
    instance: &Instance,
    seen: &ObservedInstance,
    now: Timestamp,
) -> (Phase, String) {
    let detail = seen.status.as_ref().map_or_else(String::new, |status| status.detail.clone());
    match health(instance, seen, now) {
        Health::Healthy => (Phase::Ready, detail),
        Health::Unhealthy => (Phase::Unhealthy, detail),
        Health::Starting => (Phase::Starting, detail),
        Health::Unknown if answers_another(seen) => {
            (Phase::Starting, "its changed probe has not been asked yet".to_owned())
        }
        Health::Unknown => (Phase::Unhealthy, unknown_words(seen)),
    }
}

/// The last answer is one to the probe of an earlier document.
fn answers_another(seen: &ObservedInstance) -> bool {
    let asked = seen.status.as_ref().and_then(|status| status.probe.as_ref());
    let asks = seen.document.as_ref().and_then(|document| document.probe.as_ref());
    asked.zip(asks).is_some_and(|(asked, asks)| asked != asks)
}

fn unknown_words(seen: &ObservedInstance) -> String {
    let ended = seen.containers.iter().filter_map(|container| match container.state {
        ContainerState::Exited { code, at, out_of_memory } => Some((at, code, out_of_memory)),
        ContainerState::Created | ContainerState::Running { .. } => None,
    });
    match ended.max() {
        Some((_, _, true)) if seen.running().is_none() => {
            "the kernel ended its program for want of memory".to_owned()
        }
        Some((_, code, false)) if seen.running().is_none() => {
            format!("its program ended with status {code}")
        }
        Some(_) | None => "its health has not been observed lately".to_owned(),
    }
}

/// Health as it may be shown: an old observation is not one.
#[must_use]
pub(crate) fn health(instance: &Instance, seen: &ObservedInstance, now: Timestamp) -> Health {
    match &*instance.workload {
        Workload::Unit(_) => match &seen.unit {
            _ if seen.systemd_is_away => Health::Unknown,
            None => Health::Unknown,
            Some(unit) if super::is_active(unit) => Health::Healthy,
            Some(_) => Health::Unhealthy,
        },
        Workload::Container(_) => {
            let probe = &instance.probe;
            let age_ms_max = 3 * (probe.interval_ms + probe.timeout_ms);
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
    }
}

/// Stopped on the host by hand: respected until started there, or changed.
pub(super) const BY_HAND: &str = "stopped on the host by hand";

/// Held on the host by somebody. What was held before it had proved good has not done so.
pub(super) fn held(case: Case<'_>, unit: &ObservedUnit, how: &str) -> Decision {
    if case.is_under_way() || !change::proved_before(case) {
        let reason = format!(
            "{how} before it had proved good; waits until that is undone there, or for another change"
        );
        return Decision::wait(Phase::Blocked, reason);
    }
    Decision::wait(Phase::StoppedByHand { since: unit.since }, how)
}
