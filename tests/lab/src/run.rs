//! Runs programs with a time limit and keeps what they print. It never goes through a shell on its own.

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

/// How long the readers may go on after the program ended: a child of it may still hold the pipe.
const PIPE_GRACE: Duration = Duration::from_secs(2);
/// How many lines of a failed program are shown.
const LINES_SHOWN: usize = 12;

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code, or 128 + the signal's number.
    pub status: i32,
    /// Standard output, not valid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, not valid UTF-8 replaced.
    pub stderr: String,
}

impl Output {
    /// True when the program ended with exit code 0.
    pub fn is_success(&self) -> bool {
        self.status == 0
    }
}

/// A program about to run.
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

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs to the end and gives the output, whatever the exit code.
    pub(crate) fn output(mut self) -> Result<Output> {
        let shown = shown(&self.command);
        let failed = |why: String| LabError::Command { command: shown.clone(), why };
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = self.command.spawn().map_err(|e| failed(e.to_string()))?;
        let stdout = Collector::start(child.stdout.take());
        let stderr = Collector::start(child.stderr.take());
        feed(&mut child, self.stdin);
        let status = wait(child, self.limit).map_err(failed)?;
        Ok(Output { status: code(status), stdout: stdout.finish(), stderr: stderr.finish() })
    }

    /// Runs to the end; any exit code but 0 is an error that shows the last lines.
    pub(crate) fn ok(self) -> Result<Output> {
        let command = shown(&self.command);
        let output = self.output()?;
        if output.is_success() {
            return Ok(output);
        }
        Err(LabError::Command { command, why: explain(&output) })
    }
}

/// One line of blame for a failed program.
pub(crate) fn explain(output: &Output) -> String {
    let text = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(LINES_SHOWN);
    format!("exit code {}: {}", output.status, lines.get(from..).unwrap_or_default().join("\n"))
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Writes the input from a thread of its own, so that a program that prints much cannot block us.
fn feed(child: &mut Child, bytes: Vec<u8>) {
    if let Some(mut pipe) = child.stdin.take() {
        thread::spawn(move || {
            // A program may end without reading its input; its exit code tells more than this error.
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
                // Already gone is as good as killed.
                Ok(Ok(()) | Err(Errno::ESRCH)) => "killed".to_owned(),
                Ok(Err(error)) => format!("not killed: {error}"),
                Err(error) => format!("not killed: {error}"),
            };
            Err(format!("no end within {limit:?}, {killed}"))
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
        // The sender goes away at the end of the pipe; after the grace, what came so far has to do.
        let is_whole = self.done.recv_timeout(PIPE_GRACE) == Err(RecvTimeoutError::Disconnected);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if !is_whole {
            text += "\n(output still open when the program ended)";
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
