use std::time::{Duration, Instant};

use super::*;

#[test]
fn output_and_exit_code_are_returned() {
    let output =
        Run::new("sh").args(["-c", "cat; echo bad >&2; exit 3"]).stdin("in").output().unwrap();
    assert_eq!(output, Output { status: 3, stdout: "in".into(), stderr: "bad\n".into() });
}

#[test]
fn a_program_that_does_not_end_is_killed_at_the_limit() {
    let started = Instant::now();
    let error =
        Run::new("sleep").args(["60"]).limit(Duration::from_millis(50)).output().unwrap_err();
    assert!(error.to_string().contains("timed out after 50ms and was killed"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_failure_shows_the_last_lines() {
    let error = Run::new("sh").args(["-c", "seq 100 >&2; exit 1"]).ok().unwrap_err().to_string();
    assert!(error.contains("exit code 1: 89") && error.ends_with("100"), "{error}");
}
