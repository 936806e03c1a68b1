//! What a registry or an engine refuses, and will refuse again.

use super::*;

#[test]
fn a_change_that_is_refused_fails_after_a_bounded_time_and_what_runs_is_left() {
    let mut world = changing("1", "2");
    let (began, running_since) = (world.now, started(&world));
    world.registry_refuses = true;
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    let reason = decided(&world).1;
    assert_eq!(reason, "cannot run here: the registry does not have it");
    assert_eq!(world.log.iter().filter(|step| *step == "asterisk pull").count(), 7);
    let took_s = (world.now.0 - began.0) / 1_000;
    assert!((60..180).contains(&took_s), "{took_s} s");
    assert_eq!((running(&world), started(&world)), (Some("1"), running_since));
}

#[test]
fn a_later_revision_asks_for_what_was_refused_again() {
    let mut world = changing("1", "2");
    world.registry_refuses = true;
    world.settle();
    world.registry_refuses = false;
    let held = world.assignment.clone().unwrap();
    let mut offered = held.clone();
    offered.content.revision.0 += 1;
    assert!(ask_again(&mut world.updates, &held, &offered, world.now));
    world.assignment = Some(offered);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
}

#[test]
fn what_should_run_anyway_is_tried_for_ever() {
    let mut world = settled("1");
    world.registry_refuses = true;
    let place = world.place("asterisk");
    place.containers.clear();
    place.images.clear();
    place.unit.as_mut().unwrap().active = ActiveState::Inactive;
    for _ in 0..60 {
        world.pass();
    }
    let phase = world.phase("asterisk");
    assert!(matches!(phase, Phase::Blocked | Phase::Pulling { .. }), "{phase:?}");
    world.registry_refuses = false;
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::Ready));
}

#[test]
fn a_missing_image_is_pulled_at_once_though_systemd_still_starts_its_unit() {
    let mut world = settled("1");
    let place = world.place("asterisk");
    place.containers.clear();
    place.images.clear();
    let unit = place.unit.as_mut().unwrap();
    (unit.active, unit.restarts) = (ActiveState::Activating, 1);
    let steps: Vec<&str> = world.actions().iter().map(|action| action.step.as_str()).collect();
    assert_eq!(steps, ["pull"]);
}

#[test]
fn what_lost_its_image_while_systemd_gave_up_is_started_without_a_pause() {
    let mut world = given_up_by_systemd();
    let began = world.now;
    let place = world.place("asterisk");
    place.containers.clear();
    place.images.clear();
    while running(&world).is_none() {
        assert!(world.pass(), "{:?}", world.log);
    }
    assert!(world.now.0 - began.0 < 10_000, "{} ms", world.now.0 - began.0);
}

#[test]
fn while_a_step_is_tried_again_its_last_error_is_told() {
    let mut world = changing("1", "2");
    world.registry_away = true;
    world.pass();
    let before = decided(&world);
    assert_eq!(before, (Phase::Blocked, "the registry does not answer".to_owned()));
    assert_eq!(pulling(&world, 0), before);
    let phase = Phase::Pulling { bytes_done: 1, bytes_total: 2 };
    assert_eq!(pulling(&world, 1).0, phase);
}

fn decided(world: &World) -> (Phase, String) {
    let decision = &world.decide()[&name("asterisk")];
    (decision.phase, decision.reason.to_string())
}

/// What is decided during a pull of which so many of two bytes are here.
fn pulling(world: &World, bytes_done: u64) -> (Phase, String) {
    let bytes = if bytes_done == 0 { (0, 0) } else { (bytes_done, 2) };
    let busy = [(name("asterisk"), Busy { step: Step::Pull, bytes })].into();
    world.with_observed(&world.observe(), |input| {
        let decision = &decide(Input { busy: &busy, ..input })[&name("asterisk")];
        (decision.phase, decision.reason.to_string())
    })
}
