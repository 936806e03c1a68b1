//! Prepares hosts in a second process, beside what this process builds.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use oml_lab::Debian;

use crate::elevate::as_root;

/// A process that prepares hosts. Ctrl-C ends it too, because it is in the same process group, but not the programs that
/// it runs at that time, such as debootstrap: the lab gives each a process group of its own, so they may run on.
#[must_use]
pub(crate) struct Preparation {
    child: Child,
    /// Prints what the process says, and returns its last line.
    output: JoinHandle<String>,
}

impl Preparation {
    /// Starts to prepare hosts with these releases, as root.
    pub(crate) fn start(releases: &[Debian]) -> Result<Self> {
        let mut command = as_root()?;
        command.args(["lab", "prepare"]);
        for release in releases {
            command.args(["--debian", release.number()]);
        }
        Self::of(command)
    }

    fn of(mut command: Command) -> Result<Self> {
        let (said, output) = io::pipe().context("make a pipe")?;
        let errors = output.try_clone().context("make a pipe")?;
        // With pipes, sudo leaves the terminal as it is.
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().context("start the preparation of hosts")?;
        Ok(Self { child, output: thread::spawn(move || forward(said, io::stderr())) })
    }

    /// Waits for the end, and prints `why` if that is still to come. An error has the last line that the process printed.
    pub(crate) fn finish(mut self, why: &str) -> Result<()> {
        if self.child.try_wait().context("look at the preparation of hosts")?.is_none() {
            eprintln!("{why}");
        }
        let status = self.child.wait().context("wait for the preparation of hosts")?;
        let last = self.output.join().unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        bail!("{}", if last.is_empty() { status.to_string() } else { last })
    }
}

/// Copies whole lines, so that they stay readable beside those of this process, and returns the last one.
fn forward(from: impl Read, mut to: impl Write) -> String {
    let mut last = String::new();
    for line in BufReader::new(from).lines() {
        match line.and_then(|line| writeln!(to, "{line}").map(|()| line)) {
            Ok(line) => last = line,
            Err(error) => return format!("what it says cannot be shown: {error}"),
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Preparation::of(command)?.finish("waiting")
    }

    #[test]
    fn a_preparation_that_fails_is_reported_with_the_last_line_that_it_printed() {
        shell("echo lab: build base >&2").unwrap();
        let error = shell("echo lab: build base >&2; echo error: no space >&2; exit 1");
        assert_eq!(error.unwrap_err().to_string(), "error: no space");
        assert_eq!(shell("exit 3").unwrap_err().to_string(), "exit status: 3");
    }

    #[test]
    fn lines_are_forwarded_whole_and_the_last_one_is_returned() {
        let mut forwarded = Vec::new();
        assert_eq!(forward(&b"one\ntwo"[..], &mut forwarded), "two");
        assert_eq!(forwarded, b"one\ntwo\n");
    }
}
