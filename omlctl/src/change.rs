//! Makes a change at most once, shows it, and waits for its end.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueHint;
use oml_common::text::printable::printable;
use oml_proto::v1::{ChangeOptions, ChangeOutcome, ChangeReply, NewSecretValue, Rollout};
use tokio::time::{Instant, sleep};

use crate::connection::{Controller, Failed, Target, Watched};
use crate::error::CommandError;
use crate::output::{Format, Output, print_note};
use crate::progress::Progress;
use crate::wait::{self, Ended, ExitOutcome};
use crate::{describe, view};

mod answer;
mod calls;
mod preview;

use self::answer::{Answer, Outcome};

/// The request for a change.
#[derive(Debug, Clone)]
pub(crate) enum ChangeRequest {
    Apply { spec_yaml: String },
    SetVersion { tenant: String, versions: BTreeMap<String, String> },
    SetRelease { tenant: String, release: String },
    Rollback { tenant: String, to: u64 },
    RotateSecret { tenant: String, name: String, value: NewSecretValue },
    SetCertificate { tenant: String, certificate: NewSecretValue, key: NewSecretValue },
    RenewCertificate { tenant: String, new_authority: bool },
}

/// The options of every verb that makes a change.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChangeArgs {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Return when the controller has accepted the change, without waiting for the rollout
    #[arg(long)]
    no_wait: bool,
    /// Maximum time to wait for the rollout; it goes on afterwards. Draining can take
    /// until drain_deadline (30m unless set), so choose a much longer time
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = duration, value_hint = ValueHint::Other)]
    timeout: Duration,
    /// Answer every question with yes: whether to remove something, and whether to make a change
    /// that has no way back
    #[arg(short, long)]
    yes: bool,
    /// Remove what the tenant should no longer run, without a question
    #[arg(long)]
    prune: bool,
    /// Reason for the change, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_hint = ValueHint::Other)]
    why: String,
    /// Make the change although the releases of the catalog forbid it, for this reason, which
    /// the history records
    #[arg(long, value_name = "REASON", default_value = "", hide_default_value = true, value_hint = ValueHint::Other)]
    force: String,
    /// Id of the change: the same id makes it at most once [default: a new id]
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    op_id: Option<String>,
}

/// The time for which a change whose answer was lost is sent again.
const RETRY_LIMIT: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What a person is asked about before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asks {
    /// What the change removes.
    removals: bool,
    /// A step without a way back.
    one_way: bool,
}

impl ChangeArgs {
    fn asks(&self) -> Asks {
        let one_way = !(self.dry_run || self.yes);
        Asks { removals: one_way && !self.prune, one_way }
    }

    /// Returns options that only plan the change.
    pub(crate) fn dry_run() -> Self {
        let (why, force) = (String::new(), String::new());
        let (yes, prune, timeout) = (false, false, Duration::ZERO);
        Self { dry_run: true, no_wait: true, timeout, yes, prune, why, force, op_id: None }
    }
}

/// Makes a change, shows it, and waits for its end unless the options say otherwise.
pub(crate) async fn make(
    target: &Target,
    output: &Output,
    request: ChangeRequest,
    args: &ChangeArgs,
) -> Result<ExitOutcome, CommandError> {
    let options = ChangeOptions {
        op_id: args.op_id.clone().map_or_else(|| target.new_op_id(), Ok)?,
        dry_run: args.dry_run,
        why: args.why.clone(),
        force: args.force.clone(),
        ..ChangeOptions::default()
    };
    let (controller, reply) = send_asking(target, &request, &options, args).await?;
    if reply.new_tenant {
        print_note(&format!("{} is a new tenant", reply.tenant));
    }
    if output.format == Format::Table {
        print_reply(output, &reply)?;
    }
    for warning in &reply.warnings {
        print_note(&format!("warning: {}", printable(warning)));
    }
    reply.notes.iter().for_each(|note| print_note(&format!("note: {}", printable(note))));
    let ended = wait_if_needed(target, output, controller, &reply, args).await;
    if output.format != Format::Table {
        // An accepted change is printed even if its outcome is unknown.
        let outcome = match &ended {
            Ok(ended) => ended.as_ref().map(Outcome::new),
            Err(error) => Some(Outcome::unknown(error)),
        };
        let (op_id, dry_run) = (options.op_id.as_str(), args.dry_run);
        output.data(&Answer { op_id, dry_run, reply: &reply, outcome }, String::new)?;
    }
    Ok(ended?.map_or(ExitOutcome::Done, |ended| ended.outcome))
}

