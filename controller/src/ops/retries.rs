//! Decides again when another writer committed first.

use super::{OpsError, Result};

/// The number of attempts before the caller gets the error that the store is busy.
const ATTEMPTS_MAX: usize = 8;

/// Runs `attempt`, which reads, decides and commits, until its commit does not conflict
/// with another one.
///
/// # Errors
/// Returns the error of an attempt that is not a conflict at once, and
/// [`OpsError::Busy`] after too many conflicts.
pub(super) async fn retry_conflicts<T, A>(mut attempt: impl FnMut() -> A) -> Result<T>
where
    A: Future<Output = Result<T>>,
{
    for _ in 0..ATTEMPTS_MAX {
        match attempt().await {
            Err(OpsError::Store(error)) if error.is_conflict() => {}
            ended => return ended,
        }
    }
    Err(OpsError::Busy)
}

#[cfg(test)]
mod tests;
