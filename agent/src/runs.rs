//! The orders and results of runs on the disk of a host. An order is on disk before anything of
//! its run begins, and a result before it is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use oml_common::decide::operation::HostRun;
use oml_common::document::operation::{RunOrder, RunResult};
use oml_common::document::{self, ReadError, Verbatim};
use oml_common::id::{ComponentName, RunId, TenantId};
use oml_common::text::error::chain;
use tracing::warn;

use crate::files::{self, FileError};
use crate::paths::Paths;

/// The most runs that are over and of which the order and the result are kept.
pub(crate) const KEPT_MAX: usize = 20;

/// An order or a result that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The text is not what it should be.
    #[error("cannot use a file of run {id}")]
    Unreadable { id: RunId, source: ReadError },
}

/// Writes the order of a run in the bytes that it has: a later release of the agent finds in them what
/// this one does not know, and that it is the same order if it comes again.
///
/// # Errors
/// An error of the file system; nothing of the run may begin then.
pub fn write_order(paths: &Paths, order: &Verbatim<RunOrder>) -> Result<(), RunFileError> {
    Ok(files::write_durably(&paths.run_order(order.id), order.text().as_bytes(), 0o600)?)
}

/// Writes the order of a run that is to begin. What another tenant left of a run of this number is
/// removed first, so that its result is none of this run.
///
/// # Errors
/// An error of the file system; nothing of the run may begin then.
pub(crate) fn begin(paths: &Paths, order: &Verbatim<RunOrder>) -> Result<(), RunFileError> {
    files::remove_durably(&paths.run_result(order.id))?;
    write_order(paths, order)
}

/// Writes that a run does not begin.
///
/// # Errors
/// An error of the file system.
pub(crate) fn write_refused(
    paths: &Paths,
    order: &Verbatim<RunOrder>,
    result: &RunResult,
) -> Result<(), RunFileError> {
    // An order without a result would be one that has begun.
    write_result(paths, order.id, result)?;
    write_order(paths, order)
}

/// Moves the runs of the owner before aside, in the place of those that were moved there earlier.
///
/// # Errors
/// An error of the file system.
pub(crate) fn set_aside(paths: &Paths) -> Result<(), FileError> {
    let (runs, aside) = (paths.runs(), paths.former_runs());
    if !runs.is_dir() {
        return Ok(());
    }
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(FileError::of("remove the folder", &aside)(error));
        }
        Ok(()) | Err(_) => {}
    }
    files::rename_durably(&runs, &aside)
}

/// Reads the order of a run, if there is one.
///
/// # Errors
/// A file that cannot be read or is no order.
pub fn read_order(paths: &Paths, id: RunId) -> Result<Option<Verbatim<RunOrder>>, RunFileError> {
    read(id, &paths.run_order(id), Verbatim::read)
}

/// Writes the result of a run.
///
/// # Errors
/// An error of the file system.
pub fn write_result(paths: &Paths, id: RunId, result: &RunResult) -> Result<(), RunFileError> {
    let text = document::write(result);
    Ok(files::write_durably(&paths.run_result(id), text.as_bytes(), 0o600)?)
}

/// Reads the result of a run, if there is one.
///
/// # Errors
/// A file that cannot be read or is no result.
pub fn read_result(paths: &Paths, id: RunId) -> Result<Option<RunResult>, RunFileError> {
    read(id, &paths.run_result(id), document::read)
}

/// Reads a file of a run, if it is there.
fn read<T>(
    id: RunId,
    path: &Path,
    read: impl FnOnce(&str) -> Result<T, ReadError>,
) -> Result<Option<T>, RunFileError> {
    let text = files::read_if_there(path)?;
    let read = text.map(|text| read(&text)).transpose();
    read.map_err(|source| RunFileError::Unreadable { id, source })
}

/// Lists the runs of which this host has the order, without those of another tenant than its own:
/// their numbers say nothing, because those of every tenant begin at 1.
///
/// # Errors
/// A folder that cannot be listed.
pub(crate) fn known(
    paths: &Paths,
    tenant: Option<&TenantId>,
) -> Result<BTreeMap<RunId, HostRun>, FileError> {
    Ok(read_runs(paths, listed(paths)?, tenant))
}

/// Lists those runs that belong to updates of this host.
///
/// # Errors
/// A folder that cannot be listed.
pub(crate) fn of_updates(
    paths: &Paths,
    tenant: Option<&TenantId>,
) -> Result<BTreeMap<RunId, HostRun>, FileError> {
    let ids = listed(paths)?.into_iter().filter(|id| id.is_of_host());
    Ok(read_runs(paths, ids, tenant))
}

/// Lists those runs of updates of one component.
///
/// # Errors
/// A folder that cannot be listed.
pub(crate) fn of_component(
    paths: &Paths,
    component: &ComponentName,
) -> Result<BTreeMap<RunId, HostRun>, FileError> {
    let mut runs = of_updates(paths, None)?;
    runs.retain(|_, run| {
        run.order.as_ref().is_some_and(|order| &order.instance.component == component)
    });
    Ok(runs)
}

fn listed(paths: &Paths) -> Result<Vec<RunId>, FileError> {
    let folder = paths.runs();
    let listed = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(Iterator::collect::<std::io::Result<Vec<_>>>),
    };
    let listed = listed.map_err(FileError::of("list", &folder))?;
    Ok(listed.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn read_runs(
    paths: &Paths,
    ids: impl IntoIterator<Item = RunId>,
    tenant: Option<&TenantId>,
) -> BTreeMap<RunId, HostRun> {
    let read = |id| {
        let order = readable(id, read_order(paths, id));
        (id, HostRun { order, result: readable(id, read_result(paths, id)) })
    };
    let is_own = |run: &HostRun| match (&run.order, tenant) {
        (Some(order), Some(own)) => &order.instance.tenant == own,
        // One whose order cannot be read may be its own.
        (None, _) | (_, None) => true,
    };
    ids.into_iter().map(read).filter(|(_, run)| is_own(run)).collect()
}

/// Returns what was read; what cannot be read is logged, and counts as missing.
fn readable<T>(id: RunId, read: Result<Option<T>, RunFileError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(run = %id, error = chain(&error), "cannot read a file of a run");
        None
    })
}

/// Removes the oldest runs that are over, if there are too many, and returns them. Those of which
/// more than the files may be left are kept, and so are those that belong to updates.
///
/// # Errors
/// An error of the file system.
pub(crate) fn prune(
    paths: &Paths,
    tenant: Option<&TenantId>,
    under_way: &BTreeSet<RunId>,
) -> Result<Vec<RunId>, FileError> {
    let known = known(paths, tenant)?;
    let ordered = known.iter().filter(|(id, run)| run.result.is_some() && !id.is_of_host());
    let over: Vec<RunId> = ordered.map(|(id, _)| *id).collect();
    let mut excess = over[..over.len().saturating_sub(KEPT_MAX)].to_vec();
    excess.retain(|id| !under_way.contains(id));
    for id in &excess {
        forget(paths, *id)?;
    }
    Ok(excess)
}

/// Removes what is left of a run on the disk.
///
/// # Errors
/// An error of the file system.
pub(crate) fn forget(paths: &Paths, id: RunId) -> Result<(), FileError> {
    files::remove_durably(&paths.run_order(id))?;
    files::remove_durably(&paths.run_result(id))?;
    files::remove_durably(&paths.runs().join(id.to_string())).map(drop)
}
