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

/// Version 2 soaks when `docker system prune -af` removes all of version 1, and then dies.
fn pruned_in_soak() -> World {
    let mut world = changing("1", "dies-2");
    until_soaking(&mut world);
    world.place("asterisk").prune_all();
    world
}

#[test]
fn a_rollback_whose_image_is_refused_ends_after_a_bounded_time_and_is_still_tried() {
    let mut world = pruned_in_soak();
    world.registry_refuses = true;
    while world.updates[&name("asterisk")].failure().is_none() {
        world.pass();
    }
    let began = world.now;
    while !world.decide()[&name("asterisk")].reason.to_string().contains("does not have it") {
        world.pass();
    }
    assert_eq!(
        world.phase("asterisk"),
        Phase::Failed,
        "it is known to be bad at the first refusal"
    );
    while !matches!(world.updates[&name("asterisk")].last_good, LastGood::PreviousFailed(_)) {
        assert!(world.now.0 - began.0 < 180_000);
        world.pass();
    }
    for _ in 0..30 {
        assert_eq!(world.phase("asterisk"), Phase::Failed);
        let failure = world.updates[&name("asterisk")].failure().unwrap().message.clone();
        assert_eq!(failure.matches("the registry does not have it").count(), 1, "{failure}");
        world.pass();
    }
    world.registry_refuses = false;
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
}

#[test]
fn a_rollback_whose_image_cannot_be_had_now_is_reported_as_failed_while_it_is_tried() {
    let mut world = pruned_in_soak();
    world.registry_away = true;
    while world.updates[&name("asterisk")].backoff.is_none() {
        world.pass();
    }
    for _ in 0..30 {
        assert_eq!(world.phase("asterisk"), Phase::Failed);
        world.pass();
    }
    let previous = world.place("asterisk").previous.clone().unwrap().workload_hash();
    let step = Step::RollBack { previous, runs: false };
    let tried = while_busy(&world, Busy { step, bytes: (0, 0) });
    assert_eq!(tried, (Phase::Failed, "the registry does not answer".to_owned()));
    world.registry_away = false;
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
}

#[test]
fn a_last_good_version_whose_image_is_refused_does_not_hold_the_next_change_up() {
    let mut world = pruned_in_soak();
    world.registry_refuses = true;
    while world.updates[&name("asterisk")].failure().is_none() {
        world.pass();
    }
    world.desire([instance("asterisk", "3")]);
    world.place("asterisk").images.insert(instance("asterisk", "3").workload_hash());
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("3"), Phase::Ready));
}

#[test]
fn what_was_refused_in_its_rollback_is_asked_for_again_by_a_later_revision() {
    let mut world = pruned_in_soak();
    world.registry_refuses = true;
    world.passes(200);
    let held = world.assignment.clone().unwrap();
    let mut offered = held.clone();
    offered.content.revision.0 += 1;
    assert!(ask_again(&mut world.updates, &held, &offered, world.now));
    assert_eq!(world.updates[&name("asterisk")].backoff, None);
}

#[test]
fn a_switch_whose_image_is_refused_fails_and_the_old_version_comes_back() {
    for has_old in [true, false] {
        let mut world = changing("1", "2");
        killed_in(&mut world, "switch", if has_old { 0 } else { 2 });
        world.place("asterisk").prune_all();
        let old = instance("asterisk", "1").workload_hash();
        world.place("asterisk").images.insert(old);
        world.registry_refuses = true;
        world.settle();
        assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
        let failure = world.updates[&name("asterisk")].failure().unwrap().message.clone();
        assert_eq!(failure, "cannot run here: the registry does not have it");
    }
}

#[test]
fn a_start_in_the_soak_whose_image_is_refused_fails_too() {
    let mut world = changing("1", "2");
    until_soaking(&mut world);
    let now = world.now;
    let place = world.place("asterisk");
    place.prune_all();
    place.images.insert(instance("asterisk", "1").workload_hash());
    // The host was shut down in between, and everything that did not run then is gone.
    place.containers.clear();
    place.images.remove(&instance("asterisk", "2").workload_hash());
    let unit = place.unit.as_mut().unwrap();
    (unit.active, unit.since, unit.result) = (ActiveState::Inactive, now, "success");
    world.registry_refuses = true;
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
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
fn while_a_step_is_tried_again_its_last_error_is_reported() {
    let mut world = changing("1", "2");
    world.registry_away = true;
    world.pass();
    let before = decided(&world);
    assert_eq!(before, (Phase::Blocked, "the registry does not answer".to_owned()));
    assert_eq!(pulling(&world, 0), before);
    assert_eq!(pulling(&world, 1), before);
    let (phase, reason) = pulling(&world, 300 << 20);
    let expected = "the registry does not answer; this try has pulled more than 300 MiB";
    assert_eq!((phase, reason.as_str()), (Phase::Blocked, expected));
}

#[test]
fn the_pull_of_a_start_is_reported_in_bytes() {
    let mut world = changing("1", "2");
    until_soaking(&mut world);
    world.place("asterisk").prune_all();
    let previous = instance("asterisk", "1").workload_hash();
    let step = Step::RollBack { previous, runs: false };
    let phase = while_busy(&world, Busy { step, bytes: (1, 2) }).0;
    assert_eq!(phase, Phase::Pulling { bytes_done: 1, bytes_total: 2 });
}

fn decided(world: &World) -> (Phase, String) {
    let decision = &world.decide()[&name("asterisk")];
    (decision.phase, decision.reason.to_string())
}

/// What is decided during a pull of which so many bytes are here.
fn pulling(world: &World, bytes_done: u64) -> (Phase, String) {
    let bytes = if bytes_done == 0 { (0, 0) } else { (bytes_done, 430 << 20) };
    while_busy(world, Busy { step: Step::Pull, bytes })
}

/// What is decided while that step is being done.
fn while_busy(world: &World, busy: Busy) -> (Phase, String) {
    let busy = [(name("asterisk"), busy)].into();
    world.with_observed(&world.observe(), |input| {
        let decision = &decide(Input { busy: &busy, ..input })[&name("asterisk")];
        (decision.phase, decision.reason.to_string())
    })
}

#[test]
fn the_image_of_a_start_by_hand_is_pulled_after_every_outcome_of_the_change() {
    let mut soaking = changing("1", "2");
    until_soaking(&mut soaking);
    let mut rolled_back = changing("1", "exits-2");
    rolled_back.settle();
    for mut world in [soaking, rolled_back] {
        let now = world.now;
        let place = world.place("asterisk");
        place.containers.clear();
        place.images.clear();
        let unit = place.unit.as_mut().unwrap();
        (unit.active, unit.since, unit.restarts) = (ActiveState::Activating, now, 0);
        // A supervisor needs a moment to create a container whose image is there.
        assert_eq!(world.actions(), []);
        until_step(&mut world, "start");
        assert!((5_000..15_000).contains(&(world.now.0 - now.0)));
    }
}
