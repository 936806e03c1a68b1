//! Changes, from the command to their end.

use oml_proto::v1::*;

use crate::fake::{Answer, Script, Then};
use crate::world::*;

const DONE: &str = "done: acme runs revision 8, after 41s";

fn completed() -> StatusReply {
    status(41, rollout(RolloutState::Completed, ""), instance("230215.01", PhaseName::Ready))
}

fn phase(name: PhaseName, seconds: u64) -> Phase {
    Phase { name: name.into(), at_ms: T0_MS + seconds * 1000, ..Phase::default() }
}

fn failure() -> RolloutFailure {
    RolloutFailure {
        node: "voice-1".into(),
        component: "asterisk".into(),
        failure: Some(Failure {
            version: "230215.01".into(),
            message: "ended 3s after its start".into(),
            exit_code: Some(1),
            log_tail: vec!["loading modules".into(), "cannot open /etc/asterisk".into()],
            ..Failure::default()
        }),
    }
}

#[test]
fn a_change_is_shown_line_by_line_until_it_is_done() {
    let old = || instance("230204.01", PhaseName::Ready);
    let pulling = |done: u64| InstanceReport {
        phase: Some(Phase {
            name: PhaseName::Pulling.into(),
            bytes_done: done << 20,
            bytes_total: 40 << 20,
            at_ms: 0,
        }),
        ..instance("230204.01", PhaseName::Pulling)
    };
    let draining = |reason: &str, key: &str| InstanceReport {
        phase: Some(phase(PhaseName::Draining, 1800)),
        reason: reason.into(),
        reason_key: key.into(),
        ..instance("230204.01", PhaseName::Draining)
    };
    let unreadable = "the number of calls cannot be read, so calls count as up";
    let soaking = InstanceReport {
        phase: Some(phase(PhaseName::Soaking, 40)),
        ..instance("230215.01", PhaseName::Soaking)
    };
    let waits = |reason: &str| rollout(RolloutState::Progressing, reason);
    let statuses = vec![
        status(0, waits("voice-1: its assignment is being written"), old()),
        status(1, waits("voice-1: asterisk is pulling"), pulling(0)),
        status(2, waits("voice-1: asterisk is pulling"), pulling(12)),
        status(3, waits("voice-1: asterisk is pulling"), pulling(39)),
        status(4, waits("voice-1: asterisk is draining"), draining("12 calls are up", "up")),
        status(5, waits("voice-1: asterisk is draining"), draining("3 calls are up", "up")),
        status(5, waits("voice-1: asterisk is draining"), draining(unreadable, "unreadable")),
        status(
            6,
            waits("voice-1: asterisk is starting"),
            instance("230204.01", PhaseName::Starting),
        ),
        status(8, waits("voice-1: asterisk is soaking"), soaking),
        status(40, Rollout { wave: 1, ..waits("") }, instance("230215.01", PhaseName::Ready)),
        completed(),
    ];
    let world = World::new(upgrade_until(statuses, ChangeOutcome::Done, DONE));
    let ran = world.run(&UPGRADE);
    insta::assert_snapshot!(ran.shown());
}

#[test]
fn a_version_that_fails_is_reported_with_its_log_and_exit_code_3() {
    let returned = InstanceReport {
        reason: "230215.01 ended 3s after its start".into(),
        failure: failure().failure,
        ..instance("230204.01", PhaseName::RolledBack)
    };
    let back = |state| Rollout {
        failures: vec![failure()],
        ..rollout(state, "asterisk on voice-1: ended 3s after its start")
    };
    let mut returning =
        status(9, back(RolloutState::RollingBack), instance("230204.01", PhaseName::Ready));
    returning.tenants[0].nodes[1].target = 7;
    let statuses = vec![
        status(
            0,
            rollout(RolloutState::Progressing, ""),
            instance("230204.01", PhaseName::Starting),
        ),
        status(8, rollout(RolloutState::Progressing, ""), returned),
        returning,
        status(12, back(RolloutState::RolledBack), instance("230204.01", PhaseName::Ready)),
    ];
    let sentence = "rolled back: revision 8 of acme failed, and its nodes run revision 7 again: \
                    asterisk on voice-1: ended 3s after its start";
    let world = World::new(upgrade_until(statuses, ChangeOutcome::RolledBack, sentence));
    let ran = world.run(&UPGRADE);
    insta::assert_snapshot!(ran.shown());
}

#[test]
fn a_paused_rollout_ends_with_1_and_the_reason() {
    let paused = Rollout {
        failures: vec![failure()],
        ..rollout(RolloutState::Paused, "the rollback failed too")
    };
    let sentence = "failed: the rollout of revision 8 of acme is paused: the rollback failed too";
    let statuses = vec![status(9, paused, instance("230204.01", PhaseName::Failed))];
    let world = World::new(upgrade_until(statuses, ChangeOutcome::Failed, sentence));
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.stderr.lines().last().unwrap(), sentence);
    assert!(ran.stderr.contains("    | cannot open /etc/asterisk"), "{}", ran.stderr);
}

