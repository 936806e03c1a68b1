//! What can go wrong in the lab. Each layer says what it tried; it does not retry and does not print.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The lab's result.
pub type Result<T> = std::result::Result<T, LabError>;

/// Why the lab could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// This machine cannot carry the lab: one sentence for a person.
    #[error("the lab cannot run here: {0}")]
    CannotRun(String),
    /// A name or a request that the lab does not accept.
    #[error("{0}")]
    Invalid(String),
    /// A file operation failed.
    #[error("{action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A program failed or did not end in time.
    #[error("run `{command}`: {why}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// Exit code and last lines, or the time limit.
        why: String,
    },
    /// A condition did not become true in time.
    #[error("{what} did not happen within {limit:?}; last seen: {last}")]
    Waited {
        what: String,
        /// How long it was waited for.
        limit: Duration,
        /// What was found instead.
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
