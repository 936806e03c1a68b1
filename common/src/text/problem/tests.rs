//! How a problem is shown to an operator.

use super::*;

#[test]
fn a_problem_shows_line_place_message_and_hint() {
    let problem = Problem::new("components.astrisk", "unknown component")
        .at_line(4)
        .suggest("astrisk", ["asterisk", "kamailio"]);
    assert_eq!(
        problem.to_string(),
        "line 4: components.astrisk: unknown component (did you mean asterisk?)"
    );
}

#[test]
fn a_word_that_is_similar_to_none_gets_the_list() {
    let problem = Problem::new("x", "unknown").suggest("zzz", ["asterisk", "kamailio"]);
    assert_eq!(problem.hint.as_deref(), Some("known: asterisk, kamailio"));
}

#[test]
fn control_characters_never_reach_a_terminal() {
    let problem = Problem::new("a\u{1b}[31m", "b\nc");
    assert_eq!(problem.to_string(), "a\\u{1b}[31m: b\\nc");
}

#[test]
fn ten_thousand_problems_are_counted_not_listed() {
    let problems: Problems =
        (0..10_000).map(|n| Problem::new(format!("components.c{n}"), "unknown")).collect();
    let Err(shown) = problems.into_result(()) else { unreachable!() };
    assert_eq!(shown.0.len(), PROBLEMS_SHOWN_MAX + 1);
    assert!(shown.to_string().contains("9950 more"));
}
