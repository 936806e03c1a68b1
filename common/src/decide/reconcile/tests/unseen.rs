//! A container about which the engine does not answer.

use std::collections::BTreeMap;

use super::world::{World, instance, name};
use super::{Phase, Step};
use crate::decide::observed::UnseenContainer;

#[test]
fn nothing_is_done_to_a_component_whose_container_cannot_be_looked_at() {
    let mut world = World::settled([instance("redis", "1"), instance("asterisk", "1")]);
    let settled = world.observe();
    world.desire([instance("redis", "2"), instance("asterisk", "2")]);
    let unseen = UnseenContainer { name: "oml-redis".to_owned(), why: "no answer".to_owned() };
    for desires_change in [true, false] {
        if !desires_change {
            world = World::settled([instance("redis", "1"), instance("asterisk", "1")]);
        }
        let mut observed = settled.clone();
        observed.instances.get_mut(&name("redis")).unwrap().unseen = Some(unseen.clone());
        let decisions = world.with_observed(&observed, super::decide);
        let redis = &decisions[&name("redis")];
        assert_eq!((redis.step.as_ref(), redis.phase), (None, Phase::Blocked));
        let shown = redis.reason.to_string();
        assert_eq!(shown, "the state of container oml-redis is not known: no answer");
        let asterisk = &decisions[&name("asterisk")];
        assert_eq!(asterisk.step.is_some(), desires_change, "{asterisk:?}");
    }
    world.desire([instance("asterisk", "1")]);
    let mut observed = settled;
    observed.instances.get_mut(&name("redis")).unwrap().unseen = Some(unseen);
    let decisions = world.with_observed(&observed, super::decide);
    assert_ne!(decisions[&name("redis")].step, Some(Step::Remove { recount: false }));
    assert_eq!(decisions[&name("redis")].phase, Phase::Blocked, "it is not removed either");
}

#[test]
fn what_is_due_of_a_component_that_cannot_be_looked_at_is_not_forgotten() {
    let mut world = World::settled([instance("redis", "1")]);
    world.desire([instance("redis", "2")]);
    while !matches!(world.phase("redis"), Phase::Soaking { .. }) {
        assert!(world.pass(), "it never soaks");
    }
    let mut observed = world.observe();
    let known = world.with_observed(&observed, super::decide);
    let unseen = UnseenContainer { name: "oml-redis".to_owned(), why: "no answer".to_owned() };
    observed.instances.get_mut(&name("redis")).unwrap().unseen = Some(unseen);
    let held = world.with_observed(&observed, super::decide);
    let wake_at = |decisions: &BTreeMap<_, crate::decide::reconcile::Decision>| {
        decisions[&name("redis")].wake_at
    };
    assert!(wake_at(&known).is_some(), "{known:?}");
    assert_eq!(wake_at(&held), wake_at(&known));
}
