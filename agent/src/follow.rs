//! Follows the run of an operation to its end, whoever ordered it.

use std::time::Duration;

use oml_common::decide::operation::{abandoned, has_ended};
use oml_common::document::operation::RunResult;
use oml_common::id::RunId;
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::host::Host;
use crate::runs;

/// The pause between two looks at a run whose container does not run, and whose result is not
/// there yet.
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// The longest time between two looks at the unit of a run whose program runs: a signal may be lost.
const UNIT_INTERVAL: Duration = Duration::from_secs(60);

/// Where the output of a run goes.
pub(crate) trait Output: Send + Sync {
    /// Takes the next line.
    fn add(&self, line: String);

    /// Returns the number of lines that it has taken.
    fn taken(&self) -> u64;
}

/// A run that is followed.
pub(crate) struct Followed<'a> {
    pub(crate) host: &'a Host,
    pub(crate) id: RunId,
    /// Where its output goes, if anybody wants it.
    pub(crate) output: Option<&'a dyn Output>,
}

impl Host {
    /// Returns whether nothing of a run goes on, although nobody has written down how it ended. That
    /// is left to the next update of its component, which may be long in coming.
    pub(crate) async fn has_left(&self, id: RunId) -> bool {
        if !matches!(self.systemd.run_is_up(id).await, Ok(false)) {
            return false;
        }
        let Ok(container) = self.docker.run_container(id).await else { return false };
        let Some(container) = container else { return has_ended(None) };
        let found = self.docker.calls().inspect(&container).await;
        found.is_ok_and(|found| has_ended(found.map(|found| found.state).as_ref()))
    }
}

impl Followed<'_> {
    /// Waits until the run is over, and returns its result, which is on the disk unless nobody was
    /// there to write it.
    pub(crate) async fn until_over(&self) -> RunResult {
        let Self { host, id, output: _ } = self;
        loop {
            // Its lines are counted, so that what is dropped here is read again.
            tokio::select! {
                () = self.until_container_ends() => {}
                () = self.until_unit_is_gone() => {}
            }
            let is_up = host.systemd.run_is_up(*id).await;
            // The result is written before the unit ends, so it is looked for after the unit.
            match (runs::read_result(&host.paths, *id), is_up) {
                (Ok(Some(result)), _) => return result,
                (Ok(None) | Err(_), Ok(false)) => return self.abandoned().await,
                (Ok(None) | Err(_), Ok(true) | Err(_)) => {}
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    /// Passes on what the program writes, until it ends or the engine goes away.
    pub(crate) async fn until_container_ends(&self) {
        let docker = &self.host.docker;
        let Ok(Some(container)) = docker.run_container(self.id).await else { return };
        let ended = match self.output {
            Some(output) => {
                let line = |text: String| output.add(text);
                docker.calls().follow(&container, output.taken(), &line).await
            }
            None => docker.calls().wait(&container).await.map(drop),
        };
        if let Err(error) = ended {
            warn!(run = %self.id, error = chain(&error), "cannot follow a run");
        }
    }

    /// Waits until the unit is gone, though the program may go on: somebody killed what waits for it.
    async fn until_unit_is_gone(&self) {
        let mut changes = self.host.systemd.run_changes();
        while !matches!(self.host.systemd.run_is_up(self.id).await, Ok(false)) {
            let changed = async {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            // Not in time is fine: it is looked at either way.
            timeout(UNIT_INTERVAL, changed).await.unwrap_or(());
        }
    }

    /// Returns the result of a run whose unit ended without one.
    async fn abandoned(&self) -> RunResult {
        let Host { docker, clock, .. } = self.host;
        let container = docker.run_container(self.id).await.ok().flatten();
        let Some(container) = container else { return abandoned(None, None, clock.now()) };
        let found = docker.calls().inspect(&container).await.ok().flatten();
        let (state, started) = found.map(|it| (it.state, it.started)).unzip();
        let result = abandoned(state.as_ref(), started.flatten(), clock.now());
        let last_lines = docker.calls().last_lines(&container, Timestamp(0)).await;
        RunResult { last_lines: last_lines.unwrap_or_default(), ..result }
    }
}