#[test]
fn a_repeated_change_ends_with_0_and_changes_nothing() {
    let reply = ChangeReply { changed: false, changes: Vec::new(), ..upgrade() };
    let changes = [Answer::Reply(reply)].into();
    let script = upgrade_until(vec![completed()], ChangeOutcome::Done, DONE);
    let world = World::new(Script { changes, ..script });
    let ran = world.run(&UPGRADE);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(ran.stderr, "nothing to change: acme is at revision 8\n");
}

#[test]
fn settings_of_the_rollout_are_shown_below_the_changes() {
    let settings = vec!["max_parallel 1 -> 4".to_owned()];
    let reply = ChangeReply { changes: Vec::new(), settings, ..upgrade() };
    let world = World::new(Script { changes: [Answer::Reply(reply)].into(), ..Script::default() });
    let ran = world.run(&[&UPGRADE[..], &["--dry-run"]].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "max_parallel 1 -> 4\n"));
}

#[test]
fn what_the_releases_say_about_a_change_is_shown_with_it() {
    let warnings = vec!["web 1 -> 2 has no way back".to_owned()];
    let reply = ChangeReply { warnings, release: "2.6.6".into(), ..upgrade() };
    let world = World::new(Script { changes: [Answer::Reply(reply)].into(), ..Script::default() });
    let ran = world.run(&["set-release", "tenant=acme", "2.6.6", "--dry-run", "--force", "tested"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.ends_with("release 2.6.6\n"), "{}", ran.stdout);
    let expected = "warning: web 1 -> 2 has no way back\nplan only: acme was not changed\n";
    assert_eq!(ran.stderr, expected);
    assert_eq!(world.asked()[0].force, "tested");
}

#[test]
fn releases_are_listed_with_what_differs_the_latest_first() {
    let release = |name: &str, different: &[&str]| Release {
        name: name.into(),
        versions: [("asterisk".to_owned(), "1".to_owned())].into(),
        different: different.iter().map(|&it| it.to_owned()).collect(),
    };
    let older = release("2.6.5", &["ami", "asterisk", "daphne", "nginx", "omnileads", "redis"]);
    let releases = ListReleasesReply {
        catalog: "omnileads-2-6".into(),
        releases: vec![older, release("2.6.6", &[])],
        current: "2.6.6".into(),
    };
    let world = World::new(Script { releases, ..Script::default() });
    let ran = world.run(&["releases", "tenant=acme"]);
    let lines: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "RELEASE COMPONENTS THE TENANT",
            "2.6.6 1 has it",
            "2.6.5 1 has another ami, asterisk, daphne, nginx and 2 more",
        ],
        "{}",
        ran.stderr
    );
}

#[test]
fn a_change_of_comments_only_is_reported_and_waits_for_nothing() {
    let reply =
        ChangeReply { changed: false, text_changed: true, changes: Vec::new(), ..upgrade() };
    let changes = [Answer::Reply(reply)].into();
    let script = upgrade_until(vec![completed()], ChangeOutcome::Done, DONE);
    let world = World::new(Script { changes, ..script });
    let ran = world.run(&UPGRADE);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(
        ran.stderr,
        "only comments or layout changed: the new text is kept with revision 8 of acme, and \
         nothing is rolled out\n"
    );
}

#[test]
fn a_repeated_change_waits_for_the_rollout_in_progress() {
    let reply = ChangeReply { changed: false, changes: Vec::new(), ..upgrade() };
    let under_way = status(
        9,
        rollout(RolloutState::Progressing, ""),
        instance("230204.01", PhaseName::Pulling),
    );
    let rolled_back = status(
        12,
        rollout(RolloutState::RolledBack, "it ended"),
        instance("230204.01", PhaseName::Ready),
    );
    let world = World::new(Script {
        changes: [Answer::Reply(reply)].into(),
        watches: [
            (vec![under_way.clone()], Then::StaysOpen),
            (vec![under_way, rolled_back], Then::StaysOpen),
        ]
        .into(),
        verdict: Some(verdict(ChangeOutcome::RolledBack, "rolled back: revision 8 of acme failed")),
        ..Script::default()
    });
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("rolled back: revision 8 of acme failed"), "{ran:?}");
}

