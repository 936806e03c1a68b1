//! Reports on the wire. What comes from a host is checked here, field by field.

use std::collections::BTreeMap;

use oml_common::decide::observed::{Drift, Health};
use oml_common::document::report::{Failure, HostUsage, InstanceReport, Phase, Report};
use oml_common::document::spec::COMPONENTS_MAX;
use oml_common::id::{Generation, InvalidId, RevisionNumber};
use oml_common::text::problem::printable;
use oml_common::time::Timestamp;
use prost::Message as _;

use crate::{REPORT_BYTES_MAX, v1};

/// Instances one report may carry: all that a tenant may have, and as many that
/// are being removed.
pub const INSTANCES_MAX: usize = 2 * COMPONENTS_MAX;
/// What is left of a report that is too long, step by step: lines of each log,
/// characters of each text.
const CUTS: [(usize, usize); 4] = [(5, 400), (0, 400), (0, 60), (0, 0)];
const LOG_LINES_MAX: usize = 20;
const TROUBLES_MAX: usize = 20;

/// Why a report is not taken.
#[derive(Debug, thiserror::Error)]
pub enum InvalidReport {
    /// A name or number breaks its rule.
    #[error("a field of the report is not valid")]
    Field(#[from] InvalidId),
    /// A word this program does not know.
    #[error("{0:?} is not a {1}; the agent may be newer than the controller")]
    Word(String, &'static str),
    /// Too much of something.
    #[error("the report carries more than {0} instances")]
    TooMany(usize),
}

/// The report as it travels. Of one that is too long the logs go first, then
/// the reasons: how everything stands is always told.
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
}

fn whole(report: &Report) -> v1::Report {
    v1::Report {
        applied: report.applied.map(generation_to_wire),
        revision: report.revision.0,
        at_ms: report.at.0,
        agent_version: report.agent_version.clone(),
        troubles: report.troubles.clone(),
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
        }),
    }
}

/// Reads a report that a host sent.
///
/// # Errors
/// [`InvalidReport`] names what is wrong with it.
pub fn from_wire(report: v1::Report) -> Result<Report, InvalidReport> {
    if report.instances.len() > INSTANCES_MAX {
        return Err(InvalidReport::TooMany(INSTANCES_MAX));
    }
    let mut instances = BTreeMap::new();
    for (name, instance) in report.instances {
        instances.insert(name.parse()?, instance_from_wire(instance)?);
    }
    let host = report.host.unwrap_or_default();
    Ok(Report {
        applied: report.applied.map(generation_from_wire),
        revision: RevisionNumber(report.revision),
        at: Timestamp(report.at_ms),
        agent_version: printable(&report.agent_version),
        troubles: report.troubles.iter().take(TROUBLES_MAX).map(|t| printable(t)).collect(),
        instances,
        host: HostUsage {
            cpu_permille: host.cpu_permille.min(1000),
            memory_used_bytes: host.memory_used_bytes,
            memory_total_bytes: host.memory_total_bytes,
            disk_used_bytes: host.disk_used_bytes,
            disk_total_bytes: host.disk_total_bytes,
        },
    })
}

/// A generation as it travels.
#[must_use]
pub fn generation_to_wire(generation: Generation) -> v1::Generation {
    v1::Generation { epoch: generation.epoch, number: generation.number }
}

/// A generation as it came.
#[must_use]
pub fn generation_from_wire(generation: v1::Generation) -> Generation {
    Generation { epoch: generation.epoch, number: generation.number }
}

fn instance_to_wire(instance: &InstanceReport) -> v1::InstanceReport {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    v1::InstanceReport {
        phase: Some(phase_to_wire(instance.phase)),
        reason: instance.reason.clone(),
        version: text(instance.version.as_ref().map(AsRef::as_ref)),
        digest: text(instance.digest.as_ref().map(AsRef::as_ref)),
        hash: text(instance.hash.as_ref().map(AsRef::as_ref)),
        health: health_word(instance.health).to_owned(),
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
    }
}

fn instance_from_wire(wire: v1::InstanceReport) -> Result<InstanceReport, InvalidReport> {
    let instant = |ms: u64| (ms > 0).then_some(Timestamp(ms));
    Ok(InstanceReport {
        phase: phase_from_wire(&wire.phase.unwrap_or_default())?,
        reason: printable(&wire.reason),
        version: optional(&wire.version)?,
        digest: optional(&wire.digest)?,
        hash: optional(&wire.hash)?,
        health: health_from_word(&wire.health)?,
        checked_at: instant(wire.checked_at_ms),
        started_at: instant(wire.started_at_ms),
        restarts: wire.restarts,
        active: wire.active,
        calls_cut: wire.calls_cut,
        failure: wire.failure.map(failure_from_wire).transpose()?,
        drift: wire
            .drift
            .map(|drift| Drift { at: Timestamp(drift.at_ms), found: printable(&drift.found) }),
    })
}

/// A failure as it travels.
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

fn failure_from_wire(wire: v1::Failure) -> Result<Failure, InvalidReport> {
    Ok(Failure {
        hash: wire.hash.parse()?,
        version: optional(&wire.version)?,
        at: Timestamp(wire.at_ms),
        message: printable(&wire.message),
        exit_code: wire.exit_code,
        log_tail: wire.log_tail.iter().take(LOG_LINES_MAX).map(|l| printable(l)).collect(),
    })
}

fn phase_to_wire(phase: Phase) -> v1::Phase {
    let name = phase.as_str().to_owned();
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
        | Phase::RolledBack
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing => plain,
    }
}

fn phase_from_wire(wire: &v1::Phase) -> Result<Phase, InvalidReport> {
    let at = Timestamp(wire.at_ms);
    Ok(match wire.name.as_str() {
        "pending" => Phase::Pending,
        "pulling" => Phase::Pulling { bytes_done: wire.bytes_done, bytes_total: wire.bytes_total },
        "preparing" => Phase::Preparing,
        "draining" => Phase::Draining { deadline: at },
        "starting" => Phase::Starting,
        "soaking" => Phase::Soaking { until: at },
        "ready" => Phase::Ready,
        "unhealthy" => Phase::Unhealthy,
        "stopped-by-hand" => Phase::StoppedByHand { since: at },
        "rolled-back" => Phase::RolledBack,
        "failed" => Phase::Failed,
        "blocked" => Phase::Blocked,
        "removing" => Phase::Removing,
        other => return Err(InvalidReport::Word(printable(other), "phase")),
    })
}

/// The word for a health.
#[must_use]
pub fn health_word(health: Health) -> &'static str {
    match health {
        Health::Unknown => "unknown",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

fn health_from_word(word: &str) -> Result<Health, InvalidReport> {
    Ok(match word {
        "unknown" => Health::Unknown,
        "starting" => Health::Starting,
        "healthy" => Health::Healthy,
        "unhealthy" => Health::Unhealthy,
        other => return Err(InvalidReport::Word(printable(other), "health")),
    })
}

fn optional<T: std::str::FromStr<Err = InvalidId>>(text: &str) -> Result<Option<T>, InvalidReport> {
    if text.is_empty() { Ok(None) } else { Ok(Some(text.parse()?)) }
}

#[cfg(test)]
mod tests;
