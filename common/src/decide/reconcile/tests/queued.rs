//! Units with a job of systemd that waits for others.

use super::world::{World, instance, name, packaged};
use super::{ActiveState, Phase, Stage, Step, Timestamp};
use crate::decide::observed::{ObservedInstance, ObservedUnit, WaitingJob};
use crate::decide::reconcile::Decision;
use crate::document::update::LastGood;

const WAITS: &str = "a systemd job (start) of its unit waits for other jobs";

fn queue(unit: &mut ObservedUnit, since: Timestamp) {
    (unit.active, unit.ended) = (ActiveState::Inactive, None);
    unit.job = Some(WaitingJob { number: 7, kind: "start".to_owned(), since: Some(since) });
}

/// Decides as if the unit of the component rested with a start that waits since then.
fn waiting(world: &World, component: &str, since: Timestamp) -> Decision {
    changed(world, component, |seen| queue(seen.unit.as_mut().unwrap(), since))
}

fn changed(world: &World, component: &str, change: impl FnOnce(&mut ObservedInstance)) -> Decision {
    let mut observed = world.observe();
    change(observed.instances.get_mut(&name(component)).unwrap());
    world.with_observed(&observed, super::decide)[&name(component)].clone()
}

fn is_held(decision: &Decision) {
    assert!(!decision.acts(), "{decision:?}");
    assert!(decision.reason.to_string().contains(WAITS), "{}", decision.reason);
}

#[test]
fn a_unit_whose_start_waits_is_starting_and_nothing_is_started_over_the_job() {
    for settled in [instance("asterisk", "1"), packaged("asterisk", "1")] {
        let world = World::settled([settled]);
        let decision = waiting(&world, "asterisk", world.now);
        is_held(&decision);
        assert_eq!(
            (decision.phase, decision.reason.to_string().as_str()),
            (Phase::Starting, WAITS)
        );
    }
}

#[test]
fn a_job_that_waits_for_longer_than_a_start_takes_is_reported_as_a_block() {
    let world = World::settled([packaged("kamailio", "one")]);
    let early = waiting(&world, "kamailio", world.now);
    let limit_ms = 40_000;
    assert_eq!(early.wake_at, Some(world.now.plus_ms(limit_ms)));
    let late = waiting(&world, "kamailio", Timestamp(world.now.0 - limit_ms));
    is_held(&late);
    assert_eq!(late.phase, Phase::Blocked);
    let reason = late.reason.to_string();
    assert!(
        reason.ends_with("for more than 40s; run systemctl list-jobs on the host to see which")
    );
}

#[test]
fn a_start_that_systemd_already_makes_is_no_job_that_waits() {
    let world = World::settled([packaged("kamailio", "one")]);
    let decision = changed(&world, "kamailio", |seen| {
        seen.unit.as_mut().unwrap().active = ActiveState::Activating;
    });
    assert_eq!(decision.reason.to_string(), "systemd is starting it");
}

/// A host on which the switch to another version was begun and interrupted.
fn interrupted(
    old: crate::document::instance::Instance,
    new: crate::document::instance::Instance,
) -> World {
    let mut world = World::settled([old]);
    world.desire([new]);
    while !matches!(world.phase("asterisk"), Phase::Soaking { .. }) {
        world.pass();
    }
    let update = world.updates.get_mut(&name("asterisk")).unwrap();
    update.stage = Stage::Switching { since: world.now, calls_cut: Some(0), drained_since: None };
    world
}

#[test]
fn a_version_whose_start_waits_has_not_failed_and_its_switch_goes_on_when_the_job_has_ended() {
    for (old, new) in [
        (instance("asterisk", "1"), instance("asterisk", "2")),
        (packaged("asterisk", "1"), packaged("asterisk", "2")),
    ] {
        let world = interrupted(old, new);
        for result in ["success", "exit-code"] {
            let decision = changed(&world, "asterisk", |seen| {
                let unit = seen.unit.as_mut().unwrap();
                result.clone_into(&mut unit.result);
                queue(unit, world.now);
                unit.since = world.now;
            });
            is_held(&decision);
        }
        let starts = changed(&world, "asterisk", |seen| {
            seen.unit.as_mut().unwrap().since = world.now;
        });
        assert_eq!(starts.step, Some(Step::Soak), "{starts:?}");
    }
}

