//! `cargo xtask field` runs what was tried on real hosts: the end-to-end tests that `docs/field-trials.md`
//! names, and random sequences of what people do to a host by hand.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use oml_tests::{Build, Packages, TEST_FEATURES, cargo, field};

use crate::hosts;
use crate::test::run_tests;

#[derive(Debug, Args)]
pub(crate) struct Field {
    /// Run only this many random sequences of what people do by hand, and no other trial
    #[arg(long, value_name = "NUMBER")]
    sequences: Option<u32>,
    /// The seed of the first sequence, as a failure prints it; the following sequences have the following seeds
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

pub(crate) fn run(verb: &Field) -> Result<ExitCode> {
    hosts::require("the field trials", || build(verb))?;
    let began = Instant::now();
    let on_hosts = run_tests(command(verb)?)?;
    let code = match verb.is_random() {
        true => on_hosts,
        false => {
            let mut command = without_host()?;
            command.arg("--").args(field::without_host(field::PAGE));
            worse(on_hosts, run_tests(command)?)
        }
    };
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    eprintln!("the field trials took {minutes:.1} minutes");
    Ok(code)
}

impl Field {
    /// Whether only random sequences are played.
    fn is_random(&self) -> bool {
        self.sequences.is_some() || self.seed.is_some()
    }
}

/// Returns the tests of the page that need no host.
fn without_host() -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(TEST_FEATURES);
    command.args(["--lib", "--test", "system", "--test", "it"]);
    Ok(command)
}

fn worse(one: ExitCode, other: ExitCode) -> ExitCode {
    if one == ExitCode::SUCCESS { other } else { one }
}

fn command(verb: &Field) -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "-p", "oml-tests", "--locked", "--no-fail-fast"]).args(TEST_FEATURES);
    command.args(["--test", "field"]);
    if !verb.is_random() {
        command.args(["--test", "e2e"]).env(field::ONLY, "1");
    }
    if let Some(sequences) = verb.sequences {
        command.env(field::SEQUENCES, sequences.to_string());
    }
    if let Some(seed) = verb.seed {
        command.env(field::SEED, seed.to_string());
    }
    Ok(command)
}

/// Builds everything that root will run, so that the files belong to the user.
fn build(verb: &Field) -> Result<()> {
    let status = command(verb)?.arg("--no-run").status()?;
    ensure!(status.success(), "building the tests failed");
    if !verb.is_random() {
        let status = without_host()?.arg("--no-run").status()?;
        ensure!(status.success(), "building the tests failed");
    }
    Packages::build(Build::Lab).map(drop)
}
