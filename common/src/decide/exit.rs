//! Explains how a container ended, and whether somebody on the host ended it.

use std::fmt::{Display, Formatter};

use crate::document::status::Drift;
use crate::time::Timestamp;

mod signal;

pub use self::signal::asks_for_end;

/// The events of the engine about the end of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerEvents {
    /// The container ended. An engine that is being restarted ends its containers without this event.
    pub ended: bool,
    /// The container was stopped by `docker stop`, or by the end of the engine.
    pub stopped: bool,
    /// The container got a signal that asks for its end, by `docker kill` or by a stop.
    pub killed: bool,
    /// The container was removed by `docker rm`.
    pub removed: bool,
    /// The kernel killed it because memory ran out.
    pub out_of_memory: bool,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerExit {
    /// The name of the container.
    pub container: String,
    pub cause: EndCause,
}

/// Who or what ended a container, with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    /// Somebody removed it; the exit code is often lost with it.
    Removed { code: Option<i64> },
    /// The kernel killed it because memory ran out.
    OutOfMemory { code: i64 },
    /// Somebody stopped it, by `docker stop`.
    Stopped { code: i64 },
    /// Somebody killed it, by `docker kill`.
    Killed { code: i64 },
    /// It ended while the engine did not answer.
    EngineAway { code: i64 },
    /// The events of the engine cannot be read.
    Unreported { code: i64 },
    /// The engine answered and has no event of the end.
    Unrecorded { code: i64 },
    /// The program ended by itself.
    Program { code: i64 },
}

/// The facts about the end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Exit status; none when the container is gone.
    pub code: Option<i64>,
    /// The kernel killed it because memory ran out.
    pub out_of_memory: bool,
    /// The engine did not answer when the container ended.
    pub engine_was_away: bool,
    /// The events of the engine; none if they could not be read.
    pub container_events: Option<ContainerEvents>,
}

/// Explains who or what ended the container, as far as the evidence shows.
#[must_use]
pub fn explain(name: &str, evidence: Evidence) -> ContainerExit {
    ContainerExit { container: name.to_owned(), cause: cause(evidence) }
}

fn cause(evidence: Evidence) -> EndCause {
    let events = evidence.container_events.unwrap_or_default();
    let Some(code) = evidence.code.filter(|_| !events.removed) else {
        return EndCause::Removed { code: evidence.code };
    };
    if evidence.out_of_memory || events.out_of_memory {
        return EndCause::OutOfMemory { code };
    }
    if events.stopped {
        return EndCause::Stopped { code };
    }
    if events.killed {
        return EndCause::Killed { code };
    }
    if evidence.engine_was_away && !events.ended {
        return EndCause::EngineAway { code };
    }
    match evidence.container_events {
        None => EndCause::Unreported { code },
        Some(events) if !events.ended => EndCause::Unrecorded { code },
        Some(_) => EndCause::Program { code },
    }
}

impl ContainerExit {
    /// Returns the drift at that time, unless the container ended by itself.
    #[must_use]
    pub fn drift(&self, at: Timestamp) -> Option<Drift> {
        self.cause.is_drift().then(|| Drift { at, found: self.to_string() })
    }
}

impl EndCause {
    /// Returns true unless the container ended by itself.
    #[must_use]
    pub fn is_drift(self) -> bool {
        match self {
            Self::Removed { .. }
            | Self::Stopped { .. }
            | Self::Killed { .. }
            | Self::EngineAway { .. }
            // It is reported without blaming a person, because a full disk loses events too.
            | Self::Unrecorded { .. } => true,
            Self::OutOfMemory { .. } | Self::Unreported { .. } | Self::Program { .. } => false,
        }
    }
}

impl Display for ContainerExit {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let name = &self.container;
        match self.cause {
            EndCause::Removed { code: None } => write!(f, "container {name} was removed"),
            EndCause::Removed { code: Some(code) } => {
                write!(f, "container {name} was removed (exit code {code})")
            }
            EndCause::OutOfMemory { code } => write!(f, "ran out of memory (exit code {code})"),
            EndCause::Stopped { code } => {
                write!(f, "container {name} was stopped on the host (exit code {code})")
            }
            EndCause::Killed { code } => {
                write!(f, "container {name} was killed on the host (exit code {code})")
            }
            EndCause::EngineAway { code } => {
                write!(f, "container {name} was ended while docker was away (exit code {code})")
            }
            EndCause::Unreported { code } => {
                write!(f, "ended with exit code {code}; Docker does not report the cause")
            }
            EndCause::Unrecorded { code } => write!(
                f,
                "container {name} ended with exit code {code}; docker has no record of its end: \
                 it was restarted, or its disk was full"
            ),
            EndCause::Program { code } => write!(f, "ended with exit code {code}"),
        }
    }
}

#[cfg(test)]
mod tests;
