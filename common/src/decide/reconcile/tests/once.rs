//! What runs once before a version starts: when, how often, and what happens when it fails.

use proptest::prelude::*;

use super::*;
use crate::document::Verbatim;
use crate::document::instance::{Container, OperationCommand, OperationStep, Workload};

fn step(operation: &str) -> OperationStep {
    let run = OperationCommand {
        command: vec![operation.to_owned()],
        entrypoint: Vec::new(),
        env: [].into(),
        deadline_ms: 60_000,
    };
    OperationStep { operation: operation.parse().unwrap(), run, irreversible: false }
}

fn migrating(version: &str) -> Instance {
    Instance { migrations: vec![step("migrate")], ..instance("asterisk", version) }
}

/// The same image with another environment.
fn with_other_settings(version: &str) -> Instance {
    let instance = migrating(version);
    let container = instance.container().unwrap().clone();
    let env = [("COLOUR".parse().unwrap(), "blue".to_owned())].into();
    let workload = Verbatim::seal(Workload::Container(Container { env, ..container }));
    Instance { workload, ..instance }
}

/// Version 1 was kept, and version 2 is desired, which has a migration.
fn upgrading() -> World {
    let mut world = settled("1");
    world.desire([migrating("2")]);
    world
}

/// A later revision asks for the same again.
fn ask_again_for_it(world: &mut World) {
    let held = world.assignment.clone().unwrap();
    let mut offered = held.clone();
    offered.content.revision.0 += 1;
    ask_again(&mut world.updates, &held, &offered, world.now);
    world.assignment = Some(offered);
}

fn runs(world: &World) -> usize {
    world.places[&name("asterisk")].runs.len()
}

#[test]
fn a_migration_runs_once_while_the_old_version_goes_on() {
    let mut world = upgrading();
    world.settle();
    let steps: Vec<&str> = world.log.iter().map(|it| it.trim_start_matches("asterisk ")).collect();
    assert_eq!(steps, ["pull", "create", "migration", "switch", "commit"]);
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_running_and_is_not_repeated() {
    let mut world = upgrading();
    let running_since = started(&world);
    world.place("asterisk").run_status = 1;
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    let reason = world.decide()[&name("asterisk")].reason.to_string();
    assert_eq!(reason, "the run migrate failed");
    assert_eq!((running(&world), started(&world)), (Some("1"), running_since));
    // Nor is it where the agent has lost its record of the update.
    world.place("asterisk").run_status = 0;
    world.updates.clear();
    world.settle();
    assert_eq!(world.phase("asterisk"), Phase::RolledBack);
    assert_eq!((running(&world), started(&world), runs(&world)), (Some("1"), running_since, 1));
}

#[test]
fn a_first_version_whose_migration_failed_is_not_started() {
    let mut world = World::new();
    world.place("asterisk").run_status = 1;
    world.desire([migrating("1")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (None, Phase::Failed));
    world.place("asterisk").run_status = 0;
    ask_again_for_it(&mut world);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("1"), 2));
}

#[test]
fn a_later_revision_that_asks_for_the_version_runs_its_migration_again() {
    let mut world = upgrading();
    world.place("asterisk").run_status = 1;
    world.settle();
    world.place("asterisk").run_status = 0;
    ask_again_for_it(&mut world);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("2"), 2));
}

#[test]
fn a_migration_that_succeeded_is_not_repeated_when_its_version_is_tried_again() {
    let mut world = settled("1");
    world.desire([migrating("exits")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
    ask_again_for_it(&mut world);
    world.settle();
    assert_eq!((world.phase("asterisk"), runs(&world)), (Phase::RolledBack, 1));
}

#[test]
fn other_settings_of_the_same_image_and_the_way_back_need_no_migration() {
    let mut world = upgrading();
    world.settle();
    world.desire([with_other_settings("2")]);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("2"), 1));
    world.desire([migrating("3")]);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("3"), 2));
    world.desire([migrating("2")]);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("2"), 2));
}

#[test]
fn a_run_of_a_superseded_version_ends_before_the_next_one_begins() {
    let mut world = upgrading();
    killed_in(&mut world, "migration", 1);
    let first = world.place("asterisk").runs[0].id;
    world.desire([migrating("3")]);
    while runs(&world) == 1 {
        world.pass();
    }
    let place = world.place("asterisk");
    assert!(place.runs[0].result.is_some(), "two run at the same time");
    assert_ne!(place.runs[1].id, first);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("3"), 2));
}

#[test]
fn a_preparation_runs_once_before_the_first_start_on_the_host() {
    let prepared = |version| Instance { preparations: vec![step("create")], ..migrating(version) };
    let mut world = World::new();
    world.desire([prepared("1")]);
    world.settle();
    let once = |log: &[String]| {
        let steps = log.iter().map(|it| it.trim_start_matches("asterisk ").to_owned());
        steps.filter(|it| it == "preparation" || it == "migration").collect::<Vec<String>>()
    };
    assert_eq!(once(&world.log), ["preparation", "migration"]);
    world.log.clear();
    world.desire([prepared("2")]);
    world.settle();
    assert_eq!((running(&world), once(&world.log)), (Some("2"), vec!["migration".to_owned()]));
}

