//! The errors of the engine.

use crate::Fault;

/// An error of the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A requested fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The registry refuses the image.
    #[error("{detail}")]
    Pull {
        /// The registry's message.
        detail: String,
        /// Trying again later may help.
        transient: bool,
    },
    /// There is no such container.
    #[error("No such container: {0}")]
    NoContainer(String),
    /// The image is not on the host.
    #[error("No such image: {0}")]
    NoImage(String),
    /// The name or the state of a container conflicts with the request.
    #[error("{0}")]
    Conflict(String),
    /// A command without a word cannot be run.
    #[error("No exec command specified")]
    NoCommand,
}
