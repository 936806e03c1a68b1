//! What happens to an instance that asks for what its host does not allow.

use super::*;
use crate::decide::rights::Right;

const HELD: &str = "this host does not allow it: privileged; allow it in \
                    /etc/omlagent/policy.toml of the host, or apply a change without it";

fn forbid(world: &mut World) {
    world.place("asterisk").not_allowed = [Right::Privileged].into();
}

fn reason(world: &World) -> String {
    world.decide()[&name("asterisk")].reason.to_string()
}

fn pass(world: &mut World, times: u32) {
    for _ in 0..times {
        world.pass();
    }
}

#[test]
fn a_change_that_the_host_does_not_allow_is_held_and_what_runs_is_kept() {
    let mut world = changing("1", "2");
    let running_since = started(&world);
    forbid(&mut world);
    pass(&mut world, 60);
    assert_eq!((world.phase("asterisk"), reason(&world).as_str()), (Phase::Blocked, HELD));
    assert_eq!((running(&world), started(&world)), (Some("1"), running_since));
    assert!(world.log.is_empty(), "{:?}", world.log);
    world.place("asterisk").not_allowed.clear();
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
}

#[test]
fn what_runs_beside_a_held_change_is_started_again_when_it_ends() {
    let mut world = changing("1", "2");
    forbid(&mut world);
    pass(&mut world, 10);
    let place = world.place("asterisk");
    place.unit.as_mut().unwrap().active = ActiveState::Failed;
    place.containers[0].state =
        ContainerState::Exited { code: 1, at: Timestamp(1), out_of_memory: false };
    pass(&mut world, 60);
    assert_eq!((running(&world), world.phase("asterisk")), (Some("1"), Phase::Blocked));
}

#[test]
fn what_runs_by_a_right_that_is_not_allowed_any_more_runs_on() {
    let mut world = settled("1");
    let running_since = started(&world);
    forbid(&mut world);
    pass(&mut world, 60);
    assert_eq!(world.phase("asterisk"), Phase::Ready);
    assert_eq!((running(&world), started(&world)), (Some("1"), running_since));
}

#[test]
fn a_switch_that_was_begun_is_ended_although_it_is_not_allowed_any_more() {
    let mut world = changing("1", "2");
    until_soaking(&mut world);
    forbid(&mut world);
    world.settle();
    assert_eq!((running(&world), world.phase("asterisk")), (Some("2"), Phase::Ready));
}

#[test]
fn a_document_that_somebody_changed_is_written_again_for_what_runs_although_it_is_not_allowed() {
    let mut world = settled("1");
    let running_since = started(&world);
    world.place("asterisk").current = Some(instance("asterisk", "9"));
    forbid(&mut world);
    pass(&mut world, 60);
    assert_eq!(world.place("asterisk").current, Some(instance("asterisk", "1")));
    assert_eq!((world.phase("asterisk"), started(&world)), (Phase::Ready, running_since));
}

#[test]
fn an_interrupted_switch_gives_its_document_back_before_the_next_change_is_held() {
    let mut world = changing_counted("1", "2");
    killed_in(&mut world, "switch", 1);
    world.desire([counted("asterisk", "3")]);
    forbid(&mut world);
    pass(&mut world, 60);
    assert_eq!(world.place("asterisk").current, Some(counted("asterisk", "1")));
    assert_eq!((world.phase("asterisk"), reason(&world).as_str()), (Phase::Blocked, HELD));
}
