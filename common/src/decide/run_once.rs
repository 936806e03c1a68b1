//! The operations of an update that run once: what has to run before a version starts, and what is
//! said of a run that did not succeed.
//!
//! A preparation runs before the first start of a component on its host, a migration before the
//! first start of another image. The host keeps the order of each on its disk before anything of
//! it begins, and its result. One that succeeded is not run again for the same image; one that
//! did not is run again only if a later revision asks for the version.

use std::fmt;

use crate::decide::observed::{ContainerState, ObservedInstance, ObservedRun};
use crate::document::instance::{Instance, OperationStep};
use crate::document::operation::{RunOutcome, RunResult};
use crate::id::{ComponentName, ContentHash, Digest, OperationName, RevisionNumber, RunId};
use crate::time::print_duration_ms;

mod known;
mod over;

pub use known::{disproved, observed, reported, surplus};
pub use over::{AfterRun, after_run};

/// What runs once in an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunOnce {
    /// Before the first start of the component on its host.
    Preparation,
    /// Before the first start of another image.
    Migration,
}

/// A run that has to be over before the version starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRun {
    pub kind: RunOnce,
    pub operation: OperationName,
    pub id: RunId,
}

impl RunOnce {
    /// Returns the word for it in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparation => "preparation",
            Self::Migration => "migration",
        }
    }
}

/// The change that asks for a version. A controller that was restored from a backup gives the
/// numbers of revisions again, in another epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedBy {
    pub epoch: u64,
    pub revision: RevisionNumber,
}

/// Returns the run that has to be over before the desired instance starts, if there is one. A run
/// that is not over comes first, whichever revision began it: two of a component never run at the
/// same time.
#[must_use]
pub fn due(instance: &Instance, seen: &ObservedInstance, asked_by: AskedBy) -> Option<DueRun> {
    let digest = &instance.container()?.digest;
    if let Some(run) = seen.runs.iter().find(|run| run.result.is_none()) {
        let kind = kind_of(instance, &run.operation);
        return Some(DueRun { kind, operation: run.operation.clone(), id: run.id });
    }
    let is_new = seen.document.is_none() && !was_started(seen, |_| true);
    let mut preparations = instance.preparations.iter().filter(|_| is_new);
    // One that cannot be undone may have been disproved, and the others of its image with it.
    let no_way_back = instance.migrations.iter().any(|step| step.irreversible);
    let mut migrations =
        instance.migrations.iter().filter(|_| !is_migrated(seen, no_way_back, digest));
    let step = preparations.find(|step| !has_succeeded(seen, step, None));
    let step = step.or_else(|| migrations.find(|step| !has_succeeded(seen, step, Some(digest))))?;
    let operation = step.operation.clone();
    let id = id_of(&instance.component, &operation, digest, asked_by);
    Some(DueRun { kind: kind_of(instance, &operation), operation, id })
}

/// Returns whether the host has started a version with that image, so that it needs no migration.
/// The image before the present one needs one that cannot be undone: nobody goes back over that
/// unless the database was brought back, and only the result of its run says for which image it is.
fn is_migrated(seen: &ObservedInstance, no_way_back: bool, digest: &Digest) -> bool {
    let has_started = || was_started(seen, |image| image == digest);
    // If the documents are lost, the containers say what ran.
    let is_present = seen.images.contains(digest) || (seen.document.is_none() && has_started());
    let is_before = seen.images_before.contains(digest) || has_started();
    is_present || (is_before && !no_way_back)
}

/// Returns whether a container with such an image was ever started.
fn was_started(seen: &ObservedInstance, is_such: impl Fn(&Digest) -> bool) -> bool {
    let started = seen.containers.iter().filter(|it| it.state != ContainerState::Created);
    started.map(|container| &container.digest).any(is_such)
}

/// Returns what an operation of an instance is. One that the instance does not name any more was a
/// migration as far as anybody can tell.
fn kind_of(instance: &Instance, operation: &OperationName) -> RunOnce {
    let is_preparation = instance.preparations.iter().any(|step| &step.operation == operation);
    if is_preparation { RunOnce::Preparation } else { RunOnce::Migration }
}

/// Returns whether an operation has succeeded, with that image or with any.
fn has_succeeded(seen: &ObservedInstance, step: &OperationStep, digest: Option<&Digest>) -> bool {
    seen.runs.iter().any(|run| {
        run.operation == step.operation
            && digest.is_none_or(|digest| &run.digest == digest)
            && run.result.as_ref().is_some_and(RunResult::is_success)
    })
}

/// Returns the operation that took the way back to a workload: one that cannot be undone succeeded with
/// another image after the container of that workload was created. If the container is gone, only
/// an operation of the desired image counts.
#[must_use]
pub fn no_way_back<'a>(
    instance: &Instance,
    seen: &'a ObservedInstance,
    to: &ContentHash,
) -> Option<&'a OperationName> {
    let desired = instance.container().map(|container| &container.digest);
    let container = seen.container(to);
    let took_it = |run: &&ObservedRun| {
        let ended = run.result.as_ref().filter(|result| result.is_success()).map(|it| it.ended);
        run.irreversible
            && ended.is_some_and(|ended| match container {
                Some(container) => container.digest != run.digest && container.created <= ended,
                None => desired == Some(&run.digest),
            })
    };
    seen.runs.iter().find(took_it).map(|run| &run.operation)
}

/// Returns the number of a run of an update. It is the same as long as the same revision asks for
/// the same image, so that nothing begins twice. No controller gives a number of this epoch.
fn id_of(
    component: &ComponentName,
    operation: &OperationName,
    digest: &Digest,
    asked_by: AskedBy,
) -> RunId {
    let AskedBy { epoch, revision } = asked_by;
    let text = format!("{component} {operation} {digest} {epoch} {revision}");
    let hash = ContentHash::of(text.as_bytes());
    let number = u64::from_str_radix(&hash.as_str()[..15], 16).unwrap_or_default();
    RunId { epoch: RunId::OF_HOST, number }
}

/// Why a version does not start: what became of what runs once before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOnceFailed<'a> {
    pub kind: RunOnce,
    pub operation: &'a OperationName,
    pub result: &'a RunResult,
    pub deadline_ms: u64,
    /// Whether there is a version that was not stopped.
    pub has_old: bool,
}

impl fmt::Display for RunOnceFailed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, operation, result, deadline_ms, has_old } = self;
        write!(f, "the {} {operation} of the new version ", kind.as_str())?;
        let left = if *has_old { "the old version was not stopped" } else { "nothing was started" };
        let held = match result.outcome {
            RunOutcome::Exited { status } => {
                write!(f, "failed: its program ended with status {status}")?;
                "the database may hold a part of its changes"
            }
            RunOutcome::DeadlineExceeded => {
                let deadline = print_duration_ms(*deadline_ms);
                write!(f, "was interrupted: it did not end within {deadline} and was stopped")?;
                "what the database holds is not known"
            }
            RunOutcome::Interrupted => {
                f.write_str("was interrupted")?;
                "what the database holds is not known"
            }
            RunOutcome::NotStarted => {
                f.write_str("was not started")?;
                "it changed nothing"
            }
            RunOutcome::Unknown => {
                f.write_str("ended in a way that only a later release of the agent knows")?;
                "what the database holds is not known"
            }
        };
        if !result.reason.is_empty() {
            write!(f, ": {}", result.reason)?;
        }
        write!(
            f,
            "; {left}, and {held}; it runs again only if a change asks for this version again"
        )
    }
}

#[cfg(test)]
mod tests;