/// Prints what a change does, as a table.
fn print_reply(output: &Output, reply: &ChangeReply) -> Result<(), CommandError> {
    if !reply.changes.is_empty() {
        output.text(&view::changes(output, &reply.changes))?;
    }
    if !reply.release.is_empty() {
        output.text(&format!("release {}", printable(&reply.release)))?;
    }
    for line in &reply.settings {
        output.text(line)?;
    }
    if let Some(certificate) = &reply.certificate {
        output.text(&view::made_certificate(output, certificate))?;
    }
    Ok(())
}

/// Sends a change, after a question if it removes something or has no way back, and the options do
/// not say otherwise. What has not been asked about, the controller refuses.
async fn send_asking(
    target: &Target,
    request: &ChangeRequest,
    options: &ChangeOptions,
    args: &ChangeArgs,
) -> Result<(Controller, ChangeReply), CommandError> {
    let asks = args.asks();
    if !(asks.removals && request.is_meant_to_remove()) {
        let (no_removals, no_one_way) = (asks.removals, asks.one_way);
        let options = ChangeOptions { no_removals, no_one_way, ..options.clone() };
        match send(target, request, &options, args.timeout, Lost::of(args)).await {
            Err(CommandError::Removes(_) | CommandError::OneWay(_)) => {}
            sent => return sent,
        }
    }
    preview::send_previewed(target, request, options, asks, args.timeout).await
}

/// Waits for the end of the rollout, unless the options say otherwise. Returns `None` if
/// there was nothing to wait for.
async fn wait_if_needed(
    target: &Target,
    output: &Output,
    mut controller: Controller,
    reply: &ChangeReply,
    args: &ChangeArgs,
) -> Result<Option<Ended>, CommandError> {
    // Before its first revision there is nothing to wait for.
    let waits = !args.dry_run && !args.no_wait && reply.revision > 0;
    if reply.text_changed {
        print_note(&text_line(reply, args.dry_run));
    }
    // No rollout follows from what nothing uses: one in progress is another's change.
    let has_made = reply.secret_version > 0 || reply.certificate.is_some();
    let is_unused = has_made && !reply.changed || !reply.ordered_from.is_empty();
    if waits && !is_unused && (reply.changed || controller.is_in_progress(reply).await?) {
        return follow(target, output, controller, reply, args.timeout).await.map(Some);
    }
    if !reply.text_changed {
        print_note(&closing_line(reply, args));
    }
    Ok(None)
}

/// Sends a change until it is answered. A request without an answer may have been carried
/// out, so every attempt has the same id.
async fn send(
    target: &Target,
    request: &ChangeRequest,
    options: &ChangeOptions,
    limit: Duration,
    when_lost: Lost,
) -> Result<(Controller, ChangeReply), CommandError> {
    let deadline = Instant::now() + limit.min(RETRY_LIMIT);
    let mut lost: Option<String> = None;
    loop {
        let why = match send_once(target, request, options).await {
            Ok(done) => return Ok(done),
            Err(Undelivered::NotSent(error)) if lost.is_none() => return Err(error),
            Err(Undelivered::NotSent(error)) => error.to_string(),
            Err(Undelivered::Sent(Failed::Answered(error) | Failed::Passing(error))) => {
                return Err(error);
            }
            Err(Undelivered::Sent(failed @ Failed::Unauthenticated(_))) if lost.is_none() => {
                return Err(failed.into());
            }
            Err(Undelivered::Sent(failed @ Failed::Lost(_))) if when_lost == Lost::Fail => {
                return Err(failed.into());
            }
            Err(Undelivered::Sent(Failed::Lost(why) | Failed::Unauthenticated(why))) => why,
        };
        if Instant::now() + RETRY_PAUSE > deadline {
            if options.dry_run {
                return Err(CommandError::Unreachable(why));
            }
            return Err(CommandError::OutcomeUnknown { op_id: options.op_id.clone(), why });
        }
        if lost.replace(why.clone()).is_none() {
            print_note(&format!(
                "no answer ({why}); retrying with the same id, so that the change is made only once"
            ));
        }
        sleep(RETRY_PAUSE).await;
    }
}

/// What to do if the answer to a request is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// The request is sent again.
    Retry,
    /// The command fails. A person who only wants to see a plan repeats it.
    Fail,
}

impl Lost {
    fn of(args: &ChangeArgs) -> Self {
        if args.dry_run { Self::Fail } else { Self::Retry }
    }
}

