//! Converts reports to and from the protocol. Every field from a host is checked here. An
//! instance with a field that cannot be read gets the phase unknown and a reason; the other
//! instances of the report are not affected.

use std::collections::BTreeMap;

use oml_common::document::report::{Failure, HostUsage, InstanceReport, Phase, Report, UpdateRun};
use oml_common::document::spec::COMPONENTS_MAX;
use oml_common::document::status::{Drift, Health, LastExit};
use oml_common::id::{ComponentName, Generation, InvalidId, RevisionNumber};
use oml_common::text::printable::printable;
use oml_common::time::Timestamp;
use prost::Message as _;

use crate::{REPORT_BYTES_MAX, run, v1};

/// The number of instances that a report may have: all that a tenant may have, and as many
/// that are being removed.
pub const INSTANCES_MAX: usize = 2 * COMPONENTS_MAX;
/// The steps by which a report that is too long is cut: the lines that remain of every log,
/// and the characters that remain of every text.
const CUTS: [(usize, usize); 4] = [(5, 400), (0, 400), (0, 60), (0, 0)];
/// The length of the longest key of a reason.
const KEY_BYTES_MAX: usize = 64;
const LOG_LINES_MAX: usize = 20;
const ERRORS_MAX: usize = 20;

/// The error of a report with more instances than any host can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the report has more than {INSTANCES_MAX} instances")]
pub struct ReportTooLong;

