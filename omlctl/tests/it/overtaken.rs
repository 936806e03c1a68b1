//! A change that another one overtook: only the controller knows what became of it.

use oml_common::text::problem::{Problem, Problems};
use oml_proto::problem::to_status;
use oml_proto::v1::*;
use tonic::Status;

use crate::fake::{Answer, Script, Then};
use crate::world::*;

/// Revision `to` in this state; the version that runs says nothing.
fn later(from: u64, to: u64, state: RolloutState) -> StatusReply {
    let reason =
        if state == RolloutState::RolledBack { "asterisk on voice-1: it ended" } else { "" };
    status(
        9,
        Rollout { from, to, ..rollout(state, reason) },
        instance("230215.01", PhaseName::Ready),
    )
}

fn differs(node: &str, component: &str) -> Change {
    Change {
        kind: ChangeKind::Replace.into(),
        node: node.into(),
        component: component.into(),
        from: "230215.01".into(),
        to: "230215.01".into(),
        note: "environment SIP_PORT".into(),
    }
}

/// What going back to revision 8 would make, as revision `revision`.
fn going_back(revision: u64, changes: Vec<Change>) -> Answer {
    Answer::Reply(ChangeReply { revision, changed: true, tenant: "acme".into(), changes })
}

/// The change is accepted, these statuses follow, and these answers to what is asked then.
fn world(statuses: Vec<StatusReply>, answers: Vec<Answer>) -> World {
    let mut script = upgrade_then(statuses);
    script.changes.extend(answers);
    World::new(script)
}

fn last(ran: &Ran) -> &str {
    ran.stderr.lines().last().unwrap()
}

#[test]
fn a_later_revision_that_differs_only_elsewhere_contains_the_change() {
    let statuses =
        vec![later(7, 8, RolloutState::Superseded), later(7, 9, RolloutState::Completed)];
    let world = world(statuses, vec![going_back(10, vec![differs("app-1", "nginx")])]);
    let ran = world.run(&UPGRADE);
    let expected = "done: acme runs revision 9, which took the place of 8 and contains this change";
    assert_eq!((ran.code, last(&ran)), (0, expected), "{ran:?}");
    assert_eq!(world.script.lock().unwrap().back_to, [8]);
    let asked = world.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].dry_run, "nothing is changed by asking");
}

