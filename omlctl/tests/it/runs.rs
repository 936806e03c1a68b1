//! Runs of operations: their output, their outcome and the exit code.

use oml_proto::v1::*;

use crate::fake::{Script, Then};
use crate::world::*;

const RUN: [&str; 5] = ["run", "tenant=acme", "omnileads", "reset-password", "user=admin"];

fn run(state: RunState, result: Option<RunResult>, sentence: &str) -> Run {
    Run {
        id: Some(RunId { epoch: 1, number: 7 }),
        component: "omnileads".into(),
        operation: "reset-password".into(),
        node: "acme-app".into(),
        version: "230204.01".into(),
        who: "ana".into(),
        asked_at_ms: T0_MS,
        values: Default::default(),
        state: state.into(),
        result,
        sentence: sentence.into(),
    }
}

fn event(run: Run, left_out: u64, lines: &[&str]) -> RunEvent {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    RunEvent { run: Some(run), left_out, lines }
}

fn running() -> Run {
    run(RunState::Running, None, "is running")
}

fn ended(outcome: RunOutcome, status: Option<i64>, sentence: &str) -> Run {
    let result = RunResult { outcome: outcome.into(), status, ..RunResult::default() };
    run(RunState::Ended, Some(result), sentence)
}

fn script(events: Vec<RunEvent>, then: Then) -> Script {
    Script { run: Some((events, then)), ..Script::default() }
}

#[test]
fn the_output_goes_to_standard_output_and_the_outcome_to_standard_error() {
    let events = vec![
        event(run(RunState::Waiting, None, "waits for its host"), 0, &[]),
        event(running(), 0, &["one", "two\u{1b}[2J"]),
        event(running(), 37, &["forty"]),
        event(ended(RunOutcome::Exited, Some(0), "succeeded after 3 s"), 0, &[]),
    ];
    let world = World::new(script(events, Then::Ends));
    let ran = world.run(&RUN);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "one\ntwo\\u{1b}[2J\nforty\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        ran.stderr,
        "run 1-7: reset-password of omnileads on acme-app\n[37 lines left out]\n\
         run 1-7 succeeded after 3 s\n"
    );
    let asked = world.script.lock().unwrap().runs.clone();
    assert_eq!((asked[0].node.as_str(), asked[0].values["user"].as_str()), ("", "admin"));
}

#[test]
fn the_exit_code_tells_the_outcome() {
    let lost = run(RunState::Unanswered, None, "was not begun as far as is known");
    let cases = [
        (ended(RunOutcome::Exited, Some(0), "succeeded"), 0),
        (ended(RunOutcome::Exited, Some(3), "failed"), 1),
        (ended(RunOutcome::DeadlineExceeded, None, "was stopped at its deadline"), 1),
        (ended(RunOutcome::Interrupted, None, "was interrupted"), 1),
        (ended(RunOutcome::NotStarted, None, "was not started"), 1),
        (ended(RunOutcome::Unspecified, Some(0), "?"), 1),
        (ended(RunOutcome::Unknown, None, "ended in a way that only a later release knows"), 1),
        (lost, 1),
    ];
    for (run, code) in cases {
        let sentence = run.sentence.clone();
        let world = World::new(script(vec![event(run, 0, &[])], Then::Ends));
        let ran = world.run(&RUN);
        assert_eq!(ran.code, code, "{sentence}: {}", ran.stderr);
        assert!(ran.stderr.contains(&sentence), "{}", ran.stderr);
    }
}

#[test]
fn a_lost_connection_is_not_the_end_of_a_run() {
    let world = World::new(script(vec![event(running(), 0, &["one"])], Then::Ends));
    let ran = world.run(&RUN);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("run 1-7 may go on: see omlctl runs tenant=acme"),
        "{}",
        ran.stderr
    );
}

#[test]
fn mistakes_of_the_command_line_say_what_to_type() {
    let cases: [(&[&str], &str); 5] = [
        (&["run", "tenant=acme"], "no component and no operation are given"),
        (&["run", "tenant=acme", "a", "b", "c"], "more than a component and an operation"),
        (&["run", "omnileads", "reset"], "tenant= is missing"),
        (&["run", "tenant", "acme", "a", "b"], "did you mean tenant=acme?"),
        (&["runs", "tenant=acme", "a", "b"], "runs accepts only one component"),
    ];
    for (words, part) in cases {
        let ran = World::new(Script::default()).run(words);
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{words:?}: {}", ran.stderr);
    }
}

#[test]
fn without_an_operation_the_controller_is_asked_which_there_are() {
    let world = World::new(Script::default());
    let ran = world.run(&["run", "tenant=acme", "omnileads"]);
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    let asked = world.script.lock().unwrap().runs.clone();
    assert_eq!((asked[0].component.as_str(), asked[0].operation.as_str()), ("omnileads", ""));
}

#[test]
fn a_run_of_an_update_is_shown_although_nobody_asked_for_it() {
    let id = Some(RunId { epoch: 0, number: 12 });
    let of_update = Run { id, who: String::new(), asked_at_ms: 0, ..running() };
    let ran = World::new(script(vec![event(of_update, 0, &[])], Then::Ends))
        .run(&["runs", "tenant=acme"]);
    let row = ran.stdout.lines().last().unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let expected =
        ["0-12", "-", "update", "acme-app", "omnileads", "reset-password", "is", "running"];
    assert_eq!(cells, expected, "{}", ran.stdout);
}

#[test]
fn the_history_shows_who_asked_for_a_run_and_what_became_of_it() {
    let events = vec![event(ended(RunOutcome::Exited, Some(3), "failed: status 3"), 0, &[])];
    let ran = World::new(script(events, Then::Ends)).run(&["runs", "tenant=acme", "omnileads"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in ["1-7", "ana", "acme-app", "omnileads", "reset-password", "failed: status 3"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(ran.stderr.contains("1 more cannot be read"), "{}", ran.stderr);
}
