//! The field trials that need hosts of their own: random sequences of what people do to a host by hand.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod action;
mod facts;
mod intent;
mod judge;
mod judge_trials;
mod sequence;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use oml_tests::trial;

const NAME: &str = "after_whatever_people_do_the_host_runs_what_is_desired_or_says_why_not";
const JUDGE: &str = "the_judge_accepts_what_is_true_of_a_host_and_nothing_else";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_ignored = !arguments.list && !trial::can_run();
    let judge = Trial::test(JUDGE, || trial::outcome(JUDGE, judge_trials::run()));
    let sequences = Trial::test(NAME, || trial::outcome(NAME, sequence::run_all()));
    let trials = vec![judge, sequences.with_ignored_flag(is_ignored)];
    libtest_mimic::run(&arguments, trials).exit_code()
}
