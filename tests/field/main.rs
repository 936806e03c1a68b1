//! The field trials that need hosts of their own: random sequences of what people do to a host by hand.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod action;
mod facts;
mod intent;
mod judge;
mod sequence;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use oml_tests::trial;

const NAME: &str = "after_whatever_people_do_the_host_runs_what_is_desired_or_says_why_not";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_ignored = !trial::can_run() && !arguments.list;
    let sequences = Trial::test(NAME, || trial::outcome(sequence::run_all()));
    libtest_mimic::run(&arguments, vec![sequences.with_ignored_flag(is_ignored)]).exit_code()
}
