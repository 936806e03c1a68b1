//! Does one step on the host and returns its outcome.
//!
//! It makes no decision and keeps no state: `reconcile` decides which step is due, and the
//! loop records it before and after.

use oml_common::decide::retention;
use oml_common::decide::step::Step;
use oml_common::decide::update::{Counted, NotDone, Outcome};
use oml_common::document::instance::InstanceDocument;
use oml_common::document::report::Failure;
use oml_common::id::{ComponentName, ContentHash};
#[cfg(feature = "planted-bugs")]
use oml_common::planted::{Bug, is_planted};
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use tokio::sync::watch;

use crate::container_files;
use crate::documents;
use crate::files::FileError;
use crate::host::Host;
use crate::paths::Slot;
use crate::preflight::Blocked;
use crate::reloaded_files;
use crate::runs::RunFileError;
use crate::runtime::{ContainerInstance, PullProgress, RuntimeError};

mod check;
mod count;
mod failure;
mod once;
mod reload;
mod reload_check;
mod repair;
mod switch;
mod work;

pub(crate) use check::remove_left_checks;
pub(crate) use work::{Superseded, Work};

/// The reason why a step could not be done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The image could not be pulled. It never counts as a failed start.
    #[error(transparent)]
    Image(RuntimeError),
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// There was room for the pull to begin, and the image took it.
    #[error("the image does not fit on the disk")]
    DoesNotFit(#[source] Blocked),
    #[error("cannot use its documents")]
    Files(#[from] FileError),
    #[error("the instance document is missing")]
    NoInstance,
    /// Calls are active, or may be, so nothing was stopped.
    #[error("calls may be active")]
    CallsActive(Counted),
    /// A check of the new version failed, or what has to succeed once before it starts.
    #[error("{}", .0.message)]
    OperationFailed(Box<Failure>),
    #[error(transparent)]
    Run(#[from] RunFileError),
}

impl Host {
    /// Does the step. An error is an outcome too.
    pub(crate) async fn perform(
        &self,
        work: &Work,
        progress: &watch::Sender<PullProgress>,
    ) -> Outcome {
        let done = match &work.step {
            Step::Switch { previous, .. } => {
                return self.switch(work, previous.as_ref(), progress).await;
            }
            Step::RollBack { previous, runs } => {
                return self.roll_back(work, previous, *runs, progress).await;
            }
            Step::Fail { why } => return self.fail(work, why).await,
            Step::CountActive => return Outcome::Counted(self.count(work).await),
            Step::Pull => self.pull(work, progress).await,
            Step::Create => self.create(work).await,
            Step::RunOnce { kind, operation, run } => {
                self.run_once(work, *kind, operation, *run).await
            }
            Step::RevertDocument { running } => self.revert_document(work, running).await,
            Step::Repair { in_use } => self.repair(work, in_use).await,
            Step::Start => self.start(work, progress).await,
            Step::RewriteConfig => self.rewrite_config(work).await,
            Step::Reload { content: _, runs, was_healthy } => {
                self.reload(work, *runs, *was_healthy, progress).await
            }
            Step::ReplaceSupervisor => self.replace_supervisor(work).await,
            Step::StopContainer => self.stop_container(work).await,
            Step::Promote => self.promote(work).await,
            Step::Commit { previous } => self.commit(work, previous.as_ref()).await,
            Step::Remove { .. } => self.remove(work).await,
            Step::Soak => Ok(()),
        };
        done.map_or_else(StepError::into_outcome, |()| Outcome::Done)
    }

    async fn pull(
        &self,
        work: &Work,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), StepError> {
        // A packaged unit has no image.
        let Some(instance) = ContainerInstance::of(work.instance()?) else { return Ok(()) };
        self.pull_image(instance, progress).await?;
        failpoint::reach("A1");
        Ok(())
    }

    /// Pulls an image for as long as the disks have room for it.
    async fn pull_image(
        &self,
        instance: ContainerInstance<'_>,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), StepError> {
        let places = self.may_pull().await?;
        tokio::select! {
            biased;
            pulled = self.docker.pull(instance, progress) => pulled.map_err(StepError::Image),
            blocked = self.until_disk_full(&places, progress.subscribe()) => {
                Err(StepError::DoesNotFit(blocked))
            }
        }
    }

    async fn create(&self, work: &Work) -> Result<(), StepError> {
        let instance = work.instance()?;
        failpoint::reach("A2");
        if let Some(in_container) = ContainerInstance::of(instance) {
            self.may_create(instance).await?;
            container_files::ensure(&self.paths, instance)?;
            self.write_reloaded(instance)?;
            self.check(work).await?;
            self.docker.create(in_container).await?;
        }
        failpoint::reach("A3");
        documents::write(&self.paths, instance, Slot::Next)?;
        failpoint::reach("A4");
        self.systemd.write(instance).await?;
        failpoint::reach("A5");
        Ok(())
    }

    /// Pulls the image of an instance whose container was removed together with it, as
    /// `docker system prune` does: its supervisor creates containers, but does not pull.
    async fn restore_image(
        &self,
        instance: &InstanceDocument,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), StepError> {
        let Some(in_container) = ContainerInstance::of(instance) else { return Ok(()) };
        let hash = instance.workload_hash();
        let own = self.docker.containers_of(&instance.component).await?;
        if own.iter().any(|container| container.hash == hash) {
            return Ok(());
        }
        match self.docker.has_image(in_container).await? {
            true => Ok(()),
            false => self.pull_image(in_container, progress).await,
        }
    }

    async fn start(
        &self,
        work: &Work,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), StepError> {
        // After a rollback the current document is not the desired one.
        let current = documents::read_usable_held(&self.paths, &work.component)?;
        let Some(held) = current else {
            return Ok(self.systemd.start(work.instance()?).await?);
        };
        match held.whole() {
            Ok(instance) => {
                self.restore_image(&instance, progress).await?;
                container_files::ensure(&self.paths, &instance)?;
                reloaded_files::ensure_again(&self.paths, &instance)?;
                Ok(self.systemd.start(&instance).await?)
            }
            Err(_later) => Ok(self.systemd.start_held(&held).await?),
        }
    }

    async fn rewrite_config(&self, work: &Work) -> Result<(), StepError> {
        let instance = work.instance()?;
        container_files::ensure(&self.paths, instance)?;
        documents::replace(&self.paths, instance)?;
        Ok(self.systemd.write(instance).await?)
    }

    async fn replace_supervisor(&self, work: &Work) -> Result<(), StepError> {
        Ok(self.systemd.replace_supervisor(&work.component).await?)
    }

    async fn stop_container(&self, work: &Work) -> Result<(), StepError> {
        // It may have been started by hand since it was looked at.
        if self.systemd.rests(&work.component).await? {
            self.docker.stop(&work.component).await?;
        }
        Ok(())
    }

    async fn promote(&self, work: &Work) -> Result<(), StepError> {
        match ContainerInstance::of(work.instance()?) {
            Some(instance) => Ok(self.docker.promote(instance).await?),
            // A packaged unit keeps its name.
            None => Ok(()),
        }
    }

    async fn commit(&self, work: &Work, last_good: Option<&ContentHash>) -> Result<(), StepError> {
        let instance = work.instance()?;
        if instance.container().is_none() {
            return Ok(());
        }
        let desired_hash = instance.workload_hash();
        let written = documents::read_usable(&self.paths, &work.component, Slot::Previous)?;
        let written = written.map(|document| document.workload_hash());
        let previous = match retention::known_previous(&desired_hash, last_good, written.as_ref()) {
            Some(previous) => Some(previous),
            None => self.last_ended(&work.component, &desired_hash).await?,
        };
        #[cfg(feature = "planted-bugs")]
        let previous = previous.filter(|_| !is_planted(Bug::Executor));
        let kept = retention::kept(desired_hash, previous);
        self.docker.remove(&work.component, &kept).await?;
        container_files::remove(&self.paths, &work.component, &kept)?;
        self.prune_runs(&work.component).await?;
        self.forget_disproved(instance).await?;
        failpoint::reach("A13");
        Ok(())
    }

    /// Returns the workload that ended last before the desired one.
    async fn last_ended(
        &self,
        component: &ComponentName,
        desired_hash: &ContentHash,
    ) -> Result<Option<ContentHash>, StepError> {
        let listing = self.docker.list(&[]).await?;
        let own = listing.containers.iter().filter(|(name, _)| name == component);
        Ok(retention::last_ended(own.map(|(_, found)| found), desired_hash))
    }

    async fn remove(&self, work: &Work) -> Result<(), StepError> {
        let component = &work.component;
        self.recheck_active(work).await?;
        self.systemd.stop(component).await?;
        self.systemd.remove(component).await?;
        self.docker.stop(component).await?;
        self.docker.remove(component, &[]).await?;
        self.docker.remove_run(check::id_of(component)).await?;
        container_files::remove(&self.paths, component, &[])?;
        self.forget_runs(component).await?;
        Ok(documents::remove(&self.paths, component)?)
    }
}

impl StepError {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::CallsActive(counted) => Outcome::Counted(counted),
            Self::OperationFailed(failure) => Outcome::Failed(*failure),
            error @ Self::DoesNotFit(_) => Outcome::Refused(error.not_done()),
            Self::Runtime(error @ RuntimeError::Refused { transient: false, .. })
            | Self::Image(error @ RuntimeError::Refused { transient: false, .. }) => {
                Outcome::Refused(host_error(&error))
            }
            other @ (Self::Runtime(_)
            | Self::Image(_)
            | Self::Blocked(_)
            | Self::Files(_)
            | Self::Run(_)
            | Self::NoInstance) => Outcome::Retry(other.not_done()),
        }
    }

    fn not_done(&self) -> NotDone {
        match self {
            Self::Blocked(Blocked::Disk(full)) => {
                NotDone::DiskFull { error: chain(self), about: full.without_numbers() }
            }
            Self::DoesNotFit(Blocked::Disk(full)) => {
                let about = format!("{self}: {}", full.without_numbers());
                NotDone::DiskFull { error: chain(self), about }
            }
            Self::Blocked(Blocked::Port { .. } | Blocked::Runtime(_))
            | Self::DoesNotFit(Blocked::Port { .. } | Blocked::Runtime(_))
            | Self::Runtime(_)
            | Self::Image(_)
            | Self::Files(_)
            | Self::Run(_)
            | Self::NoInstance
            | Self::OperationFailed(_)
            | Self::CallsActive(_) => host_error(self),
        }
    }
}

fn host_error(error: &dyn std::error::Error) -> NotDone {
    NotDone::HostError(chain(error))
}