#[test]
fn the_time_of_a_start_counts_from_when_its_job_began() {
    let mut world = interrupted(packaged("asterisk", "1"), packaged("asterisk", "2"));
    world.now = world.now.plus_ms(3_600_000);
    let decision = changed(&world, "asterisk", |seen| {
        let unit = seen.unit.as_mut().unwrap();
        (unit.active, unit.since) = (ActiveState::Activating, world.now);
    });
    assert!(!decision.acts(), "{decision:?}");
}

#[test]
fn a_version_whose_job_waits_in_its_soak_is_not_given_up() {
    for (old, new) in [
        (instance("asterisk", "1"), instance("asterisk", "2")),
        (packaged("asterisk", "1"), packaged("asterisk", "2")),
    ] {
        let mut world = World::settled([old]);
        world.desire([new]);
        while !matches!(world.phase("asterisk"), Phase::Soaking { .. }) {
            world.pass();
        }
        world.now = world.now.plus_ms(1_000);
        let decision = changed(&world, "asterisk", |seen| {
            let unit = seen.unit.as_mut().unwrap();
            queue(unit, world.now);
            unit.since = world.now;
        });
        is_held(&decision);
    }
}

#[test]
fn a_failed_version_is_not_rolled_back_while_a_job_waits_and_its_failure_is_still_said() {
    let mut world = World::settled([instance("asterisk", "1")]);
    world.desire([instance("asterisk", "exits")]);
    while !matches!(
        world.updates.get(&name("asterisk")).map(|it| &it.stage),
        Some(Stage::Failed { .. })
    ) {
        world.pass();
    }
    let update = world.updates.get(&name("asterisk")).unwrap();
    assert!(matches!(update.last_good, LastGood::Previous(_)));
    let decision = waiting(&world, "asterisk", world.now);
    is_held(&decision);
    let (failure, reason) = (world.updates[&name("asterisk")].failure().unwrap(), &decision.reason);
    assert!(reason.to_string().starts_with(&failure.message), "{reason}");
}

#[test]
fn the_version_in_use_is_not_started_over_a_job_beside_a_change_that_waits() {
    let mut world = World::settled([instance("asterisk", "1")]);
    world.registry_away = true;
    world.desire([instance("asterisk", "2")]);
    world.pass();
    let decision = changed(&world, "asterisk", |seen| {
        for container in &mut seen.containers {
            container.state =
                super::ContainerState::Exited { code: 0, at: world.now, out_of_memory: false };
        }
        queue(seen.unit.as_mut().unwrap(), world.now);
    });
    assert_eq!(decision.beside, None);
    assert!(decision.reason.to_string().contains(WAITS), "{}", decision.reason);
}

#[test]
fn a_version_in_use_that_only_a_newer_agent_can_read_is_not_started_over_a_job() {
    let mut world = World::settled([instance("asterisk", "1")]);
    world.desire([instance("asterisk", "2")]);
    let own_name = "\"kind\":\"container\"";
    world.desire_text(|text| text.replace(own_name, &format!("{own_name},\"colour\":\"blue\"")));
    let rests = changed(&world, "asterisk", |seen| {
        seen.containers.clear();
        seen.unit.as_mut().unwrap().active = ActiveState::Inactive;
    });
    assert_eq!(rests.step, Some(Step::Start), "{rests:?}");
    let decision = changed(&world, "asterisk", |seen| {
        seen.containers.clear();
        queue(seen.unit.as_mut().unwrap(), world.now);
    });
    is_held(&decision);
    assert!(decision.reason.to_string().starts_with("needs a newer agent"), "{}", decision.reason);
}

#[test]
fn a_component_that_is_not_desired_any_more_is_removed_also_while_a_job_waits() {
    let mut world = World::settled([packaged("kamailio", "one")]);
    world.desire([]);
    let decision = waiting(&world, "kamailio", world.now);
    assert!(matches!(decision.step, Some(Step::Remove { .. })), "{decision:?}");
}
