//! One change removes a component of a host and adds another.

use super::world::{World, counted, foreign_unit, instance, name, packaged};
use super::{Phase, Step};
use crate::decide::observed::{ActiveState, ObservedUnit};

/// redis runs and is removed; kamailio is added.
fn replacing() -> World {
    let mut world = World::settled([instance("redis", "1")]);
    world.desire([instance("kamailio", "1")]);
    world
}

fn runs(world: &mut World, component: &str) -> bool {
    world.place(component).containers.iter().any(|container| container.is_running())
}

#[test]
fn nothing_is_removed_before_what_is_added_can_start() {
    let mut world = replacing();
    let reason = world.decide()[&name("redis")].reason.to_string();
    assert_eq!(reason, "is removed as soon as kamailio can start");
    while runs(&mut world, "redis") {
        assert!(!runs(&mut world, "kamailio"), "the removal comes just before the start");
        world.pass();
    }
    assert_eq!(world.place("kamailio").containers.len(), 1);
    world.settle();
    assert!(runs(&mut world, "kamailio") && world.place("redis").containers.is_empty());
}

#[test]
fn the_calls_of_what_is_removed_are_counted_when_what_is_added_can_start() {
    let mut world = World::settled([counted("asterisk", "1")]);
    world.place("asterisk").calls = 12;
    world.desire([instance("kamailio", "1")]);
    assert_eq!(world.phase("asterisk"), Phase::Pending);
    world.passes(20);
    assert!(matches!(world.phase("asterisk"), Phase::Draining { .. }));
    assert!(runs(&mut world, "kamailio"), "it does not wait for the calls of another");
}

#[test]
fn a_removal_waits_as_long_as_what_is_added_cannot_be_prepared() {
    let mut world = replacing();
    let observed = world.observe();
    let decisions = world.with_observed(&observed, super::decide);
    let step = |component: &str| decisions[&name(component)].step.clone();
    assert_eq!((step("redis"), step("kamailio")), (None, Some(Step::Pull)));
    // It needs a name that what is removed may have.
    world.place("kamailio").foreign = Some(foreign_unit("kamailio.service"));
    assert!(matches!(world.decide()[&name("redis")].step, Some(Step::Remove { .. })));
}

#[test]
fn another_version_of_what_stays_and_a_packaged_unit_hold_no_removal_up() {
    let mut world = World::settled([instance("redis", "1"), instance("asterisk", "1")]);
    world.desire([instance("asterisk", "2"), packaged("exporter", "one")]);
    assert!(matches!(world.decide()[&name("redis")].step, Some(Step::Remove { .. })));
}

/// redis and kamailio run, and only kamailio is desired from now on. It was stopped by hand, and
/// its container pruned.
fn stopped_and_pruned(desired: &str) -> World {
    let mut world = World::settled([instance("redis", "1"), instance("kamailio", "1")]);
    let now = world.now;
    let kamailio = world.place("kamailio");
    kamailio.stop_by_hand(now);
    kamailio.prune_all();
    world.desire([instance("kamailio", desired)]);
    world
}

#[test]
fn a_removal_does_not_wait_for_what_was_stopped_by_hand_and_pruned() {
    let mut world = stopped_and_pruned("1");
    assert!(matches!(world.phase("kamailio"), Phase::StoppedByHand { .. }));
    assert!(matches!(world.decide()[&name("redis")].step, Some(Step::Remove { .. })));
    world.settle();
    assert!(world.place("redis").containers.is_empty());
    assert!(!runs(&mut world, "kamailio"));
}

#[test]
fn a_removal_waits_for_another_version_of_what_was_stopped_by_hand_and_pruned() {
    let mut world = stopped_and_pruned("2");
    let reason = world.decide()[&name("redis")].reason.to_string();
    assert_eq!(reason, "is removed as soon as kamailio can start");
    world.settle();
    assert!(world.place("redis").containers.is_empty() && runs(&mut world, "kamailio"));
}

#[test]
fn a_removal_does_not_wait_for_an_addition_whose_unit_is_masked() {
    let world = replacing();
    let mut observed = world.observe();
    let masked = ObservedUnit {
        hash: None,
        stale: false,
        active: ActiveState::Inactive,
        is_exited: false,
        masked: true,
        ended: None,
        since: world.now,
        restarts: 0,
        by_hand: Vec::new(),
        result: String::new(),
        unmet: None,
        job: None,
    };
    observed.instances.entry(name("kamailio")).or_default().unit = Some(masked);
    let decisions = world.with_observed(&observed, super::decide);
    assert!(matches!(decisions[&name("redis")].step, Some(Step::Remove { .. })));
}
