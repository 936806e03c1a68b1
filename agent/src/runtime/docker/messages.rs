//! How a container ended: its status and the last lines it wrote.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt as _;
use oml_common::decide::observed::ContainerState;
use oml_common::text::printable::printable;
use oml_common::time::Timestamp;

use super::calls::EngineCalls;
use super::failure;
use super::socket::Engine;
use crate::runtime::{ExitReport, RuntimeError};

const LINES_MAX: usize = 20;
/// Of the lines that are shown while a program runs.
const LAST_LINES_MAX: usize = 5;
const LAST_LINE_CHARS_MAX: usize = 200;
const LIMIT: Duration = Duration::from_secs(10);
/// The engine notes the start of a program a little after the program has begun to write.
const START_LATE_MS: u64 = 1_000;

/// How a container ended since that time. The engine's own words come before the lines of the
/// program.
pub(super) async fn of(
    engine: &dyn EngineCalls,
    id: &str,
    since: Timestamp,
) -> Result<ExitReport, RuntimeError> {
    let Some(found) = engine.inspect(id).await? else { return Ok(ExitReport::default()) };
    // What an earlier life left says nothing of a start that did not begin another.
    let life = found.started.filter(|started| *started >= since);
    let exit_code = match found.state {
        ContainerState::Exited { code, .. } => life.map(|_| code),
        ContainerState::Created | ContainerState::Running { .. } => None,
    };
    let lines = match life {
        Some(started) => {
            let began = Timestamp(started.0.saturating_sub(START_LATE_MS));
            engine.log_tail(id, began.max(since)).await?
        }
        None => Vec::new(),
    };
    let own = (!found.error.is_empty()).then(|| clip(&found.error));
    let from = (lines.len() + usize::from(own.is_some())).saturating_sub(LINES_MAX);
    let log_tail = own.into_iter().chain(lines.into_iter().skip(from)).collect();
    Ok(ExitReport { exit_code, log_tail })
}

/// The last few lines that a container wrote since that time, shortened.
pub(super) async fn last_lines(
    engine: &Engine,
    id: &str,
    since: Timestamp,
) -> Result<Vec<String>, RuntimeError> {
    let lines = read(engine, id, LAST_LINES_MAX, since).await?;
    Ok(lines.into_iter().map(|line| line.chars().take(LAST_LINE_CHARS_MAX).collect()).collect())
}

/// The last lines that a container wrote since that time.
pub(super) async fn log_tail(
    engine: &Engine,
    id: &str,
    since: Timestamp,
) -> Result<Vec<String>, RuntimeError> {
    read(engine, id, LINES_MAX, since).await
}

/// Reads the last lines that a container wrote since that time.
async fn read(
    engine: &Engine,
    id: &str,
    lines_max: usize,
    since: Timestamp,
) -> Result<Vec<String>, RuntimeError> {
    let tail = lines_max.to_string();
    // The engine is asked in whole seconds; what is earlier is left out by its own time.
    let second = i32::try_from(since.0 / 1_000).unwrap_or(i32::MAX);
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&tail);
    let options = options.since(second).timestamps(true);
    let client = engine.client(LIMIT)?;
    let pieces = client.logs(id, Some(options.build())).take(lines_max);
    let lines = async {
        let mut lines = Vec::new();
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let bytes = piece?.into_bytes();
            let line = String::from_utf8_lossy(&bytes);
            lines.extend(written_since(&line, since).map(clip));
        }
        Ok(lines)
    };
    failure::within(LIMIT, "read the log of", id, lines).await
}

/// Gives the lines that a container writes to `line`, without the first ones, until it ends. A
/// program may be silent for as long as it likes.
pub(super) async fn follow(
    engine: &Engine,
    id: &str,
    skip: u64,
    line: &(dyn Fn(String) + Send + Sync),
) -> Result<(), RuntimeError> {
    // An engine that closes the log of a program which ends just then may answer with nothing.
    match give(engine, id, skip, true, line).await? {
        0 => give(engine, id, skip, false, line).await.map(drop),
        _ => Ok(()),
    }
}

/// Gives the lines of a log after the first ones, as they come or as they are. Returns how many.
async fn give(
    engine: &Engine,
    id: &str,
    skip: u64,
    is_followed: bool,
    line: &(dyn Fn(String) + Send + Sync),
) -> Result<u64, RuntimeError> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).follow(is_followed);
    let client = engine.client(LIMIT)?;
    let mut pieces = std::pin::pin!(client.logs(id, Some(options.tail("all").build())));
    let (mut left, mut given) = (skip, 0);
    while let Some(piece) = pieces.next().await {
        let bytes = piece.map_err(|error| failure::of("read the log of", id, error))?.into_bytes();
        for text in String::from_utf8_lossy(&bytes).lines() {
            match left.checked_sub(1) {
                Some(fewer) => left = fewer,
                None => {
                    line(clip(text));
                    given += 1;
                }
            }
        }
    }
    Ok(given)
}

/// Takes the time off a line of a log; none if the line is older. A piece of a long line may
/// have no time.
fn written_since(line: &str, since: Timestamp) -> Option<&str> {
    let (time, text) = line.split_once(' ').unwrap_or((line.trim_end(), ""));
    match time.parse::<jiff::Timestamp>() {
        Ok(at) => {
            let at_ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
            (at_ms >= since.0).then_some(text)
        }
        Err(_) => Some(line),
    }
}

/// One line, safe for a terminal and of a readable length.
fn clip(line: &str) -> String {
    printable(&line.trim_end().replace('\t', " "))
}

#[cfg(test)]
mod tests;
