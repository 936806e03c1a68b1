//! Making a change: sent at most once, shown, and waited for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueHint;
use oml_common::text::error::chain;
use oml_proto::v1::{
    ApplyRequest, ChangeOptions, ChangeOutcome, ChangeReply, RollbackRequest, Rollout,
    SetVersionRequest,
};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::connection::{Controller, Failed, Target};
use crate::error::CommandError;
use crate::output::{Format, Output, tell};
use crate::progress::Progress;
use crate::wait::{self, Ended, ExitOutcome, Watched};
use crate::{describe, view};

/// What a change is made of.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Apply { spec_yaml: String },
    SetVersion { tenant: String, versions: BTreeMap<String, String> },
    Rollback { tenant: String, to: u64 },
}

/// How a change is made; the same for every verb that makes one.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChangeArgs {
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// End when the change is accepted, before it has reached the nodes
    #[arg(long)]
    no_wait: bool,
    /// Longest wait for the change to reach the nodes. Calls that end first are
    /// waited for: keep it well above drain_deadline, which is 30m unless set
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = duration, value_hint = ValueHint::Other)]
    timeout: Duration,
    /// Why the change is made, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_hint = ValueHint::Other)]
    why: String,
    /// Id under which the change is made at most once [default: a new one]
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    op_id: Option<String>,
}

/// The whole of a change, for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    op_id: &'a str,
    dry_run: bool,
    #[serde(flatten)]
    reply: &'a ChangeReply,
    /// Absent when nobody waited.
    outcome: Option<Outcome<'a>>,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    /// `done`, `failed`, `rolled-back`, `waiting`, or `unknown` where the waiting broke off.
    ending: &'static str,
    sentence: Cow<'a, str>,
    rollout: Option<&'a Rollout>,
}

/// Longest time in which a change whose answer was lost is sent again.
const RETRY_LIMIT: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(500);

impl ChangeArgs {
    /// A plan: nothing is changed.
    pub(crate) fn dry_run() -> Self {
        let why = String::new();
        Self { dry_run: true, no_wait: true, timeout: Duration::ZERO, why, op_id: None }
    }
}

/// Makes a change, shows it, and waits for its end unless told otherwise.
pub(crate) async fn make(
    target: &Target,
    output: &Output,
    wanted: Wanted,
    args: &ChangeArgs,
) -> Result<ExitOutcome, CommandError> {
    let options = ChangeOptions {
        op_id: args.op_id.clone().map_or_else(|| target.new_op_id(), Ok)?,
        dry_run: args.dry_run,
        why: args.why.clone(),
    };
    let (controller, reply) = send(target, &wanted, &options, args.timeout).await?;
    if output.format == Format::Table && !reply.changes.is_empty() {
        output.text(&view::changes(output, &reply.changes))?;
    }
    let ended = until_its_end(target, output, controller, &reply, args).await;
    if output.format != Format::Table {
        // What was accepted is told even if its end is not known.
        let outcome = match &ended {
            Ok(ended) => ended.as_ref().map(Outcome::new),
            Err(error) => Some(Outcome::unknown(error)),
        };
        let (op_id, dry_run) = (options.op_id.as_str(), args.dry_run);
        output.data(&Answer { op_id, dry_run, reply: &reply, outcome }, String::new)?;
    }
    Ok(ended?.map_or(ExitOutcome::Done, |ended| ended.outcome))
}

/// Waits for what is on its way, unless told otherwise; none where nobody waited.
async fn until_its_end(
    target: &Target,
    output: &Output,
    mut controller: Controller,
    reply: &ChangeReply,
    args: &ChangeArgs,
) -> Result<Option<Ended>, CommandError> {
    let waits = !args.dry_run && !args.no_wait;
    if waits && (reply.changed || controller.is_on_its_way(reply).await?) {
        return follow(target, output, controller, reply, args.timeout).await.map(Some);
    }
    tell(&closing(reply, args));
    Ok(None)
}

/// Sends a change until it is answered. What was sent may have been done even
/// if no answer came, so every attempt carries the same id.
async fn send(
    target: &Target,
    wanted: &Wanted,
    options: &ChangeOptions,
    limit: Duration,
) -> Result<(Controller, ChangeReply), CommandError> {
    let deadline = Instant::now() + limit.min(RETRY_LIMIT);
    let mut lost: Option<String> = None;
    loop {
        let why = match attempt(target, wanted, options).await {
            Ok(done) => return Ok(done),
            Err(InstanceUpdate::NotSent(error)) if lost.is_none() => return Err(error),
            Err(InstanceUpdate::NotSent(error)) => error.to_string(),
            Err(InstanceUpdate::Sent(Failed::Answered(error))) => return Err(error),
            Err(InstanceUpdate::Sent(failed @ Failed::Unauthenticated(_))) if lost.is_none() => {
                return Err(failed.into());
            }
            Err(InstanceUpdate::Sent(failed @ Failed::Lost(_))) if options.dry_run => {
                return Err(failed.into());
            }
            Err(InstanceUpdate::Sent(Failed::Lost(why) | Failed::Unauthenticated(why))) => why,
        };
        if Instant::now() + RETRY_PAUSE > deadline {
            return Err(CommandError::OutcomeUnknown { op_id: options.op_id.clone(), why });
        }
        if lost.replace(why.clone()).is_none() {
            tell(&format!("no answer ({why}); trying again, the change is made once"));
        }
        sleep(RETRY_PAUSE).await;
    }
}

