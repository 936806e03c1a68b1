//! The supervisor's calls to the engine. The engine may be away for a while, which
//! says nothing about the container.

use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::observed::ContainerState;
use oml_daemon::env::Env;

use super::sd_notify::SystemdNotifier;
use crate::pause::RetryPause;
use crate::probe::{ProbeTarget, Prober};
use crate::runtime::{ContainerEngine, RuntimeError, Waited};

/// The extra start time that systemd is asked for while the engine is away.
pub(super) const EXTENSION: Duration = Duration::from_secs(30);

/// The time within which a container ends after an engine that shuts down with its containers
/// broke a wait.
const SHUTDOWN_MS: u64 = 3_000;

/// The engine and systemd, as one supervisor calls them.
pub(super) struct EngineClient {
    pub(super) engine: Arc<dyn ContainerEngine>,
    pub(super) prober: Arc<dyn Prober>,
    pub(super) systemd: SystemdNotifier,
    pub(super) env: Env,
}

/// The end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The exit status; none if the container does not exist any more.
    pub(super) code: Option<i64>,
    /// The kernel killed it because memory ran out.
    pub(super) out_of_memory: bool,
    /// The engine was away when it ended, so its events may be incomplete.
    pub(super) engine_was_away: bool,
}

impl EngineClient {
    /// Returns the container as a probe is given it.
    pub(super) fn target<'a>(&'a self, id: &'a str) -> ProbeTarget<'a> {
        let (calls, random) = (self.engine.calls(), self.env.random());
        ProbeTarget { calls, container: id, random }
    }

    /// Repeats a call until the engine answers.
    pub(super) async fn insist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, RuntimeError>
    where
        F: Future<Output = Result<T, RuntimeError>>,
    {
        let mut backoff = RetryPause::new();
        loop {
            match ask().await {
                Err(RuntimeError::Unavailable { .. }) => {
                    self.systemd.engine_is_away(self.env.now());
                    self.systemd.extend(EXTENSION);
                    backoff.pause().await;
                }
                answer => {
                    self.systemd.engine_is_back();
                    return answer;
                }
            }
        }
    }

    /// Waits for a container's end, however often the engine goes away.
    pub(super) async fn until_end(&self, id: &str) -> Result<End, RuntimeError> {
        let mut backoff = RetryPause::new();
        let mut broken_at = None;
        loop {
            let waited = self.engine.calls().wait(id).await;
            let now = self.env.now();
            let engine_was_away =
                matches!(waited, Ok(Waited::Lost) | Err(RuntimeError::Unavailable { .. }));
            match waited {
                Ok(Waited::Ended(code)) => {
                    // An engine that shuts down breaks the wait while it still answers other questions.
                    let ended_with_it = broken_at.is_some_and(|at| now.since_ms(at) < SHUTDOWN_MS);
                    return Ok(self.end(id, code, ended_with_it).await);
                }
                // The engine is away, or refused because of the container, whose state is read below.
                Ok(Waited::Lost) | Err(_) => broken_at = Some(now),
            }
            let found = self.insist(|| self.engine.calls().inspect(id)).await?;
            match found.map(|found| found.state) {
                None => return Ok(End { code: None, out_of_memory: false, engine_was_away }),
                Some(ContainerState::Exited { code, out_of_memory, .. }) => {
                    return Ok(End { code: Some(code), out_of_memory, engine_was_away });
                }
                // It outlived the outage, which says nothing about its later end.
                Some(ContainerState::Running { .. } | ContainerState::Created) => {
                    backoff.pause().await;
                }
            }
        }
    }

    /// Completes an end that the engine reported with what it knows beside the status.
    async fn end(&self, id: &str, code: i64, engine_was_away: bool) -> End {
        let reported = End { code: Some(code), out_of_memory: false, engine_was_away };
        match self.engine.calls().inspect(id).await {
            Ok(Some(found)) => match found.state {
                ContainerState::Exited { out_of_memory, .. } => End { out_of_memory, ..reported },
                ContainerState::Running { .. } | ContainerState::Created => reported,
            },
            Ok(None) => End { code: None, ..reported },
            // The end itself was reported, so the engine was there.
            Err(_) => reported,
        }
    }
}
