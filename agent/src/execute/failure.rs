//! Gives up a version, with what is known of its end.

use oml_common::decide::reconcile::Reason;
use oml_common::decide::update::{Outcome, given_up};
use oml_common::document::report::Failure;
use oml_common::text::error::chain;
use tracing::warn;

use super::{StepError, Work};
use crate::host::Host;
use crate::runtime::{ExitReport, RuntimeError};

impl Host {
    pub(super) async fn fail(&self, work: &Work, why: &Reason) -> Outcome {
        match self.exit_report(work).await {
            Ok(report) => Outcome::Failed(self.failure(work, why.to_string(), report)),
            Err(error) => Outcome::Retry(error.not_done()),
        }
    }

    pub(super) async fn exit_report(&self, work: &Work) -> Result<ExitReport, StepError> {
        // A removal starts nothing, so nothing has ended.
        let Some(instance) = &work.desired else { return Ok(ExitReport::default()) };
        // Before the switch nothing was started: a container may have an earlier life.
        let Some(since) = work.started_at else { return Ok(ExitReport::default()) };
        let component = &work.component;
        let reported = match instance.container() {
            Some(_) => self.docker.exit_report(component, &instance.workload_hash(), since).await,
            None => self.systemd.exit_report(component, since).await,
        };
        match reported {
            Ok(report) => Ok(report),
            Err(error @ RuntimeError::Unavailable { .. }) => Err(error.into()),
            Err(error) => {
                warn!(%component, error = chain(&error), "cannot read the exit report");
                Ok(ExitReport::default())
            }
        }
    }

    pub(super) fn failure(&self, work: &Work, message: String, report: ExitReport) -> Failure {
        let desired_hash = work.desired_hash.clone();
        let version = work.desired.as_ref().and_then(|instance| instance.version().cloned());
        let failure = given_up(desired_hash, version, message, self.clock.now());
        Failure { exit_code: report.exit_code, log_tail: report.log_tail, ..failure }
    }
}