enum InstanceUpdate {
    NotSent(CommandError),
    Sent(Failed),
}

async fn attempt(
    target: &Target,
    wanted: &Wanted,
    options: &ChangeOptions,
) -> Result<(Controller, ChangeReply), InstanceUpdate> {
    let mut controller = target.connect().await.map_err(InstanceUpdate::NotSent)?;
    let reply = controller.change(wanted, options).await.map_err(InstanceUpdate::Sent)?;
    Ok((controller, reply))
}

impl Controller {
    /// Whether the revision of a reply is still on its way to the nodes.
    async fn is_on_its_way(&mut self, reply: &ChangeReply) -> Result<bool, CommandError> {
        let progress = self.watch_change(&watched(reply)).await?.next().await?;
        let verdict = progress.verdict.unwrap_or_default();
        Ok(verdict.outcome() == ChangeOutcome::Waiting)
    }

    async fn change(
        &mut self,
        wanted: &Wanted,
        options: &ChangeOptions,
    ) -> Result<ChangeReply, Failed> {
        let options = Some(options.clone());
        match wanted.clone() {
            Wanted::Apply { spec_yaml } => {
                let request = ApplyRequest { spec_yaml, options };
                self.call(|fleet, request| fleet.apply(request), request).await
            }
            Wanted::SetVersion { tenant, versions } => {
                let request = SetVersionRequest { tenant, versions, options };
                self.call(|fleet, request| fleet.set_version(request), request).await
            }
            Wanted::Rollback { tenant, to } => {
                let request = RollbackRequest { tenant, to, options };
                self.call(|fleet, request| fleet.rollback(request), request).await
            }
        }
    }
}

async fn follow(
    target: &Target,
    output: &Output,
    controller: Controller,
    reply: &ChangeReply,
    limit: Duration,
) -> Result<Ended, CommandError> {
    let watched = watched(reply);
    let mut progress = Progress::new(output.clock.clone(), reply.revision, &reply.changes);
    let ended = wait::wait(target, controller, &watched, limit, &mut progress).await;
    progress.finish();
    let ended = ended?;
    if ended.outcome != ExitOutcome::Done {
        tell_failures(ended.rollout.as_ref());
    }
    tell(&ended.sentence);
    Ok(ended)
}

fn watched(reply: &ChangeReply) -> Watched {
    Watched { tenant: reply.tenant.clone(), revision: reply.revision }
}

fn tell_failures(rollout: Option<&Rollout>) {
    let failures = rollout.iter().flat_map(|rollout| &rollout.failures);
    for line in failures.flat_map(describe::rollout_failure_lines) {
        tell(&oml_common::text::problem::printable(&line));
    }
}

fn closing(reply: &ChangeReply, args: &ChangeArgs) -> String {
    let ChangeReply { tenant, revision, changed, .. } = reply;
    match (changed, args.dry_run) {
        (false, _) => format!("nothing to change: {tenant} is at revision {revision}"),
        (true, true) => format!("this is only a plan: {tenant} was not changed"),
        (true, false) => format!(
            "accepted: revision {revision} of {tenant} is on its way; see omlctl status tenant={tenant} --watch"
        ),
    }
}

fn duration(text: &str) -> Result<Duration, oml_common::time::InvalidDuration> {
    oml_common::time::parse_duration_ms(text).map(Duration::from_millis)
}

impl<'a> Outcome<'a> {
    fn new(ended: &'a Ended) -> Self {
        let ending = match ended.outcome {
            ExitOutcome::Done => "done",
            ExitOutcome::Failed => "failed",
            ExitOutcome::RolledBack => "rolled-back",
            ExitOutcome::Waiting => "waiting",
        };
        let sentence = ended.sentence.as_str().into();
        Self { ending, sentence, rollout: ended.rollout.as_ref() }
    }

    fn unknown(error: &CommandError) -> Self {
        Self { ending: "unknown", sentence: chain(error).into(), rollout: None }
    }
}

#[cfg(test)]
mod tests;