impl ChangeRequest {
    /// Whether the request itself can name fewer components. Another version removes only what the
    /// catalog or the roles of a node have removed since the last change.
    fn is_meant_to_remove(&self) -> bool {
        match self {
            ChangeRequest::Apply { .. } | ChangeRequest::Rollback { .. } => true,
            ChangeRequest::SetVersion { .. }
            | ChangeRequest::SetRelease { .. }
            | ChangeRequest::RotateSecret { .. }
            | ChangeRequest::SetCertificate { .. }
            | ChangeRequest::RenewCertificate { .. } => false,
        }
    }
}

/// The error of one attempt to send a change.
enum Undelivered {
    NotSent(CommandError),
    Sent(Failed),
}

async fn send_once(
    target: &Target,
    request: &ChangeRequest,
    options: &ChangeOptions,
) -> Result<(Controller, ChangeReply), Undelivered> {
    let mut controller = target.connect().await.map_err(Undelivered::NotSent)?;
    let reply = controller.change(request, options).await.map_err(Undelivered::Sent)?;
    Ok((controller, reply))
}

impl Controller {
    /// Whether the rollout of a reply's revision is still in progress.
    async fn is_in_progress(&mut self, reply: &ChangeReply) -> Result<bool, CommandError> {
        let progress = self.watch_change(&watched(reply)).await?.next().await?;
        let verdict = progress.verdict.unwrap_or_default();
        Ok(verdict.outcome() == ChangeOutcome::Waiting)
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
        print_failures(ended.rollout.as_ref());
    }
    print_note(&ended.sentence);
    Ok(ended)
}

fn watched(reply: &ChangeReply) -> Watched {
    Watched { tenant: reply.tenant.clone(), revision: reply.revision }
}

fn print_failures(rollout: Option<&Rollout>) {
    let failures = rollout.iter().flat_map(|rollout| &rollout.failures);
    for line in failures.flat_map(describe::rollout_failure_lines) {
        print_note(&printable(&line));
    }
}

/// Returns the line about a change of which nothing is rolled out, or that is not waited for.
fn closing_line(reply: &ChangeReply, args: &ChangeArgs) -> String {
    let ChangeReply { tenant, revision, changed, .. } = reply;
    match (changed, args.dry_run) {
        (false, is_dry_run) => unused_line(reply, is_dry_run)
            .unwrap_or_else(|| format!("nothing to change: {tenant} is at revision {revision}")),
        (true, true) => format!("plan only: {tenant} was not changed"),
        (true, false) => format!(
            "accepted: the rollout of revision {revision} of {tenant} has started; follow it with omlctl status tenant={tenant} --watch"
        ),
    }
}

/// Returns the line about a secret or a certificate that the change made and nothing uses, or that is
/// ordered; none if it made none.
fn unused_line(reply: &ChangeReply, is_dry_run: bool) -> Option<String> {
    let ChangeReply { tenant, revision, secret_version, certificate, ordered_from, .. } = reply;
    if !ordered_from.is_empty() {
        let directory = printable(ordered_from);
        return Some(match is_dry_run {
            true => {
                format!("plan only: a certificate of {tenant} would be ordered from {directory}")
            }
            false => format!(
                "a certificate of {tenant} is ordered from {directory}; it comes later, as a revision of its own: \
                 omlctl tls show tenant={tenant}"
            ),
        });
    }
    let what = match certificate {
        Some(certificate) => format!("version {} of the certificate", certificate.version),
        None if *secret_version > 0 => format!("version {secret_version} of the secret"),
        None => return None,
    };
    if is_dry_run {
        return Some(format!("plan only: {what} would be used by no component of {tenant}"));
    }
    // Nothing was applied yet, and the document that will be has to ask for the certificate.
    if *revision == 0 && certificate.is_some() {
        return Some(format!(
            "{what} is kept; {tenant} uses it when a document with tls: {{mode: custom}} is applied"
        ));
    }
    Some(format!("{what} is kept; no component of {tenant} uses it"))
}

/// Returns the line about a change of the specification's text only.
fn text_line(reply: &ChangeReply, is_dry_run: bool) -> String {
    let ChangeReply { tenant, revision, .. } = reply;
    let kept = if is_dry_run { "would be kept" } else { "is kept" };
    format!(
        "only comments or layout changed: the new text {kept} with revision {revision} of {tenant}, and nothing is rolled out"
    )
}

fn duration(text: &str) -> Result<Duration, oml_common::time::InvalidDuration> {
    oml_common::time::parse_duration_ms(text).map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
