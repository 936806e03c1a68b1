//! What ends the program early. One sentence and one exit code each.

use std::io;
use std::path::PathBuf;

use oml_common::text::problem::{Problem, Problems};
use oml_daemon::env::RandomError;
use oml_daemon::tls::TlsError;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// There is no id for a change.
    #[error(transparent)]
    Random(RandomError),
    /// The command line does not say what is wanted.
    #[error("{0}")]
    Usage(String),
    /// Mistakes in what was written, all of them.
    #[error("{}", told(.0))]
    Problems(Problems),
    /// No context, a broken one, or one that cannot be kept.
    #[error("{0}")]
    Context(String),
    /// Certificates or key of a context do not serve.
    #[error("the credentials of context {context} cannot be used")]
    Credentials { context: String, source: TlsError },
    /// No controller took the request.
    #[error("cannot reach the controller: {0}")]
    Unreachable(String),
    /// The controller answered that it will not or cannot.
    #[error("{0}")]
    Refused(String),
    /// A change was sent and its answer was lost.
    #[error(
        "it is not known whether the change was made: {why}; repeat the command with --op-id {op_id}, which makes it at most once"
    )]
    OutcomeUnknown {
        /// The id under which the controller knows the change.
        op_id: String,
        /// How the answer was lost.
        why: String,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// `read`, `write` or `remove`.
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Nobody takes what is printed.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// An answer that cannot be written as asked.
    #[error("cannot write the answer as {0}")]
    Format(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The program could not be set up.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

impl CommandError {
    /// One mistake on the command line.
    pub(crate) fn usage(problem: &Problem) -> Self {
        Self::Usage(problem.to_string())
    }

    /// The exit code that tells this kind of ending.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CommandError::Refused(_)
            | CommandError::Random(_)
            | CommandError::Output(_)
            | CommandError::Format(..)
            | CommandError::Start(_) => 1,
            CommandError::Usage(_)
            | CommandError::Problems(_)
            | CommandError::Context(_)
            | CommandError::Credentials { .. }
            | CommandError::File { .. } => 2,
            CommandError::Unreachable(_) | CommandError::OutcomeUnknown { .. } => 5,
        }
    }

    /// Whether the reader of our output has gone, as `head` does.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, CommandError::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// One problem is the sentence itself; more of them have a line each.
fn told(problems: &Problems) -> String {
    match problems.0.as_slice() {
        [one] => one.to_string(),
        all => format!("nothing was changed, for {} problems:\n{problems}", all.len()),
    }
}
