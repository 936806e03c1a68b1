//! Packaged units that end: again and again, well, or so that nobody knows why.

use super::world::{World, name, packaged};
use super::{ActiveState, Health, LastGood, Phase, Reason, Step, Timestamp};
use crate::decide::observed::{ObservedUnit, UnitEnd, Unmet};
use crate::decide::reconcile::{Decision, SoakState};
use crate::document::status::{LastExit, Status};

const SECOND_MS: u64 = 1_000;

/// Returns the ends of the exporter every ten seconds, the last one just now.
fn ends(world: &World, count: u64) -> Status {
    let at = |back: u64| Timestamp(world.now.0 - back * 10 * SECOND_MS);
    let log_tail = vec!["cannot open its spool".to_owned()];
    Status {
        ends: (0..count).rev().map(at).collect(),
        last_exit: Some(LastExit { at: at(0), exit_code: Some(3), log_tail }),
        ..Status::new(packaged("exporter", "one").workload_hash(), Timestamp(0))
    }
}

/// Decides for a settled exporter that has ended so often, and whose unit was changed.
fn decided(count: u64, change: impl FnOnce(&mut ObservedUnit, Timestamp)) -> Decision {
    let world = World::settled([packaged("exporter", "one")]);
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("exporter")).unwrap();
    seen.status = Some(ends(&world, count)).filter(|_| count > 0);
    change(seen.unit.as_mut().unwrap(), world.now);
    world.with_observed(&observed, super::decide)[&name("exporter")].clone()
}

fn rest(unit: &mut ObservedUnit, since: Timestamp) {
    (unit.active, unit.since) = (ActiveState::Inactive, since);
    "success".clone_into(&mut unit.result);
}

#[test]
fn a_packaged_unit_that_ends_again_and_again_is_crash_looping_while_it_runs() {
    assert_eq!(decided(2, |_, _| {}).phase, Phase::Ready);
    let decision = decided(3, |_, _| {});
    assert_eq!(decision.phase, Phase::CrashLooping);
    let reason = decision.reason.to_string();
    for words in ["3 times within 20s", "last with exit code 3", "cannot open its spool"] {
        assert!(reason.contains(words), "{reason}");
    }
    assert!(reason.ends_with("; it is active now"), "{reason}");
}

#[test]
fn a_packaged_unit_that_ended_by_itself_is_started_again_and_rests_in_a_crash_loop() {
    let once = decided(1, rest);
    assert_eq!(once.step, Some(Step::Start));
    let often = decided(3, rest);
    assert_eq!((often.step, often.phase), (None, Phase::CrashLooping));
    let reason = often.reason.to_string();
    assert!(reason.contains("its unit is not running"), "{reason}");
    let wake_at = often.wake_at.unwrap();
    let later = decided(3, |unit, now| rest(unit, Timestamp(now.0 - 60 * SECOND_MS)));
    assert_eq!(later.step, Some(Step::Start), "a minute later, until {wake_at:?}");
}

#[test]
fn a_packaged_unit_on_which_systemd_gave_up_is_described_by_its_end() {
    let decision = decided(3, |unit, now| {
        (unit.active, unit.since, unit.restarts) = (ActiveState::Failed, now, 5);
    });
    let reason = decision.reason.to_string();
    assert_eq!(decision.phase, Phase::CrashLooping);
    assert!(
        reason.ends_with("ended 6 times in a row: its program ended with exit code 3"),
        "{reason}"
    );
}

#[test]
fn a_packaged_unit_that_may_have_been_stopped_is_not_started_and_this_is_said() {
    let decision = decided(0, |unit, now| {
        rest(unit, now);
        unit.ended = Some(UnitEnd::Unknown);
    });
    assert_eq!(decision.step, None);
    assert!(matches!(decision.phase, Phase::StoppedByHand { .. }));
    assert_eq!(
        decision.reason.to_string(),
        "stopped on the host by hand, or it ended by itself; which of both is not known, so it is \
         not started; start it there or apply another change"
    );
}

