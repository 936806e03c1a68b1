use super::*;

const GONE: UnitTest<'static> = UnitTest {
    name: "ConditionPathExists",
    is_trigger: false,
    is_negated: false,
    parameter: "/gone",
    has_failed: true,
};

fn tests(held: bool, each: &[UnitTest<'static>]) -> UnitTests<'static> {
    UnitTests { held, at: 900, each: each.to_vec() }
}

/// A unit at rest whose last tests held.
fn resting() -> TestedUnit<'static> {
    TestedUnit {
        state: ActiveState::Inactive,
        result: "success",
        conditions: tests(true, &[]),
        assertions: tests(true, &[]),
    }
}

fn said(unit: &TestedUnit<'_>) -> String {
    unmet(unit).unwrap().to_string()
}

#[test]
fn a_condition_that_did_not_hold_is_named() {
    let skipped = TestedUnit { conditions: tests(false, &[GONE]), ..resting() };
    assert_eq!(said(&skipped), "a condition of its unit does not hold (ConditionPathExists=/gone)");
    let failed = TestedUnit { state: ActiveState::Failed, ..skipped.clone() };
    assert_eq!(unmet(&failed), unmet(&skipped), "its stop had failed before");
    let unnamed = TestedUnit { conditions: tests(false, &[]), ..resting() };
    assert_eq!(said(&unnamed), "a condition of its unit does not hold");
    let program = TestedUnit { result: "exec-condition", ..resting() };
    assert_eq!(said(&program), "a condition of its unit does not hold (ExecCondition=)");
    assert_eq!(
        Unmet::Condition(None).explain("pbx.service"),
        "a condition of its unit does not hold; run systemctl status pbx.service on the host to \
         see why"
    );
}

#[test]
fn the_first_condition_that_failed_is_named_or_all_of_those_of_which_one_is_enough() {
    let held = UnitTest { has_failed: false, parameter: "/here", ..GONE };
    let later = UnitTest { parameter: "/later", is_negated: true, ..GONE };
    let either = UnitTest { parameter: "/either", is_trigger: true, ..GONE };
    let or = UnitTest { parameter: "/or", is_negated: true, ..either };
    let named = |each: &[UnitTest<'static>]| tests(false, each).failed().unwrap();
    assert_eq!(named(&[held, GONE, later]), "ConditionPathExists=/gone");
    assert_eq!(named(&[either, later]), "ConditionPathExists=!/later");
    let both = "ConditionPathExists=|/either and ConditionPathExists=|!/or";
    assert_eq!(named(&[held, either, or]), both);
}

#[test]
fn the_line_of_a_unit_file_is_made_safe_and_short() {
    let long = "/\u{1b}[31m".repeat(1_000);
    let line = UnitTest { parameter: &long, ..GONE }.line();
    assert!(line.chars().count() <= TEST_CHARS_MAX && !line.contains('\u{1b}'), "{line}");
}

#[test]
fn an_assertion_is_tested_after_the_conditions() {
    let gone = UnitTest { name: "AssertPathExists", ..GONE };
    let failed = TestedUnit { assertions: tests(false, &[gone]), ..resting() };
    assert_eq!(said(&failed), "an assertion of its unit does not hold (AssertPathExists=/gone)");
    // That of an earlier start still shows.
    let skipped = TestedUnit { conditions: tests(false, &[GONE]), ..failed };
    assert!(matches!(unmet(&skipped), Some(Unmet::Condition(_))));
}

#[test]
fn what_was_never_tested_or_runs_was_not_skipped() {
    assert_eq!(unmet(&resting()), None);
    let never = UnitTests { held: false, at: 0, each: vec![GONE] };
    let fresh = TestedUnit { conditions: never.clone(), assertions: never, ..resting() };
    assert_eq!(unmet(&fresh), None, "systemd says no before the first test");
    for state in [
        ActiveState::Activating,
        ActiveState::Active,
        ActiveState::Reloading,
        ActiveState::Deactivating,
    ] {
        let runs = TestedUnit { state, conditions: tests(false, &[GONE]), ..resting() };
        assert_eq!(unmet(&runs), None, "{state:?}");
    }
}

#[test]
fn the_end_of_the_job_says_what_the_unit_does_not_show() {
    let why = |word: &str| why_skipped(&resting(), Some(JobResult::of(word)));
    assert_eq!(why("dependency"), Some(Unmet::Dependency));
    assert_eq!(why("assert"), Some(Unmet::Assertion(None)));
    assert_eq!(Unmet::Dependency.to_string(), "a unit that its unit requires did not start");
    for word in ["done", "skipped", "failed", "canceled", "timeout"] {
        assert_eq!(why(word), None, "{word}");
    }
    let skipped = TestedUnit { conditions: tests(false, &[GONE]), ..resting() };
    assert_eq!(why_skipped(&skipped, Some(JobResult::Done)), unmet(&skipped));
    assert_eq!(why_skipped(&skipped, None), unmet(&skipped), "the signal was lost");
    let canceled = why_skipped(&skipped, Some(JobResult::Other));
    assert_eq!(canceled, None, "somebody's stop took its place; the test is an earlier one");
}

#[test]
fn a_noted_skip_counts_until_the_unit_was_stopped() {
    let noted = |noted, at| NotedSkip { noted, at, done_at_rest_since: None, seen: None };
    assert!(is_still_skipped(noted(502, 502)) && is_still_skipped(noted(0, 0)));
    assert!(!is_still_skipped(noted(502, 900)) && !is_still_skipped(noted(0, 900)));
    let at_rest = |at| NotedSkip { done_at_rest_since: Some(at), ..noted(at, at) };
    assert!(!is_still_skipped(at_rest(502)) && !is_still_skipped(at_rest(0)));
}

#[test]
fn a_stop_of_a_unit_that_is_unloaded_outdates_the_skip_before_it() {
    let seen = |noted, end| NotedSkip {
        noted,
        at: noted,
        done_at_rest_since: None,
        seen: Some(SeenRest { at: 900, end }),
    };
    assert!(!is_still_skipped(seen(0, UnitEnd::Stopped)));
    // That is how it came to rest before the start that was skipped.
    assert!(is_still_skipped(seen(0, UnitEnd::ByItself)));
    assert!(is_still_skipped(seen(900, UnitEnd::Stopped)));
}
