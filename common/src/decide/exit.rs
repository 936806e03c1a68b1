//! Explains how a container ended, and whether somebody on the host ended it.

use crate::document::status::Drift;
use crate::time::Timestamp;

/// The events of the engine about the end of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerEvents {
    /// The container ended. An engine that is being restarted ends its containers without this event.
    pub ended: bool,
    /// The container was stopped by `docker stop`, or by the end of the engine.
    pub stopped: bool,
    /// The container got a signal, by `docker kill` or by a stop.
    pub killed: bool,
    /// The container was removed by `docker rm`.
    pub removed: bool,
    /// The kernel killed it because memory ran out.
    pub out_of_memory: bool,
}

/// How a container ended, in a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerExit {
    pub words: String,
    /// The drift, if the container did not end by itself.
    pub drift: Option<Drift>,
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
pub fn explain(name: &str, evidence: Evidence, now: Timestamp) -> ContainerExit {
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
    if evidence.engine_was_away && !container_events.ended {
        return by_hand("ended while docker was away");
    }
    let code = evidence.code.unwrap_or(-1);
    let words = format!("ended with exit code {code}");
    match evidence.container_events {
        None => {
            let words = format!("{words}; Docker does not report the cause");
            ContainerExit { words, drift: None }
        }
        // It is reported without blaming a person, because a full disk loses events too.
        Some(events) if !events.ended => {
            let found = format!(
                "container {name} {words}; docker has no record of its end: it was restarted, or \
                 its disk was full"
            );
            ContainerExit { words: found.clone(), drift: Some(Drift { at: now, found }) }
        }
        Some(_) => ContainerExit { words, drift: None },
    }
}

#[cfg(test)]
mod tests;
