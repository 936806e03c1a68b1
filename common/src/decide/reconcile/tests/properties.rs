//! Properties that hold with any failure.

use proptest::prelude::*;

use super::world::{Fault, World, foreign_unit, instance, is_bad, name, packaged};
use crate::decide::observed::ContainerState;
use crate::document::report::Phase;
use crate::document::update::Stage;

fn fault() -> impl Strategy<Value = Fault> {
    fault_with(Fault::None)
}

fn fault_with(loss: Fault) -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => Just(Fault::None),
        1 => Just(Fault::Backoff),
        3 => (0u8..6).prop_map(|after| Fault::Killed { after }),
        2 => Just(loss),
    ]
}

/// Faults on the way of one change: of what the host may lose, one kind each.
fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let losses = vec![
        Fault::Pruned,
        Fault::CurrentGarbled,
        Fault::PreviousGarbled,
        Fault::ClockSet { by_ms: 3_600_000 },
        Fault::ClockSet { by_ms: -3_600_000 },
    ];
    prop::sample::select(losses)
        .prop_flat_map(|loss| prop::collection::vec(fault_with(loss), 0..12))
}

fn version() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["1", "2", "3", "exits", "hangs", "dies"])
}

/// The end that the last desired version must come to.
fn has_ended(
    world: &mut World,
    version: &str,
    last_good: Option<&str>,
) -> Result<(), TestCaseError> {
    let phase = world.phase("asterisk");
    let place = world.place("asterisk");
    let running = place.containers.iter().find(|c| c.is_running()).map(|c| c.version.to_string());
    match (is_bad(version), last_good) {
        (false, _) => {
            prop_assert_eq!(phase, Phase::Ready);
            prop_assert_eq!(running.as_deref(), Some(version));
        }
        (true, Some(last_good)) => {
            prop_assert_eq!(phase, Phase::RolledBack);
            prop_assert_eq!(running.as_deref(), Some(last_good));
        }
        (true, None) => prop_assert_eq!(phase, Phase::Failed),
    }
    Ok(())
}

fn is_kept(world: &World, version: &str) -> bool {
    let desired_hash = instance("asterisk", version).workload_hash();
    world.updates.get(&name("asterisk")).is_some_and(|update| {
        update.desired_hash == desired_hash && matches!(update.stage, Stage::Committed { .. })
    })
}

