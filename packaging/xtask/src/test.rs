//! `cargo xtask test` runs every test, including those on real hosts if this
//! machine can run them. `cargo xtask test --debian 13` runs all end-to-end tests on hosts with
//! that release.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use oml_lab::{Debian, build_stand_in, sweep};
use oml_tests::tools::{CARGO_DEB, CARGO_GENERATE_RPM};
use oml_tests::{Build, Packages, Rpms, TEST_FEATURES, cargo, previous, release};

use crate::elevate::is_root;
use crate::hosts::{self, Needs};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Run the end-to-end tests only, all of them on hosts with this release of Debian: 12 or 13
    #[arg(long, value_name = "RELEASE")]
    debian: Option<Debian>,
    /// Arguments for the test programs, such as part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(verb: &Test) -> Result<ExitCode> {
    let needs = verb.needs();
    match (hosts::check_and_announce(&needs)?, verb.debian) {
        (Ok(()), _) => hosts::become_root_after(&needs.releases, || build(verb))?,
        (Err(reason), Some(debian)) => bail!("the tests on {debian} cannot run here: {reason}"),
        // The tests check the same again and skip themselves.
        (Err(reason), None) => eprintln!("skipping the tests on real hosts: {reason}"),
    }
    let mut command = verb.command()?;
    command.arg("--no-fail-fast");
    if !verb.arguments.is_empty() {
        command.arg("--").args(&verb.arguments);
    }
    run_tests(command)
}

/// Runs cargo's test command, takes down the hosts that it left, and shows its failures again.
pub(crate) fn run_tests(mut command: Command) -> Result<ExitCode> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start cargo test")?;
    // Ctrl-C also reaches the child and ends it. This process ignores it, so that it can take down what the child left.
    SigSet::from(Signal::SIGINT).thread_block().context("block Ctrl-C")?;
    let output = child.stdout.take().context("take the output of cargo test")?;
    let forwarded = forward_output(BufReader::new(output), io::stdout());
    // This waits even if forwarding failed, because the tests must clean up before the sweep below.
    let status = child.wait().context("wait for cargo test")?;
    if is_root() {
        // An error here is only printed, because the result of the tests matters more.
        if let Err(error) = sweep() {
            eprintln!("warning: hosts of interrupted tests could not be taken down: {error}");
        }
    }
    let failures = forwarded?;
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    // The failures are repeated, because minutes of other output may follow them.
    if !failures.is_empty() {
        eprintln!("\nAll failures again:\n\n{failures}");
    }
    Ok(ExitCode::FAILURE)
}

/// Copies the output of the test programs and returns the sections about failures.
fn forward_output(mut from: impl BufRead, mut to: impl Write) -> Result<String> {
    let mut failures = String::new();
    let mut in_failures = false;
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("read the output of cargo test")? > 0 {
        to.write_all(&line).and_then(|()| to.flush()).context("print the output of cargo test")?;
        let text = String::from_utf8_lossy(&line);
        let is_result = text.starts_with("test result:");
        in_failures = (in_failures && !is_result) || text.starts_with("failures:");
        if in_failures {
            failures.push_str(&text);
        }
        line.clear();
    }
    Ok(failures)
}

/// Builds everything that root will run, so that the files belong to the user.
fn build(verb: &Test) -> Result<()> {
    let status = verb.command()?.arg("--no-run").status().context("start cargo test")?;
    ensure!(status.success(), "building the tests failed");
    if verb.arguments.is_empty() {
        // The second build reuses the dependencies of the first.
        Packages::build(Build::Lab)?;
        Rpms::build(Build::Lab, 1)?;
        build_stand_in().context("build the stand-ins of the lab")?;
        if verb.debian.is_none() {
            previous::packages()?;
        }
    }
    Ok(())
}

impl Test {
    /// Without a release, the tests choose hosts of all of them.
    fn needs(&self) -> Needs {
        let releases = self.debian.map_or_else(|| Debian::ALL.to_vec(), |debian| vec![debian]);
        Needs { releases, tools: vec![CARGO_DEB, CARGO_GENERATE_RPM] }
    }

    fn command(&self) -> Result<Command> {
        let mut command = cargo()?;
        command.arg("test");
        match self.debian {
            Some(debian) => {
                command.args(["-p", "oml-tests", "--test", "e2e"]);
                command.env(release::VARIABLE, debian.number());
            }
            None => {
                command.arg("--workspace");
            }
        }
        command.arg("--locked").args(TEST_FEATURES);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_output_is_forwarded_and_failures_are_collected() {
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n\
                       ---- b ----\nno answer\n\nfailures:\n    b\n\n\
                       test result: FAILED. 1 passed; 1 failed\n\nrunning 0 tests\n";
        let mut forwarded = Vec::new();
        let failures =
            forward_output(output.as_bytes(), &mut forwarded).expect("memory is readable");
        assert_eq!(String::from_utf8_lossy(&forwarded), output);
        assert_eq!(failures, "failures:\n\n---- b ----\nno answer\n\nfailures:\n    b\n\n");
    }

    #[test]
    fn output_that_is_not_utf8_is_forwarded_unchanged() {
        let mut forwarded = Vec::new();
        assert_eq!(forward_output(&b"\xff\n"[..], &mut forwarded).expect("memory is readable"), "");
        assert_eq!(forwarded, b"\xff\n");
    }
}