/// A host on which a new version of the exporter soaks.
fn soaking() -> World {
    let mut world = World::settled([packaged("exporter", "one")]);
    world.desire([packaged("exporter", "two")]);
    while !matches!(world.phase("exporter"), Phase::Soaking { .. }) {
        world.pass();
    }
    world
}

const EXITED: &str = "its unit is active (exited): none of its processes runs, so the health of its \
                      program is not known";

#[test]
fn a_packaged_unit_that_is_active_without_a_process_is_not_known_to_be_healthy() {
    let decision = decided(0, |unit, _| unit.is_exited = true);
    assert_eq!((decision.step, decision.phase), (None, Phase::Unhealthy));
    assert_eq!(decision.reason.to_string(), EXITED);
    let world = World::settled([packaged("exporter", "one")]);
    let mut observed = world.observe();
    observed.instances.get_mut(&name("exporter")).unwrap().unit.as_mut().unwrap().is_exited = true;
    let reported = world.with_observed(&observed, |input| {
        crate::decide::reconcile::report(input, &super::decide(input))
    });
    assert_eq!(reported[&name("exporter")].health, Health::Unknown);
}

#[test]
fn a_packaged_version_that_leaves_no_process_does_not_pass_its_soak() {
    let world = soaking();
    let mut observed = world.observe();
    observed.instances.get_mut(&name("exporter")).unwrap().unit.as_mut().unwrap().is_exited = true;
    let decision = world.with_observed(&observed, super::decide)[&name("exporter")].clone();
    assert!(matches!(decision.step, Some(Step::Fail { .. })), "{decision:?}");
    assert_eq!(decision.reason.to_string(), EXITED);
}

#[test]
fn a_container_is_judged_by_its_probe_and_not_by_the_processes_of_its_unit() {
    let world = World::settled([super::instance("asterisk", "1")]);
    let mut observed = world.observe();
    observed.instances.get_mut(&name("asterisk")).unwrap().unit.as_mut().unwrap().is_exited = true;
    let decision = world.with_observed(&observed, super::decide)[&name("asterisk")].clone();
    assert_eq!((decision.step, decision.phase), (None, Phase::Ready));
}

#[test]
fn a_packaged_version_that_ends_well_in_its_soak_has_not_passed_it() {
    let world = soaking();
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("exporter")).unwrap();
    rest(seen.unit.as_mut().unwrap(), Timestamp(world.now.0 + 1));
    let decision = world.with_observed(&observed, super::decide)[&name("exporter")].clone();
    assert_eq!(decision.reason, Reason::Soak(SoakState::Ended));
    let update = &world.updates[&name("exporter")];
    assert!(matches!(update.last_good, LastGood::Previous(_)));
}

#[test]
fn a_drop_in_that_is_lost_beside_a_unit_that_somebody_stopped_starts_nothing() {
    let lost = |unit: &mut ObservedUnit, ended| {
        (unit.hash, unit.stale, unit.ended) = (None, true, Some(ended));
    };
    for ended in [UnitEnd::Stopped, UnitEnd::Unknown] {
        let stopped = decided(0, |unit, now| {
            rest(unit, now);
            lost(unit, ended);
        });
        assert_eq!(stopped.step, Some(Step::RewriteConfig), "{stopped:?}");
    }
    let running = decided(0, |unit, _| (unit.hash, unit.stale) = (None, true));
    assert_eq!(running.step, Some(Step::RewriteConfig), "{running:?}");
}

#[test]
fn a_packaged_unit_whose_start_was_skipped_is_started_again_and_says_why() {
    let skipped = |unit: &mut ObservedUnit, since| {
        rest(unit, since);
        (unit.ended, unit.unmet) = (Some(UnitEnd::ByItself), Some(Unmet::Dependency));
    };
    let decision = decided(0, skipped);
    assert_eq!((decision.step, decision.phase), (Some(Step::Start), Phase::Starting));
    let reason = decision.reason.to_string();
    let begin = "did not start: a unit that its unit requires did not start; run systemctl status ";
    assert!(reason.starts_with(begin), "{reason}");
    assert_eq!(reason.matches("did not start: ").count(), 1, "{reason}");
}
