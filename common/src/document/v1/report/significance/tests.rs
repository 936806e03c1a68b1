//! What counts as a difference, and for whom.

use super::Significance::{Actionable, Noise, Visible};
use super::*;
use crate::document::report::HostUsage;
use crate::document::status::Health;
use crate::time::Timestamp;

fn report() -> Report {
    let instance = InstanceReport {
        reason: "1 of 10 bytes".into(),
        checked_at: Some(Timestamp(1)),
        active: Some(1),
        calls_cut: Some(0),
        ..InstanceReport::new(Phase::Pulling { bytes_done: 1, bytes_total: 10 })
    };
    Report {
        applied: None,
        revision: Default::default(),
        at: Timestamp(1),
        agent_version: "1".into(),
        errors: Vec::new(),
        instances: [("voice".parse().unwrap(), instance)].into(),
        host: HostUsage::default(),
    }
}

fn changed(change: impl FnOnce(&mut Report, &mut InstanceReport)) -> Significance {
    let mut other = report();
    let (name, mut instance) = other.instances.pop_first().unwrap();
    change(&mut other, &mut instance);
    other.instances.insert(name, instance);
    assert_eq!(significance(&other, &report()), significance(&report(), &other));
    significance(&report(), &other)
}

#[test]
fn what_changes_by_itself_is_noise() {
    assert_eq!(changed(|_, _| {}), Noise);
    assert_eq!(changed(|report, _| report.at = Timestamp(9)), Noise);
    assert_eq!(changed(|report, _| report.host.cpu_permille = 900), Noise);
    assert_eq!(changed(|_, instance| instance.checked_at = Some(Timestamp(9))), Noise);
}

#[test]
fn the_wording_of_health_is_noise_and_any_other_reason_is_visible() {
    for phase in [Phase::Ready, Phase::Soaking { until: Timestamp(1) }, Phase::Blocked] {
        let mut before = report();
        before.instances.values_mut().for_each(|instance| instance.phase = phase);
        let mut after = before.clone();
        after.instances.values_mut().for_each(|instance| instance.reason = "200 OK".into());
        let expected = if phase == Phase::Blocked { Visible } else { Noise };
        assert_eq!(significance(&before, &after), expected, "{}", phase.as_str());
    }
}

#[test]
fn what_only_people_watch_is_visible() {
    assert_eq!(changed(|_, instance| instance.active = None), Visible);
    assert_eq!(changed(|_, instance| instance.reason = "9 of 10 bytes".into()), Visible);
    let pulling = Phase::Pulling { bytes_done: 9, bytes_total: 10 };
    assert_eq!(changed(|_, instance| instance.phase = pulling), Visible);
}

#[test]
fn what_a_decision_may_depend_on_is_actionable() {
    assert_eq!(changed(|_, instance| instance.phase = Phase::Ready), Actionable);
    assert_eq!(changed(|_, instance| instance.health = Health::Healthy), Actionable);
    assert_eq!(changed(|_, instance| instance.restarts = 1), Actionable);
    assert_eq!(changed(|_, instance| instance.calls_cut = None), Actionable);
    let error = "docker does not answer".to_owned();
    assert_eq!(changed(|report, _| report.errors.push(error)), Actionable);
    assert_eq!(changed(|report, _| report.applied = Some(Default::default())), Actionable);
    let mut without = report();
    without.instances.clear();
    assert_eq!(significance(&report(), &without), Actionable);
}
