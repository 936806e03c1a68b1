//! What the runs on the disk of a host still say, and which of them it may forget.

use std::collections::BTreeSet;

use crate::decide::observed::ObservedRun;
use crate::decide::operation::HostRun;
use crate::document::operation::RunResult;
use crate::document::report::UpdateRun;
use crate::id::{Digest, RunId};
use crate::time::Timestamp;

/// Returns what a run of an update is; none if its order cannot be read.
#[must_use]
pub fn observed(id: RunId, run: HostRun) -> Option<ObservedRun> {
    let order = run.order?;
    let digest = order.instance.container()?.digest.clone();
    let operation = order.operation.clone();
    let mut steps = order.instance.migrations.iter();
    let irreversible = steps.any(|step| step.operation == operation && step.irreversible);
    let version = order.instance.version().cloned();
    Some(ObservedRun { id, operation, digest, version, irreversible, result: run.result })
}

/// Returns the newest runs for a report, newest first. What they wrote is left out.
#[must_use]
pub fn reported(runs: &[ObservedRun]) -> Vec<UpdateRun> {
    let mut newest: Vec<&ObservedRun> = runs.iter().collect();
    // One that is not over is the newest.
    let ended = |run: &ObservedRun| run.result.as_ref().map_or(Timestamp(u64::MAX), |it| it.ended);
    newest.sort_by_key(|run| std::cmp::Reverse((ended(run), run.id)));
    let shown = newest.into_iter().take(UpdateRun::REPORTED_MAX);
    let without_lines = |result: RunResult| RunResult { last_lines: Vec::new(), ..result };
    let shown = shown.cloned().map(|ObservedRun { id, operation, version, result, .. }| {
        UpdateRun { id, operation, version, result: result.map(without_lines) }
    });
    shown.collect()
}

/// Returns the runs of migrations that a version with another image has disproved, which was started
/// after them and passed its soak: all those of every image with one that cannot be undone. No earlier
/// version can run after that, so somebody has brought back what they had changed: they have to run again
/// before their own image starts. What succeeded before the last success of that version's own image stays.
#[must_use]
pub fn disproved(runs: &[ObservedRun], good: &Digest, started: Timestamp) -> Vec<RunId> {
    let done = || runs.iter().filter_map(|run| Some((succeeded(run)?, run)));
    let own = done().filter(|(_, run)| &run.digest == good).map(|(ended, _)| ended).max();
    let is_undone = |(ended, run): &(Timestamp, &ObservedRun)| {
        &run.digest != good && *ended < started && own.is_none_or(|own| own < *ended)
    };
    let undone: Vec<&ObservedRun> = done().filter(is_undone).map(|(_, run)| run).collect();
    let images: BTreeSet<&Digest> =
        undone.iter().filter(|run| run.irreversible).map(|run| &run.digest).collect();
    undone.iter().filter(|run| images.contains(&run.digest)).map(|run| run.id).collect()
}

/// Returns the oldest runs that are over, of which a component keeps this many. The last success
/// of each operation is kept beyond them.
#[must_use]
pub fn surplus(runs: &[ObservedRun], kept_max: usize) -> Vec<RunId> {
    let over = runs.iter().filter_map(|run| Some((run.result.as_ref()?.ended, run)));
    let mut over: Vec<(Timestamp, &ObservedRun)> = over.collect();
    over.sort_by_key(|(ended, run)| (*ended, run.id));
    let excess = over.len().saturating_sub(kept_max);
    let is_needed = |number: usize, run: &ObservedRun| {
        let mut later = over[number + 1..].iter().map(|(_, later)| *later);
        succeeded(run).is_some()
            && !later.any(|later| later.operation == run.operation && succeeded(later).is_some())
    };
    let oldest = over[..excess].iter().enumerate();
    let surplus = oldest.filter(|(number, (_, run))| !is_needed(*number, run));
    surplus.map(|(_, (_, run))| run.id).collect()
}

/// Returns when a run succeeded, if it did.
fn succeeded(run: &ObservedRun) -> Option<Timestamp> {
    run.result.as_ref().filter(|result| result.is_success()).map(|result| result.ended)
}
