//! Waits for the end of a change, across lost connections. The controller decides how the
//! change ended; this module only shows the verdict.

use std::time::Duration;

use oml_common::text::printable::printable;
use oml_common::time::Span;
use oml_proto::v1::{ChangeHolds, ChangeOutcome, ChangeProgress, Rollout, TenantStatus};
use tokio::time::{Instant, sleep, timeout_at};

use crate::connection::{Controller, Failed, RECONNECT_PAUSE, Target, Watched};
use crate::error::CommandError;
use crate::progress::Progress;

/// The result of a command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitOutcome {
    Done,
    /// The change is not in effect and needs another change.
    Failed,
    /// The nodes run what they ran before.
    RolledBack,
    /// The rollout is still in progress.
    Waiting,
    /// Something is not ready and healthy, which the command was asked about.
    NotHealthy,
    /// The result is one that this program cannot read, or that an earlier controller does not
    /// decide.
    Unknown,
}

impl ExitOutcome {
    /// Returns the exit code of this result.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            ExitOutcome::Done => 0,
            // An outcome that this program does not know must not count as done.
            ExitOutcome::Failed | ExitOutcome::Unknown => 1,
            ExitOutcome::RolledBack => 3,
            ExitOutcome::Waiting => 4,
            ExitOutcome::NotHealthy => 6,
        }
    }
}

/// The end of a change, or of waiting for it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: ExitOutcome,
    pub(crate) sentence: String,
    /// The later revision that superseded the change.
    pub(crate) superseded_by: Option<u64>,
    /// What the later revision holds of the change; unspecified if the controller does not say.
    pub(crate) holds: ChangeHolds,
    /// The revision that all nodes run, if the change ended with one.
    pub(crate) in_effect: Option<u64>,
    /// The rollout in the last status.
    pub(crate) rollout: Option<Rollout>,
}

/// Follows the change until it ends or `limit` has passed.
pub(crate) async fn wait(
    target: &Target,
    controller: Controller,
    watched: &Watched,
    limit: Duration,
    progress: &mut Progress,
) -> Result<Ended, CommandError> {
    let mut follow = Follow { watched, progress, last: None, lost: None };
    let deadline = Instant::now() + limit;
    // Dropping the watch is safe, because the next one begins with the current status.
    let ended = tokio::select! {
        ended = timeout_at(deadline, follow.run(target, controller)) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(CommandError::Start)?;
            return Ok(follow.waiting("interrupted"));
        }
    };
    match ended {
        Ok(ended) => ended,
        Err(_elapsed) => follow.timed_out(limit),
    }
}

struct Follow<'a> {
    watched: &'a Watched,
    progress: &'a mut Progress,
    last: Option<TenantStatus>,
    /// The reason why there is no connection, while there is none.
    lost: Option<String>,
}

impl Follow<'_> {
    async fn run(
        &mut self,
        target: &Target,
        controller: Controller,
    ) -> Result<Ended, CommandError> {
        let mut controller = Some(controller);
        loop {
            let why = match self.watch(target, controller.take()).await {
                Ok(ended) => return Ok(ended),
                Err(failed) => failed.reconnect_reason()?,
            };
            if self.lost.replace(why.clone()).is_none() {
                self.progress.note(&format!("connection lost ({why}); retrying"));
            }
            sleep(RECONNECT_PAUSE).await;
        }
    }

    async fn watch(
        &mut self,
        target: &Target,
        controller: Option<Controller>,
    ) -> Result<Ended, Failed> {
        let mut controller = match controller {
            Some(controller) => controller,
            None => target.connect().await.map_err(|error| Failed::Lost(without_lead(error)))?,
        };
        let mut watch = controller.watch_change(self.watched).await?;
        loop {
            let progress = watch.next().await?;
            if self.lost.take().is_some() {
                self.progress.note("connected again");
            }
            if let Some(ended) = self.update(progress) {
                return Ok(ended);
            }
        }
    }

    fn update(&mut self, progress: ChangeProgress) -> Option<Ended> {
        let tenant = progress.status.unwrap_or_default();
        self.progress.show(progress.now_ms, &tenant);
        let verdict = progress.verdict.unwrap_or_default();
        let outcome = match verdict.outcome() {
            ChangeOutcome::Waiting => {
                self.last = Some(tenant);
                return None;
            }
            ChangeOutcome::Done => ExitOutcome::Done,
            ChangeOutcome::RolledBack => ExitOutcome::RolledBack,
            ChangeOutcome::Failed => ExitOutcome::Failed,
            ChangeOutcome::Unspecified => ExitOutcome::Unknown,
        };
        let mut sentence = printable(&verdict.sentence);
        if outcome == ExitOutcome::Unknown {
            sentence = format!(
                "unknown: this omlctl does not know how the change ended; upgrade omlctl: {sentence}"
            );
        }
        let revision = |number: u64| Some(number).filter(|number| *number > 0);
        Some(Ended {
            outcome,
            sentence,
            superseded_by: revision(verdict.superseded_by),
            holds: verdict.holds(),
            in_effect: revision(verdict.in_effect),
            rollout: tenant.rollout,
        })
    }

    fn timed_out(&self, limit: Duration) -> Result<Ended, CommandError> {
        let Some(why) = &self.lost else {
            let after = Span(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
            return Ok(self.waiting(&format!("still waiting after {after}")));
        };
        let Watched { tenant, revision } = self.watched;
        Err(CommandError::Unreachable(format!(
            "{why}; revision {revision} of {tenant} is recorded, but its progress is unknown"
        )))
    }

    fn waiting(&self, lead: &str) -> Ended {
        let Watched { tenant, revision } = self.watched;
        let rollout = self.last.as_ref().and_then(|tenant| tenant.rollout.clone());
        let reason = rollout.as_ref().map(|rollout| rollout.reason.as_str()).unwrap_or_default();
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let sentence = format!(
            "{lead}: the rollout of revision {revision} of {tenant} continues{reason}; see omlctl explain tenant={tenant}"
        );
        Ended {
            outcome: ExitOutcome::Waiting,
            sentence: printable(&sentence),
            superseded_by: None,
            holds: ChangeHolds::Unspecified,
            in_effect: None,
            rollout,
        }
    }
}

fn without_lead(error: CommandError) -> String {
    if let CommandError::Unreachable(why) = error { why } else { error.to_string() }
}
