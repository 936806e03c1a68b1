//! How much two reports of a node differ: the one answer to whether a report is
//! sent at once, recorded, and looked at by the tasks.

use super::{InstanceReport, Phase, Report};

/// How much a report differs from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Significance {
    /// Only what changes by itself: ages, use of the host, the wording of health.
    Noise,
    /// Something that people watch: bytes pulled, calls that are up, a reason.
    Visible,
    /// Something that a decision may depend on.
    Actionable,
}

/// How much `after` differs from `before`.
#[must_use]
pub fn significance(before: &Report, after: &Report) -> Significance {
    let Report { applied, revision, at: _, agent_version, errors, instances, host: _ } = before;
    let is_same_node = *applied == after.applied
        && *revision == after.revision
        && *agent_version == after.agent_version
        && *errors == after.errors
        && instances.keys().eq(after.instances.keys());
    if !is_same_node {
        return Significance::Actionable;
    }
    let pairs = instances.values().zip(after.instances.values());
    pairs.map(|(before, after)| of_instance(before, after)).max().unwrap_or(Significance::Noise)
}

fn of_instance(before: &InstanceReport, after: &InstanceReport) -> Significance {
    let InstanceReport {
        phase,
        reason,
        // It follows from the reason.
        reason_key: _,
        version,
        digest,
        hash,
        health,
        checked_at: _,
        started_at,
        restarts,
        active,
        calls_cut,
        failure,
        drift,
        last_exit,
        update_runs,
    } = before;
    let is_same_for_tasks = without_progress(*phase) == without_progress(after.phase)
        && *version == after.version
        && *digest == after.digest
        && *hash == after.hash
        && *health == after.health
        && *started_at == after.started_at
        && *restarts == after.restarts
        && *calls_cut == after.calls_cut
        && *failure == after.failure
        && *drift == after.drift
        && *update_runs == after.update_runs;
    // In these phases the reason only words the last answer of the probe.
    let is_reason_noise = matches!(phase, Phase::Ready | Phase::Soaking { .. });
    let is_same_for_people = *phase == after.phase
        && *active == after.active
        && *last_exit == after.last_exit
        && (is_reason_noise || *reason == after.reason);
    match (is_same_for_tasks, is_same_for_people) {
        (false, _) => Significance::Actionable,
        (true, false) => Significance::Visible,
        (true, true) => Significance::Noise,
    }
}

/// The phase without what only counts along in it.
fn without_progress(phase: Phase) -> Phase {
    match phase {
        Phase::Pulling { .. } => Phase::Pulling { bytes_done: 0, bytes_total: 0 },
        other @ (Phase::Pending
        | Phase::Preparing
        | Phase::Draining { .. }
        | Phase::Starting
        | Phase::Soaking { .. }
        | Phase::Ready
        | Phase::Unhealthy
        | Phase::CrashLooping
        | Phase::StoppedByHand { .. }
        | Phase::RolledBack
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing
        | Phase::Unknown) => other,
    }
}

#[cfg(test)]
mod tests;
