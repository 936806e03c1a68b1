//! `cargo xtask test`: every test, those on real hosts included where this
//! machine can carry them.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use oml_lab::{LabError, preflight};

use crate::elevate::become_root;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Arguments for the test programs, such as a part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(verb: &Test) -> Result<ExitCode> {
    match preflight() {
        Ok(preflight) => eprintln!("{}", preflight.announcement()),
        Err(LabError::CannotRun(reason)) => {
            eprintln!("the tests on real hosts are skipped: {reason}");
        }
        Err(error) => return Err(error).context("look at what this machine has"),
    }
    become_root()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if !verb.arguments.is_empty() {
        command.arg("--").args(&verb.arguments);
    }
    let status = command.status().context("start cargo test")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
