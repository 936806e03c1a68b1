//! The errors that end the program. Each has one message and one exit code.

use std::io;
use std::path::PathBuf;

use oml_common::text::problem::{Problem, Problems};
use oml_daemon::env::RandomError;
use oml_daemon::tls::TlsError;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The system has no random bytes for the id of a change.
    #[error(transparent)]
    Random(RandomError),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// All problems of a specification or a request.
    #[error("{}", summary(.0))]
    Problems(Problems),
    /// Others changed the tenant since the change was planned. Nothing was changed.
    #[error("{}", summary(.0))]
    ChangedMeanwhile(Problems),
    /// The change would remove an instance, which nobody has seen yet. Nothing was changed.
    #[error("{}", summary(.0))]
    Removes(Problems),
    /// The change would lead over a step without a way back, which nobody has seen yet. Nothing was
    /// changed.
    #[error("{}", summary(.0))]
    OneWay(Problems),
    /// There is no usable context.
    #[error("{0}")]
    Context(String),
    /// The certificates or the key of a context cannot be used.
    #[error("the credentials of context {context} cannot be used")]
    Credentials { context: String, source: TlsError },
    /// No controller accepted the request.
    #[error("cannot reach the controller: {0}")]
    Unreachable(String),
    /// The controller refused the request.
    #[error("{0}")]
    Refused(String),
    /// A change was sent, but its answer was lost.
    #[error(
        "cannot determine whether the change was made: {why}; repeat the command with --op-id {op_id} to make it at most once"
    )]
    OutcomeUnknown {
        /// The id by which the controller recognises the change.
        op_id: String,
        why: String,
    },
    /// A request was sent, but its answer was lost.
    #[error("{what}: {why}; see: {look}")]
    Unanswered {
        /// What may have been done.
        what: String,
        why: String,
        /// The command that shows whether it was.
        look: String,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// The verb in the message: `read`, `write` or `remove`.
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The operator did not confirm.
    #[error("cancelled; nothing was changed")]
    Cancelled,
    /// Standard input cannot be read.
    #[error("cannot read standard input")]
    Input(#[source] io::Error),
    /// Standard output is closed or cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// An answer cannot be written in the format that was asked for.
    #[error("cannot write the answer as {0}")]
    Format(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The program could not be initialised.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

impl CommandError {
    /// Makes an error of one problem on the command line.
    pub(crate) fn usage(problem: &Problem) -> Self {
        Self::Usage(problem.to_string())
    }

    /// Returns the exit code for this kind of error.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CommandError::Refused(_)
            | CommandError::Cancelled
            | CommandError::Input(_)
            | CommandError::Random(_)
            | CommandError::Output(_)
            | CommandError::Format(..)
            | CommandError::Start(_) => 1,
            CommandError::Usage(_)
            | CommandError::Problems(_)
            | CommandError::ChangedMeanwhile(_)
            | CommandError::Removes(_)
            | CommandError::OneWay(_)
            | CommandError::Context(_)
            | CommandError::Credentials { .. }
            | CommandError::File { .. } => 2,
            CommandError::Unreachable(_)
            | CommandError::OutcomeUnknown { .. }
            | CommandError::Unanswered { .. } => 5,
        }
    }

    /// Whether the reader of the output has closed it, as `head` does.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, CommandError::Output(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writes a single problem as it is, and several with a heading and a line each.
fn summary(problems: &Problems) -> String {
    match problems.0.as_slice() {
        [one] => one.to_string(),
        all => format!("nothing was changed because of {} problems:\n{problems}", all.len()),
    }
}
