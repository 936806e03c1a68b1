//! What the engine's clients wait for: the end of a container, and the lines of its program.

use tokio::sync::watch;

use super::{ContainerState, EngineError, WaitEnd};
use crate::{Daemon, HostModel, Verb};

impl HostModel {
    /// Gives the lines that a container's program writes to `line`, without the first `skip`,
    /// until it ends or the engine goes away.
    ///
    /// # Errors
    /// No such container, or a fault that was asked for.
    pub async fn follow_log(
        &self,
        id: &str,
        skip: usize,
        line: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), EngineError> {
        let mut changes: watch::Receiver<u64> = self.container_changes();
        self.enter(Daemon::Engine, Verb::Logs).await?;
        let mut given = skip;
        loop {
            let container = self.state().engine.find(id)?.clone();
            container.log.iter().skip(given).cloned().for_each(line);
            given = given.max(container.log.len());
            let is_away = self.state().faults.is_away(Daemon::Engine);
            if !container.is_running() || is_away || changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Waits without limit for a container's end.
    ///
    /// # Errors
    /// No such container, or a fault that was asked for.
    pub async fn wait_container(&self, id: &str) -> Result<WaitEnd, EngineError> {
        let mut changes: watch::Receiver<u64> = self.container_changes();
        self.enter(Daemon::Engine, Verb::Read).await?;
        loop {
            if self.state().faults.is_away(Daemon::Engine) {
                return Ok(WaitEnd::Lost);
            }
            match self.state().engine.find(id)?.state {
                ContainerState::Exited { code, .. } => return Ok(WaitEnd::Ended(code)),
                ContainerState::Created | ContainerState::Running { .. } => {}
            }
            if changes.changed().await.is_err() {
                return Ok(WaitEnd::Lost);
            }
        }
    }
}
