//! What is decided for a host, case by case.

use crate::decide::difference::ForeignObject;
use crate::decide::observed::{ActiveState, ContainerState, ObservedContainer};
use crate::decide::update::{Outcome, ask_again, given_up, nothing, restart_timers};
use crate::document::assignment::OnDeadline;
use crate::document::instance::{Check, Instance};
use crate::document::report::Phase;
use crate::document::status::{Health, SupervisorRelease};
use crate::document::update::{LastGood, Stage};
use crate::time::Timestamp;

use super::{Busy, Input, Reason, Step, decide, report};

use self::world::{Fault, World, counted, foreign_unit, instance, name, packaged};

mod forward;
mod lost;
mod masked;
mod once;
mod packaged_ends;
mod properties;
mod queued;
mod refused;
mod reload;
mod repaired;
mod replaced;
mod revived;
mod rights;
mod seen_running;
mod unreadable;
mod unseen;
mod world;

/// A host on which version `old` of asterisk runs and was kept.
fn settled(old: &str) -> World {
    World::settled([instance("asterisk", old)])
}

/// Version `old` was kept, and `new` is desired.
fn changing(old: &str, new: &str) -> World {
    let mut world = settled(old);
    world.desire([instance("asterisk", new)]);
    world
}

/// The same with calls that are counted; there are none yet.
fn changing_counted(old: &str, new: &str) -> World {
    let mut world = with_calls(old, 0);
    world.desire([counted("asterisk", new)]);
    world
}

/// So many calls are up on version `old`, which was kept.
fn with_calls(old: &str, calls: u64) -> World {
    let mut world = World::settled([counted("asterisk", old)]);
    world.place("asterisk").calls = calls;
    world
}

/// systemd gave version 1 up, just now.
fn given_up_by_systemd() -> World {
    let mut world = settled("1");
    let now = world.now;
    let unit = world.place("asterisk").unit.as_mut().unwrap();
    (unit.active, unit.since, unit.restarts) = (ActiveState::Failed, now, 5);
    world
}

fn until_soaking(world: &mut World) {
    while !matches!(world.phase("asterisk"), Phase::Soaking { .. }) {
        world.pass();
    }
}

fn until_draining(world: &mut World) {
    while !matches!(world.phase("asterisk"), Phase::Draining { .. }) {
        world.pass();
    }
}