#[test]
fn a_rollout_that_takes_longer_than_the_timeout_ends_with_4_and_says_what_it_waits_for() {
    let reason = "voice-1 is unreachable";
    let mut waiting = status(
        0,
        rollout(RolloutState::Progressing, reason),
        instance("230204.01", PhaseName::Ready),
    );
    waiting.tenants[0].nodes[1].state = NodeState::Unreachable.into();
    waiting.tenants[0].nodes[1].last_seen_ms -= 65_000;
    let world = World::new(upgrade_then(vec![waiting]));
    let mut arguments = UPGRADE.to_vec();
    arguments.extend(["--timeout", "300ms"]);
    let ran = world.run(&arguments);
    insta::assert_snapshot!(ran.shown());
}

#[test]
fn without_waiting_the_command_ends_when_the_change_is_accepted() {
    let world = World::new(upgrade_then(vec![]));
    let mut arguments = UPGRADE.to_vec();
    arguments.push("--no-wait");
    let ran = world.run(&arguments);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.starts_with("accepted: the rollout of revision 8 of acme has started"),
        "{ran:?}"
    );
}

#[test]
fn a_plan_is_shown_and_nothing_is_changed() {
    let world = World::new(upgrade_then(vec![]));
    let file = world.write("acme.yaml", "tenant: acme\n");
    let ran = world.run(&["plan", "-f", &file]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stderr, "plan only: acme was not changed\n");
    assert!(ran.stdout.contains("voice-1"), "{}", ran.stdout);
    assert!(world.asked()[0].dry_run);
}

#[test]
fn a_change_whose_answer_is_lost_is_sent_again_under_the_same_id() {
    let script = Script {
        changes: [Answer::Cut, Answer::Reply(upgrade())].into(),
        ..upgrade_until(vec![completed()], ChangeOutcome::Done, DONE)
    };
    let world = World::new(script);
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 0, "{ran:?}");
    let asked = world.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].op_id, asked[1].op_id);
    assert!(ran.stderr.contains("retrying with the same id"), "{}", ran.stderr);
}

#[test]
fn a_change_whose_answer_never_comes_ends_with_5_and_its_id() {
    let world = World::new(Script { changes: [Answer::Cut].into(), ..Script::default() });
    let mut arguments = UPGRADE.to_vec();
    arguments.extend(["--timeout", "700ms", "--op-id", "change-1"]);
    let ran = world.run(&arguments);
    assert_eq!(ran.code, 5);
    let last = ran.stderr.lines().last().unwrap();
    let expected = format!(
        "error: cannot determine whether the change was made: {}: the connection was closed; \
         repeat the command with --op-id change-1 to make it at most once",
        world.address
    );
    assert_eq!(last, expected);
}

#[test]
fn a_lost_watch_is_resumed() {
    let progressing = status(
        1,
        rollout(RolloutState::Progressing, ""),
        instance("230204.01", PhaseName::Pulling),
    );
    let script = Script {
        watches: [(vec![progressing], Then::Breaks), (vec![completed()], Then::StaysOpen)].into(),
        ..upgrade_until(vec![], ChangeOutcome::Done, DONE)
    };
    let world = World::new(script);
    let ran = world.run(&UPGRADE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("connection lost"), "{}", ran.stderr);
    assert!(ran.stderr.contains("connected again"), "{}", ran.stderr);
}

#[test]
fn programs_get_one_document_with_the_outcome() {
    let sentence = "done: acme runs revision 8, after 0s";
    let world = World::new(upgrade_until(vec![completed()], ChangeOutcome::Done, sentence));
    let mut arguments = UPGRADE.to_vec();
    arguments.extend(["-o", "json", "--op-id", "change-1"]);
    let ran = world.run(&arguments);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn the_reason_is_sent_with_the_change() {
    let world = World::new(upgrade_then(vec![]));
    let mut arguments = UPGRADE.to_vec();
    arguments.extend(["--no-wait", "--why", "one-way audio"]);
    assert_eq!(world.run(&arguments).code, 0);
    assert_eq!(world.asked()[0].why, "one-way audio");
}

#[test]
fn programs_get_an_accepted_change_whose_outcome_is_unknown() {
    let progressing = status(
        1,
        rollout(RolloutState::Progressing, ""),
        instance("230204.01", PhaseName::Pulling),
    );
    let world = World::new(Script {
        changes: [Answer::Reply(upgrade())].into(),
        watches: [(vec![progressing], Then::Breaks)].into(),
        ..Script::default()
    });
    let mut arguments = UPGRADE.to_vec();
    arguments.extend(["-o", "json", "--op-id", "change-1", "--timeout", "2s"]);
    let ran = world.run(&arguments);
    let reported: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&reported["op_id"], &reported["revision"]),
        (&"change-1".into(), &8.into()),
        "{ran:?}"
    );
    assert_eq!(reported["outcome"]["result"], "unknown");
    let sentence = reported["outcome"]["message"].as_str().unwrap();
    assert_eq!(ran.stderr.lines().last(), Some(format!("error: {sentence}").as_str()));
}
