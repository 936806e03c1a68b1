//! Counts the calls that a stop would cut, by the document of what runs.

use futures_util::future::join_all;
use oml_common::decide::start;
use oml_common::decide::update::Counted;
use oml_common::document::instance::{ActiveProbe, Counting, HeldInstance};
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use tracing::debug;

use super::{StepError, Work};
use crate::documents;
use crate::host::Host;
use crate::probe::{NEEDS_NEWER_AGENT, count_of};

impl Host {
    /// Counts the active calls.
    pub(super) async fn count(&self, work: &Work) -> Counted {
        failpoint::reach("A6");
        let current = documents::read_usable_held(&self.paths, &work.component);
        let current = match current.ok().flatten() {
            Some(current) => Some(current),
            None => self.labelled(&work.component).await,
        };
        // The running version knows how its calls are counted, so its document goes first.
        if let Some(counted) = self.count_as(work, current.as_ref()).await {
            return counted;
        }
        let desired = work.desired.as_ref();
        match desired.and_then(|it| Some((it.active.as_ref()?, it.probe.timeout_ms))) {
            Some((active, timeout_ms)) => self.count_by(work, active, timeout_ms).await,
            None => Err("no document says how they are counted".to_owned()),
        }
    }

    /// Counts the calls as the document of what runs says it; none if it counts none.
    async fn count_as(&self, work: &Work, running: Option<&HeldInstance>) -> Option<Counted> {
        let running = running?;
        match &running.counting {
            Counting::By(active) => {
                Some(self.count_by(work, active, running.probe_timeout_ms()).await)
            }
            Counting::Unknown => Some(Err(NEEDS_NEWER_AGENT.to_owned())),
            Counting::Nothing => None,
        }
    }

    async fn count_by(&self, work: &Work, probe: &ActiveProbe, timeout_ms: u64) -> Counted {
        let commands = probe.sources().map(|(command, _before)| command);
        let asked: Vec<_> =
            commands.map(|it| self.docker.exec(&work.component, it, timeout_ms)).collect();
        count_of(probe, join_all(asked).await)
    }

    /// Counts the calls once more just before a stop that is allowed because there were none:
    /// calls may have come since.
    pub(super) async fn recheck_active(&self, work: &Work) -> Result<(), StepError> {
        if !start::needs_recount(&work.step) {
            return Ok(());
        }
        let counted = self.recount(work).await;
        if start::may_stop(&counted) { Ok(()) } else { Err(StepError::CallsActive(counted)) }
    }

    /// Counts the calls of what runs, by its own document, which is not the current one any more.
    async fn recount(&self, work: &Work) -> Counted {
        // That none runs is only true after a look at each.
        let containers = self.docker.looked_at(&work.component).await;
        let containers = containers.map_err(|error| chain(&error))?;
        let Some(running) = containers.iter().find(|container| container.is_running) else {
            return Ok(0);
        };
        let held = match self.known(work, &running.hash).await {
            Ok(whole) => HeldInstance::read(whole.text()),
            // Its documents are lost, or only a later release can read all of them.
            Err(_unknown) => running.held(),
        };
        match self.count_as(work, held.ok().as_ref()).await {
            Some(counted) => counted,
            None => self.count(work).await,
        }
    }

    /// Reads the instance of the running container from its label.
    async fn labelled(&self, component: &ComponentName) -> Option<HeldInstance> {
        match self.docker.list(&[]).await {
            Ok(mut listing) => listing.labels.remove(component).flatten(),
            Err(error) => {
                debug!(%component, error = chain(&error), "cannot read label");
                None
            }
        }
    }
}
