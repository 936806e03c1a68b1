use super::*;

const NOTHING: Source = Source::Policy(Some(RevisionNumber(1)));

fn node(name: &str) -> NodeId {
    NodeId { tenant: "acme".parse().unwrap(), name: name.parse().unwrap() }
}

#[test]
fn a_change_looks_only_at_nodes_whose_pointer_changed() {
    let mut followed = FollowedSources::default();
    let (n1, n2) = (node("n1"), node("n2"));
    assert!(followed.needs_look(&n1, NOTHING, Trigger::Change), "never looked at");
    followed.record(n1.clone(), NOTHING);
    followed.record(n2.clone(), Source::Pointer(4));
    assert!(!followed.needs_look(&n1, NOTHING, Trigger::Change));
    assert!(!followed.needs_look(&n2, Source::Pointer(4), Trigger::Change));
    assert!(followed.needs_look(&n1, Source::Pointer(5), Trigger::Change), "it has one now");
    assert!(followed.needs_look(&n2, Source::Pointer(5), Trigger::Change), "it moved");
    assert!(followed.needs_look(&n2, NOTHING, Trigger::Change), "it was taken away");
    let next = Source::Policy(Some(RevisionNumber(2)));
    assert!(followed.needs_look(&n1, next, Trigger::Change), "the tenant has another policy");
}

#[test]
fn a_resync_looks_at_every_node() {
    let mut followed = FollowedSources::default();
    followed.record(node("n1"), Source::Pointer(4));
    assert!(followed.needs_look(&node("n1"), Source::Pointer(4), Trigger::Resync));
}
