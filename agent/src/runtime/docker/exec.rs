//! Runs a command inside a container with a time limit.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt as _;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use super::failure;
use super::socket::Engine;
use crate::runtime::{ExecOutput, RuntimeError};

/// The limit of each output.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Probes are short, and there are many supervisors.
const BUFFER_BYTES: usize = 1024;

/// Runs a command inside a running container. One that takes longer than `limit` keeps
/// running, because the API cannot end it. The same command is not started again before
/// it has ended.
pub(super) async fn run(
    engine: &Engine,
    id: &str,
    command: &[String],
    limit: Duration,
) -> Result<ExecOutput, RuntimeError> {
    let refused = |detail: String, has_begun: bool| RuntimeError::Refused {
        verb: "run a command in",
        object: short(id).to_owned(),
        detail: format!("{} {detail}", command.join(" ")),
        // A command that was begun hangs by the doing of the program, any other by the engine's.
        transient: !has_begun,
    };
    let deadline = Instant::now() + limit;
    let late = format!("did not end in {} ms", limit.as_millis());
    match timeout_at(deadline, runs_still(engine, id, command, limit)).await {
        Ok(Ok(false)) => {}
        Ok(Ok(true)) => {
            return Err(refused("was begun before and has not ended".to_owned(), true));
        }
        Ok(Err(error)) => return Err(error),
        Err(_elapsed) => return Err(refused(late, false)),
    }
    let begun = OnceCell::new();
    let run = run_unbounded(engine, id, command, limit, &begun);
    match timeout_at(deadline, run).await {
        Ok(output) => output,
        Err(_) => {
            let begun = begun.into_inner();
            let error = refused(late, begun.is_some());
            if let Some(exec) = begun {
                engine.unfinished.held().insert((id.to_owned(), command.to_vec()), exec);
            }
            Err(error)
        }
    }
}

/// Returns true if the command was started earlier and is still running.
async fn runs_still(
    engine: &Engine,
    id: &str,
    command: &[String],
    limit: Duration,
) -> Result<bool, RuntimeError> {
    let key = (id.to_owned(), command.to_vec());
    let Some(exec) = engine.unfinished.held().get(&key).cloned() else { return Ok(false) };
    let client = engine.client(limit)?;
    let call = client.inspect_exec(&exec);
    let found = failure::within_if_there(limit, "ask for a command in", short(id), call);
    let runs = found.await?.is_some_and(|found| found.running == Some(true));
    if !runs {
        engine.unfinished.held().remove(&key);
    }
    Ok(runs)
}

async fn run_unbounded(
    engine: &Engine,
    id: &str,
    command: &[String],
    limit: Duration,
    begun: &OnceCell<String>,
) -> Result<ExecOutput, RuntimeError> {
    let failed = |error| failure::of("run a command in", short(id), error);
    let client = engine.client(limit)?;
    let request = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command.to_vec()),
        ..CreateExecOptions::default()
    };
    let exec = client.create_exec(id, request).await.map_err(failed)?.id;
    let exec = begun.get_or_init(|| async { exec }).await;
    let start =
        StartExecOptions { output_capacity: Some(BUFFER_BYTES), ..StartExecOptions::default() };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    if let StartExecResults::Attached { mut output, .. } =
        client.start_exec(exec, Some(start)).await.map_err(failed)?
    {
        while let Some(piece) = output.next().await {
            let piece = piece.map_err(failed)?;
            let is_error = matches!(piece, LogOutput::StdErr { .. });
            collect(if is_error { &mut stderr } else { &mut stdout }, &piece);
        }
    }
    let ended = client.inspect_exec(exec).await.map_err(failed)?;
    Ok(ExecOutput {
        exit_code: ended.exit_code.unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

fn collect(output: &mut Vec<u8>, piece: &LogOutput) {
    let room = OUTPUT_BYTES_MAX.saturating_sub(output.len());
    let bytes: &[u8] = piece.as_ref();
    output.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests;
