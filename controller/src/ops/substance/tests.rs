//! What counts as a difference.

use oml_common::decide::observed::Health;

use super::*;

fn report() -> Report {
    let instance = InstanceReport {
        phase: Phase::Pulling { bytes_done: 1, bytes_total: 10 },
        reason: "1 of 10 bytes".into(),
        version: None,
        digest: None,
        hash: None,
        health: Health::Unknown,
        checked_at: Some(Timestamp(1)),
        started_at: None,
        restarts: 0,
        active: Some(1),
        calls_cut: Some(0),
        failure: None,
        drift: None,
    };
    Report {
        applied: None,
        revision: Default::default(),
        at: Timestamp(1),
        agent_version: "1".into(),
        troubles: Vec::new(),
        instances: [("voice".parse().unwrap(), instance)].into(),
        host: HostUsage::default(),
    }
}

fn changed(change: impl FnOnce(&mut Report, &mut InstanceReport)) -> bool {
    let mut other = report();
    let (name, mut instance) = other.instances.pop_first().unwrap();
    change(&mut other, &mut instance);
    other.instances.insert(name, instance);
    !same_substance(&report(), &other)
}

#[test]
fn ages_counts_and_progress_are_no_difference() {
    assert!(!changed(|report, _| report.at = Timestamp(9)));
    assert!(!changed(|report, _| report.host.cpu_permille = 900));
    assert!(!changed(|_, instance| instance.checked_at = Some(Timestamp(9))));
    assert!(!changed(|_, instance| instance.active = None));
    assert!(!changed(|_, instance| instance.reason = "9 of 10 bytes".into()));
    assert!(!changed(|_, i| i.phase = Phase::Pulling { bytes_done: 9, bytes_total: 10 }));
}

#[test]
fn what_somebody_acts_on_is_a_difference() {
    assert!(changed(|_, instance| instance.phase = Phase::Ready));
    assert!(changed(|_, instance| instance.health = Health::Healthy));
    assert!(changed(|_, instance| instance.restarts = 1));
    assert!(changed(|report, _| report.troubles.push("docker does not answer".into())));
    assert!(changed(|report, _| report.applied = Some(Default::default())));
}
