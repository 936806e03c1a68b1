//! The events that the engine keeps.

use super::Engine;

/// The number of events that are kept.
const EVENTS_MAX: usize = 10_000;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAction {
    /// It was created.
    Create,
    Start,
    /// It has ended.
    Die,
    /// It was sent a signal.
    Kill,
    /// It was stopped by the engine.
    Stop,
    /// It was renamed.
    Rename,
    /// It was removed.
    Destroy,
}

/// An event of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The time of the event, in milliseconds since the epoch.
    pub at_ms: u64,
    pub id: String,
    pub action: EventAction,
    /// The signal that it was sent; empty for every other event.
    pub signal: String,
}

impl Engine {
    pub(super) fn note(&mut self, at_ms: u64, id: &str, action: EventAction) {
        self.add(Event { at_ms, id: id.to_owned(), action, signal: String::new() });
    }

    pub(super) fn note_signal(&mut self, at_ms: u64, id: &str, signal: String) {
        self.add(Event { at_ms, id: id.to_owned(), action: EventAction::Kill, signal });
    }

    fn add(&mut self, event: Event) {
        self.events.push_back(event);
        if self.events.len() > EVENTS_MAX {
            self.events.pop_front();
        }
    }
}
