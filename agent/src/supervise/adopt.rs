//! From the document to a running container: adopts the container, or creates and
//! starts it. Two containers of a component never run at once.

use std::collections::BTreeSet;
use std::time::Duration;

use oml_common::decide::adopt::{Candidate, choose, drift_at_start, was_ready};
use oml_common::document::instance::HeldInstance;
use oml_common::document::status::{Drift, Status};
use oml_common::id::ContentHash;
use oml_common::text::error::chain;
use tokio::time::{Instant, sleep};

use super::engine_client::EXTENSION;
use super::{AdoptedContainer, Record, SuperviseError, Supervisor};
use crate::documents;
use crate::runtime::{ContainerInstance, Marked};

/// How long a supervisor waits for an image, which may be large, before the next one is started.
const IMAGE_WAIT: Duration = Duration::from_secs(600);
const IMAGE_PAUSE: Duration = Duration::from_secs(1);

impl Candidate for Marked {
    fn id(&self) -> &str {
        &self.id
    }

    fn workload_hash(&self) -> &ContentHash {
        &self.hash
    }

    fn is_running(&self) -> bool {
        self.is_running
    }

    fn is_new(&self) -> bool {
        self.is_new
    }

    fn bears_own_name(&self) -> bool {
        let own = self.held().ok().and_then(|instance| instance.workload.name);
        own.is_some_and(|own| own.as_str() == self.name)
    }
}

/// A container that a supervisor takes for the one of its component.
struct Adoption<'a> {
    id: &'a str,
    /// It ran before.
    runs: bool,
    /// The last status of an earlier supervisor of the same workload.
    before: Option<Status>,
    drift: Option<Drift>,
}

impl Supervisor {
    /// Makes the instance's container the only one of the component that runs.
    pub(super) async fn adopt(&mut self, instance: &HeldInstance) -> Result<(), SuperviseError> {
        let hash = &instance.workload.hash;
        let before = self.status_before().filter(|status| &status.hash == hash);
        // Most often nothing is stopped here, so that who listens can be read meanwhile.
        let (containers, mut others) = tokio::join!(
            self.client.insist(|| self.client.engine.containers_of(&self.component)),
            self.note_listeners(instance),
        );
        let containers = containers?;
        let found = choose(&containers, hash);
        // Checked before anything is stopped: what runs keeps running if this release cannot
        // create a container from the document, or this host does not allow it.
        let whole = match found.wanted {
            Some(_) => None,
            None => Some(instance.whole().map_err(SuperviseError::NeedsNewerAgent)?),
        };
        let packaged = || SuperviseError::PackagedUnit(self.component.clone());
        let to_create =
            whole.as_ref().map(|whole| ContainerInstance::of(whole).ok_or_else(packaged));
        let to_create = to_create.transpose()?;
        if let Some(whole) = to_create {
            self.can_create(whole).await?;
        }
        self.stop_rivals(&found.rivals).await?;
        // Both may take long.
        if !found.rivals.is_empty() || to_create.is_some() {
            others = self.note_listeners(instance).await;
        }
        let runs = found.wanted.is_some_and(|container| container.is_running);
        let name = instance.workload.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let now = self.client.env.now();
        let drift = drift_at_start(found.wanted.is_some(), before.as_ref(), &name, now);
        let id = match (found.wanted, to_create) {
            (Some(container), _) => container.id.clone(),
            (None, Some(whole)) => {
                let restored = self.client.insist(|| self.client.engine.restore(whole)).await;
                restored.map_err(SuperviseError::Start)?
            }
            (None, None) => return Err(SuperviseError::Unknown(self.component.clone())),
        };
        // Before the start, because a stop that comes now must reach this container.
        self.record_adopted(instance, Adoption { id: &id, runs, before, drift });
        if runs {
            let known = self.record.as_ref().map(|record| record.status().foreign_sockets.clone());
            self.client.prober.remember(known.unwrap_or_default());
        } else {
            if !others.is_empty() {
                self.write_down(|record, _now| record.started_beside(others));
            }
            let started = self.client.insist(|| self.client.engine.calls().start(&id)).await;
            started.map_err(SuperviseError::Start)?;
        }
        if self.record.as_ref().is_some_and(|record| record.status().not_started.is_some()) {
            self.write_down(|record, _now| record.is_started());
        }
        Ok(())
    }

    async fn stop_rivals(&self, rivals: &[&Marked]) -> Result<(), SuperviseError> {
        for rival in rivals {
            eprintln!("stopping {}: it runs another workload", rival.name);
            let stop = || self.client.engine.calls().stop(&rival.id, rival.stop_grace_ms());
            self.client.insist(stop).await?;
        }
        Ok(())
    }

    /// Notes who listens at the port of the program before its start.
    async fn note_listeners(&self, instance: &HeldInstance) -> BTreeSet<u64> {
        match &instance.probe {
            Some(probe) => self.client.prober.note_start(probe).await,
            None => BTreeSet::new(),
        }
    }

    /// Notes that this container is the one of the component, and begins or continues its record.
    fn record_adopted(&mut self, instance: &HeldInstance, adoption: Adoption<'_>) {
        let Adoption { id, runs, before, drift } = adoption;
        let known = before.clone().filter(|status| runs && status.container == id);
        let health = known.as_ref().map(|status| status.health);
        // One that cannot be probed would never be ready.
        let is_probed = instance.probe.is_some();
        let is_last_good = self.is_last_good(&instance.workload.hash);
        let was_ready = !is_probed || was_ready(health, runs, is_last_good);
        let grace_ms = instance.timing.stop_grace_ms;
        let since = self.client.env.now();
        self.adopted = Some(AdoptedContainer { id: id.to_owned(), grace_ms, since, was_ready });
        self.record = Some(match known.filter(|_| is_probed) {
            Some(status) => Record::of(instance, status),
            None if was_ready => Record::unprobed(instance, id, drift, since).after(before),
            None => Record::starting(instance, id, drift, since).after(before),
        });
        self.write_down(|_record, _now| {});
    }

    /// Waits for the image of a container that has to be created, and checks that nothing else of
    /// this host keeps it from being created.
    async fn can_create(&self, instance: ContainerInstance<'_>) -> Result<(), SuperviseError> {
        self.wait_for_image(instance).await?;
        let may_create = self.client.insist(|| self.client.engine.may_create(instance)).await;
        may_create.map_err(SuperviseError::Start)
    }

    /// Waits for the agent to pull the image of a container that has to be created. systemd is
    /// asked for as much time.
    async fn wait_for_image(&self, instance: ContainerInstance<'_>) -> Result<(), SuperviseError> {
        let deadline = Instant::now() + IMAGE_WAIT;
        let container = instance.container();
        while !self.client.insist(|| self.client.engine.has_image(instance)).await? {
            let missing = format!("{}@{}", container.repository, container.digest);
            let error = SuperviseError::NoImage(missing);
            if Instant::now() >= deadline {
                return Err(error);
            }
            self.client.systemd.status(&error.to_string());
            self.client.systemd.extend(EXTENSION);
            sleep(IMAGE_PAUSE).await;
        }
        Ok(())
    }

    /// Reads what the previous supervisor wrote. An unreadable status counts as none:
    /// it lives until the next boot only and is written again at once.
    pub(super) fn status_before(&self) -> Option<Status> {
        documents::read_status(&self.paths, &self.component)
            .inspect_err(|error| eprintln!("{}", chain(error)))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