#[test]
fn a_later_revision_with_the_same_content_contains_the_change() {
    let same = ChangeReply { revision: 9, tenant: "acme".into(), ..ChangeReply::default() };
    let ran =
        world(vec![later(7, 9, RolloutState::Completed)], vec![Answer::Reply(same)]).run(&UPGRADE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(last(&ran).ends_with("contains this change"), "{ran:?}");
}

#[test]
fn a_change_of_the_environment_that_was_undone_is_not_done_though_the_version_is_the_same() {
    let back = vec![differs("app-1", "nginx"), differs("voice-1", "asterisk")];
    let ran =
        world(vec![later(7, 9, RolloutState::Completed)], vec![going_back(10, back)]).run(&UPGRADE);
    let expected = "failed: revision 9 of acme took the place of 8 and undid or altered this \
                    change: asterisk on voice-1";
    assert_eq!((ran.code, last(&ran)), (1, expected), "{ran:?}");
}

#[test]
fn of_many_components_that_were_undone_the_first_are_named() {
    let changes: Vec<Change> = (0..9).map(|n| differs(&format!("app-{n}"), "nginx")).collect();
    let reply = ChangeReply { changes: changes.clone(), ..upgrade() };
    let world = World::new(Script {
        changes: [Answer::Reply(reply), going_back(10, changes)].into(),
        ..upgrade_then(vec![later(7, 9, RolloutState::Completed)])
    });
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(last(&ran).ends_with("nginx on app-3, nginx on app-4 and 4 more"), "{ran:?}");
}

#[test]
fn what_the_controller_cannot_plan_any_more_is_told_as_not_known() {
    let problems: Problems = vec![
        Problem::new("components.asterisk", "no host has the role voice"),
        Problem::new("components.redis", "no host has the role db"),
    ]
    .into_iter()
    .collect();
    let refusals = [to_status(&problems), Status::failed_precondition("the registry is away")];
    let told = refusals.map(|refusal| {
        let refused = vec![Answer::Refusal(refusal)];
        let ran = world(vec![later(7, 9, RolloutState::Completed)], refused).run(&UPGRADE);
        assert_eq!(ran.code, 1, "{ran:?}");
        last(&ran).to_owned()
    });
    let lead = "failed: revision 9 of acme took the place of 8; compare them with omlctl history \
                tenant=acme, since it cannot be told whether this change is contained";
    let unplanned = "components.asterisk: no host has the role voice; components.redis: no host \
                     has the role db";
    assert_eq!(told, [unplanned, "the registry is away"].map(|why| format!("{lead}: {why}")));
}

#[test]
fn what_became_of_the_text_alone_is_told_as_not_known() {
    let text = Change { kind: ChangeKind::Spec.into(), ..Change::default() };
    let reply = ChangeReply { changes: vec![text.clone()], ..upgrade() };
    let world = World::new(Script {
        changes: [Answer::Reply(reply), going_back(10, vec![text])].into(),
        ..upgrade_then(vec![later(7, 9, RolloutState::Completed)])
    });
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(last(&ran).contains("cannot be told whether this change is contained"), "{ran:?}");
}

#[test]
fn an_answer_that_does_not_come_in_time_is_not_a_change_on_its_way() {
    let world = world(vec![later(7, 9, RolloutState::Completed)], vec![Answer::Silence]);
    let ran = world.run(&[&UPGRADE[..], &["--timeout", "1s"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(last(&ran).ends_with("contained: no answer by the time-out of 1s"), "{ran:?}");
}

#[test]
fn a_connection_that_breaks_while_it_is_asked_is_taken_up_again() {
    let completed = || (vec![later(7, 9, RolloutState::Completed)], Then::StaysOpen);
    let world = World::new(Script {
        changes: [Answer::Reply(upgrade()), Answer::Cut, going_back(10, vec![])].into(),
        watches: [completed(), completed()].into(),
        ..Script::default()
    });
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("connection lost"), "{ran:?}");
}

#[test]
fn a_controller_that_is_lost_while_it_is_asked_ends_with_5() {
    let world = world(vec![later(7, 9, RolloutState::Completed)], vec![Answer::Cut]);
    let ran = world.run(&[&UPGRADE[..], &["--timeout", "1s"]].concat());
    assert_eq!(ran.code, 5, "{ran:?}");
    let known = "; revision 9 of acme took the place of 8, whether it contains this change cannot \
                 be told";
    assert!(last(&ran).starts_with("error: cannot reach the controller: "), "{ran:?}");
    assert!(last(&ran).ends_with(known), "{ran:?}");
}

#[test]
fn an_answer_about_a_still_later_revision_waits_for_that_one() {
    let statuses = vec![
        later(7, 9, RolloutState::Completed),
        later(9, 10, RolloutState::Progressing),
        later(9, 10, RolloutState::Completed),
    ];
    let undone = || vec![differs("voice-1", "asterisk")];
    let answers = vec![going_back(11, undone()), going_back(11, vec![])];
    let ran = world(statuses, answers).run(&UPGRADE);
    let expected =
        "done: acme runs revision 10, which took the place of 8 and contains this change";
    assert_eq!((ran.code, last(&ran)), (0, expected), "{ran:?}");
}

#[test]
fn an_overtaker_that_is_rolled_back_takes_the_change_with_it() {
    let ran = world(vec![later(7, 9, RolloutState::RolledBack)], vec![]).run(&UPGRADE);
    let expected = "rolled back: revision 9 of acme, which took the place of 8, did not hold; its \
                    nodes run revision 7 again, without this change: asterisk on voice-1: it ended";
    assert_eq!((ran.code, last(&ran)), (3, expected), "{ran:?}");
}

#[test]
fn a_later_revision_that_is_rolled_back_to_the_change_leaves_it_done() {
    let ran = world(vec![later(8, 9, RolloutState::RolledBack)], vec![]).run(&UPGRADE);
    let expected = "done: acme runs revision 8 again, for revision 9 did not hold: asterisk on \
                    voice-1: it ended";
    assert_eq!((ran.code, last(&ran)), (0, expected), "{ran:?}");
}

#[test]
fn a_later_revision_that_is_rolled_back_to_an_overtaker_is_asked_about() {
    let undone = vec![going_back(11, vec![differs("voice-1", "asterisk")])];
    let ran = world(vec![later(9, 10, RolloutState::RolledBack)], undone).run(&UPGRADE);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(last(&ran).contains("revision 9 of acme took the place of 8 and undid"), "{ran:?}");
}
