//! An instance whose document only a later release can read: what runs goes on, and the
//! wait for a newer agent never means that nothing runs.

use proptest::prelude::*;

use super::*;
use crate::document;
use crate::document::update::SavedUpdates;

/// Another version is desired, by a document that takes a newer agent.
fn make_unreadable(world: &mut World) {
    let updates = world.updates.clone();
    world.desire([instance("asterisk", "3")]);
    // The readable text was never received.
    world.updates = updates;
    hold_one(world, "asterisk");
    world.log.clear();
}

fn needs_newer_agent(world: &World) -> bool {
    let decision = &world.decide()[&name("asterisk")];
    decision.phase == Phase::Blocked && matches!(decision.reason, Reason::NeedsNewerAgent { .. })
}

/// The agent is killed after so many effects of the switch from version 1 to `new`.
fn unreadable_in_the_switch(new: &str, after: u8) -> World {
    let mut world = changing("1", new);
    killed_in(&mut world, "switch", after);
    make_unreadable(&mut world);
    world
}

#[test]
fn an_instance_held_before_the_stop_runs_on() {
    for after in [0, 1] {
        let mut world = unreadable_in_the_switch("2", after);
        let before = started(&world);
        world.settle();
        assert_eq!((running(&world), started(&world)), (Some("1"), before));
        assert!(needs_newer_agent(&world));
        // Should it end by itself, its supervisor starts it and not what was never switched to.
        let current = world.place("asterisk").current.as_ref().unwrap();
        assert_eq!(current.version().unwrap().as_str(), "1");
    }
}

#[test]
fn an_instance_held_between_stop_and_start_gets_the_last_good_version() {
    let mut world = unreadable_in_the_switch("2", 2);
    assert_eq!(running(&world), None);
    world.settle();
    assert_eq!(world.log, ["asterisk roll-back"]);
    assert_eq!(running(&world), Some("1"));
    assert!(needs_newer_agent(&world));
    // A document that can be read takes it from there to the version that it names.
    world.desire([instance("asterisk", "4")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("4"), Phase::Ready));
}

#[test]
fn an_instance_held_after_the_start_keeps_the_new_version() {
    let mut world = unreadable_in_the_switch("2", 3);
    let before = started(&world);
    world.settle();
    assert_eq!((running(&world), started(&world)), (Some("2"), before));
    assert!(needs_newer_agent(&world));
}

#[test]
fn a_held_instance_whose_new_version_fails_gets_the_last_good_version() {
    for bad in ["exits2", "hangs2", "dies2"] {
        let mut world = unreadable_in_the_switch(bad, 4);
        world.settle();
        assert_eq!(running(&world), Some("1"), "{bad}: {:?}", world.log);
        assert!(needs_newer_agent(&world));
    }
}

#[test]
fn a_held_instance_that_was_being_rolled_back_is_rolled_back() {
    let mut world = changing("1", "dies2");
    until_step(&mut world, "roll-back");
    make_unreadable(&mut world);
    world.settle();
    assert_eq!((running(&world), needs_newer_agent(&world)), (Some("1"), true));
}

#[test]
fn a_held_instance_that_systemd_gave_up_on_is_started_after_a_pause() {
    let mut world = given_up_by_systemd();
    let before = world.now;
    make_unreadable(&mut world);
    world.settle();
    assert_eq!(world.log, ["asterisk start"]);
    assert_eq!((running(&world), needs_newer_agent(&world)), (Some("1"), true));
    assert!(world.now.since_ms(before) >= 60_000);
}

#[test]
fn a_held_instance_that_somebody_stopped_stays_stopped() {
    let mut world = settled("1");
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    make_unreadable(&mut world);
    world.settle();
    assert_eq!((world.log.len(), running(&world)), (0, None));
}

#[test]
fn a_held_instance_that_never_ran_waits() {
    let mut world = World::new();
    make_unreadable(&mut world);
    world.settle();
    assert!(world.log.is_empty() && needs_newer_agent(&world));
}

