//! The errors of the lab. Each layer reports what it tried to do; no layer retries or prints.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result type of every function of the lab that can fail.
pub type Result<T> = std::result::Result<T, LabError>;

/// The reason why the lab could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// This machine cannot run the lab. The text is one sentence for a person.
    #[error("the lab cannot run here: {0}")]
    CannotRun(String),
    /// The lab does not accept a name or a request, or found data it cannot use.
    #[error("{0}")]
    Invalid(String),
    /// A file operation failed.
    #[error("{action} {}", path.display())]
    Io {
        /// The operation that was tried, as a verb.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A program failed or did not finish in time.
    #[error("run `{command}`: {why}")]
    Command {
        command: String,
        /// The exit code and the last lines of output, or the time limit.
        why: String,
    },
    /// A condition did not become true in time.
    #[error("timed out after {limit:?} waiting for: {what}; last seen: {last}")]
    Timeout {
        what: String,
        /// The longest time to wait.
        limit: Duration,
        /// The state that was seen last.
        last: String,
    },
}

impl LabError {
    pub(crate) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
