//! How a container ended, and whether somebody on the host did it.

use oml_common::document::status::Drift;
use oml_common::time::Timestamp;

use crate::runtime::ContainerEvents;

/// The end of a container, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerExit {
    pub(super) words: String,
    /// Set when it did not end by itself.
    pub(super) drift: Option<Drift>,
}

/// What is known about an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Exit status; none when the container is gone.
    pub(super) code: Option<i64>,
    /// The kernel killed it for want of memory.
    pub(super) out_of_memory: bool,
    /// The engine had been away when it was found.
    pub(super) engine_was_away: bool,
    /// What the engine's events say; none when they could not be read.
    pub(super) container_events: Option<ContainerEvents>,
}

/// Puts an end into words.
pub(super) fn tell(name: &str, evidence: Evidence, now: Timestamp) -> ContainerExit {
    let container_events = evidence.container_events.unwrap_or_default();
    let code = evidence.code.map_or_else(String::new, |code| format!(" (exit code {code})"));
    let by_hand = |what: &str| {
        let found = format!("container {name} was {what}{code}");
        ContainerExit { words: found.clone(), drift: Some(Drift { at: now, found }) }
    };
    if evidence.code.is_none() || container_events.removed {
        return by_hand("removed");
    }
    if evidence.out_of_memory || container_events.out_of_memory {
        return ContainerExit { words: format!("ran out of memory{code}"), drift: None };
    }
    if container_events.stopped {
        return by_hand("stopped on the host");
    }
    if container_events.killed {
        return by_hand("killed on the host");
    }
    if evidence.engine_was_away
        || evidence.container_events.is_some_and(|container_events| !container_events.ended)
    {
        return by_hand("ended while docker was away");
    }
    let code = evidence.code.unwrap_or(-1);
    let unknown = if evidence.container_events.is_none() {
        "; docker does not tell who ended it"
    } else {
        ""
    };
    ContainerExit { words: format!("ended with exit code {code}{unknown}"), drift: None }
}

#[cfg(test)]
mod tests;
