use super::*;

fn node(name: &str) -> NodeId {
    NodeId { tenant: "acme".parse().unwrap(), name: name.parse().unwrap() }
}

#[test]
fn a_change_looks_only_at_nodes_whose_pointer_changed() {
    let mut followed = FollowedPointers::default();
    let (n1, n2) = (node("n1"), node("n2"));
    assert!(followed.needs_look(&n1, PointerVersion(None), Trigger::Change), "never looked at");
    followed.record(n1.clone(), PointerVersion(None));
    followed.record(n2.clone(), PointerVersion(Some(4)));
    assert!(!followed.needs_look(&n1, PointerVersion(None), Trigger::Change));
    assert!(!followed.needs_look(&n2, PointerVersion(Some(4)), Trigger::Change));
    assert!(followed.needs_look(&n1, PointerVersion(Some(5)), Trigger::Change), "it has one now");
    assert!(followed.needs_look(&n2, PointerVersion(Some(5)), Trigger::Change), "it moved");
    assert!(followed.needs_look(&n2, PointerVersion(None), Trigger::Change), "it was taken away");
}

#[test]
fn a_resync_looks_at_every_node() {
    let mut followed = FollowedPointers::default();
    followed.record(node("n1"), PointerVersion(Some(4)));
    assert!(followed.needs_look(&node("n1"), PointerVersion(Some(4)), Trigger::Resync));
}
