//! A change over a step without a way back: the version before is not started again once the new one has
//! answered.

use super::*;

/// Version 1 was kept, and this one is changed to, which the version before cannot read.
fn upgraded(version: &str) -> World {
    let mut world = settled("1");
    world.forward_only = true;
    world.desire([instance("asterisk", version)]);
    world.settle();
    world
}

fn rollbacks(world: &World) -> usize {
    world.log.iter().filter(|step| step.ends_with("roll-back")).count()
}

#[test]
fn a_version_that_answered_is_not_rolled_back_over_such_a_step() {
    let world = upgraded("dies");
    let decision = &world.decide()[&name("asterisk")];
    assert_eq!(decision.phase, Phase::Failed);
    let reason = decision.reason.to_string();
    let expected =
        "; it is not rolled back, because the version before cannot read what it may have written";
    assert!(reason.ends_with(expected), "{reason}");
    assert_eq!((running(&world), rollbacks(&world)), (None, 0));
}

#[test]
fn a_version_that_never_answered_is_rolled_back_over_such_a_step_too() {
    for version in ["exits", "hangs"] {
        let world = upgraded(version);
        assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::RolledBack));
    }
}

#[test]
fn what_supersedes_a_version_that_answered_does_not_start_the_one_before_it_either() {
    // It failed, or it was superseded in its soak.
    let mut soaking = settled("1");
    soaking.forward_only = true;
    soaking.desire([instance("asterisk", "2")]);
    until_soaking(&mut soaking);
    for mut world in [upgraded("dies"), soaking] {
        world.desire([instance("asterisk", "exits")]);
        world.settle();
        assert_eq!((running(&world), world.phase("asterisk")), (None, Phase::Failed));
        assert_eq!(rollbacks(&world), 0, "{:?}", world.log);
        world.desire([instance("asterisk", "3")]);
        world.settle();
        assert_eq!((running(&world), world.phase("asterisk")), (Some("3"), Phase::Ready));
        // A later change has a way back again.
        world.forward_only = false;
        world.desire([instance("asterisk", "dies")]);
        world.settle();
        assert_eq!((running(&world), world.phase("asterisk")), (Some("3"), Phase::RolledBack));
    }
}

#[test]
fn the_way_back_that_is_asked_for_is_made() {
    let mut world = upgraded("dies");
    world.forward_only = false;
    world.desire([instance("asterisk", "1")]);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::Ready));
}

#[test]
fn a_version_that_is_not_rolled_back_is_started_again_when_it_is_asked_for_again() {
    let mut world = upgraded("dies");
    world.log.clear();
    let held = world.assignment.clone().unwrap();
    let mut offered = held.clone();
    offered.content.revision.0 += 1;
    assert!(ask_again(&mut world.updates, &held, &offered, world.now));
    world.assignment = Some(offered);
    world.settle();
    assert!(world.log.iter().any(|step| step.starts_with("asterisk")), "{:?}", world.log);
    assert_eq!((rollbacks(&world), world.phase("asterisk")), (0, Phase::Failed));
}

#[test]
fn a_version_that_answered_while_nobody_watched_is_not_rolled_back() {
    let mut world = settled("1");
    world.forward_only = true;
    world.desire([instance("asterisk", "2")]);
    until_soaking(&mut world);
    let since = Timestamp(0);
    world.updates.get_mut(&name("asterisk")).unwrap().stage =
        Stage::Switching { since, calls_cut: Some(0), drained_since: None };
    let mut observed = world.observe();
    let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
    let unit = seen.unit.as_mut().unwrap();
    unit.active = ActiveState::Failed;
    unit.result = "exit-code".to_owned();
    for has_answered in [true, false] {
        let seen = observed.instances.get_mut(&name("asterisk")).unwrap();
        seen.status.as_mut().unwrap().has_answered = has_answered;
        let decision = world.with_observed(&observed, decide)[&name("asterisk")].clone();
        let is_soaked = matches!(decision.step, Some(Step::Soak));
        assert_eq!(is_soaked, has_answered, "{decision:?}");
    }
}
