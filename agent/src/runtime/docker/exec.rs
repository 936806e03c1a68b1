//! Running a command inside a container, with an end.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::StreamExt as _;

use super::{Engine, failure};
use crate::runtime::{ExecOutput, RuntimeError};

const STDOUT_BYTES_MAX: usize = 64 * 1024;
/// Probes are short, and there are many supervisors.
const BUFFER_BYTES: usize = 1024;

impl Engine {
    /// Runs a command inside a running container. One that takes longer than
    /// `limit` is left to itself: the engine has no way to end it.
    pub async fn exec(
        &self,
        id: &str,
        command: &[String],
        limit: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        match tokio::time::timeout(limit, self.exec_unbounded(id, command, limit)).await {
            Ok(output) => output,
            Err(_) => Err(RuntimeError::Refused {
                verb: "run a command in",
                object: short(id).to_owned(),
                detail: format!("{} did not end in {} ms", command.join(" "), limit.as_millis()),
                transient: true,
            }),
        }
    }

    async fn exec_unbounded(
        &self,
        id: &str,
        command: &[String],
        limit: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        let failed = |error| failure::of("run a command in", short(id), error);
        let client = self.client(limit)?;
        let request = CreateExecOptions {
            attach_stdout: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let exec = client.create_exec(id, request).await.map_err(failed)?.id;
        let start =
            StartExecOptions { output_capacity: Some(BUFFER_BYTES), ..StartExecOptions::default() };
        let mut stdout = Vec::new();
        if let StartExecResults::Attached { mut output, .. } =
            client.start_exec(&exec, Some(start)).await.map_err(failed)?
        {
            while let Some(piece) = output.next().await {
                collect(&mut stdout, &piece.map_err(failed)?);
            }
        }
        let ended = client.inspect_exec(&exec).await.map_err(failed)?;
        Ok(ExecOutput {
            exit_code: ended.exit_code.unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
        })
    }
}

fn collect(stdout: &mut Vec<u8>, piece: &LogOutput) {
    let room = STDOUT_BYTES_MAX.saturating_sub(stdout.len());
    let bytes: &[u8] = piece.as_ref();
    stdout.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
