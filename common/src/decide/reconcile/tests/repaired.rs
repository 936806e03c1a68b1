//! What somebody changed about the version in use is put right beside its change, and what is stopped
//! stays so.

use super::*;
use crate::decide::difference::UnitChange;
use crate::decide::observed::{ObservedInstance, ObservedUnit, SettledDocument, UnitEnd};
use crate::decide::reconcile::Decision;
use crate::decide::update::NotDone;
use crate::document::update::InstanceUpdate;
use crate::id::{ComponentName, ContentHash};

fn asterisk() -> ComponentName {
    name("asterisk")
}

fn workload(version: &str) -> ContentHash {
    instance("asterisk", version).workload_hash()
}

/// Version 1 of asterisk runs again after its next version did not start.
fn rolled_back() -> World {
    let mut world = changing("1", "exits");
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    world
}

/// The update of asterisk, which is not in the record while nothing is known of it.
fn update(world: &mut World) -> InstanceUpdate {
    let share = &world.assignment.as_ref().unwrap().content.share;
    let desired_hash = share.instances[&asterisk()].instance.workload_hash();
    world.updates.remove(&asterisk()).unwrap_or_else(|| InstanceUpdate::new(desired_hash))
}

/// Decides about asterisk after somebody changed that.
fn changed(world: &World, change: impl FnOnce(&mut ObservedInstance)) -> Decision {
    let mut observed = world.observe();
    change(observed.instances.get_mut(&asterisk()).unwrap());
    world.with_observed(&observed, super::decide)[&asterisk()].clone()
}

fn unit(seen: &mut ObservedInstance) -> &mut ObservedUnit {
    seen.unit.as_mut().unwrap()
}

fn edit_unit(seen: &mut ObservedInstance) {
    let edited = UnitChange::Disabled { unit: "asterisk.service".parse().unwrap() };
    (unit(seen).stale, unit(seen).by_hand) = (true, vec![edited]);
}

fn rename(seen: &mut ObservedInstance) {
    let running = seen.containers.iter_mut().find(|container| container.is_running()).unwrap();
    "mine".clone_into(&mut running.name);
    seen.own_name = Some("oml-asterisk".to_owned());
}

fn edit_document(seen: &mut ObservedInstance) {
    seen.document.as_mut().unwrap().workload = ContentHash::of(b"edited");
}

fn edit_beside_workload(seen: &mut ObservedInstance) {
    let document = seen.document.as_mut().unwrap();
    let (hash, workload) = (document.hash.clone(), document.workload.clone());
    seen.settled = Some(SettledDocument { hash, workload });
    document.hash = ContentHash::of(b"edited");
}

fn remove_document(seen: &mut ObservedInstance) {
    seen.document.as_mut().unwrap().on_disk = false;
}

const CHANGES: [fn(&mut ObservedInstance); 6] = [
    edit_unit,
    |seen| seen.unit = None,
    edit_document,
    edit_beside_workload,
    remove_document,
    rename,
];

#[test]
fn what_somebody_changed_about_the_version_in_use_is_put_right_beside_its_change() {
    for world in [waiting_for_a_dependency(), rolled_back()] {
        assert_eq!(changed(&world, |_| ()).beside, None, "nothing was changed");
        for change in CHANGES {
            let decision = changed(&world, change);
            assert_eq!(decision.beside, Some(Step::Repair { in_use: workload("1") }));
            assert!(decision.step.is_none_or(|step| step == Step::Create));
        }
    }
}

#[test]
fn an_edited_unit_is_put_right_before_the_version_in_use_is_started_by_it() {
    for world in [waiting_for_a_dependency(), rolled_back()] {
        let decision = changed(&world, |seen| {
            edit_unit(seen);
            (unit(seen).active, unit(seen).restarts) = (ActiveState::Failed, 30);
            for container in &mut seen.containers {
                let at = Timestamp(1);
                container.state = ContainerState::Exited { code: 1, at, out_of_memory: false };
            }
        });
        assert_eq!(decision.beside, Some(Step::Repair { in_use: workload("1") }));
    }
}

#[test]
fn what_ran_last_is_in_use_where_its_document_was_changed_and_nothing_runs() {
    let decision = changed(&waiting_for_a_dependency(), |seen| {
        edit_document(seen);
        seen.last_good = Some(workload("1"));
        for container in seen.containers.iter_mut().filter(|it| it.hash == workload("1")) {
            let at = Timestamp(1);
            container.state = ContainerState::Exited { code: 1, at, out_of_memory: false };
        }
    });
    assert_eq!(decision.beside, Some(Step::Repair { in_use: workload("1") }));
}

#[test]
fn a_repair_that_was_tried_a_moment_ago_waits() {
    let mut world = waiting_for_a_dependency();
    let update = update(&mut world).after_beside(Outcome::Done, world.now);
    world.updates.insert(asterisk(), update);
    let decision = changed(&world, rename);
    assert_eq!((decision.step, decision.beside), (None, None));
    assert_eq!(decision.wake_at, Some(world.now.plus_ms(1_000)));
}

#[test]
fn a_version_in_use_that_cannot_be_put_right_is_started_all_the_same_in_turn() {
    let mut world = waiting_for_a_dependency();
    let since = world.now;
    let refused = || Outcome::Retry(NotDone::HostError("the disk is full".to_owned()));
    let ended = |seen: &mut ObservedInstance| {
        edit_unit(seen);
        (unit(seen).stale, unit(seen).active) = (false, ActiveState::Failed);
        for container in &mut seen.containers {
            let at = Timestamp(1);
            container.state = ContainerState::Exited { code: 1, at, out_of_memory: false };
        }
    };
    let repair = Step::Repair { in_use: workload("1") };
    for expected in [repair.clone(), Step::Start, repair] {
        assert_eq!(changed(&world, ended).beside, Some(expected));
        let update = update(&mut world).after_beside(refused(), since);
        world.updates.insert(asterisk(), update);
        world.now = world.now.plus_ms(60_000);
    }
}

#[test]
fn what_may_not_be_written_is_left_as_it_is() {
    let world = waiting_for_a_dependency();
    let in_the_way =
        ForeignObject::Unit { unit: "asterisk.service".parse().unwrap(), unreadable: None };
    let decisions = [
        changed(&world, |seen| {
            edit_unit(seen);
            unit(seen).masked = true;
        }),
        changed(&world, |seen| {
            edit_unit(seen);
            unit(seen).ended = Some(UnitEnd::Unknown);
        }),
        changed(&world, |seen| (seen.unit, seen.foreign) = (None, Some(in_the_way))),
        changed(&world, |seen| (seen.unit, seen.is_in_another_unit) = (None, true)),
    ];
    for decision in decisions {
        assert_eq!(decision.beside, None, "{decision:?}");
    }
}

#[test]
fn an_edited_unit_of_what_somebody_stopped_is_put_right_and_nothing_is_started() {
    let mut world = settled("1");
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    let decision = changed(&world, edit_unit);
    assert_eq!(decision.step, Some(Step::RewriteConfig));
    assert!(matches!(decision.phase, Phase::StoppedByHand { .. }), "{decision:?}");
    let unknown = changed(&world, |seen| {
        edit_unit(seen);
        unit(seen).ended = Some(UnitEnd::Unknown);
    });
    assert_eq!(unknown.step, None, "its stop would show no more");
}

#[test]
fn an_edited_unit_beside_a_foreign_container_is_put_right() {
    let decision = changed(&settled("1"), |seen| {
        edit_unit(seen);
        seen.foreign = Some(foreign_container());
    });
    assert_eq!(decision.step, Some(Step::RewriteConfig));
}
