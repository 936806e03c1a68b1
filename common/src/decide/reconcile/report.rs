//! Makes the report of every decided instance.

use std::collections::BTreeMap;

use crate::decide::crash_loop;
use crate::decide::observed::{ContainerState, ObservedContainer, ObservedInstance};
use crate::decide::run_once::reported;
use crate::document::instance::Instance;
use crate::document::report::InstanceReport;
use crate::document::status::Health;
use crate::document::update::{InstanceUpdate, Stage};
use crate::id::ComponentName;
use crate::time::Timestamp;

use super::case::{Decision, Input, is_active};
use super::health::health;
use super::reload;

/// Reports the state of every decided instance.
#[must_use]
pub fn report(
    input: Input<'_>,
    decisions: &BTreeMap<ComponentName, Decision>,
) -> BTreeMap<ComponentName, InstanceReport> {
    let nothing = ObservedInstance::default();
    decisions
        .iter()
        .map(|(name, decision)| {
            let seen = input.observed.instances.get(name).unwrap_or(&nothing);
            let mut report = report_seen(seen, decision);
            if let Some(update) = input.updates.get(name) {
                add_update(&mut report, update);
            }
            if let Some(desired) =
                input.assignment.and_then(|a| a.content.share.instances.get(name))
            {
                let update = input.updates.get(name);
                let reload = update.and_then(|it| reload::failure_of(it, &desired.instance));
                report.failure = report.failure.take().or_else(|| reload.cloned());
                report.health = shown_health(&desired.instance, seen, input);
                add_packaged(&mut report, &desired.instance, seen);
                add_exit(&mut report, seen, input.now);
            }
            (name.clone(), report)
        })
        .collect()
}

fn report_seen(seen: &ObservedInstance, decision: &Decision) -> InstanceReport {
    let container = shown_container(seen);
    let status = seen
        .status
        .as_ref()
        .filter(|status| seen.running().is_some_and(|c| c.id == status.container));
    InstanceReport {
        phase: decision.phase,
        reason: decision.reason.to_string(),
        reason_key: decision.reason.key(),
        version: container.map(|c| c.version.clone()),
        digest: container.map(|c| c.digest.clone()),
        hash: container.map(|c| c.hash.clone()),
        health: Health::Unknown,
        checked_at: status.map(|status| status.checked_at),
        started_at: container.and_then(|c| match c.state {
            ContainerState::Running { since } => Some(since),
            ContainerState::Created | ContainerState::Exited { .. } => None,
        }),
        restarts: seen.unit.as_ref().map_or(0, |unit| unit.restarts),
        active: status.and_then(|status| status.active),
        calls_cut: Some(0),
        failure: None,
        drift: seen.status.as_ref().and_then(|status| status.drift.clone()),
        last_exit: None,
        update_runs: reported(&seen.runs),
    }
}

/// Returns the container that runs, or else the one that the document names.
fn shown_container(seen: &ObservedInstance) -> Option<&ObservedContainer> {
    let named = || seen.container(&seen.document.as_ref()?.workload);
    seen.running().or_else(named)
}

fn shown_health(instance: &Instance, seen: &ObservedInstance, input: Input<'_>) -> Health {
    let stopped = match &seen.unit {
        Some(unit) => !is_active(unit) && seen.running().is_none(),
        None => seen.running().is_none(),
    };
    let is_reported_by_systemd = instance.container().is_none() && seen.systemd_is_away;
    // An earlier answer must not make a stopped program look healthy.
    if stopped && !is_reported_by_systemd {
        Health::Unhealthy
    } else {
        health(instance, seen, input.now)
    }
}

fn add_packaged(report: &mut InstanceReport, instance: &Instance, seen: &ObservedInstance) {
    if instance.container().is_some() {
        return;
    }
    report.hash = seen.document.as_ref().map(|document| document.workload.clone());
    if let Some(unit) = seen.unit.as_ref().filter(|unit| is_active(unit)) {
        report.started_at = Some(unit.since);
        report.checked_at = seen.units_at;
    }
}

/// Adds how the program ended last, if that was recently, also if it is healthy again.
fn add_exit(report: &mut InstanceReport, seen: &ObservedInstance, now: Timestamp) {
    let exit = seen.status.as_ref().and_then(|status| crash_loop::recent_exit(status, now));
    report.last_exit = exit.cloned();
}

fn add_update(report: &mut InstanceReport, update: &InstanceUpdate) {
    report.calls_cut = update.calls_cut();
    report.failure = update.failure().cloned();
    // During a drain the calls are counted far more often than by the probe.
    if let Stage::Draining { count, .. } = &update.stage {
        report.active = count.as_ref().and_then(|count| count.active);
    }
}
