//! Runs programs with a time limit and collects their output. It does not use a shell.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use std::os::unix::process::{CommandExt, ExitStatusExt};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::error::{LabError, Result};

/// How long to keep reading after the program has ended, because a child process of it may still hold the pipe open.
const PIPE_GRACE: Duration = Duration::from_secs(2);
/// How many of the last lines of a failed program's output are shown.
const LINES_SHOWN: usize = 12;

/// The result of a program that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code, or 128 plus the signal number if a signal ended the program.
    pub status: i32,
    /// The standard output. Invalid UTF-8 is replaced.
    pub stdout: String,
    /// The standard error. Invalid UTF-8 is replaced.
    pub stderr: String,
}

impl Output {
    /// Returns true if the program ended with exit code 0.
    pub fn is_success(&self) -> bool {
        self.status == 0
    }
}

/// A program that is about to be run.
pub(crate) struct Run {
    command: Command,
    limit: Duration,
    stdin: Vec<u8>,
}

impl Run {
    pub(crate) fn new(program: &str) -> Self {
        Self { command: Command::new(program), limit: Duration::from_secs(30), stdin: Vec::new() }
    }

    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(
        mut self,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs the program and returns its output, with any exit code.
    pub(crate) fn output(mut self) -> Result<Output> {
        let command_line = command_line(&self.command);
        let failed = |why: String| LabError::Command { command: command_line.clone(), why };
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = self.command.spawn().map_err(|e| failed(e.to_string()))?;
        let stdout = Collector::start(child.stdout.take());
        let stderr = Collector::start(child.stderr.take());
        write_stdin(&mut child, self.stdin);
        let status = wait(child, self.limit).map_err(failed)?;
        Ok(Output { status: code(status), stdout: stdout.finish(), stderr: stderr.finish() })
    }

    /// Runs the program; any exit code except 0 is an error that shows the last lines of its output.
    pub(crate) fn ok(self) -> Result<Output> {
        let command = command_line(&self.command);
        let output = self.output()?;
        if output.is_success() {
            return Ok(output);
        }
        Err(LabError::Command { command, why: output_summary(&output) })
    }
}

/// Returns the exit code and the last lines of a program's output.
pub(crate) fn output_summary(output: &Output) -> String {
    let text = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(LINES_SHOWN);
    format!("exit code {}: {}", output.status, lines.get(from..).unwrap_or_default().join("\n"))
}

fn command_line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Writes the input in a separate thread, because writing would block while a program waits for its output to be read.
fn write_stdin(child: &mut Child, bytes: Vec<u8>) {
    if let Some(mut pipe) = child.stdin.take() {
        thread::spawn(move || {
            // A program may end without reading its input; its exit code is more useful than this error.
            drop(pipe.write_all(&bytes));
        });
    }
}

fn wait(mut child: Child, limit: Duration) -> std::result::Result<ExitStatus, String> {
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    match ended.recv_timeout(limit) {
        Ok(status) => status.map_err(|e| e.to_string()),
        Err(_) => {
            let killed = match group.map(|group| killpg(group, Signal::SIGKILL)) {
                // A process that is already gone counts as killed.
                Ok(Ok(()) | Err(Errno::ESRCH)) => "was killed".to_owned(),
                Ok(Err(error)) => format!("could not be killed: {error}"),
                Err(error) => format!("could not be killed: {error}"),
            };
            Err(format!("timed out after {limit:?} and {killed}"))
        }
    }
}

struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    done: mpsc::Receiver<()>,
}

impl Collector {
    fn start(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (sender, done) = mpsc::channel();
        let into = Arc::clone(&bytes);
        thread::spawn(move || {
            if let Some(mut pipe) = pipe {
                collect(&mut pipe, &into);
            }
            drop(sender);
        });
        Self { bytes, done }
    }

    fn finish(self) -> String {
        // The sender is dropped at the end of the pipe. After the grace period, the output so far is returned.
        let is_whole = self.done.recv_timeout(PIPE_GRACE) == Err(RecvTimeoutError::Disconnected);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if !is_whole {
            text += "\n(incomplete: another process kept the output open after the program ended)";
        }
        text
    }
}

fn collect(pipe: &mut impl Read, into: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => into
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests;
