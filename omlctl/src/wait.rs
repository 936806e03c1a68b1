//! Waiting for a change to come to its end, across lost connections.

use std::time::Duration;

use oml_common::text::problem::printable;
use oml_common::time::Span;
use oml_proto::v1::{Change, Rollout, RolloutState, StatusReply, TenantStatus};
use tokio::time::{Instant, sleep, timeout_at};

use crate::clock::span;
use crate::connection::{Controller, Failed, Target};
use crate::error::CommandError;
use crate::progress::Progress;

mod overtaken;

use overtaken::Overtaken;

/// How a command ended that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitOutcome {
    /// What was wanted is so.
    Done,
    /// It is not, and will not be by itself.
    Failed,
    /// The nodes run what they ran before.
    RolledBack,
    /// It is still on its way.
    Waiting,
}

impl ExitOutcome {
    /// The exit code that tells it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            ExitOutcome::Done => 0,
            ExitOutcome::Failed => 1,
            ExitOutcome::RolledBack => 3,
            ExitOutcome::Waiting => 4,
        }
    }
}

/// The change that is waited for.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) tenant: String,
    pub(crate) revision: u64,
    pub(crate) changes: Vec<Change>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ending: ExitOutcome,
    /// One sentence.
    pub(crate) sentence: String,
    /// The rollout as it was last seen.
    pub(crate) rollout: Option<Rollout>,
}

/// What a status says of the change.
#[derive(Debug)]
pub(crate) enum Verdict {
    Ended(Ended),
    /// A later revision holds; whether it contains the change no status says.
    Overtaken(Overtaken),
}

