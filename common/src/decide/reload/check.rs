//! The checks that have to succeed before a program gets other files while it runs, or for its next start.

use std::fmt::{Display, Formatter, Result};

use crate::decide::step::Step;
use crate::document::Verbatim;
use crate::document::instance::{
    Container, Instance, InstanceDocument, OperationStep, Reload, Workload,
};
use crate::id::{ContainerName, ContentHash, OperationName};
use crate::time::print_duration_ms;

/// The most letters of a container's name that are kept in that of its check.
const NAME_CHARS_MAX: usize = 100;

fn content(instance: &Instance) -> Option<ContentHash> {
    instance.reload.as_ref().map(Reload::content)
}

/// Returns the checks that have to succeed before the files of an instance are placed. The content that
/// its program has already, as the current document on its host says, is not checked again.
#[must_use]
pub fn due<'a>(desired: &'a Instance, current: Option<&Instance>) -> &'a [OperationStep] {
    match current {
        Some(current) if content(current) == content(desired) => &[],
        Some(_) | None => &desired.checks,
    }
}

/// Returns the instance for which the checks of a reload run: the desired one with a workload of its own,
/// so that its host keeps the new files apart from those that the program has. None if it is no container.
#[must_use]
pub fn apart(desired: &Instance) -> Option<InstanceDocument> {
    let own = desired.container()?;
    // These names have no character of more than one byte.
    let kept = own.name.as_str().get(..own.name.as_str().len().min(NAME_CHARS_MAX))?;
    let name: ContainerName = format!("{kept}-reload").parse().ok()?;
    let workload = Verbatim::seal(Workload::Container(Container { name, ..own.clone() }));
    Some(Verbatim::seal(Instance { workload, ..desired.clone() }))
}

/// Returns whether a step is a reload of another content than the one that is desired now. Its checks
/// may take long, and delay the next reload.
#[must_use]
pub fn is_superseded(step: &Step, desired: Option<&Instance>) -> bool {
    match step {
        Step::Reload { content: begun, .. } => desired.and_then(content).as_ref() != Some(begun),
        Step::Pull
        | Step::Remove { .. }
        | Step::RunOnce { .. }
        | Step::CountActive
        | Step::Create
        | Step::Switch { .. }
        | Step::Soak
        | Step::Fail { .. }
        | Step::RevertDocument { .. }
        | Step::Repair { .. }
        | Step::RollBack { .. }
        | Step::Commit { .. }
        | Step::Start
        | Step::RewriteConfig
        | Step::ReplaceSupervisor
        | Step::StopContainer
        | Step::Promote => false,
    }
}

/// Why files are not placed: a check refused them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesRefused<'a> {
    pub operation: &'a OperationName,
    /// The status with which its program ended; none if it did not end within its deadline.
    pub exit_code: Option<i64>,
    pub deadline_ms: u64,
}

/// Decides about files after one of their checks, whose program ended with that status or did not end
/// within its deadline.
///
/// # Errors
/// Returns why the files are not placed.
pub fn passed(
    step: &OperationStep,
    exit_code: Option<i64>,
) -> std::result::Result<(), FilesRefused<'_>> {
    let (operation, deadline_ms) = (&step.operation, step.run.deadline_ms);
    match exit_code {
        Some(0) => Ok(()),
        Some(_) | None => Err(FilesRefused { operation, exit_code, deadline_ms }),
    }
}

impl Display for FilesRefused<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { operation, exit_code, deadline_ms } = self;
        write!(f, "the reload failed: the check {operation} of the new files ")?;
        match exit_code {
            Some(status) => write!(f, "ended with status {status}")?,
            None => write!(f, "did not end within {}", print_duration_ms(*deadline_ms))?,
        }
        f.write_str("; its former files stayed, and nothing was restarted")
    }
}

#[cfg(test)]
mod tests;