/// The last good workload is always there to be started: its
/// container or, where somebody took that away, what it is made from.
fn has_something_to_start(world: &mut World, last_good: Option<&str>) -> Result<(), TestCaseError> {
    let place = world.place("asterisk");
    if let Some(last_good) = last_good {
        let hash = instance("asterisk", last_good).workload_hash();
        let startable = place.known(&hash).is_some() && place.images.contains(&hash);
        prop_assert!(startable, "{last_good} is gone: {:?}", place.containers);
    }
    let running = place.containers.iter().filter(|c| c.is_running()).count();
    prop_assert!(running <= 1, "{running} run at once");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_change_comes_to_its_end_with_any_failure_on_the_way(
        versions in prop::collection::vec((version(), faults()), 1..5),
    ) {
        let mut world = World::new();
        let mut last_good = None;
        for (version, faults) in versions {
            world.desire([instance("asterisk", version)]);
            world.faults = faults;
            for _pass in 0..600 {
                let goes_on = world.pass();
                let last_good = if is_kept(&world, version) { Some(version) } else { last_good };
                has_something_to_start(&mut world, last_good)?;
                if !goes_on {
                    break;
                }
            }
            prop_assert!(!world.pass(), "still busy: {:?}", world.log);
            has_ended(&mut world, version, last_good)?;
            if !is_bad(version) {
                last_good = Some(version);
            }
        }
    }

    #[test]
    fn a_change_superseded_at_any_moment_still_comes_to_its_end(
        superseded in version(),
        last in version(),
        passes in 0usize..20,
        faults in faults(),
    ) {
        let mut world = World::settled([instance("asterisk", "1")]);
        world.faults = faults;
        world.desire([instance("asterisk", superseded)]);
        world.passes(passes);
        let kept = is_kept(&world, superseded);
        world.desire([instance("asterisk", last)]);
        for _pass in 0..600 {
            let goes_on = world.pass();
            if !kept {
                has_something_to_start(&mut world, Some("1"))?;
            }
            if !goes_on {
                break;
            }
        }
        let last_good = if kept { superseded } else { "1" };
        has_ended(&mut world, last, Some(last_good))?;
    }

    #[test]
    fn nothing_is_reported_as_converged_before_it_passed_its_soak(
        versions in prop::collection::vec(
            (version(), prop::collection::vec(fault_with(Fault::StoppedByHand), 0..12), 0usize..40),
            1..5,
        ),
    ) {
        let mut world = World::settled([instance("asterisk", "1")]);
        let mut last_good = vec!["1"];
        for (version, faults, passes) in versions {
            world.desire([instance("asterisk", version)]);
            world.faults = faults;
            for _pass in 0..passes {
                world.pass();
                if is_kept(&world, version) {
                    last_good.push(version);
                }
                let is_converged = matches!(world.phase("asterisk"), Phase::Ready | Phase::StoppedByHand { .. });
                prop_assert!(!is_converged || last_good.contains(&version), "{version}: {:?}", world.log);
            }
        }
    }

    #[test]
    fn what_has_ended_stays_as_it_is(version in version(), faults in prop::collection::vec(fault(), 0..12)) {
        let mut world = World::settled([instance("asterisk", "1"), packaged("exporter", "one")]);
        world.faults = faults;
        world.desire([instance("asterisk", version), packaged("exporter", "two")]);
        world.settle();
        let steps = world.log.len();
        for hours in 1..4 {
            world.now = world.now.plus_ms(hours * 3_600_000);
            prop_assert!(world.actions().is_empty());
            world.settle();
        }
        prop_assert_eq!(world.log.len(), steps);
    }

    #[test]
    fn an_unchanged_healthy_instance_is_never_touched(
        version in version(),
        faults in prop::collection::vec(fault(), 0..12),
    ) {
        let mut world = World::settled([instance("asterisk", "1"), instance("nginx", "1")]);
        let started = |world: &mut World| match world.place("nginx").containers[0].state {
            ContainerState::Running { since } => since,
            ContainerState::Created | ContainerState::Exited { .. } => panic!("not running"),
        };
        let before = started(&mut world);
        world.faults = faults;
        world.desire([instance("asterisk", version), instance("nginx", "1")]);
        world.settle();
        prop_assert_eq!(started(&mut world), before);
        prop_assert!(!world.log.iter().any(|line| line.starts_with("nginx")), "{:?}", world.log);
    }

    #[test]
    fn a_removal_ends_though_what_stays_is_stopped_and_pruned_by_hand(
        version in version(),
        is_stopped in any::<bool>(),
        is_pruned in any::<bool>(),
        faults in prop::collection::vec(fault_with(Fault::StoppedByHand), 0..12),
    ) {
        let mut world = World::settled([instance("asterisk", "1"), instance("nginx", "1")]);
        let now = world.now;
        if is_stopped {
            world.place("asterisk").stop_by_hand(now);
        }
        if is_pruned {
            world.place("asterisk").prune_all();
        }
        world.faults = faults;
        world.desire([instance("asterisk", version)]);
        world.settle();
        prop_assert!(world.place("nginx").containers.is_empty(), "{:?}", world.log);
    }

    #[test]
    fn what_bears_no_mark_is_never_touched(
        versions in prop::collection::vec(version(), 1..4),
        foreign in "[a-z]{1,8}\\.service",
    ) {
        let mut world = World::new();
        world.place("asterisk").foreign = Some(foreign_unit(&foreign));
        for version in versions {
            world.desire([instance("asterisk", version)]);
            world.settle();
        }
        world.desire([]);
        world.settle();
        prop_assert!(world.log.is_empty(), "{:?}", world.log);
        prop_assert_eq!(world.places[&name("asterisk")].foreign.as_ref(), Some(&foreign_unit(&foreign)));
    }
}