/// Pause between two attempts to reach a controller that was lost.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Follows the tenant's status until the change has ended or `limit` is over.
pub(crate) async fn wait(
    target: &Target,
    controller: Controller,
    watched: &Watched,
    limit: Duration,
    progress: &mut Progress,
) -> Result<Ended, CommandError> {
    let mut follow =
        Follow { watched, progress, last: None, began_ms: None, lost: None, overtaken: None };
    let deadline = Instant::now() + limit;
    // Cancel-safe: dropping the watch loses nothing that the next one does not say again.
    let ended = tokio::select! {
        ended = timeout_at(deadline, follow.run(target, controller)) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(CommandError::Start)?;
            return Ok(follow.unfinished("not waited for any longer"));
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
    began_ms: Option<u64>,
    /// Why there is no connection now.
    lost: Option<String>,
    /// What the controller is being asked about.
    overtaken: Option<Overtaken>,
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
                Err(Failed::Answered(error)) if is_final(&error) => return Err(error),
                Err(Failed::Unauthenticated(why)) => return Err(CommandError::Unreachable(why)),
                Err(Failed::Answered(error)) => error.to_string(),
                Err(Failed::Lost(why)) => why,
            };
            if self.lost.replace(why.clone()).is_none() {
                self.progress.note(&format!("connection lost ({why}); trying again"));
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
        let mut watch = controller.watch(&self.watched.tenant).await?;
        loop {
            let reply = watch.next().await?;
            if self.lost.take().is_some() {
                self.progress.note("connected again");
            }
            let ended = match self.see(reply) {
                Some(Verdict::Ended(ended)) => Some(ended),
                Some(Verdict::Overtaken(overtaken)) => {
                    self.overtaken.insert(overtaken).ask(&mut controller, self.watched).await?
                }
                None => None,
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    fn see(&mut self, reply: StatusReply) -> Option<Verdict> {
        let began_ms = *self.began_ms.get_or_insert(reply.now_ms);
        let tenant = reply.tenants.into_iter().find(|t| t.tenant == self.watched.tenant)?;
        self.progress.show(reply.now_ms, &tenant);
        let verdict = judge(self.watched, &tenant, reply.now_ms.saturating_sub(began_ms));
        self.last = Some(tenant);
        self.overtaken = None;
        verdict
    }

    fn timed_out(&self, limit: Duration) -> Result<Ended, CommandError> {
        let after = Span(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let Watched { tenant, revision, .. } = self.watched;
        match (&self.lost, &self.overtaken) {
            (Some(why), Some(Overtaken { by, .. })) => Err(CommandError::Unreachable(format!(
                "{why}; revision {by} of {tenant} took the place of {revision}, whether it contains this change cannot be told"
            ))),
            (Some(why), None) => Err(CommandError::Unreachable(format!(
                "{why}; revision {revision} of {tenant} is recorded, how far it is cannot be told"
            ))),
            (None, Some(_)) => {
                Ok(self.unfinished(&format!("no answer by the time-out of {after}")))
            }
            (None, None) => Ok(self.unfinished(&format!("still waiting after {after}"))),
        }
    }

    /// The waiting ends before the change, or before it is known what became of it.
    fn unfinished(&self, lead: &str) -> Ended {
        match &self.overtaken {
            Some(overtaken) => overtaken.unknown(self.watched, lead),
            None => self.waiting(lead),
        }
    }

    fn waiting(&self, lead: &str) -> Ended {
        let Watched { tenant, revision, .. } = self.watched;
        let rollout = self.last.as_ref().and_then(|tenant| tenant.rollout.clone());
        let reason = rollout.as_ref().map(|rollout| rollout.reason.as_str()).unwrap_or_default();
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let sentence = format!(
            "{lead}: revision {revision} of {tenant} is on its way{reason} and goes on by itself; see omlctl explain tenant={tenant}"
        );
        Ended { ending: ExitOutcome::Waiting, sentence: printable(&sentence), rollout }
    }
}

/// Whether asking again would bring the same answer.
fn is_final(error: &CommandError) -> bool {
    matches!(error, CommandError::Usage(_) | CommandError::Problems(_))
}

fn without_lead(error: CommandError) -> String {
    if let CommandError::Unreachable(why) = error { why } else { error.to_string() }
}

/// Whether the change has ended, and how. `took_ms` is for the sentence only.
pub(crate) fn judge(watched: &Watched, tenant: &TenantStatus, took_ms: u64) -> Option<Verdict> {
    let rollout = tenant.rollout.as_ref().filter(|r| r.to >= watched.revision)?;
    let by = match rollout.state() {
        RolloutState::Progressing | RolloutState::RollingBack | RolloutState::Superseded => {
            return None;
        }
        RolloutState::Completed => rollout.to,
        RolloutState::RolledBack => rollout.from,
        RolloutState::Paused | RolloutState::Unspecified => watched.revision,
    };
    if by > watched.revision {
        return Some(Verdict::Overtaken(Overtaken { by, rollout: rollout.clone() }));
    }
    let (ending, sentence) = end(watched, rollout, took_ms);
    let rollout = Some(rollout.clone());
    Some(Verdict::Ended(Ended { ending, sentence: printable(&sentence), rollout }))
}

/// The end that needs no question: no later revision holds.
fn end(watched: &Watched, rollout: &Rollout, took_ms: u64) -> (ExitOutcome, String) {
    let Watched { tenant, revision, .. } = watched;
    let Rollout { from, to, reason, .. } = rollout;
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match rollout.state() {
        RolloutState::Completed => (
            ExitOutcome::Done,
            format!("done: {tenant} runs revision {to}, after {}", span(took_ms)),
        ),
        RolloutState::RolledBack if from == revision => (
            ExitOutcome::Done,
            format!(
                "done: {tenant} runs revision {revision} again, for revision {to} did not hold{because}"
            ),
        ),
        RolloutState::RolledBack if to == revision => (
            ExitOutcome::RolledBack,
            format!(
                "rolled back: revision {to} of {tenant} did not hold, its nodes run revision {from} again{because}"
            ),
        ),
        RolloutState::RolledBack => (
            ExitOutcome::RolledBack,
            format!(
                "rolled back: revision {to} of {tenant}, which took the place of {revision}, did not hold; its nodes run revision {from} again, without this change{because}"
            ),
        ),
        RolloutState::Paused => (
            ExitOutcome::Failed,
            format!("failed: the rollout of revision {to} of {tenant} is paused{because}"),
        ),
        _ => (
            ExitOutcome::Failed,
            format!(
                "failed: the rollout of revision {to} of {tenant} is in a state that this omlctl does not know"
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
