//! The field trials that need hosts of their own: random sequences of what people do to a host by hand.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod action;
mod expectation;
mod expectation_trials;
mod facts;
mod intent;
mod sequence;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use oml_tests::trial;

const NAME: &str = "after_any_actions_by_hand_the_host_runs_what_is_desired_or_says_why_not";
const EXPECTATION: &str = "the_expectation_accepts_what_is_true_of_a_host_and_nothing_else";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_ignored = !arguments.list && !trial::can_run();
    let expectation =
        Trial::test(EXPECTATION, || trial::outcome(EXPECTATION, expectation_trials::run()));
    let sequences = Trial::test(NAME, || trial::outcome(NAME, sequence::run_all()));
    let trials = vec![expectation, sequences.with_ignored_flag(is_ignored)];
    libtest_mimic::run(&arguments, trials).exit_code()
}