#[test]
fn a_held_instance_whose_first_version_failed_is_not_started_again_and_again() {
    let mut world = World::new();
    world.desire([instance("asterisk", "exits1")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Failed);
    make_unreadable(&mut world);
    world.settle();
    assert_eq!(world.log, Vec::<String>::new());
}

/// Only a newer agent can read what is desired of that component.
pub(super) fn hold_one(world: &mut World, component: &str) {
    let own_name = format!("\"name\":\"oml-{component}\"");
    let with_unknown_field = format!("{own_name},\"colour\":\"blue\"");
    world.desire_text(|text| text.replace(&own_name, &with_unknown_field));
}

fn after_postgres(version: &str) -> Instance {
    Instance { after: vec![name("postgres")], ..instance("asterisk", version) }
}

#[test]
fn what_comes_after_a_held_component_that_never_ran_waits_for_it() {
    let mut world = World::new();
    world.desire([instance("postgres", "1"), after_postgres("1")]);
    hold_one(&mut world, "postgres");
    world.settle();
    assert_eq!(running(&world), None, "{:?}", world.log);
    let decision = &world.decide()[&name("asterisk")];
    assert_eq!(decision.phase, Phase::Pending);
    assert_eq!(decision.reason.to_string(), "waits for postgres");
}

#[test]
fn what_comes_after_a_held_component_that_answers_is_changed() {
    for postgres in [instance("postgres", "1"), packaged("postgres", "old")] {
        let mut world = World::settled([postgres, after_postgres("1")]);
        world.desire([instance("postgres", "2"), after_postgres("2")]);
        hold_one(&mut world, "postgres");
        world.settle();
        assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
    }
}

#[test]
fn what_comes_after_a_held_component_that_does_not_answer_waits_for_it() {
    let mut world = World::settled([instance("postgres", "1"), after_postgres("1")]);
    world.desire([instance("postgres", "2"), after_postgres("2")]);
    hold_one(&mut world, "postgres");
    let now = world.now;
    world.place("postgres").stop_by_hand(now);
    world.settle();
    assert_eq!(running(&world), Some("1"));
    assert_eq!(world.decide()[&name("asterisk")].reason.to_string(), "waits for postgres");
    // It runs, but the last that was heard of it is old.
    let mut world = World::settled([instance("postgres", "1"), after_postgres("1")]);
    world.desire([instance("postgres", "2"), after_postgres("2")]);
    hold_one(&mut world, "postgres");
    world.passes(2);
    let mut observed = world.observe();
    let status = observed.instances.get_mut(&name("postgres")).unwrap().status.as_mut().unwrap();
    status.checked_at = Timestamp(world.now.0 - 60_000);
    let decision = world.with_observed(&observed, decide).remove(&name("asterisk")).unwrap();
    assert_eq!(decision.reason.to_string(), "waits for postgres");
}

/// The assignment has the policy beside the instances. Without it, that of an instance counts,
/// also of a held one.
#[test]
fn a_removal_ends_at_the_drain_deadline_when_every_instance_that_stays_is_held() {
    for is_written_once in [true, false] {
        let mut world = World::settled([counted("asterisk", "1"), instance("redis", "1")]);
        world.place("asterisk").calls = 12;
        world.desire_with([instance("redis", "2")], OnDeadline::Cut);
        hold_one(&mut world, "redis");
        if !is_written_once {
            world.assignment.as_mut().unwrap().content.policy = None;
        }
        world.settle();
        assert_eq!(running(&world), None, "{:?}", world.log);
    }
}

#[test]
fn the_removal_of_the_last_instance_of_a_node_ends_at_the_drain_deadline() {
    let mut world = World::settled([counted("asterisk", "1")]);
    world.place("asterisk").calls = 12;
    world.desire_with([], OnDeadline::Cut);
    world.settle();
    assert_eq!(running(&world), None, "{:?}", world.log);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_instance_held_at_any_moment_of_a_change_still_runs(
        new in prop::sample::select(vec!["2", "exits", "hangs", "dies"]),
        next in prop::sample::select(vec!["2", "3", "exits", "hangs", "dies"]),
        passes in 0usize..20,
        faults in prop::collection::vec(
            prop_oneof![
                2 => Just(Fault::None),
                1 => Just(Fault::Backoff),
                2 => (0u8..6).prop_map(|after| Fault::Killed { after }),
            ],
            0..12,
        ),
    ) {
        let mut world = settled("1");
        world.faults = faults;
        world.desire([instance("asterisk", new)]);
        world.passes(passes / 2);
        world.desire([instance("asterisk", next)]);
        world.passes(passes);
        make_unreadable(&mut world);
        world.settle();
        let runs = running(&world);
        prop_assert!(runs.is_some_and(|version| !world::is_bad(version)), "{:?}", world.log);
        prop_assert!(needs_newer_agent(&world));
        // From there a document that can be read still takes it where it should be.
        world.desire([instance("asterisk", "4")]);
        world.settle();
        prop_assert_eq!((running(&world), world.phase("asterisk")), (Some("4"), Phase::Ready));
    }
}

/// The agent was downgraded in the middle of a change, whose stage it does not know.
fn forget_the_stage(world: &mut World) {
    let updates = std::mem::take(&mut world.updates);
    let saved = SavedUpdates { updates, ..SavedUpdates::default() };
    let text = document::write(&saved).replace("\"name\":\"", "\"name\":\"later-");
    let saved: SavedUpdates = document::read(&text).unwrap();
    assert!(saved.updates.is_empty());
    world.unreadable = saved.unreadable;
    world.log.clear();
}

#[test]
fn an_instance_whose_update_is_at_an_unknown_stage_runs_on_and_is_changed_by_the_next_change() {
    let mut world = changing("1", "2");
    until_step(&mut world, "commit");
    forget_the_stage(&mut world);
    let before = started(&world);
    world.settle();
    assert!(needs_newer_agent(&world));
    assert_eq!((running(&world), started(&world)), (Some("2"), before));
    assert!(world.log.is_empty(), "{:?}", world.log);
    // What was desired stays desired: nothing has changed.
    world.desire([instance("asterisk", "2")]);
    assert!(needs_newer_agent(&world));
    world.desire([instance("asterisk", "3")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("3"), Phase::Ready));
}
