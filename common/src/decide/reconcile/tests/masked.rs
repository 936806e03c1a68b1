//! Units that somebody masked, running or not.

use super::world::{World, name, packaged};
use super::{ActiveState, Phase, Stage, Step};
use crate::decide::observed::ObservedInstance;
use crate::decide::reconcile::Decision;

/// Decides for an exporter whose unit was masked in that state, and which works by the first
/// drop-in.
fn masked(active: ActiveState, desired_drop_in: &str) -> Decision {
    let mut world = World::settled([packaged("exporter", "one")]);
    world.desire([packaged("exporter", desired_drop_in)]);
    let mut observed = world.observe();
    let unit = observed.instances.get_mut(&name("exporter")).and_then(|seen| seen.unit.as_mut());
    let unit = unit.expect("it has a unit");
    (unit.masked, unit.active) = (true, active);
    world.with_observed(&observed, super::decide)[&name("exporter")].clone()
}

#[test]
fn a_unit_that_was_masked_while_it_ran_is_ready() {
    let decision = masked(ActiveState::Active, "one");
    assert_eq!((decision.phase, decision.acts()), (Phase::Ready, false), "{decision:?}");
}

#[test]
fn a_masked_unit_that_does_not_run_stays_down_and_says_why() {
    let decision = masked(ActiveState::Inactive, "one");
    assert!(matches!(decision.phase, Phase::StoppedByHand { .. }), "{decision:?}");
    assert!(!decision.acts());
    assert!(decision.reason.to_string().contains("masked"), "{decision:?}");
}

#[test]
fn a_change_of_a_masked_unit_that_runs_waits_until_it_is_unmasked() {
    let decision = masked(ActiveState::Active, "two");
    assert_eq!((decision.phase, decision.acts()), (Phase::Blocked, false), "{decision:?}");
    let expected = "its unit runs and is masked on the host; the change waits until somebody runs \
                    systemctl unmask for its unit there";
    assert_eq!(decision.reason.to_string(), expected);
}

/// Decides for an exporter that runs, and of which somebody removed something.
fn without(masked: bool, remove: impl Fn(&mut ObservedInstance)) -> Decision {
    let world = World::settled([packaged("exporter", "one")]);
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("exporter")).expect("it is observed");
    seen.unit.as_mut().expect("it has a unit").masked = masked;
    remove(seen);
    world.with_observed(&observed, super::decide)[&name("exporter")].clone()
}

#[test]
fn what_was_lost_beside_a_unit_that_runs_is_written_again_without_a_restart_masked_or_not() {
    let removals: [fn(&mut ObservedInstance); 2] = [
        |seen| seen.unit.as_mut().expect("it has a unit").hash = None,
        |seen| seen.document = None,
    ];
    for remove in removals {
        for masked in [false, true] {
            let decision = without(masked, remove);
            assert_eq!(decision.step, Some(Step::RewriteConfig), "{masked}: {decision:?}");
        }
    }
    let all = |seen: &mut ObservedInstance| removals.iter().for_each(|remove| remove(seen));
    let unknown = without(true, all);
    assert_eq!((unknown.phase, unknown.acts()), (Phase::Blocked, false), "{unknown:?}");
}

#[test]
fn a_unit_that_is_masked_in_its_soak_soaks_on_and_is_committed() {
    let mut world = World::settled([packaged("exporter", "one")]);
    world.desire([packaged("exporter", "two")]);
    while !matches!(world.phase("exporter"), Phase::Soaking { .. }) {
        assert!(world.pass(), "it never soaks");
    }
    let decided = |world: &World, active: ActiveState| {
        let mut observed = world.observe();
        let seen = observed.instances.get_mut(&name("exporter")).expect("it is observed");
        let unit = seen.unit.as_mut().expect("it has a unit");
        (unit.masked, unit.active) = (true, active);
        world.with_observed(&observed, super::decide)[&name("exporter")].clone()
    };
    let soaks = decided(&world, ActiveState::Active);
    assert!(matches!(soaks.phase, Phase::Soaking { .. }) && !soaks.acts(), "{soaks:?}");
    // One that does not run cannot be started, so that nobody knows whether it is good.
    let down = decided(&world, ActiveState::Inactive);
    assert_eq!((down.phase, down.acts()), (Phase::Blocked, false), "{down:?}");
    let update = world.updates.get(&name("exporter")).expect("it is on record");
    let Stage::Soaking { since, .. } = update.stage else { panic!("{update:?}") };
    world.now = since.plus_ms(3_600_000);
    let passed = decided(&world, ActiveState::Active);
    assert!(matches!(passed.step, Some(Step::Commit { .. })), "{passed:?}");
}
