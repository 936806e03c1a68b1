//! The orders and results of runs on the disk of a host. An order is on disk before anything of
//! its run begins, and a result before it is reported.

use std::collections::BTreeMap;

use oml_common::decide::operation::HostRun;
use oml_common::document::operation::{RunOrder, RunResult};
use oml_common::document::{self, Document, ReadError};
use oml_common::id::{ComponentName, RunId};
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

/// Writes the order of a run.
///
/// # Errors
/// An error of the file system; nothing of the run may begin then.
pub fn write_order(paths: &Paths, order: &RunOrder) -> Result<(), RunFileError> {
    let text = document::write(order);
    Ok(files::write_durably(&paths.run_order(order.id), text.as_bytes(), 0o600)?)
}

/// Reads the order of a run, if there is one.
///
/// # Errors
/// A file that cannot be read or is no order.
pub fn read_order(paths: &Paths, id: RunId) -> Result<Option<RunOrder>, RunFileError> {
    read(id, files::read_if_there(&paths.run_order(id))?)
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
    read(id, files::read_if_there(&paths.run_result(id))?)
}

fn read<T: Document>(id: RunId, text: Option<String>) -> Result<Option<T>, RunFileError> {
    let read = text.map(|text| document::read(&text)).transpose();
    read.map_err(|source| RunFileError::Unreadable { id, source })
}

/// Lists the runs of which this host has the order.
///
/// # Errors
/// A folder that cannot be listed.
pub(crate) fn known(paths: &Paths) -> Result<BTreeMap<RunId, HostRun>, FileError> {
    Ok(listed(paths)?.into_iter().map(|id| (id, read_run(paths, id))).collect())
}

/// Lists those runs that belong to updates of this host.
///
/// # Errors
/// A folder that cannot be listed.
pub(crate) fn of_updates(paths: &Paths) -> Result<BTreeMap<RunId, HostRun>, FileError> {
    let ids = listed(paths)?.into_iter().filter(|id| id.is_of_host());
    Ok(ids.map(|id| (id, read_run(paths, id))).collect())
}

/// Lists those runs of updates of one component.
///
/// # Errors
/// A folder that cannot be listed.
pub(crate) fn of_component(
    paths: &Paths,
    component: &ComponentName,
) -> Result<BTreeMap<RunId, HostRun>, FileError> {
    let mut runs = of_updates(paths)?;
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

fn read_run(paths: &Paths, id: RunId) -> HostRun {
    let order = readable(id, read_order(paths, id));
    HostRun { order, result: readable(id, read_result(paths, id)) }
}

/// Returns what was read; what cannot be read is logged, and counts as missing.
fn readable<T>(id: RunId, read: Result<Option<T>, RunFileError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(run = %id, error = chain(&error), "cannot read a file of a run");
        None
    })
}

/// Removes the oldest runs that are over, if there are too many, and returns them. Those that
/// belong to updates are left.
///
/// # Errors
/// An error of the file system.
pub(crate) fn prune(paths: &Paths) -> Result<Vec<RunId>, FileError> {
    let known = known(paths)?;
    let ordered = known.iter().filter(|(id, run)| run.result.is_some() && !id.is_of_host());
    let over: Vec<RunId> = ordered.map(|(id, _)| *id).collect();
    let excess = &over[..over.len().saturating_sub(KEPT_MAX)];
    for id in excess {
        forget(paths, *id)?;
    }
    Ok(excess.to_vec())
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
