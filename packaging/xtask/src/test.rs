//! `cargo xtask test`: every test, those on real hosts included where this
//! machine can carry them.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use oml_tests::{Build, Packages, TEST_FEATURES, cargo};

use crate::hosts;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Arguments for the test programs, such as a part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(verb: &Test) -> Result<ExitCode> {
    match hosts::ask()? {
        Ok(()) => hosts::become_root_after(|| build(verb))?,
        // The tests themselves find the same in the way.
        Err(reason) => eprintln!("the tests on real hosts are skipped: {reason}"),
    }
    let mut command = tests()?;
    command.arg("--no-fail-fast");
    if !verb.arguments.is_empty() {
        command.arg("--").args(&verb.arguments);
    }
    let status = command.status().context("start cargo test")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All that root will run, built as the user.
fn build(verb: &Test) -> Result<()> {
    let status = tests()?.arg("--no-run").status().context("start cargo test")?;
    ensure!(status.success(), "the tests cannot be built");
    if verb.arguments.is_empty() {
        Packages::build(Build::Lab)?;
    }
    Ok(())
}

fn tests() -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "--workspace", "--locked"]).args(TEST_FEATURES);
    Ok(command)
}
