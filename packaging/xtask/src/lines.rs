//! `cargo xtask lines` installs, upgrades and rolls back every line of OMniLeads on real hosts.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use oml_lab::build_stand_in;
use oml_tests::{Build, Packages, TEST_FEATURES, cargo, wanted};

use crate::hosts;
use crate::test::run_tests;

#[derive(Debug, Args)]
pub(crate) struct Lines {
    /// The lines to try, separated by commas: 1.26, 2.2, 2.6, 3; without it, all of them
    #[arg(value_name = "LINES")]
    lines: Option<String>,
    /// Try them on this number of hosts only: 1 or 3
    #[arg(long, value_name = "NUMBER", value_parser = ["1", "3"])]
    hosts: Option<String>,
}

pub(crate) fn run(verb: &Lines) -> Result<ExitCode> {
    hosts::require("the trials of the lines", || build(verb))?;
    let began = Instant::now();
    let code = run_tests(command(verb)?)?;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    eprintln!("the trials of the lines took {minutes:.1} minutes");
    Ok(code)
}

fn command(verb: &Lines) -> Result<Command> {
    let mut command = cargo()?;
    command.args(["test", "-p", "oml-tests", "--locked", "--no-fail-fast"]).args(TEST_FEATURES);
    command.args(["--test", "lines"]);
    command.env(wanted::LINES, verb.lines.as_deref().unwrap_or("all"));
    if let Some(hosts) = &verb.hosts {
        command.env(wanted::HOSTS, hosts);
    }
    Ok(command)
}

/// Builds everything that root will run, so that the files belong to the user.
fn build(verb: &Lines) -> Result<()> {
    let status = command(verb)?.arg("--no-run").status()?;
    ensure!(status.success(), "building the tests failed");
    Packages::build(Build::Lab)?;
    build_stand_in().context("build the stand-ins of the lab").map(drop)
}
