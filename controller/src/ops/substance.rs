//! Which differences between two reports matter. Ages, use of the host and
//! counts of calls change all the time and are never a reason to act.

use oml_common::document::report::{HostUsage, InstanceReport, Phase, Report};
use oml_common::time::Timestamp;

/// Whether two reports differ in nothing that anybody acts on.
pub(super) fn same_substance(a: &Report, b: &Report) -> bool {
    substance(a) == substance(b)
}

fn substance(report: &Report) -> Report {
    let instances = report.instances.iter();
    Report {
        at: Timestamp::default(),
        host: HostUsage::default(),
        instances: instances.map(|(name, i)| (name.clone(), of_instance(i))).collect(),
        ..report.clone()
    }
}

fn of_instance(instance: &InstanceReport) -> InstanceReport {
    let phase = match instance.phase {
        Phase::Pulling { .. } => Phase::Pulling { bytes_done: 0, bytes_total: 0 },
        other @ (Phase::Pending
        | Phase::Preparing
        | Phase::Draining { .. }
        | Phase::Starting
        | Phase::Soaking { .. }
        | Phase::Ready
        | Phase::Unhealthy
        | Phase::StoppedByHand { .. }
        | Phase::RolledBack
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing
        | Phase::Unknown) => other,
    };
    // The reason counts along: "waits for 3 calls".
    let reason = String::new();
    InstanceReport { phase, reason, checked_at: None, active: None, ..instance.clone() }
}

#[cfg(test)]
mod tests;
