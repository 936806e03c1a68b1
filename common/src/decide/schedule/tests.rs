use super::*;
use crate::decide::run_once::RunOnce;
use crate::id::RunId;

fn name(text: &str) -> ComponentName {
    text.parse().unwrap()
}

fn switch() -> Step {
    Step::Switch { previous: None, calls_cut: Some(0), recount: false }
}

fn decided(steps: &[(&str, Step)]) -> BTreeMap<ComponentName, Decision> {
    let decision = |step: &Step| Decision {
        phase: Phase::Pending,
        reason: Reason::Changed,
        step: Some(step.clone()),
        beside: None,
        wake_at: None,
    };
    steps.iter().map(|(component, step)| (name(component), decision(step))).collect()
}

fn begun(steps: &[(&str, Step)], running: &[Step]) -> Vec<String> {
    due(&decided(steps), running).into_iter().map(|(component, _)| component.to_string()).collect()
}

#[test]
fn two_images_are_pulled_at_a_time_beside_four_other_steps() {
    let pulls = ["a", "b", "c"].map(|component| (component, Step::Pull));
    assert_eq!(begun(&pulls, &[]), ["a", "b"]);
    assert_eq!(begun(&pulls, &[Step::Pull]), ["a"]);
    assert_eq!(
        begun(&pulls, &[Step::Create, Step::Create, Step::Create, Step::Create]),
        ["a", "b"]
    );
    let others = ["a", "b", "c", "d", "e"].map(|component| (component, Step::Create));
    assert_eq!(begun(&others, &[]), ["a", "b", "c", "d"]);
    assert_eq!(begun(&others, &[Step::Pull, Step::Pull, Step::Soak]), ["a", "b", "c"]);
}

#[test]
fn what_needs_long_to_run_takes_the_place_of_no_other_step() {
    let run = |operation: &str| Step::RunOnce {
        kind: RunOnce::Migration,
        operation: operation.parse().unwrap(),
        run: RunId { epoch: RunId::OF_HOST, number: 1 },
    };
    let runs = ["a", "b", "c", "d", "e"].map(|component| (component, run(component)));
    assert_eq!(begun(&runs, &[]), ["a", "b", "c", "d"]);
    let running = runs.map(|(_, step)| step);
    assert_eq!(begun(&[("a", Step::Start), ("b", switch())], &running[..4]), ["a", "b"]);
    assert_eq!(begun(&[("a", running[0].clone())], &running[..4]), [""; 0]);
    let others = [Step::Create, Step::Create, Step::Create, Step::Create];
    assert_eq!(begun(&[("a", running[0].clone())], &others), ["a"]);
}

#[test]
fn nothing_starts_while_something_is_removed() {
    let steps = [
        ("a", Step::Create),
        ("b", switch()),
        ("c", Step::Start),
        ("d", Step::Remove { recount: false }),
    ];
    assert_eq!(begun(&steps, &[Step::Remove { recount: false }]), ["d", "a"]);
    // What begins counts as running for those after it.
    let removal_last = [("a", switch()), ("b", Step::Remove { recount: false })];
    assert_eq!(begun(&removal_last, &[]), ["b"]);
}

#[test]
fn what_needs_a_daemon_that_does_not_answer_is_blocked_with_its_words() {
    let mut decisions = decided(&[("a", Step::Remove { recount: false })]);
    decisions.insert(name("b"), Decision { step: None, ..decisions[&name("a")].clone() });
    let before = decisions.clone();
    hold_back(&mut decisions, None, &DaemonsAway::default());
    assert_eq!(decisions, before);
    let away = DaemonsAway { engine: Some("docker is away".to_owned()), systemd: None };
    hold_back(&mut decisions, None, &away);
    let held = &decisions[&name("a")];
    assert_eq!((held.phase, held.step.clone()), (Phase::Blocked, None));
    assert_eq!(held.reason.to_string(), "docker is away");
    assert_eq!(decisions[&name("b")], before[&name("b")]);
}

#[test]
fn only_steps_that_bring_something_back_go_without_a_record() {
    let previous = crate::decide::update::nothing();
    for step in [
        Step::Start,
        Step::Fail { why: Box::new(Reason::Changed) },
        Step::RollBack { previous: previous.clone(), runs: false },
    ] {
        assert!(!needs_record(&step), "{step:?}");
    }
    for step in [
        switch(),
        Step::Remove { recount: false },
        Step::Commit { previous: Some(previous) },
        Step::Soak,
    ] {
        assert!(needs_record(&step), "{step:?}");
    }
}

#[test]
fn no_more_versions_in_use_are_started_at_a_time_than_other_steps() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let mut decisions = decided(&names.map(|component| (component, Step::Pull)));
    for decision in decisions.values_mut() {
        decision.beside = Some(Step::Start);
    }
    let due = |running: &[Step]| due_beside(&decisions, running, |_| false).len();
    assert_eq!(due(&[]), STEPS_MAX);
    assert_eq!(due(&[Step::Start, Step::Pull]), STEPS_MAX - 1);
}
