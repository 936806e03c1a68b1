//! A container about which the engine does not answer.

use super::world::{World, instance, name};
use super::{Phase, Step};

#[test]
fn nothing_is_done_to_a_component_whose_container_cannot_be_looked_at() {
    let mut world = World::settled([instance("redis", "1"), instance("asterisk", "1")]);
    let settled = world.observe();
    world.desire([instance("redis", "2"), instance("asterisk", "2")]);
    let why = "the state of container oml-redis is not known: no answer".to_owned();
    for (desires_change, phase) in [(true, Phase::Blocked), (false, Phase::Ready)] {
        if !desires_change {
            world = World::settled([instance("redis", "1"), instance("asterisk", "1")]);
        }
        let mut observed = settled.clone();
        observed.instances.get_mut(&name("redis")).unwrap().unseen = Some(why.clone());
        let decisions = world.with_observed(&observed, super::decide);
        let redis = &decisions[&name("redis")];
        assert_eq!((redis.step.as_ref(), redis.phase), (None, phase));
        assert_eq!(redis.reason.to_string(), why);
        let asterisk = &decisions[&name("asterisk")];
        assert_eq!(asterisk.step.is_some(), desires_change, "{asterisk:?}");
    }
    world.desire([instance("asterisk", "1")]);
    let mut observed = settled;
    observed.instances.get_mut(&name("redis")).unwrap().unseen = Some(why);
    let decisions = world.with_observed(&observed, super::decide);
    assert_ne!(decisions[&name("redis")].step, Some(Step::Remove { recount: false }));
    assert_eq!(decisions[&name("redis")].phase, Phase::Blocked, "it is not removed either");
}