/// The reason why an instance of a report cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("its {0} is not valid: {1}")]
    Field(&'static str, InvalidId),
    #[error("the controller does not know its {0}; upgrade the controller")]
    Value(&'static str),
}

/// Converts a report to the protocol. If it is too long, the logs are cut first, then the
/// reasons. The phase and health of every instance remain.
#[must_use]
pub fn to_wire(report: &Report) -> v1::Report {
    let mut wire = whole(report);
    for (lines_max, chars_max) in CUTS {
        if wire.encoded_len() <= REPORT_BYTES_MAX {
            break;
        }
        wire.instances.values_mut().for_each(|instance| cut(instance, lines_max, chars_max));
    }
    wire
}

fn cut(instance: &mut v1::InstanceReport, lines_max: usize, chars_max: usize) {
    let shorten = |text: &mut String| {
        let end = text.char_indices().nth(chars_max).map_or(text.len(), |(end, _)| end);
        text.truncate(end);
    };
    shorten(&mut instance.reason);
    if let Some(drift) = &mut instance.drift {
        shorten(&mut drift.found);
    }
    if let Some(failure) = &mut instance.failure {
        shorten(&mut failure.message);
        let first = failure.log_tail.len().saturating_sub(lines_max);
        failure.log_tail.drain(..first);
    }
    if let Some(exit) = &mut instance.last_exit {
        let first = exit.log_tail.len().saturating_sub(lines_max);
        exit.log_tail.drain(..first);
    }
    if lines_max == 0 {
        instance.update_runs.clear();
    }
}

fn whole(report: &Report) -> v1::Report {
    v1::Report {
        applied: report.applied.map(generation_to_wire),
        revision: report.revision.0,
        at_ms: report.at.0,
        agent_version: report.agent_version.clone(),
        errors: report.errors.clone(),
        instances: report
            .instances
            .iter()
            .map(|(name, instance)| (name.to_string(), instance_to_wire(instance)))
            .collect(),
        host: Some(v1::HostUsage {
            cpu_permille: report.host.cpu_permille,
            memory_used_bytes: report.host.memory_used_bytes,
            memory_total_bytes: report.host.memory_total_bytes,
            disk_used_bytes: report.host.disk_used_bytes,
            disk_total_bytes: report.host.disk_total_bytes,
            cpu_unknown: report.host.cpu_unknown,
        }),
    }
}

/// Reads a report that a host sent.
///
/// # Errors
/// Returns [`ReportTooLong`] for more than [`INSTANCES_MAX`] instances.
pub fn from_wire(report: v1::Report) -> Result<Report, ReportTooLong> {
    if report.instances.len() > INSTANCES_MAX {
        return Err(ReportTooLong);
    }
    let mut errors: Vec<String> =
        report.errors.iter().take(ERRORS_MAX).map(|error| printable(error)).collect();
    let mut instances = BTreeMap::new();
    for (name, instance) in report.instances {
        match name.parse::<ComponentName>() {
            Ok(name) => {
                instances.insert(name, instance_from_wire(instance));
            }
            Err(error) => errors.push(format!("an instance of the report is left out: {error}")),
        }
    }
    errors.truncate(ERRORS_MAX);
    let host = report.host.unwrap_or_default();
    Ok(Report {
        applied: report.applied.map(generation_from_wire),
        revision: RevisionNumber(report.revision),
        at: Timestamp(report.at_ms),
        agent_version: printable(&report.agent_version),
        errors,
        instances,
        host: HostUsage {
            cpu_permille: host.cpu_permille.min(1000),
            memory_used_bytes: host.memory_used_bytes,
            memory_total_bytes: host.memory_total_bytes,
            disk_used_bytes: host.disk_used_bytes,
            disk_total_bytes: host.disk_total_bytes,
            cpu_unknown: host.cpu_unknown,
        },
    })
}

/// Converts a generation to the protocol.
#[must_use]
pub fn generation_to_wire(generation: Generation) -> v1::Generation {
    v1::Generation { epoch: generation.epoch, number: generation.number }
}

/// Converts a generation from the protocol.
#[must_use]
pub fn generation_from_wire(generation: v1::Generation) -> Generation {
    Generation { epoch: generation.epoch, number: generation.number }
}

fn instance_to_wire(instance: &InstanceReport) -> v1::InstanceReport {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    v1::InstanceReport {
        phase: Some(phase_to_wire(instance.phase)),
        reason: instance.reason.clone(),
        reason_key: instance.reason_key.clone(),
        version: text(instance.version.as_ref().map(AsRef::as_ref)),
        digest: text(instance.digest.as_ref().map(AsRef::as_ref)),
        hash: text(instance.hash.as_ref().map(AsRef::as_ref)),
        health: v1::Health::from(instance.health).into(),
        checked_at_ms: instance.checked_at.map_or(0, |t| t.0),
        started_at_ms: instance.started_at.map_or(0, |t| t.0),
        restarts: instance.restarts,
        active: instance.active,
        calls_cut: instance.calls_cut,
        failure: instance.failure.as_ref().map(failure_to_wire),
        drift: instance
            .drift
            .as_ref()
            .map(|drift| v1::Drift { at_ms: drift.at.0, found: drift.found.clone() }),
        last_exit: instance.last_exit.as_ref().map(|exit| v1::LastExit {
            at_ms: exit.at.0,
            exit_code: exit.exit_code,
            log_tail: exit.log_tail.clone(),
        }),
        update_runs: instance.update_runs.iter().map(run::of_update_to_wire).collect(),
    }
}

/// Reads an instance. If a field cannot be read, the phase is unknown, with the first reason
/// that was found.
fn instance_from_wire(wire: v1::InstanceReport) -> InstanceReport {
    let mut unreadable = None;
    let mut instance = readable(wire, &mut |why| {
        unreadable.get_or_insert(why);
    });
    if let Some(why) = unreadable {
        instance.phase = Phase::Unknown;
        instance.reason = format!("the agent's report cannot be read: {why}");
    }
    instance
}

fn readable(wire: v1::InstanceReport, note: &mut impl FnMut(Unreadable)) -> InstanceReport {
    let instant = |ms: u64| (ms > 0).then_some(Timestamp(ms));
    InstanceReport {
        phase: phase_from_wire(wire.phase.unwrap_or_default(), note),
        reason: printable(&wire.reason),
        reason_key: Some(wire.reason_key).filter(|key| is_key(key)).unwrap_or_default(),
        version: optional("version", &wire.version, note),
        digest: optional("digest", &wire.digest, note),
        hash: optional("hash", &wire.hash, note),
        health: health_from_wire(wire.health, note),
        checked_at: instant(wire.checked_at_ms),
        started_at: instant(wire.started_at_ms),
        restarts: wire.restarts,
        active: wire.active,
        calls_cut: wire.calls_cut,
        failure: wire.failure.and_then(|failure| failure_from_wire(failure, note)),
        drift: wire
            .drift
            .map(|drift| Drift { at: Timestamp(drift.at_ms), found: printable(&drift.found) }),
        last_exit: wire.last_exit.map(|exit| LastExit {
            at: Timestamp(exit.at_ms),
            exit_code: exit.exit_code,
            log_tail: exit.log_tail.iter().take(LOG_LINES_MAX).map(|l| printable(l)).collect(),
        }),
        update_runs: wire
            .update_runs
            .into_iter()
            .take(UpdateRun::REPORTED_MAX)
            .filter_map(|run| update_run_from_wire(run, note))
            .collect(),
    }
}

/// Reads a run of an update. Returns `None` if its operation cannot be read.
fn update_run_from_wire(
    wire: v1::UpdateRun,
    note: &mut impl FnMut(Unreadable),
) -> Option<UpdateRun> {
    if wire.result.as_ref().is_some_and(|result| !run::is_readable(result)) {
        note(Unreadable::Value("run's outcome"));
    }
    Some(UpdateRun {
        id: run::id_from_wire(wire.id.unwrap_or_default()),
        operation: optional("run's operation", &wire.operation, note)?,
        version: optional("run's version", &wire.version, note),
        result: wire.result.map(run::result_from_wire),
    })
}

/// Whether a text has the form of a reason's key.
fn is_key(text: &str) -> bool {
    text.len() <= KEY_BYTES_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Converts a failure to the protocol.
#[must_use]
pub fn failure_to_wire(failure: &Failure) -> v1::Failure {
    v1::Failure {
        hash: failure.hash.to_string(),
        version: failure.version.as_ref().map(ToString::to_string).unwrap_or_default(),
        at_ms: failure.at.0,
        message: failure.message.clone(),
        exit_code: failure.exit_code,
        log_tail: failure.log_tail.clone(),
    }
}

/// Reads a failure. Returns `None` if the hash of the workload that failed cannot be read.
fn failure_from_wire(wire: v1::Failure, note: &mut impl FnMut(Unreadable)) -> Option<Failure> {
    let hash = wire.hash.parse().map_err(|error| note(Unreadable::Field("failure's hash", error)));
    Some(Failure {
        hash: hash.ok()?,
        version: optional("failure's version", &wire.version, note),
        at: Timestamp(wire.at_ms),
        message: printable(&wire.message),
        exit_code: wire.exit_code,
        log_tail: wire.log_tail.iter().take(LOG_LINES_MAX).map(|l| printable(l)).collect(),
    })
}

fn phase_to_wire(phase: Phase) -> v1::Phase {
    let name = v1::PhaseName::from(phase).into();
    let plain = v1::Phase { name, ..v1::Phase::default() };
    match phase {
        Phase::Pulling { bytes_done, bytes_total } => {
            v1::Phase { bytes_done, bytes_total, ..plain }
        }
        Phase::Draining { deadline: at }
        | Phase::Soaking { until: at }
        | Phase::StoppedByHand { since: at } => v1::Phase { at_ms: at.0, ..plain },
        Phase::Pending
        | Phase::Preparing
        | Phase::Starting
        | Phase::Ready
        | Phase::Unhealthy
        | Phase::CrashLooping
        | Phase::RolledBack
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing
        | Phase::Unknown => plain,
    }
}

fn phase_from_wire(wire: v1::Phase, note: &mut impl FnMut(Unreadable)) -> Phase {
    use v1::PhaseName as Name;
    let at = Timestamp(wire.at_ms);
    match Name::try_from(wire.name).unwrap_or_default() {
        Name::Pending => Phase::Pending,
        Name::Pulling => {
            Phase::Pulling { bytes_done: wire.bytes_done, bytes_total: wire.bytes_total }
        }
        Name::Preparing => Phase::Preparing,
        Name::Draining => Phase::Draining { deadline: at },
        Name::Starting => Phase::Starting,
        Name::Soaking => Phase::Soaking { until: at },
        Name::Ready => Phase::Ready,
        Name::Unhealthy => Phase::Unhealthy,
        Name::CrashLooping => Phase::CrashLooping,
        Name::StoppedByHand => Phase::StoppedByHand { since: at },
        Name::RolledBack => Phase::RolledBack,
        Name::Failed => Phase::Failed,
        Name::Blocked => Phase::Blocked,
        Name::Removing => Phase::Removing,
        Name::Unspecified | Name::Unknown => {
            note(Unreadable::Value("phase"));
            Phase::Unknown
        }
    }
}

/// Reads a health. A missing value means that no probe has run yet.
fn health_from_wire(wire: i32, note: &mut impl FnMut(Unreadable)) -> Health {
    match v1::Health::try_from(wire) {
        Ok(v1::Health::Unspecified | v1::Health::Unknown) => Health::Unknown,
        Ok(v1::Health::Starting) => Health::Starting,
        Ok(v1::Health::Healthy) => Health::Healthy,
        Ok(v1::Health::Unhealthy) => Health::Unhealthy,
        Err(_newer) => {
            note(Unreadable::Value("health"));
            Health::Unknown
        }
    }
}

/// Parses a text that may be empty. Returns `None` and notes the reason if it is not valid.
fn optional<T: std::str::FromStr<Err = InvalidId>>(
    field: &'static str,
    text: &str,
    note: &mut impl FnMut(Unreadable),
) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    text.parse().map_err(|error| note(Unreadable::Field(field, error))).ok()
}

#[cfg(test)]
mod tests;