/// Version 2 of asterisk waits for postgres, whose new version did not start.
fn waiting_for_a_dependency() -> World {
    let mut world = World::settled([instance("asterisk", "1"), instance("postgres", "1")]);
    let mut new = instance("asterisk", "2");
    new.after = vec![name("postgres")];
    world.desire([new, instance("postgres", "exits")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Pending);
    world
}

#[test]
fn the_longest_times_that_a_document_can_name_overflow_nothing() {
    let mut longest = instance("asterisk", "2");
    longest.timing.start_timeout_ms = u64::MAX;
    longest.timing.stop_grace_ms = u64::MAX;
    longest.probe.interval_ms = u64::MAX;
    longest.probe.timeout_ms = u64::MAX;
    let mut world = settled("1");
    world.desire([longest]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
}

/// Passes until the next step is one of that name.
fn until_step(world: &mut World, verb: &str) {
    for _pass in 0..200 {
        if world.actions().iter().any(|action| action.step.as_str() == verb) {
            return;
        }
        world.pass();
    }
    panic!("{verb} never came: {:?}", world.log);
}

/// Passes until the agent is killed in a step of that name, after so many of its effects.
fn killed_in(world: &mut World, verb: &str, after: u8) {
    until_step(world, verb);
    world.faults = vec![Fault::Killed { after }];
    world.pass();
}

fn running_container(world: &World) -> Option<&ObservedContainer> {
    world.places.get(&name("asterisk"))?.containers.iter().find(|c| c.is_running())
}

/// The version that runs.
fn running(world: &World) -> Option<&str> {
    running_container(world).map(|container| container.version.as_str())
}

/// When what runs was started.
fn started(world: &World) -> Timestamp {
    match running_container(world).unwrap().state {
        ContainerState::Running { since } => since,
        ContainerState::Created | ContainerState::Exited { .. } => panic!("does not run"),
    }
}

#[test]
fn a_first_start_takes_these_steps() {
    let mut world = World::new();
    world.desire([instance("asterisk", "1")]);
    world.settle();
    let steps = ["pull", "create", "switch", "commit"].map(|step| format!("asterisk {step}"));
    assert_eq!(world.log, steps);
    assert_eq!(world.phase("asterisk"), Phase::Ready);
}

#[test]
fn another_version_is_made_ready_before_the_old_one_stops() {
    let mut world = changing("1", "2");
    world.settle();
    let steps = ["pull", "create", "switch", "commit"].map(|step| format!("asterisk {step}"));
    assert_eq!(world.log, steps);
    assert_eq!(running(&world), Some("2"));
    assert_eq!(world.place("asterisk").containers.len(), 2, "the version before is kept");
}

#[test]
fn a_version_that_does_not_start_gives_way_to_the_one_before() {
    for bad in ["exits", "hangs", "dies"] {
        let mut world = changing("1", bad);
        world.settle();
        assert_eq!(world.phase("asterisk"), Phase::RolledBack, "{bad}");
        assert_eq!(running(&world), Some("1"), "{bad}");
    }
}

#[test]
fn a_first_version_that_does_not_start_is_failed_and_left() {
    let mut world = World::new();
    world.desire([instance("asterisk", "exits")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Failed);
}

#[test]
fn a_version_that_failed_is_tried_again_after_another_was_desired() {
    let mut world = changing("1", "exits");
    world.settle();
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    world.log.clear();
    world.desire([instance("asterisk", "exits")]);
    world.settle();
    assert!(world.log.contains(&"asterisk switch".to_owned()));
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
}

#[test]
fn a_change_that_supersedes_an_unfinished_one_returns_to_the_last_good_version() {
    let mut world = changing("1", "2");
    until_soaking(&mut world);
    world.desire([instance("asterisk", "exits")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn what_a_failed_and_superseded_version_left_stopped_runs_while_the_next_is_made_ready() {
    let mut world = changing("1", "exits");
    while running(&world).is_some() {
        world.pass();
    }
    world.desire([instance("asterisk", "2")]);
    world.pass();
    assert_eq!(world.log.last().unwrap(), "asterisk roll-back");
    assert_eq!(running(&world), Some("1"));
    world.settle();
    assert_eq!(running(&world), Some("2"));
}

#[test]
fn a_version_come_back_to_in_its_soak_is_soaked_all_the_same() {
    for (version, end) in [("2", Phase::Ready), ("dies", Phase::RolledBack)] {
        let mut world = changing("1", version);
        until_soaking(&mut world);
        world.desire([instance("asterisk", "3")]);
        world.desire([instance("asterisk", version)]);
        world.pass();
        assert!(matches!(world.phase("asterisk"), Phase::Soaking { .. }));
        world.settle();
        assert_eq!(world.phase("asterisk"), end);
    }
}

#[test]
fn an_error_of_one_version_does_not_delay_another() {
    let mut world = settled("1");
    world.faults = vec![Fault::Backoff; 1];
    world.desire([instance("asterisk", "2")]);
    world.pass();
    assert_eq!(world.phase("asterisk"), Phase::Blocked);
    world.desire([instance("asterisk", "3")]);
    assert!(!world.actions().is_empty());
}

#[test]
fn calls_are_waited_for() {
    let mut world = with_calls("1", 12);
    world.desire([counted("asterisk", "2")]);
    world.passes(100);
    let Phase::Draining { .. } = world.phase("asterisk") else { panic!("not draining") };
    assert_eq!(running(&world), Some("1"));
    world.place("asterisk").calls = 1;
    world.passes(100);
    let reason = world.decide()[&name("asterisk")].reason.to_string();
    assert!(reason.starts_with("1 call is up"), "{reason}");
    world.place("asterisk").calls = 0;
    world.settle();
    assert_eq!(running(&world), Some("2"));
}

#[test]
fn calls_are_counted_and_a_deadline_holds_where_every_look_at_the_host_takes_long() {
    for (calls, ends_with) in [(0, "2"), (12, "1")] {
        let mut world = with_calls("1", calls);
        world.desire_with([counted("asterisk", "2")], OnDeadline::Abort);
        for _look in 0..60 {
            world.pass();
            world.now = world.now.plus_ms(6_000);
        }
        assert_eq!(running(&world), Some(ends_with), "{:?}", world.log);
        assert!(!matches!(world.phase("asterisk"), Phase::Draining { .. }), "{:?}", world.log);
    }
}

#[test]
fn calls_are_cut_at_the_deadline_only_when_the_operator_chose_so() {
    let ends = [(OnDeadline::Abort, "1", 0), (OnDeadline::Cut, "2", 12)];
    for (choice, version, cut) in ends {
        let mut world = with_calls("1", 12);
        let begun = world.now;
        world.desire_with([counted("asterisk", "2")], choice);
        world.settle();
        assert!(world.now.since_ms(begun) >= 60_000);
        assert_eq!(running(&world), Some(version));
        assert_eq!(world.updates[&name("asterisk")].calls_cut(), Some(cut));
    }
}

#[test]
fn a_stop_by_hand_is_respected_until_the_next_change() {
    let mut world = settled("1");
    let unit = world.place("asterisk").unit.as_mut().unwrap();
    (unit.active, unit.by_hand) = (ActiveState::Inactive, true);
    world.place("asterisk").containers[0].state = ContainerState::Created;
    world.settle();
    assert!(matches!(world.phase("asterisk"), Phase::StoppedByHand { .. }));
    assert_eq!(world.log, Vec::<String>::new());
    world.desire([instance("asterisk", "2")]);
    world.settle();
    assert_eq!(running(&world), Some("2"));
}

#[test]
fn a_unit_that_ended_again_and_again_is_started_rarely() {
    let mut world = given_up_by_systemd();
    let now = world.now;
    assert_eq!(world.phase("asterisk"), Phase::Unhealthy);
    assert_eq!(world.actions(), []);
    world.settle();
    assert_eq!(world.log, ["asterisk start"]);
    assert!(world.now.since_ms(now) >= 60_000);
}

#[test]
fn a_clock_set_back_does_not_keep_a_unit_that_gave_up_from_its_start() {
    let mut world = given_up_by_systemd();
    world.set_clock(-3_600_000);
    let set = world.now;
    world.settle();
    assert_eq!(world.log, ["asterisk start"]);
    assert!(world.now.since_ms(set) <= 61_000);
}

#[test]
fn what_is_not_ours_is_named_and_left_alone() {
    let mut world = World::new();
    world.place("asterisk").foreign = Some(foreign_unit("asterisk.service"));
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!(world.log, Vec::<String>::new());
    let decision = &world.decide()[&name("asterisk")];
    assert_eq!(decision.phase, Phase::Blocked);
    let object = foreign_unit("asterisk.service");
    assert_eq!(decision.reason, Reason::Foreign { object });
}

fn foreign_container() -> ForeignObject {
    ForeignObject::Container { name: "oml-asterisk".to_owned() }
}

#[test]
fn what_has_a_foreign_name_beside_it_is_started_again_and_stays_stopped_by_hand() {
    let mut world = settled("1");
    world.place("asterisk").foreign = Some(foreign_container());
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Blocked);
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    world.settle();
    assert!(matches!(world.phase("asterisk"), Phase::StoppedByHand { .. }));
    let mut world = given_up_by_systemd();
    world.place("asterisk").foreign = Some(foreign_container());
    world.settle();
    assert_eq!(world.log, ["asterisk start"]);
    assert_eq!(world.phase("asterisk"), Phase::Blocked);
}

#[test]
fn what_takes_a_newer_agent_is_left_as_it_is_while_the_others_go_on() {
    let mut world = World::settled([instance("asterisk", "1"), instance("redis", "1")]);
    let started = world.place("asterisk").containers[0].state.clone();
    world.desire([instance("asterisk", "2"), instance("redis", "2")]);
    unreadable::hold_one(&mut world, "asterisk");
    world.settle();
    assert!(!world.log.iter().any(|step| step.starts_with("asterisk")), "{:?}", world.log);
    assert!(world.log.contains(&"redis commit".to_owned()), "{:?}", world.log);
    let decision = &world.decide()[&name("asterisk")];
    assert_eq!(decision.phase, Phase::Blocked);
    assert!(
        decision.reason.to_string().starts_with("needs a newer agent: "),
        "{}",
        decision.reason
    );
    assert!(decision.reason.to_string().contains("colour"), "{}", decision.reason);
    assert_eq!(world.place("asterisk").containers[0].state, started);
}

#[test]
fn a_component_waits_for_those_before_it() {
    let mut world = World::new();
    let after = vec![name("redis")];
    world.desire([instance("redis", "1"), Instance { after, ..instance("asterisk", "1") }]);
    world.settle();
    let position = |step: &str| world.log.iter().position(|line| line == step).unwrap();
    assert!(position("redis switch") < position("asterisk switch"));
}

#[test]
fn what_is_not_desired_any_more_is_removed() {
    let mut world = settled("1");
    world.desire([]);
    world.settle();
    assert_eq!(world.log, ["asterisk remove"]);
    assert!(world.decide().is_empty());
}

#[test]
fn nothing_is_removed_before_a_revision_says_so() {
    let mut world = settled("1");
    world.desire([]);
    world.assignment.as_mut().unwrap().content.revision.0 = 0;
    world.settle();
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn a_lost_record_of_changes_restarts_nothing() {
    let mut world = settled("1");
    world.updates.clear();
    world.settle();
    assert_eq!(world.log, Vec::<String>::new());
    assert_eq!(world.phase("asterisk"), Phase::Ready);
}

#[test]
fn a_packaged_unit_is_started_by_its_new_drop_in_and_returns_to_the_old_one() {
    let mut world = World::settled([packaged("exporter", "one")]);
    assert_eq!(world.phase("exporter"), Phase::Ready);
    world.desire([packaged("exporter", "exits")]);
    world.settle();
    assert_eq!(world.phase("exporter"), Phase::RolledBack);
    assert_eq!(world.place("exporter").current, Some(packaged("exporter", "one")));
}

#[test]
fn an_interrupted_switch_is_done_again_however_long_the_agent_was_away() {
    let mut world = changing("1", "2");
    killed_in(&mut world, "switch", 1);
    assert!(matches!(world.updates[&name("asterisk")].stage, Stage::Switching { .. }));
    world.now = world.now.plus_ms(86_400_000);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!(running(&world), Some("2"));
}

#[test]
fn calls_of_what_is_removed_are_waited_for_too() {
    let mut world = World::settled([counted("asterisk", "1"), instance("redis", "1")]);
    world.place("asterisk").calls = 12;
    world.desire([instance("redis", "1")]);
    world.passes(100);
    assert_eq!(running(&world), Some("1"));
    let decision = &world.decide()[&name("asterisk")];
    assert!(matches!(decision.phase, Phase::Draining { .. }), "{decision:?}");
    assert!(decision.reason.to_string().starts_with("12 calls are up"), "{}", decision.reason);
    world.place("asterisk").calls = 0;
    world.settle();
    assert_eq!(running(&world), None);
}

#[test]
fn a_removal_that_is_given_up_at_the_deadline_stops_nothing() {
    let mut world = World::settled([counted("asterisk", "1"), instance("redis", "1")]);
    world.place("asterisk").calls = 12;
    world.desire_with([instance("redis", "1")], OnDeadline::Abort);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn calls_that_come_after_an_interrupted_switch_are_waited_for() {
    // Before and after the documents were changed.
    for after in 0..2 {
        let mut world = changing_counted("1", "2");
        killed_in(&mut world, "switch", after);
        world.place("asterisk").calls = 12;
        world.passes(50);
        assert_eq!(running(&world), Some("1"), "{after} effects");
        assert!(matches!(world.phase("asterisk"), Phase::Draining { .. }), "{after} effects");
        world.place("asterisk").calls = 0;
        world.settle();
        assert_eq!(running(&world), Some("2"), "{after} effects");
        let stage = &world.updates[&name("asterisk")].stage;
        assert!(matches!(stage, Stage::Committed { .. }), "{stage:?}");
    }
}

#[test]
fn a_reboot_in_the_soak_begins_it_again_and_is_not_held_against_the_version() {
    let mut world = changing("1", "2");
    until_soaking(&mut world);
    let now = world.now;
    let place = world.place("asterisk");
    place.unit.as_mut().unwrap().active = ActiveState::Inactive;
    for container in &mut place.containers {
        if container.is_running() {
            container.state = ContainerState::Exited { code: 137, at: now, out_of_memory: false };
        }
    }
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!(running(&world), Some("2"));
    assert!(world.now.since_ms(now) >= 5_000, "its soak was cut short");
}

#[test]
fn the_last_good_version_stays_until_the_next_is_recorded_as_kept_though_its_document_is_lost() {
    let mut world = World::settled([instance("asterisk", "exits")]);
    world.desire([instance("asterisk", "1")]);
    world.settle();
    // By the clocks of then and now, the one that failed is the last that ended.
    world.set_clock(-3_600_000);
    world.desire([instance("asterisk", "2")]);
    until_step(&mut world, "commit");
    world.place("asterisk").previous = None;
    killed_in(&mut world, "commit", 1);
    let last_good = instance("asterisk", "1").workload_hash();
    assert!(world.place("asterisk").known(&last_good).is_some());
}

fn with_port(version: &str, port: u16) -> Instance {
    let mut instance = instance("asterisk", version);
    instance.probe.check = Check::Tcp { port };
    instance
}

#[test]
fn the_answer_to_an_earlier_probe_is_none_to_the_present_one() {
    let mut world = settled("1");
    world.desire([with_port("1", 5080)]);
    let phase_if_asked = |world: &World, port: u16| {
        let mut observed = world.observe();
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.status.as_mut().unwrap().probe = Some(with_port("1", port).probe);
        world.with_observed(&observed, decide)[&name("asterisk")].phase
    };
    // As long as its supervisor cannot know better, it asks the right thing.
    assert_eq!(phase_if_asked(&world, 5060), Phase::Preparing);
    world.settle();
    assert_eq!(world.log, ["asterisk rewrite-config"]);
    assert_eq!(phase_if_asked(&world, 5060), Phase::Starting);
    assert_eq!(phase_if_asked(&world, 5080), Phase::Ready);
}

#[test]
fn a_probe_that_changes_in_a_soak_neither_ends_it_nor_is_forgotten() {
    let mut world = changing("1", "2");
    while !matches!(world.phase("asterisk"), Phase::Soaking { .. }) {
        world.pass();
    }
    world.desire([with_port("2", 5080)]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready, "{:?}", world.log);
    assert_eq!(running(&world), Some("2"));
    assert_eq!(world.place("asterisk").current, Some(with_port("2", 5080)));
}

#[test]
fn what_never_passed_its_soak_and_is_held_is_no_success_when_it_is_asked_for_again() {
    let mut world = changing("1", "2");
    while !matches!(world.phase("asterisk"), Phase::Soaking { .. }) {
        world.pass();
    }
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    world.registry_away = true;
    world.desire([instance("asterisk", "3")]);
    world.passes(5);
    world.desire([instance("asterisk", "2")]);
    world.passes(5);
    assert_eq!(world.phase("asterisk"), Phase::Blocked, "{:?}", world.log);
}

#[test]
fn nothing_is_reported_as_ready_before_it_is_recorded_as_kept() {
    let mut world = changing("1", "2");
    until_step(&mut world, "commit");
    let busy =
        [(name("asterisk"), Busy { step: Step::Commit { previous: None }, bytes: (0, 0) })].into();
    let decisions = decide(Input {
        assignment: world.assignment.as_ref(),
        observed: &world.observe(),
        updates: &world.updates,
        unreadable: &world.unreadable,
        busy: &busy,
        now: world.now,
    });
    assert!(matches!(decisions[&name("asterisk")].phase, Phase::Soaking { .. }));
}

#[test]
fn what_was_given_up_is_tried_again_when_a_later_revision_asks_for_it() {
    let ends = [(settled("1"), Phase::RolledBack), (World::new(), Phase::Failed)];
    for (mut world, end) in ends {
        world.desire([instance("asterisk", "exits")]);
        world.settle();
        assert_eq!(world.phase("asterisk"), end);
        let held = world.assignment.clone().unwrap();
        assert!(!ask_again(&mut world.updates, &held, &held, world.now));
        let mut offered = held.clone();
        offered.generation.number += 1;
        offered.content.revision.0 += 1;
        assert!(ask_again(&mut world.updates, &held, &offered, world.now));
        world.assignment = Some(offered);
        world.log.clear();
        world.settle();
        assert!(world.log.contains(&"asterisk switch".to_owned()), "{:?}", world.log);
        assert_eq!(world.phase("asterisk"), end);
    }
}

#[test]
fn a_version_whose_container_was_pruned_in_the_soak_of_the_next_comes_back() {
    let mut world = changing("1", "dies");
    until_soaking(&mut world);
    world.place("asterisk").containers.retain(|c| c.is_running());
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn the_last_good_version_comes_back_however_many_superseded_each_other_since() {
    let mut world = settled("1");
    for version in ["2", "3", "4"] {
        world.desire([instance("asterisk", version)]);
        until_soaking(&mut world);
    }
    world.desire([instance("asterisk", "1")]);
    until_soaking(&mut world);
    world.desire([instance("asterisk", "dies")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn a_version_that_never_came_up_and_was_superseded_gives_way_to_the_last_good_one() {
    for bad in ["hangs", "exits"] {
        for effects in 2..4 {
            let mut world = changing_counted("1", bad);
            killed_in(&mut world, "switch", effects);
            world.registry_away = true;
            world.place("asterisk").calls = 12;
            world.desire([counted("asterisk", "3")]);
            let begun = world.now;
            while running(&world) != Some("1") {
                world.pass();
                // Its start time-out, and no more than one try more.
                let waited_ms = world.now.since_ms(begun);
                assert!(waited_ms < 35_000, "{bad}, {effects}: {:?}", world.log);
            }
        }
    }
}

#[test]
fn a_version_that_never_answered_is_not_asked_for_its_calls() {
    let mut world = World::new();
    world.desire([counted("asterisk", "hangs")]);
    killed_in(&mut world, "switch", 3);
    assert_eq!(running(&world), Some("hangs"));
    world.place("asterisk").calls = 12;
    world.log.clear();
    world.desire([counted("asterisk", "2")]);
    world.settle();
    assert_eq!(running(&world), Some("2"));
    assert!(!world.log.contains(&"asterisk count-active".to_owned()), "{:?}", world.log);
}

#[test]
fn what_answered_is_not_stopped_for_its_successor_because_its_supervisor_is_replaced() {
    let mut world = changing_counted("1", "2");
    until_soaking(&mut world);
    world.registry_away = true;
    world.desire([counted("asterisk", "3")]);
    let observed = {
        let unit = world.place("asterisk").unit.as_mut().unwrap();
        (unit.active, unit.restarts, unit.result) = (ActiveState::Activating, 1, "signal");
        let mut observed = world.observe();
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.status.as_mut().unwrap().health = Health::Healthy;
        observed
    };
    let decisions = world.with_observed(&observed, decide);
    assert_eq!(decisions[&name("asterisk")].step, Some(Step::Pull));
}

#[test]
fn a_return_whose_end_was_not_seen_is_not_done_again() {
    let mut world = changing("1", "exits");
    // Document, stop and start, and not the name.
    killed_in(&mut world, "roll-back", 3);
    let before = started(&world);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(started(&world), before);
    let place = world.place("asterisk");
    let names: Vec<&str> = place.containers.iter().map(|c| c.name.as_str()).collect();
    assert!(names.contains(&"oml-asterisk"), "{names:?}");
}

/// Version 1 passed its soak, the next one failed, and the rollback to version 1 failed once.
fn after_failed_return() -> World {
    let mut world = changing("1", "exits");
    until_step(&mut world, "roll-back");
    let name = name("asterisk");
    let step = world.actions()[0].step.clone();
    let failure = given_up(nothing(), None, "the host was out of memory".to_owned(), world.now);
    let update = world.updates.remove(&name).unwrap();
    world.updates.insert(name, update.after(&step, Outcome::Failed(failure), world.now));
    let place = world.place("asterisk");
    place.current = place.previous.clone();
    world
}

#[test]
fn a_return_that_failed_once_is_tried_again() {
    let mut world = after_failed_return();
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn a_return_that_failed_once_does_not_keep_later_ones_from_being_tried() {
    let mut world = after_failed_return();
    // The rollout takes its pointer back before the version before has come up.
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!(running(&world), Some("1"));
    world.desire([instance("asterisk", "dies")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn a_stop_by_hand_during_a_switch_is_respected() {
    let mut world = changing("1", "2");
    killed_in(&mut world, "switch", 3);
    world.now = world.now.plus_ms(10);
    let now = world.now;
    let place = world.place("asterisk");
    place.stop_by_hand(now);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Blocked, "{:?}", world.log);
    assert_eq!(running(&world), None);
    assert!(!world.log.contains(&"asterisk fail".to_owned()), "{:?}", world.log);
}

#[test]
fn what_is_stopped_by_hand_in_its_soak_has_not_passed_it() {
    let mut world = changing("1", "2");
    while !matches!(world.phase("asterisk"), Phase::Soaking { .. }) {
        world.pass();
    }
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Blocked, "{:?}", world.log);
    assert!(!world.log.contains(&"asterisk commit".to_owned()), "{:?}", world.log);
    // The next change releases it.
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn what_went_back_and_is_stopped_by_hand_is_reported_as_both() {
    let mut world = changing("1", "exits");
    world.settle();
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    world.settle();
    let decision = &world.decide()[&name("asterisk")];
    assert_eq!(decision.phase, Phase::RolledBack);
    assert!(
        decision.reason.to_string().ends_with("; stopped on the host by hand"),
        "{}",
        decision.reason
    );
    assert_eq!(running(&world), None);
}

#[test]
fn a_stop_by_hand_before_a_return_is_respected() {
    let mut world = changing("1", "exits");
    until_step(&mut world, "roll-back");
    let now = world.now;
    let place = world.place("asterisk");
    place.stop_by_hand(now);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Failed, "{:?}", world.log);
    assert_eq!(running(&world), None);
}

#[test]
fn an_interrupted_switch_gives_its_document_back_before_it_waits_for_calls() {
    let mut world = changing_counted("1", "2");
    killed_in(&mut world, "switch", 1);
    assert_eq!(world.place("asterisk").current, Some(counted("asterisk", "2")));
    world.place("asterisk").calls = 12;
    world.passes(10);
    assert!(matches!(world.phase("asterisk"), Phase::Draining { .. }));
    assert_eq!(world.place("asterisk").current, Some(counted("asterisk", "1")));
}

#[test]
fn a_change_that_was_kept_is_drained_like_any_other_when_it_has_to_be_made_again() {
    let mut world = changing_counted("1", "2");
    world.settle();
    let desired_hash = counted("asterisk", "1").workload_hash();
    world.updates.get_mut(&name("asterisk")).unwrap().desired_hash = desired_hash;
    world.place("asterisk").calls = 12;
    world.desire([counted("asterisk", "1")]);
    world.passes(10);
    let decision = &world.decide()[&name("asterisk")];
    assert!(decision.reason.to_string().starts_with("12 calls are up"), "{}", decision.reason);
}

#[test]
fn calls_that_were_cut_are_still_reported_after_the_version_failed() {
    let mut world = with_calls("1", 12);
    world.desire_with([counted("asterisk", "exits")], OnDeadline::Cut);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!(world.updates[&name("asterisk")].calls_cut(), Some(12));
}

#[test]
fn what_failed_is_started_again_though_what_it_comes_after_runs_its_version_before() {
    let mut world = World::new();
    let after = vec![name("redis")];
    let asterisk = Instance { after, ..instance("asterisk", "1") };
    world.desire([instance("redis", "1"), asterisk.clone()]);
    world.settle();
    world.desire([instance("redis", "exits"), asterisk]);
    world.settle();
    assert_eq!(world.phase("redis"), Phase::RolledBack);
    let now = world.now;
    let place = world.place("asterisk");
    for container in &mut place.containers {
        container.state = ContainerState::Exited { code: 1, at: now, out_of_memory: false };
    }
    let unit = place.unit.as_mut().unwrap();
    (unit.active, unit.since) = (ActiveState::Failed, now);
    world.settle();
    assert_eq!(running(&world), Some("1"));
}

#[test]
fn a_packaged_unit_whose_document_is_lost_gets_it_back_and_is_not_restarted() {
    let mut world = World::settled([packaged("exporter", "one")]);
    let since = world.place("exporter").unit.as_ref().unwrap().since;
    world.place("exporter").current = None;
    world.settle();
    assert_eq!(world.log, ["exporter rewrite-config"]);
    assert_eq!(world.place("exporter").current, Some(packaged("exporter", "one")));
    assert_eq!(world.place("exporter").unit.as_ref().unwrap().since, since);
}

#[test]
fn a_packaged_unit_is_not_restarted_because_its_text_is_to_be_written_or_read_again() {
    let mut world = World::settled([packaged("exporter", "one")]);
    let unit = world.place("exporter").unit.as_mut().unwrap();
    let since = unit.since;
    unit.text = packaged("exporter", "as an earlier agent wrote it");
    world.settle();
    assert_eq!(world.log, ["exporter rewrite-config"]);
    assert_eq!(world.place("exporter").unit.as_ref().unwrap().since, since);
}

#[test]
fn a_packaged_unit_is_not_reported_healthy_while_systemd_is_away() {
    let world = World::settled([packaged("exporter", "one")]);
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("exporter")).unwrap();
    let reported_at = Timestamp(world.now.0 - 40_000);
    seen.units_at = Some(reported_at);
    for (is_away, health) in [(false, Health::Healthy), (true, Health::Unknown)] {
        observed.instances.get_mut(&name("exporter")).unwrap().systemd_is_away = is_away;
        let mut reports = world.with_observed(&observed, |input| report(input, &decide(input)));
        let report = reports.remove(&name("exporter")).unwrap();
        assert_eq!((report.health, report.checked_at), (health, Some(reported_at)));
        assert_eq!(report.phase == Phase::Ready, !is_away);
    }
}

#[test]
fn calls_of_a_leftover_count_as_up_where_nothing_counts_them() {
    let world = World::settled([counted("asterisk", "1"), instance("redis", "1")]);
    for lost_label in [false, true] {
        let mut world = world.clone();
        let place = world.place("asterisk");
        (place.current, place.calls) = (None, 12);
        if lost_label {
            place.labels.clear();
        }
        world.desire([instance("redis", "1")]);
        world.passes(20);
        assert!(matches!(world.phase("asterisk"), Phase::Draining { .. }), "{:?}", world.log);
        assert_eq!(running(&world), Some("1"));
    }
}

#[test]
fn a_clock_that_is_set_neither_cuts_a_drain_short_nor_makes_it_longer() {
    for by_ms in [3_600_000, -3_600_000] {
        let mut world = with_calls("1", 12);
        world.desire_with([counted("asterisk", "2")], OnDeadline::Cut);
        until_draining(&mut world);
        let begun = world.now;
        while world.now.since_ms(begun) < 50_000 {
            world.pass();
        }
        world.set_clock(by_ms);
        let set = world.now;
        world.passes(4);
        assert_eq!(running(&world), Some("1"), "cut before the deadline");
        world.settle();
        assert_eq!(running(&world), Some("2"));
        assert!(started(&world).since_ms(set) <= 11_000, "waited beyond the deadline");
    }
}

#[test]
fn a_clock_that_is_set_neither_ends_a_soak_nor_begins_it_again() {
    for by_ms in [3_600_000, -3_600_000] {
        let mut world = changing("1", "2");
        until_soaking(&mut world);
        world.set_clock(by_ms);
        world.log.clear();
        let set = world.now;
        world.pass();
        assert!(matches!(world.phase("asterisk"), Phase::Soaking { .. }));
        while world.phase("asterisk") != Phase::Ready {
            world.pass();
        }
        assert!(world.now.since_ms(set) >= 4_900, "its soak was cut short");
        assert!(world.now.since_ms(set) <= 6_000, "its soak was made longer");
        assert_eq!(world.log, ["asterisk commit"]);
    }
}

#[test]
fn after_another_boot_a_drain_begins_again() {
    let mut world = with_calls("1", 12);
    world.desire_with([counted("asterisk", "2")], OnDeadline::Cut);
    until_draining(&mut world);
    // A year later, or so its clock says.
    world.now = world.now.plus_ms(365 * 86_400_000);
    restart_timers(&mut world.updates, world.now);
    world.pass();
    assert_eq!(running(&world), Some("1"));
    assert!(matches!(world.phase("asterisk"), Phase::Draining { .. }));
}

#[test]
fn what_was_checked_in_the_future_is_not_known() {
    let mut world = settled("1");
    let mut observed = world.observe();
    world.now = world.now.shifted_ms(-3_600_000);
    for (ahead_ms, phase) in [(3_600_000, Phase::Unhealthy), (500, Phase::Ready)] {
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.status.as_mut().unwrap().checked_at = world.now.plus_ms(ahead_ms);
        let decisions = world.with_observed(&observed, decide);
        assert_eq!(decisions[&name("asterisk")].phase, phase);
    }
}

#[test]
fn a_switch_that_is_taken_back_before_its_stop_restarts_nothing() {
    let mut world = settled("1");
    let before = started(&world);
    world.desire([instance("asterisk", "2")]);
    killed_in(&mut world, "switch", 1);
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!(started(&world), before);
    assert_eq!(world.place("asterisk").current, Some(instance("asterisk", "1")));
}

#[test]
fn a_supervisor_of_another_release_that_does_not_ask_the_new_probe_is_replaced() {
    let step = |supervisor: Option<SupervisorRelease>, is_asked: bool| {
        let world = settled("1");
        let mut observed = world.observe();
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        let status = seen.status.as_mut().unwrap();
        status.supervisor = supervisor;
        if !is_asked {
            status.probe.as_mut().unwrap().interval_ms += 1;
        }
        let decision = world.with_observed(&observed, decide).remove(&name("asterisk")).unwrap();
        (decision.step, decision.reason)
    };
    let own = SupervisorRelease::own();
    let other = SupervisorRelease { release: "0.0.1".to_owned(), ..own.clone() };
    let lacking = SupervisorRelease { features: ["container".to_owned()].into(), ..other.clone() };
    let replaced = (Some(Step::ReplaceSupervisor), Reason::OldSupervisor);
    assert_eq!(step(Some(other.clone()), false), replaced);
    assert_eq!(step(None, false), replaced, "one that is older than the field");
    assert_eq!(step(Some(lacking), true), replaced);
    // One that does what is asked goes on, and one of this release only has to be waited for.
    for (supervisor, is_asked) in
        [(Some(other), true), (None, true), (Some(own.clone()), true), (Some(own), false)]
    {
        assert_eq!(step(supervisor, is_asked).0, None);
    }
}
