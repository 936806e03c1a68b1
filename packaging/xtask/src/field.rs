//! `cargo xtask field` runs what was tried on real hosts: the end-to-end tests that `docs/field-trials.md` names.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, ensure};
use oml_tests::{Build, Packages, TEST_FEATURES, cargo, field};

use crate::hosts;
use crate::test::run_tests;

pub(crate) fn run() -> Result<ExitCode> {
    hosts::require("the field trials", build)?;
    let began = Instant::now();
    let code = run_tests(command()?)?;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    eprintln!("the field trials took {minutes:.1} minutes");
    Ok(code)
}

fn command() -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "-p", "oml-tests", "--locked", "--test", "e2e"]).args(TEST_FEATURES);
    command.env(field::ONLY, "1");
    Ok(command)
}

/// Builds everything that root will run, so that the files belong to the user.
fn build() -> Result<()> {
    let status = command()?.arg("--no-run").status()?;
    ensure!(status.success(), "building the tests failed");
    Packages::build(Build::Lab).map(drop)
}
