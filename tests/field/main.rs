//! The field trials that need hosts of their own: random sequences of what people do to a host by hand.
#![expect(
    clippy::disallowed_methods,
    reason = "tests on real hosts use real time and read their own variables"
)]

mod action;
mod actions;
mod causes;
mod changes;
mod component;
mod desired;
mod draw;
mod expectation;
mod expectation_trials;
mod facts;
mod fixtures;
mod intent;
mod record;
mod reset_trials;
mod sequence;
mod traces;
mod verbs;
mod verbs_trials;

use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use oml_tests::trial;

const NAME: &str = "after_any_actions_by_hand_the_host_runs_what_is_desired_or_says_why_not";
/// A trial that needs no host, with its name.
type HostlessTrial = (&'static str, fn() -> Result<()>);

const WITHOUT_HOST: [HostlessTrial; 5] = [
    ("the_expectation_accepts_what_is_true_of_a_host_and_nothing_else", expectation_trials::run),
    ("the_commands_of_every_action_mean_what_it_declares", verbs_trials::run),
    ("what_a_host_prints_becomes_the_facts_about_it", reset_trials::run_read),
    ("what_a_sequence_leaves_on_a_host_is_found_at_its_reset", reset_trials::run_reset),
    ("the_agents_absence_excuses_a_doubt_no_longer_than_it_lasts", reset_trials::run_intent),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_ignored = !arguments.list && !trial::can_run();
    let sequences = Trial::test(NAME, || trial::outcome(NAME, sequence::run_all()));
    let without_host =
        WITHOUT_HOST.map(|(name, run)| Trial::test(name, move || trial::outcome(name, run())));
    let sequences = sequences.with_ignored_flag(is_ignored);
    let trials = without_host.into_iter().chain([sequences]).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
