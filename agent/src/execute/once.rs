//! Runs what has to succeed once before a version starts. A run goes on while the agent is restarted,
//! and the agent follows it again: its order is on the disk before anything of it begins, and its
//! result before it is reported. None is begun twice.

use oml_common::decide::observed::{ContainerState, ObservedRun};
use oml_common::decide::operation::{RunRefused, may_go_on};
use oml_common::decide::run_once::{
    AfterRun, RunOnce, RunOnceFailed, after_run, disproved, observed, surplus,
};
use oml_common::document::Verbatim;
use oml_common::document::instance::{Instance, InstanceDocument};
use oml_common::document::operation::{RunOrder, RunResult};
use oml_common::id::{ComponentName, OperationName, RunId};
use oml_daemon::failpoint;
use tracing::info;

use super::{StepError, Work};
use crate::documents;
use crate::follow::Followed;
use crate::host::Host;
use crate::runs;
use crate::runtime::{ExitReport, RuntimeError};

/// The most runs of updates of a component that are over and of which the order and the result are
/// kept, beside the last success of each operation.
const KEPT_MAX: usize = 10;

impl Host {
    /// Runs an operation of an update to its end, or follows one that was begun before.
    pub(super) async fn run_once(
        &self,
        work: &Work,
        kind: RunOnce,
        operation: &OperationName,
        id: RunId,
    ) -> Result<(), StepError> {
        let order = match runs::read_order(&self.paths, id)? {
            Some(order) => order,
            None => self.begin_run(work, kind, operation, id).await?,
        };
        let result = match runs::read_result(&self.paths, id) {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Followed { host: self, id, output: None }.until_over().await,
        };
        if runs::read_result(&self.paths, id).ok().flatten().is_none() {
            runs::write_result(&self.paths, id, &result)?;
        }
        failpoint::reach("M4");
        self.docker.remove_run(id).await?;
        self.prune_runs(&work.component).await?;
        self.end_run_once(work, kind, &order, &result)
    }

    /// Writes the order of a run and begins it.
    async fn begin_run(
        &self,
        work: &Work,
        kind: RunOnce,
        operation: &OperationName,
        id: RunId,
    ) -> Result<Verbatim<RunOrder>, StepError> {
        let instance = work.instance()?;
        let steps = match kind {
            RunOnce::Preparation => &instance.preparations,
            RunOnce::Migration => &instance.migrations,
        };
        let step = steps.iter().find(|step| &step.operation == operation);
        let step = step.ok_or(StepError::NoInstance)?.clone();
        self.refuse_beside_another(instance, operation).await?;
        let (operation, run) = (step.operation, step.run);
        let order = RunOrder { id, operation, instance: instance.clone(), run };
        let order = Verbatim::seal(order);
        // An agent that was killed before it wrote the order may have left one.
        self.docker.remove_run(id).await?;
        self.docker.create_run(&order).await?;
        failpoint::reach("M1");
        runs::write_order(&self.paths, &order)?;
        failpoint::reach("M2");
        self.systemd.start_run(&order).await?;
        failpoint::reach("M3");
        let (component, operation) = (&work.component, &order.operation);
        info!(%component, %operation, kind = kind.as_str(), run = %id, "run of an update begun");
        Ok(order)
    }

    /// Refuses to begin beside what an operator has asked for, which is waited for.
    async fn refuse_beside_another(
        &self,
        instance: &Instance,
        operation: &OperationName,
    ) -> Result<(), StepError> {
        let known = runs::known(&self.paths, Some(&instance.tenant))?;
        for id in may_go_on(&instance.component, &known) {
            if !self.has_left(id).await {
                let detail = RunRefused::beside(id, &known).to_string();
                let (verb, object) = ("begin", operation.to_string());
                return Err(RuntimeError::Refused { verb, object, detail, transient: true }.into());
            }
        }
        Ok(())
    }

    /// Ends the step of a run that is over.
    fn end_run_once(
        &self,
        work: &Work,
        kind: RunOnce,
        order: &RunOrder,
        result: &RunResult,
    ) -> Result<(), StepError> {
        let (component, operation) = (&work.component, &order.operation);
        let (id, kind_word) = (order.id, kind.as_str());
        info!(%component, %operation, kind = kind_word, run = %id, %result, "run of an update ended");
        let exit_code = match after_run(&order.instance, work.instance()?, result) {
            AfterRun::GoOn => return Ok(()),
            AfterRun::Forget => {
                runs::forget(&self.paths, order.id)?;
                let (verb, object) = ("start", operation.to_string());
                let detail = result.reason.clone();
                let refused = RuntimeError::Refused { verb, object, detail, transient: false };
                return Err(refused.into());
            }
            AfterRun::Fail { exit_code } => exit_code,
        };
        let has_old = documents::read_usable_held(&self.paths, component)?.is_some();
        let deadline_ms = order.run.deadline_ms;
        let why = RunOnceFailed { kind, operation, result, deadline_ms, has_old };
        let report = ExitReport { exit_code, log_tail: result.last_lines.clone() };
        let failure = self.failure(work, why.to_string(), report);
        Err(StepError::OperationFailed(Box::new(failure)))
    }

    /// Removes the oldest runs of a component's updates that are over, and the containers of those
    /// that ended while another version was wanted.
    pub(super) async fn prune_runs(&self, component: &ComponentName) -> Result<(), StepError> {
        let known = self.runs_of_updates(component)?;
        for run in known.iter().filter(|run| run.result.is_some()) {
            self.docker.remove_run(run.id).await?;
        }
        for id in surplus(&known, KEPT_MAX) {
            runs::forget(&self.paths, id)?;
        }
        Ok(())
    }

    /// Forgets the runs of migrations that a version has disproved by proving good after it.
    pub(super) async fn forget_disproved(
        &self,
        instance: &InstanceDocument,
    ) -> Result<(), StepError> {
        let Some(container) = instance.container() else { return Ok(()) };
        let component = &instance.component;
        let known = self.runs_of_updates(component)?;
        if !known.iter().any(|run| run.irreversible) {
            return Ok(());
        }
        let (listing, hash) = (self.docker.list(&[]).await?, instance.workload_hash());
        let mut own = listing.containers.iter().filter(|(name, _)| name == component);
        let started = own.find_map(|(_, found)| match found.state {
            ContainerState::Running { since } => Some(since).filter(|_| found.hash == hash),
            ContainerState::Created | ContainerState::Exited { .. } => None,
        });
        let Some(started) = started else { return Ok(()) };
        for id in disproved(&known, &container.digest, started) {
            info!(%component, run = %id, "migration undone: an earlier version is in use; it runs again");
            runs::forget(&self.paths, id)?;
        }
        Ok(())
    }

    fn runs_of_updates(&self, component: &ComponentName) -> Result<Vec<ObservedRun>, StepError> {
        let known = runs::of_component(&self.paths, component)?.into_iter();
        Ok(known.filter_map(|(id, run)| observed(id, run)).collect())
    }

    /// Forgets the runs of updates of a component that leaves the host, and ends those that go on.
    pub(super) async fn forget_runs(&self, component: &ComponentName) -> Result<(), StepError> {
        for id in runs::of_component(&self.paths, component)?.into_keys() {
            self.docker.remove_run(id).await?;
            runs::forget(&self.paths, id)?;
        }
        Ok(())
    }
}
