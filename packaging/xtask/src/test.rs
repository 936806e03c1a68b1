//! `cargo xtask test`: every test, those on real hosts included where this
//! machine can carry them.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use oml_lab::sweep;
use oml_tests::{Build, Packages, TEST_FEATURES, cargo};

use crate::elevate::is_root;
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
    let mut child = command.stdout(Stdio::piped()).spawn().context("start cargo test")?;
    // Ctrl-C reaches the child as well, which ends of it; what it leaves is then ours to take down.
    SigSet::from(Signal::SIGINT).thread_block().context("keep Ctrl-C waiting")?;
    let printed = child.stdout.take().context("its output is piped")?;
    let passed_on = pass_on(BufReader::new(printed), io::stdout());
    // Also where nobody reads on: the tests clean up behind themselves before we do.
    let status = child.wait().context("wait for cargo test")?;
    if is_root() {
        // Told, and no reason to keep back what the tests said.
        if let Err(error) = sweep() {
            eprintln!("warning: hosts of tests that were ended are left: {error}");
        }
    }
    let failures = passed_on?;
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    // Minutes of other tests may stand between a failure and the end of the output.
    if !failures.is_empty() {
        eprintln!("\nWhat failed, once more:\n\n{failures}");
    }
    Ok(ExitCode::FAILURE)
}

/// Passes on what test programs print; the answer is what they said of their failures.
fn pass_on(mut from: impl BufRead, mut to: impl Write) -> Result<String> {
    let mut failures = String::new();
    let mut tells = false;
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("read what cargo test prints")? > 0 {
        to.write_all(&line).and_then(|()| to.flush()).context("pass on what cargo test prints")?;
        let text = String::from_utf8_lossy(&line);
        let is_result = text.starts_with("test result:");
        tells = (tells && !is_result) || text.starts_with("failures:");
        if tells {
            failures.push_str(&text);
        }
        line.clear();
    }
    Ok(failures)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_kept_and_everything_is_passed_on() {
        let printed = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n\
                       ---- b ----\nno answer\n\nfailures:\n    b\n\n\
                       test result: FAILED. 1 passed; 1 failed\n\nrunning 0 tests\n";
        let mut passed_on = Vec::new();
        let failures = pass_on(printed.as_bytes(), &mut passed_on).expect("memory is readable");
        assert_eq!(String::from_utf8_lossy(&passed_on), printed);
        assert_eq!(failures, "failures:\n\n---- b ----\nno answer\n\nfailures:\n    b\n\n");
    }

    #[test]
    fn output_that_is_no_text_is_passed_on_as_it_is() {
        let mut passed_on = Vec::new();
        assert_eq!(pass_on(&b"\xff\n"[..], &mut passed_on).expect("memory is readable"), "");
        assert_eq!(passed_on, b"\xff\n");
    }
}