#[test]
fn the_old_version_is_started_again_while_a_migration_runs() {
    let mut world = upgrading();
    until_step(&mut world, "migration");
    let step = world.actions()[0].step.clone();
    let place = world.place("asterisk");
    place.unit.as_mut().unwrap().active = ActiveState::Failed;
    place.containers[0].state =
        ContainerState::Exited { code: 1, at: Timestamp(1), out_of_memory: false };
    let busy = [(name("asterisk"), Busy { step, bytes: (0, 0) })].into();
    let decision = world.with_observed(&world.observe(), |input| {
        decide(Input { busy: &busy, ..input })[&name("asterisk")].clone()
    });
    assert_eq!(decision.beside, Some(Step::Start), "{decision:?}");
    assert!(decision.reason.to_string().starts_with("the migration migrate is running"));
}

#[test]
fn a_version_that_is_desired_again_is_started_while_the_migration_of_another_one_still_runs() {
    let mut world = upgrading();
    until_step(&mut world, "migration");
    let step = world.actions()[0].step.clone();
    world.desire([instance("asterisk", "1")]);
    let place = world.place("asterisk");
    place.unit.as_mut().unwrap().active = ActiveState::Failed;
    place.containers[0].state =
        ContainerState::Exited { code: 1, at: Timestamp(1), out_of_memory: false };
    let busy = [(name("asterisk"), Busy { step, bytes: (0, 0) })].into();
    let decision = world.with_observed(&world.observe(), |input| {
        decide(Input { busy: &busy, ..input })[&name("asterisk")].clone()
    });
    assert_eq!(decision.beside, Some(Step::Start), "{decision:?}");
}

#[test]
fn a_host_that_lost_its_documents_and_its_runs_repeats_nothing_for_what_ran_there() {
    let prepared = |version| Instance { preparations: vec![step("create")], ..migrating(version) };
    let mut world = World::new();
    world.desire([prepared("1")]);
    world.settle();
    let now = world.now;
    let place = world.place("asterisk");
    (place.current, place.previous) = (None, None);
    place.runs.clear();
    let ended = ContainerState::Exited { code: 0, at: now, out_of_memory: false };
    place.containers[0].state = ended;
    let unit = place.unit.as_mut().unwrap();
    (unit.active, unit.since) = (ActiveState::Inactive, now);
    world.settle();
    assert_eq!((running(&world), runs(&world)), (Some("1"), 0), "{:?}", world.log);
}

/// A migration that cannot be undone.
fn irreversible(version: &str) -> Instance {
    let step = OperationStep { irreversible: true, ..step("migrate") };
    Instance { migrations: vec![step], ..instance("asterisk", version) }
}

#[test]
fn nothing_goes_back_over_a_migration_that_cannot_be_undone() {
    let mut world = settled("1");
    world.desire([irreversible("exits")]);
    world.settle();
    let reason = world.decide()[&name("asterisk")].reason.to_string();
    let words =
        "it is not rolled back, because no earlier version can run after the migration migrate";
    assert!(reason.ends_with(words), "{reason}");
    assert_eq!((world.phase("asterisk"), running(&world)), (Phase::Failed, None));
    // Nor is the earlier version started while the next one is made ready.
    world.desire([irreversible("2")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
    assert!(!world.log.contains(&"asterisk roll-back".to_owned()), "{:?}", world.log);
}

/// Version 1 is in use again after version 2, whose migration cannot be undone: somebody has brought
/// the database back.
fn brought_back() -> World {
    let mut world = settled("1");
    world.desire([irreversible("2")]);
    world.settle();
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::Ready));
    world
}

#[test]
fn a_version_that_is_in_use_again_after_a_migration_that_cannot_be_undone_is_gone_back_to() {
    let mut world = brought_back();
    world.desire([instance("asterisk", "exits")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
}

#[test]
fn a_migration_that_cannot_be_undone_runs_again_after_its_database_was_brought_back() {
    let mut world = brought_back();
    world.desire([irreversible("2")]);
    world.settle();
    assert_eq!(running(&world), Some("2"));
    let again = world.log.iter().filter(|it| *it == "asterisk migration").count();
    assert_eq!(again, 2, "{:?}", world.log);
}

#[test]
fn a_migration_that_cannot_be_undone_and_failed_leaves_the_old_version_running() {
    let mut world = settled("1");
    world.place("asterisk").run_status = 1;
    world.desire([irreversible("2")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
}

#[test]
fn a_later_version_goes_back_to_the_one_that_was_migrated_to() {
    let mut world = settled("1");
    world.desire([irreversible("2")]);
    world.settle();
    world.desire([instance("asterisk", "exits")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::RolledBack));
    world.desire([instance("asterisk", "3")]);
    world.settle();
    world.desire([migrating("hangs")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("3"), Phase::RolledBack));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_migration_runs_exactly_once_with_any_failures_on_the_way(
        faults in prop::collection::vec(
            prop_oneof![
                Just(Fault::None),
                Just(Fault::Backoff),
                (0u8..6).prop_map(|after| Fault::Killed { after }),
            ],
            0..12,
        ),
        loses_record in any::<bool>(),
    ) {
        let mut world = upgrading();
        world.faults = faults;
        for _pass in 0..600 {
            let goes_on = world.pass();
            let migrated = world.place("asterisk").runs.iter().any(|run| run.result.is_some());
            prop_assert!(migrated || running(&world) == Some("1"), "started before its migration");
            if loses_record {
                world.updates.remove(&name("asterisk"));
            }
            if !goes_on {
                break;
            }
        }
        world.settle();
        prop_assert_eq!((running(&world), runs(&world)), (Some("2"), 1));
    }
}
