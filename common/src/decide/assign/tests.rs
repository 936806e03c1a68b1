//! Assignments are complete, and numbered only when they say something new.

use super::*;
use crate::testing::{SPEC, plan_of, spec_with, with_unreadable_voice};

fn next(plan: Option<&Plan>, held: Option<&Assignment>, epoch: u64) -> Option<Assignment> {
    let (tenant, node) = ("acme".parse().unwrap(), "n2".parse().unwrap());
    assign(Input {
        epoch,
        tenant: &tenant,
        node: &node,
        plan,
        policy: None,
        held,
        force_reissue: false,
    })
}

#[test]
fn a_node_that_has_to_try_again_is_notified_once() {
    let first = next(Some(&plan_of(SPEC, 1).unwrap()), None, 1).unwrap();
    let again = plan_of(SPEC, 2).unwrap();
    let (tenant, node) = ("acme".parse().unwrap(), "n2".parse().unwrap());
    let input = Input {
        epoch: 1,
        tenant: &tenant,
        node: &node,
        plan: Some(&again),
        policy: None,
        held: Some(&first),
        force_reissue: true,
    };
    let next = assign(input).unwrap();
    assert_eq!(next.content.share.instances, first.content.share.instances);
    assert!(next.generation > first.generation && next.content.revision.0 == 2);
    assert_eq!(assign(Input { held: Some(&next), ..input }), None);
}

#[test]
fn a_node_without_a_pointer_gets_nothing() {
    assert_eq!(next(None, None, 1), None);
}

#[test]
fn the_same_content_gets_no_new_number() {
    let first = next(Some(&plan_of(SPEC, 1).unwrap()), None, 1).unwrap();
    assert_eq!(next(Some(&plan_of(SPEC, 2).unwrap()), Some(&first), 1), None);
}

#[test]
fn other_content_gets_the_next_number() {
    let first = next(Some(&plan_of(SPEC, 1).unwrap()), None, 1).unwrap();
    let changed = plan_of(&spec_with("voice", "2"), 2).unwrap();
    let second = next(Some(&changed), Some(&first), 1).unwrap();
    assert_eq!(second.generation, Generation { epoch: 1, number: 2 });
    assert_eq!(second.content.share.hash(), changed.nodes[&"n2".parse().unwrap()].hash());
}

#[test]
fn a_pointer_taken_away_empties_the_node() {
    let first = next(Some(&plan_of(SPEC, 1).unwrap()), None, 1).unwrap();
    let emptied = next(None, Some(&first), 1).unwrap();
    assert!(emptied.content.share.instances.is_empty());
    assert!(emptied.generation > first.generation);
    assert_eq!(emptied.content.revision, first.content.revision);
}

#[test]
fn an_emptied_node_removes_by_the_policy_of_the_tenants_present_revision() {
    let plan = plan_of(SPEC, 1).unwrap();
    let first = next(Some(&plan), None, 1).unwrap();
    assert!(first.content.policy.is_some());
    let cut = SPEC.replace("rollout: {", "rollout: {on_deadline: cut, ");
    let present = plan_of(&cut, 2).unwrap();
    let (tenant, node) = ("acme".parse().unwrap(), "n2".parse().unwrap());
    let input = Input {
        epoch: 1,
        tenant: &tenant,
        node: &node,
        plan: None,
        policy: present.policy.as_ref(),
        held: Some(&first),
        force_reissue: false,
    };
    let emptied = assign(input).unwrap();
    assert_eq!(
        (&emptied.content.policy, emptied.content.share.is_empty()),
        (&present.policy, true)
    );
    assert_ne!(emptied.content.policy, first.content.policy);
    assert_eq!(assign(Input { held: Some(&emptied), ..input }), None);
    // Without the present revision the node keeps the policy that it has.
    let without = Input { policy: None, ..input };
    assert_eq!(assign(without).unwrap().content.policy, first.content.policy);
    assert_eq!(assign(Input { held: Some(&emptied), ..without }), None);
    // A policy that changes while a removal waits reaches the node.
    let later = Input { policy: first.content.policy.as_ref(), held: Some(&emptied), ..input };
    assert!(assign(later).unwrap().generation > emptied.generation);
}

#[test]
fn nothing_follows_what_is_undecided_until_there_is_a_pointer() {
    let plan = plan_of(SPEC, 1).unwrap();
    let first = next(Some(&plan), None, 1).unwrap();
    let undecided = undecided(&first, 1);
    assert_eq!(undecided.content, Content::default());
    assert!(undecided.generation > first.generation);
    assert_eq!(next(None, Some(&undecided), 1), None);
    assert_eq!(next(Some(&plan), Some(&undecided), 1).unwrap().content, first.content);
}

#[test]
fn a_raised_epoch_is_sent_even_when_nothing_else_is_new() {
    let plan = plan_of(SPEC, 1).unwrap();
    let first = next(Some(&plan), None, 1).unwrap();
    assert!(next(Some(&plan), Some(&first), 2).unwrap().generation > first.generation);
}

#[test]
fn an_agent_refuses_older_numbers_other_nodes_and_second_meanings() {
    let first = next(Some(&plan_of(SPEC, 1).unwrap()), None, 1).unwrap();
    let changed = plan_of(&spec_with("voice", "2"), 2).unwrap();
    let second = next(Some(&changed), Some(&first), 1).unwrap();
    let (tenant, node) = ("acme".parse().unwrap(), "n2".parse().unwrap());
    assert!(second.accept_after(Some(&first), &tenant, &node).is_ok());
    assert!(first.accept_after(Some(&first), &tenant, &node).is_ok());
    assert!(first.accept_after(Some(&second), &tenant, &node).is_err());
    let forged = Assignment { generation: first.generation, ..second };
    assert!(forged.accept_after(Some(&first), &tenant, &node).is_err());
    assert!(first.accept_after(None, &tenant, &"n3".parse().unwrap()).is_err());
}

#[test]
fn the_generation_never_goes_back() {
    let first = next(Some(&plan_of(SPEC, 1).unwrap()), None, 5).unwrap();
    let changed = plan_of(&spec_with("voice", "2"), 2).unwrap();
    for epoch in 0..8 {
        let second = next(Some(&changed), Some(&first), epoch).unwrap();
        assert!(second.generation > first.generation, "epoch {epoch}: {:?}", second.generation);
        assert!(undecided(&first, epoch).generation > first.generation, "epoch {epoch}");
    }
}

#[test]
fn an_instance_that_cannot_be_read_counts_as_content() {
    let plan = with_unreadable_voice(&plan_of(SPEC, 1).unwrap());
    let first = next(Some(&plan), None, 1).unwrap();
    assert_eq!(next(Some(&plan), Some(&first), 1), None);
    let changed = with_unreadable_voice(&plan_of(&spec_with("voice", "2"), 2).unwrap());
    let second = next(Some(&changed), Some(&first), 1).unwrap();
    assert!(second.generation > first.generation, "only the unreadable instance differs");
    let mut only_voice = plan;
    let share = only_voice.nodes.get_mut(&"n2".parse().unwrap()).unwrap();
    share.instances.clear();
    assert!(next(Some(&only_voice), None, 1).is_some());
}
