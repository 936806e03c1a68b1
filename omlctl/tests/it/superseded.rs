//! The controller decides how a change ended, even if another change superseded it. The
//! program only shows the verdict.

use oml_proto::v1::*;
use tonic::Status;

use crate::fake::{Answer, Script, Then};
use crate::world::*;

/// A status with revision `to` in this state. The running version does not matter.
fn later(from: u64, to: u64, state: RolloutState) -> StatusReply {
    let rollout = Rollout { from, to, ..rollout(state, "") };
    status(9, rollout, instance("230215.01", PhaseName::Ready))
}

/// A change that is accepted and then superseded, with this verdict.
fn superseded(outcome: ChangeOutcome, sentence: &str) -> World {
    let statuses =
        vec![later(7, 8, RolloutState::Superseded), later(7, 9, RolloutState::Completed)];
    let verdict = Verdict { superseded_by: 9, in_effect: 9, ..verdict(outcome, sentence) };
    World::new(Script { verdict: Some(verdict), ..upgrade_then(statuses) })
}

fn last(ran: &Ran) -> &str {
    ran.stderr.lines().last().unwrap()
}

#[test]
fn every_verdict_is_printed_as_the_controller_wrote_it_with_its_exit_code() {
    let table = [
        (ChangeOutcome::Done, 0, "done: acme runs revision 9, which contains this change"),
        (ChangeOutcome::Failed, 1, "failed: revision 9 of acme altered asterisk on voice-1"),
        (ChangeOutcome::RolledBack, 3, "rolled back: revision 9 of acme failed"),
    ];
    for (outcome, code, sentence) in table {
        let ran = superseded(outcome, sentence).run(&UPGRADE);
        assert_eq!((ran.code, last(&ran)), (code, sentence), "{ran:?}");
    }
}

#[test]
fn an_outcome_that_only_a_newer_omlctl_knows_is_unknown() {
    let world = || superseded(ChangeOutcome::Unspecified, "parked: revision 9 of acme is parked");
    let ran = world().run(&UPGRADE);
    let sentence = "unknown: this omlctl does not know how the change ended; upgrade omlctl: \
                    parked: revision 9 of acme is parked";
    assert_eq!((ran.code, last(&ran)), (1, sentence), "{ran:?}");
    let ran = world().run(&[&UPGRADE[..], &["-o", "json"]].concat());
    let reported: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(reported["outcome"]["result"], "unknown");
    assert_eq!(ran.code, 1);
}

#[test]
fn programs_get_the_revision_that_superseded_the_change_and_what_holds_of_it() {
    let holds = [
        (ChangeHolds::Contained, "contained".into()),
        (ChangeHolds::Altered, "altered".into()),
        (ChangeHolds::Unknown, "unknown".into()),
        (ChangeHolds::Unspecified, serde_json::Value::Null),
    ];
    for (holds, name) in holds {
        let world = superseded(ChangeOutcome::Done, "done: acme runs revision 9");
        if let Some(verdict) = &mut world.script.lock().unwrap().verdict {
            verdict.holds = holds.into();
        }
        let ran = world.run(&[&UPGRADE[..], &["-o", "json"]].concat());
        let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let outcome = &printed["outcome"];
        assert_eq!((&outcome["superseded_by"], &outcome["in_effect"]), (&9.into(), &9.into()));
        assert_eq!(outcome["holds"], name);
    }
}

#[test]
fn a_refusal_that_lasts_ends_the_waiting_and_one_that_may_pass_does_not() {
    let refused_with = |status: Status| Script {
        changes: [Answer::Reply(upgrade())].into(),
        over: Some(status),
        ..Script::default()
    };
    let lasting = [Status::unimplemented(""), Status::permission_denied("revoked")];
    for status in lasting {
        let ran = World::new(refused_with(status)).run(&UPGRADE);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.stderr.contains("connection lost"), "{ran:?}");
    }
    let passing = [Status::resource_exhausted("full"), Status::aborted("busy")];
    for status in passing {
        let world = World::new(refused_with(status));
        let ran = world.run(&[&UPGRADE[..], &["--timeout", "1s"]].concat());
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.contains("connection lost"), "{ran:?}");
    }
}

#[test]
fn the_verdict_counts_and_not_the_state_of_the_rollout() {
    for state in [RolloutState::Progressing, RolloutState::Paused, RolloutState::Unspecified] {
        let script = upgrade_until(vec![later(7, 9, state)], ChangeOutcome::Done, "done: so it is");
        let ran = World::new(script).run(&UPGRADE);
        assert_eq!((ran.code, last(&ran)), (0, "done: so it is"), "{ran:?}");
    }
    let completed = vec![later(7, 9, RolloutState::Completed)];
    let world = World::new(upgrade_then(completed));
    let ran = world.run(&[&UPGRADE[..], &["--timeout", "300ms"]].concat());
    assert_eq!(ran.code, 4, "without a verdict the change is in progress: {ran:?}");
}

#[test]
fn the_program_requests_only_the_change() {
    let world = superseded(ChangeOutcome::Failed, "failed: revision 9 of acme altered it");
    assert_eq!(world.run(&UPGRADE).code, 1);
    assert_eq!(world.asked().len(), 1, "no rollback is planned");
    assert_eq!(world.script.lock().unwrap().watched, [8], "its revision is watched");
}

#[test]
fn control_characters_of_a_verdict_are_escaped() {
    let ran = superseded(ChangeOutcome::Failed, "failed: \x1b[2Jgone").run(&UPGRADE);
    assert!(!last(&ran).contains('\x1b'), "{ran:?}");
}

#[test]
fn a_controller_that_is_lost_before_its_verdict_ends_with_5() {
    let world = World::new(Script {
        changes: [Answer::Reply(upgrade())].into(),
        watches: [(vec![later(7, 9, RolloutState::Completed)], Then::Breaks)].into(),
        ..Script::default()
    });
    // The only watch carries no verdict, and no other follows.
    let ran = world.run(&[&UPGRADE[..], &["--timeout", "1s"]].concat());
    assert_eq!(ran.code, 5, "{ran:?}");
    let known = "; revision 8 of acme is recorded, but its progress is unknown";
    assert!(last(&ran).starts_with("error: cannot reach the controller: "), "{ran:?}");
    assert!(last(&ran).ends_with(known), "{ran:?}");
}

#[test]
fn a_stream_that_ends_without_a_verdict_is_reopened() {
    let waiting = || (vec![later(7, 8, RolloutState::Progressing)], Then::Ends);
    let world = World::new(Script {
        watches: [waiting(), (vec![later(7, 8, RolloutState::Completed)], Then::StaysOpen)].into(),
        ..upgrade_until(vec![], ChangeOutcome::Done, "done: acme runs revision 8, after 9s")
    });
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("connection lost"), "{ran:?}");
    assert_eq!(world.script.lock().unwrap().watched, [8, 8]);
}
