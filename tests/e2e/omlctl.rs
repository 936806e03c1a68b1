//! Runs `omlctl` in the background of a test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use oml_tests::Fleet;
use oml_tests::observe::SOON;
use serde_json::Value;

/// A running program on this machine. Dropping the value kills it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        Ok(Self(command.spawn().context("start omlctl")?))
    }

    /// Waits until the program ends.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        self.0.wait().context("wait for omlctl")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("omlctl may still be running: {error}");
        }
    }
}

/// The stream of the tenant's status. It is started before an action, so that the start of `omlctl`
/// does not delay the observation of the action's effect.
pub(crate) struct Watch {
    replies: Receiver<Value>,
    _omlctl: Running,
}

impl Watch {
    pub(crate) fn start(fleet: &Fleet) -> Result<Self> {
        let tenant = format!("tenant={}", fleet.tenant());
        let mut command = fleet.ctl_command(&["status", &tenant, "--watch", "-o", "json"]);
        command.stdout(Stdio::piped());
        let mut omlctl = Running::start(command)?;
        let printed = omlctl.0.stdout.take().context("take the output of omlctl")?;
        Ok(Self { replies: read_replies(printed), _omlctl: omlctl })
    }

    /// Waits for the next reply for which the condition holds, and returns it.
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let until = Instant::now() + SOON;
        let mut last = Value::Null;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let reply = self.replies.recv_timeout(left);
            let reply = reply.with_context(|| format!("waited for: {what}; last seen: {last}"))?;
            if holds(&reply) {
                return Ok(reply);
            }
            last = reply;
        }
    }
}

/// Parses one reply per line in a thread, until the output ends or the receiver is dropped.
fn read_replies(printed: ChildStdout) -> Receiver<Value> {
    let (sender, replies) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(printed).lines().map_while(Result::ok);
        let mut replies = lines.map_while(|line| serde_json::from_str(&line).ok());
        replies.all(|reply| sender.send(reply).is_ok());
    });
    replies
}
